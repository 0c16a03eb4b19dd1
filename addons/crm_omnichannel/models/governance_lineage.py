from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

from ..processing import PARTNER_FIELDS, TAGS_FIELD


class GovernanceLineage(models.AbstractModel):
    _name = "governance.lineage"
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """Channel → record → mapping line → field of the customer."""
        yield from super()._lineage_edges()
        channels = self.env["omni.channel"].search([("mapping_id", "!=", False)])
        for channel in channels:
            yield Edge(f"channel:{channel.code}", "omni.record.payload", "landing")
            for line in channel.mapping_id.line_ids:
                target = self._lineage_target(line.target)
                yield Edge("omni.record.payload", target, "mapping")
                yield Edge(
                    f"mapping:{channel.mapping_id.id}/{line.id}", target, "mapping"
                )

    @api.model
    def _lineage_target(self, target):
        """Return the node that a mapping target feeds."""
        if target in ("given_name", "surname"):
            target = "name"
        if target == "tags":
            return f"res.partner.{TAGS_FIELD}"
        if target in PARTNER_FIELDS:
            return f"res.partner.{PARTNER_FIELDS[target]}"
        return "omni.identity.value"
