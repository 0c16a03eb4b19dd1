from odoo import api, fields, models
from odoo.exceptions import UserError

from ..tools.lineage import index_edges, neighbourhood, split_node

DEPTH = 3


class GovernanceLineageNode(models.Model):
    """A place where values stand, with its name in each language.

    Kept by ``governance.lineage.edge._refresh_lineage()``, so that it can be searched.
    """

    _name = "governance.lineage.node"
    _description = "Lineage Node"
    _order = "label, name"
    _rec_name = "label"
    _rec_names_search = ["label", "name"]
    _log_access = False

    name = fields.Char(string="Technical Name", required=True, readonly=True)
    label = fields.Char(string="Name", readonly=True, translate=True)
    kind = fields.Selection("_selection_kind", readonly=True, validate=False)
    model = fields.Char(readonly=True, index=True)
    source_count = fields.Integer(string="Made From", compute="_compute_counts")
    target_count = fields.Integer(string="Goes Into", compute="_compute_counts")
    upstream = fields.Html(
        string="Comes From", compute="_compute_neighbourhood", sanitize=False
    )
    downstream = fields.Html(
        string="Goes To", compute="_compute_neighbourhood", sanitize=False
    )

    _name_uniq = models.UniqueIndex("(name)")

    @api.model
    def _selection_kind(self):
        return list(self.env["governance.lineage"]._lineage_kinds().items())

    # --- COMPUTE ---

    def _compute_counts(self):
        edges = self.env["governance.lineage.edge"]
        names = self.mapped("name")
        into = dict(
            edges._read_group([("target", "in", names)], ["target"], ["__count"])
        )
        out_of = dict(
            edges._read_group([("source", "in", names)], ["source"], ["__count"])
        )
        for node in self:
            node.source_count = into.get(node.name, 0)
            node.target_count = out_of.get(node.name, 0)

    @api.depends_context("lang")
    def _compute_neighbourhood(self):
        edges = self.env["governance.lineage.edge"]._all_edges()
        into, out_of = index_edges(edges)
        for node in self:
            node.upstream = node._render_steps(into, upstream=True)
            node.downstream = node._render_steps(out_of, upstream=False)

    def _render_steps(self, edges, *, upstream):
        steps, complete = neighbourhood(
            self.name, lambda name: edges.get(name, ()), upstream, DEPTH
        )
        names = {end for step in steps for end in (step.source, step.target)}
        by_name = {node.name: node for node in self.search([("name", "in", [*names])])}
        levels = {}
        for step in steps:
            far = step.source if upstream else step.target
            near = step.target if upstream else step.source
            levels.setdefault(step.depth, []).append(
                {
                    "far": by_name.get(far),
                    "far_name": far,
                    "near": by_name.get(near),
                    "near_name": near,
                    "kind": step.kind,
                    "direct": step.direct,
                    "seen": step.seen,
                }
            )
        return self.env["ir.qweb"]._render(
            "crm_data_governance.lineage_steps",
            {
                "levels": sorted(levels.items()),
                "titles": {level: self.env._("Step %s", level) for level in levels},
                "complete": complete,
                "upstream": upstream,
                "kinds": self.env["governance.lineage.edge"]._kind_names(),
            },
        )

    # --- ACTIONS ---

    @api.model
    def action_open_lineage(self, node):
        """Open the lineage of a node.

        :param str node: its technical name, such as ``res.partner.phone``
        """
        self.check_access("read")
        found = self.search([("name", "=", node)])
        if not found:
            raise UserError(
                self.env._(
                    "Nothing is known of the lineage of “%(node)s”. It is refreshed "
                    "every day, and by “Refresh” on the list of edges.",
                    node=node,
                )
            )
        return found._action_open()

    def _action_open(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Lineage of %(node)s", node=self.display_name),
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "views": [(False, "form")],
        }

    def action_open_records(self):
        """Open the records on which the field stands, or the object behind the node."""
        self.ensure_one()
        action = self.env["governance.lineage"]._lineage_action(self.name)
        if not action:
            raise UserError(
                self.env._("There is no screen for “%(node)s”.", node=self.display_name)
            )
        return action

    # --- REFRESH ---

    @api.model
    def _refresh_nodes(self, names):
        """Bring the nodes to ``names``, with their labels in all languages."""
        # sudo: read-only facts of the system, nobody's documents.
        nodes_sudo = self.sudo()
        stored = {node.name: node for node in nodes_sudo.search([("name", "!=", "")])}
        nodes_sudo.union(
            *(node for name, node in stored.items() if name not in names)
        ).unlink()
        new = sorted(set(names) - stored.keys())
        values = []
        for name in new:
            kind, code = split_node(name)
            model = "" if kind else code.rpartition(".")[0]
            values.append({"name": name, "kind": kind or "field", "model": model})
        nodes_sudo.create(values)
        nodes = nodes_sudo.search([("name", "in", list(names))])
        for lang, _name in self.env["res.lang"].get_installed():
            hook = self.env["governance.lineage"].sudo().with_context(lang=lang)
            labels = hook._lineage_labels(nodes.mapped("name"))
            for node in nodes.with_context(lang=lang):
                label = labels.get(node.name, node.name)
                if node.label != label:
                    node.label = label
