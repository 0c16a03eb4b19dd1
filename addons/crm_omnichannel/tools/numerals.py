"""Numbers written in Chinese signs, small and financial ones.

Source: GB/T 15835 (writing of numerals), the Ministry of Finance's rules for bills.
"""

_DIGITS = {
    sign: digit
    for digit, signs in enumerate(
        (
            "〇零○",
            "一壹",
            "二贰貳两兩",
            "三叁參",
            "四肆",
            "五伍",
            "六陆陸",
            "七柒",
            "八捌",
            "九玖",
        )
    )
    for sign in signs
}
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_GROUPS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
SIGNS = "".join((*_DIGITS, *_UNITS, *_GROUPS))


def read_number(text):
    """Return the whole number of Chinese numerals, or None if it is none.

    二〇二四 is read sign by sign, 三百二十 and 一万二千 by their units.

    :param str text: without spaces
    """
    if not text or not all(sign in SIGNS for sign in text):
        return None
    if all(sign in _DIGITS for sign in text):
        return int("".join(str(_DIGITS[sign]) for sign in text))
    total = section = digit = 0
    for sign in text:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _UNITS:
            # 十二 begins without its one
            section += (digit or 1) * _UNITS[sign]
            digit = 0
        else:
            section = (total + section + digit) * _GROUPS[sign]
            total, section, digit = section, 0, 0
    return total + section + digit
