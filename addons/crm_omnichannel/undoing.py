"""Taking a merge back, cell by cell, where nobody has changed it since."""

import json

import psycopg2

from odoo.tools import SQL

from .tools.merging import put_back, splice

JSON_TYPE = "jsonb"


class Undoing:
    """Takes the lines of one merge back, the last first."""

    def __init__(self, merge):
        self.merge = merge
        self.env = merge.env
        self.cr = merge.env.cr
        self.catalogue = merge.env["omni.reference"]
        self.columns = self.catalogue._columns()
        self.models = self.catalogue._table_models()
        self.conflicts = {}

    def run(self):
        """Put back what still stands.

        :return: list of values of ``omni.merge.conflict``
        """
        for line in self.merge.line_ids.sorted("sequence", reverse=True):
            names = self.columns.get(line.table_name)
            if names is None:
                # its addon is gone, and the rows with it
                continue
            if line.action == "folded":
                self._insert(line.table_name, names, line.cells)
            elif line.action == "added":
                self._remove(line.table_name, line.cells)
            elif line.action == "written" and line.column_name in names:
                self._restore(line)
        self._splice()
        return list(self.conflicts.values())

    # --- CELLS ---

    def _restore(self, line):
        table, column = line.table_name, line.column_name
        if "id" not in self.columns[table]:
            self._restore_keyless(table, column, line.cells)
            return
        cells = {key: (old, new) for key, old, new in line.cells}
        self.cr.execute(
            SQL(
                "SELECT id, %s::text FROM %s WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
                SQL.identifier(column),
                SQL.identifier(table),
                list(cells),
            ),
            log_exceptions=False,
        )
        structured = self.columns[table][column] == JSON_TYPE
        values = {}
        for row_id, now in self.cr.fetchall():
            old, new = cells[row_id]
            value, is_open = put_back(old, new, now, structured)
            if value != now:
                values[row_id] = value
            if is_open:
                self._dispute(table, column, row_id, old, new, now)
        for row_id in self._write(table, column, values):
            self._dispute(table, column, row_id, *cells[row_id], cells[row_id][1])

    def _write(self, table, column, values):
        """Write cells; return the ids of those that a rule does not let through."""
        return self._all_or_each(
            values,
            lambda part: self.cr.execute(
                self._update_query(table, column, part), log_exceptions=False
            ),
        )

    def _update_query(self, table, column, values):
        return SQL(
            "UPDATE %(table)s AS place SET %(column)s = cell.value::%(type)s"
            " FROM unnest(%(ids)s::integer[], %(values)s::text[]) AS cell (id, value)"
            " WHERE place.id = cell.id",
            table=SQL.identifier(table),
            column=SQL.identifier(column),
            type=SQL(self.columns[table][column]),
            ids=list(values),
            values=list(values.values()),
        )

    def _all_or_each(self, items, work):
        """Do a batch; where a rule stands against it, its items one by one.

        :param dict items: key → value
        :return: list of the keys that could not be done
        """
        if not items:
            return []
        try:
            with self.cr.savepoint(flush=False):
                work(items)
        except psycopg2.IntegrityError:
            if len(items) == 1:
                return list(items)
            return [
                failed
                for key, value in items.items()
                for failed in self._all_or_each({key: value}, work)
            ]
        return []

    def _dispute(self, table, column, row_id, old, new, now):
        """Note a cell that somebody has to decide about."""
        model, _relation = self.models.get(table, (None, None))
        name = (table, column, row_id)
        # written twice by the merge: what was before the first time counts
        written = self.conflicts.get(name, {}).get("written_value", new)
        self.conflicts[name] = {
            "merge_id": self.merge.id,
            "table_name": table,
            "column_name": column,
            "res_model": model,
            "res_id": row_id,
            "old_value": old,
            "written_value": written,
            "current_value": now,
        }

    # --- ROWS WITHOUT AN ID ---

    def _restore_keyless(self, table, column, cells):
        """Move rows of a many2many table back, those that are still there."""

        def work(part):
            self.cr.execute(
                SQL(
                    """
                    UPDATE %(table)s AS place SET %(column)s = (cell->>1)::%(type)s
                    FROM jsonb_array_elements(%(cells)s::jsonb) AS cell WHERE %(same)s
                    """,
                    table=SQL.identifier(table),
                    column=SQL.identifier(column),
                    type=SQL(self.columns[table][column]),
                    cells=json.dumps(list(part.values())),
                    same=self._same(table, [key for key, _old in part.values()]),
                ),
                log_exceptions=False,
            )

        self._all_or_each(
            {position: (key, old) for position, (key, old, _new) in enumerate(cells)},
            work,
        )

    def _same(self, table, keys):
        """Return the condition that a row is that of a cell; fast without NULLs."""
        parts = []
        for name, column_type in self.columns[table].items():
            sides = (
                SQL.identifier("place", name),
                SQL("(cell->0->>%s)::%s", name, SQL(column_type)),
            )
            has_null = any(key.get(name) is None for key in keys)
            parts.append(
                SQL("%s IS NOT DISTINCT FROM %s", *sides)
                if has_null
                else SQL("%s = %s", *sides)
            )
        return SQL(" AND ").join(parts)

    # --- ROWS ---

    def _insert(self, table, names, cells):
        """Bring deleted rows back; what they belonged to may be gone for good."""

        def work(part):
            known = [
                name for name in names if any(name in row for row in part.values())
            ]
            self.cr.execute(
                SQL(
                    """
                    INSERT INTO %(table)s (%(columns)s)
                    SELECT %(values)s FROM jsonb_array_elements(%(rows)s::jsonb) AS cell
                    """,
                    table=SQL.identifier(table),
                    columns=SQL(", ").join(SQL.identifier(name) for name in known),
                    values=SQL(", ").join(
                        SQL("(cell->>%s)::%s", name, SQL(names[name])) for name in known
                    ),
                    rows=json.dumps(list(part.values())),
                ),
                log_exceptions=False,
            )

        self._all_or_each(
            {position: row for position, (_key, row, _into) in enumerate(cells)}, work
        )

    def _remove(self, table, cells):
        """Delete the rows that the merge added, if they are as it made them."""
        for _key, _nothing, row in cells:
            self.cr.execute(
                SQL(
                    "DELETE FROM %s AS place WHERE %s",
                    SQL.identifier(table),
                    SQL(" AND ").join(
                        SQL(
                            "place.%s::text IS NOT DISTINCT FROM %s",
                            SQL.identifier(name),
                            row[name],
                        )
                        for name in self.columns[table]
                        if name in row
                    ),
                )
            )

    # --- LATER MERGES ---

    def _splice(self):
        """Where a later merge wrote over this one's value, it is told the one before.

        What stands there is the later merge's, to be put back when that one is undone.
        """
        for later in self.merge._get_later():
            for line in later.line_ids:
                replaced = {
                    json.dumps(row_id): (
                        conflict["written_value"],
                        conflict["old_value"],
                    )
                    for (table, column, row_id), conflict in self.conflicts.items()
                    if (table, column) == (line.table_name, line.column_name)
                }
                if line.action != "written" or not replaced:
                    continue
                cells, found = splice(line.cells, replaced)
                if found:
                    line.cells = cells
                    line.flush_recordset()
                for name in found:
                    key = (line.table_name, line.column_name, json.loads(name))
                    del self.conflicts[key]
