from odoo import fields, models

from .. import const


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    personalization_exposure_days = fields.Integer(
        string="Days to Keep",
        default=const.EXPOSURE_DAYS,
        config_parameter="crm_personalization.exposure_days",
    )
