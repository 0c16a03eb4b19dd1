from odoo import fields, models


class GovernanceCredentialIssue(models.TransientModel):
    """Shows a new key once.  The key is in no table: it comes in the action."""

    _name = "governance.credential.issue"
    _description = "New Key"

    # A name and no link: everybody may open a dialog, not read the credentials.
    credential_name = fields.Char(string="Credential", store=False)
    key = fields.Char(store=False)
