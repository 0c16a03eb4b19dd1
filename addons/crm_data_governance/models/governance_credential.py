from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import NO_ACCESS, Domain
from odoo.tools import SQL, escape_psql

from ..endpoint import GuardError
from ..tools.keys import new_key, read_prefix, same_key
from ..tools.origins import host_spellings, normal_origin

DEFAULT_RATE = 600
# Written by issuing and revoking a key only.
KEY_FIELDS = frozenset({"prefix", "hash", "public_key", "issued_at", "revoked_at"})
# Read with the search of a key.
CHECKED_FIELDS = (
    "kind",
    "prefix",
    "hash",
    "scopes",
    "company_id",
    "origins",
    "rate",
    "expires_at",
    "revoked_at",
)


class GovernanceCredential(models.Model):
    _name = "governance.credential"
    _description = "API Credential"
    _inherit = "mail.thread"
    _order = "name, id"

    name = fields.Char(required=True, tracking=True)
    kind = fields.Selection(
        [("secret", "Secret"), ("public", "Public")],
        required=True,
        default="secret",
        help="A secret key is shown once and kept by the application. A public key"
        " stands in web pages: it works only from the allowed origins and should"
        " have scopes that only append.",
    )
    scopes = fields.Char(
        required=True,
        tracking=True,
        help="What the key may do, separated by spaces. The API catalogue tells the"
        " scope that each endpoint needs.",
    )
    company_id = fields.Many2one(
        "res.company",
        default=lambda self: self._default_company_id(),
        index=True,
        tracking=True,
    )
    origins = fields.Text(
        tracking=True,
        help="For a public key: the web origins it is good for, one a line, such as"
        " https://www.example.com.",
    )
    rate = fields.Integer(
        string="Requests per Minute",
        default=lambda self: self._default_rate(),
        tracking=True,
        help="Requests beyond this number get an answer to try again later."
        " 0: no limit.",
    )
    expires_at = fields.Datetime(string="Expires on", tracking=True)
    issued_at = fields.Datetime(string="Key Issued on", readonly=True, copy=False)
    revoked_at = fields.Datetime(
        string="Revoked on", readonly=True, copy=False, tracking=True
    )
    active = fields.Boolean(default=True, tracking=True)
    prefix = fields.Char(string="Key Prefix", readonly=True, copy=False)
    hash = fields.Char(readonly=True, copy=False, groups=NO_ACCESS)
    public_key = fields.Char(
        readonly=True,
        copy=False,
        help="The key itself, for public credentials only.",
    )
    state = fields.Selection(
        [
            ("no_key", "No Key"),
            ("active", "Active"),
            ("expired", "Expired"),
            ("revoked", "Revoked"),
        ],
        compute="_compute_state",
    )
    usage_ids = fields.One2many("governance.usage", "credential_id", readonly=True)
    request_count = fields.Integer(compute="_compute_usage")
    last_used_at = fields.Datetime(string="Last Used on", compute="_compute_usage")

    _prefix_uniq = models.UniqueIndex("(prefix) WHERE prefix IS NOT NULL")
    _check_rate = models.Constraint(
        "CHECK (rate >= 0)", "The number of requests per minute cannot be negative."
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    @api.model
    def _default_rate(self):
        return DEFAULT_RATE

    @api.depends("prefix", "expires_at", "revoked_at")
    def _compute_state(self):
        now = fields.Datetime.now()
        for credential in self:
            if credential.revoked_at:
                credential.state = "revoked"
            elif not credential.prefix:
                credential.state = "no_key"
            elif credential.expires_at and credential.expires_at <= now:
                credential.state = "expired"
            else:
                credential.state = "active"

    def _compute_usage(self):
        # Read from the counts: a column of its own would be written by every
        # process while users edit the record.
        groups = self.env["governance.usage"]._read_group(
            [("credential_id", "in", self.ids)],
            ["credential_id"],
            ["requests:sum", "last_at:max"],
        )
        usage = {credential.id: values for credential, *values in groups}
        for credential in self:
            count, last = usage.get(credential.id, (0, False))
            credential.request_count = count
            credential.last_used_at = last

    @api.constrains("origins")
    def _check_origins(self):
        for credential in self:
            for line in (credential.origins or "").split():
                if not normal_origin(line):
                    raise ValidationError(
                        self.env._(
                            "“%(origin)s” is not a web origin. It looks like"
                            " https://www.example.com, without a path.",
                            origin=line,
                        )
                    )

    @api.constrains("kind")
    def _check_kind(self):
        if self.filtered("prefix"):
            raise ValidationError(
                self.env._("The kind of a credential that has a key cannot be changed.")
            )

    @api.model
    def default_get(self, fields):
        # Nor is a key planted by the defaults of a context.
        return super().default_get([name for name in fields if name not in KEY_FIELDS])

    @api.model_create_multi
    def create(self, vals_list):
        # A key is made by issuing it, never written.
        return super().create([self._without_key_values(vals) for vals in vals_list])

    def write(self, vals):
        if not (self.env.su and self.env.context.get("governance_issue")):
            vals = self._without_key_values(vals)
        return super().write(vals)

    @api.model
    def _without_key_values(self, vals):
        return {name: value for name, value in vals.items() if name not in KEY_FIELDS}

    # --- KEYS ---

    @api.model
    def _issue(self, values):
        """Create a credential with its key.

        The caller has checked that the user may do this.

        :param dict values: values of the credential
        :return: ``(record, key)``; the key is not kept (a public one is)
        """
        credential_sudo = self.sudo().create(values)
        return credential_sudo.sudo(self.env.su), credential_sudo._new_key()

    def _new_key(self):
        """Give the credential a new key; the old one is dead from the commit on.

        :return: the key
        """
        self.ensure_one()
        made = new_key(self.kind)
        # sudo: no right reaches the hash; the callers check theirs.
        self.sudo().with_context(governance_issue=True).write(
            {
                "prefix": made.prefix,
                "hash": made.hash,
                "public_key": made.key if self.kind == "public" else False,
                "issued_at": fields.Datetime.now(),
                "revoked_at": False,
                "active": True,
            }
        )
        self.sudo()._message_log(
            body=self.env._(
                "A new key was issued; it begins with %(prefix)s.", prefix=made.prefix
            )
        )
        return made.key

    def issue_key(self):
        """Issue a new key and revoke the old one.

        :return: the key, this once
        """
        self.ensure_one()
        self.check_access("write")
        return self._new_key()

    def action_issue_key(self):
        """Issue a new key and show it once."""
        self.ensure_one()
        return self._show_key(self.issue_key())

    def _show_key(self, key):
        """The dialog that shows a key; it travels in the action, never in a table."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("New Key"),
            "res_model": "governance.credential.issue",
            "view_mode": "form",
            "target": "new",
            "context": {
                "default_credential_name": self.display_name,
                "default_key": key,
            },
        }

    def action_revoke(self):
        """Revoke the key: it is dead at every endpoint from the commit on."""
        self.check_access("write")
        self.sudo().with_context(governance_issue=True).write(
            {"revoked_at": fields.Datetime.now()}
        )
        return True

    def action_view_usage(self):
        """Open the counts of this credential."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_data_governance.governance_usage_action"
        )
        action["domain"] = [("credential_id", "=", self.id)]
        action["context"] = {}
        return action

    # --- CHECKS ---

    @api.model
    def _authenticate(self, key, scope, origin=None):
        """The credential that a key belongs to.

        Only reads, so it works in a read-only request.

        :param str key: what the client sent, or None
        :param str scope: needed
        :param str origin: the request's Origin header, or None
        :raise GuardError: 401 unknown, revoked, expired; 403 other scope or origin
        :return: record (superuser)
        """
        kind_and_prefix = read_prefix(key)
        # sudo: the caller is a stranger until the key is compared.
        credential_sudo = self.sudo().browse()
        if kind_and_prefix:
            kind, prefix = kind_and_prefix
            credential_sudo = self.sudo().search_fetch(
                [("prefix", "=", prefix), ("kind", "=", kind)], CHECKED_FIELDS, limit=1
            )
        if not same_key(key if kind_and_prefix else "", credential_sudo.hash):
            raise GuardError(401, "unauthorized")
        if credential_sudo.state != "active":
            raise GuardError(401, "unauthorized", credential_id=credential_sudo.id)
        if scope not in credential_sudo._scope_set():
            raise GuardError(403, "forbidden", credential_id=credential_sudo.id)
        if (
            credential_sudo.kind == "public"
            and normal_origin(origin) not in credential_sudo._origin_set()
        ):
            raise GuardError(403, "forbidden", credential_id=credential_sudo.id)
        return credential_sudo

    def _scope_set(self):
        return frozenset((self.scopes or "").split())

    def _origin_set(self):
        """Normalised origins; a request without one matches none of them."""
        return frozenset(
            normal_origin(line) for line in (self.origins or "").split()
        ) - {None}

    @api.model
    def _knows_origin(self, origin, scope):
        """Whether a live public key of this scope is bound to the origin.

        :param str origin: Origin header
        :param str scope:
        :return: bool
        """
        wanted = normal_origin(origin)
        if not wanted:
            return False
        # sudo: a browser's preflight carries no key.
        candidates_sudo = self.sudo().search(self._get_origin_domain(wanted, scope))
        return any(
            credential.state == "active"
            and scope in credential._scope_set()
            and wanted in credential._origin_set()
            for credential in candidates_sudo
        )

    @api.model
    def _get_origin_domain(self, origin, scope):
        return Domain(
            [
                ("kind", "=", "public"),
                ("scopes", "like", escape_psql(scope)),
                ("revoked_at", "=", False),
            ]
        ) & Domain.OR(
            Domain("origins", "ilike", escape_psql(host))
            for host in host_spellings(origin)
        )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        for credential in self:
            if credential.state == "active" and credential.request_count:
                raise UserError(
                    self.env._(
                        "“%(name)s” is in use. Revoke it before you delete it.",
                        name=credential.name,
                    )
                )
        # What it was used for stays counted. sudo: who may delete a key need not see
        # counts.
        usage_sudo = self.env["governance.usage"].sudo()
        usage_sudo._fold(SQL("credential_id = ANY(%s)", self.ids))
