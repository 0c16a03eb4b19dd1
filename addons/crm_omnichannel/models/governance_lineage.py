from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

from ..processing import PARTNER_FIELDS, TAGS_FIELD


class GovernanceLineage(models.AbstractModel):
    _name = "governance.lineage"
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """Channel → record → mapping line → field of the customer; segments; tiers."""
        yield from super()._lineage_edges()
        yield from self._omni_mapping_edges()
        yield from self._omni_segment_edges()
        yield from self._omni_tier_edges()

    @api.model
    def _omni_mapping_edges(self):
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
    def _omni_segment_edges(self):
        """Fields that a condition asks for → segment → customers in it."""
        for segment in self.env["omni.segment"].search([("active", "=", True)]):
            node = f"segment:{segment.company_id.id or 0}/{segment.code}"
            for name in segment._get_asked_fields():
                yield Edge(name, node, "segment", direct=False)
            yield Edge(node, "omni.segment.member.segment_id", "segment")
        yield Edge(
            "omni.segment.member.segment_id", "res.partner.omni_segment_ids", "compute"
        )

    @api.model
    def _omni_tier_edges(self):
        """Turnover, or a person → tier."""
        for source, direct in (
            ("account.move.amount_untaxed_signed", False),
            ("account.move.invoice_date", False),
            ("res.partner.customer_tier_manual", True),
        ):
            yield Edge(source, "res.partner.customer_tier", "tier", direct=direct)

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
