"""Rows in PostgreSQL's binary COPY format.

Quicker than text on both sides: bytes stay bytes, nothing is escaped or parsed.

Source: PostgreSQL's documentation, COPY, "Binary Format".
"""

import struct
from datetime import datetime, timedelta

from .landing import pack

#: column and type of the rows of :func:`landed_row`, in their order
LANDED_COLUMNS = (
    ("position", "integer"),
    ("idempotency_key", "text"),
    ("external_id", "text"),
    ("payload", "bytea"),
    ("updated_at", "timestamp"),
)
HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
TAIL = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)
_EPOCH = datetime(2000, 1, 1)
_MICROSECOND = timedelta(microseconds=1)

_length = struct.Struct("!i").pack
_timestamp = struct.Struct("!iq").pack
# number of columns; length and value of the position; length of the key
_start = struct.Struct("!hiii").pack


def landed_row(position, item):
    """Return the bytes of one row.

    :param int position: its place among the rows
    :param LandedItem item: what landed; its payload is stored packed
    """
    key = item.idempotency_key.encode()
    payload = pack(item.payload)
    external_id = _NULL
    if item.external_id:
        text = item.external_id.encode()
        external_id = _length(len(text)) + text
    updated_at = _NULL
    if item.updated_at:
        updated_at = _timestamp(8, (item.updated_at - _EPOCH) // _MICROSECOND)
    return b"".join(
        (
            _start(len(LANDED_COLUMNS), 4, position, len(key)),
            key,
            external_id,
            _length(len(payload)),
            payload,
            updated_at,
        )
    )
