from odoo import models

from ..field_rules import forget


class ResGroups(models.Model):
    _inherit = "res.groups"

    def write(self, vals):
        result = super().write(vals)
        if not vals.keys().isdisjoint({"user_ids", "implied_ids", "implied_by_ids"}):
            # What a group implies is part of the resolved rules.
            self.env.registry.clear_cache("stable")
            forget(self.env)
        return result
