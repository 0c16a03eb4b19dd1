"""Segment's messages: reading what a site, an app or a server tracks, with a verdict
for each message.

A batch is one object with a list ``batch``; a single call is one message. Each message
is read on its own, so that a broken one costs itself only. One that can land becomes a
:class:`Message`, any other a ``Refused`` with a code of ``REFUSALS``. Nothing here
knows a database or a clock; times are naive UTC.

Source of the rules: Segment, "HTTP Tracking API" and "Spec: Common Fields" (limits of
32 KB a message and 500 KB a batch, message ids of 100 characters, the correction of a
client's clock by ``sentAt``). Reading JSON with limits is the landing's.
"""

import hashlib
import json
from datetime import datetime, timedelta
from json.decoder import WHITESPACE, JSONDecodeError, scanstring
from typing import NamedTuple

import orjson
from crm_omnichannel_tools import landing
from crm_omnichannel_tools.normalisers import normal_email

TYPES = ("track", "page", "screen", "identify", "group", "alias")
#: what a type says outside of its properties and traits, kept among them
OWN_WORDS = {
    "page": "category",
    "screen": "category",
    "group": "groupId",
    "alias": "previousId",
}
#: types whose own words stand in ``traits``, not in ``properties``
TRAIT_TYPES = frozenset({"identify", "group"})

MAX_MESSAGE_BYTES = 32 * 2**10
MAX_BODY_BYTES = 500 * 2**10
MAX_MESSAGES = 2500
MAX_MESSAGE_ID = 100
MAX_NAME = 255
MAX_PAGE = 512
#: of a refused message, kept to show what was wrong with it
MAX_EXCERPT = 2000
EARLIEST = datetime(2000, 1, 1)
#: how far a time may lie ahead of the receipt: a client without ``sentAt`` whose clock
#: stands in another time zone
AHEAD = timedelta(days=1)

#: why a message did not land, besides those of the landing
REFUSALS = (
    *landing.REFUSALS,
    "bad_context",
    "bad_event",
    "bad_id",
    "bad_message_id",
    "bad_properties",
    "bad_timestamp",
    "no_event",
    "no_identity",
    "timestamp_out_of_range",
    "unknown_type",
)


class BodyError(ValueError):
    """A body that cannot be read as a whole.

    :ivar code: ``bad_request`` or ``too_many_messages``
    """

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Message(NamedTuple):
    """One message that can land.

    ``index`` is its place in the batch (from 0), ``message_id`` the key that makes it
    land once, ``timestamp`` when it happened by the server's clock, ``received_at``
    when it arrived, ``email`` the address that an ``identify`` names, as identities
    hold it (so in ``properties`` too), or None.
    ``properties`` and ``context`` are JSON, UTF-8.
    """

    index: int
    message_id: str
    type: str
    event: "str | None"
    anonymous_id: "str | None"
    user_id: "str | None"
    timestamp: datetime
    received_at: datetime
    page: "str | None"
    properties: bytes
    context: bytes
    email: "str | None"


# --- ONE MESSAGE ---


def _identifier(document, name):
    value = document.get(name)
    if value is None or value == "":
        return None
    try:
        key = landing.scalar_key(value)
    except landing.Verdict as error:
        raise landing.Verdict("bad_id") from error
    if key is None:
        raise landing.Verdict("bad_id")
    return key


def _message_id(document):
    value = document.get("messageId")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise landing.Verdict("bad_message_id")
    text = str(value).strip()
    if not text or len(text) > MAX_MESSAGE_ID:
        raise landing.Verdict("bad_message_id")
    return text


def _event_name(document, kind):
    value = document.get("event" if kind == "track" else "name")
    if value is None and kind != "track":
        return None
    if value is None or value == "":
        raise landing.Verdict("no_event")
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise landing.Verdict("bad_event")
    return value.strip() or None


def _object(document, name, code):
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise landing.Verdict(code)
    return value


def _page_path(properties, context):
    page = context.get("page")
    page = page if isinstance(page, dict) else {}
    for value in (properties.get("path"), page.get("path"), properties.get("url")):
        if isinstance(value, str) and value:
            return value[:MAX_PAGE]
    return None


def _with_normal_email(traits):
    """The traits with their address as identities hold it, where it is one."""
    value = traits.get("email")
    address = normal_email(value) if isinstance(value, str) else None
    return {**traits, "email": address} if address else traits, address


def _json(document):
    """Return a parsed object as JSON bytes: what is no Unicode text is refused."""
    try:
        return orjson.dumps(document)
    except TypeError:
        # whole numbers of more than 64 bits too
        return landing.canonical(document)


class Reader:
    """Makes :class:`Message` of parsed documents (an envelope of the landing).

    :param datetime received_at: when the batch arrived
    :param str receipt: a text that no other batch has
    :param str kind: type of a single call, None if each message names its own
    :param sent_at: ``sentAt`` of the batch, any JSON value
    :param dict context: context of the batch, for messages without one
    :param bool trusted: a message may say itself when it was received
        (``receivedAt``): for history that the server brings in
    """

    def __init__(
        self,
        received_at,
        receipt,
        kind=None,
        sent_at=None,
        context=None,
        trusted=False,
    ):
        self.received_at = received_at
        self.receipt = receipt
        self.kind = kind
        self.sent_at = sent_at
        self.context = context
        self.trusted = trusted

    def land(self, index, document, payload, sender_key=None):
        """Return the :class:`Message` of a document.

        :raises landing.Verdict: it is refused, with the reason.
        """
        kind = self.kind or document.get("type")
        if kind not in TYPES:
            raise landing.Verdict("unknown_type")
        anonymous_id = _identifier(document, "anonymousId")
        user_id = _identifier(document, "userId")
        if not anonymous_id and not user_id:
            raise landing.Verdict("no_identity")
        words = "traits" if kind in TRAIT_TYPES else "properties"
        properties = _object(document, words, "bad_properties")
        own = OWN_WORDS.get(kind)
        if own and document.get(own) is not None:
            properties = {own: document[own], **properties}
        context = _object(document, "context", "bad_context") or self.context or {}
        email = None
        if kind == "identify":
            properties, email = _with_normal_email(properties)
        received_at = self._received_at(document)
        has_time = bool(document.get("timestamp") or document.get("originalTimestamp"))
        return Message(
            index=index,
            message_id=_message_id(document)
            or self._own_id(document, None if has_time else index),
            type=kind,
            event=_event_name(document, kind),
            anonymous_id=anonymous_id,
            user_id=user_id,
            timestamp=self._timestamp(document, received_at),
            received_at=received_at,
            page=_page_path(properties, context),
            properties=_json(properties),
            context=_json(context),
            email=email,
        )

    def _own_id(self, document, index):
        """A key for a message without one.

        With a time of its own the same message is the same event; without, two equal
        messages are two events.
        """
        digest = hashlib.sha256(landing.canonical(document))
        if index is not None:
            digest.update(f"{self.receipt}/{index}".encode())
        return f"sha256:{digest.hexdigest()}"

    def _received_at(self, document):
        value = document.get("receivedAt") if self.trusted else None
        if value is None:
            return self.received_at
        moment = landing.parse_time(value)
        if moment is None:
            raise landing.Verdict("bad_timestamp")
        if not EARLIEST <= moment <= self.received_at:
            raise landing.Verdict("timestamp_out_of_range")
        return moment

    def _timestamp(self, document, received_at):
        """When it happened, by our clock: theirs is off by what ``sentAt`` shows."""
        value = document.get("timestamp") or document.get("originalTimestamp")
        if not value:
            return received_at
        moment = landing.parse_time(value)
        if moment is None:
            raise landing.Verdict("bad_timestamp")
        sent_at = landing.parse_time(document.get("sentAt", self.sent_at))
        try:
            if sent_at:
                moment += received_at - sent_at
        except OverflowError as error:
            raise landing.Verdict("timestamp_out_of_range") from error
        if not EARLIEST <= moment <= received_at + AHEAD:
            raise landing.Verdict("timestamp_out_of_range")
        return moment


# --- A BODY ---


def _skip(text, position):
    return WHITESPACE.match(text, position).end()


_decoder = json.JSONDecoder()


def _end_of_value(text, start, _name=None):
    """Return where a value of the outer object ends: a comma, a bracket or the end.

    JSON's own scanner is several times as quick as looking for brackets, which also
    passes over what is no JSON.
    """
    try:
        _document, end = _decoder.scan_once(text, start)
    except (StopIteration, ValueError, RecursionError):
        return landing.skip_item(text, start)
    end = _skip(text, end)
    return end if text[end : end + 1] in (",", "}") else landing.skip_item(text, start)


def _members(text, end_of=_end_of_value):
    """Yield ``(name, start, end)`` of the values of the outer object.

    :param callable end_of: ``end_of(text, start, name)`` gives where a value ends
    :raises BodyError: it is none.
    """
    position = _skip(text, 0)
    if text[position : position + 1] != "{":
        raise BodyError("bad_request")
    position = _skip(text, position + 1)
    if text[position : position + 1] == "}":
        return
    while True:
        if text[position : position + 1] != '"':
            raise BodyError("bad_request")
        try:
            name, position = scanstring(text, position + 1)
        except JSONDecodeError as error:
            raise BodyError("bad_request") from error
        position = _skip(text, position)
        if text[position : position + 1] != ":":
            raise BodyError("bad_request")
        start = _skip(text, position + 1)
        end = end_of(text, start, name)
        yield name, start, end
        if text[end : end + 1] == "}":
            return
        if text[end : end + 1] != ",":
            raise BodyError("bad_request")
        position = _skip(text, end + 1)


def _value(text):
    """A value of the envelope, or None if it is unreadable."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def write_key(body):
    """Return the write key that a body carries, or None."""
    try:
        text = landing.decode(body)
        for name, start, end in _members(text):
            if name == "writeKey":
                value = _value(text[start:end])
                return value if isinstance(value, str) else None
    except BodyError:
        return None
    return None


def _read_envelope(text):
    """Return the rows of ``batch``, and the texts of the other values by their names.

    :raises BodyError: there is no list of that name, or it is too long
    """
    rows = None

    def end_of(text, start, name):
        nonlocal rows
        if name != "batch":
            return _end_of_value(text, start)
        if text[start : start + 1] != "[":
            raise BodyError("bad_request")
        rows = []
        items = landing.read_list(text, start, MAX_MESSAGE_BYTES)
        while True:
            try:
                rows.append(next(items))
            except StopIteration as ended:
                _count, end = ended.value
                return _skip(text, end)
            if len(rows) > MAX_MESSAGES:
                raise BodyError("too_many_messages")

    values = {
        name: text[start:end]
        for name, start, end in _members(text, end_of)
        if name != "batch"
    }
    if rows is None:
        raise BodyError("bad_request")
    return rows, values


def read_batch(body, received_at, receipt):
    """Return a :class:`Message` or ``Refused`` for each message of a batch.

    :param bytes body: ``{"batch": [...], "sentAt": …, "context": …}``
    :param datetime received_at: when it arrived
    :param str receipt: a text that no other body has
    :return: iterator
    :raises BodyError: the body is no batch, or has too many messages
    """
    rows, values = _read_envelope(landing.decode(body))
    context = _value(values.get("context", "null"))
    reader = Reader(
        received_at,
        receipt,
        sent_at=_value(values.get("sentAt", "null")),
        context=context if isinstance(context, dict) else None,
    )
    return landing.land_rows(rows, reader)


def read_single(body, kind, received_at, receipt):
    """Return a :class:`Message` or ``Refused`` of a single call, as a list of one.

    :param bytes body: one message
    :param str kind: its type, by the address it was sent to
    :param datetime received_at: when it arrived
    :param str receipt: a text that no other body has
    :raises BodyError: the body is no object
    """
    text = landing.decode(body).strip()
    if text[:1] != "{" or text[-1:] != "}":
        raise BodyError("bad_request")
    # a batch of one, which may be written over several lines
    items = landing.read_items(
        f"[{text}]".encode("utf-8", "surrogateescape"),
        Reader(received_at, receipt, kind),
        max_bytes=MAX_MESSAGE_BYTES,
    )
    found = list(items)
    if len(found) != 1 or getattr(found[0], "code", None) == "unreadable":
        raise BodyError("bad_request")
    return found


def read_messages(messages, received_at, receipt):
    """Yield the verdicts of messages that the server itself makes.

    :param messages: iterable of dicts in Segment's shape; ``receivedAt`` is obeyed
    :param datetime received_at: for those that do not say
    :param str receipt: a text that no other call has
    """
    reader = Reader(received_at, receipt, trusted=True)
    return landing.read_documents(
        enumerate(messages), reader, max_bytes=MAX_MESSAGE_BYTES
    )


def excerpts(body, indexes):
    """Return the beginnings of messages as they were sent, whatever they are.

    :param bytes body: a batch, or a single message
    :param indexes: places in the batch (from 0)
    :return: ``{index: text}``, each at most ``MAX_EXCERPT`` characters that a database
        can hold
    """
    text = landing.decode(body)
    try:
        values = {name: text[start:end] for name, start, end in _members(text)}
    except BodyError:
        values = {}
    batch = values.get("batch", "").strip()
    if batch[:1] != "[":
        return {index: _excerpt(text) for index in indexes}
    wanted, found = set(indexes), {}
    position = index = 0
    while len(found) < len(wanted) and position < len(batch):
        start = _skip(batch, position + 1)
        position = landing.skip_item(batch, start)
        if index in wanted:
            found[index] = _excerpt(batch[start:position])
        if batch[position : position + 1] != ",":
            break
        index += 1
    return found


def _excerpt(text):
    text = text.strip()[:MAX_EXCERPT]
    # lone surrogates are bytes that were no text
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
