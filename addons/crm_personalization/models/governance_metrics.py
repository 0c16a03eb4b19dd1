from prometheus_client.core import GaugeMetricFamily

from odoo import api, fields, models


class GovernanceMetrics(models.AbstractModel):
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        now = fields.Datetime.now()
        family = GaugeMetricFamily(
            "crm_personalization_variants",
            "Variants of slots by company and place in their schedule",
            labels=("company", "state"),
        )
        states = {
            "planned": [("date_start", ">", now)],
            "ended": [("date_end", "<=", now)],
            "running": [
                "|",
                ("date_start", "=", False),
                ("date_start", "<=", now),
                "|",
                ("date_end", "=", False),
                ("date_end", ">", now),
            ],
        }
        for state, domain in states.items():
            for company, count in self.env["personalization.variant"]._read_group(
                [("slot_id.active", "=", True), *domain], ["company_id"], ["__count"]
            ):
                family.add_metric((str(company.id), state), count)
        yield family
