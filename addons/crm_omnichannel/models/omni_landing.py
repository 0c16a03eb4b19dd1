from odoo import api, fields, models
from odoo.tools import SQL

KEEP_SINGLE_DAYS = 7


class OmniLanding(models.Model):
    """One row a batch: how many of its items landed, were known, were refused."""

    _name = "omni.landing"
    _description = "Landing"
    _order = "received_at desc, id desc"
    _rec_name = "received_at"
    _log_access = False

    channel_id = fields.Many2one(
        "omni.channel", required=True, readonly=True, ondelete="cascade", index=True
    )
    company_id = fields.Many2one(related="channel_id.company_id")
    received_at = fields.Datetime(readonly=True, required=True)
    accepted = fields.Integer(readonly=True)
    duplicates = fields.Integer(readonly=True)
    refused = fields.Integer(readonly=True)

    @api.autovacuum
    def _gc_landing(self):
        """Add up the batches of each past day: single posts would fill the table."""
        self.env.cr.execute(
            SQL(
                """
                WITH old AS (
                    DELETE FROM omni_landing
                    WHERE received_at < (now() AT TIME ZONE 'UTC')::date - %s
                    RETURNING channel_id, received_at, accepted, duplicates, refused
                )
                INSERT INTO omni_landing
                    (channel_id, received_at, accepted, duplicates, refused)
                SELECT channel_id, date_trunc('day', received_at),
                       sum(accepted), sum(duplicates), sum(refused)
                FROM old GROUP BY 1, 2
                """,
                KEEP_SINGLE_DAYS,
            )
        )
        self.invalidate_model()
