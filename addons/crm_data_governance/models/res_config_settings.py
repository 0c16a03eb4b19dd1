from odoo import api, fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    governance_secret_key_state = fields.Selection(
        [
            ("environment", "From the environment"),
            ("file", "From a file outside the database"),
            ("none", "None yet"),
        ],
        string="Sealing Key",
        compute="_compute_governance_secret_key_state",
    )

    @api.depends("company_id")
    def _compute_governance_secret_key_state(self):
        origin = self.env["governance.secret"]._read_key()[1]
        for settings in self:
            settings.governance_secret_key_state = origin or "none"
