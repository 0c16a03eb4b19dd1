from prometheus_client.core import GaugeMetricFamily

from odoo import api, fields, models


class GovernanceMetrics(models.AbstractModel):
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        targets = self.env["routing.sla.target"]
        by_state = GaugeMetricFamily(
            "crm_ticket_sla_targets",
            "Service targets by team, kind and state",
            labels=("team", "kind", "state"),
        )
        for team, kind, state, count in targets._read_group(
            [], ["team_id", "kind", "state"], ["__count"]
        ):
            by_state.add_metric((str(team.id or ""), kind, state), count)
        yield by_state
        near = GaugeMetricFamily(
            "crm_ticket_sla_due_soon",
            "Running targets with a quarter of their time left or less, by team",
            labels=("team", "kind"),
        )
        for team, kind, count in targets._read_group(
            targets._get_due_soon_domain(fields.Datetime.now()),
            ["team_id", "kind"],
            ["__count"],
        ):
            near.add_metric((str(team.id or ""), kind), count)
        yield near
