from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, new_test_user, tagged

from odoo.addons.crm_data_governance.tools.keys import read_prefix


@tagged("post_install", "-at_install")
class TestHooks(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "tracking_disable": True})
        cls.Queue = cls.env["test_governance.queue"]

    def test_metrics_are_extended(self):
        self.Queue.create([{"name": "a"}, {"name": "b"}])
        families = {
            family.name: family
            for family in self.env["governance.metrics"]._metric_families()
        }
        self.assertEqual(families["test_governance_queue"].samples[0].value, 2)
        self.assertIn("crm_governance_requests", families)

    def test_lineage_is_stored_and_refreshed(self):
        Edges = self.env["governance.lineage.edge"]
        # What the installed addons tell of themselves is there before.
        Edges._refresh_lineage()
        rows = self.Queue.create([{"name": "node1"}, {"name": "node2", "done": True}])
        self.assertEqual(Edges._refresh_lineage()[0], 2)
        found = Edges.search([("kind", "=", "test")])
        self.assertEqual(
            {(edge.source, edge.target, edge.direct) for edge in found},
            {
                ("queue:node1", "res.partner.phone", False),
                ("queue:node2", "res.partner.phone", True),
            },
        )
        self.assertEqual(Edges._refresh_lineage(), (0, 0))
        rows[0].unlink()
        rows[1].done = False
        self.assertEqual(Edges._refresh_lineage(), (1, 2))
        self.assertEqual(
            Edges.search([("kind", "=", "test")]).mapped("direct"), [False]
        )

    def test_erasure_reaches_the_addons(self):
        partner = self.env["res.partner"].create(
            {"name": "王小明", "email": "Wang@Example.com"}
        )
        self.Queue.create([{"name": "wang@example.com"}, {"name": "other@example.com"}])
        request = self.env["governance.privacy.request"].create(
            {"partner_id": partner.id}
        )
        request.action_erase()
        self.assertEqual(self.Queue.search([]).mapped("name"), ["other@example.com"])
        line = request.line_ids.filtered(
            lambda line: line.res_model == "test_governance.queue"
        )
        self.assertRecordValues(
            line, [{"record_count": 1, "action": "erased", "reason": "request"}]
        )

    def test_mixin(self):
        device = self.env["test_governance.device"].create({"name": "Gate"})
        key = device.issue_key()
        credential = device.credential_id
        self.assertEqual(credential.scopes, "test.device")
        self.assertEqual(credential.company_id, self.env.company)
        Credential = self.env["governance.credential"]
        self.assertEqual(Credential._authenticate(key, "test.device"), credential)
        second = device.issue_key()
        self.assertNotEqual(key, second)
        self.assertEqual(device.credential_id, credential)
        self.assertEqual(Credential._authenticate(second, "test.device"), credential)
        with self.assertRaisesRegex(Exception, "401 unauthorized"):
            Credential._authenticate(key, "test.device")
        device.action_revoke_key()
        with self.assertRaisesRegex(Exception, "401 unauthorized"):
            Credential._authenticate(second, "test.device")
        action = device.action_issue_key()
        third = action["context"]["default_key"]
        self.assertEqual(read_prefix(third), ("secret", credential.prefix))
        self.assertEqual(device.copy().credential_id, Credential)
        device.unlink()
        self.assertEqual(credential.state, "revoked")

    def test_mixin_takes_no_other_key(self):
        victim, key = self.env["governance.credential"]._issue(
            {"name": "Victim", "scopes": "metrics"}
        )
        admin = new_test_user(self.env, "device_admin2", "base.group_system")
        Device = self.env["test_governance.device"].with_user(admin)
        device = Device.create({"name": "Gate"})
        with self.assertRaises(AccessError):
            device.write({"credential_id": victim.id})
        with self.assertRaises(AccessError):
            Device.create({"name": "Gate", "credential_id": victim.id})
        with self.assertRaises(AccessError):
            Device.with_context(default_credential_id=victim.id).create({"name": "G"})
        self.assertTrue(device.issue_key())
        self.assertTrue(victim._authenticate(key, "metrics"))

    def test_mixin_rights(self):
        device = self.env["test_governance.device"].create({"name": "Gate"})
        user = new_test_user(self.env, "device_user", "base.group_user")
        with self.assertRaises(AccessError):
            device.with_user(user).issue_key()
        with self.assertRaises(AccessError):
            device.with_user(user).action_revoke_key()
        # Who may write the record may issue its key, without a governance right.
        admin = new_test_user(self.env, "device_admin", "base.group_system")
        admin.group_ids -= self.env.ref("crm_data_governance.group_governance_manager")
        self.assertFalse(admin.has_group("crm_data_governance.group_governance_reader"))
        self.assertTrue(device.with_user(admin).issue_key())
