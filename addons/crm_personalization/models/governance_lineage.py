from odoo import api, models
from odoo.exceptions import ValidationError

from odoo.addons.crm_data_governance.tools.lineage import Edge

from ..tools import merge


class GovernanceLineage(models.AbstractModel):
    _inherit = "governance.lineage"

    @api.model
    def _lineage_edges(self):
        """What decides on a variant (segments, fields of the customer), what is in it,
        and in which slot it shows."""
        yield from super()._lineage_edges()
        for slot in self.env["personalization.slot"].search([("active", "=", True)]):
            node = f"slot:{slot.company_id.id}/{slot.code}"
            yield from self._merge_edges(slot.default_content, node)
            for variant in slot.variant_ids:
                source = f"variant:{variant.id}"
                yield Edge(source, node, "variant", True)
                yield from self._merge_edges(variant.content, source)
                for segment in variant.segment_ids:
                    yield Edge(
                        f"segment:{segment.company_id.id or 0}/{segment.code}",
                        source,
                        "audience",
                        False,
                    )
                for field in self._asked_fields(variant):
                    yield Edge(f"res.partner.{field}", source, "audience", False)

    @api.model
    def _merge_edges(self, content, target):
        for path in merge.used_fields(content):
            yield Edge(f"res.partner.{path.split('.')[0]}", target, "merge", True)

    @api.model
    def _asked_fields(self, variant):
        try:
            domain = variant._audience_domain()
        except ValidationError:
            # Broken since it was written: it decides nothing any more.
            return []
        return sorted({c.field_expr.split(".")[0] for c in domain.iter_conditions()})

    # --- NAMES ---

    @api.model
    def _lineage_kinds(self):
        return {
            **super()._lineage_kinds(),
            "slot": self.env._("Slot"),
            "variant": self.env._("Variant"),
        }

    @api.model
    def _lineage_records(self, kind, codes):
        if kind == "slot":
            ours = [code.partition("/")[2] for code in codes]
            slots = self.env["personalization.slot"].search([("code", "in", ours)])
            return {f"{one.company_id.id}/{one.code}": one for one in slots}
        if kind == "variant":
            variants = self.env["personalization.variant"].search(
                [("id", "in", [*map(int, codes)])]
            )
            return {str(variant.id): variant for variant in variants}
        return super()._lineage_records(kind, codes)


class GovernanceLineageEdge(models.Model):
    _inherit = "governance.lineage.edge"

    @api.model
    def _kind_names(self):
        return {
            **super()._kind_names(),
            "variant": self.env._("Variant"),
            "audience": self.env._("Audience"),
            "merge": self.env._("Merge Field"),
        }
