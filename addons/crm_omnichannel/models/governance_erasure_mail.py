from odoo import api, models


class GovernanceErasure(models.AbstractModel):
    _name = "governance.erasure"
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Messages of an address that is nobody's contact lose it.

        Those of the contact itself do so in the privacy request.
        """
        result = super()._erase_person(partner, identities)
        emails = {value for kind, value in identities if kind == "email"}
        messages = self.env["mail.message"]
        spelt = self._omni_spelt(messages, "email_from", emails)
        messages = messages.search(
            [("author_id", "=", False), ("email_from", "in", spelt)]
        )
        messages.write({"email_from": False, "reply_to": False})
        if not messages:
            return result
        return [
            *result,
            {
                "model": "mail.message",
                "count": len(messages),
                "action": "pseudonymised",
                "reason": "person_erased",
            },
        ]
