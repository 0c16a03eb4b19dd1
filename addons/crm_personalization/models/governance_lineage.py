from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

from ..tools import merge


class GovernanceLineage(models.AbstractModel):
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """What of the customer decides on a slot (audience), and what is in it."""
        yield from super()._lineage_edges()
        for slot in self.env["personalization.slot"].search([("active", "=", True)]):
            node = f"slot:{slot.company_id.id}/{slot.code}"
            contents = [slot.default_content, *slot.variant_ids.mapped("content")]
            shown = {
                path.split(".")[0]
                for content in contents
                for path in merge.used_fields(content)
            }
            asked = {
                condition.field_expr.split(".")[0]
                for variant in slot.variant_ids
                for condition in variant._audience_domain().iter_conditions()
            }
            for field in sorted(shown):
                yield Edge(f"res.partner.{field}", node, "merge", True)
            for field in sorted(asked):
                yield Edge(f"res.partner.{field}", node, "audience", False)
