from odoo import models

from ..field_rules import forget


class ResUsers(models.Model):
    _inherit = "res.users"

    def write(self, vals):
        result = super().write(vals)
        if not vals.keys().isdisjoint({"group_ids", "company_ids"}):
            forget(self.env)
        return result
