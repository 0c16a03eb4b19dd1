from odoo import api, models
from odoo.fields import Domain
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.models.governance_privacy_request import (
    add_reasons,
)

_lt = LazyTranslate(__name__)

add_reasons(
    {"service_record": _lt("The record of the service stays, without who it was for.")}
)


class GovernanceErasure(models.AbstractModel):
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Tickets stay as the record of the service, without who wrote them.

        What the person wrote into a ticket is part of that record and is kept; it
        is reported, so that somebody looks at it.  Decisions about the tickets lose
        what they tell of the customer, and an agent goes out of the candidates.
        """
        report = super()._erase_person(partner, identities)
        emails = {value for kind, value in identities if kind == "email"}
        tickets = self.env["helpdesk.ticket"].with_context(active_test=False)
        spelt = self._omni_spelt(tickets, "partner_email", emails)
        tickets = tickets.search(
            Domain("partner_id", "=", partner.id) | Domain("partner_email", "in", spelt)
        )
        tickets.with_context(tracking_disable=True).write(
            {"partner_name": False, "partner_email": False}
        )
        decisions = self.env["routing.decision"].search(
            [("ticket_id", "in", tickets.ids)]
        )
        # Tier, former agent and free words tell of the customer.
        decisions.write(
            {"candidates": False, "urgency_factors": False, "override_reason": False}
        )
        users = partner.with_context(active_test=False).user_ids
        considered = self.env["routing.decision"]._with_candidate(users) - decisions
        for decision in considered:
            decision.candidates = [
                entry for entry in decision.candidates if entry["user"] not in users.ids
            ]
        return report + [
            {
                "model": model,
                "count": len(records),
                "action": action,
                "reason": "service_record",
            }
            for model, records, action in (
                ("helpdesk.ticket", tickets, "pseudonymised"),
                ("routing.decision", decisions | considered, "pseudonymised"),
            )
            if records
        ]
