from prometheus_client.core import GaugeMetricFamily

from odoo import api, models


class GovernanceMetrics(models.AbstractModel):
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        processes = GaugeMetricFamily(
            "crm_sales_processes",
            "Versions of sales processes by company and state",
            labels=("company", "state"),
        )
        errors = GaugeMetricFamily(
            "crm_sales_process_errors",
            "Errors found in diagrams by company and state of the version",
            labels=("company", "state"),
        )
        for company, state, count, found in self.env["bpmn.process"]._read_group(
            [], ["company_id", "state"], ["__count", "error_count:sum"]
        ):
            processes.add_metric((str(company.id), state), count)
            errors.add_metric((str(company.id), state), found)
        yield from (processes, errors)
