import re

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from odoo.addons.crm_data_governance.tools.origins import (
    OriginError,
    is_insecure,
    origin_of_page,
    parse_origins,
)

from ..const import SCOPE

# Requests a minute: a page's visitors share its key.
RATE = 6000
ODOO_CODE = "odoo"
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
    type = fields.Selection(
        [
            ("web", "Website or App"),
            ("server", "Server"),
            ("odoo", "Odoo"),
        ],
        required=True,
        default="web",
        help="Website or App: its key stands in pages and works from their origins"
        " only. Server: its key is secret and works from everywhere. Odoo: what"
        " happens in Odoo itself, such as orders.",
    )
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
    on_website = fields.Boolean(
        "Track the Website",
        tracking=True,
        help="Put the tracking script with this source's key into each page of the"
        " website. It stores and sends nothing before the visitor has agreed to"
        " optional cookies.",
    )
    website_hint = fields.Char("What Is Missing", compute="_compute_website_hint")
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
    snippet = fields.Char(
        "Script for a Page",
        compute="_compute_snippet",
        help="Put it into the head of each page of the site.",
    )
    landing_ids = fields.One2many("behavior.landing", "source_id")
    accepted_count = fields.Integer("Accepted", compute="_compute_counts")
    duplicate_count = fields.Integer("Duplicates", compute="_compute_counts")
    refused_count = fields.Integer("Refused", compute="_compute_counts")

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

    @api.depends("state", "public_key", "origins", "type")
    def _compute_request_example(self):
        for source in self:
            origin = (source.origins or "").split("\n")[0]
            key = source.public_key or "<key>"
            lines = [
                f"curl {source.get_base_url()}/v1/track \\",
                f"  -H 'Authorization: Bearer {key}' \\",
                f"  -H 'Origin: {origin}' \\" if source.type == "web" else "",
                "  -H 'Content-Type: application/json' \\",
                '  -d \'{"event": "Product Viewed", "anonymousId": "a1",'
                ' "properties": {"sku": "A-1"}}\'',
            ]
            shown = source.state == "active" and (origin or source.type == "server")
            source.request_example = "\n".join(filter(None, lines)) if shown else False

    @api.depends("state", "public_key", "type")
    def _compute_snippet(self):
        for source in self:
            shown = source.state == "active" and source.type == "web"
            source.snippet = shown and (
                f'<script defer src="{source.get_base_url()}/behavior/sdk.js"'
                f' data-key="{source.public_key}"></script>'
            )

    @api.depends("landing_ids.messages")
    def _compute_counts(self):
        counts = {
            (source.id, outcome): messages
            for source, outcome, messages in self.env["behavior.landing"]._read_group(
                [("source_id", "in", self.ids)],
                ["source_id", "outcome"],
                ["messages:sum"],
            )
        }
        for source in self:
            source.accepted_count = counts.get((source.id, "accepted"), 0)
            source.duplicate_count = counts.get((source.id, "duplicate"), 0)
            source.refused_count = counts.get((source.id, "refused"), 0)

    @api.depends("on_website", "state", "website_id.cookies_bar", "website_id.domain")
    @api.depends_context("lang")
    def _compute_website_hint(self):
        """What keeps the script on the website from collecting anything."""
        for source in self:
            website = source.website_id
            origins = (source.origins or "").split()
            if not source.on_website or not website:
                source.website_hint = False
            elif source.state != "active":
                source.website_hint = source.env._(
                    "Issue the write key: without it the website has no script."
                )
            elif website.domain and _origin_of(website.domain) not in origins:
                source.website_hint = source.env._(
                    "%(origin)s is not among the allowed origins: what the website"
                    " sends is refused.",
                    origin=_origin_of(website.domain) or website.domain,
                )
            elif not website.cookies_bar:
                source.website_hint = source.env._(
                    "The website has no cookies bar, so nobody can agree and nothing"
                    " is collected. Switch it on in the settings of the website."
                )
            else:
                source.website_hint = False

    # --- CONSTRAINTS ---

    @api.constrains("on_website", "website_id", "active")
    def _check_on_website(self):
        for source in self.filtered(lambda s: s.on_website and s.active):
            if not source.website_id:
                raise ValidationError(
                    self.env._("Name the website that is to be tracked.")
                )
            if self.search_count(
                [
                    ("website_id", "=", source.website_id.id),
                    ("on_website", "=", True),
                    ("id", "!=", source.id),
                ],
                limit=1,
            ):
                raise ValidationError(
                    self.env._("Another source tracks this website already.")
                )

    @api.constrains("type", "company_id")
    def _check_fixed(self):
        """What the key and the events of a source rest on stays as it is."""
        if self.filtered("landing_ids") or self.sudo().credential_id:
            raise ValidationError(
                self.env._(
                    "The type and the company of a source that has a key or events"
                    " cannot be changed: create another one."
                )
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        """What has landed is kept: a source with events is archived, not deleted."""
        if self.landing_ids.filtered(lambda landing: landing.outcome == "accepted"):
            raise UserError(
                self.env._("A source that has events cannot be deleted: archive it.")
            )

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
        sources = super().create(
            [
                {**vals, "origins": self._normalised_origins(vals["origins"])}
                if "origins" in vals
                else vals
                for vals in vals_list
            ]
        )
        sources._forget_pages()
        return sources

    def write(self, vals):
        if "origins" in vals:
            vals = {**vals, "origins": self._normalised_origins(vals["origins"])}
        result = super().write(vals)
        if {"origins", "name", "company_id"} & vals.keys():
            self._update_credentials()
        if vals.get("active") is False:
            # An archived source takes nothing any more; a new key wakes it.
            self.filtered(lambda s: s.state == "active").action_revoke_key()
        if {"on_website", "website_id", "active", "credential_id"} & vals.keys():
            self._forget_pages()
        return result

    @api.model
    def _forget_pages(self):
        """Let the website render its pages anew: they hold the script and its key."""
        self.env.registry.clear_cache("templates")

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
        values = {
            **super()._prepare_credential_values(),
            "kind": "public" if self.type == "web" else "secret",
            "scopes": SCOPE,
            "origins": self.origins if self.type == "web" else False,
        }
        # sudo: as in the mixin; a rate that somebody has set stays.
        if not self.sudo().credential_id:
            values["rate"] = RATE
        return values

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
        if self.type == "odoo":
            raise UserError(
                self.env._("What happens in Odoo itself needs no key to be noted.")
            )
        if self.type == "web" and not self.origins:
            raise ValidationError(
                self.env._(
                    "Add an allowed origin first: without one the key would be"
                    " refused everywhere."
                )
            )
        key = super().issue_key()
        self.active = True
        self._forget_pages()
        return key

    def action_revoke_key(self):
        result = super().action_revoke_key()
        self._forget_pages()
        return result

    def action_issue_key(self):
        """Issue the write key; a public one stays readable on the form."""
        self.ensure_one()
        if self.type == "server":
            return super().action_issue_key()
        self.issue_key()
        return True

    @api.model
    def _of_credential(self, credential):
        """Return the source (superuser) that a credential belongs to, or none.

        :param credential: ``governance.credential``, as the guard gives it
        """
        # sudo: the caller is known by its key only.
        return self.sudo().search_fetch(
            [("credential_id", "=", credential.id)],
            ["code", "type", "company_id"],
            limit=1,
        )

    # --- IDENTITY ---

    def _identity_scopes(self):
        """Scopes of the identities that name the customers of a source.

        Its own come first, and are the only ones that it may add: a page must not
        tell other channels who is who.

        :return: list of str
        """
        self.ensure_one()
        return [f"source:{self.id}", f"company:{self.company_id.id}", "company:0"]

    @api.model
    def _company_scopes(self, company):
        """Scopes of the identities that may name a customer of a company.

        :param company: ``res.company``
        :return: list of str
        """
        sources = self.with_context(active_test=False).search(
            [("company_id", "=", company.id)]
        )
        scopes = [f"source:{source.id}" for source in sources]
        return [*scopes, f"company:{company.id}", "company:0"]

    @api.model
    def _consent_persons(self, scopes, partner, user_id, anonymous_id, kept=False):
        """Return whose consent a visit needs, as ``omni.consent`` names persons.

        Who logs in on a browser speaks for themselves, not for its owner; the browser
        is asked when it is to become theirs, or when what is kept is to be its own.

        :param scopes: of the identities
        :param partner: ``res.partner``, who the visitor is known to be, or none
        :param str user_id: of the visitor, or None
        :param str anonymous_id: of the browser, or None
        :param bool kept: whether something is kept under the ID of the browser
        :return: set
        """
        names = {("user_id", user_id)} if user_id else set()
        if anonymous_id and (partner or not user_id or kept):
            names.add(("anonymous_id", anonymous_id))
        return {*partner, *((*name, scope) for name in names for scope in scopes)}

    # --- ODOO AS A SOURCE ---

    @api.model
    def _ensure_odoo_sources(self, companies=None):
        """Give each company the source of what happens in Odoo.

        :param companies: ``res.company`` (default: all)
        """
        if companies is None:
            companies = self.env["res.company"].search(
                [("active", "in", (True, False))]
            )
        known = (
            self.with_context(active_test=False)
            .search([("type", "=", "odoo"), ("company_id", "in", companies.ids)])
            .company_id
        )
        return self.create(
            [
                {
                    "name": "Odoo",
                    "code": ODOO_CODE,
                    "type": "odoo",
                    "company_id": company.id,
                }
                for company in companies - known
            ]
        )

    @api.model
    def _odoo_source(self, company):
        """Return the source (superuser) of what happens in Odoo, one a company."""
        # sudo: whoever confirms an order need not know of sources.
        return self.sudo().search(
            [("type", "=", "odoo"), ("company_id", "=", company.id)], limit=1
        )

    # --- ACTIONS ---

    def action_live(self):
        """Open the stream of what arrives from the source."""
        self.ensure_one()
        action = self.env["ir.actions.client"]._for_xml_id(
            "crm_behavior_analytics.behavior_live_action"
        )
        action["params"] = {"source_id": self.id}
        return action

    def action_view_events(self):
        """Open the events of the source."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_behavior_analytics.behavior_event_action"
        )
        action["context"] = {"search_default_source_id": self.id}
        return action

    def action_view_landings(self):
        """Open what became of the source's messages."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_behavior_analytics.behavior_landing_action"
        )
        action["context"] = {
            "search_default_source_id": self.id,
            **(
                {f"search_default_{outcome}": 1}
                if (outcome := self.env.context.get("behavior_outcome"))
                else {}
            ),
        }
        return action

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


def _origin_of(address):
    """Return the origin of a website's address, or None."""
    try:
        return origin_of_page(address)
    except OriginError:
        return None
