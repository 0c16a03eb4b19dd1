from datetime import datetime, timedelta

from odoo import api, fields, models
from odoo.tools import SQL

# Months that hourly counts are kept.
KEEP_DAYS = 400
# The hour of the counts whose own is not kept any more.
FOLDED = datetime(1970, 1, 1)


class GovernanceUsage(models.Model):
    """Counts of requests by endpoint, credential and hour.

    Written by ``usage.py`` through a READ COMMITTED cursor only.
    """

    _name = "governance.usage"
    _description = "API Usage"
    _log_access = False
    _order = "hour DESC, endpoint"
    _rec_name = "endpoint"

    endpoint = fields.Char(required=True, readonly=True)
    credential_id = fields.Many2one(
        "governance.credential", ondelete="cascade", index=True, readonly=True
    )
    # what was counted stays counted: the counters of /metrics never fall
    company_id = fields.Many2one("res.company", readonly=True, ondelete="set null")
    hour = fields.Datetime(required=True, readonly=True)
    requests = fields.Integer(readonly=True)
    errors_4xx = fields.Integer(string="Refused (4xx)", readonly=True)
    errors_5xx = fields.Integer(string="Failed (5xx)", readonly=True)
    rate_limited = fields.Integer(
        readonly=True, help="Refused because of the rate limit; part of 4xx."
    )
    bytes_in = fields.Float(
        string="Bytes Received", digits=(16, 0), readonly=True, help="Decompressed."
    )
    last_at = fields.Datetime(string="Last Request", readonly=True)
    flush_lag = fields.Float(
        string="Counting Delay",
        readonly=True,
        aggregator="max",
        help="Longest time in seconds from a request to its count.",
    )

    _cell_uniq = models.UniqueIndex("(endpoint, hour, COALESCE(credential_id, 0))")

    @api.autovacuum
    def _gc_usage(self):
        before = fields.Datetime.now() - timedelta(days=KEEP_DAYS)
        self._fold(SQL("hour < %s", before))

    @api.model
    def _fold(self, condition):
        """Add counts up, without hour and key: the counters of ``/metrics`` never fall.

        :param SQL condition: of the rows that go
        """
        self.flush_model()
        self.env.cr.execute(
            SQL(
                """
                WITH gone AS (
                    DELETE FROM governance_usage
                    WHERE hour > %(folded)s AND %(condition)s
                    RETURNING *
                )
                INSERT INTO governance_usage AS kept
                    (endpoint, hour, requests, errors_4xx, errors_5xx, rate_limited,
                     bytes_in, last_at)
                SELECT endpoint, %(folded)s, sum(requests), sum(errors_4xx),
                       sum(errors_5xx), sum(rate_limited), sum(bytes_in), max(last_at)
                FROM gone GROUP BY endpoint
                ON CONFLICT (endpoint, hour, COALESCE(credential_id, 0)) DO UPDATE SET
                    requests = kept.requests + EXCLUDED.requests,
                    errors_4xx = kept.errors_4xx + EXCLUDED.errors_4xx,
                    errors_5xx = kept.errors_5xx + EXCLUDED.errors_5xx,
                    rate_limited = kept.rate_limited + EXCLUDED.rate_limited,
                    bytes_in = kept.bytes_in + EXCLUDED.bytes_in,
                    last_at = GREATEST(kept.last_at, EXCLUDED.last_at)
                """,
                folded=FOLDED,
                condition=condition,
            )
        )
        self.invalidate_model()
