"""From what a person typed to one form: telephone, e-mail, name, date, address.

Each normaliser takes ``(value, argument)`` and returns the clean value, or None if
there is none (an empty or blocked value). What cannot be read raises
:class:`BadValue` with a code and parameters: nothing is guessed. Each is idempotent:
``normalise(normalise(x)) == normalise(x)``.

Sources: E.164 through Google's libphonenumber, ISO 3166-1 through CLDR, Unicode annex
15 (NFKC); for dates, amounts, addresses, companies and scripts see those modules.
"""

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from babel import Locale

from . import addresses
from .amounts import amount, currency
from .blocked import is_blocked
from .companies import fold_company
from .dates import day
from .scripts import to_simplified, to_traditional
from .values import BadValue, as_text, shown

MAX_TEXT = 2000


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
        raise BadValue("too_long", limit=limit, value=shown(result))
    return None if is_blocked(result) else result


def line(value, argument=None):
    """A text on one line."""
    result = text(value, argument)
    return result and " ".join(result.split("\n")) or None


def halfwidth(value, argument=None):
    """A text on one line with every full-width sign folded, brackets and stops too."""
    result = line(value, argument)
    return result and "".join(
        chr(ord(sign) - 0xFEE0) if "\uff01" <= sign <= "\uff5e" else sign
        for sign in result
    )


def simplified(value, argument=None):
    """A text on one line in simplified Chinese."""
    result = line(value, argument)
    return result and to_simplified(result)


def traditional(value, argument=None):
    """A text on one line in traditional Chinese."""
    result = line(value, argument)
    return result and to_traditional(to_simplified(result))


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
#: small words that belong to the surname: Ludwig van Beethoven
_PARTICLES = {"af", "al", "bin", "da", "de", "del", "della", "den", "der", "di", "do"}
_PARTICLES |= {"dos", "du", "la", "le", "ten", "ter", "van", "von", "zu"}
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
        raise BadValue("too_long", limit=255, value=shown(result))
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


_WESTERN_TITLE = re.compile(
    r"^(?:(?:mr|mrs|ms|miss|mx|dr|prof|professor|sir|madam|herr|frau|m|mme)\b\.? +)+"
    r"|(?:,? +(?:ph\.?d|m\.?d|mba|esq|cpa)\b\.?)+$",
    re.IGNORECASE,
)
_HAN_TITLE = re.compile(
    r"(?:先生|女士|小姐|太太|夫人|同志|老师|博士|教授|医生|律师|经理|总经理|总监|主任|董事长)+$"
)


def person(value, argument=None):
    """A person's name without titles, the given name first: Dr. Smith, John.

    王伟先生 is 王伟; a surname with a title only (王先生) stays, there is no better
    name. ``argument``: as for ``name``.
    """
    result = name(value, argument)
    if result is None:
        return None
    bare = _HAN_TITLE.sub("", result)
    if is_han(bare):
        enough = len(bare) > 1 and bare not in COMPOUND_SURNAMES
        return bare if enough else result
    bare = _WESTERN_TITLE.sub("", result).strip(" ,")
    if bare.count(",") == 1:
        given, surname = split_name(bare)
        bare = join_name(given, surname) or bare
        bare = _WESTERN_TITLE.sub("", bare).strip(" ,")
    return bare or result


def company(value, argument=None):
    """A company's name without its legal form, to compare by: see ``companies``."""
    result = name(value)
    return result and fold_company(result)


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
    *given, surname = full.split(" ")
    while len(given) > 1 and given[-1].casefold() in _PARTICLES and given[-1].islower():
        surname = f"{given.pop()} {surname}"
    return (" ".join(given), surname) if given else (surname, None)


# --- TELEPHONE, E-MAIL ---

_PHONE_NOISE = re.compile(r"[\s\u00a0.·・\-‐‑‒–—―－_/（）()\[\]]+")
_MAINLAND_MOBILE = re.compile(r"1[3-9]\d{9}")
_EXTENSION = re.compile(
    r"(?:;?ext(?:ension|n)?|转|轉|分机|分機|x|#|,)[.:：=]?\d{1,6}$", re.IGNORECASE
)
# 021-65529988-8001, as switchboards are written
_DASH_EXTENSION = re.compile(r"^(.*\d{7,})[-－—]\d{1,6}$")


@lru_cache(maxsize=4096)
def _e164(raw, country):
    number = _read_number(raw, country)
    if number is None and (switchboard := _DASH_EXTENSION.match(raw)):
        number = _read_number(switchboard[1], country)
    if number is None:
        raise BadValue("bad_phone", value=shown(raw))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _read_number(raw, country):
    digits = unicodedata.normalize("NFKC", raw)
    digits = re.sub(r"^tel:", "", digits.strip(), flags=re.IGNORECASE)
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
    return number


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
    address = re.sub(r"^mailto:", "", address, flags=re.IGNORECASE).lower()
    # what followed it in a list or a sentence
    address = address.strip().rstrip(",;.。、")
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
        raise BadValue("bad_email", value=shown(raw))
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


def normal_phone(value, country):
    """The number as :func:`phone` gives it, or None for what is none.

    :param value: as typed
    :param country: of a national number, as ISO 3166 alpha-2, or None
    """
    try:
        return phone(value, country)
    except BadValue:
        return None


# --- CLOSED LISTS ---

_GENDERS = {
    "male": "1 m male man mr boy herr 男 男性 先生 男士 男生 ♂",
    "female": "2 f female woman ms mrs miss girl frau 女 女性 女士 小姐 女生 ♀",
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
        raise BadValue("bad_gender", value=shown(raw))
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
        raise BadValue("unknown_country", value=shown(raw))
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
        raise BadValue("unknown_language", value=shown(raw))
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


def _place(find, value):
    result = line(value)
    if result is None:
        return None
    found = find(result)
    if found is None:
        raise BadValue("unknown_place", value=shown(result))
    return found


def province(value, argument=None):
    """A mainland province by its official name: 广东, Guangdong, out of an address."""
    return _place(addresses.find_province, value)


def city(value, argument=None):
    """A mainland city by its official name: 深圳, or out of an address."""
    return _place(addresses.find_city, value)


def district(value, argument=None):
    """The district of a mainland address; None if it names none."""
    result = line(value)
    return result and addresses.find_district(result)


def street(value, argument=None):
    """A mainland address without province, city and district."""
    result = line(value)
    return result and (addresses.strip_divisions(result) or None)


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
            raise BadValue("bad_website", value=shown(result))
    elif "." not in result:
        raise BadValue("bad_website", value=shown(result))
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
        raise BadValue("too_long", limit=255, value=shown(result))
    if "\x00" in result:
        raise BadValue("not_text", value=shown(result.replace("\x00", "")))
    return result


#: code -> function; the codes stand in mapping lines
NORMALISERS = {
    "text": text,
    "line": line,
    "halfwidth": halfwidth,
    "simplified": simplified,
    "traditional": traditional,
    "name": name,
    "person": person,
    "company": company,
    "phone": phone,
    "email": email,
    "date": day,
    "gender": gender,
    "amount": amount,
    "currency": currency,
    "country": country,
    "province": province,
    "city": city,
    "district": district,
    "street": street,
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
