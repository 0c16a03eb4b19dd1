from datetime import timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from odoo import api, fields, models
from odoo.tools import SQL

from .governance_lineage_edge import REFRESHED_AT


class GovernanceMetrics(models.AbstractModel):
    """What ``/metrics`` tells.

    Nothing is counted in a process: each family is read from PostgreSQL, so the
    figures are right with any number of workers, hosts and restarts.  Extend with
    ``_inherit`` and ``yield from super()._metric_families()``.
    """

    _name = "governance.metrics"
    _description = "Metrics"

    @api.model
    def _metric_families(self):
        """:return: iterator of ``prometheus_client.core`` metric families"""
        yield from self._credential_families()
        yield from self._usage_families()
        yield from self._policy_families()
        yield from self._lineage_families()

    @api.model
    def _credential_families(self):
        family = GaugeMetricFamily(
            "crm_governance_credentials",
            "Credentials by kind and state",
            labels=("kind", "state"),
        )
        self.env["governance.credential"].flush_model()
        for kind, state, count in self.env.execute_query(
            SQL(
                """
                SELECT kind,
                       CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                            WHEN prefix IS NULL THEN 'no_key'
                            WHEN expires_at <= %s THEN 'expired'
                            ELSE 'active' END AS state,
                       count(*)
                  FROM governance_credential
                 GROUP BY 1, 2
                 ORDER BY 1, 2
                """,
                fields.Datetime.now(),
            )
        ):
            family.add_metric((kind, state), count)
        yield family

    @api.model
    def _usage_families(self):
        requests = CounterMetricFamily(
            "crm_governance_requests",
            "Requests at guarded endpoints by class of status",
            labels=("endpoint", "status"),
        )
        limited = CounterMetricFamily(
            "crm_governance_rate_limited",
            "Requests refused because of the rate limit",
            labels=("endpoint",),
        )
        received = CounterMetricFamily(
            "crm_governance_received_bytes",
            "Decompressed bytes of request bodies",
            labels=("endpoint",),
        )
        for endpoint, total, refused, failed, too_many, size in self.env[
            "governance.usage"
        ]._read_group(
            [],
            ["endpoint"],
            [
                "requests:sum",
                "errors_4xx:sum",
                "errors_5xx:sum",
                "rate_limited:sum",
                "bytes_in:sum",
            ],
            order="endpoint",
        ):
            requests.add_metric((endpoint, "2xx"), total - refused - failed)
            requests.add_metric((endpoint, "4xx"), refused)
            requests.add_metric((endpoint, "5xx"), failed)
            limited.add_metric((endpoint,), too_many)
            received.add_metric((endpoint,), size)
        yield from (requests, limited, received)
        lag = GaugeMetricFamily(
            "crm_governance_usage_flush_lag_seconds",
            "Longest delay from a request to its count in the last hours",
        )
        since = fields.Datetime.now() - timedelta(hours=2)
        [(longest,)] = self.env["governance.usage"]._read_group(
            [("hour", ">=", since)], [], ["flush_lag:max"]
        )
        lag.add_metric((), longest or 0.0)
        yield lag

    @api.model
    def _policy_families(self):
        family = GaugeMetricFamily(
            "crm_governance_field_policies",
            "Active field policies by access",
            labels=("access",),
        )
        policies = self.env["governance.field.policy"]
        for access, count in policies._read_group(
            [("active", "=", True)], ["access"], ["__count"], order="access"
        ):
            family.add_metric((access,), count)
        yield family

    @api.model
    def _lineage_families(self):
        yield GaugeMetricFamily(
            "crm_governance_lineage_edges",
            "Stored edges of the lineage",
            value=self.env["governance.lineage.edge"].search_count([]),
        )
        moment = self.env["ir.config_parameter"].get_param(REFRESHED_AT)
        if moment:
            age = fields.Datetime.now() - fields.Datetime.to_datetime(moment)
            yield GaugeMetricFamily(
                "crm_governance_lineage_age_seconds",
                "Time since the lineage was refreshed",
                value=age.total_seconds(),
            )
