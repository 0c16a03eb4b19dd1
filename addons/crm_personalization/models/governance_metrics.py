from collections import Counter

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
        yield from self._exposure_families()

    @api.model
    def _exposure_families(self):
        """What was shown by slot; the share of ``variant="default"`` is the default
        share.  Gauges: exposures go with their days, slots and customers."""
        decisions = GaugeMetricFamily(
            "crm_personalization_kept_exposures",
            "Contents shown by slot, variant and channel, of the days that are kept",
            labels=("company", "slot", "variant", "channel"),
        )
        errors = GaugeMetricFamily(
            "crm_personalization_kept_errors",
            "Contents shown while a content or an audience of the slot failed, of the"
            " days that are kept",
            labels=("company", "slot"),
        )
        shown, failed = Counter(), Counter()
        # Slots of several websites may share a code.
        for slot, ref, channel, is_failed, count in self.env[
            "personalization.exposure"
        ]._read_group(
            [],
            ["slot_id", "variant_ref", "channel", "failed"],
            ["count:sum"],
        ):
            labels = (str(slot.company_id.id), slot.code)
            shown[(*labels, str(ref) if ref else "default", channel)] += count
            failed[labels] += count if is_failed else 0
        for family, counts in ((decisions, shown), (errors, failed)):
            for labels, count in sorted(counts.items()):
                family.add_metric(labels, count)
            yield family
