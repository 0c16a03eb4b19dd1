from datetime import date, datetime

from freezegun import freeze_time

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import OmniCase

DAY = date(2026, 5, 4)


@tagged("post_install", "-at_install")
class TestDataQuality(OmniCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.company.partner_id.tz = "Asia/Shanghai"
        cls.quality = cls.env["omni.quality"]

    def rows(self, day=DAY):
        found = self.quality.search(
            [("channel_id", "=", self.channel.id), ("day", "=", day)]
        )
        return {row.target: row for row in found}

    def test_a_day(self):
        self.land(
            {"id": "1", "name": "Ada", "email": "ada@example.org"},
            {"id": "2", "name": "Bob", "email": "no address"},
            {"id": "3", "name": "Eve", "email": "ada@example.org"},
            {"id": "4", "name": "Dan"},
        )
        self.quality._measure(self.channel, DAY)
        email = self.rows()["email"]
        self.assertEqual(
            (email.total, email.filled, email.valid, email.distinct_count), (4, 3, 2, 1)
        )
        self.assertAlmostEqual(email.completeness, 3 / 4)
        self.assertAlmostEqual(email.validity, 2 / 3)
        self.assertAlmostEqual(email.uniqueness, 1 / 2)
        self.assertEqual(self.rows()["name"].completeness, 1)
        # once more: the same, not twice
        self.quality._measure(self.channel, DAY)
        self.assertEqual(
            len(self.rows()), len(set(self.mapping.line_ids.mapped("target")))
        )

    def test_one_record_a_person(self):
        self.land({"id": "1", "email": "old"})
        self.land({"id": "1", "email": "new@example.org"})
        self.quality._measure(self.channel, DAY)
        email = self.rows()["email"]
        self.assertEqual((email.total, email.validity), (1, 1))

    def test_days_of_the_company(self):
        """Midnight in Shanghai is 16:00 in Greenwich."""
        for hour, minute in ((15, 59), (16, 0)):
            self.land(
                {"id": f"{hour}", "name": "Ada"}, at=datetime(2026, 5, 4, hour, minute)
            )
        for day, expected in ((DAY, "15"), (date(2026, 5, 5), "16")):
            [record_id] = self.quality._sample(self.channel, day)
            record = self.env["omni.record"].browse(record_id)
            self.assertEqual(record.external_id, expected)

    def test_cron_catches_up(self):
        for number in (2, 3, 4):
            self.land(
                {"id": f"{number}", "name": "Ada"}, at=datetime(2026, 5, number, 8)
            )
        self.quality._measure(self.channel, date(2026, 5, 2))
        with freeze_time("2026-05-05 02:00:00"), self.enter_registry_test_mode():
            self.env.ref(
                "crm_omnichannel.ir_cron_measure_quality"
            ).method_direct_trigger()
        for number in (2, 3, 4):
            self.assertEqual(self.rows(date(2026, 5, number))["name"].total, 1)
        self.assertFalse(self.rows(date(2026, 5, 5)))

    def test_from_the_channel(self):
        with freeze_time("2026-05-04 10:00:00"):
            self.land({"id": "1", "name": "Ada"})
            user = new_test_user(
                self.env,
                "quality_user",
                groups="crm_omnichannel.group_omnichannel_user",
                context={"no_reset_password": True},
            )
            action = self.channel.with_user(user).action_view_quality()
        self.assertEqual(action["res_model"], "omni.quality")
        self.assertEqual(self.rows()["name"].with_user(user).total, 1)
        with self.assertRaises(AccessError):
            self.rows()["name"].with_user(user).total = 2

    def test_companies(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.channel.company_id = other
        self.land({"id": "1", "name": "Ada"})
        self.quality._measure(self.channel, DAY)
        user = new_test_user(
            self.env,
            "quality_other",
            groups="crm_omnichannel.group_omnichannel_user",
            context={"no_reset_password": True},
        )
        mine = self.quality.with_user(user)
        self.assertFalse(mine.search([("channel_id", "=", self.channel.id)]))
