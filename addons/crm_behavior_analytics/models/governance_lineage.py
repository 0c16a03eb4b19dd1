import importlib

from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

from .res_partner import CHURN

EVENT = "behavior.event.properties"


class GovernanceLineage(models.AbstractModel):
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """Source → event → feature → version of a prediction → score → customer."""
        yield from super()._lineage_edges()
        yield from self._source_edges()
        yield from self._feature_edges()
        yield from self._prediction_edges()

    @api.model
    def _source_edges(self):
        for source in self.env["behavior.source"].search_fetch(
            [], ["code", "company_id", "origins", "website_id", "type"]
        ):
            node = f"behavior_source:{source.company_id.id}/{source.code}"
            for origin in (source.origins or "").split():
                yield Edge(f"origin:{origin}", node, "collects", True)
            if source.website_id:
                yield Edge(f"website:{source.website_id.id}", node, "collects", True)
            if source.type == "odoo":
                yield Edge("sale.order.state", node, "observes", True)
            for field in ("type", "timestamp", "properties"):
                yield Edge(node, f"behavior.event.{field}", "landing", True)
        # Whose event it is, is decided by the identities at the moment of reading.
        yield Edge("omni.identity.partner_id", "behavior.event.partner_id", "identity")

    @api.model
    def _feature_edges(self):
        providers = self.env["behavior.feature.provider"]._feature_providers()
        for provider in providers.values():
            for definition in importlib.import_module(provider.module).DEFINITIONS:
                for source in provider.sources(definition):
                    yield Edge(source, f"feature:{definition.code}", "feature")
                if provider.res_model == "res.partner":
                    yield Edge(
                        f"feature:{definition.code}",
                        "behavior.feature.value.figures",
                        "feature",
                    )

    @api.model
    def _prediction_edges(self):
        predictions = self.env["behavior.prediction"].search(
            [("version_id", "!=", False)]
        )
        for prediction in predictions:
            version = prediction.version_id
            node = (
                f"prediction:{prediction.company_id.id}/{prediction.code}"
                f"/{version.number}"
            )
            for code in version.report["names"]:
                yield Edge(f"feature:{code}", node, "training")
            yield Edge(node, "behavior.score.score", "prediction")
            if prediction.code == CHURN:
                yield Edge(node, "res.partner.behavior_churn_score", "prediction")

    # --- NAMES ---

    @api.model
    def _lineage_kinds(self):
        return {
            **super()._lineage_kinds(),
            "origin": self.env._("Origin"),
            "website": self.env._("Website"),
            "behavior_source": self.env._("Source of Events"),
            "feature": self.env._("Feature"),
            "prediction": self.env._("Prediction"),
        }

    @api.model
    def _lineage_records(self, kind, codes):
        if kind == "website":
            sites = self.env["website"].search([("id", "in", [*map(int, codes)])])
            return {str(site.id): site for site in sites}
        if kind == "behavior_source":
            ours = [code.partition("/")[2] for code in codes]
            sources = self.env["behavior.source"].search([("code", "in", ours)])
            return {f"{one.company_id.id}/{one.code}": one for one in sources}
        if kind == "feature":
            features = self.env["behavior.feature"].search([("code", "in", codes)])
            return {feature.code: feature for feature in features}
        if kind == "prediction":
            ours = [part for code in codes for part in code.split("/")[1:2]]
            versions = self.env["behavior.prediction.version"].search(
                [("prediction_id.code", "in", ours)]
            )
            return {
                f"{one.company_id.id}/{one.prediction_id.code}/{one.number}": one
                for one in versions
            }
        return super()._lineage_records(kind, codes)


class GovernanceLineageEdge(models.Model):
    _inherit = "governance.lineage.edge"

    @api.model
    def _kind_names(self):
        return {
            **super()._kind_names(),
            "collects": self.env._("Collection"),
            "observes": self.env._("Observation"),
            "landing": self.env._("Landing"),
            "identity": self.env._("Identity"),
            "feature": self.env._("Feature"),
            "training": self.env._("Training"),
            "prediction": self.env._("Prediction"),
        }
