"""The names of companies, without what only tells their legal form.

Sources: the Company Law of the People's Republic of China (art. 7), the rules for
company names (order 82 of the SAMR); GLEIF's list of legal forms (ISO 20275).
"""

import re
import unicodedata

from .addresses import split_address
from .scripts import to_simplified

_HAN_FORMS = (
    "股份有限责任公司",
    "有限责任公司",
    "股份有限公司",
    "集团有限公司",
    "控股有限公司",
    "股份公司",
    "集团公司",
    "有限合伙企业",
    "普通合伙企业",
    "合伙企业",
    "个人独资企业",
    "株式会社",
    "有限会社",
    "有限公司",
    "公司",
    "集团",
    "控股",
)
_WESTERN_FORMS = (
    r"co\.?,? ?ltd",
    r"company limited",
    r"pte\.? ?ltd",
    r"pty\.? ?ltd",
    r"pvt\.? ?ltd",
    r"private limited",
    r"gmbh ?& ?co\.? ?kga?",
    r"gmbh",
    r"mbh",
    r"ag ?& ?co\.? ?kga?",
    r"ag",
    r"kgaa",
    r"kg",
    r"ohg",
    r"e\.? ?k",
    r"ug",
    r"se",
    r"limited",
    r"ltd",
    r"incorporated",
    r"inc",
    r"corporation",
    r"corp",
    r"company",
    r"co",
    r"l\.? ?l\.? ?c",
    r"l\.? ?l\.? ?p",
    r"l\.? ?p",
    r"plc",
    r"s\.? ?a\.? ?r\.? ?l",
    r"s\.? ?a\.? ?s",
    r"s\.? ?a",
    r"s\.? ?r\.? ?l",
    r"s\.? ?p\.? ?a",
    r"s\.? ?l",
    r"b\.? ?v",
    r"n\.? ?v",
    r"a/s",
    r"aps",
    r"as",
    r"ab",
    r"oyj?",
    r"k\.? ?k",
    r"sdn\.? ?bhd",
    r"bhd",
    r"group",
    r"holdings?",
)
_WESTERN = re.compile(rf"[\s,]+(?:{'|'.join(_WESTERN_FORMS)})\.?$")
_BRACKETS = re.compile(r"[(（\[【]([^()（）\[\]【】]*)[)）\]】]")
_HAN_SPACES = re.compile(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])")
_IN_BRACKETS = frozenset(
    ("", "中国", "大中华区", "亚太", "集团", "控股", "有限合伙", "普通合伙", "个人独资")
)
_COUNTRIES = frozenset(
    ("china", "hong kong", "hk", "prc", "中国", "香港", "澳门", "台湾")
)


def fold_company(name):
    """Return what two spellings of one company have in common.

    Case, width and script are folded; legal forms at the end, and brackets that hold a
    form or a place, are left out: 西门子（中国）有限公司 and 西門子 give 西门子.

    :param str name: any name; one that is nothing but a legal form stays
    """
    folded = to_simplified(unicodedata.normalize("NFKC", name)).casefold()
    folded = " ".join(_BRACKETS.sub(_bracket, folded).split())
    folded = _HAN_SPACES.sub("", folded)
    folded = re.sub(r"^(?:株式会社|有限会社)\s*", "", folded)
    while True:
        shorter = _without_form(folded)
        if not shorter or shorter == folded:
            return folded
        folded = shorter


def _bracket(match):
    inside = match.group(1).strip()
    if inside in _IN_BRACKETS or inside in _COUNTRIES:
        return " "
    place = split_address(inside)
    if place.province and not place.rest:
        return " "
    return match.group()


def _without_form(name):
    for form in _HAN_FORMS:
        if name.endswith(form):
            return name.removesuffix(form).rstrip(" ,.，、")
    return _WESTERN.sub("", name).rstrip(" ,.&")
