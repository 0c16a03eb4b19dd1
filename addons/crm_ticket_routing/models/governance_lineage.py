from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

#: What decides which agent a ticket is given to.
ROUTING_SOURCES = (
    "helpdesk.ticket.category_id",
    "helpdesk.ticket.create_date",
    "helpdesk.ticket.priority",
    "helpdesk.ticket.routing_next_deadline",
    "hr.employee.resource_calendar_id",
    "hr.employee.skill.skill_level_id",
    "res.partner.customer_tier",
    "res.partner.lang",
    "resource.calendar.leaves.resource_id",
    "routing.agent.capacity",
    "routing.skill.requirement.level_id",
)


class GovernanceLineage(models.AbstractModel):
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """What makes the deadline of a ticket, and what chooses its agent."""
        yield from super()._lineage_edges()
        for policy in self.env["routing.sla.policy"].search([("active", "=", True)]):
            node = f"sla_policy:{policy.id}"
            for name, field in (
                ("team_id", "team_id"),
                ("category_id", "category_id"),
                ("tag_ids", "tag_ids"),
                ("priority", "priority"),
            ):
                if policy[name]:
                    yield Edge(f"helpdesk.ticket.{field}", node, "sla", False)
            yield Edge(node, "routing.sla.target.deadline", "sla", True)
            if policy.calendar_id:
                yield Edge("resource.calendar.attendance_ids", node, "sla", True)
        for source in ROUTING_SOURCES:
            yield Edge(source, "routing.decision.user_id", "routing", False)
        yield Edge(
            "routing.decision.user_id", "helpdesk.ticket.user_id", "routing", True
        )

    # --- NAMES ---

    @api.model
    def _lineage_kinds(self):
        return {**super()._lineage_kinds(), "sla_policy": self.env._("Service Policy")}

    @api.model
    def _lineage_records(self, kind, codes):
        if kind != "sla_policy":
            return super()._lineage_records(kind, codes)
        policies = self.env["routing.sla.policy"].search(
            [("id", "in", [*map(int, codes)])]
        )
        return {str(policy.id): policy for policy in policies}


class GovernanceLineageEdge(models.Model):
    _inherit = "governance.lineage.edge"

    @api.model
    def _kind_names(self):
        return {
            **super()._kind_names(),
            "sla": self.env._("Service Promise"),
            "routing": self.env._("Routing"),
        }
