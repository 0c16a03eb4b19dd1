"""Many rows at once: COPY into a table, or into a temporary one from where one
statement goes on.

In PostgreSQL's binary format: bytes stay bytes, and nothing is escaped or parsed.
Source: PostgreSQL's documentation, COPY, "Binary Format".
"""

import struct
from contextlib import closing
from datetime import datetime, timedelta
from io import BytesIO

from odoo.tools import SQL

_HEAD = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
_TAIL = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)
_EPOCH = datetime(2000, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_length = struct.Struct("!i").pack
_count = struct.Struct("!h").pack
_bigint = struct.Struct("!q").pack


def _timestamp(value):
    return _bigint((value - _EPOCH) // _MICROSECOND)


def _jsonb(value):
    # a version number, then the text
    return b"\x01" + value


_ENCODERS = {
    "boolean": struct.Struct("!?").pack,
    "bytea": bytes,
    "integer": _length,
    "jsonb": _jsonb,
    "text": str.encode,
    "timestamp": _timestamp,
}


def copy_rows(cr, table, columns, rows):
    """Fill a temporary table with rows, numbered in their order.

    It lives as long as the connection, so that a batch does not write the system
    catalogue, and is empty again after the commit; a creation that was rolled back is
    simply made again.

    :param cr: cursor
    :param str table: name of the temporary table, used for this alone
    :param dict columns: as for :func:`copy_into`; ``position`` (from 0) comes first
    :param rows: as for :func:`copy_into`
    :return: number of rows
    """
    cr.execute(
        SQL(
            "CREATE TEMPORARY TABLE IF NOT EXISTS %s (position integer, %s)"
            " ON COMMIT DELETE ROWS",
            SQL.identifier(table),
            SQL(", ").join(
                SQL("%s %s", SQL.identifier(name), SQL(kind))
                for name, kind in columns.items()
            ),
        )
    )
    # two batches may share a transaction
    cr.execute(SQL("DELETE FROM %s", SQL.identifier(table)))
    return copy_into(
        cr,
        table,
        {"position": "integer", **columns},
        ((position, *row) for position, row in enumerate(rows)),
    )


def copy_into(cr, table, columns, rows):
    """Bring rows into a table.

    :param cr: cursor
    :param str table: name of the table, which may be partitioned
    :param dict columns: name → type in PostgreSQL, one of boolean, bytea, integer,
        jsonb (bytes, UTF-8), text and timestamp
    :param rows: iterable of tuples in the order of the columns; texts without NUL and
        lone surrogates, None for NULL
    :return: number of rows
    """
    encoders = [_ENCODERS[kind] for kind in columns.values()]
    start = _count(len(encoders))
    count = 0
    with closing(BytesIO()) as buffer:
        buffer.write(_HEAD)
        for row in rows:
            cells = [start]
            for encode, value in zip(encoders, row, strict=True):
                if value is None:
                    cells.append(_NULL)
                else:
                    data = encode(value)
                    cells += (_length(len(data)), data)
            buffer.write(b"".join(cells))
            count += 1
        buffer.write(_TAIL)
        buffer.seek(0)
        names = ", ".join(f'"{name}"' for name in columns)
        cr.copy_expert(f'COPY "{table}" ({names}) FROM STDIN (FORMAT binary)', buffer)
    return count
