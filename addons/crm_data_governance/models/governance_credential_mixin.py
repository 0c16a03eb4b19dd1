from odoo import api, fields, models


class GovernanceCredentialMixin(models.AbstractModel):
    """A record that strangers reach with a key: a channel, a source, a device."""

    _name = "governance.credential.mixin"
    _description = "Record with an API Credential"

    credential_id = fields.Many2one(
        "governance.credential",
        copy=False,
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )

    @api.model
    def _has_field_access(self, field, operation):
        # Whoever may write the record may replace its key: it must be its own.
        return super()._has_field_access(field, operation) and (
            operation == "read" or self.env.su or field.name != "credential_id"
        )

    def _prepare_credential_values(self):
        """Values of the credential; extend with ``scopes`` and, if public,
        ``kind`` and ``origins``.

        :return: dict
        """
        self.ensure_one()
        values = {"name": self.display_name}
        if "company_id" in self._fields:
            values["company_id"] = self.company_id.id
        return values

    def issue_key(self):
        """Issue a new key and revoke the old one.

        :return: the key, this once
        """
        self.ensure_one()
        self.check_access("write")
        # sudo: who may change the record may change its key, and no other one.
        credential_sudo = self.sudo().credential_id
        if credential_sudo:
            # A rotation follows the record's present settings.
            values = self._prepare_credential_values()
            values.pop("kind", None)
            credential_sudo.write(values)
            return credential_sudo._new_key()
        credential, key = self.env["governance.credential"]._issue(
            self._prepare_credential_values()
        )
        self.sudo().credential_id = credential
        return key

    def action_issue_key(self):
        """Issue a new key and show it once."""
        self.ensure_one()
        key = self.issue_key()
        return self.sudo().credential_id._show_key(key)

    def action_revoke_key(self):
        """Revoke the keys of these records."""
        self.check_access("write")
        # sudo: as in issue_key.
        return self.sudo().credential_id.action_revoke()

    def unlink(self):
        # sudo: a key must not outlive what it was made for.
        credentials_sudo = self.sudo().credential_id
        result = super().unlink()
        credentials_sudo.exists().filtered(lambda c: not c.revoked_at).action_revoke()
        return result
