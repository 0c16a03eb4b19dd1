import json
from datetime import timedelta

from markupsafe import Markup

from odoo import api, fields, models
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import read_committed

from .. import const

GC_LIMIT = 10_000


class PersonalizationExposure(models.Model):
    """What was shown to whom, and why: one row a visitor, content and day.

    Visitors who have not consented are counted together, as nobody.
    """

    _name = "personalization.exposure"
    _description = "Personalization Exposure"
    _order = "last_at DESC, id DESC"
    _log_access = False

    slot_id = fields.Many2one(
        "personalization.slot", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one("res.company", required=True, index=True)
    website_id = fields.Many2one("website", ondelete="cascade")
    variant_id = fields.Many2one(
        "personalization.variant", index="btree_not_null", ondelete="set null"
    )
    # What the row is about, also when the variant is gone or the customer merged.
    variant_ref = fields.Integer(required=True)
    subject = fields.Char(required=True)
    is_default = fields.Boolean(string="Default Content")
    partner_id = fields.Many2one(
        "res.partner", string="Customer", index="btree_not_null", ondelete="cascade"
    )
    anonymous_id = fields.Char(
        string="Anonymous ID", index="btree_not_null", groups="base.group_user"
    )
    channel = fields.Selection(
        [
            ("page", "In the Page"),
            ("load", "After Loading"),
            ("api", "Interface"),
        ],
        required=True,
        help="In the page: the content of the visitor's segment. After loading: the"
        " content for this person. Interface: asked for by another application.",
    )
    code = fields.Char(required=True)
    params = fields.Json()
    verdicts = fields.Json()
    failed = fields.Boolean(
        string="Error", help="A content or an audience failed; the log has the cause."
    )
    day = fields.Date(required=True, index=True)
    first_at = fields.Datetime(string="First Shown", required=True)
    last_at = fields.Datetime(string="Last Shown", required=True)
    count = fields.Integer(string="Times", required=True, aggregator="sum")
    reason = fields.Char(string="Why", compute="_compute_reason")
    explanation = fields.Html(string="Each Variant", compute="_compute_reason")

    _once_a_day = models.UniqueIndex(
        "(day, slot_id, subject, variant_ref, channel, code, COALESCE(website_id, 0))"
    )

    # --- COMPUTE ---

    @api.depends("slot_id", "partner_id", "day")
    def _compute_display_name(self):
        for exposure in self:
            who = exposure.partner_id.display_name or self.env._("Visitors")
            exposure.display_name = f"{exposure.slot_id.name} · {who}"

    @api.depends("code", "params", "verdicts")
    @api.depends_context("lang")
    def _compute_reason(self):
        slots = self.env["personalization.slot"]
        for exposure in self:
            exposure.reason = slots._outcome_text(
                {"code": exposure.code, "params": exposure.params or {}}
            )
            names = {
                variant.id: variant.name
                for variant in self.env["personalization.variant"]
                .browse(ref for ref, _code, _params in exposure.verdicts or [])
                .exists()
            }
            exposure.explanation = Markup("<ul>%s</ul>") % Markup().join(
                Markup("<li><b>%s</b> %s</li>")
                % (
                    names.get(ref, f"#{ref}"),
                    slots._verdict_text({"code": code, "params": params}),
                )
                for ref, code, params in exposure.verdicts or []
            )

    # --- WRITING ---

    @api.model
    def _prepare_row(self, shown, channel, website=None, partner=None, anonymous_id=""):
        """What :meth:`_record` takes.

        :param dict shown: ``slot``, ``variant`` (ids), ``code``, ``params``,
            ``verdicts`` (as in the proof of a page)
        :param str channel: of the field
        :param website: ``website``, or none
        :param partner: one ``res.partner`` who has consented, or none
        :param str anonymous_id: of a visitor who has consented
        """
        if partner:
            subject = f"partner:{partner.id}"
        else:
            subject = f"anonymous:{anonymous_id}" if anonymous_id else ""
        return {
            "slot": shown["slot"],
            "variant": shown["variant"] or 0,
            "website": website.id if website else None,
            "partner": partner.id if partner else None,
            "anonymous_id": None if partner else anonymous_id or None,
            "subject": subject,
            "channel": channel,
            "code": shown["code"],
            "params": json.dumps(shown["params"]),
            "verdicts": json.dumps(shown["verdicts"]),
            "failed": shown["code"] == "default_error"
            or any(code == "broken" for _ref, code, _params in shown["verdicts"]),
        }

    @api.model
    def _record(self, rows):
        """Write what was shown, by a short cursor of its own.

        The request's cursor may be read only, and visitors without consent share one
        row: it must wait, not fail.

        :param list rows: of :meth:`_prepare_row`
        """
        unique = {
            (
                row["slot"],
                row["subject"],
                row["variant"],
                row["channel"],
                row["code"],
            ): row
            for row in rows
        }
        if not unique:
            return
        # Sorted: all processes take the row locks in the same order.
        values = SQL(", ").join(
            SQL(
                "(%s, %s::integer, %s::integer, %s::integer, %s::text, %s, %s, %s,"
                " %s::jsonb, %s::jsonb, %s::boolean)",
                row["slot"],
                row["variant"],
                row["website"],
                row["partner"],
                row["anonymous_id"],
                row["subject"],
                row["channel"],
                row["code"],
                row["params"],
                row["verdicts"],
                row["failed"],
            )
            for _key, row in sorted(unique.items(), key=lambda item: item[0])
        )
        with read_committed(self.env) as cr:
            # What was deleted meanwhile is left out.  The name of the variant is
            # kept as it is now; pages do not tell it.
            cr.execute(
                SQL(
                    """
                    INSERT INTO personalization_exposure AS e (
                        slot_id, company_id, website_id, variant_id, variant_ref,
                        partner_id, anonymous_id, subject, is_default, channel, code,
                        params, verdicts, failed, day, first_at, last_at, count
                    )
                    SELECT s.id, s.company_id, w.id, a.id, v.variant, p.id,
                           v.anonymous_id, v.subject, v.variant = 0, v.channel, v.code,
                           CASE WHEN n.id IS NULL THEN v.params
                                ELSE v.params || jsonb_build_object('name', n.name)
                           END,
                           v.verdicts, v.failed, %(now)s::date, %(now)s,
                           %(now)s, 1
                      FROM (VALUES %(values)s) AS v (
                               slot, variant, website, partner, anonymous_id, subject,
                               channel, code, params, verdicts, failed
                           )
                      JOIN personalization_slot s ON s.id = v.slot
                      LEFT JOIN personalization_variant a ON a.id = v.variant
                      LEFT JOIN personalization_variant n
                        ON n.id = (v.params->>'variant')::integer
                      LEFT JOIN website w ON w.id = v.website
                      LEFT JOIN res_partner p ON p.id = v.partner
                     WHERE p.id IS NOT NULL OR v.partner IS NULL
                    ON CONFLICT (
                        day, slot_id, subject, variant_ref, channel, code,
                        COALESCE(website_id, 0)
                    ) DO UPDATE SET
                        count = e.count + 1,
                        last_at = GREATEST(e.last_at, EXCLUDED.last_at),
                        failed = e.failed OR EXCLUDED.failed,
                        params = EXCLUDED.params,
                        verdicts = EXCLUDED.verdicts
                    """,
                    now=fields.Datetime.now(),
                    values=values,
                )
            )

    # --- RETENTION ---

    @api.autovacuum
    def _gc_exposures(self):
        """Delete what is older than the settings say."""
        # sudo: a parameter of the addon, read by the vacuum.
        days = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param("crm_personalization.exposure_days")
        )
        days = (
            int(days)
            if (days or "").isdecimal() and int(days)
            else (const.EXPOSURE_DAYS)
        )
        limit = fields.Date.context_today(self) - timedelta(days=days)
        old = self.search([("day", "<", limit)], order="day", limit=GC_LIMIT)
        old.unlink()
        return len(old), len(old) == GC_LIMIT

    # --- ACTIONS ---

    def action_preview(self):
        """Open the preview as this customer."""
        self.ensure_one()
        action = self.slot_id.action_preview()
        action["context"] = {
            "default_slot_id": self.slot_id.id,
            "default_partner_id": self.partner_id.id,
        }
        return action
