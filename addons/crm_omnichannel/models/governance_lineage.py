from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

from ..processing import PARTNER_FIELDS, TAGS_FIELD
from .res_partner_figures import MONEY, ORDERS


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
        yield from self._omni_figure_edges()

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
    def _omni_figure_edges(self):
        """Invoices and orders → the figures that segments ask for."""
        for source, names in (
            ("account.move.amount_untaxed_signed", MONEY),
            ("sale.order.date_order", ORDERS),
        ):
            for name in names:
                yield Edge(source, f"res.partner.{name}", "compute")

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

    # --- NAMES ---

    @api.model
    def _lineage_kinds(self):
        return {
            **super()._lineage_kinds(),
            "channel": self.env._("Channel"),
            "mapping": self.env._("Mapping"),
            "segment": self.env._("Segment"),
        }

    @api.model
    def _lineage_records(self, kind, codes):
        if kind == "channel":
            channels = self.env["omni.channel"].search([("code", "in", codes)])
            return {channel.code: channel for channel in channels}
        if kind == "mapping":
            ids = {int(code.split("/")[0]) for code in codes}
            found = self.env["omni.mapping"].search([("id", "in", [*ids])])
            mappings = {str(mapping.id): mapping for mapping in found}
            numbers = {code: code.split("/")[0] for code in codes}
            return {
                code: mappings[number]
                for code, number in numbers.items()
                if number in mappings
            }
        if kind == "segment":
            by_code = {code.partition("/")[2] for code in codes}
            segments = self.env["omni.segment"].search([("code", "in", [*by_code])])
            return {f"{one.company_id.id or 0}/{one.code}": one for one in segments}
        return super()._lineage_records(kind, codes)

    @api.model
    def _lineage_labels(self, nodes):
        """A line of a mapping is named by what it fills."""
        labels = super()._lineage_labels(nodes)
        lines = {
            int(node.rpartition("/")[2]): node
            for node in nodes
            if node.startswith("mapping:")
        }
        found = self.env["omni.mapping.line"].search([("id", "in", [*lines])])
        targets = dict(found._fields["target"]._description_selection(self.env))
        for line in found:
            labels[lines[line.id]] = self.env._(
                "%(target)s (Mapping %(mapping)s)",
                target=targets[line.target],
                mapping=line.mapping_id.name,
            )
        return labels


class GovernanceLineageEdge(models.Model):
    _inherit = "governance.lineage.edge"

    @api.model
    def _kind_names(self):
        return {
            **super()._kind_names(),
            "landing": self.env._("Landing"),
            "mapping": self.env._("Mapping"),
            "segment": self.env._("Segment"),
            "tier": self.env._("Customer Tier"),
        }
