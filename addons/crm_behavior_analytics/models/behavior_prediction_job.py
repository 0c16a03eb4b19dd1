import ast
from datetime import datetime

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ..tools import prediction as tool


class BehaviorPrediction(models.Model):
    """How a prediction is worked on: facts into files, a job, its result taken in."""

    _inherit = "behavior.prediction"

    def _providers(self):
        """:return: the providers whose features are used, in a fixed order"""
        self.ensure_one()
        providers = self.env["behavior.feature.provider"]._feature_providers()
        wanted = (self.feature_providers or "").split() or providers
        # The label needs its own provider's tables, used as features or not.
        return [
            provider
            for code, provider in providers.items()
            if code in wanted and provider.res_model == self.res_model
        ]

    def _label_providers(self):
        """:return: the providers whose tables the label reads"""
        providers = self.env["behavior.feature.provider"]._feature_providers()
        method = self._label_methods()[self.label_method]
        return [providers[code] for code in method.provider.split()]

    def _chosen_units(self):
        """The records that count, None if all do.

        Those of customers who want no scores and profiles do not: nothing is learnt
        from them, and a score that they have goes with the next scoring.
        """
        domain = Domain(ast.literal_eval(self.chosen_domain or "[]"))
        consents_sudo = self.env["omni.consent"].sudo().with_company(self.company_id)
        unwilling = consents_sudo._refusing_customers("profiling")
        if unwilling and self.res_model == "res.partner":
            domain &= Domain("id", "not in", unwilling.ids)
        elif unwilling and "partner_id" in self.env[self.res_model]._fields:
            domain &= Domain("partner_id", "not in", unwilling.ids)
        if domain.is_true():
            return None
        # sudo: as with the facts, see _start_job; archived ones have a past too. Who
        # wrote the domain could search by it.
        units_sudo = self.env[self.res_model].sudo().with_company(self.company_id)
        return units_sudo.with_context(active_test=False).search(domain)

    def _start_job(
        self, name, function, collect, timeout, files, learns=True, **arguments
    ):
        """Gather the facts into files and start a job on them.

        :param bool learns: the features are needed, not the label alone
        """
        self.ensure_one()
        self.check_access("write")
        if self.job_state in ("waiting", "running"):
            raise UserError(
                self.env._("A job of “%(name)s” is under way.", name=self.name)
            )
        as_of = fields.Datetime.now()
        providers = self._providers() if learns else []
        # sudo: features are made of all facts of the company; who may change the
        # prediction may have them counted, and sees scores only.
        tables = (
            self.env["behavior.feature.provider"]
            .sudo()
            ._export_tables(
                [*self._label_providers(), *providers], self.company_id, as_of
            )
        )
        chosen = self._chosen_units()
        if chosen is not None:
            files = {**files, f"{tool.CHOSEN}.parquet": self._exporter_of_units(chosen)}
        spec = {
            **self._prepare_spec(as_of, providers, tables),
            "prediction_id": self.id,
            "chosen": chosen is not None,
        }
        self.problem_code = self.problem_params = False
        self.job_id = self.env["omni.job"]._start(
            function,
            {"spec": {**spec, **arguments}},
            {**tables, **files},
            timeout,
            collect=(self._name, collect),
            name=name,
        )

    def _prepare_spec(self, as_of, providers, tables):
        """What a job is told, see ``tools/prediction.py``."""
        label = self._label_methods()[self.label_method]
        codes = self._feature_codes(providers)
        names = tool.table_names(tables)
        return {
            "providers": [provider.module for provider in providers],
            "without": self.excluded_feature_ids.mapped("code"),
            "tables": names,
            "label_tables": [*label.tables] or names,
            "label": label.function,
            "label_params": {
                "min_acts": self.min_acts,
                "active_days": self.active_days,
            },
            "rule": label.rule if label.rule in codes else None,
            "purchases": [*label.purchases]
            if codes.issuperset(label.purchases)
            else [],
            "as_of": as_of.isoformat(),
            "horizon_days": self.horizon_days,
            "gap_days": self.gap_days,
            "history_days": self.history_days,
            "step_days": self.step_days,
            "seed": self.seed,
        }

    def _feature_codes(self, providers):
        definitions = tool.load_definitions([provider.module for provider in providers])
        return {one.code for one in definitions} - {
            *self.excluded_feature_ids.mapped("code")
        }

    @api.model
    def _exporter_of_units(self, records):
        def export(path):
            import pyarrow as pa
            import pyarrow.parquet as pq

            units = pa.array(records.ids, pa.int64())
            pq.write_table(pa.table({"unit_id": units}), path)

        return export

    @api.model
    def _of_job(self, job):
        spec = job.arguments["spec"]
        return self.browse(spec["prediction_id"]).exists()

    @api.model
    def _collect_training(self, job, folder):
        """Take in a trained model: into use if it is good for something."""
        prediction = self._of_job(job)
        if not prediction:
            # Deleted while it was trained.
            return
        report = job.result
        path = folder / tool.MODEL_FILE
        version = self.env["behavior.prediction.version"]._create_version(
            prediction, report, path.read_bytes() if path.is_file() else None
        )
        # A rule does not take the place of a model that was better than one.
        steps_back = report.get("chosen") == "rule" and prediction.version_id
        if report["usable"] and not steps_back:
            prediction.version_id.state = "retired"
            version.state = "active"
            prediction.write({"version_id": version.id, "state": "active"})
        elif not prediction.version_id:
            prediction.state = "refused"

    @api.model
    def _collect_preview(self, job, folder):
        """Take in how often it happened."""
        prediction = self._of_job(job)
        if prediction:
            prediction.preview = job.result

    @api.model
    def _collect_scores(self, job, folder):
        """Take in scores, in a constant number of queries for each thousand."""
        prediction = self._of_job(job)
        spec = job.arguments["spec"]
        version = self.env["behavior.prediction.version"].browse(spec["version_id"])
        if not prediction or not version.exists():
            return
        rows = tool.read_scores(folder)
        self.env["behavior.score"]._replace(
            prediction, version, rows, datetime.fromisoformat(job.result["as_of"])
        )

    def _band_sql(self, score):
        """The band of a score, as SQL."""
        self.ensure_one()
        return SQL(
            "CASE WHEN %(score)s >= %(high)s THEN 'high'"
            " WHEN %(score)s >= %(medium)s THEN 'medium' ELSE 'low' END",
            score=score,
            high=self.high_from,
            medium=self.medium_from,
        )
