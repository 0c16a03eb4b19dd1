from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..columns import shown
from ..tools.linking import KIND_ORDER, IdentityClaim, resolve

MAX_VALUE = 256
#: kind -> field of the partner that tells it of customers typed into Odoo
TYPED_FIELDS = {"email": "email_normalized", "phone": "phone_sanitized"}
#: what tells whom an identifier names
LOOKED_UP = ("kind", "value", "scope", "id", "partner_id", "quarantined")


class OmniIdentity(models.Model):
    """An identifier under which a channel knows a customer."""

    _name = "omni.identity"
    _description = "Identity"
    _order = "last_seen_at desc, id desc"
    _rec_name = "value"
    _rec_names_search = ["value", "partner_id"]
    _log_access = False

    partner_id = fields.Many2one(
        "res.partner", "Customer", required=True, index=True, ondelete="cascade"
    )
    kind = fields.Selection("_selection_kind", required=True)
    value = fields.Char(required=True, index=True)
    shown_value = fields.Char(
        "Shown As",
        compute="_compute_shown_value",
        help="A telephone or an e-mail as you may see that of the customer.",
    )
    scope = fields.Char(
        required=True,
        default="company:0",
        help="Where the value names one person: one channel for its external IDs, one"
        " company for telephones and e-mails.",
    )
    channel_id = fields.Many2one("omni.channel", index=True, ondelete="set null")
    record_id = fields.Many2one("omni.record", index="btree_not_null")
    company_id = fields.Many2one("res.company", index="btree_not_null")
    first_seen_at = fields.Datetime("First Seen", readonly=True)
    last_seen_at = fields.Datetime("Last Seen")

    _kind_value_scope_uniq = models.Constraint(
        "UNIQUE(kind, value, scope)", "This identifier names a customer already."
    )

    @api.model
    def _selection_kind(self):
        labels = {
            "external_id": self.env._("External ID"),
            "unionid": self.env._("WeChat union ID"),
            "external_userid": self.env._("WeCom external user ID"),
            "openid": self.env._("WeChat open ID"),
            "open_id": self.env._("Douyin open ID"),
            "user_id": self.env._("User ID"),
            "email": self.env._("E-mail"),
            "phone": self.env._("Phone"),
            "anonymous_id": self.env._("Anonymous ID"),
            "device": self.env._("Device"),
        }
        return [
            (kind, labels[kind]) for kind in (*KIND_ORDER, "anonymous_id", "device")
        ]

    # --- SHOW ---

    @api.depends("kind", "value")
    @api.depends_context("uid")
    def _compute_shown_value(self):
        for identity in self:
            identity.shown_value = self._shown_value(identity.kind, identity.value)

    @api.depends("shown_value")
    @api.depends_context("uid")
    def _compute_display_name(self):
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for identity in self:
            identity.display_name = identity.shown_value or kinds.get(identity.kind)

    @api.model
    def _shown_value(self, kind, value):
        """Return an identifier as the reader sees it.

        A telephone or an e-mail is shown as that of the customer is.
        """
        if kind in ("phone", "email"):
            value = shown(self.env["res.partner"], kind, value)
        return value or None

    # --- CLAIM AND RESOLVE ---

    @api.model
    def _claim(self, partner, kind, value, scope, channel=None):
        """Attach an identifier to a customer; again and again does no harm.

        Who has it keeps it: an identifier of another customer is returned as it is, and
        the caller sees by ``partner_id`` whose it is. Two customers are never merged
        here.

        :param partner: ``res.partner``, one record
        :param str kind: one of the kinds of this model
        :param str value: at most 256 characters
        :param str scope: where the value names one person: ``source:<id>``,
            ``channel:<id>`` or ``company:<id>``
        :param channel: ``omni.channel`` that told it, or None
        :return: ``omni.identity``
        :raise ValueError: an unknown kind, no value, or one too long
        """
        partner.ensure_one()
        value = self._check_identifier(kind, value, scope)
        company = (channel and channel.company_id) or partner.company_id
        return self._claim_many(
            [
                IdentityClaim(
                    kind,
                    value,
                    scope,
                    partner.id,
                    channel_id=(channel and channel.id) or None,
                    company_id=company.id or None,
                )
            ]
        )

    @api.model
    def _claim_many(self, claims, first_seen=True, seen_again=True):
        """Attach identifiers to customers, in one statement; who has one keeps it.

        In the order of the identifiers, so that two who claim the same wait for each
        other instead of locking each other out.

        :param claims: iterable of ``IdentityClaim`` (``tools/linking.py``), values
            checked by the caller; the first of several for one identifier counts
        :param bool first_seen: whether a new one is news, told on the timeline
        :param bool seen_again: whether one that there is notes when, and by which
            record and channel, it was seen again; else it stays untouched
        :return: ``omni.identity``: the new ones, and those seen again
        """
        unique = {}
        for claim in claims:
            unique.setdefault(claim[:3], claim)
        if not unique:
            return self.browse()
        columns = zip(*(unique[key] for key in sorted(unique)), strict=True)
        again = SQL(
            """
            UPDATE SET
                last_seen_at = greatest(identity.last_seen_at, excluded.last_seen_at),
                record_id = coalesce(excluded.record_id, identity.record_id),
                channel_id = coalesce(excluded.channel_id, identity.channel_id)
            """
        )
        now = fields.Datetime.now()
        self.flush_model()
        # a conflict of two who claim is daily bread, no error to log
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO omni_identity AS identity
                    (kind, value, scope, partner_id, channel_id, record_id, company_id,
                     first_seen_at, last_seen_at)
                SELECT found.*, %s::timestamp, %s::timestamp FROM unnest(
                    %s::varchar[], %s::varchar[], %s::varchar[], %s::integer[],
                    %s::integer[], %s::integer[], %s::integer[]
                ) AS found
                ON CONFLICT (kind, value, scope) DO %s
                RETURNING id
                """,
                now if first_seen else None,
                now,
                *(list(column) for column in columns),
                again if seen_again else SQL("NOTHING"),
            ),
            log_exceptions=False,
        )
        identities = self.browse(
            identity_id for [identity_id] in self.env.cr.fetchall()
        )
        self.invalidate_model(flush=False)
        self.env["res.partner"].invalidate_model(["omni_identity_ids"], flush=False)
        return identities

    @api.model
    def _resolve(self, kind, value, scopes):
        """Return the customer who is known by an identifier, or none.

        :param scopes: one scope, or several
        :return: ``res.partner``
        """
        scopes = [scopes] if isinstance(scopes, str) else scopes
        found = self._resolve_many([(kind, value)], scopes)
        return self.env["res.partner"].browse(found.get((kind, value), ()))

    @api.model
    def _resolve_many(self, keys, scopes):
        """Return the customers who are known by identifiers: the one rule of all.

        The narrowest scope that knows an identifier decides; where several of one
        breadth name different customers, it names none.  Whom no identity names, a
        customer of the scopes' companies has who alone has the e-mail or telephone,
        unless it is quarantined in one of the scopes.

        :param keys: iterable of ``(kind, value)``, values in their normal form
        :param scopes: iterable of str
        :return: ``{(kind, value): partner id}``, those known
        """
        keys, scopes = set(keys), set(scopes)
        found, quarantined = self._look_up(keys, scopes)
        people = {key: one.partner_id for key, one in found.items()}
        company_ids = [
            int(scope.partition(":")[2]) or False
            for scope in scopes
            if scope.startswith("company:")
        ]
        for kind in TYPED_FIELDS if company_ids else ():
            values = {
                key[1]
                for key in keys - quarantined
                if key[0] == kind and key[1] and key not in people
            }
            typed = self._find_typed(kind, values, company_ids)
            people.update({(kind, value): typed[value] for value in typed})
        return people

    @api.model
    def _find(self, keys, scopes):
        """Return the identities that name somebody, by :func:`~.linking.resolve`.

        :param keys: as for :meth:`_resolve_many`
        :param scopes: as for :meth:`_resolve_many`
        :return: ``{(kind, value): Found}``
        """
        return self._look_up(keys, scopes)[0]

    @api.model
    def _look_up(self, keys, scopes):
        """Read what identities say of identifiers.

        :param keys: as for :meth:`_resolve_many`
        :param scopes: as for :meth:`_resolve_many`
        :return: as :meth:`_find`, and the set of those that are quarantined in a scope
        """
        keys = {key for key in keys if key[1]}
        if not keys:
            return {}, set()
        query = self._search(
            Domain("kind", "in", {kind for kind, _value in keys})
            & Domain("value", "in", {value for _kind, value in keys})
            & Domain("scope", "in", list(scopes))
        )
        rows = self.env.execute_query(
            query.select(
                *(self._field_to_sql(self._table, name, query) for name in LOOKED_UP)
            )
        )
        # whose a shared device is nobody can tell
        open_rows, quarantined = [], set()
        for *row, is_quarantined in rows:
            if tuple(row[:2]) not in keys:
                continue
            if is_quarantined:
                quarantined.add(tuple(row[:2]))
            else:
                open_rows.append(row)
        return resolve(open_rows), quarantined

    @api.model
    def _find_typed(self, kind, values, company_ids):
        """Return the customers typed into Odoo who alone have an address or number.

        :param str kind: of others than ``TYPED_FIELDS`` nothing is typed
        :param values: iterable of values in their normal form
        :param company_ids: of the companies; False: customers of no company, who are
            found in any case
        :return: ``{value: partner id}``
        """
        name = TYPED_FIELDS.get(kind)
        if not values or not name:
            return {}
        groups = self.env["res.partner"]._read_group(
            Domain(name, "in", list(values))
            & Domain("company_id", "in", [False, *company_ids]),
            [name],
            ["id:min"],
            # what several customers share names none of them
            having=[("__count", "=", 1)],
        )
        return dict(groups)

    @api.model
    def _check_identifier(self, kind, value, scope):
        if kind not in dict(self._selection_kind()):
            raise ValueError(f"unknown kind of identity: {kind!r}")
        value = (value or "").strip()
        if not value or len(value) > MAX_VALUE or "\x00" in value:
            raise ValueError(f"no usable {kind}: {value[:80]!r}")
        if not scope:
            raise ValueError("an identity needs a scope")
        return value
