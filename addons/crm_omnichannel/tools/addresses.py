"""Mainland addresses: province, city and district split from the rest.

Source of the names: GB/T 2260, in ``data/divisions.tsv``; of the English ones:
ISO 3166-2:CN.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .scripts import to_simplified

_DATA = Path(__file__).parent / "data" / "divisions.tsv"
_MUNICIPALITIES = ("11", "12", "31", "50")
_COUNTRY = re.compile(r"[\s,，]*(?:中国|中华人民共和国|China)[\s,，]*", re.IGNORECASE)
_BETWEEN = " \t\n,，、/·-|"
_PEOPLES = (
    "朝鲜|土家|苗|藏|羌|彝|布依|侗|哈尼|壮|傣|白|景颇|傈僳|回|蒙古|哈萨克|柯尔克孜"
)
_PROVINCE_TYPE = re.compile(r"(?:壮族|回族|维吾尔)?自治区$|省$|市$")
_CITY_TYPE = re.compile(rf"(?:(?:{_PEOPLES})族?)+自治州$|市$|地区$|盟$")
# what makes 南京 a street: 南京路, 南京西路, 南京大道
_STREET = re.compile(
    r"[东西南北中大]?(?:[一二三四五六七八九十]|环)?[路街道巷弄里镇乡村]"
)
_ENGLISH_TYPE = re.compile(r"\b(?:province|municipality|autonomous region|sheng|shi)\b")
_ENGLISH = {
    "beijing": "11",
    "tianjin": "12",
    "hebei": "13",
    "shanxi": "14",
    "inner mongolia": "15",
    "nei mongol": "15",
    "liaoning": "21",
    "jilin": "22",
    "heilongjiang": "23",
    "shanghai": "31",
    "jiangsu": "32",
    "zhejiang": "33",
    "anhui": "34",
    "fujian": "35",
    "jiangxi": "36",
    "shandong": "37",
    "henan": "41",
    "hubei": "42",
    "hunan": "43",
    "guangdong": "44",
    "guangxi": "45",
    "hainan": "46",
    "chongqing": "50",
    "sichuan": "51",
    "guizhou": "52",
    "yunnan": "53",
    "tibet": "54",
    "xizang": "54",
    "shaanxi": "61",
    "gansu": "62",
    "qinghai": "63",
    "ningxia": "64",
    "xinjiang": "65",
}


class Address(NamedTuple):
    """The full official names, None for what is not there, and what follows."""

    province: "str | None"
    city: "str | None"
    district: "str | None"
    rest: str


class _Divisions(NamedTuple):
    """Codes by name: two digits a province, four a city, six a district."""

    names: dict
    provinces: dict
    short_provinces: dict
    cities: dict
    short_cities: dict
    districts: dict


@lru_cache(maxsize=1)
def _divisions():
    names, provinces, cities, districts = {}, {}, {}, {}
    for line in _DATA.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        code, name = line.split("\t")
        if code.endswith("0000"):
            names[code[:2]] = name
            provinces[name] = code[:2]
        elif code.endswith("00"):
            if code[:2] not in _MUNICIPALITIES:
                names[code[:4]] = name
                cities[name] = code[:4]
        else:
            names[code] = name
            districts.setdefault(name, []).append(code)
    short_provinces = {
        _PROVINCE_TYPE.sub("", name): code for name, code in provinces.items()
    }
    short_cities = {_CITY_TYPE.sub("", name): code for name, code in cities.items()}
    return _Divisions(
        names, provinces, short_provinces, cities, short_cities, districts
    )


def split_address(text):
    """Return the :class:`Address` of a text.

    Short forms (广东深圳) count where they cannot be a street's name: at the end, or
    before a part of the division. A city or district that stands alone tells the
    province if its name is unique.

    :param str text: one line; traditional signs are read, ``rest`` keeps its own
    """
    simple = to_simplified(text)
    if len(simple) != len(text):
        simple = text
    start = _COUNTRY.match(simple)
    position = start.end() if start else 0
    found = _Parser(simple)
    position = found.parse(position)
    return Address(
        found.name(found.province),
        found.name(found.city),
        found.name(found.district),
        text[position:].strip(_BETWEEN) if position else text.strip(),
    )


class _Parser:
    """One walk over a text."""

    def __init__(self, text):
        self.text = text
        self.known = _divisions()
        self.province = self.city = self.district = None

    def name(self, code):
        return self.known.names[code] if code else None

    def parse(self, position):
        """Read the divisions from a position on; return where the rest begins."""
        self.province, position = self._province(position)
        if self.province in _MUNICIPALITIES:
            position = self._repeated(position)
        else:
            self.city, position = self._city(position, self.province)
            self.province = self.province or (self.city and self.city[:2])
        self.district, position = self._district(position, self.city or self.province)
        self._complete()
        return position

    def _complete(self):
        """Fill in what the smaller division tells of the larger ones."""
        if self.district:
            self.province = self.district[:2]
            if self.district[:4] in self.known.names:
                self.city = self.district[:4]
            elif self.province not in _MUNICIPALITIES:
                # a county-level city directly below its province
                self.city, self.district = self.district, None
        if self.province in _MUNICIPALITIES:
            self.city = self.province

    # --- LEVELS ---

    def _province(self, position):
        size = self._longest(position, self.known.provinces)
        if size:
            code = self.known.provinces[self.text[position : position + size]]
            return code, self._skip(position + size)
        size = self._longest(position, self.known.short_provinces)
        if size:
            code = self.known.short_provinces[self.text[position : position + size]]
            after = self._skip(position + size)
            if (
                after == len(self.text)
                or self._city(after, code)[0]
                or self._district(after, code)[0]
            ):
                return code, after
        return None, position

    def _repeated(self, position):
        """上海市上海市, 北京市市辖区."""
        for name in (self.name(self.province), "市辖区"):
            if self.text.startswith(name, position):
                position = self._skip(position + len(name))
        return position

    def _city(self, position, province):
        size = self._longest(position, self.known.cities)
        if size:
            code = self.known.cities[self.text[position : position + size]]
            if not province or code.startswith(province):
                return code, self._skip(position + size)
        size = self._longest(position, self.known.short_cities)
        if not size:
            return None, position
        code = self.known.short_cities[self.text[position : position + size]]
        after = self._skip(position + size)
        certain = after == len(self.text) or self._district(after, code, True)[0]
        if province:
            certain = code.startswith(province) and (
                certain or not _STREET.match(self.text, after)
            )
        return (code, after) if certain else (None, position)

    def _district(self, position, within, full=False):
        """Return the district of a city or province, or one whose name is unique.

        :param bool full: its full name only, not the short one that ends the text
        """
        size = self._longest(position, self.known.districts)
        if size:
            code = self._only(self.text[position : position + size], within)
            if code:
                return code, self._skip(position + size)
        rest = self.text[position:].strip(_BETWEEN)
        if within and not full and len(rest) > 1:
            for kind in "区县市旗":
                code = self._only(rest + kind, within)
                if code:
                    return code, len(self.text)
        return None, position

    def _only(self, name, within):
        codes = self.known.districts.get(name, ())
        codes = [code for code in codes if code.startswith(within or "")]
        return codes[0] if len(codes) == 1 else None

    # --- TEXT ---

    def _longest(self, position, table):
        """Return the length of the longest name that stands at a position, or 0."""
        for size in range(min(15, len(self.text) - position), 1, -1):
            if self.text[position : position + size] in table:
                return size
        return 0

    def _skip(self, position):
        while position < len(self.text) and self.text[position] in _BETWEEN:
            position += 1
        return position


def find_province(text):
    """Return the official name of a province by any usual name, or None."""
    folded = re.sub(
        r"\b(?:province|municipality|autonomous region|sheng|shi)\b",
        "",
        text.casefold(),
    )
    code = _ENGLISH.get(" ".join(folded.split()))
    return _divisions().names[code] if code else split_address(text).province


def find_city(text):
    """Return the official name of a city, by itself or in an address, or None."""
    known = _divisions()
    code = known.short_cities.get(to_simplified(text))
    # 吉林 alone is a province and a city: who asks for a city means the city
    return known.names[code] if code else split_address(text).city


def find_district(text):
    """Return the full name of a district, by itself or in an address, or None."""
    if to_simplified(text) in _divisions().districts:
        return to_simplified(text)
    return split_address(text).district


def strip_divisions(text):
    """Return an address without its divisions."""
    while True:
        rest = split_address(text).rest
        if rest == text:
            return rest
        text = rest
