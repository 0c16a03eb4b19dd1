from datetime import timedelta

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import NOW, OmniCase


@tagged("post_install", "-at_install")
class TestStrongLink(OmniCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mapping.line_ids = [
            (0, 0, {"source": source, "target": target})
            for source, target in (
                ("openid", "id:openid"),
                ("user", "id:user_id"),
                ("device", "id:device"),
            )
        ]
        cls.merges = cls.env["omni.merge"]

    def setUp(self):
        super().setUp()
        self.later = NOW + timedelta(hours=1)

    def two(self, **more):
        """Two customers, each known by an identifier of their own."""
        return self.process(
            {"name": "Wei Wang", "unionid": "u1", "city": "Shanghai"},
            {"name": "Wang Wei", "openid": "o1", **more},
        ).partner_id

    def test_one_record_makes_two_customers_one(self):
        target, source = self.two(phone="13916123456", city="Suzhou")
        self.assertNotEqual(target, source)
        record = self.process(
            {"id": "7", "name": "Wei Wang", "unionid": "u1", "openid": "o1"},
            at=self.later,
        )
        merge = self.merges.search([("source_id", "=", source.id)])
        self.assertEqual((merge.target_id, merge.rule), (target, "strong_link"))
        self.assertEqual(merge.params, {"kinds": ["external_id", "openid", "unionid"]})
        self.assertEqual((record.state, record.partner_id), ("done", target))
        self.assertEqual((source.active, source.merged_into_id), (False, target))
        self.assertEqual(
            set(target.omni_identity_ids.mapped("kind")),
            {"unionid", "openid", "external_id", "phone"},
        )
        # values by channel and time, with where they came from
        self.assertEqual(target.phone, "+8613916123456")
        self.assertEqual(
            {entry["value"] for entry in target.omni_provenance["city"]},
            {"Shanghai", "Suzhou"},
        )
        merge.action_undo()
        self.assertEqual(target.omni_identity_ids.mapped("kind").count("openid"), 0)
        self.assertEqual(
            source.omni_identity_ids.filtered(lambda one: one.kind == "openid").value,
            "o1",
        )
        self.assertFalse(target.phone)
        self.assertEqual(
            [entry["value"] for entry in target.omni_provenance["city"]], ["Shanghai"]
        )

    def test_a_shared_telephone_merges_nobody(self):
        first = self.process({"name": "A", "unionid": "u1"}).partner_id
        second = self.process({"name": "B", "phone": "13916123456"}).partner_id
        record = self.process(
            {"name": "A", "unionid": "u1", "phone": "13916123456"}, at=self.later
        )
        self.assertEqual(record.partner_id, first)
        self.assertTrue(second.active)
        self.assertEqual(record.notes[0][0], "held_by_other")

    def test_two_log_ins_of_one_system_stay_two(self):
        first, second = self.process(
            {"name": "A", "unionid": "u1", "user": "1"},
            {"name": "B", "openid": "o1", "user": "2"},
        ).partner_id
        both = {"name": "A", "unionid": "u1", "openid": "o1"}
        record = self.process(both, at=self.later)
        self.assertEqual(record.partner_id, first)
        self.assertTrue(second.active)
        self.env.ref("crm_omnichannel.omni_identity_kind_user_id").value_limit = 2
        self.process({**both, "city": "X"}, at=self.later + timedelta(hours=1))
        self.assertEqual(second.merged_into_id, first)

    def test_who_can_log_in_stays_and_who_works_here_is_not_touched(self):
        target, source = self.two()
        portal = new_test_user(self.env, "linked", groups="base.group_portal")
        portal.partner_id.email = "mine@example.com"
        source.omni_identity_ids.partner_id = portal.partner_id
        both = {"name": "W", "unionid": "u1", "openid": "o1", "email": "evil@x.org"}
        self.process(both, at=self.later)
        self.assertEqual(target.merged_into_id, portal.partner_id)
        self.assertEqual(portal.partner_id.email, "mine@example.com")
        employee = new_test_user(self.env, "worker", groups="base.group_user")
        self.env["omni.identity"]._claim(
            employee.partner_id, "user_id", "9", "company:0"
        )
        customer = self.process({"name": "V", "unionid": "u2"}).partner_id
        record = self.process({"name": "V", "unionid": "u2", "user": "9"})
        self.assertTrue(customer.active)
        self.assertIn("refused_log_in", [code for code, _params in record.notes])
        self.assertIn("only a person merges them", record.note_message)

    def test_a_refused_record_of_the_batch_leaves_no_merge(self):
        """The savepoint of the batch: the one to blame is parked, the merge stands."""
        target, source = self.two()
        records = self.process(
            {"id": "8"},
            {"name": "W", "unionid": "u1", "openid": "o1"},
            at=self.later,
        )
        self.assertEqual(records.mapped("state"), ["parked", "done"])
        self.assertEqual(source.merged_into_id, target)
        self.assertEqual(len(self.merges.search([("target_id", "=", target.id)])), 1)

    def test_a_device_of_many_is_quarantined(self):
        records = self.process(
            *(
                {
                    "id": str(number),
                    "name": f"P{number}",
                    "device": "ipad",
                    "phone": "13916123456",
                }
                for number in range(3)
            )
        )
        device = self.env["omni.identity"].search([("value", "=", "ipad")])
        self.assertEqual(len(records.partner_id), 3)
        self.assertFalse(device.quarantined)
        self.assertEqual(len(device.other_partner_ids), 2)
        self.process({"id": "4", "name": "P4", "device": "ipad"})
        device.invalidate_recordset()
        self.assertTrue(device.quarantined)
        self.assertFalse(
            self.env["omni.identity"]._resolve("device", "ipad", device.scope)
        )
        device.action_release()
        self.assertFalse(device.quarantined)
        self.assertTrue(
            self.env["omni.identity"]._resolve("device", "ipad", device.scope)
        )
        reader = new_test_user(
            self.env, "kinds", groups="crm_omnichannel.group_omnichannel_user"
        )
        with self.assertRaises(AccessError):
            device.with_user(reader).action_quarantine()

    def test_the_priority_is_the_manager_s(self):
        target, source = self.two()
        self.env.ref("crm_omnichannel.omni_identity_kind_openid").sequence = 1
        self.process({"name": "W", "unionid": "u1", "openid": "o1"}, at=self.later)
        self.assertEqual(target.merged_into_id, source)
