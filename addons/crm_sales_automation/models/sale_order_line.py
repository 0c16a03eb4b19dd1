from odoo import api, fields, models

from ..messages import RULES, render


class SaleOrderLine(models.Model):
    _name = "sale.order.line"
    _inherit = "sale.order.line"

    rule_code = fields.Char(readonly=True, copy=False)
    rule_params = fields.Json(readonly=True, copy=False)
    rule_text = fields.Char(string="Made by", compute="_compute_rule_text")

    @api.depends("rule_code", "rule_params")
    @api.depends_context("lang")
    def _compute_rule_text(self):
        for line in self:
            line.rule_text = render(self.env, RULES, line.rule_code, line.rule_params)
