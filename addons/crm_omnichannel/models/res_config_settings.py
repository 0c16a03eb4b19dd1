from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _name = "res.config.settings"
    _inherit = "res.config.settings"

    omni_batch_size = fields.Integer(
        "Records per Batch",
        config_parameter="crm_omnichannel.batch_size",
        default=500,
    )
