from odoo import api, models

from ..messages import FEATURES


class BehaviorFeature(models.Model):
    _inherit = "behavior.feature"

    @api.model
    def _feature_texts(self):
        return {**super()._feature_texts(), **FEATURES}
