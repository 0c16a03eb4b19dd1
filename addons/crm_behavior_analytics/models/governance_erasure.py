from odoo import api, models
from odoo.tools import SQL


class GovernanceErasure(models.AbstractModel):
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Erase what a person did, and what was foretold of them.

        Before the identities go: they lead to the events.
        """
        # What the person is known by in a source leads to the events of that source.
        named = self._omni_named(partner, identities)
        emails = sorted(value for kind, value in named if kind == "email")
        names = sorted(
            value for kind, value in named if kind in ("anonymous_id", "user_id")
        )
        self.env["behavior.lake.erasure"]._note(
            partner.omni_identity_ids, names, emails
        )
        # Events of nobody known, that name the person by an address or by an ID.
        events = self.env["behavior.event"]._erase(
            SQL(
                "partner_id = %(partner)s OR partner_id IS NULL AND ("
                "  visitor = ANY(%(names)s)"
                "  OR type = 'identify' AND properties ->> 'email' = ANY(%(emails)s)"
                # what a page told
                "  OR NOT vouched AND (user_id = ANY(%(names)s) OR EXISTS ("
                "    SELECT FROM omni_identity AS told"
                "    WHERE told.partner_id = %(partner)s AND told.kind = 'user_id'"
                # the event's: an identity has a company too
                "    AND told.value = behavior_event.user_id AND told.scope IN ("
                "      'company:0', 'company:' || behavior_event.company_id,"
                "      'source:' || behavior_event.source_id)))"
                ")",
                partner=partner.id,
                names=names,
                emails=emails,
            )
        )
        rejections = self._behavior_rejections_of(partner, named)
        rejection_count = len(rejections)
        rejections.unlink()
        scores = self.env["behavior.score"].search([("partner_id", "=", partner.id)])
        score_count = len(scores)
        scores.unlink()
        values = self.env["behavior.feature.value"].search(
            [("partner_id", "=", partner.id)]
        )
        value_count = len(values)
        values.unlink()
        # what Odoo itself notes of a browser's visits
        visitors = self.env["website.visitor"].search([("partner_id", "=", partner.id)])
        visitor_count = len(visitors)
        visitors.unlink()
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
                ("behavior.rejection", rejection_count),
                ("behavior.score", score_count),
                ("behavior.feature.value", value_count),
                ("website.visitor", visitor_count),
            )
            if count
        ]

    @api.model
    def _behavior_rejections_of(self, partner, named):
        """Return what became no event and speaks of a person.

        :param set named: of ``_omni_named``
        :return: ``behavior.rejection``
        """
        rejections = found = self.env["behavior.rejection"]
        for (source,) in rejections._read_group([], ["source_id"]):
            names = self._omni_names_in(partner, named, source._identity_scopes())
            found |= rejections._find_of(source, names)
        return found
