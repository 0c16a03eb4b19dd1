import base64

from markupsafe import Markup

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.misc import formatLang

from ..messages import render


class BehaviorPredictionVersion(models.Model):
    """A trained model with what it was measured to be worth."""

    _name = "behavior.prediction.version"
    _description = "Version of a Prediction"
    _order = "prediction_id, number desc"
    _rec_name = "number"

    prediction_id = fields.Many2one(
        "behavior.prediction", required=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="prediction_id.company_id", store=True)
    number = fields.Integer("Version", required=True, readonly=True, aggregator=None)
    state = fields.Selection(
        [
            ("active", "In Use"),
            ("retired", "Retired"),
            ("refused", "Not Put to Use"),
        ],
        required=True,
        readonly=True,
    )
    trained_at = fields.Datetime("Trained", readonly=True)
    kind = fields.Selection(
        [
            ("lightgbm", "Decision Trees"),
            ("logistic", "Logistic Regression"),
            ("bgnbd", "Buy Till You Die (BG/NBD)"),
            ("rule", "Simple Rule"),
        ],
        "Kind of Model",
        readonly=True,
    )
    auc = fields.Float(
        "AUC",
        readonly=True,
        digits=(4, 3),
        aggregator=None,
        help="How well it ranks, measured on a time that the model has not seen: 0.5 is"
        " chance, 1 is perfect.",
    )
    auc_low = fields.Float("AUC from", readonly=True, digits=(4, 3), aggregator=None)
    auc_high = fields.Float("AUC to", readonly=True, digits=(4, 3), aggregator=None)
    rule_auc = fields.Float(
        "AUC of the Simple Rule",
        readonly=True,
        digits=(4, 3),
        aggregator=None,
        help="What one figure alone is worth. A model that is no better is not put to"
        " use.",
    )
    rule_feature = fields.Char("Simple Rule", compute="_compute_rule_feature")
    lightgbm_auc = fields.Float(
        "AUC of Decision Trees", readonly=True, digits=(4, 3), aggregator=None
    )
    logistic_auc = fields.Float(
        "AUC of Logistic Regression", readonly=True, digits=(4, 3), aggregator=None
    )
    bgnbd_auc = fields.Float(
        "AUC of BG/NBD",
        readonly=True,
        digits=(4, 3),
        aggregator=None,
        help="What the rhythm of purchases alone is worth.",
    )
    calibration_error = fields.Float(
        readonly=True,
        digits=(5, 4),
        aggregator=None,
        help="By how much the stated probabilities miss what was seen, on average.",
    )
    flag_text = fields.Char("How Many to Look After", compute="_compute_flag_text")
    flagging_html = fields.Html(
        "Looking After the Highest Scores",
        compute="_compute_quality_html",
        sanitize=False,
    )
    calibration_html = fields.Html(
        "Stated and Seen", compute="_compute_quality_html", sanitize=False
    )
    brier = fields.Float(
        "Brier Score",
        readonly=True,
        digits=(5, 4),
        aggregator=None,
        help="Mean squared error of the stated probabilities; lower is better.",
    )
    log_loss = fields.Float(readonly=True, digits=(5, 4), aggregator=None)
    lift = fields.Float(
        readonly=True,
        digits=(5, 2),
        aggregator=None,
        help="How many times more often it happens among the tenth with the highest"
        " scores than among all.",
    )
    base_rate = fields.Float("How Often It Happens", readonly=True, aggregator=None)
    rows = fields.Integer("Rows Learnt From", readonly=True, aggregator=None)
    units = fields.Integer("Customers", readonly=True, aggregator=None)
    report = fields.Json(readonly=True)
    model = fields.Binary("Trained Model", readonly=True, attachment=True)
    findings_text = fields.Text("Why Not", compute="_compute_findings_text")
    importance_html = fields.Html(
        "What Counts", compute="_compute_importance_html", sanitize=False
    )

    _number_uniq = models.Constraint(
        "UNIQUE(prediction_id, number)", "This version exists already."
    )

    @api.depends("number", "prediction_id.name")
    def _compute_display_name(self):
        for version in self:
            version.display_name = self.env._(
                "%(prediction)s, version %(number)s",
                prediction=version.prediction_id.name,
                number=version.number,
            )

    @api.depends("report")
    @api.depends_context("lang")
    def _compute_rule_feature(self):
        for version in self:
            folds = (version.report or {}).get("folds")
            version.rule_feature = (
                version._feature_name(folds[-1]["rule_feature"]) if folds else False
            )

    @api.depends("report")
    @api.depends_context("lang")
    def _compute_findings_text(self):
        for version in self:
            version.findings_text = (
                "\n".join(
                    version._render_finding(finding)
                    for finding in (version.report or {}).get("findings", ())
                )
                or False
            )

    @api.depends("report")
    @api.depends_context("lang")
    def _compute_importance_html(self):
        for version in self:
            importance = (version.report or {}).get("importance") or {}
            rows = Markup().join(
                Markup("<tr><td>%s</td><td class='text-end'>%s %%</td></tr>")
                % (
                    version._feature_name(code),
                    formatLang(self.env, 100 * share, digits=1),
                )
                for code, share in sorted(
                    importance.items(), key=lambda entry: -entry[1]
                )
                if share >= 0.0005
            )
            version.importance_html = (
                Markup("<table class='table table-sm w-auto'><tbody>%s</tbody></table>")
                % rows
                if rows
                else False
            )

    @api.depends("report")
    @api.depends_context("lang")
    def _compute_flag_text(self):
        for version in self:
            report = version.report or {}
            version.flag_text = (
                self.env._(
                    "To find %(recall)s %% of those whom it happens to, look after the"
                    " %(share)s %% with the highest scores: from %(threshold)s %% on.",
                    recall=round(100 * report["recall"]),
                    share=round(100 * report["recall_share"]),
                    threshold=round(100 * report["recall_threshold"]),
                )
                if "recall_share" in report
                else False
            )

    @api.depends("report", "prediction_id.contact_cost", "prediction_id.contact_value")
    @api.depends_context("lang")
    def _compute_quality_html(self):
        for version in self:
            report = version.report or {}
            titles = [
                self.env._("Looked After"),
                self.env._("Hit"),
                self.env._("Found"),
            ]
            rows = [
                [
                    self._percent(entry[name])
                    for name in ("share", "precision", "recall")
                ]
                for entry in report.get("flagging", ())
            ]
            prediction = version.prediction_id
            if prediction.contact_value:
                titles.append(self.env._("Gain for 100 Customers"))
                for row, entry in zip(rows, report.get("flagging", ()), strict=True):
                    gain = (
                        entry["precision"] * prediction.contact_value
                        - prediction.contact_cost
                    )
                    row.append(
                        formatLang(
                            self.env,
                            100 * entry["share"] * gain,
                            digits=0,
                            currency_obj=prediction.currency_id,
                        )
                    )
            version.flagging_html = self._render_table(titles, rows)
            version.calibration_html = self._render_table(
                (self.env._("Stated"), self.env._("Seen"), self.env._("Rows")),
                [
                    [
                        self._percent(one["stated"]),
                        self._percent(one["seen"]),
                        one["rows"],
                    ]
                    for one in report.get("calibration", ())
                ],
            )

    @api.model
    def _percent(self, share):
        return f"{formatLang(self.env, 100 * share, digits=1)} %"

    @api.model
    def _render_table(self, titles, rows):
        """A small table of figures, False without any."""
        if not rows:
            return False
        cell = Markup("<td class='text-end'>%s</td>")
        title = Markup("<th class='text-end'>%s</th>")
        return Markup(
            "<table class='table table-sm w-auto'><thead><tr>%s</tr></thead>"
            "<tbody>%s</tbody></table>"
        ) % (
            Markup().join(title % one for one in titles),
            Markup().join(
                Markup("<tr>%s</tr>") % Markup().join(cell % one for one in row)
                for row in rows
            ),
        )

    @api.model
    def _feature_name(self, code):
        text = self.env["behavior.feature"]._describe([code]).get(code)
        return text.name if text else code

    @api.model
    def _render_finding(self, finding):
        params = dict(finding["params"])
        for name in ("rule", "feature"):
            if name in params:
                params[name] = self._feature_name(params[name])
        return render(self.env, finding["code"], params)

    @api.model
    def _create_version(self, prediction, report, model):
        """Store what a training brought.

        :param prediction: ``behavior.prediction``, one record
        :param dict report: of ``tools/prediction.py``
        :param bytes model: text of the model, None when nothing was trained
        :return: the version
        """
        number = max(prediction.version_ids.mapped("number"), default=0) + 1
        values = {
            "prediction_id": prediction.id,
            "number": number,
            "state": "refused",
            "trained_at": fields.Datetime.now(),
            "report": report,
            "model": base64.b64encode(model) if model else False,
        }
        if "chosen" in report:
            quality = report["models"]
            best = quality[report["chosen"]]
            low, high = report["auc_interval"]
            values |= {
                "kind": report["chosen"],
                "auc": best["auc"],
                "auc_low": low,
                "auc_high": high,
                "rule_auc": quality["rule"]["auc"],
                "lightgbm_auc": quality["lightgbm"]["auc"],
                "logistic_auc": quality["logistic"]["auc"],
                "bgnbd_auc": quality.get("bgnbd", {}).get("auc", 0),
                "calibration_error": report["calibration_error"],
                "brier": best["brier"],
                "log_loss": best["log_loss"],
                "lift": best["lift"],
                "base_rate": report["base_rate"],
                "rows": report["rows"],
                "units": report["units"],
            }
        return self.create(values)

    # --- ACTIONS ---

    def action_use(self):
        """Put an earlier version to use again."""
        self.ensure_one()
        prediction = self.prediction_id
        prediction.check_access("write")
        if not self.kind:
            raise UserError(self.env._("This version has no model."))
        # sudo: versions are written by the training alone; the right to the prediction
        # was checked
        prediction.version_id.sudo().state = "retired"
        self.sudo().state = "active"
        prediction.write({"version_id": self.id, "state": "active"})
        return True

    # --- MODEL ---

    @api.model
    def _served(self, code, company):
        """Versions of a prediction that can be asked, the newest first.

        :param str code: of the prediction
        :param company: ``res.company``; without one the code must be of one company
        :return: versions with a model, those that were never good for use left out
        """
        domain = [("code", "=", code)]
        if company:
            domain.append(("company_id", "=", company.id))
        prediction = self.env["behavior.prediction"].search(domain, limit=2)
        if len(prediction) != 1:
            return self.browse()
        return prediction.version_ids.filtered(
            lambda version: version.state in ("active", "retired") and version.kind
        )

    def _trained_model(self):
        """:return: ``training.Model``"""
        from ..tools.training import Model

        return Model.from_text(self._model_bytes().decode())

    def _model_bytes(self):
        """:return: the text of the model, as bytes"""
        self.ensure_one()
        # sudo: an attachment of a field has no rights of its own
        return base64.b64decode(self.sudo().with_context(bin_size=False).model)
