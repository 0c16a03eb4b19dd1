from functools import partial

from odoo import api, models
from odoo.fields import Domain
from odoo.tools import SQL, LazyTranslate, format_amount
from odoo.tools.mail import html_to_inner_content

from odoo.addons.crm_data_governance.messages import render

from ..columns import asked, readable, shown
from ..tools.timeline import (
    TimelineSource,
    bound,
    entry_key,
    format_at,
    format_cursor,
    merge,
    split_rest,
)

_lt = LazyTranslate(__name__)

MAX_LIMIT = 500
PREVIEW_LENGTH = 160
# enough of a body to find the preview in
BODY_LENGTH = 4000
# no contact: what Odoo itself logs and sends around
SILENT_TYPES = ("notification", "user_notification", "auto_comment")

# kind, model, icon
SOURCES = (
    ("record", "omni.record", "fa-inbox"),
    ("lead", "crm.lead", "fa-star"),
    ("order", "sale.order", "fa-shopping-cart"),
    ("delivery", "stock.picking", "fa-truck"),
    ("invoice", "account.move", "fa-file-text-o"),
    ("payment", "account.payment", "fa-money"),
    ("message", "mail.message", "fa-comments-o"),
    ("identity", "omni.identity", "fa-id-card-o"),
    ("segment", "omni.segment.event", "fa-users"),
)
TEXTS = {
    "record_received": _lt("Record from %(channel)s"),
    "lead_created": _lt("New lead: %(name)s"),
    "opportunity_created": _lt("New opportunity: %(name)s"),
    "opportunity_won": _lt("Won: %(name)s, %(amount)s"),
    "opportunity_lost": _lt("Lost: %(name)s"),
    "quotation_created": _lt("Quotation %(name)s, %(amount)s"),
    "order_confirmed": _lt("Order %(name)s confirmed, %(amount)s"),
    "delivery_done": _lt("Delivery %(name)s"),
    "return_done": _lt("Return %(name)s"),
    "invoice_posted": _lt("Invoice %(name)s, %(amount)s"),
    "credit_note_posted": _lt("Credit note %(name)s, %(amount)s"),
    "payment_received": _lt("Payment %(name)s, %(amount)s"),
    "payment_sent": _lt("Paid back: %(name)s, %(amount)s"),
    "message_received": _lt("%(author)s wrote: %(preview)s"),
    "message_sent": _lt("%(author)s wrote to the customer: %(preview)s"),
    "note_logged": _lt("Note by %(author)s: %(preview)s"),
    "activity_done": _lt("%(author)s: %(preview)s"),
    "segment_entered": _lt("Came into the segment %(name)s"),
    "segment_left": _lt("Left the segment %(name)s"),
    "identity_known": _lt("Known as %(identity_kind)s %(value)s"),
}


class OmniTimeline(models.AbstractModel):
    """Everything that happened with a customer, from all sources, newest first.

    An addon adds its own by ``_inherit``: ``_timeline_sources`` for the entries,
    ``_timeline_texts`` for what their codes say.
    """

    _name = "omni.timeline"
    _description = "Customer Timeline"

    # --- HOOKS ---

    @api.model
    def _timeline_sources(self):
        """Return the sources that the reader may open.

        :return: list of :class:`~..tools.timeline.TimelineSource`
        """
        titles = {
            "record": self.env._("Channel Records"),
            "lead": self.env._("Leads and Opportunities"),
            "order": self.env._("Orders"),
            "delivery": self.env._("Deliveries"),
            "invoice": self.env._("Invoices"),
            "payment": self.env._("Payments"),
            "message": self.env._("Messages"),
            "identity": self.env._("Identities"),
            "segment": self.env._("Segments"),
        }
        return [
            TimelineSource(
                kind,
                model,
                titles[kind],
                icon,
                partial(getattr(self, f"_fetch_{kind}"), kind),
                getattr(self, f"_finish_{kind}", None),
            )
            for kind, model, icon in SOURCES
            if self.env[model].has_access("read")
        ]

    @api.model
    def _timeline_texts(self):
        """Return what the codes say: ``{code: lazy text}``, params as placeholders."""
        return TEXTS

    # --- PAGE ---

    @api.model
    def _page(self, partners, kinds=None, limit=80, before=None):
        """Return a page of the timeline of some partners.

        :param partners: ``res.partner`` that the reader may see
        :param kinds: only these kinds; None: all
        :param int limit: entries on the page
        :param before: :class:`~..tools.timeline.Cursor`, the last entry seen, or None
        :return: ``{"entries": [...], "next": cursor or None, "kinds": [...]}``
        """
        limit = max(1, min(int(limit), MAX_LIMIT))
        sources = self._timeline_sources()
        wanted = [source for source in sources if kinds is None or source.kind in kinds]
        by_kind = {source.kind: source for source in wanted}
        # one more than asked tells whether there is a next page
        entries, more = merge(self._fetch(wanted, partners, before, limit + 1), limit)
        for source in wanted:
            if source.finish:
                prefix = f"{source.kind}:"
                source.finish(
                    [entry for entry in entries if entry["key"].startswith(prefix)]
                )
        texts = self._timeline_texts()
        page = [
            self._prepare_entry(entry, by_kind[entry["key"].partition(":")[0]], texts)
            for entry in entries
        ]
        return {
            "entries": page,
            "next": format_cursor(entries[-1]["at"], entries[-1]["key"])
            if more
            else None,
            "kinds": [
                {"kind": source.kind, "title": source.title, "icon": source.icon}
                for source in sources
            ],
        }

    @api.model
    def _fetch(self, sources, partners, before, limit):
        """Return the newest entries of each source, all in one statement."""
        if not sources:
            return []
        pages = [[] for _source in sources]
        for place, number, at, code, params in self.env.execute_query(
            SQL(" UNION ALL ").join(
                SQL(
                    "(SELECT %s, found.* FROM (%s) AS found)",
                    place,
                    source.fetch(partners, before, limit),
                )
                for place, source in enumerate(sources)
            )
        ):
            source = sources[place]
            pages[place].append(
                {
                    "at": at,
                    "key": entry_key(source.kind, number, code),
                    "code": code,
                    "params": params,
                    "res_model": source.model,
                    "res_id": number,
                }
            )
        return pages

    @api.model
    def _prepare_entry(self, entry, source, texts):
        params = entry["params"]
        text = render(self.env, texts, entry["code"], self._render_params(params))
        return {
            "at": format_at(entry["at"]),
            "all_day": bool(entry.get("all_day")),
            "kind": source.kind,
            "code": entry["code"],
            "params": params,
            "text": text,
            "icon": source.icon,
            "res_model": entry["res_model"],
            "res_id": entry["res_id"],
            "key": entry["key"],
        }

    @api.model
    def _render_params(self, params):
        """Return the params as the reader writes them."""
        texts = {name: "" if value is None else value for name, value in params.items()}
        if "amount" in params:
            currency = self.env["res.currency"].browse(
                params["currency_id"] or self.env.company.currency_id.id
            )
            texts["amount"] = (
                format_amount(self.env, params["amount"], currency)
                if params["amount"] is not None
                else "–"
            )
        if "author" in params:
            texts["author"] = params["author"] or "–"
        if "preview" in params:
            texts["preview"] = params["preview"] or "…"
        if "identity_kind" in params:
            kinds = self.env["omni.identity"]._fields["kind"]
            labels = dict(kinds._description_selection(self.env))
            kind = params["identity_kind"]
            texts["identity_kind"] = labels.get(kind, kind)
        return texts

    # --- THE QUERY OF A SOURCE ---

    @api.model
    def _fetch_events(self, kind, model, query, events, params, before, limit):
        """Return the query of the newest events of the rows of a query.

        :param query: ``_search`` of ``model``: its rights and rules hold
        :param list events: ``(code, moment, condition)``, the last two as SQL; of
            several codes that hold for a row, each is an event
        :param dict params: param -> SQL
        :return: SQL with the columns number, at, code and params
        """
        number = SQL.identifier(model._table, "id")
        if where := query.where_clause:
            where = SQL("%s AND", where)
        found = bound(kind, before)
        if found is None:
            behind = SQL("TRUE")
        elif found.rest is not None:
            behind = SQL(
                '(event.at, %s, event.code COLLATE "C") < (%s, %s, %s)',
                number,
                found.at,
                *split_rest(found.rest),
            )
        else:
            behind = SQL(
                "event.at %s %s", SQL("<=" if found.inclusive else "<"), found.at
            )
        return SQL(
            """
            SELECT %(number)s, event.at, event.code, jsonb_build_object(%(params)s)
            FROM %(tables)s
            CROSS JOIN LATERAL (VALUES %(events)s) AS event (code, at, holds)
            WHERE %(where)s event.holds AND event.at IS NOT NULL AND %(behind)s
            ORDER BY event.at DESC, %(number)s DESC, event.code COLLATE "C" DESC
            LIMIT %(limit)s
            """,
            number=number,
            params=SQL(", ").join(
                SQL("%s::text, %s", name, column) for name, column in params.items()
            ),
            tables=query.from_clause,
            events=SQL(", ").join(
                SQL("(%s::text, (%s)::timestamp, %s)", code, moment, condition)
                for code, moment, condition in events
            ),
            where=where,
            behind=behind,
            limit=limit,
        )

    # --- SOURCES ---

    @api.model
    def _fetch_record(self, kind, partners, before, limit):
        records = self.env["omni.record"]
        query = asked(records, Domain("partner_id", "in", partners.ids))
        channel = query.left_join(
            records._table, "channel_id", "omni_channel", "id", "channel"
        )
        return self._fetch_events(
            kind,
            records,
            query,
            [("record_received", SQL("omni_record.received_at"), SQL("TRUE"))],
            {"channel": readable(self.env["omni.channel"], "name", channel)},
            before,
            limit,
        )

    @api.model
    def _fetch_lead(self, kind, partners, before, limit):
        # a lost opportunity is archived
        leads = self.env["crm.lead"].with_context(active_test=False)
        query = asked(leads, Domain("partner_id", "in", partners.ids))
        column = SQL.identifier
        table = leads._table
        return self._fetch_events(
            kind,
            leads,
            query,
            [
                (
                    "lead_created",
                    column(table, "create_date"),
                    SQL("%s = 'lead'", column(table, "type")),
                ),
                (
                    "opportunity_created",
                    column(table, "create_date"),
                    SQL("%s = 'opportunity'", column(table, "type")),
                ),
                (
                    "opportunity_won",
                    readable(leads, "date_closed"),
                    SQL("%s = 'won'", readable(leads, "won_status")),
                ),
                (
                    "opportunity_lost",
                    readable(leads, "date_closed"),
                    SQL("%s = 'lost'", readable(leads, "won_status")),
                ),
            ],
            {
                "name": readable(leads, "name"),
                "amount": readable(leads, "expected_revenue"),
                "currency_id": self._company_currency(column(table, "company_id")),
            },
            before,
            limit,
        )

    @api.model
    def _company_currency(self, company):
        return SQL("(SELECT currency_id FROM res_company WHERE id = %s)", company)

    @api.model
    def _fetch_order(self, kind, partners, before, limit):
        orders = self.env["sale.order"]
        query = asked(orders, Domain("partner_id", "in", partners.ids))
        return self._fetch_events(
            kind,
            orders,
            query,
            [
                ("quotation_created", SQL("sale_order.create_date"), SQL("TRUE")),
                (
                    "order_confirmed",
                    readable(orders, "date_order"),
                    SQL("%s = 'sale'", readable(orders, "state")),
                ),
            ],
            {
                "name": readable(orders, "name"),
                "amount": readable(orders, "amount_total"),
                "currency_id": readable(orders, "currency_id"),
            },
            before,
            limit,
        )

    @api.model
    def _fetch_delivery(self, kind, partners, before, limit):
        pickings = self.env["stock.picking"]
        query = asked(
            pickings,
            Domain("state", "=", "done")
            & (
                Domain("partner_id", "in", partners.ids)
                | Domain("sale_id.partner_id", "in", partners.ids)
            )
            & Domain("picking_type_id.code", "in", ("outgoing", "incoming")),
        )
        kind_of_move = SQL(
            "(SELECT code FROM stock_picking_type"
            " WHERE id = stock_picking.picking_type_id)"
        )
        done = readable(pickings, "date_done")
        return self._fetch_events(
            kind,
            pickings,
            query,
            [
                ("delivery_done", done, SQL("%s = 'outgoing'", kind_of_move)),
                (
                    "return_done",
                    done,
                    # what comes in without an order is a purchase
                    SQL(
                        "(%s = 'incoming' AND %s IS NOT NULL)",
                        kind_of_move,
                        readable(pickings, "sale_id"),
                    ),
                ),
            ],
            {"name": readable(pickings, "name")},
            before,
            limit,
        )

    @api.model
    def _fetch_invoice(self, kind, partners, before, limit):
        moves = self.env["account.move"]
        query = asked(
            moves,
            Domain("partner_id", "in", partners.ids)
            & Domain("move_type", "in", ("out_invoice", "out_refund"))
            & Domain("state", "=", "posted"),
        )
        day = readable(moves, "invoice_date")
        return self._fetch_events(
            kind,
            moves,
            query,
            [
                ("invoice_posted", day, SQL("move_type = 'out_invoice'")),
                ("credit_note_posted", day, SQL("move_type = 'out_refund'")),
            ],
            {
                "name": readable(moves, "name"),
                "amount": readable(moves, "amount_total"),
                "currency_id": readable(moves, "currency_id"),
            },
            before,
            limit,
        )

    @api.model
    def _fetch_payment(self, kind, partners, before, limit):
        payments = self.env["account.payment"]
        query = asked(
            payments,
            Domain("partner_id", "in", partners.ids)
            & Domain("partner_type", "=", "customer")
            & Domain("state", "in", ("in_process", "paid")),
        )
        day = readable(payments, "date")
        return self._fetch_events(
            kind,
            payments,
            query,
            [
                ("payment_received", day, SQL("payment_type = 'inbound'")),
                ("payment_sent", day, SQL("payment_type = 'outbound'")),
            ],
            {
                "name": readable(payments, "name"),
                "amount": readable(payments, "amount"),
                "currency_id": readable(payments, "currency_id"),
            },
            before,
            limit,
        )

    @api.model
    def _finish_invoice(self, entries):
        for entry in entries:
            entry["all_day"] = True

    _finish_payment = _finish_invoice

    @api.model
    def _message_domain(self, partners):
        """Messages of the customers, and what they wrote about their business.

        The reader may see each: who sees a record sees its messages, and the records
        are searched by the reader's own rights.
        """
        domain = Domain("model", "=", "res.partner") & Domain(
            "res_id", "in", partners.ids
        )
        for name in ("crm.lead", "sale.order"):
            model = self.env[name].with_context(active_test=False)
            if model.has_access("read"):
                domain |= (
                    Domain("author_id", "in", partners.ids)
                    & Domain("model", "=", name)
                    & Domain(
                        "res_id",
                        "in",
                        asked(model, Domain("partner_id", "in", partners.ids)),
                    )
                )
        return domain

    @api.model
    def _fetch_message(self, kind, partners, before, limit):
        # sudo: mail filters only after the limit, so that pages would have holes; the
        # domain holds the reader's rights
        reader = self.env["mail.message"]
        messages = reader.sudo()
        query = messages._search(
            self._message_domain(partners)
            & (
                Domain("message_type", "not in", SILENT_TYPES)
                | Domain("mail_activity_type_id", "!=", False)
            )
        )
        by_customer = SQL("mail_message.author_id = ANY(%s)", partners.ids)
        subtype = query.left_join(
            "mail_message", "subtype_id", "mail_message_subtype", "id", "subtype"
        )
        # one event a message: what it is needs a look at it only once
        code = SQL(
            """
            CASE WHEN mail_message.mail_activity_type_id IS NOT NULL
                 THEN 'activity_done'
                 WHEN %s THEN 'message_received'
                 -- a log without a subtype is for the house only
                 WHEN mail_message.is_internal OR coalesce(%s, TRUE)
                 THEN 'note_logged'
                 ELSE 'message_sent'
            END
            """,
            by_customer,
            SQL.identifier(subtype, "internal"),
        )
        column = SQL.identifier
        return self._fetch_events(
            kind,
            messages,
            query,
            [(code, column("mail_message", "date"), SQL("TRUE"))],
            {
                "model": column("mail_message", "model"),
                "res_id": column("mail_message", "res_id"),
                "author": SQL(
                    "(SELECT name FROM res_partner WHERE id = mail_message.author_id)"
                ),
                "email_from": readable(reader, "email_from"),
                "subject": readable(reader, "subject"),
                "body": SQL("left(%s, %s)", readable(reader, "body"), BODY_LENGTH),
            },
            before,
            limit,
        )

    @api.model
    def _finish_message(self, entries):
        for entry in entries:
            params = entry["params"]
            entry["res_model"] = params.pop("model")
            entry["res_id"] = params.pop("res_id")
            # whom Odoo does not know is named by an address, as the customer's is shown
            address = params.pop("email_from")
            params["author"] = params["author"] or shown(
                self.env["res.partner"], "email", address
            )
            words = html_to_inner_content(params.pop("body") or "")
            preview = params.pop("subject") or words
            if len(preview) > PREVIEW_LENGTH:
                preview = preview[: PREVIEW_LENGTH - 1] + "…"
            params["preview"] = preview

    @api.model
    def _fetch_identity(self, kind, partners, before, limit):
        identities = self.env["omni.identity"]
        query = asked(identities, Domain("partner_id", "in", partners.ids))
        return self._fetch_events(
            kind,
            identities,
            query,
            [("identity_known", SQL("omni_identity.first_seen_at"), SQL("TRUE"))],
            {
                "identity_kind": readable(identities, "kind"),
                "value": readable(identities, "value"),
                "partner_id": SQL.identifier(identities._table, "partner_id"),
            },
            before,
            limit,
        )

    @api.model
    def _finish_identity(self, entries):
        identities = self.env["omni.identity"]
        for entry in entries:
            # an identity has no page of its own: the customer's is opened
            entry["res_model"] = "res.partner"
            params = entry["params"]
            entry["res_id"] = params.pop("partner_id")
            params["value"] = identities._shown_value(
                params["identity_kind"], params["value"]
            )

    @api.model
    def _fetch_segment(self, kind, partners, before, limit):
        events = self.env["omni.segment.event"]
        query = asked(events, Domain("partner_id", "in", partners.ids))
        segment = query.join(
            events._table, "segment_id", "omni_segment", "id", "segment"
        )
        column = SQL.identifier
        return self._fetch_events(
            kind,
            events,
            query,
            [
                (
                    f"segment_{what}",
                    column(events._table, "at"),
                    SQL("%s = %s", column(events._table, "kind"), what),
                )
                for what in ("entered", "left")
            ],
            {
                "name": readable(self.env["omni.segment"], "name", segment),
                "segment_id": column(events._table, "segment_id"),
            },
            before,
            limit,
        )

    @api.model
    def _finish_segment(self, entries):
        for entry in entries:
            entry["res_model"] = "omni.segment"
            entry["res_id"] = entry["params"].pop("segment_id")
