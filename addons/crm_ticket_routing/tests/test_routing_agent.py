from psycopg2 import IntegrityError

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import RoutingCase


@tagged("post_install", "-at_install")
class TestRoutingAgent(RoutingCase):
    def _row(self, user):
        return self.env["routing.agent"].search([("user_id", "=", user.id)])

    def test_members_are_agents(self):
        self.assertEqual(self._row(self.agent).capacity, 8)
        self.assertFalse(self._row(self.outsider))
        self._row(self.agent).capacity = 3
        self.team.user_ids |= self.outsider
        self.assertEqual(self._row(self.outsider).capacity, 8)
        self.assertEqual(self._row(self.agent).capacity, 3)
        action = self.team.action_routing_agents()
        self.assertEqual(
            self.env["routing.agent"].search(action["domain"]).user_id,
            self.agent | self.colleague | self.outsider,
        )

    def test_portal_user_is_no_agent(self):
        portal = new_test_user(self.env, "routing_agent_portal", "base.group_portal")
        self.team.user_ids |= portal
        self.assertFalse(self._row(portal))

    def test_load(self):
        self._ticket(user_id=self.agent.id)
        done = self._ticket(user_id=self.agent.id)
        done.stage_id = self.done
        row = self._row(self.agent)
        self.assertEqual(row.open_ticket_count, 1)
        self.assertEqual(row.with_user(self.colleague).open_ticket_count, 1)
        employee = self.env["hr.employee"].create(
            {"name": "Agent", "user_id": self.agent.id}
        )
        row.invalidate_recordset()
        self.assertEqual(row.employee_id.id, employee.id)
        rows = row | self._row(self.colleague)
        rows.invalidate_recordset()
        # Who is no employee is not shown as somebody else.
        self.assertEqual(rows.mapped("employee_id").ids, employee.ids)
        self.assertFalse(self._row(self.colleague).employee_id)

    def test_rules(self):
        row = self._row(self.agent)
        row.with_user(self.manager).capacity = 2
        with self.assertRaises(AccessError):
            row.with_user(self.agent).capacity = 50
        with self.assertRaises(AccessError):
            row.with_user(self.manager).unlink()
        for values in ({"capacity": -1}, {"user_id": self.colleague.id}):
            with (
                mute_logger("odoo.sql_db"),
                self.assertRaises(IntegrityError),
                self.env.cr.savepoint(),
            ):
                row.write(values)
        company = self.env["res.company"].create({"name": "Other company"})
        other = new_test_user(
            self.env,
            "routing_other_company",
            "helpdesk_mgmt.group_helpdesk_user",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        self.team.user_ids |= other
        rows = self.env["routing.agent"].with_user(self.manager).search([])
        self.assertNotIn(other, rows.user_id)

    def test_weights_of_the_team(self):
        team = self.team.with_user(self.manager)
        team.routing_weight_load = 7
        self.assertEqual(team._routing_weights().load, 7)
        self.assertEqual(team.browse()._routing_weights().load, 3)
        for values in (
            {"routing_weight_load": -1},
            {"routing_weight_vip": 0.5},
            {"routing_weight_age": 0},
        ):
            with (
                mute_logger("odoo.sql_db"),
                self.assertRaises(IntegrityError),
                self.env.cr.savepoint(),
            ):
                team.write(values)
        with self.assertRaises(AccessError):
            self.team.with_user(self.agent).routing_mode = "automatic"
