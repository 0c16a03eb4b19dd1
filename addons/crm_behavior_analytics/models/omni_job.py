from odoo import api, models


class OmniJob(models.Model):
    _inherit = "omni.job"

    @api.model
    def _progress_texts(self):
        return {
            **super()._progress_texts(),
            "features": self.env._("Computing features"),
            "training": self.env._("Training and testing"),
            "scoring": self.env._("Scoring"),
        }
