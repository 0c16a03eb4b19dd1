from odoo import models

from .res_partner_merge import MERGED


class ResUsers(models.Model):
    _inherit = "res.users"

    def write(self, vals):
        """The merge wizard moves the log-ins of those it merges to the company of who
        stays. The journal needs no such thing, since customers of different companies
        become one of no company, and could not take it back.
        """
        if self.env.context.get(MERGED):
            return True
        return super().write(vals)
