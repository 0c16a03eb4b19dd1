from odoo import api, models
from odoo.tools import SQL


class GovernanceErasure(models.AbstractModel):
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Erase what a person did, and what was foretold of them.

        Before the identities go: they lead to the events.
        """
        emails = sorted(
            {value.lower() for kind, value in identities if kind == "email" and value}
            | ({partner.email_normalized} if partner.email_normalized else set())
        )
        # What the person is known by in a source leads to the events of that source.
        names = sorted(
            value
            for kind, value in self._omni_named(partner, identities)
            if kind in ("anonymous_id", "user_id")
        )
        self.env["behavior.lake.erasure"]._note(
            partner.omni_identity_ids.ids,
            [
                *names,
                *(
                    identity.value
                    for identity in partner.omni_identity_ids
                    if identity.kind in ("anonymous_id", "user_id")
                ),
            ],
            emails,
        )
        # Events of nobody known, that name the person by an address or by an ID.
        events = self.env["behavior.event"]._erase(
            SQL(
                "partner_id = %(partner)s OR partner_id IS NULL AND ("
                "  coalesce(user_id, anonymous_id) = ANY(%(names)s)"
                "  OR type = 'identify'"
                "  AND lower(properties ->> 'email') = ANY(%(emails)s)"
                ")",
                partner=partner.id,
                names=names,
                emails=emails,
            )
        )
        scores = self.env["behavior.score"].search([("partner_id", "=", partner.id)])
        score_count = len(scores)
        scores.unlink()
        values = self.env["behavior.feature.value"].search(
            [("partner_id", "=", partner.id)]
        )
        value_count = len(values)
        values.unlink()
        report = super()._erase_person(partner, identities)
        return report + [
            {
                "model": model,
                "count": count,
                "action": "erased",
                "reason": "person_erased",
            }
            for model, count in (
                ("behavior.event", events),
                ("behavior.score", score_count),
                ("behavior.feature.value", value_count),
            )
            if count
        ]
