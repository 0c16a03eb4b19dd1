from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL

# the person's other contacts, which are erased with the first
WITHIN = "omni_erase_circle"


class GovernanceErasure(models.AbstractModel):
    _name = "governance.erasure"
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Erase who was merged with the person too, and what the journal knows."""
        result = super()._erase_person(partner, identities)
        if self.env.context.get(WITHIN):
            return result
        circle = partner._merge_circle()
        for other in circle - partner:
            result += self.with_context(**{WITHIN: True})._erase_person(
                other, identities
            )
        return result + self._erase_merges(circle)

    @api.model
    def _erase_merges(self, people):
        """Forget the merges of a person, and their cells in those of others."""
        merges = self.env["omni.merge"].search(
            Domain("target_id", "in", people.ids)
            | Domain("source_id", "in", people.ids)
        )
        count = len(merges)
        merges.unlink()
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE omni_merge_line SET cells = (
                    SELECT coalesce(jsonb_agg(cell), '[]'::jsonb)
                    FROM jsonb_array_elements(cells) AS cell
                    WHERE cell->>0 <> ALL(%(ids)s)
                )
                WHERE table_name = 'res_partner' AND EXISTS (
                    SELECT FROM jsonb_array_elements(cells) AS cell
                    WHERE cell->>0 = ANY(%(ids)s)
                )
                """,
                ids=[str(one) for one in people.ids],
            )
        )
        self.env["omni.merge.line"].invalidate_model(["cells"])
        self.env["omni.merge.conflict"].search(
            [("res_model", "=", "res.partner"), ("res_id", "in", people.ids)]
        ).unlink()
        if not count:
            return []
        return [
            {
                "model": "omni.merge",
                "count": count,
                "action": "erased",
                "reason": "person_erased",
            }
        ]
