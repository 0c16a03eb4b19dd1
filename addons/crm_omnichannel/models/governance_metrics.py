from prometheus_client.core import GaugeMetricFamily

from odoo import api, fields, models


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
