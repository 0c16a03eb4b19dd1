from odoo import fields, models


class GovernanceCredentialIssue(models.TransientModel):
    """Shows a new key once.  The key is in no table: it comes in the action."""

    _name = "governance.credential.issue"
    _description = "New Key"

    credential_id = fields.Many2one(
        "governance.credential", readonly=True, ondelete="cascade"
    )
    key = fields.Char(store=False)
