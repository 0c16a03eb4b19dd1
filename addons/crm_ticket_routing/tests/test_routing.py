from datetime import timedelta
from unittest.mock import patch

from psycopg2 import IntegrityError, errors

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, freeze_time, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.base.tests.test_ir_cron import CronMixinCase

from ..messages import BECAUSE, BLOCKS, FACTORS, ROUTING, TERMS
from ..models import helpdesk_ticket
from ..models.routing_engine import RoutingEngine
from ..tools import routing_cost
from .common import SkillCase, at


@tagged("post_install", "-at_install")
class TestRouting(CronMixinCase, SkillCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.team.routing_working_hours = False
        cls.second = cls.env["hr.employee"].create(
            {"name": "Colleague", "user_id": cls.colleague.id}
        )
        cls.second.resource_calendar_id = False
        cls.places = cls.env["routing.agent"].search(
            [("user_id", "in", (cls.agent | cls.colleague).ids)]
        )

    def _new(self, number=1, **values):
        """Tickets that come now, as from a customer."""
        return self.env["helpdesk.ticket"].create(
            [
                {
                    "name": f"Ticket {n}",
                    "description": "It does not work.",
                    "team_id": self.team.id,
                    "partner_id": self.customer.id,
                    **values,
                }
                for n in range(number)
            ]
        )

    def _place(self, user):
        return self.places.filtered(lambda row: row.user_id == user)

    # --- ARRIVAL ---

    def test_off(self):
        ticket = self._new(user_id=False)
        self.assertFalse(ticket.user_id or ticket.routing_decision_id)

    def test_automatic(self):
        self.team.routing_mode = "automatic"
        self._skill(self.laptops, self.high)
        ticket = self._new(category_id=self.category.id)
        self.assertEqual((ticket.user_id, ticket.team_id), (self.agent, self.team))
        self.assertTrue(ticket.assigned_date)
        decision = ticket.routing_decision_id
        self.assertRecordValues(
            decision,
            [
                {
                    "user_id": self.agent.id,
                    "outcome": "assigned",
                    "mode": "automatic",
                    "reason_code": "chosen",
                    "superseded": False,
                    "team_id": self.team.id,
                    "cost": 2.0,
                }
            ],
        )
        self.assertEqual(ticket.routing_outcome, "assigned")
        self.assertEqual(
            [(entry["user"], entry["blocks"]) for entry in decision.candidates],
            [(self.agent.id, []), (self.colleague.id, ["missing_skill"])],
        )
        self.assertEqual(
            decision.reason, f"{self.agent.name}: nobody else can take it now."
        )
        self.assertTrue(self._place(self.agent).routed_at)
        self.assertFalse(self._place(self.colleague).routed_at)

    def test_who_creates_is_not_the_agent(self):
        self.company.helpdesk_mgmt_ticket_auto_assign = True
        self.team.routing_mode = "automatic"
        ticket = self._new()
        self.assertIn(ticket.user_id, self.agent | self.colleague)
        # Somebody who is named stays.
        self.assertEqual(self._new(user_id=self.colleague.id).user_id, self.colleague)

    def test_in_the_form(self):
        self.team.routing_mode = "automatic"
        form = Form(self.env["helpdesk.ticket"].with_user(self.manager))
        form.name = "Broken"
        form.description = "It does not work."
        form.team_id = self.team
        ticket = form.save()
        self.assertIn(ticket.user_id, self.agent | self.colleague)

    def test_from_the_gateway(self):
        self.team.routing_mode = "automatic"
        ticket = self.env["helpdesk.ticket"].message_new(
            {
                "subject": "Help",
                "body": "<script>alert(1)</script>It does not work.",
                "from": "customer@example.com",
                "author_id": self.customer.id,
                "to": "help@example.com",
            },
            {"team_id": self.team.id},
        )
        self.assertIn(ticket.user_id, self.agent | self.colleague)

    def test_by_a_portal_user(self):
        """Rights of who creates the ticket do not matter, and nothing leaks."""
        self.team.routing_mode = "automatic"
        portal = new_test_user(self.env, "routing_portal2", "base.group_portal")
        ticket = self._new(partner_id=portal.partner_id.id)
        self.assertTrue(ticket.with_user(portal).name)
        self.env.invalidate_all()
        with self.assertRaises(AccessError):
            ticket.with_user(portal).routing_decision_ids.mapped("candidates")

    def test_who_reads_the_fields_of_routing(self):
        """A customer reads the ticket by RPC, an agent also what routing has done."""
        self.team.routing_mode = "automatic"
        portal = new_test_user(self.env, "routing_portal3", "base.group_portal")
        ticket = self._new(partner_id=portal.partner_id.id)
        agent = ticket.user_id
        self.assertTrue(agent)
        for record in (ticket, self.team):
            ours = [n for n in record._fields if n.startswith("routing_")]
            seen = record.with_user(agent).read(ours)[0]
            self.assertEqual(seen["routing_mode"], "automatic")
            of_portal = record.with_user(portal)
            self.assertTrue(of_portal.read(["name"])[0]["name"])
            self.assertFalse(set(ours) & of_portal.fields_get().keys())
            for name in ours:
                with (
                    self.subTest(model=record._name, field=name),
                    self.assertRaises(AccessError),
                ):
                    of_portal.read([name])
            with self.assertRaises(AccessError):
                of_portal.search([("routing_mode", "=", "automatic")])
        with self.assertRaises(AccessError):
            ticket.with_user(portal).search([("routing_decision_id", "!=", False)])
        seen = ticket.with_user(agent).read(
            ["routing_reason", "routing_agent_id", "routing_candidates_html"]
        )[0]
        self.assertEqual(seen["routing_agent_id"][0], agent.id)
        self.assertIn(agent.name, seen["routing_reason"])
        self.assertIn(agent.name, seen["routing_candidates_html"])

    def test_a_failure_does_not_cost_the_ticket(self):
        self.team.routing_mode = "automatic"
        with (
            patch.object(RoutingEngine, "_solve", side_effect=ZeroDivisionError),
            self.assertLogs("odoo.addons.crm_ticket_routing", "ERROR"),
        ):
            ticket = self._new()
        self.assertFalse(ticket.user_id)
        self.assertEqual(ticket.routing_decision_id.reason_code, "failed")
        self.assertIn("failed", ticket.routing_reason)
        self.assertTrue(ticket.routing_attempted_at)

    def test_one_that_fails_does_not_hold_up_the_others(self):
        self.team.routing_mode = "automatic"
        give = helpdesk_ticket.HelpdeskTicket._routing_give

        def only_good(tickets, user):
            if "Ticket 1" in tickets.mapped("name"):
                raise ZeroDivisionError
            give(tickets, user)

        with (
            patch.object(helpdesk_ticket.HelpdeskTicket, "_routing_give", only_good),
            self.assertLogs("odoo.addons.crm_ticket_routing", "ERROR"),
        ):
            tickets = self._new(3)
        self.assertEqual([bool(t.user_id) for t in tickets], [True, False, True])
        self.assertEqual(tickets[1].routing_decision_id.reason_code, "failed")

    def test_conflict_is_tried_again_after_the_commit(self):
        self.team.routing_mode = "automatic"
        lock = type(self.env["routing.agent"])._lock
        calls = []

        def busy_at_first(agents, users, wait=True):
            calls.append(wait)
            if len(calls) == 1:
                raise errors.LockNotAvailable
            return lock(agents, users, wait)

        with patch.object(type(self.env["routing.agent"]), "_lock", busy_at_first):
            ticket = self._new()
            self.assertFalse(ticket.user_id)
            self.env.flush_all()
            with self.enter_registry_test_mode():
                self.env.cr.postcommit.run()
        self.env.invalidate_all()
        self.assertTrue(ticket.user_id)
        self.assertEqual(calls, [False, True])

    def test_an_import_is_left_to_the_cron(self):
        self.team.routing_mode = "automatic"
        self.places.capacity = 100
        cron = self.env.ref("crm_ticket_routing.ir_cron_route")
        with self.capture_triggers(cron.id) as triggers:
            tickets = self._new(helpdesk_ticket.AT_ONCE + 1)
        self.assertEqual(len(triggers.records), 1)
        self.assertFalse(tickets.user_id)
        self.env.flush_all()
        with self.enter_registry_test_mode():
            cron.method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(
            sorted(len(t) for t in tickets.grouped("user_id").values()), [10, 11]
        )

    # --- SUGGESTIONS ---

    def test_suggest(self):
        self.team.routing_mode = "suggest"
        ticket = self._new()
        self.assertFalse(ticket.user_id)
        self.assertEqual(ticket.routing_outcome, "suggested")
        suggested = ticket.routing_agent_id
        self.assertIn(suggested, self.agent | self.colleague)
        self.assertNotIn(ticket.id, self.env["helpdesk.ticket"]._routing_queue())
        ticket.with_user(self.agent).action_routing_accept()
        self.assertEqual(ticket.user_id, suggested)
        self.assertEqual(ticket.routing_outcome, "assigned")
        self.assertFalse(ticket.routing_overridden_by_id)
        with self.assertRaises(UserError):
            ticket.action_routing_accept()

    def test_another_than_suggested(self):
        self.team.routing_mode = "suggest"
        ticket = self._new()
        other = (self.agent | self.colleague) - ticket.routing_agent_id
        ticket.with_user(self.manager).user_id = other
        self.assertRecordValues(
            ticket.routing_decision_id,
            [{"override_user_id": other.id, "overridden_by_id": self.manager.id}],
        )

    # --- ON REQUEST ---

    def test_route_now(self):
        ticket = self._new(user_id=False)
        self.assertTrue(ticket.with_user(self.agent).action_route())
        self.assertTrue(ticket.user_id)
        self.assertEqual(ticket.routing_decision_id.mode, "request")
        with self.assertRaises(UserError):
            ticket.action_route()
        with self.assertRaises(AccessError):
            self._new(user_id=False).with_user(self.outsider).action_route()

    def test_who_changes_the_agent_is_noted_whatever_the_context_says(self):
        self.team.routing_mode = "automatic"
        ticket = self._new()
        other = (self.agent | self.colleague) - ticket.user_id
        ticket.with_user(self.manager).with_context(routing_gives=True).user_id = other
        self.assertEqual(ticket.routing_overridden_by_id, self.manager)

    def test_out_of_sight(self):
        """Who sees only own tickets is led away from one that somebody else got."""
        own = new_test_user(
            self.env, "routing_own", "helpdesk_mgmt.group_helpdesk_user_own"
        )
        self.team.user_ids |= own
        self.places.search([("user_id", "=", own.id)]).capacity = 0
        ticket = self._new(user_id=False)
        action = ticket.with_user(own).action_route()
        self.assertEqual(action["res_model"], "helpdesk.ticket")
        self.assertNotEqual(ticket.user_id, own)
        # What they create they see.
        self.team.routing_mode = "automatic"
        form = Form(self.env["helpdesk.ticket"].with_user(own))
        form.name = "Broken"
        form.description = "It does not work."
        form.team_id = self.team
        form.user_id = self.env["res.users"]
        self.assertNotEqual(form.save().user_id, own)

    def test_many_in_one_solution(self):
        """Alone the second would get the first one's agent; together both fit."""
        self._skill(self.laptops, self.high)
        self.places.capacity = 1
        easy = self._new(user_id=False)
        # Nobody but the agent can take this one, and it is less urgent.
        hard = self._new(user_id=False, category_id=self.category.id, priority="0")
        easy.team_id.routing_weight_surplus = 0
        action = (easy | hard).action_route()
        self.assertEqual(action["params"]["type"], "success")
        self.assertEqual((easy.user_id, hard.user_id), (self.colleague, self.agent))
        more = self._new(2, user_id=False)
        self.assertEqual(more.action_route()["params"]["type"], "warning")
        self.assertEqual(set(more.mapped("routing_outcome")), {"waiting"})

    def test_most_urgent_first(self):
        self.places.capacity = 0
        self._place(self.agent).capacity = 2
        tickets = self._new(4, user_id=False)
        tickets[1].priority = "3"
        self._policy()
        with freeze_time(fields.Datetime.now() - timedelta(days=3)):
            tickets[2].priority = "2"
        tickets.action_route()
        self.assertEqual(tickets.filtered("user_id"), tickets[1] | tickets[2])
        self.assertEqual(
            (tickets[0] | tickets[3]).mapped("routing_reason"),
            ["More urgent tickets took the free places."] * 2,
        )

    def test_limit(self):
        tickets = self._new(3, user_id=False)
        with patch.object(helpdesk_ticket, "BATCH", 2), self.assertRaises(UserError):
            tickets.action_route()

    def test_without_team(self):
        """Everybody of the company is asked; the agent's team comes with the agent."""
        self.env["helpdesk.ticket.team"].search(
            [("id", "!=", self.team.id)]
        ).active = False
        ticket = self._new(team_id=False, user_id=False)
        ticket.action_route()
        self.assertIn(ticket.user_id, self.team.user_ids)
        self.assertEqual(ticket.team_id, self.team)

    def test_two_teams_share_an_agent(self):
        """What one team gives, the other does not give again."""
        other = self.team.copy({"name": "Second", "user_ids": [(6, 0, self.agent.ids)]})
        self.places.capacity = 1
        first = self._new(user_id=False, priority="3", team_id=other.id)
        second = self._new(user_id=False)
        (first | second).action_route()
        self.assertEqual((first.user_id, second.user_id), (self.agent, self.colleague))

    # --- WHO CANNOT ---

    def _waits(self, text, **values):
        ticket = self._new(user_id=False, **values)
        ticket.action_route()
        self.assertFalse(ticket.user_id)
        self.assertEqual(ticket.routing_reason, text)
        return ticket

    def test_nobody_has_the_skill(self):
        self._skill(self.laptops, self.low)
        ticket = self._waits(
            "Nobody in the team has Laptops from 80 %.", category_id=self.category.id
        )
        html = ticket.routing_candidates_html
        self.assertIn("Laptops is at 20 %, 80 % is asked for.", html)
        self.assertIn("Laptops is missing.", html)

    def test_no_place(self):
        self.places.capacity = 0
        ticket = self._waits("Who could take it has no free place.")
        self.assertIn("0 of 0 are taken", ticket.routing_candidates_html)

    def test_no_agent(self):
        self.team.user_ids = False
        self._waits("The team has no agent.")

    def test_leave(self):
        now = fields.Datetime.now()
        leaves = self.env["resource.calendar.leaves"]
        for employee in self.employee | self.second:
            leaves.create(
                {
                    "name": "Leave",
                    "resource_id": employee.resource_id.id,
                    "date_from": now - timedelta(hours=1),
                    "date_to": now + timedelta(hours=1),
                }
            )
        ticket = self._waits(
            "Who has the skills is on leave or outside the working hours."
        )
        self.assertEqual(ticket.routing_candidates_html.count("On leave."), 2)
        leaves.search([("resource_id", "=", self.second.resource_id.id)]).unlink()
        ticket.action_route()
        self.assertEqual(ticket.user_id, self.colleague)

    def test_public_holiday(self):
        now = fields.Datetime.now()
        holiday = self.env["resource.calendar.leaves"].create(
            {
                "name": "Holiday",
                "company_id": self.company.id,
                "calendar_id": False,
                "date_from": now - timedelta(hours=1),
                "date_to": now + timedelta(hours=1),
            }
        )
        ticket = self._waits(
            "Who has the skills is on leave or outside the working hours."
        )
        holiday.company_id = self.env["res.company"].create({"name": "Other company"})
        ticket.action_route()
        self.assertTrue(ticket.user_id)

    def test_working_hours(self):
        self.employee.resource_calendar_id = self.calendar
        self.employee.tz = "UTC"
        engine = self.env["routing.engine"]
        for moment, away in ((at(0, 10), {}), (at(0, 20), True), (at(5, 10), True)):
            with self.subTest(moment=moment):
                self.assertEqual(
                    engine._away(self.employee, moment),
                    away and {self.agent.id: "off_hours"},
                )
        # Without a calendar somebody is always there.
        self.employee.resource_calendar_id = False
        self.assertFalse(engine._away(self.employee, at(0, 20)))
        self.employee.resource_calendar_id = self.calendar
        facts = engine._gather(self._new(user_id=False), at(5, 10))[0].agents
        self.assertIsNone(facts[0].away)
        self.team.routing_working_hours = True
        facts = engine._gather(self._new(user_id=False), at(5, 10))[0].agents
        self.assertEqual(facts[0].away, "off_hours")

    # --- WHAT IT COSTS ---

    def test_continuity(self):
        self.team.routing_weight_load = 0
        for user in (self.agent, self.colleague):
            self._new(user_id=user.id)
            ticket = self._new(user_id=False)
            ticket.action_route()
            self.assertEqual(ticket.user_id, user)
            self.assertIn("knows the customer", ticket.routing_reason)

    def test_tier(self):
        """Of the commercial entity, in the company of the ticket."""
        contact = self.env["res.partner"].create(
            {"name": "Contact", "parent_id": self.customer.id, "type": "other"}
        )
        company = self.env["res.company"].create({"name": "Other company"})
        self.customer.with_company(company).customer_tier = "vip"
        self.customer.customer_tier = "silver"
        own = self._new(user_id=False, partner_id=contact.id)
        team = self.team.copy({"company_id": company.id})
        other = self._new(user_id=False, partner_id=contact.id, team_id=team.id)
        nobody = self._new(user_id=False, partner_id=False)
        facts = self.env["routing.engine"]._ticket_facts(
            own | other | nobody, fields.Datetime.now()
        )
        self.assertEqual(
            [facts[t.id].tier for t in (own, other, nobody)],
            ["silver", "vip", "standard"],
        )
        self.assertEqual(
            [
                value
                for value, _label in self.customer._fields["customer_tier"].selection
            ],
            list(routing_cost.TIERS),
        )

    def test_queries_do_not_grow(self):
        self._skill(self.laptops, self.high)
        self.places.capacity = 500
        tickets = self._new(101, user_id=False, category_id=self.category.id)
        self.env.flush_all()

        def queries(batch):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            with patch.object(helpdesk_ticket.HelpdeskTicket, "_routing_give"):
                self.env["routing.engine"]._route(batch, request=True)
                self.env.flush_all()
            return self.env.cr.sql_log_count - before

        one = queries(tickets[0])
        hundred = queries(tickets[1:])
        self.assertEqual(len(tickets.routing_decision_ids), 101)
        self.assertLess(hundred, one + 10)

    # --- BY HAND ---

    def test_override(self):
        self.team.routing_mode = "automatic"
        self._skill(self.laptops, self.high)
        ticket = self._new(category_id=self.category.id)
        decision = ticket.routing_decision_id
        ticket.with_user(self.manager).write({"user_id": self.colleague.id})
        self.assertRecordValues(
            decision,
            [
                {
                    "user_id": self.agent.id,
                    "overridden_by_id": self.manager.id,
                    "override_user_id": self.colleague.id,
                    "override_reason": False,
                    "superseded": False,
                }
            ],
        )
        ticket.with_user(self.manager).routing_override_reason = "Asked for"
        self.assertEqual(decision.override_reason, "Asked for")
        self.assertEqual(ticket.routing_override_reason, "Asked for")
        # Back to whom routing chose: no override is left.
        ticket.with_user(self.manager).user_id = self.agent
        self.assertFalse(decision.overridden_by_id or decision.override_reason)
        # Without an override there is no reason to give.
        ticket.with_user(self.manager).routing_override_reason = "Ignored"
        self.assertFalse(decision.override_reason)

    def test_override_by_the_wizard(self):
        self.team.routing_mode = "automatic"
        self._skill(self.laptops, self.high)
        ticket = self._new(category_id=self.category.id)
        action = ticket.with_user(self.manager).action_routing_candidates()
        wizard = (
            self.env["routing.candidate"]
            .with_user(self.manager)
            .browse(action["res_id"])
        )
        self.assertTrue(wizard.decided)
        wizard.override_reason = "She knows the machine"
        wizard.line_ids[1].action_assign()
        self.assertEqual(ticket.user_id, self.colleague)
        self.assertEqual(
            ticket.routing_decision_id.override_reason, "She knows the machine"
        )

    def test_another_team_ends_the_decision(self):
        self.team.routing_mode = "automatic"
        ticket = self._new()
        decision = ticket.routing_decision_id
        other = self.team.copy(
            {"name": "Second", "user_ids": [(6, 0, self.outsider.ids)]}
        )
        ticket.team_id = other
        self.assertFalse(ticket.user_id or ticket.routing_decision_id)
        self.assertTrue(decision.superseded)
        self.assertFalse(decision.overridden_by_id)

    def test_one_decision_holds(self):
        ticket = self._waits(
            "Nobody in the team has Laptops from 80 %.", category_id=self.category.id
        )
        first = ticket.routing_decision_id
        # Again for the same reason: brought up to date, not written anew.
        self.places.capacity = 0
        ticket.action_route()
        self.assertEqual(ticket.routing_decision_id, first)
        self.assertIn("full", first.candidates[0]["blocks"])
        self.places.capacity = 5
        self._skill(self.laptops, self.high)
        ticket.action_route()
        self.assertEqual(
            ticket.routing_decision_ids, ticket.routing_decision_id | first
        )
        self.assertTrue(first.superseded)
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            first.superseded = False
            first.flush_recordset()

    # --- CRON ---

    def test_cron(self):
        waiting = self._new(user_id=False, category_id=self.category.id)
        suggested = self._new(user_id=False)
        closed = self._new(user_id=False, stage_id=self.done.id)
        self.team.routing_mode = "automatic"
        self._skill(self.laptops, self.high)
        self.env.flush_all()
        cron = self.env.ref("crm_ticket_routing.ir_cron_route")
        with self.enter_registry_test_mode():
            cron.method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(waiting.user_id, self.agent)
        self.assertTrue(suggested.user_id)
        self.assertFalse(closed.user_id)

    def test_queue_is_in_order(self):
        self.team.routing_mode = "automatic"
        self.places.capacity = 0
        tickets = self._new(4)
        tickets[2].priority = "3"
        tickets[3].priority = "0"
        queue = self.env["helpdesk.ticket"]._routing_queue()
        order = [number for number in queue if number in tickets.ids]
        self.assertEqual(order, [tickets[n].id for n in (2, 0, 1, 3)])

    # --- SCREENS, RIGHTS, WORDS, HOOKS ---

    def test_filters(self):
        self.team.routing_mode = "automatic"
        given = self._new()
        waiting = self._new(category_id=self.category.id)
        both = given | waiting
        for domain, found in (
            ([("routing_outcome", "=", "waiting")], waiting),
            ([("routing_decision_id", "=", given.routing_decision_id.id)], given),
            ([("routing_decision_id", "=", False)], given.browse()),
            ([("routing_decision_id", "!=", False)], both),
        ):
            with self.subTest(domain=domain):
                self.assertEqual(
                    self.env["helpdesk.ticket"].search(
                        [("id", "in", both.ids), *domain]
                    ),
                    found,
                )
        self.assertEqual(self.team.routing_waiting_count, 1)
        action = self.team.action_routing_waiting()
        self.assertEqual(action["domain"], [("team_id", "=", self.team.id)])

    def test_rights(self):
        self.team.routing_mode = "automatic"
        decision = self._new().routing_decision_id
        self.assertTrue(decision.with_user(self.agent).reason)
        self.assertTrue(decision.with_user(self.agent).candidates_html)
        for user in (self.agent, self.manager):
            with self.assertRaises(AccessError):
                decision.with_user(user).override_reason = "x"
        self.env.invalidate_all()
        with self.assertRaises(AccessError):
            decision.with_user(self.outsider).mapped("cost")

    def test_companies(self):
        self.team.routing_mode = "automatic"
        company = self.env["res.company"].create({"name": "Other company"})
        team = self.env["helpdesk.ticket.team"].create(
            {
                "name": "Elsewhere",
                "company_id": company.id,
                "user_ids": [(6, 0, self.agent.ids)],
                "routing_mode": "automatic",
                "routing_working_hours": False,
            }
        )
        # Skills are those of the employee in the ticket's company.
        self._skill(self.laptops, self.high)
        ticket = self._new(team_id=team.id, category_id=self.category.id)
        self.assertEqual(ticket.company_id, company)
        self.assertEqual(ticket.routing_decision_id.reason_code, "nobody_has_skill")
        decision = ticket.routing_decision_id
        self.env.invalidate_all()
        with self.assertRaises(AccessError):
            decision.with_user(self.manager).mapped("cost")

    def test_chinese(self):
        self.team.routing_mode = "automatic"
        self._skill(self.laptops, self.high)
        tickets = self._new() | self._new(category_id=self.category.id)
        waiting = self._new(team_id=self.team.id, category_id=self.category.id)
        self.places.capacity = 0
        for ticket in (tickets | waiting).with_context(lang="zh_CN"):
            decision = ticket.routing_decision_id
            self.assertRegex(decision.reason, "[一-龥]")
            self.assertRegex(decision.candidates_html, "客服|人员")
            for word in ("missing", "Cost", "Chosen", "Urgency", "nobody"):
                self.assertNotIn(word, decision.candidates_html + decision.reason)

    def test_each_code_has_words(self):
        params = {
            "agent": "a", "because": "b", "skills": "s", "able": 2, "tickets": 3,
            "load": 1, "capacity": 2,
        }  # fmt: skip
        for words in (ROUTING, BECAUSE, BLOCKS, TERMS, FACTORS):
            for message in words.values():
                for lang in ("en_US", "zh_CN"):
                    env = self.env(context={"lang": lang})
                    self.assertTrue(str(env._(message)) % params)
        self.assertEqual(set(TERMS), set(routing_cost.TERMS))
        self.assertEqual(set(BLOCKS) | {"missing_skill"}, set(routing_cost.BLOCKS))

    def test_metrics(self):
        self.team.routing_mode = "automatic"
        # The first one has waited: it comes to a team that routes on request.
        self.team.routing_mode = "off"
        waited = self._new(priority="2", user_id=False)
        self.env.cr.execute(
            "UPDATE helpdesk_ticket SET create_date = %s WHERE id = %s",
            [fields.Datetime.now() - timedelta(seconds=42), waited.id],
        )
        self.env.invalidate_all()
        self.team.routing_mode = "automatic"
        waited._routing_try()
        self._new(category_id=self.category.id)
        families = {
            f.name: f for f in self.env["governance.metrics"]._metric_families()
        }
        team = str(self.team.id)

        def samples(name):
            return {
                tuple(v for k, v in sorted(s.labels.items()) if k != "team"): s.value
                for s in families[name].samples
                if s.labels.get("team") == team
            }

        self.assertEqual(
            samples("crm_ticket_routing_kept_decisions"),
            {("automatic", "assigned"): 1, ("automatic", "waiting"): 1},
        )
        self.assertEqual(samples("crm_ticket_queue_depth"), {("1",): 1})
        self.assertEqual(list(samples("crm_ticket_queue_oldest_seconds")), [()])
        self.assertEqual(
            samples("crm_ticket_routing_waiting"), {("nobody_has_skill",): 1}
        )
        self.assertEqual(self._histogram(), [0, 1, 1, 1])
        self.assertIn("crm_ticket_agent_places", families)
        self.assertIn("crm_ticket_routing_kept_overridden", families)

    def _histogram(self):
        """The histogram of the team: at most 5, 60 and 300 seconds, and all."""
        families = self.env["governance.metrics"]._metric_families()
        [family] = [f for f in families if f.name == "crm_ticket_routing_wait_seconds"]
        buckets = {
            s.labels.get("le"): s.value
            for s in family.samples
            if s.labels["team"] == str(self.team.id) and s.name.endswith("_bucket")
        }
        return [buckets.get(le, 0) for le in ("5.0", "60.0", "300.0", "+Inf")]

    def test_histogram_never_falls(self):
        self.team.routing_mode = "automatic"
        tickets = self._new(2)
        self.assertEqual(self._histogram()[2:], [2, 2])
        # A second agent of the same ticket is no second wait.
        tickets[0].user_id = False
        tickets[0].action_route()
        self.assertEqual(len(tickets[0].routing_decision_ids), 2)
        self.assertEqual(self._histogram()[2:], [2, 2])
        tickets.unlink()
        self.assertEqual(self._histogram()[2:], [2, 2])
        # A suggestion counts when it is followed.
        self.team.routing_mode = "suggest"
        ticket = self._new()
        self.assertEqual(ticket.routing_outcome, "suggested")
        self.assertEqual(self._histogram()[2:], [2, 2])
        ticket.action_routing_accept()
        self.assertEqual(self._histogram()[2:], [3, 3])

    def test_histogram_survives_its_team(self):
        """Neither the team's series falls nor another one jumps."""

        def samples():
            families = self.env["governance.metrics"]._metric_families()
            [family] = [
                f for f in families if f.name == "crm_ticket_routing_wait_seconds"
            ]
            return {(s.name, *s.labels.values()): s.value for s in family.samples}

        self.team.routing_mode = "automatic"
        self._new(2)
        team = str(self.team.id)
        before = samples()
        self.assertEqual(before["crm_ticket_routing_wait_seconds_count", team], 2)
        self.team.ticket_ids.unlink()
        self.team.unlink()
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertEqual(samples(), before)

    def test_lineage(self):
        edges = set(self.env["governance.lineage"]._lineage_edges())
        sources = {e.source for e in edges if e.target == "routing.decision.user_id"}
        self.assertIn("hr.employee.skill.skill_level_id", sources)
        for source in sources:
            model, _dot, name = source.rpartition(".")
            self.assertIn(name, self.env[model]._fields, source)
        self.assertIn(
            ("routing.decision.user_id", "helpdesk.ticket.user_id"),
            {(e.source, e.target) for e in edges},
        )

    def test_erasure_of_a_customer(self):
        self.team.routing_mode = "automatic"
        ticket = self._new()
        decision = ticket.routing_decision_id
        ticket.user_id = (self.agent | self.colleague) - ticket.user_id
        ticket.routing_override_reason = "Mr Wang wishes it"
        report = self.env["governance.erasure"]._erase_person(self.customer, [])
        self.assertIn(
            {
                "model": "routing.decision",
                "count": 1,
                "action": "pseudonymised",
                "reason": "service_record",
            },
            report,
        )
        self.assertFalse(
            decision.candidates or decision.override_reason or decision.urgency_factors
        )
        self.assertFalse(ticket.routing_candidates_html)

    def test_erasure_of_an_agent(self):
        self.team.routing_mode = "automatic"
        decision = self._new().routing_decision_id
        self.env["governance.erasure"]._erase_person(self.agent.partner_id, [])
        self.assertEqual(
            [entry["user"] for entry in decision.candidates], [self.colleague.id]
        )
