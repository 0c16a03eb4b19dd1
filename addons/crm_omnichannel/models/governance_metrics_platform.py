from prometheus_client.core import GaugeMetricFamily

from odoo import api, fields, models


class GovernanceMetrics(models.AbstractModel):
    _name = "governance.metrics"
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        callbacks = GaugeMetricFamily(
            "crm_omnichannel_callbacks",
            "Callbacks of platforms by channel and state",
            labels=("channel", "state"),
        )
        lag = GaugeMetricFamily(
            "crm_omnichannel_callback_lag_seconds",
            "Age of the oldest callback that waits to be worked on",
            labels=("channel",),
        )
        now = fields.Datetime.now()
        for channel, state, count, oldest in self.env["omni.callback"]._read_group(
            [], ["channel_id", "state"], ["__count", "received_at:min"]
        ):
            callbacks.add_metric((channel.code, state), count)
            if state == "waiting":
                lag.add_metric((channel.code,), max(0, (now - oldest).total_seconds()))
        yield from (callbacks, lag)
        token = GaugeMetricFamily(
            "crm_omnichannel_token_age_seconds",
            "Age of a channel's token",
            labels=("channel",),
        )
        stopped = GaugeMetricFamily(
            "crm_omnichannel_channel_stopped",
            "1 where a channel stopped because its settings are refused",
            labels=("channel",),
        )
        for access in self.env["omni.token"].search([("channel_id", "!=", False)]):
            code = access.channel_id.code
            stopped.add_metric((code,), int(bool(access.problem_code)))
            if access.fetched_at:
                token.add_metric((code,), (now - access.fetched_at).total_seconds())
        yield from (token, stopped)
        finished = GaugeMetricFamily(
            "crm_omnichannel_sync_age_seconds",
            "Time since a channel was last synchronised to the end",
            labels=("channel",),
        )
        for channel, newest in self.env["omni.sync"]._read_group(
            [("status", "=", "done")], ["channel_id"], ["finished_at:max"]
        ):
            finished.add_metric((channel.code,), (now - newest).total_seconds())
        yield finished
