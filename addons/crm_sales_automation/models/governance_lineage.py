from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

from ..tools import bpmn, expressions, palette

#: Field that the effect of a service task goes to.
TARGETS = {
    "set_stage": "crm.lead.stage_id",
    "create_quotation": "sale.order.order_line",
    "create_activity": "mail.activity.summary",
}


class GovernanceLineage(models.AbstractModel):
    _name = "governance.lineage"
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """Field that a condition reads → process → field that a step writes."""
        yield from super()._lineage_edges()
        deployed = self.env["bpmn.process"].search([("state", "=", "deployed")])
        for process in deployed:
            node = f"process:{process.company_id.id}/{process.key}"
            for _key, scope in bpmn.runnable_scopes(bpmn.parse(process.xml)):
                for flow in scope.flows:
                    text = bpmn.condition_of(flow)
                    for name in expressions.names(text) if text else ():
                        owner, _dot, field = name.partition(".")
                        if owner == "record":
                            source = f"{process.res_model}.{field}"
                            yield Edge(source, node, "condition", direct=False)
                for element in scope.nodes.values():
                    action = palette.read(element).action
                    if not action:
                        continue
                    yield Edge(node, TARGETS[action], "process", direct=False)
                    if action == "create_quotation":
                        yield Edge(
                            "sale.order.template.sale_order_template_line_ids",
                            TARGETS[action],
                            "process",
                        )

    # --- NAMES ---

    @api.model
    def _lineage_kinds(self):
        return {**super()._lineage_kinds(), "process": self.env._("Process")}

    @api.model
    def _lineage_records(self, kind, codes):
        if kind != "process":
            return super()._lineage_records(kind, codes)
        keys = [code.partition("/")[2] for code in codes]
        processes = self.env["bpmn.process"].search(
            [("key", "in", keys), ("state", "=", "deployed")]
        )
        return {f"{one.company_id.id}/{one.key}": one for one in processes}


class GovernanceLineageEdge(models.Model):
    _inherit = "governance.lineage.edge"

    @api.model
    def _kind_names(self):
        return {
            **super()._kind_names(),
            "condition": self.env._("Condition"),
            "process": self.env._("Process"),
        }
