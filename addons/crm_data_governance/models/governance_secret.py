import os

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import NO_ACCESS
from odoo.tools import config

from ..tools import sealing


class GovernanceSecret(models.Model):
    """A secret that must be replayed to a platform, sealed with a key that stands
    outside the database."""

    _name = "governance.secret"
    _description = "Sealed Secret"
    _order = "name, id"

    name = fields.Char(required=True)
    company_id = fields.Many2one(
        "res.company", default=lambda self: self._default_company_id(), index=True
    )
    sealed = fields.Char(readonly=True, copy=False, groups=NO_ACCESS)
    key_fingerprint = fields.Char(
        string="Key",
        readonly=True,
        copy=False,
        help="Tells which key the secret was sealed with.",
    )
    value = fields.Char(
        compute="_compute_value",
        inverse="_inverse_value",
        help="Write only: it is sealed when you save and never shown again.",
    )
    state = fields.Selection(
        [("empty", "Empty"), ("sealed", "Sealed"), ("lost", "Other Key")],
        compute="_compute_state",
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    def _compute_value(self):
        self.value = False

    def _inverse_value(self):
        for secret in self:
            if secret.value:
                secret._seal(secret.value)
        # What was typed is not handed out again, not even to who typed it.
        self.invalidate_recordset(["value"])

    @api.depends("key_fingerprint")
    def _compute_state(self):
        key = self._read_key()[0]
        current = sealing.fingerprint(key) if key else None
        for secret in self:
            if not secret.key_fingerprint:
                secret.state = "empty"
            else:
                same = secret.key_fingerprint == current
                secret.state = "sealed" if same else "lost"

    @api.model
    def _read_key(self):
        """:return: ``(key, origin)``, both None when there is no usable key"""
        try:
            return sealing.read_key(os.environ, config["data_dir"])
        except sealing.SealingError:
            return None, None

    @api.model
    def _ensure_key(self):
        """The key in use, made on first use."""
        try:
            return sealing.ensure_key(os.environ, config["data_dir"])
        except (OSError, sealing.SealingError) as error:
            raise UserError(
                self.env._(
                    "Secrets cannot be sealed: set CRM_SECRET_KEY to 32 bytes in"
                    " URL-safe base64, or make the data folder writable."
                )
            ) from error

    def _seal(self, text):
        """Seal ``text`` in this record; whoever calls it has checked the right.

        :param str text: the secret; empty clears it
        """
        self.ensure_one()
        if not text:
            self.sudo().write({"sealed": False, "key_fingerprint": False})
            return
        key = self._ensure_key()
        # sudo: no right reaches the sealed text.
        self.sudo().write(
            {
                "sealed": sealing.seal(text, key),
                "key_fingerprint": sealing.fingerprint(key),
            }
        )

    def _open(self):
        """:raise UserError: nothing is sealed here, or with another key
        :return: the secret
        """
        self.ensure_one()
        sealed = self.sudo().sealed
        key = self._read_key()[0]
        if not sealed or not key:
            raise UserError(
                self.env._("“%(name)s” has no secret to use.", name=self.name)
            )
        try:
            return sealing.unseal(sealed, key)
        except sealing.SealingError as error:
            raise UserError(
                self.env._(
                    "“%(name)s” was sealed with another key. Enter it again.",
                    name=self.name,
                )
            ) from error
