from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

# Months that hourly counts are kept.
KEEP_DAYS = 400


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
    company_id = fields.Many2one("res.company", readonly=True, ondelete="cascade")
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
        self.env.cr.execute(SQL("DELETE FROM governance_usage WHERE hour < %s", before))
        self.invalidate_model()
