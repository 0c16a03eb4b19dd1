from datetime import timedelta

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SkillCase


@tagged("post_install", "-at_install")
class TestSkillRequirement(SkillCase):
    def _wizard(self, ticket, user=None):
        action = ticket.with_user(user or self.agent).action_routing_candidates()
        return (
            self.env["routing.candidate"]
            .with_user(user or self.agent)
            .browse(action["res_id"])
        )

    def test_level_of_another_skill(self):
        level = self.env.ref("hr_skills.hr_skill_level_a1")
        with self.assertRaises(ValidationError):
            self._requirement(self.child, self.laptops, level)

    def test_language_or_category(self):
        values = {"skill_id": self.laptops.id, "level_id": self.low.id}
        for more in ({}, {"category_id": self.child.id, "lang": "en_US"}):
            with (
                mute_logger("odoo.sql_db"),
                self.assertRaises(IntegrityError),
                self.env.cr.savepoint(),
            ):
                self.env["routing.skill.requirement"].create({**values, **more})
        language = {**values, "lang": "en_US"}
        self.env["routing.skill.requirement"].create(language)
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self.env["routing.skill.requirement"].create(language)

    def test_language_of_the_customer(self):
        self._requirement(False, self.printers, self.low, lang="en_US")
        self.customer.lang = "en_US"
        wizard = self._wizard(self._ticket())
        self.assertEqual(wizard.requirement_text, "Printers from Low")
        self.assertFalse(any(wizard.line_ids.mapped("able")))
        self._skill(self.printers, self.low)
        wizard = self._wizard(self._ticket())
        self.assertEqual(wizard.line_ids.mapped("able"), [True, False])
        self.assertTrue(
            self.env["routing.skill.requirement"]
            .with_user(self.manager)
            .search([("lang", "=", "en_US"), ("skill_id", "=", self.printers.id)])
        )

    def test_skill_once_a_category(self):
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self._requirement(self.category, self.laptops, self.low)

    def test_ranking(self):
        self._skill(self.laptops, self.high)
        wizard = self._wizard(self._ticket(category_id=self.category.id))
        self.assertRecordValues(
            wizard.line_ids,
            [
                {"user_id": self.agent.id, "able": True, "open_ticket_text": "0 / 8"},
                {
                    "user_id": self.colleague.id,
                    "able": False,
                    "open_ticket_text": "0 / 8",
                },
            ],
        )
        self.assertEqual(
            wizard.line_ids[0].reason,
            "Optional: Printers is missing. Optional skills 2.00",
        )
        self.assertEqual(
            wizard.line_ids[1].reason,
            "No employee is linked, so no skill is known. Laptops is missing."
            " Optional: Printers is missing.",
        )
        self.assertEqual(
            wizard.requirement_text,
            "Laptops from High and Printers from Low (optional)",
        )
        chinese = wizard.line_ids[1].with_context(lang="zh_CN").reason
        self.assertNotIn("missing", chinese)

    def test_level_too_low(self):
        self._skill(self.laptops, self.low)
        wizard = self._wizard(self._ticket(category_id=self.category.id))
        line = wizard.line_ids.filtered(lambda line: line.user_id == self.agent)
        self.assertFalse(line.able)
        self.assertIn("Laptops is at 20 %, 80 % is asked for.", line.reason)

    def test_skill_that_has_expired(self):
        today = fields.Date.today()
        self._skill(
            self.laptops,
            self.high,
            valid_from=today - timedelta(days=30),
            valid_to=today - timedelta(days=1),
        )
        wizard = self._wizard(self._ticket(category_id=self.category.id))
        self.assertFalse(any(wizard.line_ids.mapped("able")))

    def test_category_inherits(self):
        ticket = self._ticket(category_id=self.child.id)
        self.assertEqual(len(ticket._routing_requirements()), 2)
        self._requirement(self.child, self.printers, self.high)
        self._skill(self.laptops, self.high)
        self._skill(self.printers, self.low)
        wizard = self._wizard(ticket)
        line = wizard.line_ids.filtered(lambda line: line.user_id == self.agent)
        self.assertFalse(line.able)
        self.assertIn("Printers is at 20 %", line.reason)

    def test_load_decides_without_requirements(self):
        self._ticket(user_id=self.agent.id, partner_id=False)
        wizard = self._wizard(self._ticket())
        self.assertEqual(wizard.line_ids.user_id[0], self.colleague)
        self.assertEqual(wizard.line_ids.mapped("open_ticket_text"), ["0 / 8", "1 / 8"])
        self.assertEqual(
            wizard.line_ids[1].reason, "Has what is asked for. Open tickets 0.38"
        )
        self.assertFalse(wizard.requirement_text)

    def test_assign(self):
        self._skill(self.laptops, self.high)
        ticket = self._ticket(category_id=self.category.id)
        wizard = self._wizard(ticket)
        wizard.line_ids[0].action_assign()
        self.assertEqual(ticket.user_id, self.agent)
        self.assertEqual(ticket.team_id, self.team)

    def test_assign_to_one_who_left(self):
        ticket = self._ticket()
        wizard = self._wizard(ticket)
        line = wizard.line_ids.filtered(lambda line: line.user_id == self.colleague)
        self.team.user_ids -= self.colleague
        with self.assertRaises(UserError):
            line.action_assign()

    def test_rights(self):
        requirement = self.env["routing.skill.requirement"].search(
            [("category_id", "=", self.category.id)], limit=1
        )
        self.assertTrue(requirement.with_user(self.agent).skill_id)
        with self.assertRaises(AccessError):
            requirement.with_user(self.agent).necessity = "optional"
        requirement.with_user(self.manager).necessity = "optional"
        ticket = self._ticket()
        with self.assertRaises(AccessError):
            ticket.with_user(self.outsider).action_routing_candidates()

    def test_companies(self):
        company = self.env["res.company"].create({"name": "Other company"})
        self.category.company_id = company
        found = self.env["routing.skill.requirement"].with_user(self.manager).search([])
        self.assertNotIn(self.category, found.category_id)
