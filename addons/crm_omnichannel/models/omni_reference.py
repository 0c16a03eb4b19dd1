from collections import defaultdict

from odoo import api, models, tools
from odoo.tools import SQL


class OmniReference(models.AbstractModel):
    """Where the database refers to records, read from its catalogue and the registry.

    Upper addons extend ``_left_out`` and ``_kept_conditions``.
    """

    _name = "omni.reference"
    _description = "References to Records"

    # --- CATALOGUE ---

    @api.model
    @tools.ormcache()
    def _columns(self):
        """Return ``{table: {column: type as SQL}}`` of all tables."""
        columns = defaultdict(dict)
        for table, column, column_type in self.env.execute_query(
            SQL(
                """
                SELECT class.relname, attribute.attname,
                       format_type(attribute.atttypid, attribute.atttypmod)
                FROM pg_class AS class
                JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
                WHERE class.relkind IN ('r', 'p') AND NOT class.relispartition
                  AND class.relnamespace = current_schema::regnamespace
                  AND attribute.attnum > 0 AND NOT attribute.attisdropped
                  AND attribute.attgenerated = ''
                ORDER BY class.relname, attribute.attnum
                """
            )
        ):
            columns[table][column] = column_type
        return dict(columns)

    @api.model
    @tools.ormcache()
    def _foreign_keys(self):
        """Return ``{table: ((table, column, rule), …)}``: who refers to a table's ids.

        ``rule`` is what happens on deletion, as ``pg_constraint.confdeltype``.
        """
        found = defaultdict(list)
        for target, table, column, rule in self.env.execute_query(
            SQL(
                """
                SELECT target.relname, class.relname, attribute.attname,
                       key.confdeltype
                FROM pg_constraint AS key
                JOIN pg_class AS class ON class.oid = key.conrelid
                JOIN pg_class AS target ON target.oid = key.confrelid
                JOIN pg_attribute AS attribute
                  ON attribute.attrelid = key.conrelid
                 AND attribute.attnum = key.conkey[1]
                WHERE key.contype = 'f' AND cardinality(key.conkey) = 1
                  AND key.conparentid = 0
                  AND class.relnamespace = current_schema::regnamespace
                ORDER BY class.relname, attribute.attname
                """
            )
        ):
            found[target].append((table, column, rule))
        return {target: tuple(keys) for target, keys in found.items()}

    @api.model
    @tools.ormcache()
    def _unique_keys(self):
        """Return ``{table: ((columns, (expression, …), condition), …)}``.

        Primary keys of tables without an id are among them; ``columns`` are all that
        the expressions and the condition name.
        """
        found = defaultdict(list)
        for table, columns, expressions, condition in self.env.execute_query(
            SQL(
                """
                SELECT class.relname,
                       ARRAY(
                           SELECT attribute.attname::text FROM pg_depend AS part
                           JOIN pg_attribute AS attribute
                             ON attribute.attrelid = part.refobjid
                            AND attribute.attnum = part.refobjsubid
                           WHERE part.objid IN (unique_index.indexrelid, key.oid)
                             AND part.refobjid = class.oid
                       ),
                       ARRAY(
                           SELECT pg_get_indexdef(unique_index.indexrelid, position,
                                                  true)
                           FROM generate_series(1, unique_index.indnkeyatts)
                                AS position
                       ),
                       pg_get_expr(unique_index.indpred, unique_index.indrelid)
                FROM pg_index AS unique_index
                JOIN pg_class AS class ON class.oid = unique_index.indrelid
                LEFT JOIN pg_constraint AS key
                  ON key.conindid = unique_index.indexrelid
                 AND key.contype IN ('p', 'u')
                WHERE unique_index.indisunique
                  AND class.relkind IN ('r', 'p') AND NOT class.relispartition
                  AND class.relnamespace = current_schema::regnamespace
                ORDER BY class.relname, unique_index.indexrelid
                """
            )
        ):
            found[table].append((frozenset(columns), tuple(expressions), condition))
        return {table: tuple(keys) for table, keys in found.items()}

    @api.model
    @tools.ormcache()
    def _named_references(self):
        """Return ``((table, id column, model column), …)`` of the pairs of columns."""
        found = set()
        for model in self._stored_models():
            for field in model._fields.values():
                if field.type == "many2one_reference" and field.store:
                    name = model._fields[field.model_field]
                    if name.store and name.column_type:
                        found.add((model._table, field.name, name.name))
            for name in ("res_model", "model"):
                pair = (model._fields.get("res_id"), model._fields.get(name))
                if (
                    all(field and field.store for field in pair)
                    and pair[0].type == "integer"
                    and pair[1].type in ("char", "selection")
                ):
                    found.add((model._table, "res_id", name))
        return tuple(sorted(found))

    @api.model
    @tools.ormcache()
    def _reference_columns(self):
        """Return ``((table, column), …)`` of the Reference fields: ``model,id``."""
        return tuple(
            sorted(
                (model._table, field.name)
                for model in self._stored_models()
                for field in model._fields.values()
                if field.type == "reference" and field.store
            )
        )

    @api.model
    @tools.ormcache()
    def _properties_columns(self):
        """Return ``((table, column, parent column, parent table, definition), …)``."""
        found = []
        for model in self._stored_models():
            for field in model._fields.values():
                if field.type != "properties" or not field.store:
                    continue
                parent = model._fields[field.definition_record]
                if not parent.store:
                    continue
                holder = self.env[parent.comodel_name]
                found.append(
                    (
                        model._table,
                        field.name,
                        parent.name,
                        holder._table,
                        field.definition_record_field,
                    )
                )
        return tuple(sorted(found))

    @api.model
    def _stored_models(self):
        """Yield the models that have a table of their own."""
        for name in self.env.registry:
            model = self.env[name]
            if model._auto and not model._abstract and not model._transient:
                yield model

    @api.model
    @tools.ormcache()
    def _table_models(self):
        """Return ``{table: (model, field)}``; field: of a many2many table, or None."""
        found = {}
        for name in sorted(self.env.registry):
            model = self.env[name]
            if model._abstract:
                continue
            if model._auto:
                found.setdefault(model._table, (name, None))
            for field in model._fields.values():
                if field.type == "many2many" and field.store and field.relation:
                    found.setdefault(field.relation, (name, field.name))
        return found

    # --- RULES ---

    @api.model
    def _left_out(self):
        """Return tables, and ``(table, column)``, that a merge does not look at."""
        left_out = {
            "omni_merge",
            "omni_merge_line",
            "omni_merge_conflict",
            # the chain of merges is its own story
            ("res_partner", "merged_into_id"),
            # a pair is about the two who were compared
            ("omni_match", "left_id"),
            ("omni_match", "right_id"),
        }
        for table, (name, _field) in self._table_models().items():
            # an open dialog
            if self.env[name]._transient:
                left_out.add(table)
        return left_out

    @api.model
    def _kept_conditions(self):
        """Return ``{table: (reason, SQL)}``: which rows must stay as they are.

        The condition names the row as ``place`` and what would be moved as ``pair``
        (``source``, ``target``).
        """
        hashed = SQL(
            "EXISTS (SELECT FROM account_move AS entry WHERE entry.id = place.move_id"
            " AND entry.inalterable_hash IS NOT NULL)"
        )
        return {
            # their partner is part of what the hash seals
            "account_move": ("hashed", SQL("place.inalterable_hash IS NOT NULL")),
            "account_move_line": ("hashed", hashed),
            "account_payment": ("hashed", hashed),
            "account_bank_statement_line": ("hashed", hashed),
            # a record has one picture a field
            "ir_attachment": (
                "picture",
                SQL(
                    "EXISTS (SELECT FROM ir_attachment AS other"
                    " WHERE other.res_model = place.res_model"
                    " AND other.res_field = place.res_field"
                    " AND other.res_id::text = pair.target)"
                ),
            ),
        }
