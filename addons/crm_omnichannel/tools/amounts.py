"""Amounts of money and their currencies.

Sources: ISO 4217 and the names of CLDR (through Babel); GB/T 15835 for 万 and 亿.
"""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from babel import Locale

from .blocked import is_blocked
from .numerals import SIGNS, read_number
from .values import BadValue, as_text, shown

#: signs and words that name a currency, the longest first when they are looked for
_CURRENCIES = {
    "US$": "USD",
    "HK$": "HKD",
    "NT$": "TWD",
    "A$": "AUD",
    "AU$": "AUD",
    "C$": "CAD",
    "CA$": "CAD",
    "S$": "SGD",
    "CN¥": "CNY",
    "JP¥": "JPY",
    "RMB": "CNY",
    "$": "USD",
    "¥": "CNY",
    "€": "EUR",
    "£": "GBP",
    "₩": "KRW",
    "₽": "RUB",
    "₹": "INR",
    "人民币": "CNY",
    "人民幣": "CNY",
    "人民币元": "CNY",
    "元人民币": "CNY",
    "美元": "USD",
    "美金": "USD",
    "欧元": "EUR",
    "歐元": "EUR",
    "英镑": "GBP",
    "英鎊": "GBP",
    "日元": "JPY",
    "日圆": "JPY",
    "円": "JPY",
    "港元": "HKD",
    "港币": "HKD",
    "港幣": "HKD",
    "新台币": "TWD",
    "新台幣": "TWD",
    "台币": "TWD",
    "韩元": "KRW",
    "澳元": "AUD",
    "加元": "CAD",
    "新加坡元": "SGD",
    "新元": "SGD",
    "瑞士法郎": "CHF",
    "卢布": "RUB",
    "块钱": "CNY",
    "元整": "CNY",
    "圆整": "CNY",
    "元": "CNY",
    "圆": "CNY",
    "圓": "CNY",
    "块": "CNY",
}
_NUMBER = r"\d[\d.,' ]*|[.,]\d+"
_UNITS = {
    "": 1,
    "k": 10**3,
    "千": 10**3,
    "仟": 10**3,
    "w": 10**4,
    "万": 10**4,
    "萬": 10**4,
    "百万": 10**6,
    "m": 10**6,
    "mn": 10**6,
    "million": 10**6,
    "千万": 10**7,
    "亿": 10**8,
    "億": 10**8,
    "b": 10**9,
    "bn": 10**9,
    "billion": 10**9,
    "十亿": 10**9,
    "万亿": 10**12,
}
_AMOUNT = re.compile(rf"(?P<number>{_NUMBER}) ?(?P<unit>[a-z]+|[十百千仟万萬亿億]+)?")
_SMALL = re.compile(
    rf"(?P<whole>[{SIGNS}]+)?(?:[元圆圓块](?:(?P<jiao>[{SIGNS}])角)?(?:零?(?P<fen>[{SIGNS}])分)?)?[整正]?"
)


@lru_cache(maxsize=1)
def _names():
    """Return ``{folded name or sign: code}`` of all currencies."""
    names = {}
    for locale in ("en", "zh"):
        for code, label in Locale.parse(locale).currencies.items():
            names[code.casefold()] = code
            names.setdefault(label.casefold(), code)
    names.update({sign.casefold(): code for sign, code in _CURRENCIES.items()})
    return names


@lru_cache(maxsize=1)
def _marks():
    """The signs and codes that stand beside a number, as one pattern."""
    codes = [code for code in _names() if len(code) == 3 and code.isascii()]
    marks = sorted({sign.casefold() for sign in _CURRENCIES} | set(codes), key=len)
    return re.compile("|".join(re.escape(mark) for mark in reversed(marks)))


def _folded(raw):
    return " ".join(unicodedata.normalize("NFKC", raw).casefold().split())


def currency(value, argument=None):
    """A currency as its ISO 4217 code: ￥, RMB, 人民币, US dollar, also of ￥1,234.50.

    ``argument``: the country whose ¥ it is, ``JP`` or China's.
    """
    raw = as_text(value)
    if raw is None or is_blocked(raw):
        return None
    folded = _folded(raw)
    code = _names().get(folded)
    if code is None and any(sign.isdigit() for sign in folded):
        found = {_names()[mark] for mark in _marks().findall(folded)}
        code = found.pop() if len(found) == 1 else None
    if code is None:
        raise BadValue("unknown_currency", value=shown(raw))
    if code == "CNY" and "¥" in folded and (argument or "").strip().upper() == "JP":
        return "JPY"
    return code


def amount(value, argument=None):
    """An amount as a number: ￥1,234.50, 1.2万, (5.00) for -5, 壹仟贰佰元整.

    A single comma before three digits sets off thousands and a single point decimals;
    ``argument`` ``,`` says that the comma is the decimal sign.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raw = as_text(value)
    if raw is None or is_blocked(raw):
        return None
    folded = _folded(raw).replace("−", "-").replace("–", "-")
    negative = folded.startswith("-") or bool(re.fullmatch(r"\(.+\)", folded))
    folded = folded.strip("()+- ")
    number = _read_han(folded)
    if number is None:
        # the sign may stand behind the currency
        plain = _marks().sub("", folded).strip()
        negative = negative or plain.startswith("-")
        number = _read_digits(plain.strip("+- "), argument)
    if number is None:
        raise BadValue("bad_amount", value=shown(raw))
    number = -number if negative else number
    return int(number) if number == int(number) else float(number)


def _read_han(text):
    """Return the amount of Chinese numerals as a Decimal, or None."""
    match = _SMALL.fullmatch(text)
    if not match or not any(match.groups()):
        return None
    parts = [read_number(part) if part else 0 for part in match.groups()]
    if None in parts:
        return None
    whole, jiao, fen = parts
    return Decimal(whole) + Decimal(jiao) / 10 + Decimal(fen) / 100


def _read_digits(text, decimal_sign):
    match = _AMOUNT.fullmatch(text)
    if not match or (match["unit"] or "") not in _UNITS:
        return None
    digits = match["number"].replace(" ", "").replace("'", "")
    comma, point = digits.count(","), digits.count(".")
    if comma and point:
        decimal_sign = "," if digits.rindex(",") > digits.rindex(".") else "."
    elif decimal_sign != ",":
        thousands = comma and re.fullmatch(r"\d{1,3}(,\d{3})+", digits)
        decimal_sign = "," if comma == 1 and not thousands else "."
        if point > 1:
            decimal_sign = ","
    if decimal_sign == ",":
        digits = digits.replace(".", "").replace(",", ".")
    else:
        digits = digits.replace(",", "")
    if not re.fullmatch(r"\d*\.?\d*", digits) or digits in ("", "."):
        return None
    return Decimal(digits) * _UNITS[match["unit"] or ""]
