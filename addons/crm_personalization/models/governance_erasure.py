from odoo import api, models


class GovernanceErasure(models.AbstractModel):
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Erase what a person was shown.

        Before the identities go: they lead to what a browser was shown.
        """
        exposures = self._personalization_exposures_of(partner, identities)
        count = len(exposures)
        exposures.unlink()
        result = super()._erase_person(partner, identities)
        if not count:
            return result
        return [
            *result,
            {
                "model": "personalization.exposure",
                "count": count,
                "action": "erased",
                "reason": "request",
            },
        ]

    @api.model
    def _personalization_exposures_of(self, partner, identities):
        """Return what a person was shown, under their name or that of their browser.

        The contacts below a company are people of their own, and a browser's rows that
        carry somebody else's name are not this person's.
        """
        exposures = self.env["personalization.exposure"]
        found = exposures.search([("partner_id", "=", partner.id)])
        named = self._omni_named(partner, identities)
        browsers = {
            value
            for kind, value in {
                *named,
                *((one.kind, one.value) for one in partner.omni_identity_ids),
            }
            if kind == "anonymous_id"
        }
        of_browsers = exposures.search(
            [("anonymous_id", "in", list(browsers)), ("partner_id", "=", False)]
        )
        for company, shown in of_browsers.grouped("company_id").items():
            names = self._omni_names_in(
                partner, named, self.env["behavior.source"]._company_scopes(company)
            )
            found |= shown.filtered(
                lambda one, names=names: ("anonymous_id", one.anonymous_id) in names
            )
        return found
