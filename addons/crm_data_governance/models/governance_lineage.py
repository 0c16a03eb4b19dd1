from odoo import api, models

from ..tools.lineage import Edge, split_node

# Odoo's own models whose fields the suite stands on.
TOUCHED_MODELS = ("crm.lead", "res.partner")
# Fields that each document brings along for its chatter; they carry no business value.
PLUMBING = ("message_", "has_message", "website_message", "activity_", "my_activity_")


class GovernanceLineage(models.AbstractModel):
    """The lineage hook: every addon tells the edges of its own objects.

    Extend with ``_inherit`` and ``yield from super()._lineage_edges()``; name the nodes
    of kinds of your own by ``_lineage_labels``.
    """

    _name = "governance.lineage"
    _description = "Lineage"

    @api.model
    def _lineage_edges(self):
        """:return: iterator of :class:`~..tools.lineage.Edge`"""
        yield from self._registry_edges()

    @api.model
    def _lineage_labels(self, nodes):
        """Names of nodes in the reader's language.

        :param list nodes: names of nodes
        :return: ``{node: label}`` of the nodes that are known
        """
        labels = {}
        for node in nodes:
            kind, code = split_node(node)
            if kind:
                continue
            model_name, _dot, field_name = code.rpartition(".")
            if model_name not in self.env:
                continue
            field = self.env[model_name]._fields.get(field_name)
            if field is not None:
                label = field.get_description(self.env, ["string"])["string"]
                model = self.env["ir.model"]._get(model_name).name
                labels[node] = self.env._(
                    "%(field)s (%(model)s)", field=label, model=model
                )
        return labels

    @api.model
    def _lineage_action(self, node):
        """What opens the thing behind a node.

        :return: an action, or None
        """
        kind, code = split_node(node)
        model_name = code.rpartition(".")[0]
        if kind or model_name not in self.env:
            return None
        return {
            "type": "ir.actions.act_window",
            "res_model": model_name,
            "name": self.env["ir.model"]._get(model_name).name,
            "views": [(False, "list"), (False, "form")],
        }

    # --- ODOO'S OWN FIELDS ---

    @api.model
    def _lineage_modules(self):
        """:return: names of the installed modules that stand on this one"""
        # sudo: which modules are installed is no secret of anybody.
        module_sudo = (
            self.env["ir.module.module"]
            .sudo()
            .search([("name", "=", "crm_data_governance")])
        )
        above = module_sudo.downstream_dependencies(exclude_states=("uninstalled",))
        return {"crm_data_governance", *above.mapped("name")}

    @api.model
    def _registry_edges(self):
        """Field → field, as the registry knows it from ``related`` and ``depends``.

        For the fields of our models, ours on others' models, and those of
        ``TOUCHED_MODELS``.
        """
        registry = self.env.registry
        modules = self._lineage_modules()
        for model in registry.values():
            if model._abstract or model._transient:
                continue
            ours = model._original_module in modules or model._name in TOUCHED_MODELS
            for field in model._fields.values():
                if not (ours or field._module in modules):
                    continue
                if field.name.startswith(PLUMBING):
                    continue
                if field.related or field.compute:
                    yield from self._field_edges(field)

    @api.model
    def _field_edges(self, field):
        target = f"{field.model_name}.{field.name}"
        kind = "related" if field.related else "compute"
        for path in field.resolve_depends(self.env.registry):
            source = path[-1]
            # A link on the way only decides whose value it is.
            link = bool(field.related) and len(path) < len(field.related.split("."))
            yield Edge(
                f"{source.model_name}.{source.name}",
                target,
                kind,
                not link and source is not field,
            )
