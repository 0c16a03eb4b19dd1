from odoo import api, models

from ..tools.normalisers import normal_email, normal_phone


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
        """Every identifier too under which a channel or source knows the person.

        Addresses are spelt as identities have them, once for all hooks; what is no
        address is left as it is.
        """
        people = self._get_people(partner)
        told = {
            *super()._get_identities(partner),
            *((identity.kind, identity.value) for identity in people.omni_identity_ids),
            # of an unusual spelling Odoo makes no normal one
            *(("email", person.email) for person in people if person.email),
            *(("phone", self._normal_phone(person)) for person in people),
        }
        return sorted(
            {
                (kind, kind == "email" and normal_email(value) or value)
                for kind, value in told
                if value
            }
        )

    @api.model
    def _normal_phone(self, person):
        """Return the telephone as identities have it: a landline too, which Odoo may
        not read without its area code.
        """
        company = person.company_id or self.env.company
        country = person.country_id or company.country_id
        return normal_phone(person.phone, country.code)
