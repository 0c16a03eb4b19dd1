from odoo import api, models


class GovernancePrivacyRequest(models.Model):
    _name = "governance.privacy.request"
    _inherit = "governance.privacy.request"

    @api.model
    def _get_people(self, partner):
        """Those who were merged with a person are the person, archived."""
        people = super()._get_people(partner)
        family = people._merge_circle()
        while family - people:
            for one in family - people:
                people |= super()._get_people(one)
            family = people._merge_circle()
        return people
