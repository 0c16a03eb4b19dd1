import json

from odoo import api, fields, models
from odoo.tools import SQL

from .behavior_prediction import TREND


class BehaviorScore(models.Model):
    """How likely it is, for one customer, with the reasons."""

    _name = "behavior.score"
    _description = "Score"
    _order = "score desc, id"
    _log_access = False

    prediction_id = fields.Many2one(
        "behavior.prediction", required=True, readonly=True, ondelete="cascade"
    )
    company_id = fields.Many2one("res.company", readonly=True, index=True)
    res_model = fields.Char("Of", required=True, readonly=True)
    res_id = fields.Many2oneReference(
        "Record", required=True, readonly=True, model_field="res_model"
    )
    partner_id = fields.Many2one(
        "res.partner", "Customer", readonly=True, index=True, ondelete="cascade"
    )
    user_id = fields.Many2one(
        "res.users",
        "Salesperson",
        related="partner_id.user_id",
        store=True,
        index="btree_not_null",
    )
    score = fields.Float(readonly=True, digits=(4, 3), aggregator="avg")
    previous_score = fields.Float(readonly=True, digits=(4, 3), aggregator="avg")
    band = fields.Selection(
        [("low", "Low"), ("medium", "Medium"), ("high", "High")],
        "Risk",
        readonly=True,
    )
    trend = fields.Selection(
        [("up", "Rising"), ("steady", "Steady"), ("down", "Falling")], readonly=True
    )
    reasons = fields.Json("Reason Codes", readonly=True)
    reasons_text = fields.Char("Reasons", compute="_compute_reasons_text")
    as_of = fields.Datetime("As of", readonly=True)
    version_id = fields.Many2one(
        "behavior.prediction.version",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
    )

    _prediction_res_uniq = models.Constraint(
        "UNIQUE(prediction_id, res_id)", "A record has one score of a prediction."
    )

    @api.depends("prediction_id", "partner_id")
    def _compute_display_name(self):
        for score in self:
            score.display_name = f"{score.partner_id.display_name or score.res_id}"

    @api.depends("reasons")
    @api.depends_context("lang")
    def _compute_reasons_text(self):
        feature = self.env["behavior.feature"]
        for score in self:
            score.reasons_text = "; ".join(feature._render_reasons(score.reasons))

    # --- ACTIONS ---

    def action_open_partner(self):
        """Open the customer whose score it is."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "res.partner",
            "res_id": self.partner_id.id,
            "views": [(False, "form")],
        }

    # --- SCORING ---

    @api.model
    def _replace(self, prediction, version, rows, as_of):
        """Replace the scores of a prediction.

        Who is no longer eligible loses the score; whoever was deleted meanwhile gets
        none.

        :param prediction: ``behavior.prediction``, one record
        :param version: ``behavior.prediction.version`` that made the scores
        :param list rows: ``[res_id, score, reasons]``
        :param datetime as_of: naive UTC
        """
        self.env["res.partner"].flush_model(["user_id"])
        owners = self._owners(prediction.res_model, [row[0] for row in rows])
        rows = [row for row in rows if row[0] in owners]
        self.env.cr.execute(
            SQL(
                "DELETE FROM behavior_score"
                " WHERE prediction_id = %s AND NOT res_id = ANY(%s)",
                prediction.id,
                [row[0] for row in rows],
            )
        )
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO behavior_score AS known
                    (prediction_id, company_id, res_model, res_id, partner_id, user_id,
                     score, band, trend, reasons, as_of, version_id)
                SELECT %(prediction)s, %(company)s, %(res_model)s, fresh.res_id,
                       fresh.partner_id, owner.user_id, round(fresh.score::numeric, 3),
                       %(band)s, 'steady', fresh.reasons, %(as_of)s, %(version)s
                FROM unnest(%(ids)s::integer[], %(partners)s::integer[],
                            %(scores)s::float8[], %(reasons)s::jsonb[])
                    AS fresh (res_id, partner_id, score, reasons)
                LEFT JOIN res_partner AS owner ON owner.id = fresh.partner_id
                ON CONFLICT (prediction_id, res_id) DO UPDATE SET
                    partner_id = excluded.partner_id, user_id = excluded.user_id,
                    score = excluded.score,
                    previous_score = known.score, band = excluded.band,
                    trend = CASE WHEN excluded.score > known.score + %(trend)s THEN 'up'
                                 WHEN excluded.score < known.score - %(trend)s
                                 THEN 'down' ELSE 'steady' END,
                    reasons = excluded.reasons, as_of = excluded.as_of,
                    version_id = excluded.version_id
                """,
                prediction=prediction.id,
                company=prediction.company_id.id,
                res_model=prediction.res_model,
                band=prediction._band_sql(SQL("fresh.score")),
                as_of=as_of,
                version=version.id,
                trend=TREND,
                ids=[row[0] for row in rows],
                partners=[owners[row[0]] or None for row in rows],
                scores=[row[1] for row in rows],
                reasons=[json.dumps(row[2]) for row in rows],
            )
        )
        self.env.invalidate_all()

    @api.model
    def _owners(self, res_model, res_ids):
        """Whose records these are: dict of id → id of the partner, of those that exist.

        A record without a customer has False.
        """
        records = self.env[res_model].browse(res_ids).exists()
        if res_model == "res.partner":
            return {record_id: record_id for record_id in records.ids}
        return {
            record.id: record.partner_id.id if "partner_id" in record._fields else False
            for record in records
        }
