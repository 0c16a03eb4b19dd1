from psycopg2.errors import UniqueViolation

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger


@tagged("post_install", "-at_install")
class TestSegment(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partners = cls.env["res.partner"].create(
            [{"name": f"Segment {n}", "ref": "seg", "color": n} for n in range(5)]
        )
        cls.segment = cls.env["omni.segment"].create(
            {
                "name": "Low",
                "code": "test-low",
                "domain": '[("ref", "=", "seg"), ("color", "<", 3)]',
            }
        )
        cls.manager = new_test_user(
            cls.env,
            "segment_manager",
            groups="crm_omnichannel.group_omnichannel_manager",
            context={"no_reset_password": True},
        )

    def members(self, segment=None):
        segment = segment or self.segment
        rows = self.env["omni.segment.member"].search(
            [("segment_id", "=", segment.id)], order="partner_id"
        )
        return rows.partner_id

    def test_members_follow_the_condition(self):
        self.assertEqual(self.members(), self.partners[:3])
        self.assertEqual(self.segment.partner_count, 3)
        self.partners[0].color = 7
        self.partners[4].color = 0
        since = {
            row.partner_id: row.id
            for row in self.env["omni.segment.member"].search(
                [("segment_id", "=", self.segment.id)]
            )
        }
        changes = self.segment._refresh()
        self.assertEqual(
            changes, {self.segment: ([self.partners[4].id], [self.partners[0].id])}
        )
        self.assertEqual(
            self.members(), self.partners[1] | self.partners[2] | self.partners[4]
        )
        kept = self.env["omni.segment.member"].search(
            [("partner_id", "=", self.partners[1].id)]
        )
        self.assertEqual(kept.id, since[self.partners[1]])
        self.assertEqual(self.segment._refresh(), {self.segment: ([], [])})

    def test_statements_do_not_grow(self):
        more = self.env["res.partner"].create(
            [{"name": f"More {n}", "ref": "seg", "color": 1} for n in range(200)]
        )
        self.env.flush_all()
        # the segment, its stamp, the difference, who came, and that they came
        with self.assertQueryCount(5):
            [change] = self.segment._refresh().values()
        self.assertEqual(sorted(change.entered), more.ids)
        self.assertEqual(self.segment.partner_count, 203)

    def test_one_customer_at_once(self):
        self.partners[3].color = 0
        self.partners[0].color = 9
        self.segment._refresh(self.partners[3])
        self.assertEqual(self.members(), self.partners[:4])

    def test_nothing_to_refresh_is_nothing(self):
        """Only who says all gets all."""
        self.env.cr.execute("UPDATE omni_segment SET refreshed_at = NULL")
        self.env.invalidate_all()
        nobody = self.segment.browse()
        self.assertEqual(nobody._refresh(), {})
        nobody.write({"active": True})
        nobody.create([])
        self.assertFalse(self.segment.refreshed_at)
        self.assertIn(self.segment, self.segment._refresh_all())
        self.assertTrue(self.segment.refreshed_at)

    @mute_logger("odoo.sql_db", "odoo.addons.crm_omnichannel.models.omni_segment")
    def test_a_condition_that_breaks_costs_its_own_segment(self):
        broken = self.env["omni.segment"].create(
            [
                {"name": code, "code": code, "company_id": False}
                for code in ("test-gone", "test-huge")
            ]
        )
        self.env.flush_all()
        for segment, domain in zip(
            broken, ('[("gone", "=", 1)]', f'[("color", "=", {10**30})]'), strict=True
        ):
            self.env.cr.execute(
                "UPDATE omni_segment SET domain = %s WHERE id = %s",
                [domain, segment.id],
            )
        self.env.invalidate_all()
        partner = self.partners[0]
        for segment in broken:
            self.assertFalse(segment._segments_of(partner))
        self.assertEqual((broken | self.segment)._segments_of(partner), self.segment)
        # the transaction goes on
        found = partner.customer_360(["segments"])["segments"]
        self.assertIn(self.segment.code, [segment["code"] for segment in found])

    def test_segments_of_reads_only(self):
        other = self.segment.create(
            {
                "name": "Other",
                "code": "test-other",
                "domain": '[("name", "=", "Segment 3")]',
            }
        )
        both = self.segment | other
        self.partners[3].color = 0
        self.env.flush_all()
        both.read(["domain", "company_id", "lang", "tz", "active", "problem_code"])
        before = self.members()
        # one query in its savepoint
        with self.assertQueryCount(3):
            found = both._segments_of(self.partners[3])
        self.assertEqual(found, both)
        self.assertEqual(self.members(), before)
        self.assertFalse(both._segments_of(self.partners[4]))
        self.assertFalse(both._segments_of(self.env["res.partner"]))
        self.assertIn(other, self.segment.browse()._segments_of(self.partners[3]))

    def test_search_by_any_field(self):
        partners = self.env["res.partner"].with_user(self.manager)
        for domain in (
            [("omni_segment_ids", "in", self.segment.ids)],
            [("omni_segment_ids.code", "=", "test-low")],
            [("omni_segment_ids", "ilike", "low"), ("ref", "=", "seg")],
        ):
            with self.subTest(domain=domain):
                self.assertEqual(partners.search(domain), self.partners[:3])
        rest = [("omni_segment_ids", "not in", self.segment.ids), ("ref", "=", "seg")]
        self.assertEqual(partners.search(rest), self.partners[3:])
        self.assertEqual(self.partners[0].omni_segment_ids, self.segment)
        action = self.segment.action_view_partners()
        self.assertEqual(partners.search(action["domain"]), self.partners[:3])

    def test_count_follows_the_editing(self):
        with Form(self.segment.with_user(self.manager)) as form:
            self.assertEqual(form.partner_count, 3)
            form.domain = '[("ref", "=", "seg")]'
            self.assertEqual(form.partner_count, 5)
            form.domain = "[("
            self.assertEqual(form.partner_count, 0)
            form.domain = '[("ref", "=", "seg"), ("color", "=", 4)]'
            self.assertEqual(form.partner_count, 1)
        self.assertEqual(self.members(), self.partners[4])

    def test_only_literal_values(self):
        for domain in (
            "[('create_uid', '=', uid)]",
            "[('name', '=', __import__('os').getcwd())]",
            "[('name', 'in', ['x'] * 10)]",
            "{}",
            "[(" * 500,
            "[('no_such_field', '=', 1)]",
            "[('name', 'is like', 'x')]",
            "[('id', 'any!', [])]",
            "[1]",
        ):
            with self.subTest(domain=domain[:40]), self.assertRaises(ValidationError):
                self.segment.domain = domain
            self.segment.invalidate_recordset()

    def test_authors_rights_bind_the_condition(self):
        self.patch(self.env.registry["res.partner"]._fields["ref"], "groups", ".")
        with self.assertRaises(AccessError):
            self.segment.with_user(self.manager).write(
                {"domain": '[("ref", "=", "seg")]'}
            )

    def test_archived_segment_is_empty(self):
        self.segment.action_archive()
        self.assertFalse(self.members())
        self.assertFalse(self.segment._segments_of(self.partners[0]))
        self.segment.action_unarchive()
        self.assertEqual(self.members(), self.partners[:3])

    def test_code_is_unique_in_its_company(self):
        company = self.env["res.company"].create({"name": "Other"})
        self.segment.create(
            {"name": "Low", "code": "test-low", "company_id": company.id}
        )
        self.segment.create({"name": "Low", "code": "test-low", "company_id": False})
        self.assertEqual(self.segment.copy().code, "test-low-2")
        with (
            self.assertRaises(UniqueViolation),
            mute_logger("odoo.sql_db"),
            self.env.cr.savepoint(),
        ):
            self.segment.create({"name": "Low", "code": "test-low"})
        with self.assertRaises(ValidationError):
            self.segment.code = "With Spaces"

    def test_coming_and_going_are_events(self):
        self.partners[0].color = 7
        self.segment._refresh()
        entries = self.partners[0].customer_360(["timeline"], kinds=["segment"])
        self.assertEqual(
            [(entry["code"], entry["text"]) for entry in entries["timeline"]],
            [
                ("segment_left", "Left the segment Low"),
                ("segment_entered", "Came into the segment Low"),
            ],
        )
        entry = entries["timeline"][0]
        self.assertEqual(
            (entry["res_model"], entry["res_id"]), ("omni.segment", self.segment.id)
        )
        # nothing changed: nothing is told
        before = self.env["omni.segment.event"].search_count([])
        self.segment._refresh()
        self.segment._refresh(self.partners[1])
        self.assertEqual(self.env["omni.segment.event"].search_count([]), before)
        self.partners[3].color = 1
        self.segment._refresh(self.partners[3])
        event = self.env["omni.segment.event"].search([], limit=1)
        self.assertEqual((event.partner_id, event.kind), (self.partners[3], "entered"))

    def test_old_events_are_forgotten(self):
        events = self.env["omni.segment.event"]
        self.env.cr.execute(
            "UPDATE omni_segment_event SET at = at - interval '3 years'"
            " WHERE partner_id = %s",
            [self.partners[0].id],
        )
        events.invalidate_model()
        events._gc_segment_event()
        left = events.search([("segment_id", "=", self.segment.id)]).partner_id
        self.assertEqual(left, self.partners[1:3])

    def test_companies(self):
        company = self.env["res.company"].create({"name": "Other"})
        self.partners[0].company_id = company
        theirs = self.segment.create(
            {
                "name": "Theirs",
                "code": "test-theirs",
                "company_id": company.id,
                "domain": '[("ref", "=", "seg")]',
            }
        )
        self.segment._refresh()
        self.assertEqual(self.members(), self.partners[1:3])
        self.assertEqual(self.members(theirs), self.partners)
        mine = self.env["omni.segment"].with_user(self.manager)
        self.assertFalse(mine.search([("id", "=", theirs.id)]))
        partner = self.partners[1].with_user(self.manager)
        self.assertEqual(partner.omni_segment_ids, self.segment)
        shared = self.segment.create(
            {
                "name": "Shared",
                "code": "test-shared",
                "company_id": False,
                "domain": '[("ref", "=", "seg")]',
            }
        )
        self.assertEqual(self.members(shared), self.partners)
        self.assertEqual(shared.with_user(self.manager).partner_count, 4)

    def test_value_of_each_company_needs_a_company(self):
        domain = '["|", ("ref", "=", "seg"), ("parent_id.barcode", "=", "1")]'
        self.segment.domain = domain
        with self.assertRaises(ValidationError):
            self.segment.company_id = False

    def test_a_condition_means_what_its_author_meant(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        china = self.env.ref("base.cn")
        china.with_context(lang="zh_CN").name = "中国"
        self.partners[0].country_id = china
        manager = self.segment.with_user(self.manager).with_context(lang="zh_CN")
        manager.write({"domain": '[("country_id.name", "=", "中国")]'})
        self.assertIn(self.partners[0], self.members())
        self.segment.with_context(lang="en_US")._refresh()
        self.assertIn(self.partners[0], self.members())

    def test_rights(self):
        plain = new_test_user(
            self.env,
            "segment_plain",
            groups="base.group_user",
            context={"no_reset_password": True},
        )
        segment = self.segment.with_user(plain)
        self.assertEqual(segment.partner_count, 3)
        self.assertEqual(
            self.partners[0].with_user(plain).omni_segment_ids, self.segment
        )
        with self.assertRaises(AccessError):
            segment.name = "Mine"
        with self.assertRaises(AccessError):
            segment.action_refresh()
        with self.assertRaises(AccessError):
            self.env["omni.segment.member"].with_user(self.manager).create(
                {
                    "segment_id": self.segment.id,
                    "partner_id": self.partners[4].id,
                    "since": fields.Datetime.now(),
                }
            )

    def test_one_bad_condition_does_not_stop_the_others(self):
        bad = self.segment.create({"name": "Bad", "code": "test-bad"})
        # as after the uninstallation of an addon whose field it asks for
        self.env.cr.execute(
            "UPDATE omni_segment SET refreshed_at = NULL,"
            ' domain = \'[("gone_field", "=", 1)]\' WHERE id = %s',
            [bad.id],
        )
        self.env.invalidate_all()
        self.partners[4].color = 0
        with (
            self.enter_registry_test_mode(),
            self.assertLogs("odoo.addons.crm_omnichannel.models.omni_segment"),
        ):
            self.env.ref(
                "crm_omnichannel.ir_cron_refresh_segments"
            ).method_direct_trigger()
        self.assertIn(self.partners[4], self.members())
        self.assertEqual(bad.problem_code, "unknown_field")
        self.assertIn("gone_field", bad.problem)
        self.assertIn("客户不再有字段", bad.with_context(lang="zh_CN").problem)
        found = self.segment.browse()._segments_of(self.partners[4])
        self.assertIn(self.segment, found)
        self.assertNotIn(bad, found)
        bad.domain = "[(0, '=', 1)]"
        self.assertFalse(bad.problem)

    def test_cron(self):
        self.partners[4].color = 0
        with self.enter_registry_test_mode():
            self.env.ref(
                "crm_omnichannel.ir_cron_refresh_segments"
            ).method_direct_trigger()
        self.assertIn(self.partners[4], self.members())
        self.assertTrue(self.segment.refreshed_at)
