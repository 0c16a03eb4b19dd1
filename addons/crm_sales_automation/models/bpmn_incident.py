from odoo import api, fields, models

from ..messages import INCIDENTS, render
from .bpmn_instance import SERVICES_IN_REQUEST


class BpmnIncident(models.Model):
    _name = "bpmn.incident"
    _description = "Incident of a Running Process"
    _order = "id desc"
    _rec_name = "message"

    instance_id = fields.Many2one(
        "bpmn.instance", required=True, readonly=True, index=True, ondelete="cascade"
    )
    process_id = fields.Many2one(
        related="instance_id.process_id", store=True, index=True
    )
    company_id = fields.Many2one(related="instance_id.company_id", store=True)
    lead_id = fields.Many2one(
        related="instance_id.lead_id", store=True, index="btree_not_null"
    )
    element_id = fields.Char(string="Shape", readonly=True)
    element_name = fields.Char(string="Caption", readonly=True)
    code = fields.Char(required=True, readonly=True)
    params = fields.Json(readonly=True)
    message = fields.Char(string="What happened", compute="_compute_message")
    state = fields.Selection(
        [("open", "Open"), ("resolved", "Resolved")],
        required=True,
        readonly=True,
        default="open",
        index=True,
    )
    resolved_at = fields.Datetime(readonly=True)
    resolved_by_id = fields.Many2one("res.users", string="Resolved by", readonly=True)

    @api.depends("code", "params", "element_id", "element_name")
    @api.depends_context("lang")
    def _compute_message(self):
        for incident in self:
            text = render(self.env, INCIDENTS, incident.code, incident.params)
            shape = incident.element_name or incident.element_id
            incident.message = f"“{shape}”: {text}" if shape else text

    def _resolve(self):
        self.filtered(lambda incident: incident.state == "open").write(
            {
                "state": "resolved",
                "resolved_at": fields.Datetime.now(),
                "resolved_by_id": self.env.uid,
            }
        )

    def action_retry(self):
        """Mended: try again from the shape that failed."""
        self.instance_id._check_may_work()
        # The rows of instances and incidents are written by the process alone.
        instances = self.sudo().instance_id
        if instances:
            self.env.flush_all()
            instances._lock()
        stopped = instances.filtered(lambda instance: instance.state == "incident")
        stopped.incident_ids._resolve()
        stopped.state = "running"
        stopped._go_on(SERVICES_IN_REQUEST)
        return True
