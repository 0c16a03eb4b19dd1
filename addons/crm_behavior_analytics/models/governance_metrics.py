from prometheus_client.core import GaugeMetricFamily

from odoo import api, fields, models


class GovernanceMetrics(models.AbstractModel):
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        yield self._source_family()
        yield from self._event_families()
        yield from self._prediction_families()
        yield from self._feature_families()

    @api.model
    def _source_family(self):
        family = GaugeMetricFamily(
            "crm_behavior_sources",
            "Behavior sources by company and state of their key",
            labels=("company", "state"),
        )
        counted = {}
        for source in self.env["behavior.source"].search_fetch(
            [], ["company_id", "credential_id"]
        ):
            key = (str(source.company_id.id), source.state)
            counted[key] = counted.get(key, 0) + 1
        for labels, count in sorted(counted.items()):
            family.add_metric(labels, count)
        return family

    @api.model
    def _event_families(self):
        family = GaugeMetricFamily(
            "crm_behavior_events",
            "Messages by source and outcome: accepted, duplicate, refused",
            labels=("company", "source", "outcome"),
        )
        for source, outcome, messages in self.env["behavior.landing"]._read_group(
            [], ["source_id", "outcome"], ["messages:sum"]
        ):
            family.add_metric(
                (str(source.company_id.id), source.code, outcome), messages
            )
        yield family
        self.env.cr.execute("SELECT count(*) FROM behavior_event_store_default")
        yield GaugeMetricFamily(
            "crm_behavior_default_partition_events",
            "Events that no month's partition takes; more than 0 is a fault",
            value=self.env.cr.fetchone()[0],
        )

    @api.model
    def _prediction_families(self):
        predictions = GaugeMetricFamily(
            "crm_behavior_prediction_auc",
            "AUC of the version in use, measured out of time",
            labels=("company", "prediction", "version"),
        )
        scores = GaugeMetricFamily(
            "crm_behavior_scores",
            "Scores by prediction and band",
            labels=("company", "prediction", "band"),
        )
        age = GaugeMetricFamily(
            "crm_behavior_score_age_seconds",
            "Age of the newest scores of a prediction in use",
            labels=("company", "prediction"),
        )
        now = fields.Datetime.now()
        in_use = self.env["behavior.prediction"].search([("version_id", "!=", False)])
        for prediction in in_use:
            labels = (str(prediction.company_id.id), prediction.code)
            version = prediction.version_id
            predictions.add_metric((*labels, str(version.number)), version.auc)
            if prediction.scored_at:
                seconds = (now - prediction.scored_at).total_seconds()
                age.add_metric(labels, max(0, seconds))
        for prediction, band, count in self.env["behavior.score"]._read_group(
            [], ["prediction_id", "band"], ["__count"]
        ):
            labels = (str(prediction.company_id.id), prediction.code, band)
            scores.add_metric(labels, count)
        yield from (predictions, scores, age)

    @api.model
    def _feature_families(self):
        age = GaugeMetricFamily(
            "crm_behavior_features_age_seconds",
            "Age of the features of customers",
            labels=("company",),
        )
        now = fields.Datetime.now()
        for company in self.env["res.company"].search_fetch([], ["name"]):
            if company.behavior_features_as_of:
                seconds = (now - company.behavior_features_as_of).total_seconds()
                age.add_metric((str(company.id),), seconds)
        yield age
        ((events,),) = self.env["behavior.lake.part"]._read_group(
            [], aggregates=["events:sum"]
        )
        yield GaugeMetricFamily(
            "crm_behavior_lake_events",
            "Events that were moved to the lake",
            value=events or 0,
        )
