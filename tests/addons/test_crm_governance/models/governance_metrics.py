from prometheus_client.core import GaugeMetricFamily

from odoo import models


class GovernanceMetrics(models.AbstractModel):
    _inherit = "governance.metrics"

    def _metric_families(self):
        yield from super()._metric_families()
        yield GaugeMetricFamily(
            "test_governance_queue",
            "Rows of the test queue",
            value=self.env["test_governance.queue"].search_count([]),
        )
