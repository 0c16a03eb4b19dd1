"""From a sender's record to the values of a customer, line by line.

A line takes a value by a JMESPath expression, cleans it with a normaliser and gives it
to a target. Several lines may have one target: the first with a value wins. A value
that cannot be read is an error (the record is parked) or, where the line says so, a
note (the record goes on without it).

Source of the expressions: JMESPath's specification (jmespath.org).
"""

import json
import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

import jmespath
from jmespath.exceptions import JMESPathError

from .normalisers import NORMALISERS, BadValue, join_name

#: target -> the normaliser a line has by default
TARGETS = {
    "name": "name",
    "given_name": "name",
    "surname": "name",
    "company_name": "name",
    "email": "email",
    "phone": "phone",
    "street": "line",
    "street2": "line",
    "city": "line",
    "zip": "postcode",
    "state": "line",
    "country": "country",
    "birthdate": "date",
    "gender": "gender",
    "function": "line",
    "website": "website",
    "lang": "language",
    "ref": "line",
    "tags": "tags",
}
#: identifiers beside external id, e-mail and telephone, as ``id:<kind>``
IDENTIFIER_KINDS = (
    "unionid",
    "openid",
    "external_userid",
    "open_id",
    "user_id",
    "anonymous_id",
    "device",
)
TARGETS.update({f"id:{kind}": "identifier" for kind in IDENTIFIER_KINDS})
_NAME_PARTS = ("given_name", "surname")


@dataclass(frozen=True)
class Line:
    """One mapping line. ``on_error``: ``park`` (default) or ``skip``."""

    source: str
    target: str
    normaliser: str = ""
    argument: str = ""
    required: bool = False
    on_error: str = "park"


@dataclass
class MappedRecord:
    """What a record says of a customer.

    ``values`` target -> clean value, ``identifiers`` list of ``(kind, value)`` without
    the external id, ``tags`` list of labels, ``errors`` and ``notes`` lists of
    ``(code, params)``.
    """

    values: dict = field(default_factory=dict)
    identifiers: list = field(default_factory=list)
    tags: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    notes: list = field(default_factory=list)


# --- PATHS ---


def _alternatives(node):
    """Return the names of ``a || b || c``, or None if anything else is in it."""
    if node["type"] == "field":
        return [node["value"]]
    if node["type"] != "or_expression":
        return None
    found = [_alternatives(child) for child in node["children"]]
    return None if None in found else [name for names in found for name in names]


def _first_of(names):
    *others, last = names

    def first(data):
        if not isinstance(data, dict):
            return None
        for name in others:
            found = data.get(name)
            if found is None or found is False or found in ("", [], {}):
                continue
            return found
        return data.get(last)

    return first


def _quick(node):
    """Return a function for the simple expressions, or None.

    ``a``, ``a.b``, ``a || b`` and literals are nearly all that mappings hold; the
    interpreter of jmespath takes ten times as long over them.
    """
    kind, children = node["type"], node["children"]
    if kind == "field":
        key = node["value"]
        return lambda data: data.get(key) if isinstance(data, dict) else None
    if kind == "literal":
        literal = node["value"]
        return lambda data: literal
    if kind == "or_expression":
        names = _alternatives(node)
        if names:
            return _first_of(names)
    parts = [_quick(child) for child in children]
    if not parts or None in parts:
        return None
    if kind == "or_expression":
        left, right = parts

        def either(data):
            found = left(data)
            empty = found is None or found is False
            return right(data) if empty or found in ("", [], {}) else found

        return either
    if kind == "subexpression":

        def walk(data):
            for part in parts:
                data = part(data)
                if data is None:
                    return None
            return data

        return walk
    return None


@lru_cache(maxsize=2048)
def compile_path(expression):
    """Return the function of a JMESPath expression: document -> value.

    :raises BadValue: ``bad_source`` if it is no expression, and the function itself if
        it cannot be evaluated on a document.
    """
    try:
        compiled = jmespath.compile(expression)
    except JMESPathError as error:
        raise BadValue("bad_source", source=expression) from error
    quick = _quick(compiled.parsed)
    if quick:
        return quick

    def search(data):
        try:
            return compiled.search(data)
        except (JMESPathError, TypeError, ValueError, AttributeError) as error:
            raise BadValue("bad_source", source=expression) from error

    return search


# --- APPLY ---


def map_line(payload, line, default_country=None):
    """Return ``(value as sent, clean value)`` of one line.

    :raises BadValue: the value cannot be read.
    """
    raw = compile_path(line.source)(payload)
    normaliser = line.normaliser or TARGETS[line.target]
    line_argument = line.argument or (default_country if normaliser == "phone" else "")
    return raw, NORMALISERS[normaliser](raw, line_argument)


def _compose_name(values):
    given, surname = (values.pop(part, None) for part in _NAME_PARTS)
    if not values.get("name"):
        joined = join_name(given, surname)
        if joined:
            values["name"] = joined


def apply_mapping(payload, lines, default_country=None):
    """Return the :class:`MappedRecord` of a payload.

    :param dict payload: the sender's record
    :param lines: :class:`Line` in their order
    :param str default_country: ISO code for telephone numbers in national form
    """
    record = MappedRecord()
    values = record.values
    for line in lines:
        target = line.target
        if target in values:
            continue
        try:
            value = map_line(payload, line, default_country)[1]
        except BadValue as error:
            problem = (error.code, {"target": target, **error.params})
            skipped = line.on_error == "skip" and not line.required
            (record.notes if skipped else record.errors).append(problem)
            continue
        if value is not None:
            values[target] = value
    _compose_name(values)
    for line in lines:
        if line.required and not _has_target(values, line.target, record.errors):
            record.errors.append(("required_missing", {"target": line.target}))
    record.tags = values.pop("tags", [])
    for kind in ("email", "phone"):
        if kind in values:
            record.identifiers.append((kind, values[kind]))
    for target in [target for target in values if target.startswith("id:")]:
        record.identifiers.append((target[3:], values.pop(target)))
    return record


def _has_target(values, target, errors):
    """A required name part is there if the name is; an error is reported once."""
    wanted = "name" if target in _NAME_PARTS else target
    if wanted in values:
        return True
    return any(params.get("target") == target for _code, params in errors)


MIN_MENTION = 6
#: numbers that say something in one place only
LOCAL_KINDS = frozenset({"external_id", "partner"})
_DIGITS = re.compile(r"\D")
_ESCAPES = re.compile(r'(?:\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt]))+')
#: li@example.com is not in wangli@example.com, a.li@example.com or li@example.com.cn;
#: Chinese is written without spaces, so that only ASCII goes on with a word
_BEFORE = r"(?<![a-z0-9_])(?<![a-z0-9_][.+-])"
_AFTER = r"(?![a-z0-9_])(?![.-][a-z0-9_])"


def mentions(text, identifiers):
    """Tell whether a stored text speaks of a person.

    :param str text: a payload, or a part of one: JSON as a rule
    :param identifiers: iterable of ``(kind, value)``; telephones are compared by their
        last eight digits, anything else as a word of its own, without regard to case
        and width; external ids and short values are not looked for
    """
    # JSON may spell any letter as an escape
    text = _ESCAPES.sub(lambda found: json.loads(f'"{found[0]}"'), text)
    folded = _fold(text)
    digits = None
    for kind, value in identifiers:
        if kind in LOCAL_KINDS or len(value) < MIN_MENTION:
            # a number such as 42 stands in every other text
            continue
        if kind == "phone":
            digits = _DIGITS.sub("", folded) if digits is None else digits
            tail = _DIGITS.sub("", value)[-8:]
            if len(tail) == 8 and tail in digits:
                return True
        elif _has_word(folded, _fold(value)):
            return True
    return False


def _has_word(text, word):
    return word in text and bool(re.search(_BEFORE + re.escape(word) + _AFTER, text))


def _fold(text):
    return unicodedata.normalize("NFKC", text).casefold()
