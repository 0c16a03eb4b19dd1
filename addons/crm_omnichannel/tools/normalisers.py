"""From what a person typed to one form: telephone, e-mail, name, date, address.

Each normaliser takes ``(value, argument)`` and returns the clean value, or None if
there is none (an empty or blocked value). What cannot be read raises
:class:`BadValue` with a code and parameters: nothing is guessed. Each is idempotent:
``normalise(normalise(x)) == normalise(x)``.

Sources: E.164 through Google's libphonenumber, ISO 8601, ISO 3166-1 through CLDR,
Unicode annex 15 (NFKC).
"""

import json
import re
import unicodedata
from datetime import date, datetime
from functools import lru_cache

import phonenumbers
from babel import Locale

from .blocked import is_blocked

MAX_TEXT = 2000


class BadValue(ValueError):
    """A value cannot be read: ``code`` and ``params`` (plain JSON values)."""

    def __init__(self, code, **params):
        super().__init__(code)
        self.code = code
        self.params = params


def as_text(value):
    """Return a JSON scalar as text; None for null, empty and lists or objects.

    :raises BadValue: ``not_text`` for a list or an object.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # a spreadsheet's 13912345678.0 is a telephone number
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, date):
        return value.isoformat()
    raise BadValue("not_text", value=_shown(value))


def _shown(value):
    """Return a value as it stands in an error: short, one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"


# --- TEXT ---

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u2028-\u202e\ufeff]")
_SPACES = re.compile(r"[^\S\n]+")


_WIDE_SIGNS = frozenset("＋－＠．／＿＃＆＇")


def _wide_to_narrow(text):
    """Fold full-width letters, digits and signs; leave Chinese punctuation and ㈱.

    NFKC over a whole text would change ``①``, ligatures and compatibility ideographs
    that belong to names: only the full-width block and the wide space are folded.
    """
    return "".join(
        chr(ord(sign) - 0xFEE0)
        if "\uff01" <= sign <= "\uff5e" and (sign.isalnum() or sign in _WIDE_SIGNS)
        else (" " if sign == "\u3000" else sign)
        for sign in text
    )


def clean(text):
    """Return a text in Unicode form C, without control signs, wide letters folded."""
    text = unicodedata.normalize("NFC", text)
    text = _CONTROL.sub("", _wide_to_narrow(text))
    text = "\n".join(_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return text.strip()


def text(value, argument=None):
    """Any text: trimmed, spaces folded. ``argument``: the most signs (default 2000)."""
    raw = as_text(value)
    if raw is None or is_blocked(raw):
        return None
    result = clean(raw)
    limit = int(argument) if argument and argument.isdigit() else MAX_TEXT
    if len(result) > limit:
        raise BadValue("too_long", limit=limit, value=_shown(result))
    return None if is_blocked(result) else result


def line(value, argument=None):
    """A text on one line."""
    result = text(value, argument)
    return result and " ".join(result.split("\n")) or None


# --- NAMES ---

_COMPOUND = """
    欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊
    赫连 澹台 皇甫 宗政 濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文
    司徒 鲜于 司空 闾丘 子车 亓官 司寇 巫马 公西 颛孙 壤驷 公良 漆雕 乐正
    宰父 谷梁 拓跋 夹谷 轩辕 令狐 段干 百里 呼延 东郭 南门 羊舌 微生 梁丘
    左丘 东门 西门 第五
    """
#: surnames of two signs, the common ones (Hundred Family Surnames)
COMPOUND_SURNAMES = frozenset(_COMPOUND.split())
_HAN = re.compile(r"^[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+$")
_HAN_SPACED = re.compile(
    r"(?<=[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f])[ ]+"
    r"(?=[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f])"
)


def is_han(value):
    """Tell whether a name is written in Chinese signs only."""
    return bool(_HAN.match(value))


def name(value, argument=None):
    """A person's or company's name; a nickname such as 微信用户 is none.

    Spaces between Chinese signs are dropped, a name all in one case is put in title
    case only if ``argument`` is ``title``.
    """
    raw = as_text(value)
    if raw is None or is_blocked(raw, "name"):
        return None
    result = " ".join(clean(raw).split())
    result = _HAN_SPACED.sub("", result).strip(" ,;，、")
    if not result or is_blocked(result, "name"):
        return None
    if len(result) > 255:
        raise BadValue("too_long", limit=255, value=_shown(result))
    if argument == "title" and (result.islower() or result.isupper()):
        result = _title(result)
    return result


def _title(value):
    """Title case that keeps O'Neill, Jean-Luc and never touches a second letter."""
    return re.sub(
        r"[^\W\d_]+(?:['’][^\W\d_]{1,2}(?![^\W\d_]))?",
        lambda match: match.group()[:1].upper() + match.group()[1:].lower(),
        value,
    )


def join_name(given, surname):
    """Return the full name: 伟 and 王 make 王伟, Ada and Lovelace Ada Lovelace."""
    if not given or not surname:
        return given or surname or None
    if is_han(given) and is_han(surname):
        return surname + given
    return f"{given} {surname}"


def split_name(full):
    """Return ``(given, surname)`` of a full name; a part that is not there is None."""
    if not full:
        return None, None
    if is_han(full):
        if len(full) == 1 or len(full) > 5:
            return full, None
        size = 2 if len(full) > 2 and full[:2] in COMPOUND_SURNAMES else 1
        return full[size:], full[:size]
    if "," in full:
        surname, _, given = full.partition(",")
        return given.strip() or None, surname.strip() or None
    given, _, surname = full.rpartition(" ")
    return (given, surname) if given else (surname, None)


# --- TELEPHONE, E-MAIL ---

_PHONE_NOISE = re.compile(r"[\s\u00a0.·・\-‐‑‒–—―－_/（）()\[\]]+")
_MAINLAND_MOBILE = re.compile(r"1[3-9]\d{9}")
_EXTENSION = re.compile(r"(?:ext|extn|转|分机|x|#)[.:：]?\d{1,6}$", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _e164(raw, country):
    digits = unicodedata.normalize("NFKC", raw)
    digits = _PHONE_NOISE.sub("", digits)
    digits = _EXTENSION.sub("", digits)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif country == "CN" and re.fullmatch(r"86(1\d{10}|0?\d{10,11})", digits):
        # the country code without its plus, as most Chinese exports write it
        digits = "+" + digits
    number = _valid_number(digits, country)
    if number is None and _MAINLAND_MOBILE.fullmatch(digits):
        number = _valid_number(digits, "CN")
    if number is None:
        raise BadValue("bad_phone", value=_shown(raw))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _valid_number(digits, country):
    try:
        number = phonenumbers.parse(digits, country or None)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def phone(value, argument=None):
    """A telephone number in E.164. ``argument``: the country of a national number.

    What is no number of that country but a mainland mobile number (eleven digits from
    13 to 19) is read as one. An extension is left out: E.164 has no place for it.
    """
    raw = as_text(value)
    if raw is None or is_blocked(raw, "phone"):
        return None
    return _e164(raw.strip(), (argument or "").strip().upper())


_EMAIL = re.compile(
    r"[^\s@<>()\[\],;:\"\\]{1,64}@(?:[^\s@<>()\[\],;:\"\\.]{1,63}\.)+[^\s@<>()\[\],;:\"\\.\d]{2,63}"
)
_ADDRESSED = re.compile(r"<([^<>]+)>\s*$")


def email(value, argument=None):
    """An e-mail address in lower case, out of ``Name <address>`` too."""
    raw = as_text(value)
    if raw is None or is_blocked(raw, "email"):
        return None
    address = unicodedata.normalize("NFKC", raw).strip()
    named = _ADDRESSED.search(address)
    if named:
        address = named.group(1).strip()
    address = re.sub(r"^mailto:", "", address, flags=re.IGNORECASE).lower().strip()
    # normal form again: lower case can open a new composition
    address = unicodedata.normalize("NFKC", address)
    if is_blocked(address, "email"):
        return None
    if (
        len(address) > 254
        or ".." in address
        or not _EMAIL.fullmatch(address)
        or address[0] == "."
        or ".@" in address
    ):
        raise BadValue("bad_email", value=_shown(raw))
    return address


def normal_email(value):
    """The address as :func:`email` gives it, or None for what is none.

    The one spelling under which an address is stored as an identity and searched.

    :param value: as sent, any JSON value
    """
    try:
        return email(value)
    except BadValue:
        return None


# --- DATES ---

_DATE_FORMS = (
    # 1990-01-02, 1990/1/2, 1990.01.02, with or without a time behind
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?:[T ].*)?"),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
    re.compile(r"(?P<y>\d{4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})[日号]?"),
)
_ANY_ORDER = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")
_MONTHS = {
    month: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        1,
    )
    for month in names
}
_NAMED_MONTH = re.compile(r"(\d{1,2})[ -]([a-z]+)\.?[ ,-]+(\d{4})")
_MONTH_FIRST = re.compile(r"([a-z]+)\.? (\d{1,2}),? (\d{4})")
_HAN_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")


def _day(year, month, day, raw):
    try:
        result = date(int(year), int(month), int(day))
    except ValueError as error:
        raise BadValue("bad_date", value=_shown(raw)) from error
    if not 1800 <= result.year <= 2200:
        raise BadValue("bad_date", value=_shown(raw))
    return result.isoformat()


def day(value, argument=None):
    """A date as ``YYYY-MM-DD``: ISO, 19900102, 1990年1月2日, 2 Jan 1990.

    02/01/1990 has two readings: with ``argument`` ``dmy`` or ``mdy`` it is read so,
    else it raises ``ambiguous_date`` (13/01/1990 has one reading and needs none).
    """
    if isinstance(value, datetime):
        value = value.date()
    raw = as_text(value)
    if raw is None or is_blocked(raw):
        return None
    given = unicodedata.normalize("NFKC", raw).strip()
    if not given.strip("0-/. "):
        # 0000-00-00, as a database without dates exports it
        return None
    given = re.sub(r"\s*([年月日号])\s*", r"\1", given)
    if "年" in given:
        given = given.translate(_HAN_DIGITS)
    for form in _DATE_FORMS:
        match = form.fullmatch(given)
        if match:
            return _day(match["y"], match["m"], match["d"], raw)
    match = _ANY_ORDER.fullmatch(given)
    if match:
        return _two_readings(*match.groups(), argument, raw)
    lowered = given.lower()
    match = _NAMED_MONTH.fullmatch(lowered)
    if match and match[2] in _MONTHS:
        return _day(match[3], _MONTHS[match[2]], match[1], raw)
    match = _MONTH_FIRST.fullmatch(lowered)
    if match and match[1] in _MONTHS:
        return _day(match[3], _MONTHS[match[1]], match[2], raw)
    raise BadValue("bad_date", value=_shown(raw))


def _two_readings(first, second, year, order, raw):
    if order == "dmy":
        return _day(year, second, first, raw)
    if order == "mdy":
        return _day(year, first, second, raw)
    if int(first) > 12 or first == second:
        return _day(year, second, first, raw)
    if int(second) > 12:
        return _day(year, first, second, raw)
    raise BadValue("ambiguous_date", value=_shown(raw))


# --- CLOSED LISTS ---

_GENDERS = {
    "male": "1 m male man mr boy 男 男性 先生 男士",
    "female": "2 f female woman ms mrs miss girl 女 女性 女士 小姐",
    "other": "3 x o other diverse nonbinary non-binary 其他",
}
_GENDER = {form: code for code, forms in _GENDERS.items() for form in forms.split()}


def gender(value, argument=None):
    """``male``, ``female`` or ``other``; 0 and "secret" are none (GB/T 2261.1)."""
    raw = as_text(value)
    if raw is None or is_blocked(raw):
        return None
    folded = unicodedata.normalize("NFKC", raw).strip().casefold().rstrip(".")
    if folded in {"0", "9", "u", "保密", "secret", "prefer not to say"}:
        return None
    if folded not in _GENDER:
        raise BadValue("bad_gender", value=_shown(raw))
    return _GENDER[folded]


@lru_cache(maxsize=1)
def _country_names():
    names = {}
    for locale in ("en", "zh", "zh_Hant"):
        for code, label in Locale.parse(locale).territories.items():
            if len(code) == 2 and code.isalpha() and code not in {"EU", "UN", "ZZ"}:
                names.setdefault(label.casefold(), code)
                names[code.casefold()] = code
    names.update(
        {
            "中国大陆": "CN",
            "中华人民共和国": "CN",
            "中國": "CN",
            "p.r. china": "CN",
            "pr china": "CN",
            "prc": "CN",
            "chn": "CN",
            "mainland china": "CN",
            "香港": "HK",
            "hong kong": "HK",
            "澳门": "MO",
            "澳門": "MO",
            "macau": "MO",
            "macao": "MO",
            "台湾": "TW",
            "台灣": "TW",
            "taiwan": "TW",
            "uk": "GB",
            "great britain": "GB",
            "england": "GB",
            "usa": "US",
            "u.s.a.": "US",
            "u.s.": "US",
            "united states of america": "US",
            "korea": "KR",
            "aus": "AU",
            "deu": "DE",
            "fra": "FR",
            "gbr": "GB",
            "jpn": "JP",
        }
    )
    return names


def country(value, argument=None):
    """A country as its ISO 3166-1 code, out of code, English or Chinese name."""
    raw = as_text(value)
    if raw is None or is_blocked(raw):
        return None
    folded = " ".join(clean(raw).casefold().split())
    code = _country_names().get(folded)
    if code is None:
        raise BadValue("unknown_country", value=_shown(raw))
    return code


_LANGUAGES = {
    "zh": "zh_CN",
    "zh_cn": "zh_CN",
    "zh_hans": "zh_CN",
    "chinese": "zh_CN",
    "中文": "zh_CN",
    "简体中文": "zh_CN",
    "zh_tw": "zh_TW",
    "zh_hant": "zh_TW",
    "繁體中文": "zh_TW",
    "en": "en_US",
    "en_us": "en_US",
    "english": "en_US",
    "英文": "en_US",
    "英语": "en_US",
}


def language(value, argument=None):
    """A language as ``ll_CC``."""
    raw = as_text(value)
    if raw is None or is_blocked(raw):
        return None
    folded = clean(raw).replace("-", "_").casefold()
    if folded in _LANGUAGES:
        return _LANGUAGES[folded]
    parts = re.fullmatch(r"([a-z]{2,3})_([a-z]{2})", folded)
    if not parts:
        raise BadValue("unknown_language", value=_shown(raw))
    return f"{parts[1]}_{parts[2].upper()}"


_TAG_SPLIT = re.compile(r"[,;|，；、\n]")


def tags(value, argument=None):
    """Tags as a sorted list of texts: a JSON list, or one text split at , ; | 、."""
    parts = value if isinstance(value, list | tuple) else [value]
    found = {}
    for part in parts:
        raw = as_text(part)
        for piece in _TAG_SPLIT.split(raw or ""):
            label = line(piece, "64")
            if label:
                found.setdefault(label.casefold(), label)
    return [found[key] for key in sorted(found)] or None


def postcode(value, argument=None):
    """A postcode: upper case, one space; a spreadsheet's lost leading zero is not
    invented."""
    result = line(value, "24")
    return result and result.upper()


def website(value, argument=None):
    """A web address with its scheme."""
    result = line(value, "255")
    if result is None:
        return None
    result = result.replace(" ", "")
    if re.match(r"^[a-z][a-z0-9+.-]*:", result, re.IGNORECASE):
        if not re.match(r"^https?://[^/]+", result, re.IGNORECASE):
            raise BadValue("bad_website", value=_shown(result))
    elif "." not in result:
        raise BadValue("bad_website", value=_shown(result))
    else:
        result = "http://" + result
    return result


def identifier(value, argument=None):
    """A platform's id, taken as it is: case and signs matter; ``-1`` and 0 are none."""
    raw = as_text(value)
    if raw is None:
        return None
    result = raw.strip()
    if is_blocked(result) or is_blocked(result, "identifier"):
        return None
    if len(result) > 255:
        raise BadValue("too_long", limit=255, value=_shown(result))
    if "\x00" in result:
        raise BadValue("not_text", value=_shown(result.replace("\x00", "")))
    return result


#: code -> function; the codes stand in mapping lines
NORMALISERS = {
    "text": text,
    "line": line,
    "name": name,
    "phone": phone,
    "email": email,
    "date": day,
    "gender": gender,
    "country": country,
    "language": language,
    "tags": tags,
    "postcode": postcode,
    "website": website,
    "identifier": identifier,
}


def normalise(code, value, argument=None):
    """Return the clean value of a normaliser by its code.

    :raises BadValue: the value cannot be read
    :raises KeyError: there is no such normaliser
    """
    return NORMALISERS[code](value, argument)
