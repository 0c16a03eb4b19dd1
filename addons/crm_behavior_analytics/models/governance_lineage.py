from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge


class GovernanceLineage(models.AbstractModel):
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        yield from super()._lineage_edges()
        for source in self.env["behavior.source"].search_fetch(
            [], ["code", "company_id", "origins", "website_id"]
        ):
            node = f"behavior_source:{source.company_id.id}/{source.code}"
            for origin in (source.origins or "").split():
                yield Edge(f"origin:{origin}", node, "collects", True)
            if source.website_id:
                yield Edge(f"website:{source.website_id.id}", node, "collects", True)
