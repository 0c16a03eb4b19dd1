"""Conditions that users write: a small language with Python's spelling.

Expressions only. A text is parsed by Python's own parser and then walked here, node
by node: nothing is compiled, nothing is evaluated by Python, no attribute of a Python
object is ever read. ``record.expected_revenue`` looks a key up in a plain mapping.

What there is: ``and``, ``or``, ``not``, comparisons (chained too), ``in``, ``is None``,
``+ - * / // %`` on numbers, ``+`` on text, days between dates, ``x if y else z``,
lists of values, names, ``name.field`` and the functions of :data:`FUNCTIONS`. No
power, no comprehension, no call of anything else, no formatting, no index.

Every value is bounded (:data:`MAX_NUMBER`, :data:`MAX_TEXT`, :data:`MAX_ITEMS`), the
text and the number of its nodes too, and there is no loop: the work is linear in the
length of the text.
"""

import ast
import datetime
import operator
import re
from collections.abc import Mapping
from functools import lru_cache

MAX_LENGTH = 2_000
MAX_NODES = 300
MAX_NUMBER = 10**18
MAX_TEXT = 10_000
MAX_ITEMS = 1_000


class ExpressionError(ValueError):
    """A text that is no expression of this language, or cannot be worked out.

    :ivar code: ``syntax``, ``too_long``, ``forbidden``, ``unknown_name``,
        ``unknown_field``, ``unknown_function``, ``wrong_types``, ``bad_date``,
        ``too_large`` or ``division``
    :ivar params: what the message needs
    """

    def __init__(self, code, **params):
        super().__init__(f"{code} {params}")
        self.code = code
        self.params = params


# --- WHAT A VALUE MAY BE ---


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_date(value):
    return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)


def _checked(value):
    """:raise ExpressionError: a value out of bounds"""
    if _is_number(value):
        # Written so that NaN fails too.
        fits = -MAX_NUMBER <= value <= MAX_NUMBER
    elif isinstance(value, str):
        fits = len(value) <= MAX_TEXT
    else:
        fits = not isinstance(value, list | tuple) or len(value) <= MAX_ITEMS
    if not fits:
        raise ExpressionError("too_large")
    return value


def _kind(value):
    """A code for the type of a value."""
    for kind, known in (
        ("nothing", value is None),
        ("yes_no", isinstance(value, bool)),
        ("number", _is_number(value)),
        ("text", isinstance(value, str)),
        ("date", isinstance(value, datetime.date)),
        ("list", isinstance(value, list | tuple)),
    ):
        if known:
            return kind
    return "record"


def _wrong_types(*values):
    return ExpressionError("wrong_types", types=[_kind(value) for value in values])


# --- OPERATORS ---


def _arithmetic(function):
    def apply(left, right):
        if not (_is_number(left) and _is_number(right)):
            raise _wrong_types(left, right)
        try:
            return function(left, right)
        except ZeroDivisionError:
            raise ExpressionError("division") from None
        except OverflowError:
            raise ExpressionError("too_large") from None

    return apply


def _shifted(date, days):
    try:
        return date + datetime.timedelta(days=days)
    except OverflowError:
        raise ExpressionError("too_large") from None


def _add(left, right):
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if _is_date(left) and _is_number(right):
        return _shifted(left, right)
    return _arithmetic(operator.add)(left, right)


def _subtract(left, right):
    if _is_date(left) and _is_date(right):
        return (left - right).days
    if _is_date(left) and _is_number(right):
        return _shifted(left, -right)
    return _arithmetic(operator.sub)(left, right)


BINARY = {
    ast.Add: _add,
    ast.Sub: _subtract,
    # Factors are within MAX_NUMBER, so a product has at most twice its digits.
    ast.Mult: _arithmetic(operator.mul),
    ast.Div: _arithmetic(operator.truediv),
    ast.FloorDiv: _arithmetic(operator.floordiv),
    ast.Mod: _arithmetic(operator.mod),
}


def _equal(left, right):
    # True == 1 in Python; to a reader of a condition a yes is no number.
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    return left == right


def _ordered(function):
    def apply(left, right):
        # As in a filter: what is not set is neither before nor after anything.
        if left is None or right is None:
            return False
        both = (left, right)
        if (
            all(map(_is_number, both))
            or all(map(_is_date, both))
            or all(isinstance(value, str) for value in both)
        ):
            return function(left, right)
        raise _wrong_types(left, right)

    return apply


def _contains(item, container):
    if isinstance(container, str) and isinstance(item, str):
        return item in container
    if isinstance(container, list | tuple):
        return any(_equal(item, other) for other in container)
    raise _wrong_types(item, container)


COMPARISONS = {
    ast.Eq: _equal,
    ast.NotEq: lambda left, right: not _equal(left, right),
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: _contains,
    ast.NotIn: lambda left, right: not _contains(left, right),
}


# --- FUNCTIONS ---


def _absolute(value):
    if not _is_number(value):
        raise _wrong_types(value)
    return abs(value)


def _length(value):
    if not isinstance(value, str | list | tuple):
        raise _wrong_types(value)
    return len(value)


def _lower(value):
    if not isinstance(value, str):
        raise _wrong_types(value)
    return value.lower()


def _round(value, digits=0):
    if not (_is_number(value) and isinstance(digits, int) and abs(digits) <= 18):
        raise _wrong_types(value, digits)
    return round(value, digits or None)


def _date(text):
    if not isinstance(text, str):
        raise _wrong_types(text)
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise ExpressionError("bad_date", text=text[:50]) from None


def _extreme(function):
    def apply(*values):
        if len(values) == 1 and isinstance(values[0], list | tuple):
            values = values[0]
        if not values or not (
            all(map(_is_number, values)) or all(map(_is_date, values))
        ):
            raise _wrong_types(*values[:3])
        return function(values)

    return apply


FUNCTIONS = {
    "abs": _absolute,
    "date": _date,
    "len": _length,
    "lower": _lower,
    "max": _extreme(max),
    "min": _extreme(min),
    "round": _round,
}


# --- READING ---

_LEAVES = (ast.Constant, ast.Name, ast.Load)
_ALLOWED = (
    ast.Expression,
    ast.BoolOp,
    ast.And,
    ast.Or,
    ast.UnaryOp,
    ast.Not,
    ast.USub,
    ast.UAdd,
    ast.BinOp,
    *BINARY,
    ast.Compare,
    *COMPARISONS,
    ast.Is,
    ast.IsNot,
    ast.IfExp,
    ast.List,
    ast.Tuple,
    ast.Attribute,
    ast.Call,
    *_LEAVES,
)


def _forbidden(node):
    return ExpressionError("forbidden", construct=type(node).__name__)


def _check_node(node):
    """:raise ExpressionError: a node that the language does not have"""
    if not isinstance(node, _ALLOWED):
        raise _forbidden(node)
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, bool | int | float | str | type(None)):
            raise _forbidden(node)
        _checked(node.value)
    elif isinstance(node, ast.Attribute):
        # A field of a name: no chain, so nothing to climb.
        if not isinstance(node.value, ast.Name) or node.attr.startswith("_"):
            raise _forbidden(node)
    elif isinstance(node, ast.Name):
        if node.id.startswith("_"):
            raise _forbidden(node)
    elif isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise _forbidden(node)
        if node.func.id not in FUNCTIONS:
            raise ExpressionError("unknown_function", name=node.func.id)
    elif isinstance(node, ast.Compare):
        for operation, right in zip(node.ops, node.comparators, strict=True):
            is_none = isinstance(right, ast.Constant) and right.value is None
            if isinstance(operation, ast.Is | ast.IsNot) and not is_none:
                raise _forbidden(operation)


_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_ODD_NUMBER = re.compile(r"(?<![\w.])[0-9][0-9.]*[A-Za-z_]")


def _check_text(text):
    """:raise ExpressionError: a text that Python's parser would log a warning of

    A number grown together with a word (``1if``, and with it ``0x1f`` and ``1e9``),
    or a backslash.
    """
    if "\\" in text or _ODD_NUMBER.search(_QUOTED.sub("''", text)):
        raise ExpressionError("syntax", text=text[:100])


@lru_cache(maxsize=1_000)
def parse(text):
    """Read an expression.

    :param str text: what the user wrote
    :return: ``ast.Expression`` whose every node is of the language
    :raises ExpressionError: when it is none
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise ExpressionError("too_long", limit=MAX_LENGTH)
    _check_text(text)
    try:
        # Line breaks inside an expression are layout.
        tree = ast.parse(" ".join(text.splitlines()), mode="eval")
        nodes = list(ast.walk(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError("syntax", text=text[:100]) from None
    if len(nodes) > MAX_NODES:
        raise ExpressionError("too_long", limit=MAX_LENGTH)
    for node in nodes:
        _check_node(node)
    return tree


def names(text):
    """The names that an expression reads.

    :return: ``set`` of ``"name"`` and ``"name.field"``
    :raises ExpressionError: as :func:`parse`
    """
    tree = parse(text)
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    owners = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Name) and id(node) not in called | owners:
            found.add(node.id)
    return found


# --- WORKING OUT ---


def _compare(node, context):
    left = _value(node.left, context)
    for operation, comparator in zip(node.ops, node.comparators, strict=True):
        right = _value(comparator, context)
        if isinstance(operation, ast.Is | ast.IsNot):
            holds = (left is None) == isinstance(operation, ast.Is)
        else:
            holds = COMPARISONS[type(operation)](left, right)
        if not holds:
            return False
        left = right
    return True


def _unary(node, context):
    value = _value(node.operand, context)
    if isinstance(node.op, ast.Not):
        return not value
    if not _is_number(value):
        raise _wrong_types(value)
    return -value if isinstance(node.op, ast.USub) else value


def _boolean(node, context):
    value = None
    for operand in node.values:
        value = _value(operand, context)
        if bool(value) == isinstance(node.op, ast.Or):
            break
    return value


def _name(node, context):
    if node.id not in context:
        raise ExpressionError("unknown_name", name=node.id)
    return context[node.id]


def _attribute(node, context):
    owner = _name(node.value, context)
    if not isinstance(owner, Mapping) or node.attr not in owner:
        raise ExpressionError("unknown_field", name=f"{node.value.id}.{node.attr}")
    return owner[node.attr]


def _call(node, context):
    values = [_value(argument, context) for argument in node.args]
    try:
        return FUNCTIONS[node.func.id](*values)
    except TypeError:
        raise _wrong_types(*values[:3]) from None


_WORK = {
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.BinOp: lambda node, context: BINARY[type(node.op)](
        _value(node.left, context), _value(node.right, context)
    ),
    ast.Compare: _compare,
    ast.IfExp: lambda node, context: _value(
        node.body if _value(node.test, context) else node.orelse, context
    ),
    ast.List: lambda node, context: [_value(item, context) for item in node.elts],
    ast.Tuple: lambda node, context: [_value(item, context) for item in node.elts],
    ast.Constant: lambda node, _context: node.value,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
}


def _value(node, context):
    return _checked(_WORK[type(node)](node, context))


def evaluate(text, context):
    """Work an expression out.

    :param str text: the expression
    :param Mapping context: plain values by name: numbers, text, dates, yes/no, None,
        lists of them, and mappings of them (read as ``name.field``)
    :return: a plain value
    :raises ExpressionError: why it is none
    """
    return _value(parse(text).body, context)
