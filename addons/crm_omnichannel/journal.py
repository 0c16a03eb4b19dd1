"""What a merge changes in the database, cell by cell.

While a journal is open on a cursor, the ORM's own writes, creations and deletions
enter it too (``models/base.py``), whoever makes them: the merge, a computed field, the
step of another addon.
"""

from contextlib import contextmanager

from odoo.tools import SQL

from .tools.merging import compress

KEY = "crm_omnichannel.merge_journal"
STAMPS = frozenset({"write_date", "write_uid"})
#: notes about a merge are no part of it
NOTES = frozenset(
    {"bus_bus", "mail_mail", "mail_message", "mail_notification", "mail_tracking_value"}
)
#: rows of the journal itself
OWN = frozenset({"omni_merge", "omni_merge_line", "omni_merge_conflict"})


def current(env):
    """Return the journal that is open on the cursor, or None."""
    return env.cr.cache.get(KEY)


@contextmanager
def opened(env):
    """Open a journal; what is waiting to be written before it is no part of it."""
    env.flush_all()
    journal = Journal(env)
    env.cr.cache[KEY] = journal
    try:
        yield journal
        env.flush_all()
    finally:
        env.cr.cache.pop(KEY, None)


class Journal:
    """The changes of one merge, in their order."""

    def __init__(self, env):
        self.env = env
        self.cr = env.cr
        self.catalogue = env["omni.reference"]
        self.lines = []
        self.created = {}
        self.gone = {}
        self.mover = None

    # --- NOTE ---

    def note_written(self, table, column, cells):
        """Note changed cells ``[key, old, new]``."""
        self._line("written", table, column).extend(list(cell) for cell in cells)

    def note_kept(self, table, column, keys, reason):
        """Note rows that had to stay as they are."""
        self._line("kept", table, column, reason).extend([key] for key in keys)

    def note_folded(self, table, column, cells):
        """Note deleted rows: ``[key, row, key of the row that stands for it]``."""
        self._line("folded", table, column).extend(list(cell) for cell in cells)
        self.gone.setdefault(table, set()).update(
            key for key, _row, _into in cells if isinstance(key, int)
        )

    def note_created(self, table, row_ids):
        self.created.setdefault(table, set()).update(row_ids)

    def _line(self, action, table, column=None, reason=None):
        """The cells of the last line, if it is of the same kind: the order counts."""
        name = (action, table, column, reason)
        if not self.lines or self.lines[-1][0] != name:
            self.lines.append((name, []))
        return self.lines[-1][1]

    # --- WATCH ---

    @contextmanager
    def watch(self, table, columns, row_ids):
        """Note what the block changes in these cells."""
        columns = [name for name in columns if name not in STAMPS]
        row_ids = sorted(row_ids)
        before = self.texts(table, columns, row_ids)
        yield
        after = self.texts(table, columns, row_ids)
        for position, column in enumerate(columns):
            cells = [
                [row_id, before[row_id][position], after[row_id][position]]
                for row_id in row_ids
                if row_id in before
                and row_id in after
                and before[row_id][position] != after[row_id][position]
            ]
            if cells:
                self.note_written(table, column, cells)

    def texts(self, table, columns, row_ids):
        """Return ``{id: tuple of texts}``."""
        if not columns or not row_ids:
            return {}
        self.cr.execute(
            SQL(
                "SELECT id, %s FROM %s WHERE id = ANY(%s)",
                SQL(", ").join(
                    SQL("%s::text", SQL.identifier(name)) for name in columns
                ),
                SQL.identifier(table),
                list(row_ids),
            )
        )
        return {row_id: tuple(values) for row_id, *values in self.cr.fetchall()}

    def forget(self, table, row_ids, into=None):
        """Note rows that are about to be deleted, and what falls with them.

        :param dict into: row id → id of the row that stands for it
        """
        into = into or {}
        known = self.gone.setdefault(table, set())
        row_ids = [row_id for row_id in row_ids if row_id not in known]
        if not row_ids:
            return
        for other, column, rule in self.catalogue._foreign_keys().get(table, ()):
            if rule == "c":
                self._forget_below(other, column, row_ids)
            elif rule == "n" and "id" in self.catalogue._columns()[other]:
                self.cr.execute(
                    SQL(
                        "SELECT id, %(column)s::text FROM %(table)s"
                        " WHERE %(column)s = ANY(%(ids)s)",
                        column=SQL.identifier(column),
                        table=SQL.identifier(other),
                        ids=row_ids,
                    )
                )
                self.note_written(
                    other, column, [(*row, None) for row in self.cr.fetchall()]
                )
        rows = self.rows(table, SQL("id = ANY(%s)", row_ids))
        self.note_folded(table, None, [[key, row, into.get(key)] for key, row in rows])

    def _forget_below(self, table, column, row_ids):
        condition = SQL("%s = ANY(%s)", SQL.identifier(column), row_ids)
        rows = self.rows(table, condition)
        if "id" in self.catalogue._columns()[table]:
            self.forget(table, [key for key, _row in rows])
        else:
            self.note_folded(table, column, [[key, row, None] for key, row in rows])

    def rows(self, table, condition):
        """Return ``[(key, {column: text})]`` of rows."""
        names = self.catalogue._columns()[table]
        self.cr.execute(
            SQL(
                "SELECT %s FROM %s WHERE %s",
                SQL(", ").join(SQL("%s::text", SQL.identifier(name)) for name in names),
                SQL.identifier(table),
                condition,
            )
        )
        rows = [dict(zip(names, row, strict=True)) for row in self.cr.fetchall()]
        return [(int(row["id"]) if "id" in row else row, row) for row in rows]

    # --- STORE ---

    def store(self, merge):
        """Write the journal, one row a table, column and kind of change."""
        for table, row_ids in self.created.items():
            rows = self.rows(table, SQL("id = ANY(%s)", sorted(row_ids)))
            self._line("added", table).extend([key, None, row] for key, row in rows)
        values = []
        for (action, table, column, reason), cells in self.lines:
            if action == "written":
                created = self.created.get(table, ())
                cells = compress(
                    cell
                    for cell in cells
                    if isinstance(cell[0], dict) or cell[0] not in created
                )
            if cells:
                values.append(
                    {
                        "merge_id": merge.id,
                        "sequence": len(values),
                        "action": action,
                        "table_name": table,
                        "column_name": column,
                        "reason": reason,
                        "cells": cells,
                        "cell_count": len(cells),
                    }
                )
        self.env["omni.merge.line"].create(values)
