from prometheus_client.core import GaugeMetricFamily

from odoo import api, models


class GovernanceMetrics(models.AbstractModel):
    _name = "governance.metrics"
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        merges = GaugeMetricFamily(
            "crm_omnichannel_merges",
            "Merges of customers by rule and state",
            labels=("rule", "state"),
        )
        for rule, state, count in self.env["omni.merge"]._read_group(
            [], ["rule", "state"], ["__count"]
        ):
            merges.add_metric((rule, state), count)
        yield merges
        quarantined = GaugeMetricFamily(
            "crm_omnichannel_quarantined_identities",
            "Identifiers that too many customers share",
            labels=("kind",),
        )
        for kind, count in self.env["omni.identity"]._read_group(
            [("quarantined", "=", True)], ["kind"], ["__count"]
        ):
            quarantined.add_metric((kind,), count)
        yield quarantined
