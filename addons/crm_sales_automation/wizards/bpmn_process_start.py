from odoo import api, fields, models
from odoo.exceptions import UserError


class BpmnProcessStart(models.TransientModel):
    _name = "bpmn.process.start"
    _description = "Start a Process"

    lead_id = fields.Many2one(
        "crm.lead", string="Opportunity", required=True, readonly=True
    )
    available_ids = fields.Many2many("bpmn.process", compute="_compute_available_ids")
    process_id = fields.Many2one(
        "bpmn.process",
        compute="_compute_process_id",
        store=True,
        readonly=False,
        precompute=True,
        domain="[('id', 'in', available_ids)]",
    )

    @api.depends("lead_id")
    def _compute_available_ids(self):
        for wizard in self:
            wizard.available_ids = wizard._available()

    @api.depends("lead_id")
    def _compute_process_id(self):
        """The only one there is, or nothing chosen."""
        for wizard in self:
            available = wizard._available()
            wizard.process_id = available if len(available) == 1 else False

    def _available(self):
        """Versions in use that do not run on the opportunity."""
        if not self.lead_id:
            return self.env["bpmn.process"]
        running = self.lead_id.bpmn_instance_ids.filtered(
            lambda i: i.state not in ("done", "cancelled")
        )
        return self.env["bpmn.process"].search(
            [
                ("state", "=", "deployed"),
                ("res_model", "=", "crm.lead"),
                ("company_id", "=", self.lead_id._bpmn_company().id),
                ("key", "not in", running.mapped("process_key")),
            ]
        )

    def action_start(self):
        """Start it, and stay on the opportunity."""
        self.ensure_one()
        self.lead_id.check_access("write")
        if not self.process_id:
            raise UserError(self.env._("Choose a process."))
        if self.process_id not in self._available():
            raise UserError(
                self.env._(
                    "“%(process)s” is not in use, or runs here already.",
                    process=self.process_id.display_name,
                )
            )
        # A process acts on its own authority, given by who deployed it.
        self.env["bpmn.instance"].sudo()._start(
            self.process_id.sudo(), self.lead_id.sudo()
        )
        return {"type": "ir.actions.act_window_close"}
