from prometheus_client.core import GaugeMetricFamily

from odoo import api, fields, models
from odoo.tools import SQL


class GovernanceMetrics(models.AbstractModel):
    _name = "governance.metrics"
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        records = GaugeMetricFamily(
            "crm_omnichannel_records",
            "Channel records by channel and state",
            labels=("channel", "state"),
        )
        oldest = GaugeMetricFamily(
            "crm_omnichannel_oldest_unprocessed_seconds",
            "Age of the oldest record that waits to be processed",
            labels=("channel",),
        )
        now = fields.Datetime.now()
        waiting = {}
        for channel, state, count, received_at in self.env["omni.record"]._read_group(
            [], ["channel_id", "state"], ["__count", "received_at:min"]
        ):
            records.add_metric((channel.code, state), count)
            if state == "received":
                waiting[channel.code] = (now - received_at).total_seconds()
        channels = self.env["omni.channel"].search_fetch(
            [("active", "in", (True, False))], ["code"], order="code"
        )
        for channel in channels:
            oldest.add_metric((channel.code,), max(0, waiting.get(channel.code, 0)))
        yield from (records, oldest)
        yield self._omni_quality_family()
        yield from self._omni_profile_families()

    @api.model
    def _omni_quality_family(self):
        quality = GaugeMetricFamily(
            "crm_omnichannel_quality_ratio",
            "Completeness, validity and uniqueness on the last day of each channel",
            labels=("channel", "field", "measure"),
        )
        for channel, day in self.env["omni.quality"]._read_group(
            [], ["channel_id"], ["day:max"]
        ):
            for row in self.env["omni.quality"].search(
                [("channel_id", "=", channel.id), ("day", "=", day)]
            ):
                for measure in ("completeness", "validity", "uniqueness"):
                    quality.add_metric(
                        (channel.code, row.target, measure), row[measure]
                    )
        return quality

    @api.model
    def _omni_profile_families(self):
        segments = GaugeMetricFamily(
            "crm_omnichannel_segment_members",
            "Customers in a segment",
            labels=("company", "segment"),
        )
        for segment, count in self.env["omni.segment.member"]._read_group(
            [], ["segment_id"], ["__count"]
        ):
            segments.add_metric((str(segment.company_id.id or 0), segment.code), count)
        yield segments
        answers = GaugeMetricFamily(
            "crm_omnichannel_consent_answers",
            "Recorded answers by purpose and state",
            labels=("purpose", "state"),
        )
        for purpose, state, count in self.env["omni.consent"]._read_group(
            [], ["purpose", "state"], ["__count"]
        ):
            answers.add_metric((purpose, state), count)
        yield answers
        tiers = GaugeMetricFamily(
            "crm_omnichannel_customer_tiers",
            "Customers above the standard tier, by company",
            labels=("company", "tier"),
        )
        partners = self.env["res.partner"]
        partners.flush_model(["customer_tier", "commercial_partner_id"])
        for company, tier, count in self.env.execute_query(
            SQL(
                """
                SELECT found.key, found.value, count(*)
                FROM res_partner AS partner,
                     jsonb_each_text(partner.customer_tier) AS found
                WHERE partner.active AND partner.commercial_partner_id = partner.id
                  AND found.value <> 'standard'
                GROUP BY 1, 2 ORDER BY 1, 2
                """
            )
        ):
            tiers.add_metric((company, tier), count)
        yield tiers
