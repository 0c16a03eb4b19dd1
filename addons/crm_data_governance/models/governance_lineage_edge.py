import logging

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.tools import SQL

from ..tools.lineage import merge_edges

MANAGER = "crm_data_governance.group_governance_manager"
# Moment of the last refresh, in UTC.
REFRESHED_AT = "crm_data_governance.lineage_refreshed_at"

_logger = logging.getLogger(__name__)


class GovernanceLineageEdge(models.Model):
    _name = "governance.lineage.edge"
    _description = "Lineage Edge"
    _order = "target, source, kind"
    _rec_name = "target"

    source = fields.Char(required=True, readonly=True, index=True)
    target = fields.Char(required=True, readonly=True)
    kind = fields.Selection(
        # Not validated: an edge of a kind without a name is told all the same.
        "_selection_kind",
        required=True,
        readonly=True,
        validate=False,
    )
    source_label = fields.Char("Source Name", compute="_compute_labels")
    target_label = fields.Char("Target Name", compute="_compute_labels")
    direct = fields.Boolean(
        readonly=True,
        help="The value itself flows. Otherwise it only decides, as a condition.",
    )

    _edge_uniq = models.UniqueIndex("(target, source, kind)")

    @api.model
    def _selection_kind(self):
        return list(self._kind_names().items())

    @api.depends("source", "target")
    @api.depends_context("lang")
    def _compute_labels(self):
        names = {*self.mapped("source"), *self.mapped("target")}
        nodes = self.env["governance.lineage.node"].search([("name", "in", [*names])])
        labels = {node.name: node.label for node in nodes}
        for edge in self:
            edge.source_label = labels.get(edge.source, edge.source)
            edge.target_label = labels.get(edge.target, edge.target)

    # --- REFRESH ---

    @api.model
    def _refresh_lineage(self):
        """Bring the stored edges to what the addons tell now.

        :return: ``(added, removed)``: numbers of edges
        """
        # sudo: the edges are read-only facts of the system, nobody's documents.
        edges_sudo = self.sudo()
        wanted = merge_edges(self.env["governance.lineage"].sudo()._lineage_edges())
        edges_sudo.flush_model()
        stored = {
            (source, target, kind): (edge_id, direct)
            for edge_id, source, target, kind, direct in self.env.execute_query(
                SQL(
                    "SELECT id, source, target, kind, direct FROM %s",
                    SQL.identifier(self._table),
                )
            )
        }
        gone = [
            stored[key][0]
            for key in stored
            if key not in wanted or stored[key][1] != wanted[key]
        ]
        edges_sudo.browse(gone).unlink()
        new = [
            {"source": key[0], "target": key[1], "kind": key[2], "direct": direct}
            for key, direct in wanted.items()
            if key not in stored or stored[key][1] != direct
        ]
        edges_sudo.create(new)
        self.env["governance.lineage.node"]._refresh_nodes(
            {end for source, target, _kind in wanted for end in (source, target)}
        )
        # sudo: when it was done is shown by the metrics.
        self.env["ir.config_parameter"].sudo().set_param(
            REFRESHED_AT, fields.Datetime.to_string(fields.Datetime.now())
        )
        _logger.info(
            "Lineage: %d edges, %d new, %d gone", len(wanted), len(new), len(gone)
        )
        return len(new), len(gone)

    @api.model
    def _all_edges(self):
        """:return: list of ``(source, target, kind, direct)``"""
        self.check_access("read")
        self.flush_model()
        return self.env.execute_query(
            SQL(
                "SELECT source, target, kind, direct FROM %s",
                SQL.identifier(self._table),
            )
        )

    @api.model
    def _kind_names(self):
        """:return: ``{kind: name in the reader's language}``; extend for own kinds"""
        return {
            "related": self.env._("Related"),
            "compute": self.env._("Computation"),
        }

    @api.model
    def _cron_refresh_lineage(self):
        self._refresh_lineage()

    @api.model
    def action_refresh(self):
        """Refresh the lineage from the screen; each time costs a walk of all addons.

        :raise AccessError: who only reads the lineage does not refresh it
        """
        self.check_access("read")
        if not self.env.user.has_group(MANAGER):
            raise AccessError(
                self.env._(
                    "The lineage is refreshed by administrators of data governance and"
                    " once a night."
                )
            )
        added, removed = self._refresh_lineage()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success",
                "message": self.env._(
                    "The lineage is up to date: %(added)s new, %(removed)s gone.",
                    added=added,
                    removed=removed,
                ),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }
