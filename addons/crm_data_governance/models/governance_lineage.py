from odoo import api, models

from ..tools.lineage import Edge, split_node

# Odoo's own models whose fields the suite stands on.
TOUCHED_MODELS = ("crm.lead", "res.partner")
# Fields that each document brings along for its chatter; they carry no business value.
PLUMBING = ("message_", "has_message", "website_message", "activity_", "my_activity_")


class GovernanceLineage(models.AbstractModel):
    """The lineage hook: every addon tells the edges of its own objects.

    Extend with ``_inherit`` and ``yield from super()._lineage_edges()``; name the kinds
    of your own nodes by ``_lineage_kinds`` and tell the records behind them by
    ``_lineage_records``. Then each node has a name and opens its record.
    """

    _name = "governance.lineage"
    _description = "Lineage"

    @api.model
    def _lineage_edges(self):
        """:return: iterator of :class:`~..tools.lineage.Edge`"""
        yield from self._registry_edges()

    @api.model
    def _lineage_kinds(self):
        """:return: ``{kind of a node: name in the reader's language}``"""
        return {"field": self.env._("Field")}

    @api.model
    def _lineage_records(self, kind, codes):
        """The records behind nodes of a kind.

        :param str kind: kind of the nodes
        :param list codes: their codes, without the kind
        :return: ``{code: record}`` of those that stand for a record
        """
        return {}

    @api.model
    def _lineage_labels(self, nodes):
        """Names of nodes in the reader's language.

        :param list nodes: names of nodes
        :return: ``{node: label}`` of the nodes that are known
        """
        labels = {}
        codes = {}
        for node in nodes:
            kind, code = split_node(node)
            if kind:
                codes.setdefault(kind, []).append(code)
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
        for kind, name in self._lineage_kinds().items():
            records = self._lineage_records(kind, codes.get(kind, []))
            for code in codes.get(kind, ()):
                title = records[code].display_name if code in records else code
                labels[f"{kind}:{code}"] = self.env._(
                    "%(name)s (%(kind)s)", name=title, kind=name
                )
        return labels

    @api.model
    def _lineage_action(self, node):
        """What opens the thing behind a node.

        :return: an action, or None
        """
        kind, code = split_node(node)
        if kind:
            record = self._lineage_records(kind, [code]).get(code)
            return record.get_formview_action() if record else None
        model_name = code.rpartition(".")[0]
        if model_name not in self.env:
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
