from odoo import api, models
from odoo.fields import Domain


class GovernanceErasure(models.AbstractModel):
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Tickets stay as the record of the service, without who wrote them.

        What the person wrote into a ticket is part of that record and is kept; it
        is reported, so that somebody looks at it.
        """
        report = super()._erase_person(partner, identities)
        emails = {value for kind, value in identities if kind == "email" and value}
        if partner.email:
            emails.add(partner.email)
        domain = Domain("partner_id", "=", partner.id) | Domain.OR(
            Domain("partner_email", "=ilike", self._escape_like(email))
            for email in emails
        )
        tickets = (
            self.env["helpdesk.ticket"].with_context(active_test=False).search(domain)
        )
        if not tickets:
            return report
        tickets.with_context(tracking_disable=True).write(
            {"partner_name": False, "partner_email": False}
        )
        return report + [
            {
                "model": "helpdesk.ticket",
                "count": len(tickets),
                "action": "pseudonymised",
                "reason": "service_record",
            }
        ]

    @api.model
    def _escape_like(self, text):
        """A text as itself in a pattern."""
        for sign in ("\\", "%", "_"):
            text = text.replace(sign, f"\\{sign}")
        return text
