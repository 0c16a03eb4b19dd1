"""From a customer's values to what is compared: folded texts, name parts, keys.

Folding loses what writing habits change (case, accents, width, traditional signs,
legal forms of companies, order of name parts) and keeps what tells people apart. The
result holds texts or None, never an empty text.

Sources: Unicode annex 15 (NFKD), OpenCC's table of traditional signs, Hanyu Pinyin
without tones (pypinyin).
"""

import re
import unicodedata
from functools import lru_cache

from .blocked import is_blocked
from .normalisers import BadValue, day, is_han, join_name, split_name
from .normalisers import email as clean_email
from .normalisers import phone as clean_phone
from .numerals import read_number
from .scripts import to_simplified

#: columns of a raw record; all texts, any may be missing or None
COLUMNS = (
    "name",
    "given",
    "family",
    "email",
    "phone",
    "street",
    "street2",
    "city",
    "zip",
    "state",
    "country",
    "birthdate",
    "gender",
    "company",
    "vat",
    "website",
)
#: columns of a prepared record
PREPARED = (
    "name",
    "words",
    "given",
    "family",
    "initial",
    "low",
    "high",
    "stems",
    "town",
    "numbers",
    "email",
    "email_user",
    "email_digits",
    "domain",
    "phone",
    "phone_tail",
    "phone_end",
    "street",
    "street_words",
    "house",
    "road",
    "building",
    "city",
    "zip",
    "state",
    "birthdate",
    "birth_swapped",
    "birth_day",
    "year",
    "gender",
    "employer",
    "vat",
)
_FREE_HOSTS = """
    126.com 139.com 163.com 189.cn aliyun.com aol.com foxmail.com gmail.com gmx.de
    gmx.net googlemail.com hotmail.com icloud.com live.com mail.com mail.ru me.com
    msn.com outlook.com proton.me protonmail.com qq.com sina.cn sina.com sohu.com
    tom.com vip.163.com vip.qq.com web.de yahoo.com yahoo.com.cn yandex.ru yeah.net
"""
#: e-mail hosts of private people: a common domain says nothing
FREE_HOSTS = frozenset(_FREE_HOSTS.split())
#: dates that forms put in for "unknown"
NO_DATES = frozenset({"1900-01-01", "1970-01-01", "1899-12-30", "1800-01-01"})

_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+")
_WORD = re.compile(r"[^\W_]+")
_NOT_DIGIT = re.compile(r"\D")
_SITE = re.compile(r"^(?:https?://)?(?:www\.)?|[/?#].*$")
_NUMBER = re.compile(r"\d+")
_HAN_LEGAL = re.compile(
    r"(?:股份)?有限(?:责任)?公司|股份公司|有限合伙|普通合伙|個人獨資|个人独资|总公司|分公司"
    r"|公司|集团|企业|株式会社|[㈱㈲]"
)
#: a town before the name proper
_TOWN = re.compile(
    r"^(?:中国|北京|上海|天津|重庆|广东|浙江|江苏|山东|河南|四川|湖北|湖南|福建|安徽|河北"
    r"|陕西|辽宁|云南|广西|江西|山西|贵州|吉林|黑龙江|海南|甘肃|新疆|内蒙古|宁夏|青海"
    r"|西藏|香港|澳门|台湾|广州|深圳|杭州|南京|苏州|成都|武汉|西安|青岛|宁波|厦门|无锡"
    r"|佛山|东莞|长沙|郑州|大连|合肥|济南|福州|昆明|乌鲁木齐)[省市]?"
)
#: which of several: 第三, 五号, 十二店
_ORDINAL = re.compile(
    r"(?<=第)[一二三四五六七八九十百]+|[一二三四五六七八九十百]+(?=[号店厂院校中队分支])"
)
_PLACE_TYPE = re.compile(r"(?:[省市县区]|自治区|特别行政区)$")
_LEGAL_FORMS = """
    ab ag as bhd bv co company corp corporation gmbh group holding holdings inc
    incorporated kg kgaa kk limited llc llp ltd mbh nv oy plc pte pty sa sarl sas sdn
    se spa srl the
"""
_LEGAL = frozenset(_LEGAL_FORMS.split())
_STREET = {
    "apartment": "apt",
    "avenue": "ave",
    "boulevard": "blvd",
    "circuit": "cct",
    "close": "cl",
    "court": "ct",
    "crescent": "cres",
    "drive": "dr",
    "highway": "hwy",
    "lane": "ln",
    "place": "pl",
    "road": "rd",
    "square": "sq",
    "street": "st",
    "terrace": "tce",
}


@lru_cache(maxsize=65536)
def fold(text):
    """Return a text without case, accents, width and traditional signs."""
    text = unicodedata.normalize("NFKD", text).casefold()
    if text.isascii():
        return text
    text = "".join(sign for sign in text if not unicodedata.combining(sign))
    text = unicodedata.normalize("NFC", text)
    return to_simplified(text)


@lru_cache(maxsize=65536)
def pinyin(text):
    """Return Chinese signs as pinyin without tones; everything else as it is."""
    if text.isascii():
        return text
    # here: its dictionary takes a while to read, and many records need none
    from pypinyin import Style, lazy_pinyin

    return "".join(lazy_pinyin(text, style=Style.NORMAL, errors=lambda part: part))


def _or_none(text):
    return text or None


def _words(text):
    return _WORD.findall(text)


def stem(name):
    """Return a company's folded name without its legal form (有限公司, Ltd)."""
    folded = fold(name)
    if _HAN.search(folded):
        bare = _HAN_LEGAL.sub("", folded)
        return "".join(_words(bare)) or "".join(_words(folded))
    words = _words(folded.replace(".", "").replace("'", ""))
    return " ".join([word for word in words if word not in _LEGAL] or words)


def is_company_name(name):
    """Tell whether a name has a legal form, as only companies have."""
    folded = fold(name or "")
    if _HAN.search(folded):
        return bool(_HAN_LEGAL.search(folded)) and len(folded) > 4
    return bool({"gmbh", "inc", "llc", "ltd", "limited", "plc"} & {*_words(folded)})


@lru_cache(maxsize=65536)
def _name_parts(full):
    """Return ``(name, words, given, family)`` of a folded person's name."""
    bare = "".join(_words(full)) if _HAN.search(full) else " ".join(_words(full))
    if is_han(bare):
        given, family = split_name(bare)
        given, family = pinyin(given), family and pinyin(family)
    else:
        parts = pinyin(bare).split()
        if not parts:
            return None, None, None, None
        given = " ".join(parts[:-1]) or parts[0]
        family = parts[-1] if len(parts) > 1 else None
    words = " ".join(sorted(f"{given} {family or ''}".split()))
    return bare, words, given, family


def _person_name(row):
    given, family = row.get("given"), row.get("family")
    full = join_name(given, family) if given and family else row.get("name")
    full = full or given or family
    if not full:
        return None, None, None, None
    if not is_han(full) and "," in full:
        given, family = split_name(full)
        full = join_name(given, family) or full
    return _name_parts(fold(full).replace("'", "").replace("’", ""))


def _ends(words):
    """The first and the last word of a name in the order of the letters, whichever is
    the given name, and how both begin: a typing error stands further on."""
    parts = (words or "").split()
    stems = " ".join(part[:3] for part in (parts[:1] + parts[1:][-1:]))
    return {
        "low": parts[0] if parts else None,
        "high": parts[-1] if len(parts) > 1 else None,
        "stems": stems if len(parts) > 1 else None,
    }


def _person(row):
    name, words, given, family = _person_name(row)
    return {
        "name": name,
        "words": words,
        "given": given,
        "family": family,
        "town": None,
        "numbers": None,
        **_ends(words),
    }


def _company(row):
    """The name proper stands as the given name: without legal form and without the
    town, which the address tells; numbers tell one branch or factory from another."""
    name = stem(row["name"]) if row.get("name") else None
    if not name:
        empty = ("name", "words", "given", "family", "town", "numbers")
        return {**dict.fromkeys(empty), **_ends(None)}
    town, brand = _town(name, row)
    letters = pinyin(brand)
    numbers = _NUMBER.findall(name)
    numbers += [str(read_number(found)) for found in _ORDINAL.findall(name)]
    han = _HAN.search(brand)
    return {
        "name": name,
        "words": " ".join(sorted(pinyin(name).split())),
        "given": letters,
        "family": None,
        "town": town,
        # none is as good as a number: the one shop is not the second
        "numbers": " ".join(numbers) or "-",
        **(
            {"low": pinyin(brand[:2]), "high": None, "stems": None}
            if han
            else _ends(brand)
        ),
    }


def _town(name, row):
    """Return ``(town, name without it)`` of a company's folded name: the record's own
    town or province, or a well-known one before a Chinese name."""
    for key in ("city", "state"):
        place = _PLACE_TYPE.sub("", fold(row.get(key) or ""))
        if len(place) > 1 and place in name:
            rest = " ".join(name.replace(place, " ", 1).split())
            rest = rest.replace(" ", "") if _HAN.search(rest) else rest
            if len(rest) > 1:
                return place, rest
    found = _TOWN.match(name) if _HAN.search(name) else None
    rest = name[found.end() :] if found else ""
    if not rest:
        return None, name
    return _PLACE_TYPE.sub("", found.group()), rest


def _clean(function, value, argument=None):
    """The clean value of a normaliser; what cannot be read says nothing."""
    if not value:
        return None
    try:
        return function(value, argument)
    except BadValue:
        return None


@lru_cache(maxsize=65536)
def _street(line):
    folded = fold(line)
    if _HAN.search(folded):
        return "".join(_words(folded))
    return " ".join(_STREET.get(word, word) for word in _words(folded))


def _address(row):
    street = _street(row.get("street") or "")
    second = _street(row.get("street2") or "")
    number = _NUMBER.search(street)
    return {
        "street": _or_none(street or second),
        "street_words": _or_none(" ".join(sorted(f"{street} {second}".split()))),
        "house": number and number.group(),
        # the road itself, however its name is parted
        "building": _or_none(second.replace(" ", "")),
        "road": _or_none(_NUMBER.sub("", street).replace(" ", "")),
        "city": _or_none(" ".join(_words(fold(row.get("city") or "")))),
        "zip": _or_none("".join(_words(fold(row.get("zip") or "")))),
        "state": _or_none(fold(row.get("state") or "")),
    }


def _email(value):
    """An address, with its typing errors if it is none."""
    if not value or is_blocked(value, "email"):
        return None
    try:
        return clean_email(value)
    except BadValue:
        return _or_none(fold(value).replace(" ", ""))


def _birth(row):
    value = _clean(day, row.get("birthdate"), "dmy")
    if value is None or value in NO_DATES:
        return dict.fromkeys(("birthdate", "birth_swapped", "birth_day", "year"))
    year, month, number = value.split("-")
    return {
        "birthdate": value,
        "birth_swapped": f"{year}-{number}-{month}",
        "birth_day": f"{month}-{number}",
        "year": int(year),
    }


def prepare(row, company=False):
    """Return what is compared of a record, a dict with the keys of :data:`PREPARED`.

    :param row: mapping with keys of :data:`COLUMNS`, texts or None
    :param bool company: whether it is a company's record
    """
    row = {key: value.strip() if value else None for key, value in row.items()}
    named = _company(row) if company else _person(row)
    mail = _email(row.get("email"))
    user, _at, host = (mail or "").partition("@")
    site = _SITE.sub("", fold(row.get("website") or ""))
    number = _clean(clean_phone, row.get("phone"), row.get("country"))
    digits = _NOT_DIGIT.sub("", number or row.get("phone") or "")
    digits = digits if 6 <= len(digits) <= 15 else ""
    return {
        **named,
        "initial": named["given"] and named["given"][0],
        "email": mail,
        # a name before the @, not one of the offices of a company
        "email_user": user if len(user) >= 5 else None,
        # people of a series (shop01@, shop02@) are several
        "email_digits": mail and (_NOT_DIGIT.sub("", mail) or "-"),
        "domain": _or_none(site or (host if host not in FREE_HOSTS else "")),
        "phone": _or_none(digits),
        "phone_tail": digits[-8:] if len(digits) >= 8 else None,
        # extensions of one office differ at the end
        "phone_end": digits[-2:] or None,
        **_address(row),
        **_birth(row),
        "gender": _or_none(fold(row.get("gender") or "")),
        "employer": None if company else _or_none(stem(row.get("company") or "")),
        "vat": _or_none("".join(_words(fold(row.get("vat") or "")))),
    }
