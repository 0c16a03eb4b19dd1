from prometheus_client.core import GaugeMetricFamily
from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.crm_data_governance.endpoint import GuardError

from ..const import SCOPE
from ..hooks import uninstall_hook

ORIGIN = "https://shop.example.com"


@tagged("post_install", "-at_install")
class TestBehaviorSource(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "no_reset_password": True})
        cls.manager = new_test_user(
            cls.env, "behavior_manager", "crm_behavior_analytics.group_behavior_manager"
        )
        cls.user = new_test_user(
            cls.env, "behavior_user", "crm_behavior_analytics.group_behavior_user"
        )
        cls.stranger = new_test_user(cls.env, "behavior_stranger", "base.group_user")
        cls.source = (
            cls.env["behavior.source"]
            .with_user(cls.manager)
            .create({"name": "Shop", "code": "shop-test", "origins": ORIGIN})
        )

    def _authenticate(self, key, origin=ORIGIN):
        return self.env["governance.credential"]._authenticate(key, SCOPE, origin)

    def _assert_refused(self, status, key, origin=ORIGIN):
        with self.assertRaises(GuardError) as caught:
            self._authenticate(key, origin)
        self.assertEqual(caught.exception.status, status)

    def test_origins_are_brought_into_form(self):
        self.source.origins = " HTTPS://Shop.example.com:443/ \n\nhttp://localhost:80"
        self.assertEqual(self.source.origins, f"{ORIGIN}\nhttp://localhost")
        self.assertFalse(self.source.insecure_origins)
        self.source.origins = "http://shop.example.com"
        self.assertEqual(self.source.insecure_origins, "http://shop.example.com")

    def test_wrong_origins_are_refused(self):
        for wrong in ("shop", "https://*.example.com", f"{ORIGIN}/path", "ftp://x"):
            with self.subTest(wrong=wrong), self.assertRaises(ValidationError):
                self.source.origins = wrong
            with self.subTest(wrong=wrong), self.assertRaises(ValidationError):
                self.source.create({"name": "x", "code": "x", "origins": wrong})

    def test_origin_messages_in_chinese(self):
        with self.assertRaisesRegex(ValidationError, "主机"):
            self.source.with_context(lang="zh_CN").origins = "https://a b"

    def test_accepted_origins_are_those_of_the_guard(self):
        """What the source takes, the key store takes in the same form."""
        self.source.origins = "\n".join(
            ("https://例子.中国", "http://[::1]:8069", "https://a_b.example", ORIGIN)
        )
        key = self.source.issue_key()
        for origin in self.source.origins.split():
            with self.subTest(origin=origin):
                self.assertTrue(self._authenticate(key, origin))

    def test_code(self):
        with self.assertRaises(ValidationError):
            self.source.code = "Shop 1"
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self.source.create({"name": "Other", "code": "shop-test"})
            self.env.flush_all()

    def test_key(self):
        self.assertEqual(self.source.state, "no_key")
        key = self.source.issue_key()
        self.assertEqual(self.source.public_key, key)
        self.assertEqual(self.source.state, "active")
        credential = self.source.sudo().credential_id
        self.assertEqual((credential.kind, credential.scopes), ("public", SCOPE))
        self.assertEqual(self._authenticate(key), credential)
        self._assert_refused(403, key, "https://elsewhere.example.com")
        self._assert_refused(403, key, None)
        self.assertIn(key, self.source.request_example)

        second = self.source.issue_key()
        self._assert_refused(401, key)
        self.assertEqual(self._authenticate(second), credential)

    def test_key_needs_an_origin(self):
        self.source.origins = False
        with self.assertRaises(ValidationError):
            self.source.issue_key()

    def test_changed_origins_hold_at_once(self):
        key = self.source.issue_key()
        self.source.origins = "https://new.example.com"
        self._assert_refused(403, key)
        self.assertTrue(self._authenticate(key, "https://new.example.com"))

    def test_archive_revokes(self):
        key = self.source.issue_key()
        self.source.action_archive()
        self.assertEqual(self.source.state, "revoked")
        self._assert_refused(401, key)
        self.source.action_unarchive()
        self._assert_refused(401, key)
        self.source.action_archive()
        self.assertTrue(self._authenticate(self.source.issue_key()))
        self.assertTrue(self.source.active)

    def test_unlink_revokes(self):
        key = self.source.issue_key()
        self.source.unlink()
        self._assert_refused(401, key)

    def test_uninstall_takes_the_keys_along(self):
        key = self.source.issue_key()
        credential = self.source.sudo().credential_id
        uninstall_hook(self.env)
        self.assertFalse(credential.exists())
        self._assert_refused(401, key)

    def test_copy_has_no_key(self):
        self.source.issue_key()
        copy = self.source.copy()
        self.assertEqual((copy.code, copy.state), ("shop-test-copy", "no_key"))

    def test_rights(self):
        self.source.issue_key()
        seen = self.source.with_user(self.user)
        self.assertEqual(seen.public_key, self.source.public_key)
        with self.assertRaises(AccessError):
            seen.name = "x"
        with self.assertRaises(AccessError):
            seen.issue_key()
        with self.assertRaises(AccessError):
            seen.action_revoke_key()
        with self.assertRaises(AccessError):
            self.source.with_user(self.stranger).read(["name"])
        with self.assertRaises(AccessError):
            self.env["behavior.source.check"].with_user(self.stranger).create(
                {"source_id": self.source.id}
            )

    def test_companies(self):
        company = self.env["res.company"].create({"name": "Other company"})
        other = self.env["behavior.source"].create(
            {"name": "Other", "code": "shop-test", "company_id": company.id}
        )
        found = self.env["behavior.source"].with_user(self.manager).search([])
        self.assertIn(self.source, found)
        self.assertNotIn(other, found)
        with self.assertRaises(AccessError):
            other.with_user(self.manager).read(["name"])
        other.origins = ORIGIN
        other.issue_key()
        self.assertEqual(other.credential_id.company_id, company)

    def test_check_wizard(self):
        check = self.env["behavior.source.check"].with_user(self.manager)
        with Form(check.with_context(default_source_id=self.source.id)) as form:
            form.url = f"{ORIGIN}/shop?x=1"
            self.assertFalse(form.accepted)
            self.assertIn("key", form.result)
        self.source.issue_key()
        with Form(check.with_context(default_source_id=self.source.id)) as form:
            form.url = f"{ORIGIN}/shop?x=1"
            self.assertTrue(form.accepted)
            form.url = "nonsense"
            self.assertFalse(form.accepted)
            self.assertIn("nonsense", form.result)
            form.url = "http://new.example.com/page"
            self.assertFalse(form.accepted)
            self.assertEqual(form.origin, "http://new.example.com")
        wizard = form.record
        wizard.action_allow()
        self.assertEqual(self.source.origins, f"{ORIGIN}\nhttp://new.example.com")
        self.assertTrue(wizard.accepted)
        self.assertIn("encrypted", wizard.result)

    def test_check_wizard_does_not_widen_rights(self):
        wizard = (
            self.env["behavior.source.check"]
            .with_user(self.user)
            .create({"source_id": self.source.id, "url": "https://x.example.com"})
        )
        with self.assertRaises(AccessError):
            wizard.action_allow()

    def test_metrics(self):
        def ready():
            families = {
                f.name: f for f in self.env["governance.metrics"]._metric_families()
            }
            family = families["crm_behavior_sources"]
            self.assertIsInstance(family, GaugeMetricFamily)
            return sum(
                s.value
                for s in family.samples
                if s.labels
                == {"company": str(self.source.company_id.id), "state": "active"}
            )

        before = ready()
        self.source.issue_key()
        self.assertEqual(ready(), before + 1)

    def test_lineage(self):
        self.source.website_id = self.env["website"].search([], limit=1)
        edges = set(self.env["governance.lineage"]._lineage_edges())
        node = f"behavior_source:{self.source.company_id.id}/shop-test"
        sources = {edge.source for edge in edges if edge.target == node}
        self.assertEqual(
            sources, {f"origin:{ORIGIN}", f"website:{self.source.website_id.id}"}
        )

    def test_lineage_names(self):
        """Each node and each edge in words, and the record behind a node."""
        site = self.env["website"].search([], limit=1)
        self.source.website_id = site
        feature = self.env["behavior.feature"].search([], limit=1)
        prediction = self.env["behavior.prediction"].create(
            {"name": "Leaving", "code": "leaving-test", "label_method": "no_order"}
        )
        version = self.env["behavior.prediction.version"].create(
            {"prediction_id": prediction.id, "number": 3, "state": "active"}
        )
        company = self.source.company_id.id
        nodes = {
            f"website:{site.id}": (f"{site.name} (Website)", site),
            f"behavior_source:{company}/shop-test": (
                f"{self.source.name} (Source of Events)",
                self.source,
            ),
            f"feature:{feature.code}": (f"{feature.name} (Feature)", feature),
            f"prediction:{prediction.company_id.id}/leaving-test/3": (
                "Leaving, version 3 (Prediction)",
                version,
            ),
        }
        hook = self.env["governance.lineage"]
        labels = hook._lineage_labels([*nodes, f"origin:{ORIGIN}"])
        self.assertEqual(labels.pop(f"origin:{ORIGIN}"), f"{ORIGIN} (Origin)")
        for node, (label, record) in nodes.items():
            self.assertEqual(labels[node], label)
            action = hook._lineage_action(node)
            self.assertEqual(
                (action["res_model"], action["res_id"]), (record._name, record.id)
            )
        self.assertIsNone(hook._lineage_action(f"origin:{ORIGIN}"))
        names = self.env["governance.lineage.edge"]._kind_names()
        kinds = {edge.kind for edge in hook._lineage_edges()}
        self.assertLessEqual(kinds, names.keys())
