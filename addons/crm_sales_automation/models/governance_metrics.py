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
        yield from self._bpmn_run_families()

    @api.model
    def _bpmn_run_families(self):
        instances = GaugeMetricFamily(
            "crm_sales_process_instances",
            "Instances of sales processes by company, process and state",
            labels=("company", "process", "state"),
        )
        for company, key, state, count in self.env["bpmn.instance"]._read_group(
            [], ["company_id", "process_key", "state"], ["__count"]
        ):
            instances.add_metric((str(company.id), key, state), count)
        steps = GaugeMetricFamily(
            "crm_sales_process_steps",
            "Steps of sales processes by company, type of shape and state",
            labels=("company", "type", "state"),
        )
        for company, kind, state, count in self.env["bpmn.instance.step"]._read_group(
            [], ["company_id", "element_type", "state"], ["__count"]
        ):
            steps.add_metric((str(company.id), kind, state), count)
        incidents = GaugeMetricFamily(
            "crm_sales_process_incidents",
            "Incidents of sales processes by company, code and state",
            labels=("company", "code", "state"),
        )
        for company, code, state, count in self.env["bpmn.incident"]._read_group(
            [], ["company_id", "code", "state"], ["__count"]
        ):
            incidents.add_metric((str(company.id), code, state), count)
        yield from (instances, steps, incidents)
