from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

from odoo import api, fields, models


class GovernanceMetrics(models.AbstractModel):
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        yield from self._ticket_sla_families()
        yield from self._ticket_queue_families()
        yield from self._ticket_decision_families()

    @api.model
    def _ticket_sla_families(self):
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

    @api.model
    def _ticket_queue_families(self):
        """What waits for an agent, in teams that route."""
        tickets = self.env["helpdesk.ticket"]
        depth = GaugeMetricFamily(
            "crm_ticket_queue_depth",
            "Tickets that wait for an agent, by team and priority",
            labels=("team", "priority"),
        )
        oldest = GaugeMetricFamily(
            "crm_ticket_queue_oldest_seconds",
            "Age of the oldest ticket that waits for an agent, by team",
            labels=("team",),
        )
        first = {}
        for team, priority, count, arrival in tickets._read_group(
            tickets._get_routing_waiting_domain(),
            ["team_id", "priority"],
            ["__count", "create_date:min"],
        ):
            depth.add_metric((str(team.id), priority or ""), count)
            first[team.id] = min(arrival, first.get(team.id, arrival))
        now = fields.Datetime.now()
        for team_id, arrival in first.items():
            age = max(0.0, (now - arrival).total_seconds())
            oldest.add_metric((str(team_id),), age)
        yield from (depth, oldest)
        agents = GaugeMetricFamily(
            "crm_ticket_agent_places",
            "Places of the agents, and how many of them are taken",
            labels=("state",),
        )
        rows = self.env["routing.agent"].search([("user_id.active", "=", True)])
        agents.add_metric(("all",), sum(rows.mapped("capacity")))
        agents.add_metric(("taken",), sum(rows.mapped("open_ticket_count")))
        yield agents

    @api.model
    def _ticket_decision_families(self):
        """What routing has decided; gauges: the decisions go with their tickets."""
        decisions = self.env["routing.decision"]
        made = GaugeMetricFamily(
            "crm_ticket_routing_kept_decisions",
            "Routing decisions on the tickets there are, by team, mode and outcome",
            labels=("team", "mode", "outcome"),
        )
        for team, mode, outcome, count in decisions._read_group(
            [], ["team_id", "mode", "outcome"], ["__count"]
        ):
            made.add_metric((str(team.id or ""), mode, outcome), count)
        overridden = GaugeMetricFamily(
            "crm_ticket_routing_kept_overridden",
            "Routing decisions on the tickets there are that a person has changed, by"
            " team",
            labels=("team",),
        )
        for team, count in decisions._read_group(
            [("overridden_by_id", "!=", False)], ["team_id"], ["__count"]
        ):
            overridden.add_metric((str(team.id or ""),), count)
        waiting = GaugeMetricFamily(
            "crm_ticket_routing_waiting",
            "Tickets that routing could not give to anybody, by team and reason",
            labels=("team", "reason"),
        )
        for team, reason, count in decisions._read_group(
            [
                ("outcome", "=", "waiting"),
                ("superseded", "=", False),
                ("ticket_id.user_id", "=", False),
                ("ticket_id.stage_id.closed", "=", False),
            ],
            ["team_id", "reason_code"],
            ["__count"],
        ):
            waiting.add_metric((str(team.id or ""), reason), count)
        yield from (made, overridden, waiting, self._ticket_wait_family())

    @api.model
    def _ticket_wait_family(self):
        """From the arrival of a ticket to the first agent, as a histogram."""
        family = HistogramMetricFamily(
            "crm_ticket_routing_wait_seconds",
            "Time from the arrival of a ticket to its first agent by routing",
            labels=("team",),
        )
        histograms = self.env["routing.wait.bucket"]._histograms()
        for team_id, (buckets, total, seconds) in histograms.items():
            family.add_metric(
                (str(team_id or ""),),
                [*((str(float(bound)), count) for bound, count in buckets)]
                + [("+Inf", total)],
                float(seconds),
            )
        return family
