from odoo import api, models


class OmniIdentity(models.Model):
    _inherit = "omni.identity"

    @api.model
    def _personalization_partner(self, company, kind, value):
        """The customer whom an id names, if it names one.

        :param company: ``res.company``
        :param str kind: of the identity
        :param str value:
        :return: one ``res.partner`` or none; the scopes (the sources) may differ
        """
        partners = self.env["res.partner"]
        if not value:
            return partners
        found = self.search(
            [
                ("kind", "=", kind),
                ("value", "=", value),
                ("company_id", "in", (company.id, False)),
            ],
            limit=20,
        ).partner_id
        return found if len(found) == 1 else partners
