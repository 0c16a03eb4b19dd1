import json
import uuid
from collections import Counter
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.crm_data_governance.bulk import copy_into
from odoo.addons.crm_omnichannel.tools.linking import IdentityClaim

from .. import store
from ..demo_messages import DEMO_VISITS
from ..tools.tracking import Message, read_messages

STORE_COLUMNS = {
    "source_id": "integer",
    "company_id": "integer",
    "vouched": "boolean",
    "identity_id": "integer",
    "message_id": "text",
    "type": "text",
    "event": "text",
    "anonymous_id": "text",
    "user_id": "text",
    "timestamp": "timestamp",
    "received_at": "timestamp",
    "page": "text",
    "properties": "jsonb",
    "context": "jsonb",
}
# Days for which a repeated message is known as such.
DEFAULT_DEDUPLICATION_DAYS = 90


class BehaviorEvent(models.Model):
    """What somebody did: a view on the partitioned store (``store.py``)."""

    _name = "behavior.event"
    _description = "Behavior Event"
    _auto = False
    _log_access = False
    _order = "received_at desc, id desc"
    _rec_name = "event"

    source_id = fields.Many2one("behavior.source", readonly=True)
    company_id = fields.Many2one("res.company", readonly=True)
    message_id = fields.Char("Message ID", readonly=True)
    type = fields.Selection(
        [
            ("track", "Action"),
            ("page", "Page View"),
            ("screen", "Screen View"),
            ("identify", "Identification"),
            ("group", "Group"),
            ("alias", "Alias"),
        ],
        readonly=True,
    )
    event = fields.Char(readonly=True)
    page = fields.Char(readonly=True)
    anonymous_id = fields.Char("Anonymous ID", readonly=True)
    user_id = fields.Char("User ID", readonly=True)
    vouched = fields.Boolean(
        "User ID Vouched For",
        readonly=True,
        help="Told by the company's own server. The user ID that a page tells is kept"
        " as told: the event is that of the browser.",
    )
    identity_id = fields.Many2one(
        "omni.identity",
        readonly=True,
        help="The identity by which the event was known when it landed.",
    )
    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        readonly=True,
        search="_search_partner_id",
        help="Whose event it is by today's identities.",
    )
    timestamp = fields.Datetime("Happened", readonly=True)
    received_at = fields.Datetime("Received", readonly=True)
    properties = fields.Json(readonly=True)
    context = fields.Json(readonly=True)
    properties_text = fields.Text("Details", compute="_compute_texts")
    context_text = fields.Text("Surroundings", compute="_compute_texts")

    def init(self):
        store.create_store(self.env.cr)
        self._ensure_partitions()
        store.create_view(self.env.cr)

    @api.depends("type", "event", "page")
    @api.depends_context("lang")
    def _compute_display_name(self):
        types = dict(self._fields["type"]._description_selection(self.env))
        for event in self:
            event.display_name = event.event or event.page or types.get(event.type)

    @api.depends("properties", "context")
    def _compute_texts(self):
        for event in self:
            event.properties_text = _pretty(event.properties)
            event.context_text = _pretty(event.context)

    @api.model
    def _search_partner_id(self, operator, value):
        """Find the events of customers through their identities.

        The view can tell the customer of an event, but only one event at a time; the
        store has indexes on what identities look like.
        """
        # As a list: what is not quicker through identities stays as it is.
        condition = [("partner_id", operator, value)]
        if operator != "in" or not all(isinstance(one, int) and one for one in value):
            return condition
        # sudo: an identity only leads to events, which have rules of their own.
        identities = (
            self.env["omni.identity"]
            .sudo()
            .search_fetch([("partner_id", "in", list(value))], ["kind", "value"])
        )
        names = [
            identity.value
            for identity in identities
            if identity.kind in ("anonymous_id", "user_id")
        ]

        def to_sql(model, alias, query):
            return SQL(
                "(%s = ANY(%s) OR %s = ANY(%s)) AND %s = ANY(%s)",
                SQL.identifier(alias, "identity_id"),
                identities.ids,
                SQL.identifier(alias, "visitor"),
                names,
                SQL.identifier(alias, "partner_id"),
                list(value),
            )

        return Domain.custom(
            to_sql=to_sql,
            predicate=lambda event: event.partner_id and event.partner_id.id in value,
        )

    # --- LANDING ---

    @api.model
    def _track(self, source, messages, received_at=None):
        """Land messages that the server itself makes, each once.

        Any number of them, in a constant number of queries and in the caller's
        transaction.

        :param source: ``behavior.source``, one record
        :param messages: iterable of dicts in Segment's shape (``type``, ``event``,
            ``userId`` / ``anonymousId``, ``messageId``, ``timestamp``,
            ``properties``, ``context``); times are ISO texts. For history a message
            may say itself when it was received (``receivedAt``, not in the future)
        :param datetime received_at: naive UTC, for those that do not say; default now
        :return: list of verdicts as of :meth:`_land`
        """
        received_at = received_at or fields.Datetime.now()
        items = read_messages(messages, received_at, uuid.uuid4().hex)
        return self._land(source, items, received_at)

    @api.model
    def _land(self, source, items, received_at, vouched=True):
        """Store what arrived, each message once, as one transaction.

        :param source: ``behavior.source``, one record
        :param items: iterable of ``Message`` and ``Refused`` (``tools/tracking.py``)
        :param datetime received_at: naive UTC
        :param bool vouched: whether the sender may tell who somebody is. A page may
            not: its key is known to everybody, and whoever knows an address or a user
            ID would be taken for the customer. What it sends stays with the event,
            which is that of the browser: whose the browser is, a login or a server
            tells.
        :return: list of ``{"index", "messageId", "status"}``, with ``error`` (a code)
            for the refused; status is accepted, duplicate or refused
        """
        source.ensure_one()
        verdicts, messages = [], {}
        for item in items:
            verdict = {"index": item.index}
            verdicts.append(verdict)
            if not isinstance(item, Message):
                verdict.update(status="refused", error=item.code)
                continue
            verdict["messageId"] = item.message_id
            # the second of two equal ones in a batch
            verdict["status"] = (
                "duplicate" if item.message_id in messages else "accepted"
            )
            messages.setdefault(item.message_id, item)
        if messages:
            self._ensure_partitions({item.received_at for item in messages.values()})
            people = self._find_visitors(source, messages.values()) if vouched else {}
            # before they are linked: who has said no is not made known either
            self._refuse_unwilling(source, messages, verdicts, people, vouched)
            self._link_visitors(source, messages.values(), people)
            landed = self._copy_messages(source, messages.values(), vouched)
            for verdict in verdicts:
                known = verdict.get("messageId") not in landed
                if verdict["status"] == "accepted" and known:
                    verdict["status"] = "duplicate"
            self.invalidate_model()
        self._log_landing(source, received_at, verdicts)
        return verdicts

    @api.model
    def _copy_messages(self, source, messages, vouched):
        """Store those messages that are new; return their ids."""
        fresh = self._note_messages(source, messages)
        messages = [message for message in messages if message.message_id in fresh]
        visitors = [_visitor(message, vouched) for message in messages]
        known = self._identities_sudo()._find(visitors, source._identity_scopes())
        stamps = {key: found.identity_id for key, found in known.items()}
        copy_into(
            self.env.cr,
            "behavior_event_store",
            STORE_COLUMNS,
            (
                (
                    source.id,
                    source.company_id.id,
                    vouched,
                    stamps.get(visitor),
                    message.message_id,
                    message.type,
                    message.event,
                    message.anonymous_id,
                    message.user_id,
                    message.timestamp,
                    message.received_at,
                    message.page,
                    message.properties,
                    message.context,
                )
                for message, visitor in zip(messages, visitors, strict=True)
            ),
        )
        return fresh

    @api.model
    def _note_messages(self, source, messages):
        """Note the ids of messages, each once; return those that are new.

        They go in sorted, so that two senders of the same messages wait for each other
        instead of locking each other out.
        """
        cr = self.env.cr
        # as one text: several times as quick as a value each
        moments = ",".join(str(message.received_at) for message in messages)
        cr.execute(
            SQL(
                """
                INSERT INTO behavior_message (source_id, message_id, received_at)
                SELECT %s, message_id, received_at
                FROM unnest(%s::text[], %s::timestamp[])
                     AS item (message_id, received_at)
                ORDER BY message_id COLLATE "C"
                ON CONFLICT DO NOTHING
                RETURNING message_id
                """,
                source.id,
                [message.message_id for message in messages],
                f"{{{moments}}}",
            )
        )
        if cr.rowcount == len(messages):
            return {message.message_id for message in messages}
        return {message_id for [message_id] in cr.fetchall()}

    @api.model
    def _find_visitors(self, source, messages):
        """Return whom messages speak of: by a known user ID, or an e-mail.

        :return: ``{message id: partner id}``, those known
        """
        names = {
            message.message_id: [
                key
                for key in (("user_id", message.user_id), ("email", message.email))
                if key[1]
            ]
            for message in messages
        }
        known = self._identities_sudo()._resolve_many(
            {key for keys in names.values() for key in keys},
            source._identity_scopes(),
        )
        people = {}
        for message_id, keys in names.items():
            # the user ID before the address
            found = [known[key] for key in keys if key in known]
            if found:
                people[message_id] = found[0]
        return people

    @api.model
    def _identities_sudo(self):
        # sudo: who lands an event (a salesperson's order too) need not see who is who.
        return self.env["omni.identity"].sudo()

    @api.model
    def _link_visitors(self, source, messages, people):
        """Let the IDs of messages name the customers that they speak of.

        The anonymous ID then names the same customer as what stands beside it, and with
        it what was done before.  An ID that names a customer already stays theirs.

        :param dict people: as :meth:`_find_visitors` returns
        """
        claims = {}
        for message in messages:
            partner_id = people.get(message.message_id)
            if not partner_id:
                continue
            if message.user_id:
                claims.setdefault(("user_id", message.user_id), partner_id)
            if message.anonymous_id:
                claims.setdefault(("anonymous_id", message.anonymous_id), partner_id)
        self._claim_identities(source, claims)

    @api.model
    def _claim_login(self, website, partner, anonymous_id):
        """Note that the visitor of a website has logged in as a customer.

        :param website: ``website``; only one that is tracked
        :param partner: ``res.partner`` of the session that the server has verified
        :param str anonymous_id: of the browser
        """
        source = self.env["behavior.source"].search(
            [("website_id", "=", website.id), ("on_website", "=", True)], limit=1
        )
        if not source:
            return
        known = self._identities_sudo()._resolve(
            "anonymous_id", anonymous_id, source._identity_scopes()[0]
        )
        # A browser stays its first customer's.
        if not known:
            self._claim_identities(source, {("anonymous_id", anonymous_id): partner.id})

    @api.model
    def _refuse_unwilling(self, source, messages, verdicts, people, vouched):
        """Leave out the messages of those who have refused analytics.

        Whoever has not answered is a matter of the page, which asks before it sends.

        :param dict messages: message id → ``Message``; the refused ones are taken out
        :param dict people: as :meth:`_find_visitors` returns
        """
        if source.type == "odoo":
            # An order is a fact of the contract, with consent or without.
            return
        scopes = source._identity_scopes()
        persons = {
            message_id: source._consent_persons(
                scopes,
                self.env["res.partner"].browse(people.get(message_id) or ()),
                message.user_id,
                message.anonymous_id,
                kept=not vouched,
            )
            for message_id, message in messages.items()
        }
        consents = self.env["omni.consent"].with_company(source.company_id)
        refusing = consents._refusing(
            set().union(*persons.values()), "analytics", "web"
        )
        refused = {
            message_id
            for message_id in persons
            if not refusing.isdisjoint(persons[message_id])
        }
        for message_id in refused:
            del messages[message_id]
        for verdict in verdicts:
            if verdict.get("messageId") in refused:
                verdict.update(status="refused", error="no_consent")

    @api.model
    def _claim_identities(self, source, claims):
        """Note identities of a source; one that is taken stays as it is.

        :param source: ``behavior.source``, one record
        :param dict claims: ``{(kind, value): partner id}``
        """
        scope = source._identity_scopes()[0]
        self.env["omni.identity"]._claim_many(
            [
                IdentityClaim(*key, scope, partner_id, company_id=source.company_id.id)
                for key, partner_id in claims.items()
            ],
            # Odoo has always known its own customers: no news of their timeline.
            first_seen=source.type != "odoo",
            seen_again=False,
        )

    @api.model
    def _log_landing(self, source, received_at, verdicts):
        counts = Counter(
            (verdict["status"], verdict.get("error")) for verdict in verdicts
        )
        if not counts:
            return
        self.env.cr.execute_values(
            "INSERT INTO behavior_landing"
            " (source_id, received_at, outcome, code, messages) VALUES %s",
            [
                (source.id, received_at, outcome, code, count)
                for (outcome, code), count in sorted(
                    counts.items(), key=lambda entry: (entry[0][0], entry[0][1] or "")
                )
            ],
        )
        self.env["behavior.landing"].invalidate_model()
        source.invalidate_recordset(
            ["accepted_count", "duplicate_count", "refused_count"]
        )

    @api.model
    def _load_demo(self):
        """Let the demonstration customers visit the shop, and say who they are."""
        source = self.env.ref("crm_behavior_analytics.behavior_source_shop_demo")
        now = fields.Datetime.now()
        messages = []
        for number, (email, visits) in enumerate(DEMO_VISITS.items(), 1):
            visitor = f"demo-visitor-{number}"
            for place, (days, kind, name, properties) in enumerate(visits):
                at = now - timedelta(days=days, minutes=20 - place)
                words = {"path": name} if kind == "page" else properties
                messages.append(
                    {
                        "type": kind,
                        "event": name,
                        "messageId": f"{visitor}-{place}",
                        "anonymousId": visitor,
                        "receivedAt": at.isoformat(),
                        "properties": words,
                    }
                )
            messages.append(
                {
                    "type": "identify",
                    "messageId": f"{visitor}-identify",
                    "anonymousId": visitor,
                    "traits": {"email": email},
                }
            )
        self._track(source, messages)

    # --- HOUSEKEEPING ---

    @api.model
    def _ensure_partitions(self, moments=()):
        """Make the partitions of some moments, or of this month and the next ones."""
        months = {moment.date().replace(day=1) for moment in moments}
        if not moments:
            months = store.months_from(fields.Date.today(), 1 + store.MONTHS_AHEAD)
        store.ensure_partitions(self.env.cr, months)

    @api.model
    def _cron_maintain(self):
        """Make the coming months' partitions; forget old message ids."""
        self._ensure_partitions()
        self._forget_messages()

    @api.model
    def _forget_messages(self):
        """Forget the ids of messages after the days for which repeats are known.

        Odoo's own are kept: an order that is confirmed again years later is still the
        same order.
        """
        days = self.env["ir.config_parameter"].get_param(
            "crm_behavior_analytics.deduplication_days", ""
        )
        days = int(days) if days.isdigit() else DEFAULT_DEDUPLICATION_DAYS
        self.env.cr.execute(
            SQL(
                """
                DELETE FROM behavior_message AS message
                USING behavior_source AS source
                WHERE source.id = message.source_id AND source.type <> 'odoo'
                  AND message.received_at < %s
                """,
                fields.Datetime.now() - timedelta(days=days),
            )
        )

    @api.model
    def _erase(self, condition):
        """Delete events and the ids of their messages; return how many events.

        :param SQL condition: of the view ``behavior_event``
        """
        self.env.cr.execute(
            SQL(
                """
                WITH doomed AS (
                    SELECT id, received_at FROM behavior_event WHERE %s
                ), gone AS (
                    DELETE FROM behavior_event_store AS event USING doomed
                    WHERE event.id = doomed.id
                      AND event.received_at = doomed.received_at
                    RETURNING event.source_id, event.message_id
                ), forgotten AS (
                    DELETE FROM behavior_message AS message USING gone
                    WHERE message.source_id = gone.source_id
                      AND message.message_id = gone.message_id
                )
                SELECT count(*) FROM gone
                """,
                condition,
            )
        )
        (count,) = self.env.cr.fetchone()
        self.invalidate_model()
        return count


def _visitor(message, vouched=True):
    """The identifier that names whose message it is, as ``(kind, value)``."""
    if message.user_id and vouched:
        return "user_id", message.user_id
    return "anonymous_id", message.anonymous_id


def _pretty(value):
    return json.dumps(value, ensure_ascii=False, indent=2) if value else False
