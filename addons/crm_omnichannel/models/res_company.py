from odoo import api, fields, models
from odoo.exceptions import ValidationError

TIER_FIELDS = ("customer_tier_silver", "customer_tier_gold", "customer_tier_vip")


class ResCompany(models.Model):
    _name = "res.company"
    _inherit = "res.company"

    customer_tier_silver = fields.Monetary(
        "Silver from", default=20_000, help="Turnover of twelve months, without taxes."
    )
    customer_tier_gold = fields.Monetary("Gold from", default=100_000)
    customer_tier_vip = fields.Monetary("VIP from", default=500_000)

    @api.constrains(*TIER_FIELDS)
    def _check_customer_tiers(self):
        for company in self:
            silver, gold, vip = company._get_customer_tier_thresholds()
            if not 0 < silver < gold < vip:
                raise ValidationError(
                    self.env._(
                        "Each tier must begin at a higher turnover than the one"
                        " below it."
                    )
                )

    def write(self, vals):
        result = super().write(vals)
        if not vals.keys().isdisjoint(TIER_FIELDS):
            # sudo: who may change the thresholds need not run scheduled actions
            self.env.ref(
                "crm_omnichannel.ir_cron_refresh_customer_tier"
            ).sudo()._trigger()
        return result

    def _get_customer_tier_thresholds(self):
        """Return from which turnovers silver, gold and VIP begin."""
        self.ensure_one()
        return tuple(self[name] for name in TIER_FIELDS)
