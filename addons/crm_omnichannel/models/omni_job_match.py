from odoo import api, models


class OmniJob(models.Model):
    _name = "omni.job"
    _inherit = "omni.job"

    @api.model
    def _progress_texts(self):
        return {
            **super()._progress_texts(),
            "match_reading": self.env._("Reading the customers"),
            "match_comparing": self.env._("Comparing the customers"),
            "match_writing": self.env._("Writing down the pairs"),
        }
