from odoo import SUPERUSER_ID, api, fields, models

from ..field_rules import rules_of
from ..tools.policies import Rule, binds, resolve

# People shown by name; the numbers count all.
PEOPLE = 80
OPEN = Rule("editable", False, None)


class GovernanceFieldSimulation(models.TransientModel):
    """What a policy would do: to whom, and with one record before and after."""

    _name = "governance.field.simulation"
    _description = "Simulation of a Field Policy"

    policy_id = fields.Many2one(
        "governance.field.policy", required=True, ondelete="cascade", readonly=True
    )
    model = fields.Char(related="policy_id.model_id.model")
    user_id = fields.Many2one(
        "res.users",
        string="See as",
        compute="_compute_user_id",
        store=True,
        readonly=False,
        help="A person whom the policy binds, or any other.",
    )
    record_id = fields.Many2oneReference(
        string="Example Record",
        model_field="model",
        compute="_compute_record_id",
        store=True,
        readonly=False,
    )
    bound_count = fields.Integer(string="People Bound", compute="_compute_people")
    free_count = fields.Integer(string="People Not Bound", compute="_compute_people")
    values_html = fields.Html(
        string="Before and After", compute="_compute_values_html", sanitize=False
    )
    people_html = fields.Html(
        string="Who Sees What", compute="_compute_people", sanitize=False
    )

    # --- COMPUTE ---

    @api.depends("policy_id")
    def _compute_user_id(self):
        for simulation in self:
            simulation.user_id = next(
                (user for user in simulation._people() if simulation._is_bound(user)),
                self.env.user,
            )

    @api.depends("policy_id")
    def _compute_record_id(self):
        for simulation in self:
            policy = simulation.policy_id
            records = self.env[policy.model_id.model]
            name = policy.field_ids[:1].name
            found = records.browse()
            if records._fields[name].store:
                found = records.search([(name, "!=", False)], limit=1)
            simulation.record_id = (found or records.search([], limit=1)).id

    @api.depends("policy_id", "user_id", "record_id")
    def _compute_values_html(self):
        for simulation in self:
            record = self.env[simulation.model].browse(simulation.record_id).exists()
            simulation.values_html = self.env["ir.qweb"]._render(
                "crm_data_governance.field_simulation_values",
                {
                    "title": record
                    and self.env._(
                        "What %(person)s sees of “%(record)s”",
                        person=simulation.user_id.name,
                        record=record.display_name,
                    ),
                    "lines": simulation._make_lines(record) if record else [],
                },
            )

    @api.depends("policy_id")
    def _compute_people(self):
        for simulation in self:
            people = simulation._people()
            bound = people.filtered(simulation._is_bound)
            simulation.bound_count = len(bound)
            simulation.free_count = len(people) - len(bound)
            shown = (bound + (people - bound))[:PEOPLE]
            simulation.people_html = self.env["ir.qweb"]._render(
                "crm_data_governance.field_simulation_people",
                {
                    "people": simulation._make_people(shown),
                    "more": len(people) > len(shown)
                    and self.env._("… and %s more.", len(people) - len(shown)),
                    "title": self.env._(
                        "Who can see “%s”",
                        simulation.policy_id.field_ids[:1].field_description,
                    ),
                },
            )

    # --- WORK ---

    def _people(self):
        # sudo: accounts and their groups, shown to who keeps the policies.
        domain = [("share", "=", False), ("id", "!=", SUPERUSER_ID)]
        return self.env["res.users"].sudo().search(domain)

    def _is_bound(self, user):
        return binds(
            self.policy_id._as_policy(),
            set(user._get_group_ids()),
            set(user._get_company_ids()),
        )

    def _rules(self, user, *, active):
        """:return: ``{field: Rule}`` of the model with or without this policy"""
        policies = self.env["governance.field.policy"]
        chosen = [
            policy
            for policy, _date_from, _date_to in policies._active_policies()
            if policy.key != self.policy_id.id
        ]
        if active:
            chosen.append(self.policy_id._as_policy())
        return resolve(
            chosen,
            user._get_group_ids(),
            frozenset(user._get_company_ids()),
            policies._implied_groups(chosen),
        ).get(self.model, {})

    def _make_lines(self, record):
        """:return: for each field its name and what is shown before and after"""
        # sudo: groups and companies of the chosen person.
        user_sudo = self.user_id.sudo()
        before = self._rules(user_sudo, active=False)
        after = self._rules(user_sudo, active=True)
        return [
            {
                "name": field.field_description,
                "before": self._shown(field, before, record),
                "after": self._shown(field, after, record),
                "access": self._access_name(after.get(field.name, OPEN)),
            }
            for field in self._own_fields()
        ]

    @api.model
    def _access_name(self, rule):
        policies = self.env["governance.field.policy"]
        return dict(policies._fields["access"]._description_selection(self.env))[
            rule.access
        ]

    def _own_fields(self):
        policy = self.policy_id
        covered = policy.covered_ids.filtered(lambda one: one.model == self.model)
        return policy.field_ids | covered

    def _shown(self, field, rules, record):
        """What the person would see of the field, as text.

        Who looks never sees more than by reading the record: what is closed to both is
        shown as the looker sees it, what is closed to the looker alone too.
        """
        value = record[field.name]
        own = rules_of(self.env).get(self.model, {}).get(field.name)
        rule = own if own and own.closed else rules.get(field.name)
        if rule and rule.closed:
            value = record._mask_field(field.name, rule, value)
        else:
            value = record._fields[field.name].convert_to_export(value, record)
        return "" if value is False or value is None else str(value)

    def _make_people(self, users):
        """:return: for each person the access to the policy's first field"""
        name = self.policy_id.field_ids[:1].name
        return [
            {
                "name": user.name,
                "login": user.login,
                "bound": self._is_bound(user),
                "via": ", ".join(
                    (user.all_group_ids & self.policy_id.group_ids).mapped("full_name")
                ),
                "access": self._access_name(
                    self._rules(user, active=True).get(name, OPEN)
                ),
            }
            for user in users
        ]
