from datetime import timedelta

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import RoutingCase


@tagged("post_install", "-at_install")
class TestSkillRequirement(RoutingCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.skill_type = cls.env["hr.skill.type"].create(
            {
                "name": "Test skills",
                "skill_ids": [
                    (0, 0, {"name": "Laptops"}),
                    (0, 0, {"name": "Printers"}),
                ],
                "skill_level_ids": [
                    (0, 0, {"name": "Low", "level_progress": 20}),
                    (0, 0, {"name": "High", "level_progress": 80}),
                ],
            }
        )
        cls.laptops, cls.printers = cls.skill_type.skill_ids
        cls.low, cls.high = cls.skill_type.skill_level_ids.sorted("level_progress")
        cls.employee = cls.env["hr.employee"].create(
            {"name": "Agent", "user_id": cls.agent.id}
        )
        cls._requirement(cls.category, cls.laptops, cls.high)
        cls._requirement(cls.category, cls.printers, cls.low, "optional")

    @classmethod
    def _requirement(cls, category, skill, level, necessity="required"):
        return cls.env["routing.skill.requirement"].create(
            {
                "category_id": category.id,
                "skill_id": skill.id,
                "level_id": level.id,
                "necessity": necessity,
            }
        )

    def _skill(self, skill, level, **values):
        return self.env["hr.employee.skill"].create(
            {
                "employee_id": self.employee.id,
                "skill_type_id": self.skill_type.id,
                "skill_id": skill.id,
                "skill_level_id": level.id,
                **values,
            }
        )

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

    def test_skill_once_a_category(self):
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self._requirement(self.category, self.laptops, self.low)

    def test_ranking(self):
        self._skill(self.laptops, self.high)
        wizard = self._wizard(self._ticket(category_id=self.category.id))
        self.assertRecordValues(
            wizard.line_ids,
            [
                {"user_id": self.agent.id, "qualified": True, "known": True},
                {"user_id": self.colleague.id, "qualified": False, "known": False},
            ],
        )
        self.assertEqual(wizard.line_ids[0].reason, "Optional: Printers is missing.")
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
        self.assertFalse(line.qualified)
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
        self.assertFalse(any(wizard.line_ids.mapped("qualified")))

    def test_category_inherits(self):
        ticket = self._ticket(category_id=self.child.id)
        self.assertEqual(len(ticket._routing_requirements()), 2)
        self._requirement(self.child, self.printers, self.high)
        self._skill(self.laptops, self.high)
        self._skill(self.printers, self.low)
        wizard = self._wizard(ticket)
        line = wizard.line_ids.filtered(lambda line: line.user_id == self.agent)
        self.assertFalse(line.qualified)
        self.assertIn("Printers is at 20 %", line.reason)

    def test_load_decides_without_requirements(self):
        self._ticket(user_id=self.agent.id)
        wizard = self._wizard(self._ticket())
        self.assertEqual(wizard.line_ids.user_id[0], self.colleague)
        self.assertEqual(wizard.line_ids.mapped("open_ticket_count"), [0, 1])
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
