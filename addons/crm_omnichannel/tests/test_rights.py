from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import OmniCase

NO_MAIL = {"no_reset_password": True}


@tagged("post_install", "-at_install")
class TestRights(OmniCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.plain = new_test_user(
            cls.env, "omni_plain", groups="base.group_user", context=NO_MAIL
        )
        cls.user = new_test_user(
            cls.env,
            "omni_user",
            groups="crm_omnichannel.group_omnichannel_user,base.group_partner_manager",
            context=NO_MAIL,
        )
        cls.manager = new_test_user(
            cls.env,
            "omni_manager",
            groups="crm_omnichannel.group_omnichannel_manager",
            context=NO_MAIL,
        )

    def test_plain_user_sees_nothing(self):
        record = self.process({"id": "1", "name": "A"})
        for target in (
            self.channel,
            record,
            self.mapping,
            record.partner_id.omni_identity_ids,
        ):
            with self.subTest(model=target._name), self.assertRaises(AccessError):
                target.with_user(self.plain).check_access("read")
        partner = record.partner_id.with_user(self.plain)
        self.assertEqual(partner.name, "A")
        for name in ("omni_provenance", "omni_sources_html", "omni_identity_ids"):
            with self.subTest(field=name), self.assertRaises(AccessError):
                partner.mapped(name)

    def test_user_reads_and_manager_changes(self):
        parked = self.process({"id": "1"})
        channel = self.channel.with_user(self.user)
        self.assertEqual(channel.parked_count, 1)
        self.assertIn("Full name", parked.with_user(self.user).error_message)
        with self.assertRaises(AccessError):
            channel.write({"name": "Mine"})
        with self.assertRaises(AccessError):
            channel.issue_key()
        with self.assertRaises(AccessError):
            parked.with_user(self.user).action_replay()
        with self.assertRaises(AccessError):
            channel.action_process()
        self.mapping.line_ids.filtered("required").with_user(self.manager).source = "id"
        parked.with_user(self.manager).action_replay()
        self.assertEqual(parked.state, "done")
        self.assertTrue(self.channel.with_user(self.manager).issue_key())

    def test_stored_bytes_are_closed(self):
        record = self.process({"id": "1", "name": "A"})
        for user in (self.user, self.manager):
            with self.assertRaises(AccessError):
                record.with_user(user).read(["payload"])
            self.assertIn('"A"', record.with_user(user).payload_text)

    def test_companies(self):
        company = self.env["res.company"].create({"name": "Other"})
        channel = self.make_channel("theirs", company_id=company.id)
        record = self.process({"id": "1", "name": "A"}, channel=channel)
        identity = record.partner_id.omni_identity_ids
        for target in (channel, record, identity):
            model = target._name
            with self.subTest(model=model):
                found = self.env[model].with_user(self.manager)
                self.assertFalse(found.search([("id", "=", target.id)]))
        landing = self.env["omni.landing"].with_user(self.manager)
        self.assertFalse(landing.search([("channel_id", "=", channel.id)]))
        self.manager.company_ids |= company
        found = self.env["omni.record"].with_user(self.manager)
        found = found.with_context(allowed_company_ids=company.ids)
        self.assertEqual(found.search([("id", "=", record.id)]), record)

    def test_sources_respect_closed_fields(self):
        partner = self.process(
            {"id": "1", "name": "A", "city": "Secretville"}
        ).partner_id
        shown = partner.with_user(self.user)
        self.assertIn("Secretville", shown.omni_sources_html)
        self.patch(self.env.registry["res.partner"]._fields["city"], "groups", ".")
        partner.invalidate_recordset()
        self.assertNotIn("Secretville", shown.omni_sources_html)
        self.assertIn(self.channel.name, shown.omni_sources_html)
