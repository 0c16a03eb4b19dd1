from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge


class GovernanceLineage(models.AbstractModel):
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """What of a ticket and of the company makes a deadline."""
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
