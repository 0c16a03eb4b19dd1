from odoo import models


class GovernanceErasure(models.AbstractModel):
    _inherit = "governance.erasure"

    def _erase_person(self, partner, identities):
        values = [value for _kind, value in identities]
        rows = self.env["test_governance.queue"].search([("name", "in", values)])
        count = len(rows)
        rows.unlink()
        return [
            *super()._erase_person(partner, identities),
            {
                "model": "test_governance.queue",
                "count": count,
                "action": "erased",
                "reason": "request",
            },
        ]
