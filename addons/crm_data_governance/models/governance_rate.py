from odoo import fields, models


class GovernanceRate(models.Model):
    """The shared counter of a credential's rate limit.

    Written by ``rates.py`` through a READ COMMITTED cursor only.
    """

    _name = "governance.rate"
    _description = "Rate Limit Counter"
    _log_access = False
    _rec_name = "credential_id"

    credential_id = fields.Many2one(
        "governance.credential", required=True, ondelete="cascade", readonly=True
    )
    window_no = fields.Integer(
        string="Window", required=True, readonly=True, help="Minutes since 1970."
    )
    used = fields.Integer(required=True, readonly=True)
    granted = fields.Integer(required=True, readonly=True, help="Size of last block.")

    _credential_uniq = models.UniqueIndex("(credential_id)")
