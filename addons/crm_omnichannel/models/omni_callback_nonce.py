from odoo import api, fields, models
from odoo.tools import SQL

#: the platform's clock and ours may differ by this much; an older message is a replay
WINDOW_SECONDS = 300


class OmniCallbackNonce(models.Model):
    """Which deliveries have been seen, for as long as their time would still pass."""

    _name = "omni.callback.nonce"
    _description = "Seen Delivery"
    _rec_name = "nonce"
    _log_access = False

    channel_id = fields.Many2one("omni.channel", required=True, ondelete="cascade")
    nonce = fields.Char(required=True)
    timestamp = fields.Integer(required=True)

    _nonce_uniq = models.Constraint(
        "UNIQUE(channel_id, timestamp, nonce)", "This delivery was seen already."
    )

    @api.model
    def _see(self, channel, callback, now):
        """Note a delivery; return False if it is too old or was seen already.

        :param Callback callback: ``tools/platform.py``
        :param int now: seconds since 1970
        """
        if abs(now - callback.timestamp) > WINDOW_SECONDS:
            return False
        self.env.cr.execute(
            SQL(
                "INSERT INTO omni_callback_nonce (channel_id, timestamp, nonce)"
                " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                channel.id,
                callback.timestamp,
                callback.nonce,
            )
        )
        return bool(self.env.cr.rowcount)

    @api.autovacuum
    def _gc_nonce(self):
        self.env.cr.execute(
            SQL(
                "DELETE FROM omni_callback_nonce"
                " WHERE timestamp < extract(epoch FROM now()) - %s",
                2 * WINDOW_SECONDS,
            )
        )
