from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import SQL

from ..models.governance_privacy_request import GovernancePrivacyRequest


@tagged("post_install", "-at_install")
class TestPrivacyRequest(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "lang": "en_US"})
        cls.officer = new_test_user(
            cls.env,
            "officer",
            "base.group_user,base.group_partner_manager,"
            "crm_data_governance.group_privacy_officer",
        )
        cls.partner = cls.env["res.partner"].create(
            {
                "name": "王小明",
                "email": "Wang@Example.com",
                "phone": "+86 138 0013 8000",
                "street": "南京路 1 号",
                "vat": "DE1",
                "comment": "<p>likes tea 王小明</p>",
                "image_1920": (
                    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
                    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
                ),
                "country_id": cls.env.ref("base.cn").id,
                "child_ids": [(0, 0, {"name": "王小明 home", "type": "delivery"})],
            }
        )
        cls.child = cls.partner.child_ids
        cls.partner.message_post(body="王小明 called")
        cls.env["ir.attachment"].create(
            {"name": "id card", "res_model": "res.partner", "res_id": cls.partner.id}
        )

    def _request(self, partner=None, user=None):
        return (
            self.env["governance.privacy.request"]
            .with_user(user or self.officer)
            .create({"partner_id": (partner or self.partner).id})
        )

    def _evidence(self, request):
        return {
            (line.res_model, line.action, line.reason): line.record_count
            for line in request.line_ids
        }

    def assertNowhere(self, words, tables):
        """No row of these tables has any of the words."""
        self.env.flush_all()
        for table in tables:
            self.env.cr.execute(
                SQL(
                    "SELECT t::text FROM %s t WHERE lower(t::text) LIKE ANY (%s)",
                    SQL.identifier(table),
                    [f"%{word.lower()}%" for word in words],
                )
            )
            self.assertEqual(self.env.cr.fetchall(), [], table)

    def test_deleted_when_nobody_needs_it(self):
        request = self._request()
        self.assertEqual(request.state, "draft")
        self.assertTrue(request.name.startswith("PR/"))
        request.action_erase()
        self.assertFalse((self.partner | self.child).exists())
        self.assertRecordValues(
            request, [{"state": "done", "user_id": self.officer.id}]
        )
        evidence = self._evidence(request)
        self.assertEqual(evidence["res.partner", "erased", "request"], 2)
        self.assertIn(("mail.message", "erased", "request"), evidence)
        self.assertIn(("ir.attachment", "erased", "request"), evidence)
        self.assertNowhere(
            ["王小明", "wang@example.com"],
            [
                "res_partner",
                "mail_message",
                "mail_tracking_value",
                "governance_privacy_request",
                "governance_privacy_request_line",
            ],
        )

    def test_pseudonymised_when_others_need_it(self):
        # Any row that forbids the deletion, as accounting's do.
        user = self.env["res.users"].create(
            {
                "name": "x",
                "login": "wang@example.com",
                "partner_id": self.partner.id,
                "group_ids": [(6, 0, self.env.ref("base.group_portal").ids)],
            }
        )
        self.partner.name = "王小明"
        elsewhere = (
            self.env["res.partner"]
            .create({"name": "Other"})
            .message_post(
                body="hello", author_id=self.partner.id, email_from="wang@example.com"
            )
        )
        request = self._request()
        request.action_erase()
        self.assertTrue(self.partner.exists())
        self.assertRecordValues(
            self.partner.with_context(active_test=False),
            [
                {
                    "name": f"Erased person {self.partner.id}",
                    "email": False,
                    "email_normalized": False,
                    "phone": False,
                    "street": False,
                    "vat": False,
                    "comment": False,
                    "image_1920": False,
                    "active": False,
                    # Taxes are computed from it.
                    "country_id": self.env.ref("base.cn").id,
                }
            ],
        )
        self.assertEqual((user.login, user.active), (f"erased-{user.id}", False))
        self.assertFalse(elsewhere.email_from)
        evidence = self._evidence(request)
        self.assertEqual(evidence["res.partner", "pseudonymised", "referenced"], 2)
        self.assertEqual(evidence["res.users", "pseudonymised", "login_closed"], 1)
        self.assertNowhere(
            ["王小明", "wang@example.com"],
            ["res_partner", "res_users", "mail_message", "mail_tracking_value"],
        )

    def test_accounting_is_named(self):
        self.patch(
            GovernancePrivacyRequest,
            "_get_holding_tables",
            lambda model, people: {"account_move", "sale_order"},
        )
        request = self._request()
        request.action_erase()
        self.assertIn(
            ("res.partner", "pseudonymised", "accounting_law"), self._evidence(request)
        )
        line = request.line_ids.filtered(lambda line: line.res_model == "res.partner")
        self.assertIn("Accounting law", line.explanation)
        self.assertIn("会计", line.with_context(lang="zh_CN").explanation)

    def test_holding_tables(self):
        Request = self.env["governance.privacy.request"]
        self.assertFalse(Request._get_holding_tables(self.partner))
        user_partner = self.officer.partner_id
        self.assertEqual(Request._get_holding_tables(user_partner), {"res_users"})

    def test_hook_gets_identities(self):
        got = []

        def erase(model, partner, identities):
            got.append((partner, identities, model.env.su))
            return [
                {
                    "model": "res.lang",
                    "count": 3,
                    "action": "kept",
                    "reason": "what_it",
                },
                {"model": "res.lang", "count": 0, "action": "erased", "reason": "x"},
            ]

        self.patch(type(self.env["governance.erasure"]), "_erase_person", erase)
        request = self._request()
        request.action_erase()
        [(partner, identities, su)] = got
        self.assertEqual(partner.id, self.partner.id)
        self.assertTrue(su)
        self.assertIn(("email", "wang@example.com"), identities)
        self.assertIn(("phone", "+86 138 0013 8000"), identities)
        self.assertIn(("partner", str(self.child.id)), identities)
        self.assertEqual(self._evidence(request)["res.lang", "kept", "what_it"], 3)
        # An unknown code is shown as it is.
        line = request.line_ids.filtered(lambda line: line.res_model == "res.lang")
        self.assertEqual(line.explanation, "what_it")

    def test_not_erasable(self):
        company = self.env["res.partner"].create({"name": "Ltd", "is_company": True})
        for partner in (
            company,
            self.env.company.partner_id,
            self.env.ref("base.partner_admin"),
            self.env.ref("base.public_partner"),
        ):
            request = self._request(partner, self.env.ref("base.user_admin"))
            with self.assertRaises(UserError):
                request.action_erase()
            self.assertTrue(partner.exists())
            self.assertEqual(request.state, "draft")

    def test_archived_and_deeper_addresses_go_too(self):
        Partner = self.env["res.partner"]
        deeper = Partner.create({"name": "王小明 2", "parent_id": self.child.id})
        archived = Partner.create(
            {"name": "王小明 3", "parent_id": self.partner.id, "active": False}
        )
        request = self._request()
        self.assertIn(
            ("partner", str(archived.id)), request._get_identities(self.partner)
        )
        request.action_erase()
        self.assertFalse((self.partner | self.child | deeper | archived).exists())
        self.assertEqual(self._evidence(request)["res.partner", "erased", "request"], 4)

    def test_contacts_below_are_checked_too(self):
        other = self.env["res.company"].create({"name": "Elsewhere"})
        hidden = self.env["res.partner"].create({"name": "Hidden"})
        for below, error in (
            (new_test_user(self.env, "colleague").partner_id, UserError),
            (self.env.ref("base.partner_root"), UserError),
            (hidden, AccessError),
        ):
            below.parent_id = self.partner
            if below == hidden:
                below.company_id = other
            request = self._request()
            with self.assertRaises(error, msg=below.name):
                request.action_erase()
            self.assertTrue(below.exists())
            below.parent_id = False

    def test_log_ins_of_the_system_stay(self):
        admin = self.env.ref("base.user_admin")
        public = self.env.ref("base.public_user").copy({"login": "public2"})
        public.active = False
        for user in (
            self.env.ref("base.user_root"),
            self.env.ref("base.template_portal_user_id"),
            public,
        ):
            request = self._request(user.partner_id, admin)
            login = user.login
            with self.assertRaises(UserError):
                request.action_erase()
            self.assertEqual(user.login, login)

    def test_evidence_is_not_forged(self):
        Request = self.env["governance.privacy.request"].with_user(self.officer)
        for values in (
            {"state": "done"},
            {"date_done": "2026-01-01 00:00:00"},
            {"user_id": self.env.ref("base.user_admin").id},
        ):
            with self.assertRaises(AccessError):
                Request.create({"partner_id": self.partner.id, **values})
            with self.assertRaises(AccessError):
                self._request().write(values)

    def test_evidence_is_not_changed(self):
        request = self._request()
        request.action_erase()
        other = self.env["res.partner"].create({"name": "Other"})
        for values in (
            {"partner_id": other.id},
            {"note": "x"},
            {"name": "PR/0"},
            {"date_request": "2020-01-01"},
            {"company_id": self.env.company.id},
            {"state": "draft"},
        ):
            with self.assertRaises(UserError):
                request.write(values)
        with self.assertRaises(UserError):
            request.unlink()

    def test_once(self):
        request = self._request()
        request.action_erase()
        with self.assertRaises(UserError):
            request.action_erase()
        with self.assertRaises(UserError):
            request.unlink()

    def test_only_officers(self):
        request = self._request()
        manager = new_test_user(
            self.env, "manager", "crm_data_governance.group_governance_manager"
        )
        with self.assertRaises(AccessError):
            request.with_user(manager).action_erase()
        with self.assertRaises(AccessError):
            self._request(user=manager)
        self.assertTrue(self.partner.exists())

    def test_other_company(self):
        other = self.env["res.company"].create({"name": "Elsewhere"})
        request = self.env["governance.privacy.request"].create(
            {"partner_id": self.partner.id, "company_id": other.id}
        )
        self.assertFalse(
            request.with_user(self.officer).search([("id", "=", request.id)])
        )
        with self.assertRaises(AccessError):
            request.with_user(self.officer).action_erase()
        # A person of another company is out of reach too.
        self.partner.company_id = other
        with self.assertRaises(AccessError):
            self._request().action_erase()
        self.assertTrue(self.partner.exists())

    def test_form(self):
        with Form(self.env["governance.privacy.request"]) as form:
            form.partner_id = self.partner
            form.date_request = "2026-01-01"
        self.assertEqual(str(form.record.date_deadline), "2026-01-31")
        with self.assertRaises(ValidationError):
            self.env["governance.privacy.request"].create({})
