"""Many rows at once: COPY into a temporary table, from where one statement goes on."""

from contextlib import closing
from datetime import datetime
from io import StringIO

from odoo.tools import SQL

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
)


def copy_rows(cr, table, columns, rows):
    """Fill a temporary table with rows, numbered in their order.

    It lives as long as the connection, so that a batch does not write the system
    catalogue, and is empty again after the commit; a creation that was rolled back is
    simply made again.

    :param cr: cursor
    :param str table: name of the temporary table, used for this alone
    :param dict columns: name → type in PostgreSQL; ``position`` (from 0) comes first
    :param rows: iterable of tuples in the order of the columns, of str (without NUL
        and lone surrogates), bytes, datetime, int, bool and None
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
    count = 0
    with closing(StringIO()) as buffer:
        for row in rows:
            buffer.write("\t".join((str(count), *map(copy_text, row))) + "\n")
            count += 1
        buffer.seek(0)
        cr.copy_expert(f'COPY "{table}" FROM STDIN', buffer)
    return count


def copy_text(value):
    """A value in the text format of COPY.

    Source: PostgreSQL, "COPY", text format.
    """
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return str(value)
