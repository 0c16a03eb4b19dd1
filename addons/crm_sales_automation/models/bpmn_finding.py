from odoo import api, fields, models

from ..messages import FINDINGS, render


class BpmnFinding(models.Model):
    _name = "bpmn.finding"
    _description = "Finding on a Process Diagram"
    _order = "sequence, id"
    _rec_name = "message"

    process_id = fields.Many2one(
        "bpmn.process", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="process_id.company_id")
    sequence = fields.Integer()
    code = fields.Char(required=True, readonly=True)
    severity = fields.Selection(
        [
            ("error", "Refuses deployment"),
            ("warning", "To be looked at"),
            ("info", "To be known"),
        ],
        required=True,
        readonly=True,
    )
    element_id = fields.Char(string="Shape", readonly=True)
    element_type = fields.Char(string="Type", readonly=True)
    element_name = fields.Char(string="Caption", readonly=True)
    params = fields.Json(readonly=True)
    message = fields.Char(compute="_compute_message")

    @api.depends("code", "params", "element_id", "element_type", "element_name")
    @api.depends_context("lang")
    def _compute_message(self):
        for finding in self:
            finding.message = render(
                self.env,
                FINDINGS,
                finding.code,
                {
                    **(finding.params or {}),
                    "type": finding.element_type,
                    "shape": finding._shape_caption(),
                },
            )

    def _shape_caption(self):
        """What a reader calls the element: its caption, else id, else type."""
        return f"“{self.element_name or self.element_id or self.element_type}”"

    @api.model
    def _prepare_values(self, sequence, finding):
        """:param finding: of ``tools.bpmn.lint``"""
        return {
            "sequence": sequence,
            "code": finding.code,
            "severity": finding.severity,
            "element_id": finding.element_id[:250],
            "element_type": finding.element_type,
            "element_name": finding.element_name[:250],
            "params": {
                key: value[:250] if isinstance(value, str) else value
                for key, value in finding.params.items()
            },
        }
