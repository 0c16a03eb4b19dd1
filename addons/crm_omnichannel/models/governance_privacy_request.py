from odoo import api, models


class GovernancePrivacyRequest(models.Model):
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

    @api.model
    def _get_identities(self, partner):
        """Every identifier too under which a channel or source knows the person."""
        known = self._get_people(partner).omni_identity_ids
        return sorted(
            {
                *super()._get_identities(partner),
                *((identity.kind, identity.value) for identity in known),
            }
        )
