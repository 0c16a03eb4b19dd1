from odoo import api, models


class OmniMerge(models.Model):
    """The tier of a survivor, by the turnover of both."""

    _name = "omni.merge"
    _inherit = "omni.merge"

    @api.model
    def _after_merge(self, opened, target, source):
        super()._after_merge(opened, target, source)
        columns = ["customer_tier", "customer_tier_reason"]
        owner = target.commercial_partner_id
        rows = opened.texts("res_partner", columns[:1], (owner | source).ids)
        if not any(tiers for (tiers,) in rows.values()):
            return
        below = owner.search([("commercial_partner_id", "=", owner.id)])
        companies = self.env["res.company"].sudo().search([("active", "=", True)])
        with opened.watch("res_partner", columns, (owner | below).ids):
            for company in companies:
                owner.with_company(company)._refresh_customer_tier()
