from odoo import models

from odoo.addons.crm_data_governance.tools.lineage import Edge


class GovernanceLineage(models.AbstractModel):
    _inherit = "governance.lineage"

    def _lineage_edges(self):
        yield from super()._lineage_edges()
        for row in self.env["test_governance.queue"].search([("name", "like", "node")]):
            yield Edge(f"queue:{row.name}", "res.partner.phone", "test", row.done)
