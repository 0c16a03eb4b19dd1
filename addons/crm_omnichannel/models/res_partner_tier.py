import json

from odoo import api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL, LazyTranslate, float_round, format_amount

from odoo.addons.crm_data_governance.messages import render

from ..tools.tier import decide

_lt = LazyTranslate(__name__)

TIER_SELECTION = [
    ("standard", "Standard"),
    ("silver", "Silver"),
    ("gold", "Gold"),
    ("vip", "VIP"),
]
TIER_TEXTS = {
    "manual": _lt("Set by hand"),
    "turnover": _lt("Turnover of the last twelve months: %(amount)s"),
    "no_turnover": _lt("No turnover in the last twelve months"),
}


class ResPartner(models.Model):
    """The tier of a customer, for each company by itself.

    It belongs to the commercial entity; its contacts have the same.
    """

    _name = "res.partner"
    _inherit = "res.partner"

    customer_tier = fields.Selection(
        TIER_SELECTION,
        company_dependent=True,
        readonly=True,
        groups="base.group_user",
        help="By the turnover of the last twelve months, or set by hand.",
    )
    customer_tier_reason = fields.Text(
        "Tier Reason Code",
        company_dependent=True,
        readonly=True,
        groups="base.group_user",
        help="Code and parameters, as JSON.",
    )
    customer_tier_reason_text = fields.Char(
        "Tier Reason",
        compute="_compute_customer_tier_reason_text",
        groups="base.group_user",
    )
    customer_tier_manual = fields.Selection(
        TIER_SELECTION,
        "Tier Set by Hand",
        company_dependent=True,
        tracking=True,
        groups="base.group_user",
        help="Stands until it is emptied, whatever the turnover is.",
    )
    customer_tier_note = fields.Char(
        "Why by Hand",
        company_dependent=True,
        tracking=True,
        groups="base.group_user",
    )

    @api.depends("customer_tier_reason", "customer_tier_note")
    @api.depends_context("lang", "company")
    def _compute_customer_tier_reason_text(self):
        texts = self._customer_tier_texts()
        currency = self.env.company.currency_id
        for partner in self:
            reason = json.loads(partner.customer_tier_reason or "null")
            if not reason:
                partner.customer_tier_reason_text = False
                continue
            parts = []
            for part in (reason, *reason["also"]):
                params = dict(part["params"])
                if "amount" in params:
                    params["amount"] = format_amount(
                        self.env, params["amount"], currency
                    )
                parts.append(render(self.env, texts, part["code"], params))
            if reason["code"] == "manual" and partner.customer_tier_note:
                parts.append(partner.customer_tier_note)
            partner.customer_tier_reason_text = " · ".join(parts)

    @api.constrains("customer_tier_manual", "customer_tier_note")
    def _check_customer_tier_note(self):
        if any(
            partner.customer_tier_manual and not partner.customer_tier_note
            for partner in self
        ):
            raise ValidationError(
                self.env._("Say why the tier of this customer is set by hand.")
            )

    def write(self, vals):
        result = super().write(vals)
        if "customer_tier_manual" in vals:
            # contacts get theirs from the company they belong to
            owners = self.filtered(
                lambda partner: partner.commercial_partner_id == partner
            )
            if owners:
                owners._refresh_customer_tier()
        return result

    @api.model_create_multi
    def create(self, vals_list):
        partners = super().create(vals_list)
        owners = partners.browse(
            partner.id
            for partner, vals in zip(partners, vals_list, strict=True)
            if vals.get("customer_tier_manual")
            and partner.commercial_partner_id == partner
        )
        if owners:
            owners._refresh_customer_tier()
        return partners

    @api.model
    def _commercial_fields(self):
        return [
            *super()._commercial_fields(),
            "customer_tier",
            "customer_tier_reason",
            "customer_tier_manual",
            "customer_tier_note",
        ]

    # --- HOOKS ---

    @api.model
    def _customer_tier_texts(self):
        """Return what the codes of reasons say: ``{code: lazy text}``."""
        return TIER_TEXTS

    @api.model
    def _customer_tier_adjustments(self, partners):
        """What moves a tier besides turnover, in the current company.

        :param partners: ``res.partner``, the commercial entities; none: all
        :return: ``{partner id: [Adjustment]}`` (``tools/tier.py``)
        """
        return {}

    # --- REFRESH ---

    def _refresh_customer_tier(self):
        """Work out the tiers of the current company: gather, decide, one write.

        :param self: commercial entities; the empty recordset means all
        """
        company = self.env.company
        adjustments = self._customer_tier_adjustments(self)
        thresholds = company._get_customer_tier_thresholds()
        changed = []
        for partner_id, tier, reason, manual, turnover in self._gather_tiers(
            list(adjustments)
        ):
            decided, why = decide(
                float_round(
                    float(turnover), precision_rounding=company.currency_id.rounding
                ),
                thresholds,
                manual,
                adjustments.get(partner_id, ()),
            )
            why = json.dumps(why, sort_keys=True)
            if (decided, why) != (tier, reason):
                changed.append((partner_id, decided, why))
        self._write_tiers(changed)

    def _gather_tiers(self, other_ids):
        """Return the commercial entities that have, or had, a reason for a tier."""
        self.flush_model(
            [
                "commercial_partner_id",
                "customer_tier",
                "customer_tier_reason",
                "customer_tier_manual",
            ]
        )
        only = SQL("TRUE")
        if self:
            only = SQL("partner.id = ANY(%s)", self.ids)
        return self.env.execute_query(
            SQL(
                """
                SELECT partner.id,
                       partner.customer_tier->>%(company)s,
                       partner.customer_tier_reason->>%(company)s,
                       partner.customer_tier_manual->>%(company)s,
                       coalesce(sales.omni_turnover, 0)
                FROM res_partner AS partner
                LEFT JOIN (%(turnover)s) AS sales ON sales.owner = partner.id
                WHERE partner.commercial_partner_id = partner.id AND %(only)s
                  AND (sales.omni_turnover IS NOT NULL
                       OR partner.id = ANY(%(others)s)
                       OR partner.customer_tier->>%(company)s IS NOT NULL
                       OR partner.customer_tier_manual->>%(company)s IS NOT NULL)
                """,
                company=str(self.env.company.id),
                turnover=self._figures_sql(["omni_turnover"], self.ids or None),
                only=only,
                others=other_ids,
            )
        )

    @api.model
    def _write_tiers(self, changed):
        """Store tiers of the current company, for their contacts too."""
        if not changed:
            return
        partner_ids, tiers, reasons = (
            list(column) for column in zip(*changed, strict=True)
        )
        self.env.cr.execute(
            SQL(
                """
                UPDATE res_partner AS partner
                SET customer_tier = coalesce(partner.customer_tier, '{}'::jsonb)
                        || jsonb_build_object(%(company)s::text, found.tier),
                    customer_tier_reason =
                        coalesce(partner.customer_tier_reason, '{}'::jsonb)
                        || jsonb_build_object(%(company)s::text, found.reason)
                FROM unnest(%(ids)s::integer[], %(tiers)s::text[], %(reasons)s::text[])
                     AS found (id, tier, reason)
                WHERE partner.commercial_partner_id = found.id
                """,
                company=str(self.env.company.id),
                ids=partner_ids,
                tiers=tiers,
                reasons=reasons,
            )
        )
        self.env["res.partner"].invalidate_model(
            ["customer_tier", "customer_tier_reason"]
        )

    @api.model
    def _cron_refresh_customer_tier(self):
        """Refresh the tiers of all companies, each in a transaction of its own."""
        companies = self.env["res.company"].search([("active", "=", True)], order="id")
        self.env["ir.cron"]._commit_progress(remaining=len(companies))
        for company in companies:
            self.browse().with_company(company)._refresh_customer_tier()
            self.env["ir.cron"]._commit_progress(1)
