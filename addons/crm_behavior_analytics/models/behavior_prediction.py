import ast
import logging
from typing import Any, NamedTuple

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import LazyTranslate
from odoo.tools.misc import format_date

from odoo.addons.crm_omnichannel.messages import cause_of

from ..messages import render
from ..tools import prediction as tool
from .behavior_source import CODE

_lt = LazyTranslate(__name__)
_logger = logging.getLogger(__name__)

TRAIN_TIMEOUT = 4 * 3600
SCORE_TIMEOUT = 3600
# A change of the score by less is noise.
TREND = 0.05


class LabelMethod(NamedTuple):
    """What a prediction may foretell.

    :param title: what a person calls it, a lazy translation
    :param str function: ``crm_x_tools.part:function``, see ``tools/labels.py``
    :param str res_model: of what
    :param str provider: codes of the providers whose tables the function reads,
        separated by blanks
    :param rule: feature of the simple rule, None for the one that ranks best
    :param tuple tables: those that it reads, () for all of the providers
    :param tuple purchases: features that BG/NBD reads (repeat purchases, days from the
        first to the last one, days since the first one), () where nobody buys
    """

    title: Any
    function: str
    res_model: str
    provider: str
    rule: "str | None" = None
    tables: tuple = ()
    purchases: tuple = ()


ORDERS = ("orders",)
PURCHASES = ("orders_repeat", "order_span_days", "tenure_days")
LABEL_METHODS = {
    "no_order": LabelMethod(
        _lt("No Order within the Horizon"),
        "crm_behavior_analytics_tools.labels:no_order",
        "res.partner",
        "commerce",
        "days_since_order",
        ORDERS,
        PURCHASES,
    ),
    "no_activity": LabelMethod(
        _lt("Neither Order nor Visit within the Horizon"),
        "crm_behavior_analytics_tools.labels:no_activity",
        "res.partner",
        "commerce behavior",
        "days_since_order",
        (*ORDERS, "events"),
        PURCHASES,
    ),
    "order": LabelMethod(
        _lt("An Order within the Horizon"),
        "crm_behavior_analytics_tools.labels:order",
        "res.partner",
        "commerce",
        "days_since_order",
        ORDERS,
        PURCHASES,
    ),
}


class BehaviorPrediction(models.Model):
    """Something to foretell, with the model in use and its quality."""

    _name = "behavior.prediction"
    _description = "Prediction"
    _inherit = "mail.thread"
    _order = "name, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(
        required=True, copy=False, help="Short name in interfaces and reports."
    )
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company",
        required=True,
        index=True,
        default=lambda self: self._default_company_id(),
    )
    res_model = fields.Char("Of", compute="_compute_res_model", store=True)
    label_method = fields.Selection(
        "_selection_label_method",
        "What Is Foretold",
        required=True,
        default=lambda self: self._default_label_method(),
    )
    feature_providers = fields.Char(
        "Features From",
        help="Codes of the providers whose features are used, separated by blanks."
        " Empty: all there are.",
    )
    excluded_feature_ids = fields.Many2many(
        "behavior.feature",
        string="Features Left Out",
        domain="[('res_model', '=', res_model)]",
        help="What the model may not look at, such as a figure that is filled in"
        " afterwards.",
    )
    horizon_days = fields.Integer(
        "Horizon (days)",
        default=60,
        required=True,
        tracking=True,
        aggregator=None,
        help="How long the time is in which it happens or not.",
    )
    gap_days = fields.Integer(
        "Days to Act",
        default=7,
        required=True,
        tracking=True,
        aggregator=None,
        help="Days between the prediction and the horizon, in which one can act.",
    )
    chosen_domain = fields.Char(
        "Customers That Count",
        default="[]",
        tracking=True,
        help="Only these are learnt from and scored. What they are like today decides:"
        " choose by what does not change, such as country or industry.",
    )
    min_acts = fields.Integer(
        "Orders at Least",
        default=2,
        required=True,
        tracking=True,
        aggregator=None,
        help="Who has fewer is not foretold.",
    )
    active_days = fields.Integer(
        "Last One within (days)",
        default=365,
        required=True,
        tracking=True,
        aggregator=None,
        help="Who was last active before that is gone already and not foretold.",
    )
    history_days = fields.Integer(
        "Learns from (days)",
        default=730,
        required=True,
        aggregator=None,
        help="How far back the past is looked at.",
    )
    step_days = fields.Integer(
        "Every (days)",
        default=30,
        required=True,
        aggregator=None,
        help="Days between two moments of the past that are looked at.",
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    contact_cost = fields.Monetary(
        help="What it costs to look after one customer.", tracking=True
    )
    contact_value = fields.Monetary(
        "Value of a Hit",
        help="What it brings on average to look after a customer whom it would happen"
        " to: the value of staying, times the chance that looking after helps.",
        tracking=True,
    )
    medium_from = fields.Float("Medium from", default=0.4, digits=(3, 2))
    high_from = fields.Float("High from", default=0.7, digits=(3, 2))
    seed = fields.Integer(
        default=1, aggregator=None, help="The same data and seed give the same model."
    )
    state = fields.Selection(
        [
            ("draft", "Not Trained"),
            ("refused", "Not Put to Use"),
            ("active", "In Use"),
        ],
        default="draft",
        required=True,
        readonly=True,
        copy=False,
        tracking=True,
    )
    version_id = fields.Many2one(
        "behavior.prediction.version",
        "Version in Use",
        readonly=True,
        copy=False,
        tracking=True,
        index="btree_not_null",
        ondelete="set null",
    )
    version_ids = fields.One2many(
        "behavior.prediction.version", "prediction_id", "Versions", readonly=True
    )
    last_version_id = fields.Many2one(
        "behavior.prediction.version", compute="_compute_last_version_id"
    )
    findings_text = fields.Text("Why Not", compute="_compute_last_version_id")
    auc = fields.Float("AUC", related="version_id.auc", digits=(4, 3), aggregator=None)
    preview = fields.Json("Counts of the Past", readonly=True, copy=False)
    preview_html = fields.Html(
        "Preview", compute="_compute_preview_html", sanitize=False
    )
    job_id = fields.Many2one("omni.job", "Last Job", readonly=True, copy=False)
    job_state = fields.Selection(string="State of the Job", related="job_id.state")
    job_error = fields.Char("Error of the Job", related="job_id.error")
    problem_code = fields.Char(readonly=True, copy=False)
    problem_params = fields.Json(readonly=True, copy=False)
    problem = fields.Char(
        compute="_compute_problem", help="Why the nightly scoring did not begin."
    )
    score_ids = fields.One2many("behavior.score", "prediction_id", readonly=True)
    score_count = fields.Integer("Number of Scores", compute="_compute_score_count")
    scored_at = fields.Datetime(
        "Last Scored", compute="_compute_score_count", help="As of when scores are."
    )

    _code_uniq = models.Constraint(
        "UNIQUE(company_id, code)", "A company has one prediction of a code."
    )
    _check_days = models.Constraint(
        "CHECK (horizon_days BETWEEN 1 AND 365 AND gap_days BETWEEN 0 AND 180"
        " AND min_acts >= 1 AND active_days >= 1 AND step_days >= 1"
        " AND history_days >= 1)",
        "The horizon is 1 to 365 days, the days to act are 0 to 180, and the other"
        " numbers at least 1.",
    )
    _check_bands = models.Constraint(
        "CHECK (0 < medium_from AND medium_from < high_from AND high_from < 1)",
        "“Medium” begins above 0 and below “high”, which begins below 1.",
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    @api.model
    def _default_label_method(self):
        return next(iter(self._label_methods()))

    @api.model
    def _label_methods(self):
        """What can be foretold; an upper addon adds its own.

        :return: dict of code → :class:`LabelMethod`
        """
        return LABEL_METHODS

    @api.model
    def _selection_label_method(self):
        return [
            (code, self.env._(method.title))
            for code, method in self._label_methods().items()
        ]

    # --- COMPUTE ---

    @api.depends("label_method")
    def _compute_res_model(self):
        methods = self._label_methods()
        for prediction in self:
            method = methods.get(prediction.label_method)
            prediction.res_model = method.res_model if method else False

    @api.depends("version_ids.report")
    @api.depends_context("lang")
    def _compute_last_version_id(self):
        for prediction in self:
            version = prediction.version_ids.sorted("number", reverse=True)[:1]
            prediction.last_version_id = version
            prediction.findings_text = version.findings_text

    @api.depends("problem_code", "problem_params")
    @api.depends_context("lang")
    def _compute_problem(self):
        for prediction in self:
            prediction.problem = (
                render(self.env, prediction.problem_code, prediction.problem_params)
                or False
            )

    @api.depends("preview")
    @api.depends_context("lang")
    def _compute_preview_html(self):
        for prediction in self:
            prediction.preview_html = (
                self.env["ir.qweb"]._render(
                    "crm_behavior_analytics.behavior_prediction_preview",
                    prediction._prepare_preview(),
                )
                if prediction.preview
                else False
            )

    def _prepare_preview(self):
        """Values of the preview's template."""
        moments = self.preview["moments"]
        rates = [
            one["positives"] / one["eligible"] for one in moments if one["eligible"]
        ]
        return {
            "moments": [
                {
                    "day": format_date(self.env, one["as_of"][:10]),
                    "eligible": one["eligible"],
                    "positives": one["positives"],
                    "rate": f"{100 * one['positives'] / (one['eligible'] or 1):.1f} %",
                }
                for one in reversed(moments)
            ],
            "summary": self.env._(
                "On average it happened to %(rate)s %%. %(now)s customers would be"
                " scored now.",
                rate=f"{100 * sum(rates) / len(rates):.1f}",
                now=self.preview["now"],
            )
            if rates
            else self.env._(
                "The facts do not go back far enough to count anything: shorten the"
                " horizon or wait."
            ),
            "findings": [
                self.env["behavior.prediction.version"]._render_finding(finding)
                for finding in self.preview["findings"]
            ],
        }

    @api.depends("score_ids.as_of")
    def _compute_score_count(self):
        counts = {
            prediction.id: (count, as_of)
            for prediction, count, as_of in self.env["behavior.score"]._read_group(
                [("prediction_id", "in", self.ids)],
                ["prediction_id"],
                ["__count", "as_of:max"],
            )
        }
        for prediction in self:
            count, as_of = counts.get(prediction.id, (0, False))
            prediction.score_count = count
            prediction.scored_at = as_of

    # --- CONSTRAINTS ---

    @api.constrains("code")
    def _check_code(self):
        for prediction in self:
            if not CODE.fullmatch(prediction.code):
                raise ValidationError(
                    self.env._(
                        "“%(code)s” cannot be a code: use small letters, digits,"
                        " - and _, 64 at most.",
                        code=prediction.code,
                    )
                )

    @api.constrains("feature_providers", "label_method")
    def _check_feature_providers(self):
        providers = self.env["behavior.feature.provider"]._feature_providers()
        for prediction in self:
            for code in (prediction.feature_providers or "").split():
                provider = providers.get(code)
                if not provider or provider.res_model != prediction.res_model:
                    raise ValidationError(
                        self.env._(
                            "There is no provider “%(code)s” of features for this"
                            " prediction. There are: %(codes)s.",
                            code=code,
                            codes=", ".join(
                                code
                                for code, provider in providers.items()
                                if provider.res_model == prediction.res_model
                            ),
                        )
                    )

    @api.constrains("chosen_domain")
    def _check_chosen_domain(self):
        for prediction in self:
            try:
                domain = ast.literal_eval(prediction.chosen_domain or "[]")
                self.env[prediction.res_model].search(domain, limit=1)
            except (ValueError, TypeError, SyntaxError) as error:
                raise ValidationError(
                    self.env._("The condition of the customers cannot be read.")
                ) from error

    # --- ACTIONS ---

    def action_train(self):
        """Train a new version, as a background job for each prediction."""
        for prediction in self:
            prediction._start_job(
                prediction.env._("Train: %(name)s", name=prediction.name),
                "crm_behavior_analytics_tools.prediction:train",
                "_collect_training",
                TRAIN_TIMEOUT,
                {},
            )
        return True

    def action_preview(self):
        """Count how often it happened in the past, before anything is trained."""
        for prediction in self:
            prediction._start_job(
                prediction.env._("Preview: %(name)s", name=prediction.name),
                "crm_behavior_analytics_tools.prediction:preview",
                "_collect_preview",
                SCORE_TIMEOUT,
                {},
                learns=False,
            )
        return True

    def action_score(self):
        """Score everybody who is eligible now, with the version in use."""
        for prediction in self:
            version = prediction.version_id
            if not version:
                raise UserError(
                    self.env._(
                        "“%(name)s” has no version in use: train it first.",
                        name=prediction.name,
                    )
                )
            prediction._start_job(
                prediction.env._("Score: %(name)s", name=prediction.name),
                "crm_behavior_analytics_tools.prediction:score",
                "_collect_scores",
                SCORE_TIMEOUT,
                {tool.MODEL_FILE: version._model_bytes()},
                version_id=version.id,
            )
        return True

    def action_view_scores(self):
        """Open the scores of this prediction."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_behavior_analytics.behavior_score_action"
        )
        action["domain"] = [("prediction_id", "=", self.id)]
        action["context"] = {}
        return action

    def action_view_job(self):
        """Open the last job."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "omni.job",
            "res_id": self.job_id.id,
            "views": [(False, "form")],
        }

    @api.model
    def _cron_score(self):
        """Score each prediction that is in use, as of today."""
        predictions = self.search([("version_id", "!=", False)]).filtered(
            lambda prediction: prediction.job_state not in ("waiting", "running")
        )
        for done, prediction in enumerate(predictions, 1):
            try:
                with self.env.cr.savepoint():
                    prediction.action_score()
            except Exception as error:
                # The others are scored all the same.
                _logger.exception("Prediction %s was not scored", prediction.code)
                code, params = cause_of(error, "not_scored")
                prediction.write({"problem_code": code, "problem_params": params})
            # each in a transaction of its own
            self.env["ir.cron"]._commit_progress(1, remaining=len(predictions) - done)
