from prometheus_client.core import GaugeMetricFamily

from odoo import api, models

from odoo.addons.crm_data_governance.tools.lineage import Edge

from .res_partner_match import MATCH_FIELDS


class GovernanceErasure(models.AbstractModel):
    _name = "governance.erasure"
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Delete the proposals about a person; they hold no values."""
        result = super()._erase_person(partner, identities)
        matches = self.env["omni.match"].search(
            ["|", ("left_id", "=", partner.id), ("right_id", "=", partner.id)]
        )
        count = len(matches)
        matches.unlink()
        if not count:
            return result
        return result + [
            {
                "model": "omni.match",
                "count": count,
                "action": "erased",
                "reason": "person_erased",
            }
        ]


class GovernanceMetrics(models.AbstractModel):
    _name = "governance.metrics"
    _inherit = "governance.metrics"

    @api.model
    def _metric_families(self):
        yield from super()._metric_families()
        matches = GaugeMetricFamily(
            "crm_omnichannel_matches",
            "Pairs of customers who may be one, by state",
            labels=("state",),
        )
        for state, count in self.env["omni.match"]._read_group(
            [], ["state"], ["__count"]
        ):
            matches.add_metric((state,), count)
        yield matches


class GovernanceLineage(models.AbstractModel):
    _name = "governance.lineage"
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """What is compared → how likely two customers are one."""
        yield from super()._lineage_edges()
        for field in MATCH_FIELDS.values():
            yield Edge(
                f"res.partner.{field}", "omni.match.probability", "match", direct=False
            )


class GovernanceLineageEdge(models.Model):
    _name = "governance.lineage.edge"
    _inherit = "governance.lineage.edge"

    @api.model
    def _kind_names(self):
        return {
            **super()._kind_names(),
            "match": self.env._("Search for duplicate customers"),
        }
