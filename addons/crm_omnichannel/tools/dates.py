"""Dates in the forms of ISO 8601, of Chinese writing, of spreadsheets, of the West.

Sources: ISO 8601-1, GB/T 7408, the 1900 date system of ECMA-376 (18.17.4.1), the
calendar of the Republic of China (year 1 = 1912).
"""

import re
import unicodedata
from datetime import date, datetime, timedelta

from .blocked import is_blocked
from .numerals import SIGNS, read_number
from .values import BadValue, as_text, shown

ORDERS = ("ymd", "dmy", "mdy")
# 1900 is no leap year, but Excel's serials count its 29 February
_SERIAL_EPOCH = date(1899, 12, 30)
#: serials that are dates: from 1927 on, so that no year or small number is one
_SERIALS = range(10_000, 80_000)
# strptime's %y: 69 to 99 are of the last century
_PIVOT = 69

# a time, a zone or the day of the week behind a date is left out
_REST = r"(?:[T ].*|星期.|周.|[（(].*)?"
_YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})" + _REST
)
_COMPACT = re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:T.*)?")
_HAN = re.compile(
    r"(?P<era>民国|民國|中華民國|中华民国)?(?P<y>\d{1,4})年(?P<m>\d{1,2})月(?P<d>\d{1,2})"
    r"(?:[日号號](?:\d{1,2}[:时時点點].*)?)?" + _REST
)
_ERA = re.compile(
    r"(?:民国|民國|中華民國|中华民国)(\d{1,3})[-/.](\d{1,2})[-/.](\d{1,2})"
)
_WEEK = re.compile(r"(\d{4})-?W(\d{2})-?([1-7])")
_ORDINAL = re.compile(r"(\d{4})-(\d{3})")
_THREE = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?: .*)?")
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
_NAMED_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]+)\.?[ ,-]+(\d{4})")
_MONTH_FIRST = re.compile(r"([a-z]+)\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_NUMERALS = re.compile(rf"[{SIGNS}]+(?=[年月日号號])")


def day(value, argument=None):
    """A date as ``YYYY-MM-DD``: ISO, 2024年3月5日, 民国113年3月5日, 24/3/5, 45356.

    A form with several readings (02/01/1990, 24/03/05) is read by ``argument``, one of
    ``ORDERS``, else it raises ``ambiguous_date``; 13/01/1990 has one reading and needs
    none. A number from 10,000 to 79,999 is a spreadsheet's serial.
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
    found = _read(given, argument, raw)
    if found is None or not 1800 <= found.year <= 2200:
        raise BadValue("bad_date", value=shown(raw))
    return found.isoformat()


def _read(given, order, raw):
    """Return the date of a text, or None if it is none."""
    if given.isdigit() and int(given) in _SERIALS:
        return _SERIAL_EPOCH + timedelta(days=int(given))
    for reader in (_read_han, _read_iso, _read_named):
        found = reader(given)
        if found:
            return _date(*found)
    match = _THREE.fullmatch(given)
    return _read_three(match[1], match[3], match[4], order, raw) if match else None


def _date(year, month, day_of_month):
    try:
        return date(int(year), int(month), int(day_of_month))
    except ValueError:
        return None


def _full_year(year):
    """A year of two digits within 1969 to 2068."""
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= _PIVOT else 2000
    return number


def _read_han(given):
    """Return ``(year, month, day)`` of a date with 年月日, or of the Republic's era."""
    match = _ERA.match(given)
    if match:
        return int(match[1]) + 1911, match[2], match[3]
    if "年" not in given:
        return None
    text = re.sub(r"\s*([年月日号號])\s*", r"\1", given).replace("元年", "1年")
    text = _NUMERALS.sub(lambda found: str(read_number(found.group())), text)
    match = _HAN.fullmatch(text)
    if not match:
        return None
    year = int(match["y"]) + 1911 if match["era"] else _full_year(match["y"])
    return year, match["m"], match["d"]


def _read_iso(given):
    for form in (_YEAR_FIRST, _COMPACT):
        match = form.fullmatch(given)
        if match:
            return match["y"], match["m"], match["d"]
    match = _WEEK.fullmatch(given)
    if match:
        try:
            found = date.fromisocalendar(*map(int, match.groups()))
        except ValueError:
            return None
        return found.year, found.month, found.day
    match = _ORDINAL.fullmatch(given)
    if match and 1 <= int(match[2]) <= 366:
        found = date(int(match[1]), 1, 1) + timedelta(days=int(match[2]) - 1)
        if found.year == int(match[1]):
            return found.year, found.month, found.day
    return None


def _read_named(given):
    lowered = given.lower()
    match = _NAMED_MONTH.fullmatch(lowered)
    if match and match[2] in _MONTHS:
        return match[3], _MONTHS[match[2]], match[1]
    match = _MONTH_FIRST.fullmatch(lowered)
    if match and match[1] in _MONTHS:
        return match[3], _MONTHS[match[1]], match[2]
    return None


def _read_three(first, second, third, order, raw):
    """Read three numbers whose order is open; a year has two digits or four."""
    readings = {
        "ymd": (first, second, third),
        "dmy": (third, second, first),
        "mdy": (third, first, second),
    }
    found = {}
    for name, (year, month, day_of_month) in readings.items():
        if len(year) in (2, 4) and len(month) <= 2 and len(day_of_month) <= 2:
            read = _date(_full_year(year), month, day_of_month)
            if read:
                found[name] = read
    if order in ORDERS:
        return found.get(order)
    if len(set(found.values())) > 1:
        raise BadValue("ambiguous_date", value=shown(raw))
    return next(iter(found.values()), None)
