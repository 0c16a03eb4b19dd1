from odoo import fields, models


class TestGovernanceDevice(models.Model):
    _name = "test_governance.device"
    _description = "Record with a Key for Tests"
    _inherit = "governance.credential.mixin"

    name = fields.Char(required=True)
    company_id = fields.Many2one("res.company", default=lambda self: self.env.company)

    def _prepare_credential_values(self):
        return {**super()._prepare_credential_values(), "scopes": "test.device"}
