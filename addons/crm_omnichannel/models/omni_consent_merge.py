from odoo import api, fields, models

from ..tools.stricter import missing_refusals


class OmniConsent(models.Model):
    """Answers of two customers who become one: the stricter one counts."""

    _name = "omni.consent"
    _inherit = "omni.consent"

    source = fields.Selection(
        selection_add=[("merge", "Merge of Customers")],
        ondelete={"merge": "set default"},
    )

    @api.model
    def _answers_of_two(self, target, source):
        """Return ``{company id or None: (answers, answers)}`` of two partners."""
        # sudo: an answer counts, whoever may see it
        consents = self.sudo().search([("partner_id", "in", (target | source).ids)])
        answers = [
            (
                consent.company_id.id or None,
                consent.partner_id,
                {
                    "subject": consent.partner_id.id,
                    "id": consent.id,
                    "purpose": consent.purpose,
                    "channel": consent.channel or None,
                    "state": consent.state,
                    "at": consent.at,
                },
            )
            for consent in consents
        ]
        return {
            company: tuple(
                [
                    answer
                    for place, partner, answer in answers
                    if partner == side and place in (company, None)
                ]
                for side in (target, source)
            )
            for company in {None, *(place for place, _partner, _answer in answers)}
        }

    @api.model
    def _add_refusals(self, target, answers):
        """Give once more the refusals that the newest answer would hide."""
        self.create(
            [
                {
                    "partner_id": target.id,
                    "company_id": company or False,
                    "source": "merge",
                    **answer,
                }
                for company, sides in answers.items()
                for answer in missing_refusals(*sides)
            ]
        )
