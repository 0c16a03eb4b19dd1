from odoo import api, models


class GovernanceLineage(models.AbstractModel):
    """The lineage hook: every addon tells the edges of its own objects.

    Extend with ``_inherit`` and ``yield from super()._lineage_edges()``.
    """

    _name = "governance.lineage"
    _description = "Lineage"

    @api.model
    def _lineage_edges(self):
        """:return: iterator of :class:`~..tools.lineage.Edge`"""
        yield from ()
