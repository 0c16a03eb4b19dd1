from datetime import datetime

from odoo.tests import TransactionCase, freeze_time, new_test_user

MONDAY = datetime(2026, 3, 2)


def at(day, hour, minute=0):
    """A moment of the test weeks; day 0 is Monday, 2 March 2026, in UTC."""
    return datetime(2026, 3, 2 + day, hour, minute)


class RoutingCase(TransactionCase):
    """A team of three, a nine-to-five calendar in UTC, no policy but ours."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(
            context={
                **cls.env.context,
                "no_reset_password": True,
                "mail_create_nolog": True,
            }
        )
        cls.env["routing.sla.policy"].search([]).active = False
        cls.company = cls.env.company
        cls.calendar = cls.env["resource.calendar"].create(
            {
                "name": "Nine to five",
                "tz": "UTC",
                "company_id": cls.company.id,
                "attendance_ids": [
                    (
                        0,
                        0,
                        {
                            "name": "Day",
                            "dayofweek": str(day),
                            "hour_from": 9,
                            "hour_to": 17,
                            "day_period": "morning",
                        },
                    )
                    for day in range(5)
                ],
            }
        )
        cls.manager = new_test_user(
            cls.env, "routing_manager", "helpdesk_mgmt.group_helpdesk_manager"
        )
        cls.agent, cls.colleague, cls.outsider = (
            new_test_user(cls.env, login, "helpdesk_mgmt.group_helpdesk_user_team")
            for login in ("routing_agent", "routing_colleague", "routing_outsider")
        )
        cls.customer = cls.env["res.partner"].create(
            {"name": "Customer", "email": "customer@example.com"}
        )
        cls.category, cls.child = cls.env["helpdesk.ticket.category"].create(
            [{"name": "Hardware test"}, {"name": "Laptops test"}]
        )
        cls.child.parent_id = cls.category
        cls.team = cls.env["helpdesk.ticket.team"].create(
            {
                "name": "Routing team",
                "user_ids": [(6, 0, (cls.agent | cls.colleague).ids)],
            }
        )
        stages = cls.env["helpdesk.ticket.stage"]
        cls.new, cls.waiting, cls.done = (
            cls.env.ref(f"helpdesk_mgmt.helpdesk_ticket_stage_{name}")
            for name in ("new", "awaiting", "done")
        )
        (cls.new | cls.waiting | cls.done).mail_template_id = False
        stages.search([]).routing_pauses_sla = False
        cls.waiting.routing_pauses_sla = True

    def _policy(self, **values):
        values.setdefault("first_response_hours", 4)
        values.setdefault("resolution_hours", 8)
        return self.env["routing.sla.policy"].create(
            {"name": "Policy", "calendar_id": self.calendar.id, **values}
        )

    def _ticket(self, moment=None, **values):
        """A ticket that came at a moment."""
        moment = moment or at(0, 9)
        with freeze_time(moment):
            ticket = self.env["helpdesk.ticket"].create(
                {
                    "name": "Broken",
                    "description": "It does not work.",
                    "team_id": self.team.id,
                    "partner_id": self.customer.id,
                    **values,
                }
            )
            # The database's clock is not frozen; the ticket came at the moment.
            ticket.routing_target_ids.start_at = moment
            ticket.routing_target_ids._refresh_deadlines()
        return ticket

    def _move(self, ticket, stage, moment):
        with freeze_time(moment):
            ticket.stage_id = stage

    def _target(self, ticket, kind):
        return ticket.routing_target_ids.filtered(lambda t: t.kind == kind)


class SkillCase(RoutingCase):
    """The same team; the agent has an employee, and a category asks for skills."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["routing.skill.requirement"].search([("lang", "!=", False)]).unlink()
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
        # At work at any hour, as the tests run at any hour.
        cls.employee.resource_calendar_id = False
        cls._requirement(cls.category, cls.laptops, cls.high)
        cls._requirement(cls.category, cls.printers, cls.low, "optional")

    @classmethod
    def _requirement(cls, category, skill, level, necessity="required", **values):
        return cls.env["routing.skill.requirement"].create(
            {
                "category_id": category and category.id,
                "skill_id": skill.id,
                "level_id": level.id,
                "necessity": necessity,
                **values,
            }
        )

    def _skill(self, skill, level, employee=None, **values):
        return self.env["hr.employee.skill"].create(
            {
                "employee_id": (employee or self.employee).id,
                "skill_type_id": self.skill_type.id,
                "skill_id": skill.id,
                "skill_level_id": level.id,
                **values,
            }
        )
