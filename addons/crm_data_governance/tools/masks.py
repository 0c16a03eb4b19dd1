"""Masks: what is shown instead of a value.

Each takes a text and returns a text; an empty one stays as it is.  A mask of a mask is
the mask itself, so that a value that came back from a screen is known as one.  What
each reveals at most is said in its docstring; :func:`mask_value` is the way in.
"""

import hashlib
import math
import re

STAR = "*"
CONSTANT = "****"
_DIGIT = re.compile(r"\d")
_ADDRESS = re.compile(r"[^\s<>\"',;()@]+@[^\s<>\"',;()@]+")
_BAND = re.compile(r"^≥ -?\d+(?:\.\d+)?$")
_HASHED = re.compile(r"^#[0-9a-f]{12}$")
NUMERIC = frozenset({"integer", "float", "monetary"})
TEXTUAL = frozenset({"char", "text", "html"})
# A number of this many digits shows its first three and last four.
LONG_NUMBER = 11
BANDS = (1, 2, 5)


def constant(text):
    """Reveal that there is a value."""
    return CONSTANT if text else text


def hashed(text, salt=""):
    """Reveal whether two values are equal: 48 bits of SHA-256 with ``salt``."""
    if not text or _HASHED.match(text):
        return text
    digest = hashlib.sha256(f"{salt}\0{text}".encode("utf-8", "surrogatepass"))
    return f"#{digest.hexdigest()[:12]}"


def name(text):
    """Reveal the first character, and how many words: 王**, W** S**."""
    return " ".join(f"{word[0]}{STAR * 2}" for word in text.split()) if text else text


def _last_four(text, length):
    """Stars for all letters and digits but the last four of at least ``length``."""
    if not text:
        return text
    places = [at for at, char in enumerate(text) if char.isalnum() or char == STAR]
    if len(places) < length:
        return CONSTANT
    covered = set(places[:-4])
    return "".join(STAR if at in covered else char for at, char in enumerate(text))


def phone(text):
    """Reveal the country code, and of the number the first three and last four digits
    if it has eleven or more, the last four of ten, the last two of seven to nine, else
    nothing: 138****1234, +86 138****1234, +1 ****1234, ****34.

    An extension (``x12``, ``;ext=12``, ``#12``) is left out.
    """
    if not text:
        return text
    body = re.split(r"(?i)(?:;|,|#|\bext|\bx(?=\s*\d)|转)", text, maxsplit=1)[0]
    body = body.strip()
    country = ""
    if match := re.match(r"^(?:\+|00)\s*(\d{1,3})(?=[\s().-])", body):
        country, body = f"+{match[1]} ", body[match.end() :]
    elif match := re.match(r"^(?:\+|00)(86|1|7)(?=\d)", body):
        # Without a gap only the codes that no other code begins with are known.
        country, body = f"+{match[1]} ", body[match.end() :]
    marks = [char for char in body if char.isdigit() or char == STAR]
    if STAR in marks:
        # A mask already: its stars stand together.
        number = re.sub(r"[^\d*]", "", body)
        return f"{country}{_restar(number)}"
    if len(marks) >= LONG_NUMBER:
        first, last = 3, 4
    elif len(marks) == LONG_NUMBER - 1:
        first, last = 0, 4
    elif len(marks) >= 7:
        first, last = 0, 2
    else:
        first, last = 0, 0
    number = "".join(marks)
    return f"{country}{number[:first]}{STAR * 4}{number[len(number) - last :]}".strip()


def _restar(number):
    """The parts of a masked number that a mask may show, with four stars between."""
    head, _sep, rest = number.partition(STAR)
    tail = rest.rpartition(STAR)[2]
    if len(head) == 3 and len(tail) == 4:
        return f"{head}{STAR * 4}{tail}"
    return f"{STAR * 4}{tail if not head and len(tail) in (2, 4) else ''}"


def email(text):
    """Reveal the first character and the domain of each address: w***@example.com.

    Text around an address (a name before it) is left out.
    """
    if not text:
        return text
    found = _ADDRESS.findall(text)
    if not found:
        return CONSTANT
    return ", ".join(
        f"{local[0]}{STAR * 3}@{domain}"
        for local, _at, domain in (address.rpartition("@") for address in found)
    )


def identity(text):
    """Reveal the last four of an ID number: **************1234, of a short one none."""
    return _last_four(text, 15)


def card(text):
    """Reveal the last four digits of a bank card or account, grouped as it was."""
    return _last_four(text, 12)


def band(number):
    """Reveal between which of 1, 2, 5, 10, 20, 50 … an amount lies: its lower end.

    :param number: int or float, any sign
    :return: the end of the band that is nearer to zero, of the same type
    """
    if not number or not math.isfinite(number):
        return type(number)(0)
    size = abs(number)
    step = 10.0 ** math.floor(math.log10(size))
    # The logarithm may be off by one unit in the last place.
    if step > size:
        step /= 10
    elif step * 10 <= size:
        step *= 10
    low = max(low for low in BANDS if low * step <= size or low == 1) * step
    low = min(low, size)
    return type(number)(math.copysign(low, number))


def band_text(text):
    """The band of a number that is written as text; of any other text nothing."""
    if not text:
        return text
    bare = re.sub(r"[\s,_]", "", text)
    match = re.search(r"-?\d+(?:\.\d+)?", bare)
    if not match:
        return CONSTANT
    low = f"{band(float(match[0])):f}".rstrip("0").rstrip(".")
    return f"≥ {low}"


TEXT_MASKS = {
    "constant": constant,
    "hash": hashed,
    "name": name,
    "phone": phone,
    "email": email,
    "identity": identity,
    "card": card,
    "band": band_text,
}


def mask_value(mask, kind, value, salt=""):
    """What is shown instead of ``value``.

    :param str mask: a key of :data:`TEXT_MASKS`
    :param str kind: Odoo's type of the field
    :param value: as ``read`` gives it
    :param str salt: for ``hash``
    :return: a text for texts, a number for numbers (the amount band, else 0), False
        for everything else: no mask can be shown in it
    """
    if kind in NUMERIC:
        return band(value) if mask == "band" and value else 0
    if kind not in TEXTUAL or not isinstance(value, str):
        return False
    if mask == "hash":
        return hashed(value, salt)
    return TEXT_MASKS[mask](value)


def is_masked(mask, kind, value):
    """Whether ``value`` is one that :func:`mask_value` made: it is never stored.

    :return: always False for numbers; an amount may be a band's end by chance
    """
    if kind not in TEXTUAL or not isinstance(value, str) or not value:
        return False
    if mask == "hash":
        return bool(_HASHED.match(value))
    if mask == "band":
        return value == CONSTANT or bool(_BAND.match(value))
    return STAR * 2 in value and TEXT_MASKS[mask](value) == value
