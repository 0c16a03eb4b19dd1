from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL, LazyTranslate

from ..columns import readable, shown
from ..figures import MONEY, figure_queries
from ..tools.rfm import classify
from ..tools.timeline import BadCursor, format_at, parse_cursor

_lt = LazyTranslate(__name__)

RFM_TEXTS = {
    "champion": _lt("Champion"),
    "loyal": _lt("Loyal"),
    "new": _lt("New"),
    "promising": _lt("Promising"),
    "at_risk": _lt("At risk"),
    "dormant": _lt("Dormant"),
    "lost": _lt("Lost"),
}
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
        channel = query.left_join(
            identities._table, "channel_id", "omni_channel", "id", "channel"
        )
        rows = self.env.execute_query(
            query.select(
                readable(identities, "kind"),
                # closed or not: it is shown as _shown_value says
                SQL.identifier(identities._table, "value"),
                readable(identities, "partner_id"),
                readable(identities, "last_seen_at"),
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
            [
                "name",
                "code",
                "domain",
                "company_id",
                "lang",
                "tz",
                "active",
                "problem_code",
            ],
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
            "margin": None,
            "open_amount": None,
            "orders": None,
            "orders_per_year": None,
            "last_order_at": None,
            "rfm": None,
            "last_contacts": [],
        }
        parts = figure_queries(self.env, family)
        sums = dict.fromkeys(MONEY, 0.0) if "money" in parts else {}
        orders = None
        rows = self.env.execute_query(SQL(" UNION ALL ").join(parts.values()))
        for name, code, label, numbers, moments in rows:
            if name == "money":
                self._add_money(sums, int(code), numbers)
            elif name == "orders":
                orders = (*map(int, numbers), *moments)
            elif moments[0]:
                label = label or self.env._("E-mail and Messages")
                figures["last_contacts"].append(
                    {"code": code, "channel": label, "at": format_at(moments[0])}
                )
        figures["last_contacts"].sort(key=lambda contact: contact["at"], reverse=True)
        for name in ("lifetime_value", "open_amount"):
            figures[name] = sums.get(name)
        if None not in (sums.get("lifetime_value"), sums.get("cost")):
            figures["margin"] = currency.round(sums["lifetime_value"] - sums["cost"])
        if orders:
            self._add_orders(figures, sums.get("turnover"), *orders)
        return figures

    def _add_money(self, sums, currency_id, numbers):
        """Add the sums of one currency; None: closed to the reader."""
        company = self.env.company
        currency = self.env["res.currency"].browse(currency_id)
        today = fields.Date.context_today(self)
        for name, amount in zip(MONEY, numbers, strict=True):
            if amount is None:
                sums[name] = None
            elif sums[name] is not None:
                sums[name] += currency._convert(
                    float(amount), company.currency_id, company, today
                )

    def _add_orders(self, figures, turnover, count, recent, first, last):
        """Add what the orders tell: how many, how often, and the class."""
        figures["orders"] = count
        if not last:
            return
        now = fields.Datetime.now()
        figures["last_order_at"] = format_at(last)
        # who ordered for the first time this year has had one year
        years = max(1, (now - first).days / 365.25)
        figures["orders_per_year"] = round(count / years, 1)
        if turnover is None:
            return
        found = classify(
            max(0, (now - last).days),
            recent,
            turnover,
            self.env.company._get_customer_tier_thresholds(),
        )
        figures["rfm"] = {
            **found._asdict(),
            "label": self.env._(RFM_TEXTS[found.code]),
        }

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
