from markupsafe import Markup

from odoo import api, fields, models

from ..messages_merge import MESSAGES, render

ACTIONS = [
    ("written", "Moved or Written"),
    ("folded", "Joined with a Row That Was There"),
    ("added", "Added"),
    ("kept", "Left in Place"),
]


class OmniMergeLine(models.Model):
    """What a merge did to one column of one table, cell by cell."""

    _name = "omni.merge.line"
    _description = "Changes of a Merge"
    _order = "merge_id, sequence, id"
    _rec_name = "table_name"
    _log_access = False

    merge_id = fields.Many2one(
        "omni.merge", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="merge_id.company_id")
    sequence = fields.Integer(required=True, readonly=True)
    action = fields.Selection(ACTIONS, required=True, readonly=True)
    table_name = fields.Char("Table", required=True, readonly=True)
    column_name = fields.Char("Column", readonly=True)
    reason = fields.Char("Reason Code", readonly=True)
    cells = fields.Json(
        readonly=True,
        # values of records that the reader may not see
        groups=fields.NO_ACCESS,
    )
    cell_count = fields.Integer("Number of Cells", readonly=True)

    @api.model
    def _label(self, table, column):
        """Return the names of the records and of the field, as the reader knows them."""
        model, relation = self.env["omni.reference"]._table_models().get(
            table, (None, None)
        )
        if not model:
            return table, column or ""
        # sudo: the name of a model, not its records
        label = self.env["ir.model"].sudo()._get(model).name
        field = self.env[model]._fields.get(relation or column or "")
        return label, field._description_string(self.env) if field else column or ""

    def _render(self):
        """Return these lines as a table: what moved, what stayed and why."""
        counts = {}
        for line in self:
            label = self._label(line.table_name, line.column_name)
            if line.action != "written":
                label = (label[0], "")
            key = (line.action, *label, line.reason)
            counts[key] = counts.get(key, 0) + line.cell_count
        actions = dict(self._fields["action"]._description_selection(self.env))
        rows = Markup().join(
            Markup("<tr><td>%s</td><td>%s</td><td class='text-end'>%s</td><td>%s</td></tr>")
            % (
                model,
                field,
                count,
                render(self.env, reason) if reason in MESSAGES else actions[action],
            )
            for (action, model, field, reason), count in sorted(
                counts.items(), key=lambda item: (item[0][0] != "kept", *item[0][:3])
            )
        )
        return Markup(
            "<table class='table table-sm o_omni_merge'><thead><tr><th>%s</th><th>%s</th>"
            "<th class='text-end'>%s</th><th>%s</th></tr></thead><tbody>%s</tbody></table>"
        ) % (
            self.env._("Records"),
            self.env._("Field"),
            self.env._("Number"),
            self.env._("What Happened"),
            rows,
        )
