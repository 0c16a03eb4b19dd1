from odoo import api, models
from odoo.tools import LazyTranslate

_lt = LazyTranslate(__name__)

STEPS = {
    "features": _lt("Computing features"),
    "training": _lt("Training and testing"),
    "scoring": _lt("Scoring"),
}


class OmniJob(models.Model):
    _inherit = "omni.job"

    @api.model
    def _progress_texts(self):
        return {**super()._progress_texts(), **STEPS}
