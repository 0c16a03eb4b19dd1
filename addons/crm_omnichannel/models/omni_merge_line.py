from markupsafe import Markup

from odoo import api, fields, models

from ..columns import shown
from ..messages_merge import MESSAGES, render

ACTIONS = [
    ("written", "Moved to the Survivor"),
    ("folded", "Joined with a Row That Was There"),
    ("added", "Added"),
    ("kept", "Left in Place"),
]
#: columns of a customer that only say that there was a merge
TECHNICAL = frozenset({"active", "merged_into_id", "omni_provenance"})
SHOWN_TYPES = frozenset({"char", "date", "integer"})


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
        """Return the names of the records and the field, as the reader knows them."""
        model, relation = (
            self.env["omni.reference"]._table_models().get(table, (None, None))
        )
        if not model:
            return table, column or ""
        # sudo: the name of a model, not its records
        label = self.env["ir.model"].sudo()._get(model).name
        field = self.env[model]._fields.get(relation or column or "")
        return label, field._description_string(self.env) if field else column or ""

    def _render(self):
        """Return these lines as a table: what stayed and why, what moved, what changed.

        Values are shown as their fields are to the reader.
        """
        counts = {}
        for line in self:
            if line._is_technical():
                continue
            label, field = line._label(line.table_name, line.column_name)
            if line.action != "written":
                field = ""
            key = (line._rank(), label, field, line._tell())
            counts[key] = counts.get(key, 0) + line.cell_count
        rows = Markup().join(
            Markup(
                "<tr><td>%s</td><td>%s</td><td class='text-end'>%s</td><td>%s</td></tr>"
            )
            % (model, field, count, told)
            for (_rank, model, field, told), count in sorted(counts.items())
        )
        return Markup(
            "<div class='table-responsive'>"
            "<table class='table table-sm o_omni_merge'><thead><tr><th>%s</th>"
            "<th>%s</th><th class='text-end'>%s</th><th>%s</th></tr></thead>"
            "<tbody>%s</tbody></table></div>"
        ) % (
            self.env._("Records"),
            self.env._("Field"),
            self.env._("Number"),
            self.env._("What Happened"),
            rows,
        )

    def _is_technical(self):
        """Whether the line follows from another, or says that somebody was merged."""
        field = self._get_field()
        return self.table_name == "res_partner" and (
            self.column_name in TECHNICAL or field and field.compute and field.readonly
        )

    def _get_field(self):
        model, _relation = (
            self.env["omni.reference"]
            ._table_models()
            .get(self.table_name, (None, None))
        )
        return model and self.env[model]._fields.get(self.column_name)

    def _rank(self):
        return (self.action != "kept", self._is_value(), self.action != "written")

    def _is_value(self):
        """Whether the line is a value that the survivor took over."""
        field = self._get_field()
        return (
            self.action == "written"
            and self.table_name == "res_partner"
            and field.comodel_name != "res.partner"
        )

    def _tell(self):
        if self.reason in MESSAGES:
            return render(self.env, self.reason)
        if not self._is_value():
            return dict(self._fields["action"]._description_selection(self.env))[
                self.action
            ]
        field, partner = self._get_field(), self.merge_id.target_id
        # sudo: cells are closed; the value is shown as the field of the survivor is
        [*_others, (key, _old, text)] = self.sudo().cells
        if field.type not in SHOWN_TYPES or field.company_dependent or not text:
            return self.env._("Taken over by the survivor")
        if key != partner.id:
            return self.env._("Changed with it")
        return self.env._(
            "Taken over by the survivor: %(value)s",
            value=shown(partner, self.column_name, text) or "…",
        )
