from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from ..endpoint import GuardError
from ..tools.keys import new_key


@tagged("post_install", "-at_install")
class TestCredential(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Credential = cls.env["governance.credential"]
        cls.credential, cls.key = cls.Credential._issue(
            {"name": "Shop", "scopes": "orders  invoices\n"}
        )

    def assertRefused(self, status, key, scope="orders", origin=None):
        with self.assertRaises(GuardError) as caught:
            self.Credential._authenticate(key, scope, origin)
        self.assertEqual(caught.exception.status, status)
        return caught.exception

    def test_authenticate(self):
        for scope in ("orders", "invoices"):
            self.assertEqual(
                self.Credential._authenticate(self.key, scope), self.credential
            )
        for key in (None, "", "x", self.key[:-1], new_key("secret").key):
            self.assertRefused(401, key)
        # The right prefix with another secret part.
        forged = self.key[:17] + new_key("secret").key[17:]
        self.assertRefused(401, forged)
        for scope in ("order", "", "orders invoices", "%"):
            error = self.assertRefused(403, self.key, scope)
            self.assertEqual(error.credential_id, self.credential.id)

    def test_key_of_other_kind(self):
        self.assertRefused(401, self.key.replace("gsk_", "gpk_"))

    def test_form(self):
        manager = new_test_user(
            self.env, "key_manager", "crm_data_governance.group_governance_manager"
        )
        with Form(self.Credential.with_user(manager)) as form:
            form.name = "Typed"
            form.kind = "public"
            form.scopes = "behavior.append"
            form.origins = "https://www.example.com"
        self.assertEqual(form.record.state, "no_key")
        self.assertEqual(form.record.rate, 600)
        action = form.record.action_issue_key()
        self.assertEqual(
            action["context"]["default_key"], form.record.sudo().public_key
        )
        self.assertEqual(form.record.state, "active")

    def test_states(self):
        draft = self.Credential.create({"name": "New", "scopes": "orders"})
        self.assertEqual(draft.state, "no_key")
        self.assertEqual(self.credential.state, "active")
        self.credential.expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self.assertEqual(self.credential.state, "expired")
        self.assertRefused(401, self.key)
        self.credential.expires_at = False
        self.credential.action_revoke()
        self.assertEqual(self.credential.state, "revoked")
        self.assertRefused(401, self.key)
        key = self.credential.issue_key()
        self.assertEqual(self.credential.state, "active")
        self.assertRefused(401, self.key)
        self.assertTrue(self.Credential._authenticate(key, "orders"))

    def test_key_is_stored_nowhere(self):
        action = self.credential.action_issue_key()
        key = action["context"]["default_key"]
        form = Form(self.env[action["res_model"]].with_context(**action["context"]))
        self.assertEqual(form.key, key)
        form.save()
        self.env.flush_all()
        secret_part = key.rpartition("_")[2]
        # Every text column of the addon's tables and of the chatter.
        for model in (
            "governance.credential",
            "governance.credential.issue",
            "mail.message",
            "mail.tracking.value",
        ):
            self.env.cr.execute(
                f"SELECT count(*) FROM {self.env[model]._table} t"
                " WHERE t::text LIKE %s",
                (f"%{secret_part}%",),
            )
            self.assertEqual(self.env.cr.fetchone(), (0,), model)

    def test_public_key_is_readable_and_bound(self):
        credential, key = self.Credential._issue(
            {
                "name": "Page",
                "kind": "public",
                "scopes": "orders",
                "origins": "https://Shop.example.com/\nhttp://localhost:80",
            }
        )
        self.assertEqual(credential.public_key, key)
        for origin in ("https://shop.example.com", "http://localhost"):
            self.assertEqual(
                self.Credential._authenticate(key, "orders", origin), credential
            )
            self.assertTrue(self.Credential._knows_origin(origin, "orders"))
        for origin in (None, "", "null", "https://example.com", "http://localhost:81"):
            self.assertRefused(403, key, origin=origin)
            self.assertFalse(self.Credential._knows_origin(origin, "orders"))
        self.assertFalse(
            self.Credential._knows_origin("https://shop.example.com", "order")
        )
        credential.action_revoke()
        self.assertFalse(
            self.Credential._knows_origin("https://shop.example.com", "orders")
        )
        # Without an origin a public key opens nothing.
        _bare, key = self.Credential._issue(
            {"name": "Bare", "kind": "public", "scopes": "orders"}
        )
        self.assertRefused(403, key)
        self.assertRefused(403, key, origin="https://shop.example.com")

    def test_wrong_origins(self):
        for origins in ("*", "example.com", "https://example.com/path", "null"):
            with self.assertRaises(ValidationError):
                self.credential.origins = origins

    def test_key_fields_cannot_be_written(self):
        made = new_key("secret")
        for values in (
            {"hash": made.hash},
            {"prefix": made.prefix},
            {"public_key": made.key},
        ):
            self.credential.with_context(governance_issue=False).write(dict(values))
            manager = self.env.ref("base.user_admin")
            self.credential.with_user(manager).with_context(
                governance_issue=True
            ).write(dict(values))
        self.assertRefused(401, made.key)
        self.assertTrue(self.Credential._authenticate(self.key, "orders"))
        planted = self.Credential.create(
            {"name": "x", "scopes": "orders", "prefix": made.prefix, "hash": made.hash}
        )
        self.assertEqual(planted.state, "no_key")
        self.assertRefused(401, made.key)

    def test_key_fields_take_no_default(self):
        made = new_key("public")
        manager = self.env.ref("base.user_admin")
        planted = (
            self.Credential.with_user(manager)
            .with_context(default_prefix=made.prefix, default_public_key=made.key)
            .create({"name": "x", "scopes": "orders"})
        )
        self.assertEqual(planted.state, "no_key")
        self.assertFalse(planted.public_key)

    def test_revoked_for_good(self):
        self.credential.action_revoke()
        manager = self.env.ref("base.user_admin")
        self.credential.with_user(manager).write({"revoked_at": False})
        self.assertEqual(self.credential.state, "revoked")
        self.assertRefused(401, self.key)

    def test_what_cannot_be_a_key(self):
        # A key may come out of JSON.
        for key in ("\ud800", "gsk_\udfff", 7, ["x"], {}, True):
            self.assertRefused(401, key)

    def test_origin_in_chinese(self):
        self.Credential._issue(
            {
                "name": "Page",
                "kind": "public",
                "scopes": "orders",
                "origins": "https://商店.中国",
            }
        )
        self.assertTrue(
            self.Credential._knows_origin("https://xn--czrs0t.xn--fiqs8s", "orders")
        )
        for origin in ("https://%", "https://_", "https://xn--fiqs8s", "https://xn--"):
            self.assertFalse(self.Credential._knows_origin(origin, "orders"))

    def test_dialog_names_only_what_it_was_given(self):
        user = new_test_user(self.env, "somebody", "base.group_user")
        Issue = self.env["governance.credential.issue"].with_user(user)
        self.assertFalse(
            [
                name
                for name, field in Issue._fields.items()
                if field.comodel_name == "governance.credential"
            ]
        )

    def test_hash_is_nobodys(self):
        admin = self.env.ref("base.user_admin")
        credential = self.credential.with_user(admin)
        self.assertNotIn("hash", credential.read()[0])
        self.assertNotIn("hash", credential.fields_get())
        with self.assertRaises(AccessError):
            credential.read(["hash"])
        with self.assertRaises(AccessError):
            credential.search([("hash", "like", "a%")])
        with self.assertRaises(AccessError):
            credential.search([], order="hash")
        self.assertNotIn("hash", self.credential.copy_data()[0])

    def test_copy_has_no_key(self):
        copy = self.credential.copy()
        self.assertEqual(copy.state, "no_key")
        self.assertTrue(self.Credential._authenticate(self.key, "orders"))

    def test_kind_is_fixed_with_the_key(self):
        with self.assertRaises(ValidationError):
            self.credential.kind = "public"

    def test_delete(self):
        self.env["governance.usage"].create(
            {
                "endpoint": "e",
                "credential_id": self.credential.id,
                "hour": "2026-01-01",
                "requests": 1,
            }
        )
        with self.assertRaises(UserError):
            self.credential.unlink()
        self.credential.action_revoke()
        self.credential.unlink()

    def test_authenticate_query_count(self):
        self.Credential._authenticate(self.key, "orders")
        for _turn in range(2):
            self.env.invalidate_all()
            with self.assertQueryCount(2):
                self.Credential._authenticate(self.key, "orders")
