from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ..columns import asked, readable, shown
from ..tools.timeline import BadCursor, format_at, parse_cursor

SECTIONS = ("identities", "figures", "timeline", "segments", "consents")


class ResPartner(models.Model):
    """The 360° view: everything that is known about a customer, in one answer."""

    _name = "res.partner"
    _inherit = "res.partner"

    omni_consent_ids = fields.One2many(
        "omni.consent",
        "partner_id",
        "Consents",
        readonly=True,
        groups="base.group_user",
    )

    @api.readonly
    def customer_360(self, sections=None, limit=80, before=None, kinds=None):
        """Return what is known about a customer, as far as the reader may see it.

        A company is seen with its contacts, as Odoo's own buttons count; documents are
        those of the reader's companies.

        :param sections: list of ``identities``, ``figures``, ``timeline``,
            ``segments``, ``consents``; None: all
        :param int limit: entries of the timeline on a page, at most 500
        :param str before: ``timeline_next`` of the page before, or the cursor of any
            entry (its ``at`` and ``key`` with a bar between them)
        :param kinds: list of kinds of entries; None: all
        :return: dict of the sections; with the timeline come ``timeline_next`` (None on
            the last page) and ``timeline_kinds``
        """
        self.ensure_one()
        if not self.env.user._is_internal():
            raise AccessError(
                self.env._("Only employees see the profile of a customer.")
            )
        self.check_access("read")
        if self.merged_into_id:
            # an old id, in a link or another system
            return self._survivor().customer_360(sections, limit, before, kinds)
        unknown = set(sections or ()) - set(SECTIONS)
        if unknown:
            raise UserError(
                self.env._(
                    "There is no section %(name)s of the profile.",
                    name=", ".join(sorted(map(str, unknown))),
                )
            )
        wanted = SECTIONS if sections is None else sections
        result = {}
        if {"figures", "timeline", "identities"}.intersection(wanted):
            family = self._get_family()
        if "identities" in wanted:
            result["identities"] = self._profile_identities(family)
        if "figures" in wanted:
            result["figures"] = self._profile_figures(family)
        if "timeline" in wanted:
            try:
                page = self.env["omni.timeline"]._page(
                    family, kinds, limit, parse_cursor(before)
                )
            except BadCursor as error:
                raise UserError(
                    self.env._(
                        "This is no place in the timeline: %(text)s", text=before
                    )
                ) from error
            result["timeline"] = page["entries"]
            result["timeline_next"] = page["next"]
            result["timeline_kinds"] = page["kinds"]
        if "segments" in wanted:
            result["segments"] = self._profile_segments()
        if "consents" in wanted:
            result["consents"] = self._profile_consents()
        return result

    def _get_family(self):
        """Return the customer and all below and merged into them.

        One query however deep the tree is, where ``child_of`` takes one a level.
        """
        partners = self.with_context(active_test=False)
        query = partners._search([])
        query.add_where(
            SQL(
                """
                res_partner.id IN (
                    WITH RECURSIVE family (id) AS (
                        SELECT %s
                        UNION
                        SELECT below.id FROM family, LATERAL (
                            SELECT id FROM res_partner WHERE parent_id = family.id
                            UNION ALL
                            SELECT id FROM res_partner WHERE merged_into_id = family.id
                        ) AS below
                    )
                    SELECT id FROM family
                )
                """,
                self.id,
            )
        )
        self.flush_model(["merged_into_id", "parent_id"])
        return partners.browse(query).with_env(self.env)

    def _profile_identities(self, family):
        identities = self.env["omni.identity"]
        if not identities.has_access("read"):
            return []
        query = identities._search(
            [("partner_id", "in", family.ids)], order=identities._order
        )
        names = ("kind", "value", "partner_id", "last_seen_at")
        channel = query.left_join(
            identities._table, "channel_id", "omni_channel", "id", "channel"
        )
        rows = self.env.execute_query(
            query.select(
                *(readable(identities, name) for name in names),
                readable(self.env["omni.channel"], "name", channel),
            )
        )
        return [
            {
                "kind": kind,
                "value": identities._shown_value(kind, value),
                "partner_id": partner_id,
                "last_seen_at": last_seen_at and format_at(last_seen_at),
                "channel": channel,
            }
            for kind, value, partner_id, last_seen_at, channel in rows
        ]

    def _profile_segments(self):
        # each in its own company: those of all that the reader works in
        segments = self.env["omni.segment"].search_fetch(
            [("company_id", "in", (*self.env.companies.ids, False))],
            ["name", "code", "domain", "company_id", "lang", "tz", "active", "problem"],
        )
        # an empty recordset would ask for the current company's
        found = segments._segments_of(self) if segments else segments
        return [
            {"id": segment.id, "code": segment.code, "name": segment.name}
            for segment in found
        ]

    def _profile_consents(self):
        consents = self.env["omni.consent"]
        if not consents.has_access("read"):
            return []
        names = ("purpose", "channel", "state", "text_version", "source", "at")
        return [
            {
                name: shown(
                    consents,
                    name,
                    format_at(answer[name]) if name == "at" else answer[name],
                )
                for name in names
            }
            for answer in consents._current(self)
        ]

    # --- FIGURES ---

    def _profile_figures(self, family):
        """Return the key figures; None stands where the reader may not look.

        Money is in the currency of the current company, at today's rate.
        """
        currency = self.env.company.currency_id
        figures = {
            "currency_id": currency.id,
            "currency": currency.name,
            "tier": shown(self, "customer_tier", self.customer_tier) or None,
            "tier_reason": shown(
                self, "customer_tier_reason_text", self.customer_tier_reason_text
            )
            or None,
            "lifetime_value": None,
            "open_amount": None,
            "orders": None,
            "last_order_at": None,
            "last_contacts": [],
        }
        parts = self._get_figure_queries(family)
        if "money" in parts:
            figures.update(lifetime_value=0.0, open_amount=0.0)
        rows = self.env.execute_query(SQL(" UNION ALL ").join(parts.values()))
        for name, code, label, first, second, at in rows:
            if name == "money":
                self._add_money(figures, int(code), first, second)
            elif name == "orders":
                figures["orders"] = int(first)
                figures["last_order_at"] = at and format_at(at)
            elif at:
                label = label or self.env._("E-mail and Messages")
                figures["last_contacts"].append(
                    {"code": code, "channel": label, "at": format_at(at)}
                )
        figures["last_contacts"].sort(key=lambda contact: contact["at"], reverse=True)
        return figures

    def _add_money(self, figures, currency_id, invoiced, open_amount):
        """Add the sums of one currency; None: closed to the reader."""
        company = self.env.company
        currency = self.env["res.currency"].browse(currency_id)
        today = fields.Date.context_today(self)
        for name, amount in (
            ("lifetime_value", invoiced),
            ("open_amount", open_amount),
        ):
            if amount is None:
                figures[name] = None
            elif figures[name] is not None:
                figures[name] += currency._convert(
                    float(amount), company.currency_id, company, today
                )

    def _get_figure_queries(self, family):
        """Return what the figures are made of, to be asked in one statement.

        Each by the rights and rules of the reader, with the columns name, code, label,
        two numbers and a moment.

        :return: ``{name: SQL}``
        """
        mine = Domain("partner_id", "in", family.ids)
        queries = {}
        moves = self.env["account.move"]
        if moves.has_access("read"):
            query = asked(
                moves,
                mine
                & Domain("move_type", "in", ("out_invoice", "out_refund"))
                & Domain("state", "=", "posted"),
            )
            company = query.join(
                moves._table, "company_id", "res_company", "id", "company"
            )
            currency = SQL.identifier(company, "currency_id")
            query.groupby = currency
            queries["money"] = query.select(
                SQL("'money'"),
                SQL("%s::text", currency),
                SQL("NULL::text"),
                *(
                    SQL("sum(%s)::numeric", readable(moves, name))
                    for name in ("amount_untaxed_signed", "amount_residual_signed")
                ),
                SQL("NULL::timestamp"),
            )
        orders = self.env["sale.order"]
        if orders.has_access("read"):
            query = asked(orders, mine & Domain("state", "=", "sale"))
            queries["orders"] = query.select(
                SQL(
                    "'orders', NULL::text, NULL::text, count(*)::numeric, NULL::numeric"
                ),
                SQL("max(%s)::timestamp", readable(orders, "date_order")),
            )
        records = self.env["omni.record"]
        if records.has_access("read"):
            query = asked(records, mine)
            channel = query.join(
                records._table, "channel_id", "omni_channel", "id", "channel"
            )
            code, name = (
                readable(self.env["omni.channel"], column, channel)
                for column in ("code", "name")
            )
            query.groupby = SQL("%s, %s", code, name)
            queries["channels"] = query.select(
                SQL("'contact'"),
                code,
                name,
                SQL("NULL::numeric, NULL::numeric"),
                SQL("max(%s)", readable(records, "received_at")),
            )
        # sudo: as in the timeline, the domain holds the reader's rights
        reader = self.env["mail.message"]
        messages = reader.sudo()
        query = messages._search(
            self.env["omni.timeline"]._message_domain(family)
            & (
                Domain("message_type", "in", ("email", "email_outgoing"))
                | Domain("author_id", "in", family.ids)
                & Domain("message_type", "=", "comment")
            )
        )
        queries["mail"] = query.select(
            SQL("'contact', 'mail', NULL::text, NULL::numeric, NULL::numeric"),
            SQL("max(%s)", readable(reader, "date")),
        )
        return queries

    # --- ACTIONS ---

    def action_record_consent(self):
        """Write down an answer of this customer."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Record an Answer"),
            "res_model": "omni.consent",
            "view_mode": "form",
            "target": "new",
            "context": {"default_partner_id": self.id, "dialog_size": "medium"},
        }
