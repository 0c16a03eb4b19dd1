import json

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

from ..columns import shown


class OmniMergeConflict(models.Model):
    """A cell that was changed after a merge, for which somebody decides."""

    _name = "omni.merge.conflict"
    _description = "Change Since a Merge"
    _order = "merge_id, id"
    _rec_name = "record_name"

    merge_id = fields.Many2one(
        "omni.merge", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="merge_id.company_id")
    table_name = fields.Char("Table", required=True, readonly=True)
    column_name = fields.Char("Column", required=True, readonly=True)
    res_model = fields.Char("Model", readonly=True)
    res_id = fields.Integer("Record", readonly=True)
    # as they stand in the database; what the reader sees of them is shown below
    old_value = fields.Text(readonly=True, groups=fields.NO_ACCESS)
    written_value = fields.Text(readonly=True, groups=fields.NO_ACCESS)
    current_value = fields.Text(readonly=True, groups=fields.NO_ACCESS)
    decision = fields.Selection(
        [("keep", "Keep the Later Value"), ("put_back", "Put Back the Old One")],
        required=True,
        default="keep",
    )
    decided = fields.Boolean(readonly=True)
    record_name = fields.Char("Changed Record", compute="_compute_shown")
    field_name = fields.Char("Field", compute="_compute_shown")
    old_shown = fields.Char("Before the Merge", compute="_compute_shown")
    current_shown = fields.Char("Now", compute="_compute_shown")

    def write(self, vals):
        """A person writes the decision only: the rest says what is put back where."""
        if not self.env.su and set(vals) - {"decision"}:
            raise AccessError(
                self.env._("The journal of a merge is not changed by hand.")
            )
        return super().write(vals)

    @api.depends("res_model", "res_id", "column_name")
    @api.depends_context("lang", "uid")
    def _compute_shown(self):
        """What the reader may see: by their rights, masked where a policy says so."""
        for conflict in self:
            label, field = self.env["omni.merge.line"]._label(
                conflict.table_name, conflict.column_name
            )
            conflict.field_name = field
            record = conflict._get_record()
            readable = bool(record) and record.has_access("read")
            conflict.record_name = record.display_name if readable else label
            # sudo: the values are closed; each is shown as its field is
            values = conflict.sudo()
            for name in ("old", "current"):
                conflict[f"{name}_shown"] = (
                    conflict._show(record, values[f"{name}_value"]) if readable else "…"
                )

    def _get_record(self):
        if self.res_model not in self.env:
            return None
        return self.env[self.res_model].browse(self.res_id).exists()

    def _show(self, record, text):
        field = record._fields.get(self.column_name)
        if not field or not text:
            return ""
        value = text
        if field.type == "many2one" and not field.company_dependent:
            other = self.env[field.comodel_name].browse(int(text)).exists()
            value = other.display_name if other and other.has_access("read") else "…"
        elif field.type == "selection" and not field.company_dependent:
            value = dict(field._description_selection(self.env)).get(text, text)
        return shown(record, self.column_name, value) or "…"

    def _apply(self):
        """Carry out the decisions; what changed once more meanwhile is put back too."""
        columns = self.env["omni.reference"]._columns()
        for conflict in self.filtered(lambda conflict: not conflict.decided):
            if conflict.decision == "put_back":
                conflict._put_back(columns[conflict.table_name])
        self.decided = True
        self.env.flush_all()

    def _put_back(self, names):
        """Write the old value; of an object only the keys that the merge wrote."""
        column = SQL.identifier(self.column_name)
        table = SQL.identifier(self.table_name)
        value = self.old_value or None
        if names[self.column_name] == "jsonb":
            value = self._old_object(table, column)
        self.env.cr.execute(
            SQL(
                "UPDATE %s SET %s = %s::%s WHERE id = %s",
                table,
                column,
                value,
                SQL(names[self.column_name]),
                self.res_id,
            )
        )
        self.env.invalidate_all(flush=False)
        record = self._get_record()
        if record:
            record.modified([self.column_name])

    def _old_object(self, table, column):
        """Return what stands now with the merge's keys as they were before it."""
        [[current]] = self.env.execute_query(
            SQL("SELECT %s::text FROM %s WHERE id = %s", column, table, self.res_id)
        )
        old, written, now = (
            json.loads(text or "{}")
            for text in (self.old_value, self.written_value, current)
        )
        if not all(isinstance(value, dict) for value in (old, written, now)):
            return self.old_value or None
        touched = {key for key in {*old, *written} if old.get(key) != written.get(key)}
        kept = {key: value for key, value in now.items() if key not in touched}
        kept.update({key: old[key] for key in touched if key in old})
        return json.dumps(kept) if kept or self.old_value else None
