import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..const import SCOPE
from ..tools.origins import OriginError, is_insecure, parse_origins

CODE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")


class BehaviorSource(models.Model):
    _name = "behavior.source"
    _description = "Behavior Source"
    _inherit = ["governance.credential.mixin", "mail.thread"]
    _order = "name, id"

    name = fields.Char(required=True, tracking=True)
    code = fields.Char(
        required=True,
        tracking=True,
        help="Short name of the source in reports and interfaces: small letters,"
        " digits, - and _.",
    )
    active = fields.Boolean(default=True, tracking=True)
    company_id = fields.Many2one(
        "res.company",
        required=True,
        index=True,
        default=lambda self: self._default_company_id(),
    )
    website_id = fields.Many2one(
        "website",
        index="btree_not_null",
        check_company=True,
        ondelete="set null",
        help="The Odoo website that this source describes, if it is one.",
    )
    origins = fields.Text(
        string="Allowed Origins",
        tracking=True,
        help="The addresses of the pages that may use the key, one a line: scheme,"
        " host and port if it is not the usual one, such as https://www.example.com."
        " No path.",
    )
    insecure_origins = fields.Char(compute="_compute_insecure_origins")
    public_key = fields.Char(string="Write Key", compute="_compute_credential")
    state = fields.Selection(
        [
            ("no_key", "No Key"),
            ("active", "Ready"),
            ("revoked", "Key Revoked"),
            ("expired", "Key Expired"),
        ],
        compute="_compute_credential",
    )
    last_used_at = fields.Datetime(
        string="Key Last Used on", compute="_compute_credential"
    )
    request_example = fields.Text(string="Example", compute="_compute_request_example")

    _code_uniq = models.Constraint(
        "UNIQUE(company_id, code)", "A company has one source of a code."
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    # --- COMPUTE ---

    @api.depends("origins")
    def _compute_insecure_origins(self):
        for source in self:
            try:
                origins = parse_origins(source.origins)
            except OriginError:
                # Being typed; the constraint speaks when it is saved.
                origins = []
            source.insecure_origins = ", ".join(filter(is_insecure, origins))

    @api.depends(
        "credential_id.prefix",
        "credential_id.public_key",
        "credential_id.revoked_at",
        "credential_id.expires_at",
    )
    def _compute_credential(self):
        for source in self:
            # sudo: a public key stands in each page of the site; who reads the
            # source may read it, but no other credential.
            credential_sudo = source.sudo().credential_id
            source.public_key = credential_sudo.public_key
            source.state = credential_sudo.state or "no_key"
            source.last_used_at = credential_sudo.last_used_at

    @api.depends("state", "public_key", "origins")
    def _compute_request_example(self):
        for source in self:
            origin = (source.origins or "").split("\n")[0]
            source.request_example = (
                "\n".join(
                    (
                        f"curl -X POST {source.get_base_url()}/behavior/check \\",
                        f"  -H 'Authorization: Bearer {source.public_key}' \\",
                        f"  -H 'Origin: {origin}'",
                    )
                )
                if source.state == "active" and origin
                else False
            )

    # --- CONSTRAINTS ---

    @api.constrains("code")
    def _check_code(self):
        for source in self:
            if not CODE.match(source.code):
                raise ValidationError(
                    self.env._(
                        "“%(code)s” cannot be a code: use small letters, digits,"
                        " - and _, 64 at most.",
                        code=source.code,
                    )
                )

    @api.model
    def _origin_message(self, error):
        """What is wrong with an origin, in the reader's language.

        :param OriginError error:
        :return: str
        """
        value = error.params["value"]
        messages = {
            "empty": self.env._("An origin is missing."),
            "scheme": self.env._(
                "“%(value)s” does not begin with https:// or http://.", value=value
            ),
            "host": self.env._("“%(value)s” has no valid host name.", value=value),
            "port": self.env._("“%(value)s” has no valid port.", value=value),
            "path": self.env._(
                "“%(value)s” has something after the host. An origin ends there:"
                " https://www.example.com.",
                value=value,
            ),
            "credentials": self.env._(
                "“%(value)s” contains a user name. An origin has none.", value=value
            ),
            "wildcard": self.env._(
                "“%(value)s” contains a *. Name each origin, so that the key is"
                " worth nothing elsewhere.",
                value=value,
            ),
            "too_many": self.env._("A source has 100 origins at most."),
        }
        return messages[error.code]

    @api.model
    def _normalised_origins(self, text):
        try:
            return "\n".join(parse_origins(text)) or False
        except OriginError as error:
            raise ValidationError(self._origin_message(error)) from error

    # --- CRUD ---

    @api.model_create_multi
    def create(self, vals_list):
        return super().create(
            [
                {**vals, "origins": self._normalised_origins(vals["origins"])}
                if "origins" in vals
                else vals
                for vals in vals_list
            ]
        )

    def write(self, vals):
        if "origins" in vals:
            vals = {**vals, "origins": self._normalised_origins(vals["origins"])}
        result = super().write(vals)
        if {"origins", "name", "company_id"} & vals.keys():
            self._update_credentials()
        if vals.get("active") is False:
            # An archived source takes nothing any more; a new key wakes it.
            self.filtered(lambda s: s.state == "active").action_revoke_key()
        return result

    def copy_data(self, default=None):
        vals_list = super().copy_data(default=default)
        for source, vals in zip(self, vals_list, strict=True):
            if not (default or {}).get("code"):
                vals["code"] = f"{source.code[:58]}-copy"
            if not (default or {}).get("name"):
                vals["name"] = self.env._("%(name)s (copy)", name=source.name)
        return vals_list

    # --- KEYS ---

    def _prepare_credential_values(self):
        return {
            **super()._prepare_credential_values(),
            "kind": "public",
            "scopes": SCOPE,
            "origins": self.origins,
        }

    def _update_credentials(self):
        """Let the keys follow their sources: an origin removed is refused at once."""
        for source in self:
            # sudo: as in the mixin, who may write the source may write its key.
            credential_sudo = source.sudo().credential_id
            if credential_sudo:
                values = source._prepare_credential_values()
                values.pop("kind")
                credential_sudo.write(values)

    def issue_key(self):
        self.ensure_one()
        if not self.origins:
            raise ValidationError(
                self.env._(
                    "Add an allowed origin first: without one the key would be"
                    " refused everywhere."
                )
            )
        key = super().issue_key()
        self.active = True
        return key

    def action_issue_key(self):
        """Issue the write key; a public one stays readable on the form."""
        self.issue_key()
        return True

    def action_check(self):
        """Open the check of a page address."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Verify an Origin"),
            "res_model": "behavior.source.check",
            "view_mode": "form",
            "target": "new",
            "context": {"default_source_id": self.id},
        }
