from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import NO_ACCESS

from ..tools.platform import STOP, App, Failure, Keys
from ..tools.platform_crypto import CryptoError, read_key
from ..tools.wecom import WeComAdapter

#: write-only field → the sealed secret behind it
SECRETS = {
    "platform_secret": "platform_secret_id",
    "callback_token": "callback_token_id",
    "callback_aes_key": "callback_aes_key_id",
}
#: with other values here the token is another one
ACCESS_FIELDS = frozenset({"platform_url", "platform_app_id", "platform_secret"})


class OmniChannel(models.Model):
    """The settings of a channel that is a platform."""

    _name = "omni.channel"
    _inherit = ["omni.channel", "mail.activity.mixin"]

    type = fields.Selection(
        selection_add=[(WeComAdapter.code, "WeCom")],
        ondelete={WeComAdapter.code: "cascade"},
        help="File: somebody drags CSV, Excel or JSON lines here. HTTP: another"
        " system posts records. Odoo: customers who were typed into Odoo. WeCom: the"
        " customers of the company's members at WeCom (企业微信).",
    )
    mapping_id = fields.Many2one(
        compute="_compute_mapping_id", store=True, readonly=False, precompute=True
    )
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        default=lambda self: self._default_user_id(),
        help="Gets an activity when the channel needs somebody.",
    )
    syncs = fields.Boolean(compute="_compute_takes")
    platform_url = fields.Char(
        "Platform Address",
        compute="_compute_platform_url",
        store=True,
        readonly=False,
        precompute=True,
        help="The platform itself, or a proxy of your own in front of it. The secret is"
        " sent there: when you change it, enter the secret again.",
    )
    platform_app_id = fields.Char(
        "Corp ID",
        copy=False,
        help="WeCom: My Company → Company Information, at the bottom. Capital and small"
        " letters matter.",
    )
    platform_agent_id = fields.Char(
        "Agent ID", copy=False, help="Of your own app at WeCom; a note for people."
    )
    platform_groups = fields.Boolean(
        "Customer Groups",
        default=True,
        help="Also take over the members of customer groups who are no employees.",
    )
    platform_secret_id = fields.Many2one(
        "governance.secret",
        "Sealed Secret",
        copy=False,
        groups=NO_ACCESS,
        ondelete="set null",
    )
    callback_token_id = fields.Many2one(
        "governance.secret",
        "Sealed Callback Token",
        copy=False,
        groups=NO_ACCESS,
        ondelete="set null",
    )
    callback_aes_key_id = fields.Many2one(
        "governance.secret",
        "Sealed EncodingAESKey",
        copy=False,
        groups=NO_ACCESS,
        ondelete="set null",
    )
    platform_secret = fields.Char(
        "Secret",
        compute="_compute_secrets",
        inverse="_inverse_platform_secret",
        help="Of your own app that stands under Customer Contact → Apps that may call"
        " the API. Sealed when you save, never shown again.",
    )
    callback_token = fields.Char(
        compute="_compute_secrets",
        inverse="_inverse_callback_token",
        help="From “Receive messages” of the app at the platform. Sealed when you"
        " save, never shown again.",
    )
    callback_aes_key = fields.Char(
        "EncodingAESKey",
        compute="_compute_secrets",
        inverse="_inverse_callback_aes_key",
        help="From “Receive messages” of the app at the platform: 43 letters and"
        " digits. Sealed when you save, never shown again.",
    )
    has_platform_secret = fields.Boolean(compute="_compute_has_secrets")
    has_callback_keys = fields.Boolean(compute="_compute_has_secrets")
    connected_at = fields.Datetime("Connected", readonly=True, copy=False)
    callback_url = fields.Char("Callback Address", compute="_compute_callback_url")

    @api.model
    def _default_user_id(self):
        return self.env.user

    @api.depends("type")
    def _compute_takes(self):
        result = super()._compute_takes()
        for channel in self:
            channel.syncs = channel._adapter().syncs
        return result

    @api.depends("type")
    def _compute_mapping_id(self):
        """A platform brings its own mapping."""
        for channel in self:
            if not channel.mapping_id and channel._adapter().syncs:
                channel.mapping_id = self.env.ref(
                    f"crm_omnichannel.omni_mapping_{channel.type}", False
                )

    @api.depends("type")
    def _compute_platform_url(self):
        for channel in self:
            adapter = channel._adapter()
            if not channel.platform_url:
                channel.platform_url = adapter.host if adapter.syncs else False

    @api.depends("code", "type")
    def _compute_callback_url(self):
        for channel in self:
            channel.callback_url = False
            if channel.code and channel._adapter().syncs:
                path = f"/omni/callback/{channel.type}/{channel.code}"
                channel.callback_url = channel.get_base_url() + path

    def _compute_secrets(self):
        for name in SECRETS:
            self[name] = False

    @api.depends(*(f"{name}.sealed" for name in SECRETS.values()))
    def _compute_has_secrets(self):
        for channel in self:
            # sudo: whether there is one is no secret
            channel_sudo = channel.sudo()
            channel.has_platform_secret = bool(channel_sudo.platform_secret_id.sealed)
            channel.has_callback_keys = bool(
                channel_sudo.callback_token_id.sealed
                and channel_sudo.callback_aes_key_id.sealed
            )

    def _inverse_platform_secret(self):
        self._seal_secret("platform_secret")

    def _inverse_callback_token(self):
        self._seal_secret("callback_token")

    def _inverse_callback_aes_key(self):
        for channel in self.filtered("callback_aes_key"):
            try:
                read_key(channel.callback_aes_key.strip())
            except CryptoError as error:
                raise ValidationError(
                    self.env._("An EncodingAESKey has 43 letters and digits.")
                ) from error
        self._seal_secret("callback_aes_key")

    def _seal_secret(self, name):
        """Seal what was typed; an empty field keeps what is there."""
        for channel in self:
            text = (channel[name] or "").strip()
            if text:
                channel._set_secret(name, text)
        # what was typed is not handed out again, not even to who typed it
        self.invalidate_recordset([name])

    def _set_secret(self, name, text):
        self.ensure_one()
        # sudo: who may write the channel may set its secrets, and no other ones
        channel_sudo = self.sudo()
        secret_sudo = channel_sudo[SECRETS[name]]
        if not secret_sudo:
            secret_sudo = secret_sudo.create(
                {
                    "name": f"{channel_sudo.code}: {self._fields[name].string}",
                    "company_id": channel_sudo.company_id.id,
                }
            )
            channel_sudo[SECRETS[name]] = secret_sudo
        secret_sudo._seal(text)

    @api.constrains("platform_url", "type")
    def _check_platform_url(self):
        for channel in self:
            if not channel._adapter().syncs:
                continue
            parts = urlsplit(channel.platform_url or "")
            plain = not (parts.query or parts.fragment or "@" in parts.netloc)
            if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
                raise ValidationError(
                    self.env._(
                        "The platform's address looks like https://proxy.example.com."
                    )
                )

    # --- CHANGES ---

    def write(self, vals):
        if "platform_url" in vals and not vals.get("platform_secret"):
            # a secret goes where it was meant to go
            for channel in self:
                if channel.platform_url != vals["platform_url"]:
                    channel._set_secret("platform_secret", "")
        result = super().write(vals)
        if ACCESS_FIELDS & vals.keys():
            # a token of the old settings is none of the new ones
            self.env["omni.token"]._forget(self)
        return result

    def unlink(self):
        # sudo: a secret must not outlive what it was kept for
        secrets_sudo = self.env["governance.secret"].sudo()
        for name in SECRETS.values():
            secrets_sudo |= self.sudo()[name]
        tokens = self.env["omni.token"].sudo()
        secrets_sudo |= tokens.search([("channel_id", "in", self.ids)]).secret_id
        result = super().unlink()
        secrets_sudo.unlink()
        return result

    # --- FOR THE ADAPTER ---

    def _sync_options(self):
        return {"groups": self.platform_groups}

    def _platform_app(self):
        """:return: ``(App, failure)``, one of them None"""
        self.ensure_one()
        if not self.platform_app_id or not self.has_platform_secret:
            return None, Failure(STOP, "no_secret", {})
        try:
            # sudo: no right reaches a sealed text
            secret = self.sudo().platform_secret_id._open()
        except UserError:
            return None, Failure(STOP, "secret_lost", {})
        return App(self.platform_app_id.strip(), secret), None

    def _callback_keys(self):
        """Return the :class:`Keys`, or None while they are not set."""
        self.ensure_one()
        if not self.platform_app_id or not self.has_callback_keys:
            return None
        channel_sudo = self.sudo()
        try:
            return Keys(
                self.platform_app_id.strip(),
                channel_sudo.callback_token_id._open(),
                channel_sudo.callback_aes_key_id._open(),
            )
        except UserError:
            return None
