"""Reading what a sender posts: one verdict an item, whatever stands beside it.

A batch comes as a JSON list, as NDJSON (one object a line) or as a single object.
Each item is parsed on its own, so that a broken one costs itself only. An item that
can land becomes a :class:`LandedItem`, any other a :class:`Refused` with one of
``REFUSALS``. Nothing here knows a database; sizes are bytes, times naive UTC.

Source of the rules: RFC 8259 (JSON), RFC 7464 style line framing, PostgreSQL's text
type, which holds neither U+0000 nor surrogates.
"""

import hashlib
import json
import re
import zlib
from datetime import datetime, timedelta, timezone
from json.decoder import WHITESPACE, JSONDecodeError
from math import isinf
from typing import NamedTuple

MAX_DEPTH = 32
MAX_ITEM_BYTES = 2**20
MAX_KEY_LENGTH = 255

#: why an item did not land
REFUSALS = (
    "bad_encoding",
    "bad_key",
    "bad_number",
    "lone_surrogate",
    "not_an_object",
    "nul_character",
    "too_big",
    "too_deep",
    "too_many_cells",
    "trailing_data",
    "unreadable",
)

# A string that never closes reaches to the end: a pattern that failed there would be
# tried again at each of its quotes, in quadratic time.
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_BRACKETS = re.compile(_STRING + r"|[{}\[\]]", re.DOTALL)
_STRUCTURE = re.compile(_STRING + r"|[{}\[\],]", re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ZONED = re.compile(r"(?:[zZ]|[+-]\d\d:?\d\d)$")
_EPOCH = datetime(1970, 1, 1)


class LandedItem(NamedTuple):
    """One readable item.

    ``index`` its place in the batch (from 0), ``payload`` the bytes as received,
    ``idempotency_key`` the key that makes it land once, ``external_id`` the sender's
    id of the person or None, ``updated_at`` the sender's time (naive UTC) or None.
    """

    index: int
    payload: bytes
    idempotency_key: str
    external_id: "str | None" = None
    updated_at: "datetime | None" = None


class Refused(NamedTuple):
    """One item that cannot land: its place, and a code out of ``REFUSALS``."""

    index: int
    code: str


class Verdict(ValueError):
    """An item is refused; ``code`` says why."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


# --- ONE ITEM ---


def _finite(text):
    number = float(text)
    if isinf(number):
        raise Verdict("bad_number")
    return number


def _no_constant(_text):
    raise Verdict("bad_number")


_decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant)
_encode = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def canonical(document):
    """Return the canonical JSON bytes of a parsed document: sorted keys, no spaces.

    :raises Verdict: ``lone_surrogate`` if a string is no Unicode text, ``bad_number``
        if a number is none.
    """
    try:
        return _encode(document).encode()
    except UnicodeEncodeError as error:
        raise Verdict("lone_surrogate") from error
    except ValueError as error:
        # NaN out of a spreadsheet
        raise Verdict("bad_number") from error


def depth(text):
    """Return how deep objects and lists of a JSON text are nested, strings apart."""
    level = deepest = 0
    for match in _BRACKETS.finditer(text):
        sign = match.group()
        if sign in "{[":
            level += 1
            deepest = max(deepest, level)
        elif sign in "}]":
            level -= 1
    return deepest


def _has_nul(document):
    stack = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            if "\x00" in node:
                return True
        elif isinstance(node, dict):
            stack.extend(node)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return False


def _check_text(text, max_bytes):
    """Refuse what must not even be parsed."""
    if len(text) > max_bytes or (
        not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > max_bytes
    ):
        raise Verdict("too_big")
    if (
        text.count("{") + text.count("[") > MAX_DEPTH
        # brackets inside strings count for nothing
        and depth(text) > MAX_DEPTH
    ):
        raise Verdict("too_deep")


def _check_document(document, text):
    if not isinstance(document, dict):
        raise Verdict("not_an_object")
    if "\\u0000" in text and _has_nul(document):
        raise Verdict("nul_character")


def parse_item(text, max_bytes=MAX_ITEM_BYTES):
    """Return the object that one text holds.

    :param str text: one JSON text
    :raises Verdict: the text is refused, with the reason.
    """
    _check_text(text, max_bytes)
    if "\x00" in text:
        raise Verdict("nul_character")
    try:
        document = _decoder.decode(text)
    except JSONDecodeError as error:
        raise Verdict("unreadable") from error
    except RecursionError as error:
        raise Verdict("too_deep") from error
    except ValueError as error:
        if isinstance(error, Verdict):
            raise
        # an integer with more digits than Python converts
        raise Verdict("bad_number") from error
    _check_document(document, text)
    return document


# --- KEYS ---


def scalar_key(value):
    """Return an id as text: text and whole numbers only, else None.

    :raises Verdict: ``bad_key`` if it is longer than ``MAX_KEY_LENGTH``.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        text = str(value).strip()
    except ValueError as error:
        raise Verdict("bad_key") from error
    if len(text) > MAX_KEY_LENGTH:
        raise Verdict("bad_key")
    return text or None


def idempotency_key(canonical_bytes, external_id=None, sender_key=None):
    """Return the key under which an item lands once.

    The sender's own key wins; else the external id with the SHA-256 of the canonical
    payload (so that a change lands and a repetition does not), else the hash alone.
    """
    if sender_key:
        return f"key:{sender_key}"
    digest = hashlib.sha256(canonical_bytes).hexdigest()
    if external_id:
        return f"id:{external_id}:{digest}"
    return f"sha256:{digest}"


def parse_time(value):
    """Return a sender's time as naive UTC, or None if it is none.

    ISO 8601 with or without zone (without: UTC), or seconds / milliseconds since 1970.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        seconds = value / 1000 if abs(value) >= 10**11 else value
        try:
            return _EPOCH + timedelta(seconds=seconds)
        except (OverflowError, ValueError):
            return None
    if not isinstance(value, str):
        return None
    text = value.strip()
    # Python 3.10 reads neither "Z" nor "+0800"
    zone = _ZONED.search(text)
    if zone and "T" in text.upper().replace(" ", "T"):
        sign = zone.group()
        offset = "+00:00" if sign in "zZ" else f"{sign[:3]}:{sign[-2:]}"
        text = text[: zone.start()] + offset
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo:
            moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return moment


class Envelope:
    """How a channel finds the key of an item: three functions of the document.

    Each takes the parsed object and returns any JSON value.
    """

    def __init__(self, external_id=None, updated_at=None, message_id=None):
        self.external_id = external_id
        self.updated_at = updated_at
        self.message_id = message_id

    def land(self, index, document, payload, sender_key=None):
        """Return the :class:`LandedItem` of a parsed document."""
        whole = canonical(document)
        external_id = self.external_id and scalar_key(self.external_id(document))
        if not sender_key and self.message_id:
            sender_key = scalar_key(self.message_id(document))
        return LandedItem(
            index,
            payload,
            idempotency_key(whole, external_id, sender_key),
            external_id or None,
            parse_time(self.updated_at(document)) if self.updated_at else None,
        )


# --- A BODY ---


def decode(body):
    """Return the text of a body; bytes that are no UTF-8 become lone surrogates."""
    if body[:3] == b"\xef\xbb\xbf":
        body = body[3:]
    return body.decode("utf-8", "surrogateescape")


def _encode_payload(text):
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Verdict("bad_encoding") from error


def skip_item(text, start):
    """Return where the item that begins at ``start`` ends: a comma, ``]`` or the end.

    Only brackets and strings are looked at, so it passes over what is no JSON.
    """
    level = 0
    for match in _STRUCTURE.finditer(text, start):
        sign = match.group()
        if sign in "{[":
            level += 1
        elif sign in "}]":
            if level == 0:
                return match.start()
            level -= 1
        elif sign == "," and level == 0:
            return match.start()
    return len(text)


def _scan_item(text, start, quick):
    """Return ``(document or None, end)`` of a list's item, the quick way if it can.

    ``None`` means that the text up to ``end`` needs a verdict of its own. Not quick:
    a decoder that fails counts the lines of the whole text before it, so after a
    first failure each item is cut out and parsed alone.
    """
    if not quick:
        return None, skip_item(text, start)
    try:
        document, end = _decoder.scan_once(text, start)
    except (StopIteration, ValueError, RecursionError):
        return None, skip_item(text, start)
    end = WHITESPACE.match(text, end).end()
    if document is None or text[end : end + 1] not in (",", "]"):
        return None, skip_item(text, start)
    return document, end


def read_list(text, start, max_bytes=MAX_ITEM_BYTES):
    """Yield what stands in the JSON list that begins at ``start``.

    :param str text: may go on behind the list
    :param int max_bytes: the most that one item may weigh
    :return: generator of ``(index, document, text)`` or ``(index, None, code)``, which
        ends with the number of items and the position behind the list
    """
    position = WHITESPACE.match(text, start + 1).end()
    index = 0
    quick = True
    if text[position : position + 1] == "]":
        return index, position + 1
    while True:
        document, end = _scan_item(text, position, quick)
        item = text[position:end].rstrip()
        try:
            if document is None:
                document = parse_item(item, max_bytes)
            else:
                _check_text(item, max_bytes)
                _check_document(document, item)
            yield index, document, item
        except Verdict as verdict:
            quick = False
            yield index, None, verdict.code
        index += 1
        if end >= len(text):
            # the list never closes: what was read stands, the rest is missing
            yield index, None, "unreadable"
            return index + 1, end
        if text[end] == "]":
            return index, end + 1
        position = (
            WHITESPACE.match(text, end + 1).end() if text[end] == "," else end + 1
        )


def _read_lines(text, max_bytes):
    for index, line in enumerate(text.split("\n")):
        line = line.strip()
        if not line:
            continue
        try:
            yield index, parse_item(line, max_bytes), line
        except Verdict as verdict:
            yield index, None, verdict.code


def _read_text(text, lines, max_bytes):
    start = WHITESPACE.match(text, 0).end()
    if lines or text[start : start + 1] not in ("[", "{"):
        yield from _read_lines(text, max_bytes)
    elif text[start] == "[":
        count, end = yield from read_list(text, start, max_bytes)
        if text[end:].strip():
            yield count, None, "trailing_data"
    else:
        whole = text.strip()
        try:
            yield 0, parse_item(whole, max_bytes), whole
        except Verdict as verdict:
            if "\n" in whole:
                yield from _read_lines(text, max_bytes)
            else:
                yield 0, None, verdict.code


def read_items(body, envelope, lines=False, sender_key=None, max_bytes=MAX_ITEM_BYTES):
    """Yield a :class:`LandedItem` or :class:`Refused` for each item of a body.

    :param bytes body: a JSON list, NDJSON or one object, UTF-8
    :param Envelope envelope: where an item's keys stand
    :param bool lines: the sender says that it is NDJSON
    :param str sender_key: the batch's ``Idempotency-Key``: with the item's place it is
        the key of the item, and alone for a single object
    :param int max_bytes: the most that one item may weigh
    """
    text = decode(body)
    single = not lines and text.lstrip()[:1] == "{" and "\n" not in text.strip()
    rows = _read_text(text, lines, max_bytes)
    yield from land_rows(rows, envelope, sender_key, numbered=not single)


def land_rows(rows, envelope, sender_key=None, numbered=False):
    """Yield a :class:`LandedItem` or :class:`Refused` for each row of a list.

    :param rows: as :func:`read_list` yields
    :param Envelope envelope: where an item's keys stand
    :param str sender_key: as for :func:`read_items`
    :param bool numbered: the sender's key is the batch's, not the one item's
    """
    for index, document, rest in rows:
        if document is None:
            yield Refused(index, rest)
            continue
        key = f"{sender_key}:{index}" if sender_key and numbered else sender_key
        try:
            yield envelope.land(index, document, _encode_payload(rest), key)
        except Verdict as verdict:
            yield Refused(index, verdict.code)


def read_documents(rows, envelope, max_bytes=MAX_ITEM_BYTES):
    """Yield the verdicts of ``(index, dict or refusal code)`` out of ``readers``."""
    for index, row in rows:
        if isinstance(row, str):
            yield Refused(index, row)
            continue
        try:
            payload = canonical(row)
            text = payload.decode()
            _check_text(text, max_bytes)
            _check_document(row, text)
            yield envelope.land(index, row, payload)
        except Verdict as verdict:
            yield Refused(index, verdict.code)


# --- STORE ---


def pack(payload):
    """Return the bytes to store: zlib at its quickest.

    A record is small: with the usual window and tables, 256 KiB to be cleared, setting
    up takes several times as long as compressing.
    """
    window, memory = (12, 5) if len(payload) <= 4096 else (15, 8)
    stream = zlib.compressobj(1, zlib.DEFLATED, window, memory)
    return stream.compress(payload) + stream.flush()


def unpack(stored):
    """Return the payload of stored bytes."""
    return zlib.decompress(bytes(stored))
