from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

KINDS = {
    "behavior_funnel": "behavior.funnel",
    "behavior_retention": "behavior.retention",
}
EVENT_FIELDS = ("type", "event", "timestamp", "partner_id")


class GovernanceLineage(models.AbstractModel):
    _name = "governance.lineage"
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """Events → funnels and retentions, and the customers by whom they filter."""
        yield from super()._lineage_edges()
        for kind, model in KINDS.items():
            for reading in self.env[model].search_fetch(
                [], ["customer_domain", "segment_id"]
            ):
                node = f"{kind}:{reading.id}"
                for field in EVENT_FIELDS:
                    yield Edge(f"behavior.event.{field}", node, "reading")
                segment = reading.segment_id
                if segment:
                    code = f"{segment.company_id.id or 0}/{segment.code}"
                    yield Edge(f"segment:{code}", node, "reading")
                for field in reading._get_asked_fields():
                    yield Edge(field, node, "reading")

    @api.model
    def _lineage_kinds(self):
        return {
            **super()._lineage_kinds(),
            "behavior_funnel": self.env._("Funnel"),
            "behavior_retention": self.env._("Retention"),
        }

    @api.model
    def _lineage_records(self, kind, codes):
        if kind in KINDS:
            found = self.env[KINDS[kind]].search([("id", "in", [*map(int, codes)])])
            return {str(one.id): one for one in found}
        return super()._lineage_records(kind, codes)


class GovernanceLineageEdge(models.Model):
    _name = "governance.lineage.edge"
    _inherit = "governance.lineage.edge"

    @api.model
    def _kind_names(self):
        return {**super()._kind_names(), "reading": self.env._("Reading")}
