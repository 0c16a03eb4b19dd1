"""Rows cloned by COPY from one that the ORM wrote."""

import json
from io import StringIO

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
)


def _text(value):
    """Return a value as COPY reads it."""
    if value is None or value is False and value is not True:
        return "\\N" if value is None else "f"
    if value is True:
        return "t"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False).translate(_ESCAPES)
    return str(value)


class Clones:
    """Rows like a prototype, brought in by COPY.

    :param str table: the table
    :param dict prototype: a row as the ORM wrote it
    :param str columns: names of what differs from row to row, ``id`` left out
    :param bool numbered: the table has an id
    """

    def __init__(self, cr, table, prototype, columns, numbered=True):
        self.cr, self.table = cr, table
        changing = (["id"] if numbered else []) + columns.split()
        fixed = {
            name: value
            for name, value in prototype.items()
            if value is not None and name not in changing
        }
        self.columns = [*changing, *fixed]
        self.fixed = [_text(value) for value in fixed.values()]
        self.buffer, self.numbered = StringIO(), numbered
        self.last = self.first = self._last_id() if numbered else 0

    def _last_id(self):
        self.cr.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [self.table]
        )
        return self.cr.fetchone()[0]

    def add(self, *values):
        """Add a row with the changing values in their order; return its id."""
        cells = [_text(value) for value in values]
        if self.numbered:
            self.last += 1
            cells.insert(0, str(self.last))
        self.buffer.write("\t".join(cells + self.fixed) + "\n")
        return self.last

    def follow(self, other):
        """Take ids after another's of the same table, which is not written yet."""
        self.last = other.last
        return self

    def write(self):
        """COPY the rows and move the sequence past their ids."""
        columns = ", ".join(f'"{name}"' for name in self.columns)
        self.buffer.seek(0)
        self.cr.copy_expert(f'COPY "{self.table}" ({columns}) FROM STDIN', self.buffer)
        if self.numbered:
            self.cr.execute(
                "SELECT setval(pg_get_serial_sequence(%s, 'id'),"
                " greatest(%s, (SELECT max(id) FROM " + f'"{self.table}"' + ")))",
                [self.table, self.last],
            )
