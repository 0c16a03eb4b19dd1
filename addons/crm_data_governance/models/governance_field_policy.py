from odoo import api, fields, models, tools
from odoo.exceptions import ValidationError
from odoo.fields import Command, Domain
from odoo.tools.misc import hmac

from ..field_rules import NOTHING, forget
from ..tools.masks import NUMERIC, TEXTUAL
from ..tools.policies import CLOSED, Policy, resolve

# Without these no record can be named, listed or kept.
NEVER = frozenset(
    {"id", "display_name", "active", "create_date", "create_uid"}
    | {"write_date", "write_uid"}
)
SEARCH_ONLY_TYPES = frozenset({"char", "text"})


def words(name):
    """:return: set of the words of a field's name"""
    return set(name.split("_"))


class GovernanceFieldPolicy(models.Model):
    _name = "governance.field.policy"
    _description = "Field Policy"
    _inherit = "mail.thread"
    _order = "active DESC, name, id"

    name = fields.Char(required=True, tracking=True)
    active = fields.Boolean(
        default=False,
        tracking=True,
        copy=False,
        help="The policy binds people from the moment it is activated.",
    )
    model_id = fields.Many2one(
        "ir.model",
        required=True,
        ondelete="cascade",
        tracking=True,
        domain=[("transient", "=", False), ("abstract", "=", False)],
    )
    model = fields.Char(related="model_id.model", string="Model Name")
    field_ids = fields.Many2many(
        "ir.model.fields",
        "governance_field_policy_field_rel",
        string="Fields",
        required=True,
        tracking=True,
        domain="[('model_id', '=', model_id)]",
    )
    covered_ids = fields.Many2many(
        "ir.model.fields",
        "governance_field_policy_covered_rel",
        string="Also Covered",
        compute="_compute_covered_ids",
        store=True,
        readonly=False,
        tracking=True,
        help="Copies of the fields: inherited and related fields, and fields computed "
        "from them. The policy holds for them too; remove what it shall not cover.",
    )
    group_ids = fields.Many2many(
        "res.groups",
        string="Groups",
        tracking=True,
        help="Whom the policy binds. Without a group it binds everybody except the "
        "superuser. A policy for a group displaces one for everybody, and one for a "
        "group that includes another displaces the other's; of what is left the "
        "strictest wins.",
    )
    access = fields.Selection(
        [
            ("hidden", "Hidden"),
            ("masked", "Masked"),
            ("readonly", "Read Only"),
            ("editable", "Editable"),
        ],
        required=True,
        default="masked",
        tracking=True,
        help="Hidden: not shown at all.\n"
        "Masked: shown with stars.\n"
        "Read Only: shown, not changed.\n"
        "Editable: an exception from less specific policies; it gives no more than "
        "the person's own rights.",
    )
    mask = fields.Selection(
        [
            ("phone", "Phone (138****1234)"),
            ("email", "E-mail (w***@example.com)"),
            ("name", "Name (王**)"),
            ("identity", "ID Number (last four)"),
            ("card", "Bank Card (last four)"),
            ("band", "Amount Band (≥ 10000)"),
            ("hash", "Code (equal values are recognised)"),
            ("constant", "Stars Only"),
        ],
        default="constant",
        tracking=True,
    )
    company_id = fields.Many2one(
        "res.company",
        index="btree_not_null",
        tracking=True,
        help="Binds the people who may work in this company; empty: all.",
    )
    date_from = fields.Date(string="Valid From", tracking=True)
    date_to = fields.Date(string="Valid Until", tracking=True, help="This day too.")
    not_covered = fields.Html(compute="_compute_not_covered", sanitize=False)

    _check_mask = models.Constraint(
        "CHECK (access != 'masked' OR mask IS NOT NULL)",
        "Choose how the values are masked.",
    )
    _check_dates = models.Constraint(
        "CHECK (date_to IS NULL OR date_from IS NULL OR date_from <= date_to)",
        "The policy ends before it begins.",
    )

    # --- COMPUTE ---

    @api.depends("field_ids")
    def _compute_covered_ids(self):
        for policy in self:
            copies = self._find_copies(policy.field_ids)
            policy.covered_ids = [Command.set(copies.ids)]

    @api.depends("field_ids", "covered_ids")
    def _compute_not_covered(self):
        for policy in self:
            policy.not_covered = self.env["ir.qweb"]._render(
                "crm_data_governance.field_policy_not_covered",
                {"views": self._find_view_columns(policy.field_ids)},
            )

    # --- CONSTRAINS ---

    @api.constrains("model_id", "field_ids", "covered_ids", "access")
    def _check_fields(self):
        for policy in self:
            if not policy.field_ids:
                raise ValidationError(self.env._("Choose at least one field."))
            if policy.field_ids.model_id - policy.model_id:
                raise ValidationError(
                    self.env._("The fields belong to another model than the policy's.")
                )
            for field in policy.field_ids | policy.covered_ids:
                if field.model.startswith(("governance.", "ir.")):
                    raise ValidationError(
                        self.env._(
                            "“%(model)s” keeps the system itself running: it takes no "
                            "field policy.",
                            model=field.model_id.name,
                        )
                    )
                if field.name in NEVER | {self._rec_name_of(field.model)}:
                    raise ValidationError(
                        self.env._(
                            "Without “%(field)s” no “%(model)s” could be chosen or "
                            "listed any more: it takes no field policy.",
                            field=field.field_description,
                            model=field.model_id.name,
                        )
                    )
            if policy.access == "masked":
                for field in policy.field_ids:
                    if field.ttype not in NUMERIC | TEXTUAL:
                        raise ValidationError(
                            self.env._(
                                "“%(field)s” is neither a text nor a number: it can be "
                                "hidden, not masked.",
                                field=field.field_description,
                            )
                        )

    @api.model
    def _rec_name_of(self, model):
        return self.env[model]._rec_name if model in self.env else None

    # --- CRUD ---

    @api.model_create_multi
    def create(self, vals_list):
        policies = super().create(vals_list)
        self._forget_rules()
        return policies

    def write(self, vals):
        result = super().write(vals)
        self._forget_rules()
        return result

    def unlink(self):
        result = super().unlink()
        self._forget_rules()
        return result

    @api.model
    def _forget_rules(self):
        self.flush_model()
        self.env.registry.clear_cache("stable")
        # The views differ by the rules.
        self.env.registry.clear_cache("templates")
        forget(self.env)

    # --- RULES ---

    @api.model
    def _rules_of_user(self, user_id):
        """:return: ``{model: {field: Rule}}`` for the person, from the cache"""
        if not self._active_policies():
            return NOTHING
        # sudo: groups and companies of the person, whoever asks; nothing is returned.
        user_sudo = self.env["res.users"].sudo().browse(user_id)
        return self._resolved_rules(
            user_sudo._get_group_ids(),
            tuple(user_sudo._get_company_ids()),
            fields.Date.today(),
        )

    @api.model
    @tools.ormcache("group_ids", "company_ids", "today", cache="stable")
    def _resolved_rules(self, group_ids, company_ids, today):
        policies = [
            policy
            for policy, date_from, date_to in self._active_policies()
            if (not date_from or date_from <= today)
            and (not date_to or today <= date_to)
        ]
        return (
            resolve(
                policies,
                group_ids,
                frozenset(company_ids),
                self._implied_groups(policies),
            )
            or NOTHING
        )

    @api.model
    @tools.ormcache(cache="stable")
    def _active_policies(self):
        """:return: tuple of ``(Policy, date_from, date_to)``"""
        # sudo: everybody is bound by the policies, few may read them.
        policies_sudo = self.sudo().search([("active", "=", True)])
        return tuple(
            (policy._as_policy(), policy.date_from, policy.date_to)
            for policy in policies_sudo
        )

    @api.model
    @tools.ormcache(cache="stable")
    def _closed_somewhere(self):
        """:return: ``(model, field)`` of what an active policy closes for anybody"""
        return frozenset(
            field
            for policy, _date_from, _date_to in self._active_policies()
            if policy.access in CLOSED
            for field in policy.fields
        )

    def _as_policy(self):
        """The policy as plain data, with the fields that exist now."""
        self.ensure_one()
        return Policy(
            key=self.id,
            fields=tuple(
                (field.model, field.name)
                for field in self.field_ids | self.covered_ids
                if field.model in self.env
                and field.name in self.env[field.model]._fields
            ),
            groups=frozenset(self.group_ids.ids),
            company=self.company_id.id,
            access=self.access,
            mask=self.mask if self.access == "masked" else False,
        )

    @api.model
    def _implied_groups(self, policies):
        """:return: ``{group: ids of the groups it implies}`` of the policies' groups"""
        group_ids = {group for policy in policies for group in policy.groups}
        # sudo: the structure of the groups, whoever is bound by it.
        groups_sudo = self.env["res.groups"].sudo().browse(group_ids)
        return {group.id: frozenset(group.all_implied_ids.ids) for group in groups_sudo}

    @api.model
    def _mask_salt(self, mask):
        """:return: what makes the codes of this database its own"""
        if mask != "hash":
            return ""
        return self._hash_salt()

    @api.model
    @tools.ormcache(cache="stable")
    def _hash_salt(self):
        # sudo: the database's secret, of which only a digest leaves this method.
        return hmac(self.env(su=True), "crm_data_governance.mask", "salt")

    # --- COPIES ---

    @api.model
    def _find_copies(self, model_fields):
        """What shows the same values: the policy must cover it too.

        :param model_fields: ``ir.model.fields``
        :return: ``ir.model.fields``
        """
        sources = {
            self.env[one.model]._fields[one.name]
            for one in model_fields
            if one.model in self.env and one.name in self.env[one.model]._fields
        }
        found = self._copies_of(sources) - sources
        if not found:
            return self.env["ir.model.fields"]
        by_model = {}
        for field in found:
            by_model.setdefault(field.model_name, set()).add(field.name)
        domain = Domain.OR(
            Domain("model", "=", model) & Domain("name", "in", sorted(names))
            for model, names in by_model.items()
        )
        return self.env["ir.model.fields"].search(domain)

    @api.model
    def _copies_of(self, sources):
        """Fields that repeat the value of ``sources``, over any number of steps.

        Inherited and related fields; texts computed from texts and, in the same model,
        numbers computed from numbers; and fields without a value that only search
        (``phone_mobile_search``), as nothing tells what they look at.

        :param sources: set of fields of the registry
        :return: set of fields
        """
        found, todo = set(), list(sources)
        dependents = self._direct_dependents()
        while todo:
            source = todo.pop()
            copies = [
                field
                for field in dependents.get(source, ())
                if self._is_copy(source, field)
            ]
            if source.type in SEARCH_ONLY_TYPES:
                copies += self._search_only_fields(source)
            new = {field for field in copies if field not in found}
            found |= new
            todo += new
        return found

    @api.model
    def _search_only_fields(self, source):
        """Fields of the same model that only search, unless their name says that they
        look at another field than ``source``."""
        fields_of_model = self.env[source.model_name]._fields.values()
        others = {
            word
            for field in fields_of_model
            if field.store and field.type in SEARCH_ONLY_TYPES
            for word in words(field.name)
        }
        return [
            field
            for field in fields_of_model
            if field.search
            and not field.compute
            and not field.store
            and field.type in SEARCH_ONLY_TYPES
            and (
                words(field.name) & words(source.name) or not words(field.name) & others
            )
        ]

    @api.model
    def _direct_dependents(self):
        """:return: ``{field: fields that are made from it in one step}``"""
        dependents = {}
        for model in self.env.registry.values():
            if model._abstract:
                continue
            for field in model._fields.values():
                if field.related:
                    dependents.setdefault(field.related_field, []).append(field)
                elif field.compute and field.name not in NEVER:
                    for path in field.resolve_depends(self.env.registry):
                        dependents.setdefault(path[-1], []).append(field)
        return dependents

    @api.model
    def _is_copy(self, source, field):
        if field.name in NEVER or field.name == self._rec_name_of(field.model_name):
            return False
        if field.model_name.startswith(("governance.", "ir.")):
            return False
        if field.related:
            return True
        if source.type in TEXTUAL:
            return field.type in TEXTUAL and self._is_meant(source, field)
        return (
            source.type in NUMERIC
            and field.type in NUMERIC
            and field.model_name == source.model_name
        )

    @api.model
    def _is_meant(self, source, field):
        """One method may compute several texts, such as e-mail and phone: those that
        share a word with the source are its copies, if any does."""
        siblings = [
            one
            for one in self.env.registry.field_computed.get(field, ())
            if one.type in TEXTUAL
        ]
        alike = [one for one in siblings if words(one.name) & words(source.name)]
        return not alike or field in alike

    @api.model
    def _find_view_columns(self, model_fields):
        """Columns of SQL views that have the name of a field of the policy: nothing
        tells whether they repeat it.

        :return: sorted list of ``model.field``
        """
        names = set(model_fields.mapped("name"))
        return sorted(
            f"{model._name}.{name}"
            for model in self.env.registry.values()
            if not model._auto and not model._abstract
            for name in names & set(model._fields)
        )

    # --- ACTIONS ---

    def action_activate(self):
        self.write({"active": True})

    def action_deactivate(self):
        self.write({"active": False})

    def action_find_copies(self):
        """Propose the copies anew: modules may have come since."""
        self.check_access("write")
        for policy in self:
            copies = self._find_copies(policy.field_ids)
            policy.covered_ids = [Command.set(copies.ids)]

    def action_simulate(self):
        """Show whom the policy binds and what they would see."""
        self.ensure_one()
        simulation = self.env["governance.field.simulation"].create(
            {"policy_id": self.id}
        )
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Simulation of “%(policy)s”", policy=self.name),
            "res_model": "governance.field.simulation",
            "res_id": simulation.id,
            "view_mode": "form",
            "target": "new",
        }
