import psycopg2

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import SQL

from odoo.addons.crm_omnichannel.columns import readable
from odoo.addons.crm_omnichannel.models.omni_segment import BROKEN, asked_fields
from odoo.addons.crm_omnichannel.tools.domains import (
    MAX_LENGTH,
    BadDomain,
    parse_domain,
)

from ..tools import reading as tool
from ..tools.tracking import AHEAD

EVENT_TYPES = [
    ("page", "Page View"),
    ("track", "Action"),
    ("screen", "Screen View"),
]
DEFAULT_SECONDS = 20
# A list of more people is nothing that somebody reads.
MAX_LISTED = 10_000
# Among so many events the names to choose from are looked for, so that it is quick.
NEWEST_EVENTS = 50_000
EVENT_NAMES = 200


class BehaviorReading(models.AbstractModel):
    """What funnels, retention and the like share: whose events of which company are
    read, how, and what is done with the people who are found.

    People are counted as *units*: the customer (the company of a contact, as in the
    features) by today's identities, else the visitor that a source knows.
    """

    _name = "behavior.reading"
    _description = "Reading of Events"

    name = fields.Char(required=True, translate=True)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company",
        required=True,
        index=True,
        default=lambda self: self._default_company_id(),
    )
    segment_id = fields.Many2one(
        "omni.segment",
        check_company=True,
        ondelete="restrict",
        help="Count the customers of this segment only.",
    )
    customer_domain = fields.Char(
        "Customers",
        default="[]",
        help="Count customers who meet this condition only: salesperson, tag, country"
        " or any other field.",
    )
    known_only = fields.Boolean(
        "Known Customers Only",
        help="Leave out visitors of whom nobody knows who they are.",
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    @api.constrains("customer_domain", "company_id", "segment_id")
    def _check_customer_domain(self):
        for reading in self:
            reading._check_usable(
                self.env["res.partner"], lambda one: one._get_customer_domain()
            )

    def _check_usable(self, model, get_domain):
        """Try a condition, as its author.

        :param get_domain: callable of the record that returns a ``Domain``
        """
        self.ensure_one()
        try:
            # in a savepoint: PostgreSQL may refuse a value of the wrong kind
            with self.env.cr.savepoint():
                model.search(get_domain(self), limit=1)
        except BadDomain as error:
            raise ValidationError(
                self.env._(
                    "A condition of %(name)s may only hold literal values: no"
                    " functions, names or calculations.",
                    name=self.display_name,
                )
            ) from error
        except BROKEN as error:
            raise ValidationError(self._broken_text(error)) from error

    def _broken_text(self, error):
        return self.env._(
            "A condition of %(name)s cannot be used: %(detail)s",
            name=self.display_name,
            detail=" ".join(str(error).split())[:300],
        )

    # --- WHOSE EVENTS ---

    def _zone(self):
        """The time zone of the company's days, as for its features."""
        company = self.company_id
        return company.resource_calendar_id.tz or company.partner_id.tz or "UTC"

    def _local(self, moment):
        """A moment (SQL, UTC) on the company's clock."""
        return SQL("(%s AT TIME ZONE 'UTC' AT TIME ZONE %s)", moment, self._zone())

    def _get_customer_domain(self):
        domain = Domain(parse_domain(self.customer_domain))
        if self.segment_id:
            domain &= Domain("omni_segment_ids", "in", self.segment_id.ids)
        return domain

    def _get_asked_fields(self):
        """The names of the fields of a customer that are asked for, with models."""
        domain = Domain(parse_domain(self.customer_domain))
        asked = asked_fields(self.env["res.partner"], domain)
        return sorted({str(field) for field in asked})

    def _units_sql(self, conditions, domain, since=None, value=None):
        """The events that meet some conditions, each with whose it is.

        Read by the reader's own rights.

        :param list conditions: ``Domain`` of events, one a flag
        :param domain: ``Domain`` that all of them meet, besides one of the conditions
        :param datetime since: naive UTC; none is older
        :param SQL value: of an event, by ``event``, ``source`` and ``customer`` (who
            is NULL when unknown)
        :return: SQL with the columns ``unit``, ``customer``, ``at``, ``id``, ``value``
            and ``flag_1`` … in the order of the conditions
        """
        self.ensure_one()
        company_ids = self.company_id.ids
        events = self.env["behavior.event"].with_context(
            allowed_company_ids=company_ids
        )
        domain &= Domain("company_id", "in", company_ids) & Domain.OR(conditions)
        if since:
            # What happened later arrived later, so that old months are left alone.
            domain &= Domain("timestamp", ">=", since)
            domain &= Domain("received_at", ">=", since - AHEAD)
        query = events._search(domain)
        names = ("id", "timestamp", "partner_id", "source_id", "type", "visitor")
        columns = [SQL.identifier(query.table, name) for name in names]
        if value:
            columns.append(
                SQL("%s AS context", readable(events, "context", query.table))
            )
        columns += [
            SQL(
                "%s AS %s",
                condition.optimize_full(events)._to_sql(events, query.table, query),
                SQL.identifier(f"flag_{place}"),
            )
            for place, condition in enumerate(conditions, 1)
        ]
        flags = [
            SQL.identifier("event", f"flag_{place}")
            for place in range(1, 1 + len(conditions))
        ]
        self.env["res.partner"].flush_model(
            ["commercial_partner_id", "country_id", "user_id"]
        )
        self.env["omni.identity"].flush_model()
        return SQL(
            """
            SELECT coalesce(customer.id::text, event.source_id || ':' || event.visitor)
                   AS unit, customer.id AS customer, event."timestamp" AS at, event.id,
                   %(value)s AS value, %(flags)s
            FROM (%(events)s) AS event
            LEFT JOIN behavior_source AS source ON source.id = event.source_id
            LEFT JOIN res_partner AS person ON person.id = event.partner_id
            LEFT JOIN res_partner AS customer
              ON customer.id = person.commercial_partner_id
            WHERE (customer.id IS NOT NULL OR event.visitor IS NOT NULL) AND %(whose)s
            """,
            value=value or SQL("NULL::text"),
            flags=SQL(", ").join(flags),
            events=query.select(*columns),
            whose=self._whose_sql(),
        )

    def _whose_sql(self):
        domain = self._get_customer_domain()
        if not domain.is_true():
            # Archived customers count, as they do where nothing is asked.
            partners = self.env["res.partner"].with_context(
                allowed_company_ids=self.company_id.ids, active_test=False
            )
            return SQL("customer.id IN %s", partners._search(domain).subselect())
        if self.known_only:
            return SQL("customer.id IS NOT NULL")
        return SQL("TRUE")

    # --- ASKING ---

    def _fetch(self, make_sql):
        """Run a query that a careless condition may make very long.

        :param make_sql: callable that returns the SQL
        :return: list of tuples
        :raise UserError: too long, or a condition that cannot be used
        """
        try:
            query = make_sql()
            self.env.flush_query(query)
            with self.env.cr.savepoint(flush=False) as savepoint:
                self.env.cr.execute(
                    "SELECT set_config('statement_timeout', %s, true),"
                    " set_config('jit', 'off', true)",
                    [f"{1000 * self._get_seconds():.0f}"],
                )
                self.env.cr.execute(query, log_exceptions=False)
                rows = self.env.cr.fetchall()
                # the settings go back to what they were
                savepoint.rollback()
        except psycopg2.errors.QueryCanceled as error:
            raise UserError(
                self.env._(
                    "Reading the events takes longer than %(seconds)s seconds and was"
                    " stopped. Choose a shorter period, or narrower events.",
                    seconds=self._get_seconds(),
                )
            ) from error
        except BROKEN as error:
            raise UserError(self._broken_text(error)) from error
        return rows

    @api.model
    def _get_seconds(self):
        """After how many seconds a reading is stopped."""
        given = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param("crm_behavior_analytics.reading_seconds", "")
        )
        return max(int(given), 1) if given.isdigit() else DEFAULT_SECONDS

    def _lake_notes(self, since=None):
        """Say that older events are not counted, if that is so.

        :param datetime since: naive UTC, from when on events are read; None: all
        """
        last = self.env["behavior.lake.part"].search([], limit=1)
        kept = last and tool.shift(last.month, "month", 1)
        if not kept or (since and since.date() >= kept):
            return []
        return [
            self.env._(
                "Events received before %(day)s are in the lake and are not counted.",
                day=fields.Date.to_string(kept),
            )
        ]

    @api.model
    def read_event_names(self):
        """The names of the newest events, the most frequent first, to choose from.

        :return: list of str
        """
        events = self.env["behavior.event"]
        query = events._search(
            Domain("event", "!=", False), order=events._order, limit=NEWEST_EVENTS
        )
        rows = self._fetch(
            lambda: SQL(
                "SELECT event FROM (%s) AS newest GROUP BY event"
                " ORDER BY count(*) DESC, event LIMIT %s",
                query.select(SQL.identifier(query.table, "event")),
                EVENT_NAMES,
            )
        )
        return [name for (name,) in rows]

    # --- PEOPLE ---

    def _customers_action(self, customer_ids, title):
        """An Odoo list of customers, with what the reader may see of them.

        :param customer_ids: ids of ``res.partner``
        :param str title: what they have done
        """
        return {
            "type": "ir.actions.act_window",
            "name": title,
            "res_model": "res.partner",
            "views": [[False, "list"], [False, "kanban"], [False, "form"]],
            "domain": [("id", "in", customer_ids)],
            "context": {"create": False, "active_test": False},
        }

    def _segment_action(self, customer_ids, title):
        """The form of a new segment of just these customers."""
        condition = str([("id", "in", customer_ids)])
        if len(condition) > MAX_LENGTH:
            raise UserError(
                self.env._(
                    "These are %(count)s customers: too many for a segment that names"
                    " each of them.",
                    count=len(customer_ids),
                )
            )
        number = fields.Datetime.now().strftime("%y%m%d-%H%M%S")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Segment"),
            "res_model": "omni.segment",
            "views": [[False, "form"]],
            "target": "new",
            "context": {
                "default_name": title,
                "default_code": f"behavior-{number}",
                "default_company_id": self.company_id.id,
                "default_domain": condition,
            },
        }

    def _people_action(self, customer_ids, title, segment):
        make = self._segment_action if segment else self._customers_action
        return make(customer_ids, title)


def event_condition(kind, event, page, domain):
    """The condition on an event that a step or a retention describes.

    :param kind: type of event; empty: any
    :param event: its exact name; empty: any
    :param page: what its page contains; empty: any
    :param domain: text of a domain of ``behavior.event``
    :return: ``Domain``
    :raise BadDomain: not literal
    """
    condition = Domain(parse_domain(domain))
    if kind:
        condition &= Domain("type", "=", kind)
    if event:
        condition &= Domain("event", "=", event.strip())
    if page:
        condition &= Domain("page", "ilike", page.strip())
    return condition
