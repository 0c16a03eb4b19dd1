"""References that follow a record to another one, in batched statements.

A row that a unique rule would not let through is folded: what refers to it follows the
row that stands there already, by the same means, and it is deleted; the journal keeps
it whole. Rows that must stay are left and noted.
"""

import json

import psycopg2

from odoo.tools import SQL

MAX_DEPTH = 8


def literal(text):
    """Return code of the catalogue as SQL."""
    return SQL(text.replace("%", "%%"))


class Mover:
    """Moves references and enters what it does in a journal."""

    def __init__(self, journal):
        self.journal = journal
        self.env = journal.env
        self.cr = journal.cr
        self.catalogue = journal.catalogue
        self.columns = self.catalogue._columns()
        self.left_out = self.catalogue._left_out()
        self.kept = self.catalogue._kept_conditions()
        #: ``{(table, column): ids of the rows that were moved}``
        self.moved = {}

    def move_records(self, table, pairs, depth=0):
        """Let all references to records follow to others.

        :param str table: of the records
        :param dict pairs: id → id to which its references go
        """
        ids = {str(old): str(new) for old, new in pairs.items()}
        for other, column in self._used_keys(table, list(pairs)):
            self.move(other, column, ids, depth=depth)
        model = self.catalogue._table_models().get(table, (None, None))[0]
        if model:
            self._move_named(model, ids, depth)

    def _used_keys(self, table, row_ids):
        """Return the foreign keys that have rows for these ids, found in one query."""
        keys = [
            (other, column)
            for other, column, _rule in self.catalogue._foreign_keys().get(table, ())
            if other not in self.left_out and (other, column) not in self.left_out
        ]
        if not keys:
            return []
        [found] = self.env.execute_query(
            SQL(
                "SELECT %s",
                SQL(", ").join(
                    SQL(
                        "EXISTS (SELECT FROM %s WHERE %s = ANY(%s))",
                        SQL.identifier(other),
                        SQL.identifier(column),
                        row_ids,
                    )
                    for other, column in keys
                ),
            )
        )
        return [key for key, used in zip(keys, found, strict=True) if used]

    def _move_named(self, model, pairs, depth):
        for table, column, model_column in self.catalogue._named_references():
            if table not in self.left_out:
                condition = SQL("%s = %s", SQL.identifier("place", model_column), model)
                self.move(table, column, pairs, condition, depth)
        named = {f"{model},{old}": f"{model},{new}" for old, new in pairs.items()}
        for table, column in self.catalogue._reference_columns():
            if table not in self.left_out:
                self.move(table, column, named, depth=depth)

    # --- ONE COLUMN ---

    def move(self, table, column, pairs, condition=None, depth=0):
        """Move the rows of a column, as far as nothing forbids it.

        :param dict pairs: old → new value, as texts
        :param SQL condition: which rows, named ``place``; None: all
        """
        place = _Place(self, table, column, pairs, condition)
        if not place.is_used():
            return
        self._keep(place)
        if depth < MAX_DEPTH:
            self._fold(place, depth)
        try:
            with self.cr.savepoint(flush=False):
                cells = place.update()
        except psycopg2.IntegrityError:
            self.journal.note_kept(table, column, place.keys(), "constraint")
            return
        if cells:
            self.journal.note_written(table, column, cells)
            if place.has_id:
                self.moved.setdefault((table, column), []).extend(
                    key for key, _old, _new in cells
                )

    def _keep(self, place):
        if place.table not in self.kept:
            return
        reason, condition = self.kept[place.table]
        keys = place.keys(condition)
        if keys:
            self.journal.note_kept(place.table, place.column, keys, reason)
            place.leave(condition)

    def _fold(self, place, depth):
        """Give way to the rows that stand where these would go."""
        folded = {}
        for columns, expressions, predicate in self.catalogue._unique_keys().get(
            place.table, ()
        ):
            if place.column in columns and expressions != ("id",):
                folded.update(
                    (_name(key), (key, into))
                    for key, into in place.collisions(expressions, predicate)
                )
        if not folded:
            return
        if place.has_id:
            into = {int(key): int(other) for key, other in folded.values()}
            self.move_records(place.table, into, depth + 1)
            held = self._held(place.table, list(into))
            if held:
                self.journal.note_kept(place.table, place.column, held, "referenced")
                place.leave(SQL("place.id = ANY(%s)", held))
                into = {key: other for key, other in into.items() if key not in held}
            self.journal.forget(place.table, list(into), into)
            self.cr.execute(
                SQL(
                    "DELETE FROM %s WHERE id = ANY(%s)",
                    SQL.identifier(place.table),
                    list(into),
                )
            )
            return
        self.journal.note_folded(
            place.table,
            place.column,
            [[key, key, other] for key, other in folded.values()],
        )
        place.delete([key for key, _other in folded.values()])

    def _held(self, table, row_ids):
        """Return the rows that cannot be deleted: what stayed refers to them."""
        held = set()
        for other, column, rule in self.catalogue._foreign_keys().get(table, ()):
            if rule in ("a", "r"):
                name = SQL.identifier(column)
                held.update(
                    row_id
                    for [row_id] in self.env.execute_query(
                        SQL(
                            "SELECT DISTINCT %s FROM %s WHERE %s = ANY(%s)",
                            name,
                            SQL.identifier(other),
                            name,
                            row_ids,
                        )
                    )
                )
        return sorted(held)

    # --- VALUES WITHIN JSON ---

    def rewrite(self, table, column, expression, condition):
        """Change a column by an expression over the row ``place``, with its journal."""
        self.cr.execute(
            SQL(
                """
                UPDATE %(table)s AS place SET %(column)s = %(expression)s
                FROM %(table)s AS old
                WHERE old.id = place.id AND %(condition)s
                RETURNING place.id, old.%(column)s::text, place.%(column)s::text
                """,
                table=SQL.identifier(table),
                column=SQL.identifier(column),
                expression=expression,
                condition=condition,
            )
        )
        cells = [list(row) for row in self.cr.fetchall() if row[1] != row[2]]
        if cells:
            self.journal.note_written(table, column, cells)

    def move_company_values(self, model, source, target):
        """Move the references in company-dependent columns and in their defaults."""
        for field in self.env.registry.many2one_company_dependents[model]:
            table = self.env[field.model_name]._table
            column = SQL.identifier("place", field.name)
            self.rewrite(
                table,
                field.name,
                SQL(
                    """
                    (SELECT jsonb_object_agg(key, CASE WHEN value = to_jsonb(%s)
                        THEN to_jsonb(%s) ELSE value END) FROM jsonb_each(%s))
                    """,
                    source,
                    target,
                    column,
                ),
                SQL(
                    "jsonb_path_exists(%s, '$.* ? (@ == $id)',"
                    " jsonb_build_object('id', %s))",
                    column,
                    source,
                ),
            )
        self.rewrite(
            "ir_default",
            "json_value",
            SQL("%s", str(target)),
            SQL(
                """
                place.json_value = %s AND place.field_id IN (
                    SELECT id FROM ir_model_fields
                    WHERE relation = %s AND ttype = 'many2one'
                )
                """,
                str(source),
                model,
            ),
        )

    def move_properties(self, model, source, target):
        """Move the references in properties whose definition names the model."""
        for (
            table,
            column,
            parent,
            holder,
            definition,
        ) in self.catalogue._properties_columns():
            for holder_id, name, kind in self.env.execute_query(
                SQL(
                    """
                    SELECT holder.id, item->>'name', item->>'type'
                    FROM %(holder)s AS holder,
                         jsonb_array_elements(holder.%(definition)s) AS item
                    WHERE jsonb_typeof(holder.%(definition)s) = 'array'
                      AND item->>'comodel' = %(model)s
                      AND item->>'type' IN ('many2one', 'many2many')
                    """,
                    holder=SQL.identifier(holder),
                    definition=SQL.identifier(definition),
                    model=model,
                )
            ):
                self._move_property(
                    table,
                    column,
                    SQL("place.%s = %s", SQL.identifier(parent), holder_id),
                    name,
                    kind,
                    source,
                    target,
                )

    def _move_property(self, table, column, condition, name, kind, source, target):
        place = SQL.identifier("place", column)
        if kind == "many2one":
            value = SQL("to_jsonb(%s)", target)
            held = SQL("%s->%s = to_jsonb(%s)", place, name, source)
        else:
            # the survivor once, in the place of the first of the two
            value = SQL(
                """
                (SELECT jsonb_agg(id ORDER BY position) FROM (
                    SELECT id, min(position) AS position FROM (
                        SELECT CASE WHEN item = to_jsonb(%(source)s)
                            THEN to_jsonb(%(target)s) ELSE item END AS id, position
                        FROM jsonb_array_elements(%(place)s->%(name)s)
                            WITH ORDINALITY AS items (item, position)
                    ) AS moved GROUP BY id
                ) AS once)
                """,
                source=source,
                target=target,
                place=place,
                name=name,
            )
            held = SQL("%s->%s @> to_jsonb(%s)", place, name, source)
        self.rewrite(
            table,
            column,
            SQL("jsonb_set(%s, ARRAY[%s], %s)", place, name, value),
            SQL("%s AND %s", condition, held),
        )


def _name(key):
    return key if isinstance(key, str | int) else tuple(sorted(key.items()))


class _Place:
    """Rows of one column that are to follow."""

    def __init__(self, mover, table, column, pairs, condition):
        self.mover = mover
        self.cr = mover.cr
        self.table = table
        self.column = column
        self.names = mover.columns[table]
        self.has_id = "id" in self.names
        self.type = SQL(self.names[column])
        self.condition = condition or SQL("TRUE")
        if table == "res_partner":
            # the one who goes keeps what they say of themselves
            self.condition = SQL(
                "%s AND place.id::text <> ALL(%s)", self.condition, list(pairs)
            )
        self.pairs = SQL(
            "unnest(%s::text[], %s::text[]) AS pair (source, target)",
            list(pairs),
            list(pairs.values()),
        )
        self.where = SQL(
            "place.%s = pair.source::%s AND %s",
            SQL.identifier(column),
            self.type,
            self.condition,
        )
        self.values = list(pairs)

    def _query(self, what, more=None):
        self.cr.execute(
            SQL(
                "SELECT %s FROM %s AS place, %s WHERE %s AND %s",
                what,
                SQL.identifier(self.table),
                self.pairs,
                self.where,
                more or SQL("TRUE"),
            )
        )
        return self.cr.fetchall()

    def is_used(self):
        return bool(self._query(SQL("1"), SQL("TRUE LIMIT 1")))

    def leave(self, condition):
        self.where = SQL("%s AND NOT coalesce(%s, FALSE)", self.where, condition)

    def keys(self, condition=None):
        return [key for [key] in self._query(self._key("place"), condition)]

    def _key(self, alias):
        if self.has_id:
            return SQL.identifier(alias, "id")
        parts = SQL(", ").join(
            SQL("%s::text, %s::text", name, SQL.identifier(alias, name))
            for name in self.names
        )
        return SQL("jsonb_build_object(%s)", parts)

    def collisions(self, expressions, predicate):
        """Return ``[(key, key of the row that stands there)]``."""
        keys = [
            (literal(expression), SQL.identifier(f"key_{position}"))
            for position, expression in enumerate(expressions)
        ]
        parts = SQL(", ").join(SQL("%s AS %s", *key) for key in keys)
        fits = SQL("(%s)", literal(predicate)) if predicate else SQL("TRUE")
        moved = SQL(", ").join(
            SQL("pair.target::%s AS %s", self.type, SQL.identifier(name))
            if name == self.column
            else SQL.identifier("place", name)
            for name in self.names
        )
        key = self._key("spot")
        table = SQL.identifier(self.table)
        self.cr.execute(
            SQL(
                """
                SELECT moved.key, min(standing.key::text) FROM (
                    SELECT old_key AS key, %(parts)s FROM (
                        SELECT %(old_key)s AS old_key, %(moved)s
                        FROM %(table)s AS place, %(pairs)s WHERE %(where)s
                    ) AS spot WHERE %(fits)s
                ) AS moved
                JOIN (
                    SELECT %(key)s AS key, %(parts)s FROM %(table)s AS spot
                    WHERE %(fits)s AND NOT spot.%(column)s::text = ANY(%(values)s)
                ) AS standing USING (%(names)s)
                GROUP BY moved.key
                """,
                parts=parts,
                old_key=self._key("place"),
                moved=moved,
                table=table,
                pairs=self.pairs,
                where=self.where,
                fits=fits,
                key=key,
                column=SQL.identifier(self.column),
                values=self.values,
                names=SQL(", ").join(name for _expression, name in keys),
            )
        )
        return self.cr.fetchall()

    def update(self):
        """Move the rows; return their cells."""
        self.cr.execute(
            SQL(
                """
                UPDATE %(table)s AS place SET %(column)s = pair.target::%(type)s
                FROM %(pairs)s WHERE %(where)s
                RETURNING %(key)s, pair.source, pair.target
                """,
                table=SQL.identifier(self.table),
                column=SQL.identifier(self.column),
                type=self.type,
                pairs=self.pairs,
                where=self.where,
                key=self._key("place"),
            ),
            log_exceptions=False,
        )
        return [list(row) for row in self.cr.fetchall()]

    def delete(self, keys):
        self.cr.execute(
            SQL(
                "DELETE FROM %s AS place USING %s"
                " WHERE %s AND %s IN (SELECT jsonb_array_elements(%s::jsonb))",
                SQL.identifier(self.table),
                self.pairs,
                self.where,
                self._key("place"),
                json.dumps(keys),
            )
        )
