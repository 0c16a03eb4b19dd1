from prometheus_client.core import GaugeMetricFamily

from odoo import api, models


class GovernanceMetrics(models.AbstractModel):
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        family = GaugeMetricFamily(
            "crm_behavior_sources",
            "Behavior sources by company and state of their key",
            labels=("company", "state"),
        )
        counted = {}
        for source in self.env["behavior.source"].search_fetch(
            [], ["company_id", "credential_id"]
        ):
            key = (str(source.company_id.id), source.state)
            counted[key] = counted.get(key, 0) + 1
        for labels, count in sorted(counted.items()):
            family.add_metric(labels, count)
        yield family
