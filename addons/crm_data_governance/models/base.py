from lxml import etree

from odoo import api, models
from odoo.exceptions import AccessError
from odoo.fields import Domain, parse_field_expr
from odoo.tools import SQL, Query

from ..field_rules import RULES, is_trusted, rules_of, trusted
from ..tools.masks import is_masked, mask_value
from ..tools.protected_views import protect_view

NO_RULES = {}
SUB_DOMAIN_OPERATORS = frozenset({"any", "not any", "any!", "not any!"})


class Base(models.AbstractModel):
    """The field policies on every model.

    A policy binds the person who reads, not the code that works for him: methods of the
    server go on with the true values of records, so that a computed or a synchronised
    field is never wrong, while everything that leaves towards the person (read, forms,
    lists, kanban, export, chatter data) or that the person can ask for (search, order,
    groups, totals) is closed.  Hence the difference below between a check on records
    (code reads a value of them) and one on the bare model (the field is asked for).
    """

    _inherit = "base"

    # --- RULES ---

    def _field_rules(self):
        """:return: ``{field: Rule}`` of this model for the person; none in sudo"""
        if self.env.su:
            return NO_RULES
        return rules_of(self.env).get(self._name, NO_RULES)

    def _closed_fields(self):
        """:return: ``{field: Rule}`` of the fields whose values are not shown"""
        return {name: rule for name, rule in self._field_rules().items() if rule.closed}

    def _hidden_fields(self):
        return {
            name
            for name, rule in self._field_rules().items()
            if rule.access == "hidden"
        }

    @api.model
    def _mask_field(self, name, rule, value):
        """:return: what is shown of ``value``, as ``read`` gives it"""
        field = self._fields[name]
        if rule.access == "hidden":
            return [] if field.type in ("one2many", "many2many") else False
        if value is False or value is None:
            return value
        salt = self.env["governance.field.policy"]._mask_salt(rule.mask)
        masked = mask_value(rule.mask, field.type, value, salt)
        if masked is False and field.type in ("one2many", "many2many"):
            return []
        return masked

    # --- ACCESS ---

    # Whether below this class there is only Odoo's own check: open without ``groups``.
    _field_access_plain = False

    def _register_hook(self):
        super()._register_hook()
        # ``super()`` would walk past dozens of classes on each attribute that is read:
        # find the next one now.
        cls = self.env.registry[self._name]
        lower = cls.__mro__[cls.__mro__.index(Base) + 1 :]
        owner = next(one for one in lower if "_has_field_access" in vars(one))
        cls._field_access_below = vars(owner)["_has_field_access"]
        cls._field_access_plain = owner is models.BaseModel

    def _field_access_below(self, field, operation):
        return super()._has_field_access(field, operation)

    @api.model
    def _has_field_access(self, field, operation):
        env = self.env
        if not env.su:
            try:
                rules = env.cr.cache[RULES][env.uid]
            except KeyError:
                rules = rules_of(env)
            if rules:
                rule = rules.get(self._name, NO_RULES).get(field.name)
                if rule and (operation == "write" or rule.access == "hidden"):
                    return False
        if self._field_access_plain and not field.groups:
            return True
        return self._field_access_below(field, operation)

    @api.model
    def _check_field_access(self, field, operation):
        rule = self._field_rules().get(field.name)
        if rule is None or not self._field_access_below(field, operation):
            return super()._check_field_access(field, operation)
        if operation == "read":
            # On records it is code that reads a value of them; a masked one may be
            # asked for.
            if rule.access == "hidden" and not self._ids and not is_trusted(self.env):
                self._raise_closed(field)
        elif self._ids or rule.access == "readonly":
            # Who creates a record may give the value he knows.
            self._raise_protected(field)
        return None

    @api.model
    def _raise_closed(self, field):
        error = AccessError(
            self.env._(
                "“%(field)s” of “%(model)s” is protected by a field policy: you cannot "
                "read it, nor search, sort, group or total by it.",
                field=field.get_description(self.env, ["string"])["string"],
                model=self.env["ir.model"]._get(self._name).name,
            )
        )
        error.field_policy = True
        raise error

    @api.model
    def _raise_protected(self, field):
        error = AccessError(
            self.env._(
                "“%(field)s” of “%(model)s” is protected by a field policy: you cannot "
                "change it.",
                field=field.get_description(self.env, ["string"])["string"],
                model=self.env["ir.model"]._get(self._name).name,
            )
        )
        error.field_policy = True
        raise error

    @api.model
    def _check_open(self, field_expr):
        """The person may search, sort, group and total by the field.

        :param str field_expr: ``field``, ``field.path`` or ``field:function``
        """
        name = field_expr.split(".", 1)[0].split(":", 1)[0]
        rule = self._field_rules().get(name)
        if rule and rule.closed and not is_trusted(self.env):
            self._raise_closed(self._fields[name])

    @api.model
    def _open_domain(self, domain):
        """``domain`` without its terms on closed fields, for what code searches by."""
        if not self._closed_fields():
            return domain

        def is_closed(condition):
            model = self
            for name in condition.field_expr.split("."):
                if name in model._closed_fields():
                    return True
                field = model._fields.get(name)
                if field is None or not field.comodel_name:
                    return False
                model = self.env[field.comodel_name]
            return False

        def open_condition(condition):
            if not is_closed(condition):
                return condition
            negative = condition.operator in Domain.NEGATIVE_OPERATORS
            return Domain.TRUE if negative else Domain.FALSE

        return Domain(domain).map_conditions(open_condition)

    # --- SEARCH, SORT, GROUP ---

    @api.model
    def _search(self, domain, offset=0, limit=None, order=None, **kwargs):
        # Before the domain is rewritten: a search method or a related path would
        # lead around the check.
        if not self.env.su and rules_of(self.env) and not is_trusted(self.env):
            domain = Domain(domain)
            if self._check_domain_open(domain):
                # What the search methods look at.
                self._check_domain_open(domain.optimize_full(self))
        return super()._search(domain, offset, limit, order, **kwargs)

    @api.model
    def _check_domain_open(self, domain):
        """The person may search by all fields of the domain, on the models that it
        leads to as well.

        :return: whether a search method takes part
        """
        searched = False
        for condition in domain.iter_conditions():
            model = self
            for name in condition.field_expr.split("."):
                model._check_open(name)
                field = model._fields.get(name)
                if field is None:
                    break
                searched |= bool(field.search) and not field.related
                if field.comodel_name:
                    model = self.env[field.comodel_name]
            if condition.operator in SUB_DOMAIN_OPERATORS and not isinstance(
                condition.value, (Query, SQL)
            ):
                searched |= model._check_domain_open(Domain(condition.value))
        return searched

    @api.model
    def _search_display_name(self, operator, value):
        domain = super()._search_display_name(operator, value)
        return self._open_domain(domain)

    def _order_to_sql(self, order, query, alias=None, reverse=False):
        if self._field_rules() and (not order or order == self._order):
            # The model's own order, which nobody asked for.
            closed = self._closed_fields()
            order = ",".join(
                part
                for part in self._order.split(",")
                if part.split()[0].split(".")[0] not in closed
            )
            order = order or "id"
        return super()._order_to_sql(order, query, alias=alias, reverse=reverse)

    def _field_to_sql(self, alias, field_expr, query=None):
        # A related field is followed to its source in sudo: check it here.
        if self._field_rules():
            self._check_open(parse_field_expr(field_expr)[0])
        return super()._field_to_sql(alias, field_expr, query)

    def _read_group_groupby(self, alias, groupby_spec, query):
        # Links of many records are grouped without asking for the field.
        if self._field_rules():
            self._check_open(groupby_spec)
        return super()._read_group_groupby(alias, groupby_spec, query)

    # --- READ ---

    def _fetch_query(self, query, fields):
        if not self._field_rules():
            return super()._fetch_query(query, fields)
        with trusted(self.env):
            # Into the cache, which all environments share: masks are put on later.
            return super()._fetch_query(query, fields)

    def read(self, fields=None, load="_classic_read"):
        for name in fields or ():
            if name in self._fields and name in self._hidden_fields():
                self._raise_closed(self._fields[name])
        return super().read(fields, load)

    def _read_format(self, fnames, load="_classic_read"):
        rows = super()._read_format(fnames, load)
        closed = self._closed_fields()
        if closed:
            for name in fnames:
                if rule := closed.get(name):
                    for row in rows:
                        row[name] = self._mask_field(name, rule, row.get(name))
        return rows

    def _export_rows(self, fields, *, _is_toplevel_call=True):
        closed = self._closed_fields()
        for path in fields if closed else ():
            rule = closed.get(path[0].split(".")[0]) if path else None
            if rule and (rule.access == "hidden" or len(path) > 1):
                self._raise_closed(self._fields[path[0].split(".")[0]])
        rows = super()._export_rows(fields, _is_toplevel_call=_is_toplevel_call)
        for column, path in enumerate(fields if closed else ()):
            rule = closed.get(path[0]) if path else None
            for row in rows if rule else ():
                if row[column] not in ("", False, None):
                    row[column] = self._mask_field(path[0], rule, row[column])
        return rows

    def copy_data(self, default=None):
        # The copy is made without what its maker may not see or set.
        rules = self._field_rules()
        return [
            values
            and {
                name: value
                for name, value in values.items()
                if name not in rules or name in (default or ())
            }
            for values in super().copy_data(default)
        ]

    @api.model
    def fields_get(self, allfields=None, attributes=None):
        if not self._field_rules():
            return super().fields_get(allfields, attributes)
        with trusted(self.env):
            # Whether a field could be sorted is found out by trying.
            result = super().fields_get(allfields, attributes)
        for name in self._closed_fields():
            if name in result:
                self._close_description(result[name])
        return result

    @api.model
    def _close_description(self, description):
        for attribute in ("searchable", "sortable", "groupable"):
            if attribute in description:
                description[attribute] = False
        if "readonly" in description:
            description["readonly"] = True
        description.pop("aggregator", None)

    def _compute_field_value(self, field):
        try:
            return super()._compute_field_value(field)
        except AccessError as error:
            if field.store or not getattr(error, "field_policy", False):
                raise
            # The computation asked for the totals or the records of a closed field:
            # its result is empty, and the work goes on.
            for computed in self.pool.field_computed[field]:
                self[computed.name] = False
        return None

    # --- WRITE ---

    def _without_masks(self, values):
        """``values`` without masks that came back from a screen."""
        rules = self._field_rules()
        if not rules or rules.keys().isdisjoint(values):
            return values
        return {
            name: value
            for name, value in values.items()
            if name not in rules or not self._is_mask(name, rules[name], value)
        }

    def _is_mask(self, name, rule, value):
        if rule.access != "masked":
            return False
        kind = self._fields[name].type
        if is_masked(rule.mask, kind, value):
            return True
        # What these records show, sent back unchanged.
        return bool(self._ids) and all(
            self._mask_field(name, rule, record[name]) == value for record in self
        )

    @api.model_create_multi
    def create(self, vals_list):
        rules = self._field_rules()
        if rules:
            masks = {
                key
                for key, value in self.env.context.items()
                if key.startswith("default_")
                and key[8:] in rules
                and self.browse()._is_mask(key[8:], rules[key[8:]], value)
            }
            if masks:
                # As if the client had sent no default.
                context = {k: v for k, v in self.env.context.items() if k not in masks}
                self = self.with_env(self.env(context=context))  # noqa: PLW0642
            vals_list = [self.browse()._without_masks(values) for values in vals_list]
        return super().create(vals_list)

    def write(self, vals):
        return super().write(self._without_masks(vals))

    # --- WEB CLIENT ---

    @api.model
    def _split_hidden(self, specification):
        hidden = self._hidden_fields() & set(specification)
        if not hidden:
            return specification, hidden
        kept = {k: v for k, v in specification.items() if k not in hidden}
        return kept, hidden

    def web_read(self, specification):
        # Views keep a hidden field that their conditions name: it comes empty.
        specification, hidden = self._split_hidden(specification)
        rows = super().web_read(specification)
        return self._add_hidden(rows, hidden)

    @api.model
    @api.readonly
    def web_search_read(
        self, domain, specification, offset=0, limit=None, order=None, count_limit=None
    ):
        specification, hidden = self._split_hidden(specification)
        result = super().web_search_read(
            domain, specification, offset, limit, order, count_limit
        )
        self._add_hidden(result["records"], hidden)
        return result

    @api.model
    def _add_hidden(self, rows, hidden):
        rules = self._field_rules()
        for name in hidden:
            empty = self._mask_field(name, rules[name], False)
            for row in rows:
                row[name] = empty
        return rows

    def onchange(self, values, field_names, fields_spec):
        if rules_of(self.env) and not self.env.su:
            values = self._open_values(values)
            field_names = [
                name
                for name in field_names
                if name in values or name not in self._fields or name == "id"
            ]
        return super().onchange(values, field_names, fields_spec)

    def _open_values(self, values):
        """The values of a form without what the form does not know: the true values
        come from the records, or from the computations of a new one."""
        closed = self._closed_fields()
        result = {}
        for name, value in values.items():
            if name in closed:
                continue
            field = self._fields.get(name)
            if field is not None and field.type in ("one2many", "many2many") and value:
                comodel = self.env[field.comodel_name]
                value = [
                    (*command[:2], comodel._open_values(command[2]), *command[3:])
                    if len(command) > 2 and isinstance(command[2], dict)
                    else command
                    for command in value
                ]
            result[name] = value
        return result

    @api.model
    def _get_view_cache_key(self, view_id=None, view_type="form", **options):
        # The cached view knows which fields the reader may change.
        key = super()._get_view_cache_key(view_id, view_type, **options)
        return key if self.env.su else key + self._view_rules_key()

    @api.model
    def _view_rules_key(self):
        rules = rules_of(self.env)
        if not rules:
            return ()
        return (
            frozenset(
                (model, name, rule.access)
                for model, fields in rules.items()
                for name, rule in fields.items()
            ),
        )

    @api.model
    def get_view(self, view_id=None, view_type="form", **options):
        result = super().get_view(view_id, view_type, **options)
        rules = rules_of(self.env)
        if not rules or self.env.su:
            return result
        closed = {
            model: {
                name: rule.access == "hidden"
                for name, rule in fields.items()
                if rule.closed
            }
            for model, fields in rules.items()
        }
        root = etree.fromstring(result["arch"])
        protect_view(root, self._name, closed, self._comodel_of)
        result["arch"] = etree.tostring(root, encoding="unicode")
        return result

    @api.model
    def _comodel_of(self, model, name):
        field = self.env[model]._fields.get(name)
        return field.comodel_name if field is not None else None

    @api.model
    def get_views(self, views, options=None):
        result = super().get_views(views, options)
        if self.env.su or not rules_of(self.env):
            return result
        for model_name, description in result["models"].items():
            model = self.env[model_name]
            hidden = model._hidden_fields()
            if hidden:
                # Described, for the conditions that name them; never filled.
                fields = model.sudo().fields_get(
                    list(hidden), self._get_view_field_attributes()
                )
                for field_description in fields.values():
                    model._close_description(field_description)
                description["fields"] = {**description["fields"], **fields}
        return result
