from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, new_test_user, tagged

MODELS = (
    "governance.credential",
    "governance.endpoint",
    "governance.field.policy",
    "governance.lineage.edge",
    "governance.lineage.node",
    "governance.privacy.request",
    "governance.privacy.request.line",
    "governance.secret",
    "governance.usage",
    "governance.rate",
)


@tagged("post_install", "-at_install")
class TestAccess(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        prefix = "crm_data_governance.group_"
        cls.users = {
            name: new_test_user(cls.env, f"governance_{name}", groups)
            for name, groups in (
                ("user", "base.group_user"),
                ("reader", prefix + "governance_reader"),
                ("manager", prefix + "governance_manager"),
                ("officer", prefix + "privacy_officer"),
                ("portal", "base.group_portal"),
            )
        }
        cls.other_company = cls.env["res.company"].create({"name": "Elsewhere"})

    def _rights(self, model, user):
        records = self.env[model].with_user(self.users[user])
        return "".join(
            operation[0]
            for operation in ("read", "write", "create", "unlink")
            if records.has_access(operation)
        )

    def test_matrix(self):
        expected = {
            "user": [""] * 10,
            "portal": [""] * 10,
            "reader": ["r", "r", "r", "r", "r", "", "", "r", "r", ""],
            "manager": ["rwcu", "r", "rwcu", "r", "r", "", "", "rwcu", "r", ""],
            "officer": ["r", "r", "r", "r", "r", "rwcu", "r", "r", "r", ""],
        }
        for user, rights in expected.items():
            for model, right in zip(MODELS, rights, strict=True):
                self.assertEqual(self._rights(model, user), right, (user, model))

    def test_reader_issues_no_key(self):
        credential, _key = self.env["governance.credential"]._issue(
            {"name": "Shop", "scopes": "x"}
        )
        for name in ("reader", "officer"):
            as_reader = credential.with_user(self.users[name])
            self.assertEqual(as_reader.state, "active")
            for method in ("issue_key", "action_issue_key", "action_revoke"):
                with self.assertRaises(AccessError):
                    getattr(as_reader, method)()
        as_manager = credential.with_user(self.users["manager"])
        self.assertTrue(as_manager.issue_key())
        self.assertEqual(as_manager.read(["request_count"])[0]["request_count"], 0)

    def test_other_company(self):
        Credential = self.env["governance.credential"]
        Usage = self.env["governance.usage"]
        manager = self.users["manager"]
        for company, seen in (
            (self.other_company, False),
            (self.env.company, True),
            (self.env["res.company"], True),
        ):
            credential = Credential.create(
                {"name": "Shop", "scopes": "x", "company_id": company.id}
            )
            secret = self.env["governance.secret"].create(
                {"name": "S", "company_id": company.id}
            )
            usage = Usage.create(
                {
                    "endpoint": "e",
                    "hour": "2026-01-01",
                    "credential_id": credential.id,
                    "company_id": company.id,
                }
            )
            for record in (credential, secret, usage):
                found = record.with_user(manager).search([("id", "=", record.id)])
                self.assertEqual(bool(found), seen, (record, company.name))
            if not seen:
                with self.assertRaises(AccessError):
                    credential.with_user(manager).issue_key()
                with self.assertRaises(AccessError):
                    credential.with_user(manager).action_revoke()
