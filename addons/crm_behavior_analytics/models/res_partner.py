from datetime import timedelta

from markupsafe import Markup

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools.misc import format_date

from ..const import TOP_FEATURES

CHURN = "churn"
MAX_COUNT = 1000
READERS = "crm_behavior_analytics.group_behavior_user,sales_team.group_sale_salesman"


class ResPartner(models.Model):
    _inherit = "res.partner"

    behavior_score_ids = fields.One2many(
        "behavior.score", "partner_id", "Scores", readonly=True, groups=READERS
    )
    behavior_churn_score = fields.Float(
        "Churn Score",
        compute="_compute_behavior_churn",
        digits=(4, 3),
        groups=READERS,
        help="How likely it is that the customer does not order within the horizon of"
        " the churn prediction.",
    )
    behavior_churn_band = fields.Selection(
        [("low", "Low"), ("medium", "Medium"), ("high", "High")],
        "Churn Risk",
        compute="_compute_behavior_churn",
        search="_search_behavior_churn_band",
        groups=READERS,
    )
    behavior_churn_trend = fields.Selection(
        [("up", "Rising"), ("steady", "Steady"), ("down", "Falling")],
        "Trend of the Churn Risk",
        compute="_compute_behavior_churn",
        groups=READERS,
    )
    behavior_churn_reasons = fields.Html(
        "Reasons", compute="_compute_behavior_churn", sanitize=False, groups=READERS
    )
    behavior_churn_as_of = fields.Datetime(
        "Scored", compute="_compute_behavior_churn", groups=READERS
    )
    behavior_features_html = fields.Html(
        "Known of the Customer",
        compute="_compute_behavior_features_html",
        sanitize=False,
        groups=READERS,
    )
    behavior_churn_missing = fields.Char(
        "Why There Is No Score",
        compute="_compute_behavior_churn_missing",
        groups=READERS,
    )
    behavior_event_count = fields.Integer(
        "Number of Events",
        compute="_compute_behavior_event_count",
        groups="crm_behavior_analytics.group_behavior_user",
    )

    @api.depends("commercial_partner_id.behavior_score_ids.score")
    @api.depends_context("lang", "allowed_company_ids", "uid")
    def _compute_behavior_churn(self):
        """The score of the customer's company: what its contacts order is one."""
        scores = self.env["behavior.score"].search(
            [
                ("partner_id", "in", self.commercial_partner_id.ids),
                ("prediction_id.code", "=", CHURN),
                ("company_id", "=", self.env.company.id),
            ]
        )
        by_customer = {score.partner_id.id: score for score in scores}
        for partner in self:
            score = by_customer.get(partner.commercial_partner_id.id, scores.browse())
            partner.behavior_churn_score = score.score
            partner.behavior_churn_band = score.band
            partner.behavior_churn_trend = score.trend
            partner.behavior_churn_as_of = score.as_of
            partner.behavior_churn_reasons = (
                self._render_behavior_reasons(score.reasons) if score else False
            )

    @api.depends("behavior_churn_band")
    @api.depends_context("lang", "company")
    def _compute_behavior_churn_missing(self):
        """What is missing for a score, for those who have none."""
        self.behavior_churn_missing = False
        unscored = self.filtered(lambda partner: not partner.behavior_churn_band)
        if not unscored:
            return
        company = self.env.company
        prediction = self.env["behavior.prediction"].search(
            [("code", "=", CHURN), ("company_id", "=", company.id)], limit=1
        )
        if not prediction.scored_at:
            unscored.behavior_churn_missing = self._churn_not_ready(prediction)
            return
        placed = unscored._churn_orders(company)
        for partner in unscored:
            count, last = placed.get(partner.commercial_partner_id, (0, None))
            partner.behavior_churn_missing = self._churn_not_eligible(
                prediction, count, last
            )

    @api.model
    def _churn_not_ready(self, prediction):
        if not prediction:
            return self.env._(
                "There is no churn prediction in %(company)s yet: an administrator of"
                " Behavior Analytics makes one.",
                company=self.env.company.name,
            )
        if prediction.state == "refused":
            return self.env._(
                "The churn prediction is not put to use: %(why)s",
                why=prediction.findings_text,
            )
        if not prediction.version_id:
            return self.env._("The churn prediction has not been trained yet.")
        return self.env._("Nobody has been scored yet: that is done once a day.")

    def _churn_orders(self, company):
        """:return: dict of customer → (number of orders, date of the last one)"""
        # sudo: whose orders they are does not matter for their number
        groups = (
            self.env["sale.order"]
            .sudo()
            ._read_group(
                [
                    (
                        "partner_id.commercial_partner_id",
                        "in",
                        self.commercial_partner_id.ids,
                    ),
                    ("state", "=", "sale"),
                    ("company_id", "=", company.id),
                ],
                ["partner_id"],
                ["__count", "date_order:max"],
            )
        )
        placed = {}
        for partner, count, last in groups:
            known, newest = placed.get(partner.commercial_partner_id, (0, last))
            placed[partner.commercial_partner_id] = known + count, max(newest, last)
        return {partner.sudo(False): values for partner, values in placed.items()}

    @api.model
    def _churn_not_eligible(self, prediction, count, last):
        if count < prediction.min_acts:
            return self.env._(
                "Not scored: %(count)s confirmed orders, at least %(needed)s are"
                " needed.",
                count=count,
                needed=prediction.min_acts,
            )
        if last < prediction.scored_at - timedelta(days=prediction.active_days):
            return self.env._(
                "Not scored: the last order was on %(day)s. Who has not ordered for"
                " %(days)s days counts as gone already.",
                day=format_date(self.env, last),
                days=prediction.active_days,
            )
        return self.env._("Not scored yet: the scores are made anew once a day.")

    @api.model
    def _render_behavior_reasons(self, reasons):
        return Markup("<ul class='o_behavior_reasons mb-0'>%s</ul>") % Markup().join(
            Markup("<li>%s</li>") % reason
            for reason in self.env["behavior.feature"]._render_reasons(reasons)
        )

    @api.model
    def _search_behavior_churn_band(self, operator, value):
        if operator != "in":
            return NotImplemented
        own = [
            ("prediction_id.code", "=", CHURN),
            ("company_id", "=", self.env.company.id),
        ]
        in_band = [*own, ("band", "in", [band for band in value if band])]
        customers = "commercial_partner_id.behavior_score_ids"
        condition = Domain(customers, "any", in_band)
        if False in value:
            condition |= Domain(customers, "not any", own)
        return condition

    @api.depends_context("lang", "company", "uid")
    def _compute_behavior_features_html(self):
        figures = self.env["behavior.feature.value"]._read_figures(
            self.commercial_partner_id, self.env.company
        )
        features = self.env["behavior.feature"].search(
            [("res_model", "=", "res.partner")]
        )
        for partner in self:
            known = figures.get(partner.commercial_partner_id.id)
            partner.behavior_features_html = (
                self._render_behavior_features(features, known) if known else False
            )

    @api.model
    def _render_behavior_features(self, features, figures):
        """The features that say most, and below them all that are known."""
        known = features.filtered(lambda feature: feature.code in figures)
        top = known.filtered(lambda feature: feature.code in TOP_FEATURES).sorted(
            lambda feature: TOP_FEATURES.index(feature.code)
        )
        categories = dict(features._fields["category"]._description_selection(self.env))
        parts = [
            Markup("<h6 class='mt-3'>%s</h6>%s")
            % (title, self._render_behavior_table(group, figures))
            for category, title in categories.items()
            if (group := known.filtered_domain([("category", "=", category)]))
        ]
        return Markup("%s<details><summary>%s</summary>%s</details>") % (
            self._render_behavior_table(top, figures),
            self.env._("All %(count)s features", count=len(known)),
            Markup().join(parts),
        )

    @api.model
    def _render_behavior_table(self, features, figures):
        rows = Markup().join(
            Markup("<tr title='%s'><td>%s</td><td class='text-end'>%s</td></tr>")
            % (
                feature.description or "",
                feature.name,
                feature._render_value(figures[feature.code]),
            )
            for feature in features
        )
        return Markup("<table class='table table-sm mb-2'>%s</table>") % rows

    def behavior_features(self, codes=None):
        """Return what is known of these customers, as of the last refresh.

        :param list codes: of these features only
        :return: list of ``{"partner_id", "as_of", "features": {code: value}}`` (ISO
            UTC) of the customers that have features; what is unknown is left out
        """
        self.check_access("read")
        company = self.env.company
        figures = self.env["behavior.feature.value"]._read_figures(
            self.commercial_partner_id, company
        )
        # sudo: when features were computed is no secret
        as_of = company.sudo().behavior_features_as_of
        return [
            {
                "partner_id": partner.id,
                "as_of": as_of.isoformat(),
                "features": {
                    code: value
                    for code, value in figures[partner.commercial_partner_id.id].items()
                    if codes is None or code in codes
                },
            }
            for partner in self
            if partner.commercial_partner_id.id in figures
        ]

    def _compute_behavior_event_count(self):
        """Up to a thousand: nobody counts further, and the store is large."""
        for partner in self:
            partner.behavior_event_count = (
                self.env["behavior.event"].search_count(
                    [("partner_id", "in", partner.ids)], limit=MAX_COUNT
                )
                if partner.id
                else 0
            )

    def action_view_behavior_events(self):
        """Open the events of these customers."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_behavior_analytics.behavior_event_action"
        )
        action["domain"] = [("partner_id", "in", self.ids)]
        action["context"] = {}
        return action
