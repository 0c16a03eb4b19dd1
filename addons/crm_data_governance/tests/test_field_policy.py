import json

from odoo.exceptions import AccessError, ValidationError
from odoo.service.model import call_kw
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..field_rules import NOTHING, rules_of

PHONE, MASK = "13812341234", "138****1234"


@tagged("post_install", "-at_install")
class TestFieldPolicy(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = new_test_user(
            cls.env, "policy_user", "base.group_user,base.group_partner_manager"
        )
        cls.manager = new_test_user(
            cls.env, "policy_manager", "crm_data_governance.group_governance_manager"
        )
        cls.partner = cls.env["res.partner"].create(
            {"name": "Wang Wei", "phone": PHONE, "email": "wang@secret.example"}
        )
        cls.group = cls.env["res.groups"].create(
            {"name": "Bound", "user_ids": [(4, cls.user.id)]}
        )
        cls.env.flush_all()

    def _policy(self, names=("phone",), model="res.partner", **values):
        found = self.env["ir.model.fields"].search(
            [("model", "=", model), ("name", "in", names)]
        )
        return self.env["governance.field.policy"].create(
            {
                "name": "Test",
                "model_id": self.env["ir.model"]._get_id(model),
                "field_ids": [(6, 0, found.ids)],
                "group_ids": [(6, 0, self.group.ids)],
                "access": "masked",
                "mask": "phone",
                "active": True,
                **values,
            }
        )

    def _read(self, user=None):
        partner = self.partner.with_user(user or self.user)
        return partner.read(["phone"])[0]["phone"]

    # --- WORK GOES ON, WITH ODOO'S OWN CONTACTS ---

    def test_work_goes_on(self):
        for access, shown in (("hidden", False), ("masked", MASK)):
            policies = self._policy(access=access) | self._policy(
                ("email",), access=access, mask="email"
            )
            self._work(shown)
            policies.unlink()

    def _work(self, shown):
        partners = self.env["res.partner"].with_user(self.user)
        found = call_kw(partners, "name_search", ["Wang W"], {})
        self.assertEqual(found, [(self.partner.id, "Wang Wei")])
        self.assertFalse(call_kw(partners, "name_search", ["wang@secret"], {}))
        views = [[False, kind] for kind in ("list", "kanban", "form", "search")]
        answer = call_kw(partners, "get_views", [views], {})
        self.assertIn("phone", answer["models"]["res.partner"]["fields"])
        answer = call_kw(
            partners,
            "web_search_read",
            [[("id", "=", self.partner.id)], {"phone": {}, "email": {}, "name": {}}],
            {},
        )
        self.assertEqual(answer["records"][0]["phone"], shown)
        self.assertNotIn("wang@secret", json.dumps(answer))
        with Form(self.partner.with_user(self.user)) as form:
            form.name = "Wang Wei Ltd"
        self.partner.name = "Wang Wei"
        self.assertEqual(self.partner.phone, PHONE)
        new = Form(partners)
        new.name = "Branch"
        new.parent_id = self.partner.with_user(self.user)
        new.save().sudo().unlink()
        message = self.partner.with_user(self.user).message_post(body="Hello")
        self.assertTrue(message)
        self.assertEqual(
            partners._find_or_create_from_emails(["wang@secret.example"]),
            [self.partner],
        )

    # --- LIFE OF A POLICY ---

    def test_at_once_and_back(self):
        self.assertEqual(self._read(), PHONE)
        policy = self._policy(active=False)
        self.assertEqual(self._read(), PHONE)
        policy.with_user(self.manager).action_activate()
        self.assertEqual(self._read(), MASK)
        self.assertEqual(self._read(self.manager), PHONE)
        policy.mask = "constant"
        self.assertEqual(self._read(), "****")
        policy.action_deactivate()
        self.assertEqual(self._read(), PHONE)
        policy.active = True
        policy.unlink()
        self.assertEqual(self._read(), PHONE)

    def test_dates(self):
        policy = self._policy(date_from="2999-01-01")
        self.assertEqual(self._read(), PHONE)
        policy.date_from = "2000-01-01"
        self.assertEqual(self._read(), MASK)
        policy.date_to = "2000-01-02"
        self.assertEqual(self._read(), PHONE)

    def test_company(self):
        elsewhere = self.env["res.company"].create({"name": "Elsewhere"})
        policy = self._policy(company_id=elsewhere.id)
        self.assertEqual(self._read(), PHONE)
        self.user.company_ids += elsewhere
        self.assertEqual(self._read(), MASK)
        mine = self._policy(company_id=self.env.company.id)
        manager = self.manager
        found = (
            self.env["governance.field.policy"]
            .with_user(manager)
            .search([("id", "in", (policy | mine).ids)])
        )
        self.assertEqual(found, mine)

    def test_everybody_but_superuser(self):
        self._policy(group_ids=False)
        self.assertEqual(self._read(), MASK)
        self.assertEqual(self._read(self.manager), MASK)
        self.assertEqual(self.partner.sudo().read(["phone"])[0]["phone"], PHONE)
        self.assertEqual(self._read(self.env.ref("base.user_root")), PHONE)

    def test_implied_group_added_later(self):
        self._policy()
        other = new_test_user(self.env, "policy_other", "base.group_user")
        self.assertEqual(self._read(other), PHONE)
        above = self.env["res.groups"].create(
            {"name": "Above", "user_ids": [(4, other.id)]}
        )
        above.implied_ids = self.group
        self.assertEqual(self._read(other), MASK)

    def test_covered_are_found(self):
        covered = {(one.model, one.name) for one in self._policy().covered_ids}
        self.assertIn(("res.users", "phone"), covered)
        row = self.user.with_user(self.manager).read(["email"])
        self.assertTrue(row)
        email = self._policy(("email",), mask="email")
        covered = {(one.model, one.name) for one in email.covered_ids}
        self.assertIn(("res.partner", "email_formatted"), covered)
        self.assertIn(("res.partner", "email_normalized"), covered)
        self.assertNotIn(("res.partner", "display_name"), covered)

    def test_removed_copies_come_back_on_demand(self):
        policy = self._policy()
        before = policy.covered_ids
        policy.covered_ids = False
        policy.action_find_copies()
        self.assertEqual(policy.covered_ids, before)

    def test_not_covered_is_said(self):
        self.assertIn("PDF", self._policy().not_covered)

    def test_changes_are_logged(self):
        policy = self._policy()
        self.env.flush_all()
        self.env.cr.precommit.run()
        policy.write({"access": "hidden", "active": False})
        self.env.flush_all()
        self.env.cr.precommit.run()
        tracked = policy.message_ids.sudo().tracking_value_ids
        self.assertLessEqual({"access", "active"}, set(tracked.field_id.mapped("name")))

    # --- WHAT IS REFUSED ---

    def test_names_stay(self):
        for model, name in (
            ("res.partner", "name"),
            ("res.partner", "display_name"),
            ("res.partner", "active"),
            ("ir.model", "model"),
            ("governance.field.policy", "access"),
        ):
            with self.assertRaises(ValidationError, msg=(model, name)):
                self._policy((name,), model, access="hidden")
        with self.assertRaises(ValidationError):
            self._policy(("category_id",), mask="constant")
        with self.assertRaises(ValidationError):
            self._policy(model_id=self.env["ir.model"]._get_id("res.country"))
        with self.assertRaises(ValidationError):
            self._policy(field_ids=False)

    @mute_logger("odoo.sql_db")
    def test_mask_is_needed(self):
        with self.assertRaisesRegex(Exception, "check_mask"):
            self._policy(mask=False)

    def test_rights(self):
        policy = self._policy()
        reader = new_test_user(
            self.env, "policy_reader", "crm_data_governance.group_governance_reader"
        )
        self.assertTrue(policy.with_user(reader).read())
        for user in (self.user, reader):
            with self.assertRaises(AccessError):
                policy.with_user(user).action_deactivate()
            with self.assertRaises(AccessError):
                policy.with_user(user).action_simulate()
        with self.assertRaises(AccessError):
            policy.with_user(self.user).read(["name"])

    # --- DETAILS ---

    def test_model_order_by_a_closed_field(self):
        country = self.env["res.partner"].with_user(self.user)
        self.patch(type(country), "_order", "phone desc, id desc")
        self._policy()
        found = country.search(
            [("id", "in", (self.partner | self.user.partner_id).ids)]
        )
        self.assertEqual(found.ids, sorted(found.ids, reverse=True))
        with self.assertRaises(AccessError):
            country.search([], order="phone")

    def test_computation_that_asks_is_empty(self):
        self._policy()
        partner = self.partner.with_user(self.user)

        def ask(records):
            records.search([("phone", "=", PHONE)])

        field = partner._fields["vat_label"]
        self.patch(field, "compute", ask)
        self.env.invalidate_all()
        self.assertFalse(partner.vat_label)

    def test_views_are_kept_apart(self):
        partners = self.env["res.partner"]
        self._policy()
        bound = partners.with_user(self.user).get_view(view_type="form")["arch"]
        free = partners.with_user(self.manager).get_view(view_type="form")["arch"]
        self.assertNotEqual(bound, free)

    def test_simulation(self):
        policy = self._policy(active=False)
        action = policy.with_user(self.manager).action_simulate()
        simulation = (
            self.env[action["res_model"]]
            .with_user(self.manager)
            .browse(action["res_id"])
        )
        self.assertEqual(simulation.user_id, self.user)
        self.assertEqual(simulation.bound_count, 1)
        self.assertGreater(simulation.free_count, 0)
        with Form(simulation) as form:
            form.record_id = self.partner.id
        values = simulation.values_html
        self.assertIn(PHONE, values)
        self.assertIn(MASK, values)
        self.assertIn("policy_user", simulation.people_html)
        simulation.user_id = self.manager
        self.assertNotIn(MASK, simulation.values_html)
        # Nothing was activated by looking.
        self.assertEqual(self._read(), PHONE)

    def test_simulation_shows_nobody_more_than_reading(self):
        """A manager who is bound does not look through the eyes of who is not."""
        free = new_test_user(self.env, "policy_free", "base.group_user")
        self._policy(group_ids=[(6, 0, (self.group | self._own_group()).ids)])
        self.assertEqual(self._read(self.manager), MASK)
        planned = self._policy(active=False, access="hidden", mask=False)
        simulation = (
            self.env["governance.field.simulation"]
            .with_user(self.manager)
            .create({"policy_id": planned.id, "record_id": self.partner.id})
        )
        for user in (free, self.user, self.manager):
            simulation.user_id = user
            with self.subTest(user=user.login):
                self.assertNotIn(PHONE, simulation.values_html)
                self.assertIn(MASK, simulation.values_html)

    def _own_group(self):
        return self.env["res.groups"].create(
            {"name": "Bound managers", "user_ids": [(4, self.manager.id)]}
        )

    def test_demo_is_not_active(self):
        demo = self.env.ref(
            "crm_data_governance.governance_field_policy_phone_demo", False
        )
        self.assertFalse(demo and demo.active)


@tagged("post_install", "-at_install")
class TestNoPolicyNoCost(TransactionCase):
    """Counts; the times are in ``tests/bench/bench_governance.py``."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["governance.field.policy"].with_context(active_test=False).search(
            []
        ).unlink()
        cls.user = new_test_user(cls.env, "cost_user", "base.group_user")
        cls.partners = cls.env["res.partner"].create(
            [{"name": f"P{number}", "phone": "1"} for number in range(100)]
        )
        cls.env.flush_all()

    def _count(self, work):
        self.env.invalidate_all()
        before = self.cr.sql_log_count
        work()
        return self.cr.sql_log_count - before

    def test_no_query(self):
        partners = self.partners.with_user(self.user)
        domain = [("id", "in", self.partners.ids)]

        def work():
            partners.read(["name", "phone"])
            partners.search(domain, order="phone")

        work()
        counts = {self._count(work)}
        self.assertIs(rules_of(partners.env), NOTHING)
        self.assertEqual(partners._field_rules(), {})
        self.env["governance.field.policy"].create(
            {
                "name": "Elsewhere",
                "model_id": self.env["ir.model"]._get_id("res.country"),
                "field_ids": [(4, self.env.ref("base.field_res_country__code").id)],
                "access": "hidden",
                "active": True,
            }
        )
        self.env.flush_all()
        work()
        counts.add(self._count(work))
        self.assertEqual(len(counts), 1, "a policy costs no query once it is loaded")

    def test_rules_are_loaded_once(self):
        self.env["governance.field.policy"].create(
            {
                "name": "Masked",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "field_ids": [(4, self.env.ref("base.field_res_partner__phone").id)],
                "access": "masked",
                "mask": "phone",
                "active": True,
            }
        )
        self.env.flush_all()
        one = self.partners[:1].with_user(self.user)
        many = self.partners.with_user(self.user)
        one.read(["phone"])
        self.assertEqual(
            self._count(lambda: one.read(["phone"])),
            self._count(lambda: many.read(["phone"])),
        )
