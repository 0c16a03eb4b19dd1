from odoo import models

from odoo.addons.crm_omnichannel.journal import current


class BasePartnerMergeAutomaticWizard(models.TransientModel):
    _name = "base.partner.merge.automatic.wizard"
    _inherit = "base.partner.merge.automatic.wizard"

    def _update_foreign_keys(self, src_partners, dst_partner):
        """The website renames the visitors of the one who goes in a statement."""
        journal = current(self.env)
        if journal is None:
            return super()._update_foreign_keys(src_partners, dst_partner)
        # sudo: of both, whoever may see visitors
        visitors = self.env["website.visitor"].sudo()
        visitors = visitors.search(
            [("partner_id", "in", (src_partners | dst_partner).ids)]
        )
        with journal.watch("website_visitor", ["access_token"], visitors.ids):
            super()._update_foreign_keys(src_partners, dst_partner)
        return None
