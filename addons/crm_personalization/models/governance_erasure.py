from odoo import api, models
from odoo.fields import Domain


class GovernanceErasure(models.AbstractModel):
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Erase what a person was shown."""
        anonymous_ids = {value for kind, value in identities if kind == "anonymous_id"}
        result = super()._erase_person(partner, identities)
        # The contacts below a company are people of their own, and a browser's rows
        # that carry somebody else's name are not this person's.
        exposures = self.env["personalization.exposure"].search(
            Domain("partner_id", "=", partner.id)
            | Domain("anonymous_id", "in", list(anonymous_ids))
            & Domain("partner_id", "=", False)
        )
        count = len(exposures)
        exposures.unlink()
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
