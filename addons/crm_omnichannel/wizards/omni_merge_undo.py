from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..models.omni_merge import RULES


class OmniMergeUndo(models.TransientModel):
    """Take many merges back: those of a rule, of a time, or chosen in the list."""

    _name = "omni.merge.undo"
    _description = "Undo Merges"

    merge_ids = fields.Many2many(
        "omni.merge",
        string="Chosen Merges",
        default=lambda self: self._default_merges(),
    )
    rule = fields.Selection(RULES, help="Empty: merges of all rules.")
    date_from = fields.Datetime("From")
    date_to = fields.Datetime("To")
    merge_count = fields.Integer("Merges to Undo", compute="_compute_merge_count")
    refused = fields.Text("Not Undone", readonly=True)
    undone_count = fields.Integer("Undone", readonly=True)
    partly_count = fields.Integer("Partly Undone", readonly=True)
    state = fields.Selection(
        [("ask", "Choose"), ("told", "Result")], default="ask", required=True
    )

    @api.model
    def _default_merges(self):
        if self.env.context.get("active_model") != "omni.merge":
            return False
        return self.env["omni.merge"].browse(self.env.context.get("active_ids", ()))

    @api.depends("merge_ids", "rule", "date_from", "date_to")
    def _compute_merge_count(self):
        for wizard in self:
            domain = wizard._get_domain()
            wizard.merge_count = (
                self.env["omni.merge"].search_count(domain) if domain else 0
            )

    def _get_domain(self):
        """Return which merges are meant; None while nothing is chosen."""
        terms = [
            [term]
            for term in (
                self.merge_ids and ("id", "in", self.merge_ids.ids),
                self.rule and ("rule", "=", self.rule),
                self.date_from and ("merged_at", ">=", self.date_from),
                self.date_to and ("merged_at", "<=", self.date_to),
            )
            if term
        ]
        return Domain.AND([[("state", "=", "done")], *terms]) if terms else None

    def action_undo(self):
        """Undo them, the newest first; one that cannot be undone holds up no other."""
        self.ensure_one()
        domain = self._get_domain()
        if domain is None:
            raise UserError(self.env._("Choose a rule, a time, or merges in the list."))
        merges = self.env["omni.merge"].search(domain, order="merged_at desc, id desc")
        refused = []
        for merge in merges:
            try:
                with self.env.cr.savepoint():
                    merge.action_undo()
            except UserError as error:
                refused.append(f"{merge.display_name}: {error}")
        states = merges.mapped("state")
        self.write(
            {
                "state": "told",
                "refused": "\n".join(refused),
                "undone_count": states.count("undone"),
                "partly_count": states.count("partly"),
            }
        )
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Undo Merges"),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }

    def action_view_partly(self):
        """Open the merges about which something is to be decided."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_omnichannel.omni_merge_action"
        )
        action["domain"] = [("state", "=", "partly")]
        action["context"] = {}
        return action
