from odoo import api, fields, models
from odoo.tools import SQL

from .. import rates


class GovernanceRate(models.Model):
    """The shared counter of the rate limit of a credential, or of a client.

    Written by ``rates.py`` through a READ COMMITTED cursor only.
    """

    _name = "governance.rate"
    _description = "Rate Limit Counter"
    _log_access = False
    _rec_name = "credential_id"

    credential_id = fields.Many2one(
        "governance.credential", ondelete="cascade", readonly=True
    )
    client = fields.Char(
        readonly=True,
        help="Of a route that needs no key: stands for the route and the address that"
        " calls it, which cannot be read from it.",
    )
    window_no = fields.Integer(
        string="Window", required=True, readonly=True, help="Minutes since 1970."
    )
    used = fields.Integer(required=True, readonly=True)
    granted = fields.Integer(required=True, readonly=True, help="Size of last block.")

    _caller_uniq = models.UniqueIndex(
        "(COALESCE(credential_id, 0), COALESCE(client, ''))"
    )

    @api.autovacuum
    def _gc_rate(self):
        """Forget the clients of windows that are over."""
        self.env.cr.execute(
            SQL(
                "DELETE FROM governance_rate WHERE client IS NOT NULL"
                " AND window_no < floor(extract(epoch FROM now()) / %s) - 1",
                rates.WINDOW_SECONDS,
            )
        )
        self.invalidate_model()
