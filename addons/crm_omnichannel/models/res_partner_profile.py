from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain

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

        :param sections: list of ``identities``, ``figures``, ``timeline``, ``segments``,
            ``consents``; None: all
        :param int limit: entries of the timeline on a page, at most 500
        :param str before: ``timeline_next`` of the page before, or the cursor of any
            entry (its ``at`` and ``key`` with a bar between them)
        :param kinds: list of kinds of entries; None: all
        :return: dict of the sections; with the timeline come ``timeline_next`` (None on
            the last page) and ``timeline_kinds``
        """
        self.ensure_one()
        if not self.env.user._is_internal():
            raise AccessError(self.env._("Only employees see the profile of a customer."))
        self.check_access("read")
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
                    self.env._("This is no place in the timeline: %(text)s", text=before)
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
        """Return the customer and all below, as Odoo's own buttons count."""
        return self.with_context(active_test=False).search(
            [("id", "child_of", self.ids)]
        )

    def _profile_identities(self, family):
        identities = self.env["omni.identity"]
        if not identities.has_access("read"):
            return []
        found = identities.search_fetch(
            [("partner_id", "in", family.ids)],
            ["kind", "value", "partner_id", "channel_id", "last_seen_at"],
        )
        return [
            {
                "kind": identity.kind,
                "value": identity.value,
                "partner_id": identity.partner_id.id,
                "channel": identity.channel_id.name or None,
                "last_seen_at": identity.last_seen_at
                and format_at(identity.last_seen_at),
            }
            for identity in found
        ]

    def _profile_segments(self):
        # each in its own company: those of all that the reader works in
        segments = self.env["omni.segment"].search(
            [("company_id", "in", (*self.env.companies.ids, False))]
        )
        # an empty recordset would ask for the current company's
        found = segments._segments_of(self) if segments else segments
        return [
            {"id": segment.id, "code": segment.code, "name": segment.name}
            for segment in found
        ]

    def _profile_consents(self):
        if not self.env["omni.consent"].has_access("read"):
            return []
        return [
            {
                "purpose": answer["purpose"],
                "channel": answer["channel"],
                "state": answer["state"],
                "text_version": answer["text_version"],
                "source": answer["source"],
                "at": format_at(answer["at"]),
            }
            for answer in self.env["omni.consent"]._current(self)
        ]

    # --- FIGURES ---

    def _profile_figures(self, family):
        """Return the key figures; None stands where the reader may not look.

        Money is in the currency of the current company, at today's rate.
        """
        figures = {
            "currency_id": self.env.company.currency_id.id,
            "currency": self.env.company.currency_id.name,
            "tier": self.customer_tier,
            "tier_reason": self.customer_tier_reason_text or None,
        }
        figures.update(self._profile_money(family))
        figures.update(self._profile_orders(family))
        figures["last_contacts"] = self._profile_contacts(family)
        return figures

    def _profile_money(self, family):
        names = {
            "lifetime_value": "amount_untaxed_signed",
            "open_amount": "amount_residual_signed",
        }
        figures = dict.fromkeys(names)
        moves = self.env["account.move"]
        readable = {
            figure: name
            for figure, name in names.items()
            if moves.has_access("read")
            and moves._has_field_access(moves._fields[name], "read")
        }
        if not readable:
            return figures
        figures.update(dict.fromkeys(readable, 0.0))
        today = fields.Date.context_today(self)
        currency = self.env.company.currency_id
        for company, *amounts in moves._read_group(
            [
                ("partner_id", "in", family.ids),
                ("move_type", "in", ("out_invoice", "out_refund")),
                ("state", "=", "posted"),
            ],
            ["company_id"],
            [f"{name}:sum" for name in readable.values()],
        ):
            for figure, amount in zip(readable, amounts, strict=True):
                figures[figure] += company.currency_id._convert(
                    amount, currency, self.env.company, today
                )
        return figures

    def _profile_orders(self, family):
        orders = self.env["sale.order"]
        if not orders.has_access("read"):
            return {"orders": None, "last_order_at": None}
        [(count, last)] = orders._read_group(
            [("partner_id", "in", family.ids), ("state", "=", "sale")],
            [],
            ["__count", "date_order:max"],
        )
        return {"orders": count, "last_order_at": last and format_at(last) or None}

    def _profile_contacts(self, family):
        """Return the last contact on each channel, the newest first."""
        found = []
        records = self.env["omni.record"]
        if records.has_access("read"):
            found += [
                (channel.code, channel.name, last)
                for channel, last in records._read_group(
                    [("partner_id", "in", family.ids)],
                    ["channel_id"],
                    ["received_at:max"],
                )
            ]
        # sudo: as in the timeline, the domain holds the reader's rights
        [(last,)] = (
            self.env["mail.message"]
            .sudo()
            ._read_group(
                self.env["omni.timeline"]._message_domain(family)
                & (
                    Domain("message_type", "in", ("email", "email_outgoing"))
                    | Domain("author_id", "in", family.ids)
                    & Domain("message_type", "=", "comment")
                ),
                [],
                ["date:max"],
            )
        )
        if last:
            found.append(("mail", self.env._("E-mail and Messages"), last))
        found.sort(key=lambda contact: contact[2], reverse=True)
        return [
            {"code": code, "channel": name, "at": format_at(at)}
            for code, name, at in found
        ]

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
