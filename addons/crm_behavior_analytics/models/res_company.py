from odoo import api, models


class ResCompany(models.Model):
    _inherit = "res.company"

    @api.model_create_multi
    def create(self, vals_list):
        companies = super().create(vals_list)
        # sudo: who creates a company need not know of sources.
        self.env["behavior.source"].sudo()._ensure_odoo_sources(companies)
        return companies
