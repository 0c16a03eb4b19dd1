from datetime import datetime, timedelta

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import freeze_time, new_test_user, tagged
from odoo.tools import mute_logger

from ..messages import CRITERIA, OUTCOMES, REASONS
from .common import RoutingCase, at


@tagged("post_install", "-at_install")
class TestRoutingSla(RoutingCase):
    # --- POLICIES ---

    def test_policy_must_promise(self):
        for first, resolution in ((0, 0), (3000, 0)):
            with self.assertRaises(ValidationError):
                self._policy(first_response_hours=first, resolution_hours=resolution)
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self._policy(first_response_hours=-1)

    def test_targets_come_with_the_ticket(self):
        policy = self._policy()
        ticket = self._ticket(at(0, 10))
        self.assertEqual(self._target(ticket, "first_response").deadline, at(0, 14))
        resolution = self._target(ticket, "resolution")
        self.assertRecordValues(
            resolution,
            [
                {
                    "deadline": at(1, 10),
                    "warn_at": at(0, 16),
                    "state": "running",
                    "policy_id": policy.id,
                    "company_id": self.company.id,
                    "team_id": self.team.id,
                }
            ],
        )
        self.assertEqual(resolution.display_name, f"Resolution · {ticket.number}")
        self.assertEqual(ticket.routing_sla_state, "running")
        self.assertEqual(ticket.routing_next_deadline, at(0, 14))
        self.assertEqual(policy.target_count, 2)

    def test_without_policy(self):
        ticket = self._ticket()
        self.assertFalse(ticket.routing_target_ids)
        self.assertFalse(ticket.routing_sla_state)

    def test_weekend_and_holiday(self):
        self._policy(first_response_hours=0, resolution_hours=4)
        ticket = self._ticket(at(4, 16))
        self.assertEqual(ticket.routing_next_deadline, at(7, 12))
        self.env["resource.calendar.leaves"].create(
            {
                "name": "Holiday",
                "calendar_id": self.calendar.id,
                "company_id": self.company.id,
                "date_from": at(7, 0),
                "date_to": at(7, 23, 59),
            }
        )
        other = self.env["res.company"].create({"name": "Other company"})
        foreign = (
            self.env["resource.calendar.leaves"]
            .with_company(other)
            .create(
                {
                    "name": "Holiday of another company",
                    "calendar_id": False,
                    "date_from": at(8, 0),
                    "date_to": at(8, 23, 59),
                }
            )
        )
        self.assertEqual((foreign.company_id, foreign.calendar_id.id), (other, False))
        self.assertEqual(self._ticket(at(4, 16)).routing_next_deadline, at(8, 12))

    def test_same_as_plan_hours(self):
        """Odoo's own way of planning hours, one ticket at a time, agrees."""
        self._policy(first_response_hours=13, resolution_hours=0)
        for hours in range(0, 24 * 9, 7):
            moment = at(0, 0) + timedelta(hours=hours, minutes=11)
            ticket = self._ticket(moment)
            self.assertEqual(
                ticket.routing_next_deadline,
                self.calendar.plan_hours(13, moment, compute_leaves=True),
                moment,
            )

    def test_time_zone(self):
        self.calendar.tz = "Asia/Shanghai"
        self._policy(first_response_hours=2, resolution_hours=0)
        # 10:00 in Shanghai.
        self.assertEqual(self._ticket(at(0, 2)).routing_next_deadline, at(0, 4))

    def test_calendar_without_hours(self):
        empty = self.calendar.copy()
        empty.attendance_ids.unlink()
        empty.name = "Nothing"
        self._policy(calendar_id=empty.id)
        ticket = self._ticket()
        target = self._target(ticket, "resolution")
        self.assertFalse(target.deadline)
        self.assertIn("Nothing", target.outcome)
        self.assertEqual(ticket.routing_sla_state, "running")

    def test_most_specific_policy(self):
        every = self._policy(name="Every")
        team = self._policy(name="Team", team_id=self.team.id, resolution_hours=0)
        category = self._policy(
            name="Category", category_id=self.category.id, team_id=self.team.id
        )
        ticket = self._ticket()
        self.assertEqual(self._target(ticket, "first_response").policy_id, team)
        self.assertEqual(self._target(ticket, "resolution").policy_id, every)
        below = self._ticket(category_id=self.child.id)
        target = self._target(below, "first_response")
        self.assertEqual(target.policy_id, category)
        self.assertEqual(
            target.reason,
            "“Category”: its team and its category; more specific than 2 other"
            " policies.",
        )
        chinese = target.with_context(lang="zh_CN").reason
        self.assertIn("“Category”：团队", chinese)
        self.assertNotIn("specific", chinese)

    def test_changed_ticket_takes_another_policy(self):
        self._policy(name="Every")
        urgent = self._policy(name="Urgent", priority="3", first_response_hours=1)
        ticket = self._ticket(at(0, 9))
        ticket.priority = "3"
        target = self._target(ticket, "first_response")
        self.assertEqual(target.policy_id, urgent)
        self.assertEqual(target.minutes, 60)
        urgent.active = False
        ticket.priority = "1"
        self.assertEqual(self._target(ticket, "first_response").policy_id.name, "Every")

    def test_policy_gone(self):
        policy = self._policy(team_id=self.team.id)
        ticket = self._ticket()
        policy.active = False
        policy.action_apply()
        self.assertFalse(ticket.routing_target_ids)
        self._policy()
        policy.action_apply()
        self.assertEqual(len(ticket.routing_target_ids), 2)

    def test_policy_of_another_company(self):
        company = self.env["res.company"].create({"name": "Other company"})
        self._policy(company_id=company.id, calendar_id=False)
        self.assertFalse(self._ticket().routing_target_ids)

    # --- LIFE OF A TARGET ---

    def _reply(self, ticket, user, moment, **values):
        with freeze_time(moment):
            values = {
                "body": "Hello",
                "message_type": "comment",
                "subtype_xmlid": "mail.mt_comment",
                **values,
            }
            ticket.with_user(user).message_post(**values)

    def test_first_reply(self):
        self._policy()
        ticket = self._ticket(at(0, 9))
        target = self._target(ticket, "first_response")
        self._reply(ticket, self.agent, at(0, 10), subtype_xmlid="mail.mt_note")
        self.assertEqual(target.state, "running")
        self._reply(ticket, self.agent, at(0, 10), message_type="auto_comment")
        self.assertEqual(target.state, "running")
        self._reply(ticket, self.env.user, at(0, 10), author_id=self.customer.id)
        self.assertEqual(target.state, "running")
        self._reply(ticket, self.agent, at(0, 11))
        self.assertRecordValues(
            target,
            [{"state": "met", "met_at": at(0, 11), "outcome_code": "replied"}],
        )
        self.assertIn(self.agent.name, target.outcome)
        self.assertEqual(self._target(ticket, "resolution").state, "running")
        # The name is that of today: of a former agent who was erased nothing is left.
        former = self.agent.name
        self.agent.name = "Erased"
        self.env.invalidate_all()
        self.assertIn("Erased", target.outcome)
        self.env.cr.execute(
            "SELECT target::text FROM routing_sla_target AS target WHERE id = %s",
            [target.id],
        )
        self.assertNotIn(former, self.env.cr.fetchone()[0])
        target.outcome_params = {"user": 2**31 - 1}
        self.assertEqual(target.outcome, "Answered by Unknown agent.")

    def test_reply_of_a_portal_user(self):
        self._policy()
        portal = new_test_user(self.env, "routing_portal", "base.group_portal")
        ticket = self._ticket(partner_id=portal.partner_id.id)
        self._reply(ticket, portal, at(0, 10))
        self.assertEqual(self._target(ticket, "first_response").state, "running")

    def test_colleague_as_customer(self):
        self._policy()
        ticket = self._ticket(partner_id=self.agent.partner_id.id)
        self._reply(ticket, self.agent, at(0, 10))
        self.assertEqual(self._target(ticket, "first_response").state, "running")

    def test_late_reply_stays_failed(self):
        self._policy()
        ticket = self._ticket(at(0, 9))
        self._reply(ticket, self.agent, at(0, 14))
        self.assertRecordValues(
            self._target(ticket, "first_response"),
            [{"state": "failed", "failed_at": at(0, 13), "met_at": at(0, 14)}],
        )
        self.assertEqual(ticket.routing_sla_state, "failed")

    def test_close(self):
        self._policy()
        ticket = self._ticket(at(0, 9))
        self._move(ticket, self.done, at(0, 12))
        self.assertEqual(set(ticket.routing_target_ids.mapped("state")), {"met"})
        self.assertEqual(ticket.routing_sla_state, "met")
        self.assertFalse(ticket.routing_next_deadline)

    def test_created_closed(self):
        self._policy()
        ticket = self._ticket(stage_id=self.done.id)
        self.assertEqual(set(ticket.routing_target_ids.mapped("state")), {"met"})

    def test_reopen(self):
        self._policy()
        ticket = self._ticket(at(0, 9))
        self._move(ticket, self.done, at(0, 12))
        self._move(ticket, self.new, at(3, 12))
        target = self._target(ticket, "resolution")
        # Three hours were used; the five that are left start on Thursday at noon.
        self.assertRecordValues(
            target, [{"state": "running", "deadline": at(3, 17), "met_at": False}]
        )
        self.assertEqual(self._target(ticket, "first_response").state, "met")

    def test_failed_stays_failed(self):
        self._policy()
        ticket = self._ticket(at(0, 9))
        with freeze_time(at(2, 9)):
            ticket.routing_target_ids._mark_breached()
        self._move(ticket, self.done, at(2, 10))
        self._move(ticket, self.new, at(2, 11))
        target = self._target(ticket, "resolution")
        self.assertRecordValues(
            target, [{"state": "failed", "failed_at": at(0, 17), "met_at": False}]
        )
        ticket.priority = "3"
        self.assertEqual(target.state, "failed")

    def test_pause(self):
        self._policy(first_response_hours=0)
        ticket = self._ticket(at(0, 9))
        self._move(ticket, self.waiting, at(0, 11))
        target = self._target(ticket, "resolution")
        self.assertFalse(target.deadline)
        self.assertEqual(target.outcome_code, "paused")
        self.assertEqual(ticket.routing_sla_state, "paused")
        with freeze_time(at(9, 9)):
            target._mark_breached()
        self.assertEqual(target.state, "running")
        # Six hours are left.
        self._move(ticket, self.new, at(2, 12))
        self.assertEqual(target.deadline, at(3, 10))
        self.assertEqual(ticket.routing_sla_state, "running")
        self.assertRecordValues(
            ticket.routing_pause_ids,
            [{"kind": "waiting", "start_at": at(0, 11), "stop_at": at(2, 12)}],
        )

    def test_pause_then_close_then_reopen(self):
        self._policy(first_response_hours=0)
        ticket = self._ticket(at(0, 9))
        self._move(ticket, self.waiting, at(0, 11))
        self._move(ticket, self.done, at(0, 13))
        self.assertEqual(ticket.routing_pause_ids.mapped("kind"), ["waiting", "closed"])
        self._move(ticket, self.new, at(1, 9))
        target = self._target(ticket, "resolution")
        self.assertEqual((target.state, target.deadline), ("running", at(1, 15)))

    # --- MARKING ---

    def test_mark_breached(self):
        self._policy()
        tickets = self._ticket(at(0, 9)) | self._ticket(at(0, 12))
        with freeze_time(at(0, 13)):
            breached = tickets.routing_target_ids._mark_breached()
            self.assertEqual(breached.ticket_id, tickets[0])
            self.assertFalse(tickets.routing_target_ids._mark_breached())
        self.assertEqual(tickets.mapped("routing_sla_state"), ["failed", "running"])
        self.assertEqual(breached.outcome, "The time was over.")

    def test_cron(self):
        self._policy()
        ticket = self._ticket(at(0, 9))
        running = self._ticket(datetime.now() + timedelta(days=30))
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref(
                "crm_ticket_routing.ir_cron_mark_breached"
            ).method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(set(ticket.routing_target_ids.mapped("state")), {"failed"})
        self.assertEqual(set(running.routing_target_ids.mapped("state")), {"running"})

    def test_due_soon(self):
        self._policy(first_response_hours=0)
        ticket = self._ticket(at(0, 9))
        domain = [("id", "=", ticket.id), ("routing_due_soon", "=", True)]
        for hour, soon in ((14, False), (15, True), (17, False)):
            with self.subTest(hour=hour), freeze_time(at(0, hour)):
                ticket.invalidate_recordset(["routing_due_soon"])
                self.assertEqual(ticket.routing_due_soon, soon)
                self.assertEqual(bool(ticket.search(domain)), soon)
                opposite = [domain[0], ("routing_due_soon", "=", False)]
                self.assertEqual(bool(ticket.search(opposite)), not soon)

    def test_queries_do_not_grow(self):
        """A hundred tickets cost the calendar one look, not a hundred."""
        self._policy()
        tickets = self.env["helpdesk.ticket"].create(
            [
                {"name": f"t{n}", "description": "x", "team_id": self.team.id}
                for n in range(100)
            ]
        )
        tickets.routing_target_ids.unlink()
        self.env.flush_all()

        def queries(batch):
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            batch._routing_refresh_targets()
            self.env.flush_all()
            return self.env.cr.sql_log_count - before

        one = queries(tickets[0])
        hundred = queries(tickets[1:])
        self.assertEqual(len(tickets.routing_target_ids), 200)
        self.assertLess(hundred, one + 25)

    # --- RIGHTS, WORDS, HOOKS ---

    def test_rights(self):
        policy = self._policy()
        ticket = self._ticket()
        targets = ticket.routing_target_ids
        self.assertEqual(len(targets.with_user(self.agent).mapped("reason")), 2)
        self.assertEqual(policy.with_user(self.agent).name, "Policy")
        with self.assertRaises(AccessError):
            policy.with_user(self.agent).name = "x"
        for user in (self.agent, self.manager):
            with self.assertRaises(AccessError):
                targets.with_user(user).state = "met"
        policy.with_user(self.manager).name = "Renamed"
        with self.assertRaises(AccessError):
            targets.with_user(self.outsider).mapped("deadline")
        employee = new_test_user(self.env, "routing_employee", "base.group_user")
        with self.assertRaises(AccessError):
            targets.with_user(employee).mapped("deadline")

    def test_agent_makes_and_moves_tickets(self):
        self._policy()
        ticket = (
            self.env["helpdesk.ticket"]
            .with_user(self.agent)
            .create({"name": "x", "description": "x", "team_id": self.team.id})
        )
        self.assertEqual(len(ticket.routing_target_ids), 2)
        ticket.stage_id = self.waiting
        self.assertEqual(ticket.routing_sla_state, "paused")
        ticket.stage_id = self.done
        self.assertEqual(ticket.routing_sla_state, "met")

    def test_companies(self):
        company = self.env["res.company"].create({"name": "Other company"})
        self._policy(company_id=False, calendar_id=False)
        with freeze_time(at(0, 9)):
            ticket = (
                self.env["helpdesk.ticket"]
                .with_company(company)
                .create({"name": "x", "description": "x", "company_id": company.id})
            )
        self.assertEqual(ticket.routing_target_ids.company_id, company)
        with self.assertRaises(AccessError):
            ticket.routing_target_ids.with_user(self.manager).mapped("deadline")

    def test_each_code_has_words(self):
        params = {
            "policy": "p", "matched": "m", "others": 1, "user": "u", "calendar": "c"
        }  # fmt: skip
        for lang in ("en_US", "zh_CN"):
            env = self.env(context={"lang": lang})
            for message in (
                *REASONS.values(),
                *CRITERIA.values(),
                *OUTCOMES.values(),
            ):
                self.assertTrue(str(env._(message)) % params)

    def test_metrics(self):
        self._policy()
        self._ticket(at(0, 9))
        families = {
            f.name: f for f in self.env["governance.metrics"]._metric_families()
        }
        samples = [
            s
            for s in families["crm_ticket_sla_targets"].samples
            if s.labels["team"] == str(self.team.id)
        ]
        self.assertEqual(
            {(s.labels["kind"], s.labels["state"], s.value) for s in samples},
            {("first_response", "running", 1), ("resolution", "running", 1)},
        )
        self.assertIn("crm_ticket_sla_due_soon", families)

    def test_lineage(self):
        policy = self._policy(team_id=self.team.id)
        edges = set(self.env["governance.lineage"]._lineage_edges())
        node = f"sla_policy:{policy.id}"
        self.assertEqual(
            {e.source for e in edges if e.target == node},
            {"helpdesk.ticket.team_id", "resource.calendar.attendance_ids"},
        )
        self.assertIn(
            "routing.sla.target.deadline", {e.target for e in edges if e.source == node}
        )

    def test_lineage_names(self):
        """Each node and each edge in words, and the record behind a node."""
        policy = self._policy(team_id=self.team.id)
        hook = self.env["governance.lineage"]
        node = f"sla_policy:{policy.id}"
        self.assertEqual(
            hook._lineage_labels([node]),
            {node: f"{policy.display_name} (Service Policy)"},
        )
        action = hook._lineage_action(node)
        self.assertEqual(
            (action["res_model"], action["res_id"]), (policy._name, policy.id)
        )
        names = self.env["governance.lineage.edge"]._kind_names()
        kinds = {edge.kind for edge in hook._lineage_edges()}
        self.assertLessEqual(kinds, names.keys())

    def test_tickets_on_the_timeline(self):
        ticket = self._ticket(name="Broken cup")
        ticket.stage_id = self.done
        page = self.env["omni.timeline"]._page(self.customer, kinds=["ticket"])
        self.assertEqual(
            {entry["text"] for entry in page["entries"]},
            {
                f"New ticket {ticket.number}: Broken cup",
                f"Ticket {ticket.number} closed: Broken cup",
            },
        )
        self.assertEqual({entry["res_id"] for entry in page["entries"]}, {ticket.id})
        stranger = new_test_user(self.env, "timeline_stranger", "base.group_user")
        timeline = self.env["omni.timeline"].with_user(stranger)
        self.assertFalse(timeline._page(self.customer, kinds=["ticket"])["entries"])

    def test_erasure(self):
        ticket = self._ticket(partner_name="Li", partner_email="customer@example.com")
        mailed = self._ticket(
            partner_id=False, partner_name="Li", partner_email="Old%@example.com"
        )
        typed = self._ticket(
            partner_id=False, partner_name="Li", partner_email=" ＯLD%@Example.com "
        )
        other = self._ticket(
            partner_id=False, partner_name="Wu", partner_email="older@example.com"
        )
        report = self.env["governance.erasure"]._erase_person(
            self.customer, [("email", "old%@example.com"), ("phone", "1")]
        )
        entry = [line for line in report if line["model"] == "helpdesk.ticket"]
        self.assertEqual(
            entry,
            [
                {
                    "model": "helpdesk.ticket",
                    "count": 3,
                    "action": "pseudonymised",
                    "reason": "service_record",
                }
            ],
        )
        for erased in (ticket, mailed, typed):
            self.assertFalse(erased.partner_name or erased.partner_email)
        self.assertEqual(other.partner_name, "Wu")
        lines = self.env["governance.privacy.request.line"].with_context(lang="zh_CN")
        for reason in ("service_record", "person_erased", "provenance_erased"):
            text = lines.new({"reason": reason}).explanation
            self.assertRegex(text, "[\u4e00-\u9fff]", reason)

    def test_request_of_an_unusual_spelling(self):
        """It erases what the normal spelling names."""
        person = self.env["res.partner"].create(
            {"name": "Zhao", "email": "ＺＨＡＯ＠Example.com"}
        )
        theirs, other = (
            self._ticket(partner_id=False, partner_name="N", partner_email=email)
            for email in ("zhao@example.com", "qian@example.com")
        )
        self.env.user.group_ids += self.env.ref(
            "crm_data_governance.group_privacy_officer"
        )
        self.env["governance.privacy.request"].create(
            {"partner_id": person.id}
        ).action_erase()
        self.assertFalse(theirs.partner_name or theirs.partner_email)
        self.assertEqual(other.partner_email, "qian@example.com")

    def test_open_pause_is_unique(self):
        ticket = self._ticket()
        values = {
            "ticket_id": ticket.id,
            "kind": "waiting",
            "start_at": fields.Datetime.now(),
        }
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self.env["routing.sla.pause"].create([values, values])
