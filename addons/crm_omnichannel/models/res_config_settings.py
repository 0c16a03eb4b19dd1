from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _name = "res.config.settings"
    _inherit = "res.config.settings"

    omni_batch_size = fields.Integer(
        "Records per Batch",
        config_parameter="crm_omnichannel.batch_size",
        default=500,
    )
    customer_tier_silver = fields.Monetary(
        related="company_id.customer_tier_silver",
        readonly=False,
    )
    customer_tier_gold = fields.Monetary(
        related="company_id.customer_tier_gold",
        readonly=False,
    )
    customer_tier_vip = fields.Monetary(
        related="company_id.customer_tier_vip",
        readonly=False,
    )
