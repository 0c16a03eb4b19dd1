import json
from pathlib import Path
from unittest.mock import patch

from psycopg2 import IntegrityError, errors

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.modules.migration import load_script
from odoo.tests import freeze_time, new_test_user, tagged
from odoo.tools import mute_logger

from ..models import bpmn_instance
from ..models.bpmn_instance import BpmnInstance
from .common import ProcessCase, extended
from .diagrams import END, START, flow, line, node
from .diagrams import process as process_xml


@tagged("post_install", "-at_install")
class TestBpmnInstance(ProcessCase):
    def test_whole_way(self):
        """Opportunity → stage → task done in the dialog → stage → quotation → end."""
        process = self.selling()
        lead = self.lead()
        with freeze_time("2026-03-02 10:00:00"):
            instance = self.start(process, lead)
        self.assertEqual(lead.stage_id, self.middle)
        self.assertEqual(instance.state, "waiting")
        self.assertEqual(instance.waiting_for, "Ask the customer")
        activity = lead.activity_ids
        self.assertRecordValues(
            activity,
            [
                {
                    "summary": "Ask the customer",
                    "user_id": self.salesman.id,
                    "date_deadline": fields.Date.to_date("2026-03-05"),
                }
            ],
        )
        self.answer(self.waiting(instance), "Yes please")
        self.assertEqual(instance.state, "done")
        self.assertTrue(instance.ended_at)
        self.assertEqual(lead.stage_id, self.last)
        self.assertEqual(len(lead.order_ids), 1)
        self.assertFalse(lead.activity_ids)
        self.assertEqual(
            [(s.element_id, s.state) for s in instance.step_ids],
            [
                (key, "done")
                for key in ("start", "move", "ask", "answered", "offer", "quote", "end")
            ],
        )
        asked, quoted = (
            instance.step_ids.filtered(lambda s, key=key: s.element_id == key)
            for key in ("ask", "quote")
        )
        self.assertEqual(asked.outcome_name, "Yes please")
        self.assertEqual(asked.done_by_id, self.salesman)
        self.assertEqual(quoted.note, f"Quotation {lead.order_ids.name} made")
        self.assertIn("报价单", quoted.with_context(lang="zh_CN").note)
        self.assertEqual(quoted.action_open_result()["res_id"], lead.order_ids.id)

    def test_the_other_way(self):
        lead = self.lead()
        instance = self.start(self.selling(), lead)
        self.answer(self.waiting(instance), "No thanks")
        self.assertEqual(instance.state, "done")
        self.assertEqual(lead.stage_id, self.middle)
        self.assertFalse(lead.order_ids)

    def test_task_without_outcome_is_marked_done_in_the_chatter(self):
        process = self.deployed(
            START,
            extended("userTask", "call", "", name="Call"),
            node("manualTask", "send"),
            END,
            line("start", "call", "send", "end"),
        )
        lead = self.lead()
        instance = self.start(process, lead)
        lead.activity_ids.with_user(self.salesman).action_feedback(feedback="Reached")
        self.assertEqual(instance.waiting_for, "send")
        lead.activity_ids.with_user(self.salesman).action_done()
        self.assertEqual(instance.state, "done")

    def test_marked_done_without_the_outcome(self):
        """The activity is done, the process asks for the answer and is not lost."""
        lead = self.lead()
        instance = self.start(self.selling(), lead)
        lead.activity_ids.with_user(self.salesman).action_done()
        self.assertEqual(instance.state, "waiting")
        step = self.waiting(instance)
        with self.assertRaisesRegex(UserError, "Choose an outcome"):
            self.answer(step)
        self.answer(step, "Yes please")
        self.assertEqual(instance.state, "done")

    def test_outcome_is_none_of_the_callers_making(self):
        """By RPC a context and rows of the dialog can hold anything."""
        lead = self.lead()
        instance = self.start(self.selling(), lead)
        step = self.waiting(instance)
        lead.activity_ids.with_user(self.salesman).with_context(
            bpmn_outcome="no"
        ).action_feedback()
        self.assertEqual((step.state, step.outcome), ("waiting", False))
        dialog = self.env["bpmn.task.answer"].with_user(self.salesman)
        forged = dialog.create(
            {
                "step_id": step.id,
                "option_ids": [Command.create({"value": "maybe", "name": "Maybe"})],
            }
        )
        forged.option_id = forged.option_ids
        with self.assertRaisesRegex(UserError, "Choose an outcome"):
            forged.action_done()
        with self.assertRaisesRegex(UserError, "Choose an outcome"):
            dialog.create({"step_id": step.id}).action_done()
        self.assertEqual((step.state, instance.state), ("waiting", "waiting"))
        self.assertFalse(instance.incident_ids)
        self.answer(step, "No thanks")
        self.assertEqual(step.outcome, "no")

    def test_chain_is_none_of_the_callers_making(self):
        process = self.selling(start="stage", start_stage_id=self.last.id)
        lead = self.lead().with_user(self.salesman)
        lead.with_context(bpmn_chain=bpmn_instance.MAX_CHAIN).stage_id = self.last
        instance = lead.bpmn_instance_ids
        self.assertEqual(instance.process_id, process)
        self.assertEqual((instance.chain, instance.state), (0, "waiting"))

    def test_deleted_activity(self):
        lead = self.lead()
        instance = self.start(self.selling(), lead)
        lead.activity_ids.unlink()
        step = self.waiting(instance)
        self.assertEqual(instance.state, "waiting")
        self.assertFalse(step.activity_id)
        step.with_user(self.salesman).action_remind()
        self.assertEqual(lead.activity_ids, step.activity_id)
        step.with_user(self.salesman).action_remind()
        self.assertEqual(len(lead.activity_ids), 1)
        lead.activity_ids.unlink()
        self.answer(step, "Yes please")
        self.assertEqual(instance.state, "done")
        with self.assertRaisesRegex(UserError, "done already"):
            step.with_user(self.salesman).action_remind()

    def test_conditions_read_the_record(self):
        process = self.deployed(
            START,
            node("exclusiveGateway", "g", default_="small"),
            node("userTask", "big"),
            END,
            flow("start", "g"),
            flow("g", "big", "record.expected_revenue &gt; 10000 and record.user_id"),
            flow("g", "end", key="small"),
            flow("big", "end"),
        )
        for revenue, state in ((20_000, "waiting"), (5_000, "done")):
            instance = self.start(process, self.lead(expected_revenue=revenue))
            self.assertEqual(instance.state, state)

    def test_snapshot_is_plain(self):
        tag = self.env["crm.tag"].create({"name": "VIP"})
        lead = self.lead(
            tag_ids=tag.ids, date_deadline="2026-05-01", phone="138 0000 1111"
        )
        values = lead._bpmn_snapshot()
        self.assertEqual(values["tag_ids"], ["VIP"])
        self.assertEqual(values["stage_id"], "Fresh")
        self.assertEqual(values["date_deadline"], fields.Date.to_date("2026-05-01"))
        self.assertIsNone(values["country_id"])
        self.assertEqual(json.loads(json.dumps(values, default=str))["id"], lead.id)
        # Nothing about the person behind the opportunity.
        self.assertFalse({"phone", "email_from", "contact_name"} & values.keys())

    # --- STARTS ---

    def test_starts_when_created(self):
        process = self.selling(start="created")
        lead = (
            self.env["crm.lead"]
            .with_user(self.salesman)
            .create({"name": "x", "type": "opportunity", "stage_id": self.first.id})
        )
        self.assertEqual(lead.sudo().bpmn_instance_ids.process_id, process)
        self.assertEqual(lead.stage_id, self.middle)
        process.action_retire()
        self.assertFalse(self.lead().bpmn_instance_ids)

    def test_starts_when_a_stage_is_entered(self):
        self.selling(start="stage", start_stage_id=self.last.id)
        lead = self.lead()
        self.assertFalse(lead.bpmn_instance_ids)
        lead.with_user(self.salesman).stage_id = self.last
        self.assertEqual(lead.bpmn_instance_count, 1)
        self.assertEqual(lead.stage_id, self.middle)
        # It runs already: entering the stage again begins nothing.
        lead.stage_id = self.last
        self.assertEqual(len(lead.bpmn_instance_ids), 1)
        self.assertEqual(self.lead(stage_id=self.last.id).bpmn_state, "waiting")

    def test_stage_start_needs_a_stage(self):
        with self.assertRaises(ValidationError):
            self.selling(start="stage")

    def test_one_at_a_time(self):
        process = self.selling()
        lead = self.lead()
        instance = self.start(process, lead)
        with self.assertRaisesRegex(UserError, "runs here already"):
            self.start(process, lead)
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            instance.copy({"state": "running"})
        # Nor another version of it.
        draft = self.env["bpmn.process"].browse(process.action_new_version()["res_id"])
        draft.action_deploy()
        with self.assertRaisesRegex(UserError, "runs here already"):
            self.start(draft, lead)
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            instance.copy({"state": "running", "process_id": draft.id})
        # It keeps the version that it was started with.
        self.answer(self.waiting(instance), "Yes please")
        self.assertEqual((instance.state, process.state), ("done", "retired"))
        self.assertEqual(self.start(draft, lead).state, "waiting")

    def test_migration_of_twins(self):
        """Two versions that were started at once, before the index forbade it."""
        process = self.selling()
        lead = self.lead()
        first = self.start(process, lead)
        draft = self.env["bpmn.process"].browse(process.action_new_version()["res_id"])
        draft.action_deploy()
        self.env.flush_all()
        self.env.cr.execute("DROP INDEX bpmn_instance_running_uniq")
        second = first.copy({"process_id": draft.id, "state": "running"})
        second._go_on()
        alone = self.start(draft, self.lead())
        self.assertEqual(second.state, "waiting")
        activity = self.waiting(second).activity_id
        self.assertTrue(activity)
        self.env.flush_all()
        path = Path(__file__).parents[1] / "migrations/19.0.1.2.0/pre-migration.py"
        load_script(str(path), "bpmn_pre_migration").migrate(self.env.cr, "19.0.1.1.0")
        self.env.invalidate_all()
        self.assertEqual(
            [one.state for one in (first, second, alone)],
            ["waiting", "cancelled", "waiting"],
        )
        self.assertFalse(self.waiting(second) or activity.exists())
        self.assertTrue(self.waiting(first).activity_id)

    def test_stages_of_a_note_in_the_readers_words(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        instance = self.start(self.selling(), self.lead())
        self.middle.with_context(lang="zh_CN").name = "洽谈中"
        step = instance.step_ids.filtered(lambda s: s.element_id == "move")
        self.assertEqual(step.note, "Stage “Fresh” → “In talks”")
        self.assertIn("洽谈中", step.with_context(lang="zh_CN").note)
        self.middle.name = "Talking"
        step.invalidate_recordset(["note"])
        self.assertEqual(step.note, "Stage “Fresh” → “Talking”")
        # As the first version has stored them.
        step.note_params = {"stage": "洽谈中", "former": "Long gone"}
        self.env.flush_all()
        path = Path(__file__).parents[1] / "migrations/19.0.1.2.0/post-migration.py"
        load_script(str(path), "bpmn_post_migration").migrate(self.env.cr, "19.0.1.1.0")
        self.env.invalidate_all()
        self.assertEqual(step.note, "Stage “–” → “Talking”")

    def test_many_at_once_are_left_to_the_queue(self):
        self.selling(start="created")
        leads = self.env["crm.lead"].create(
            [
                {"name": f"L{n}", "type": "opportunity", "partner_id": self.partner.id}
                for n in range(13)
            ]
        )
        states = leads.bpmn_instance_ids.mapped("state")
        self.assertEqual(states.count("waiting"), bpmn_instance.STARTS_IN_REQUEST)
        self.assertEqual(states.count("running"), 3)
        with self.enter_registry_test_mode():
            self.env.ref("crm_sales_automation.ir_cron_go_on").method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(set(leads.bpmn_instance_ids.mapped("state")), {"waiting"})
        self.assertEqual(set(leads.stage_id), {self.middle})

    def test_processes_that_start_one_another_stop(self):
        for key, stage, target in (
            ("ping", self.middle, "Offered"),
            ("pong", self.last, "In talks"),
        ):
            self.deployed(
                START,
                extended(
                    "serviceTask",
                    "s",
                    f'<crm:action name="set_stage" stage="{target}"/>',
                ),
                END,
                line("start", "s", "end"),
                key=key,
                start="stage",
                start_stage_id=stage.id,
            )
        lead = self.lead()
        lead.stage_id = self.middle
        for _round in range(10):
            running = lead.bpmn_instance_ids.filtered(lambda i: i.state == "running")
            running._go_on()
        incident = lead.bpmn_incident_ids
        self.assertEqual(incident.code, "too_many_chained")
        self.assertEqual(len(lead.bpmn_instance_ids), bpmn_instance.MAX_CHAIN + 1)

    def test_many_services_are_left_to_the_queue(self):
        keys = [f"s{n}" for n in range(25)]
        process = self.deployed(
            START,
            *(
                extended(
                    "serviceTask", k, '<crm:action name="create_activity" summary="x"/>'
                )
                for k in keys
            ),
            END,
            line("start", *keys, "end"),
        )
        instance = self.start(process, self.lead())
        self.assertEqual(instance.state, "running")
        made = len(instance.lead_id.activity_ids)
        self.assertEqual(made, bpmn_instance.SERVICES_IN_REQUEST)
        instance._go_on()
        self.assertEqual(instance.state, "done")
        self.assertEqual(len(instance.lead_id.activity_ids), 25)

    # --- INCIDENTS ---

    def test_incident_and_retry(self):
        process = self.selling(quotation_template_id=False)
        lead = self.lead(partner_id=False)
        instance = self.start(process, lead)
        self.answer(self.waiting(instance), "Yes please")
        # The answer is kept, and so is what was done before the failure.
        self.assertEqual(instance.state, "incident")
        self.assertEqual(lead.stage_id, self.last)
        incident = instance.incident_ids
        self.assertRecordValues(
            incident, [{"code": "no_customer", "element_id": "quote", "state": "open"}]
        )
        self.assertEqual(
            incident.message, "“quote”: The opportunity has no customer: choose one."
        )
        self.assertIn("客户", incident.with_context(lang="zh_CN").message)
        self.assertEqual(lead.bpmn_state, "incident")
        self.assertFalse(lead.order_ids)
        # Half mended: the next reason.
        lead.partner_id = self.partner
        incident.with_user(self.salesman).action_retry()
        self.assertEqual(incident.state, "resolved")
        self.assertEqual(lead.bpmn_incident_ids.code, "no_template")
        lead.quotation_template_id = self.template
        instance.with_user(self.salesman).action_retry()
        self.assertEqual(instance.state, "done")
        self.assertEqual(len(lead.order_ids), 1)
        self.assertFalse(lead.bpmn_incident_ids)
        steps = instance.step_ids.filtered(lambda s: s.element_id in ("offer", "quote"))
        self.assertEqual(steps.mapped("element_id"), ["offer", "quote"])

    def test_failed_effect_leaves_nothing(self):
        instance = self.start(self.selling(), self.lead())
        lead = instance.lead_id

        def half(instance, record, parameters):
            record.name = "changed by half"
            raise ValidationError(instance.env._("Choose an outcome."))

        with patch.object(BpmnInstance, "_do_create_quotation", half):
            self.answer(self.waiting(instance), "Yes please")
        self.assertEqual(lead.name, "New line")
        self.assertEqual(lead.bpmn_incident_ids.code, "refused")
        # the words of another's exception are in one language: the log has them
        self.assertEqual(lead.bpmn_incident_ids.params, {"detail": "ValidationError"})
        self.assertFalse(
            instance.step_ids.filtered(lambda step: step.element_id == "quote")
        )
        lead.bpmn_incident_ids.action_retry()
        self.assertEqual(instance.state, "done")

    def test_a_refusal_is_told_in_the_reader_s_language(self):
        instance = self.start(self.selling(), self.lead())

        def merge(instance, record, parameters):
            customer = instance.env.company.partner_id
            instance.env["omni.merge"]._merge(customer, customer, "manual")

        with patch.object(BpmnInstance, "_do_create_quotation", merge):
            self.answer(self.waiting(instance), "Yes please")
        incident = instance.lead_id.bpmn_incident_ids
        self.assertEqual(incident.params["refusal"], "refused_same")
        self.assertIn("cannot be merged with themselves", incident.message)
        self.assertIn("不能与自己合并", incident.with_context(lang="zh_CN").message)

    def test_the_users_own_write_does_not_fail(self):
        self.selling(start="stage", start_stage_id=self.last.id)
        lead = self.lead()

        def broken(instance, record, parameters):
            # Leaves the transaction unusable unless its savepoint is rolled back.
            instance.env.cr.execute("SELECT 1/0")

        with (
            patch.object(BpmnInstance, "_do_set_stage", broken),
            self.assertLogs("odoo.addons.crm_sales_automation", "ERROR"),
            mute_logger("odoo.sql_db"),
        ):
            lead.with_user(self.salesman).write(
                {"stage_id": self.last.id, "name": "Renamed"}
            )
        self.assertEqual((lead.name, lead.stage_id), ("Renamed", self.last))
        self.assertEqual(lead.bpmn_incident_ids.code, "failed")

    def test_concurrency_is_not_an_incident(self):
        process = self.selling(start="stage", start_stage_id=self.last.id)
        lead = self.lead()

        def busy(instance, record, parameters):
            raise errors.SerializationFailure

        with (
            patch.object(BpmnInstance, "_do_set_stage", busy),
            self.assertRaises(errors.SerializationFailure),
            self.env.cr.savepoint(),
        ):
            lead.stage_id = self.last
        self.assertFalse(process.instance_ids)

    def test_effect_once_when_the_transaction_dies(self):
        """State, effect and key of a step are one: all of them are there, or none."""
        instance = self.start(self.selling(), self.lead())
        lead = instance.lead_id
        step = self.waiting(instance)
        before = instance.execution

        class Killed(BaseException):
            pass

        original = BpmnInstance._settle

        def killed(instance, run):
            raise Killed

        with (
            patch.object(BpmnInstance, "_settle", killed),
            self.assertRaises(Killed),
            self.env.cr.savepoint(),
        ):
            self.answer(step, "Yes please")
        self.env.invalidate_all()
        self.assertEqual(original, BpmnInstance._settle)
        self.assertFalse(lead.order_ids)
        self.assertEqual((step.state, instance.execution), ("waiting", before))
        self.answer(step, "Yes please")
        self.assertEqual((instance.state, len(lead.order_ids)), ("done", 1))

    def test_a_step_has_one_row(self):
        instance = self.start(self.selling(), self.lead())
        move = instance.step_ids.filtered(lambda s: s.element_id == "move")
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            move.copy()

    def test_condition_that_fails(self):
        process = self.deployed(
            START,
            node("exclusiveGateway", "g", default_="d"),
            END,
            node("endEvent", "other"),
            flow("start", "g"),
            flow("g", "other", "record.name &gt; 3"),
            flow("g", "end", key="d"),
        )
        instance = self.start(process, self.lead())
        self.assertEqual(instance.incident_ids.code, "condition")
        self.assertIn("text, number", instance.incident_ids.message)

    def test_stage_of_another_pipeline(self):
        team = self.env["crm.team"].create({"name": "Elsewhere"})
        process = self.selling()
        self.middle.team_ids = team
        lead = self.lead()
        instance = self.start(process, lead)
        self.assertEqual(instance.incident_ids.code, "stage_unknown")
        self.assertEqual(lead.stage_id, self.first)

    def test_cancel(self):
        lead = self.lead()
        instance = self.start(self.selling(), lead)
        instance.with_user(self.salesman).action_cancel()
        self.assertEqual(instance.state, "cancelled")
        self.assertFalse(lead.activity_ids)
        self.assertFalse(self.waiting(instance))
        self.assertEqual(lead.stage_id, self.middle)

    def test_parallel_tasks_and_an_incident_beside(self):
        process = self.deployed(
            START,
            node("parallelGateway", "g"),
            node("userTask", "a"),
            extended("serviceTask", "q", '<crm:action name="create_quotation"/>'),
            node("parallelGateway", "h"),
            END,
            line("start", "g", "a", "h", "end"),
            line("g", "q", "h"),
        )
        lead = self.lead(quotation_template_id=self.template.id, partner_id=False)
        instance = self.start(process, lead)
        self.assertEqual(instance.state, "incident")
        lead.partner_id = self.partner
        lead.bpmn_incident_ids.action_retry()
        self.assertEqual((instance.state, instance.waiting_for), ("waiting", "a"))
        lead.activity_ids.action_done()
        self.assertEqual(instance.state, "done")

    # --- DEFINITIONS ---

    def test_references_are_checked_at_deployment(self):
        made = self.env["bpmn.process"]
        for action, code in (
            ('<crm:action name="set_stage" stage="Nowhere"/>', "stage_unknown"),
            ('<crm:action name="create_quotation" template="x"/>', "template_unknown"),
            (
                '<crm:action name="create_activity" summary="x" responsible="nobody"/>',
                "user_unknown",
            ),
        ):
            with self.subTest(code=code):
                draft = made.create(
                    {
                        "name": "x",
                        "xml": process_xml(
                            START,
                            extended("serviceTask", "s", action),
                            END,
                            line("start", "s", "end"),
                        ),
                    }
                )
                self.assertEqual(draft.finding_ids.code, code)
                self.assertTrue(draft.finding_ids.message)
                with self.assertRaises(UserError):
                    draft.action_deploy()

    def test_stage_by_any_language_or_xml_id(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        self.middle.with_context(lang="zh_CN").name = "洽谈中"
        instances = self.env["bpmn.instance"]
        for text in ("In talks", " in TALKS ", "洽谈中"):
            self.assertEqual(instances._find_stage(text), self.middle)
        known = self.env.ref("crm.stage_lead1", raise_if_not_found=False)
        if known:
            self.assertEqual(instances._find_stage("crm.stage_lead1"), known)

    def test_deployed_is_fixed(self):
        process = self.selling()
        for values in (
            {"start": "created"},
            {"quotation_template_id": False},
            {"start_stage_id": self.last.id},
        ):
            with self.assertRaises(UserError):
                process.write(values)

    def test_process_that_ran_is_not_deleted(self):
        process = self.selling()
        self.start(process, self.lead())
        process.action_retire()
        with self.assertRaisesRegex(UserError, "has run"):
            process.unlink()
        self.assertEqual(process.instance_count, 1)

    def test_conditions_are_checked_against_the_record(self):
        with self.assertRaisesRegex(UserError, "record.phone"):
            self.deployed(
                START,
                node("exclusiveGateway", "g", default_="d"),
                END,
                node("endEvent", "other"),
                flow("start", "g"),
                flow("g", "other", "record.phone"),
                flow("g", "end", key="d"),
            )

    def test_deleted_opportunity_takes_its_processes_along(self):
        lead = self.lead()
        instance = self.start(self.selling(), lead)
        lead.unlink()
        self.assertFalse(instance.exists())

    # --- RIGHTS ---

    def test_rights(self):
        process = self.selling()
        lead = self.lead()
        instance = self.start(process, lead)
        own = instance.with_user(self.salesman)
        self.assertEqual(own.state, "waiting")
        self.assertTrue(own.step_ids)
        with self.assertRaises(AccessError):
            own.read(["execution"])
        for act in (
            lambda: own.write({"state": "done"}),
            own.unlink,
            lambda: self.waiting(own).write({"state": "done"}),
        ):
            with self.assertRaises(AccessError):
                act()
        other = instance.with_user(self.other)
        for act in (
            lambda: other.read(["state"]),
            other.action_cancel,
            self.waiting(instance).with_user(self.other).action_do,
            lambda: self.start(process, lead, user=self.other),
        ):
            with self.assertRaises(AccessError):
                act()
        self.assertFalse(self.env["bpmn.instance"].with_user(self.other).search([]))
        stranger = new_test_user(self.env, "process_stranger2", "base.group_user")
        with self.assertRaises(AccessError):
            instance.with_user(stranger).read(["state"])
        manager = new_test_user(
            self.env,
            "process_manager2",
            "sales_team.group_sale_manager,"
            "crm_sales_automation.group_sales_automation_manager",
        )
        self.assertTrue(instance.with_user(manager).display_name)
        instance.with_user(manager).action_cancel()

    def test_companies(self):
        other = self.env["res.company"].create({"name": "Other company"})
        process = self.selling(start="created")
        lead = self.lead(company_id=other.id, user_id=False)
        self.assertFalse(lead.bpmn_instance_ids)
        own = self.lead(company_id=self.company.id)
        self.assertEqual(own.bpmn_instance_ids.company_id, self.company)
        user = new_test_user(
            self.env,
            "process_abroad",
            "sales_team.group_sale_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        with self.assertRaises(AccessError):
            own.bpmn_instance_ids.with_user(user).read(["state"])
        self.assertFalse(self.env["bpmn.process"].with_user(user).search([]) & process)

    def test_dialogs_on_the_opportunity(self):
        process = self.selling()
        lead = self.lead().with_user(self.salesman)
        action = lead.action_start_process()
        wizard = (
            self.env[action["res_model"]]
            .with_user(self.salesman)
            .with_context(**action["context"])
            .create({})
        )
        self.assertIn(process, wizard.available_ids)
        wizard.process_id = False
        with self.assertRaisesRegex(UserError, "Choose a process"):
            wizard.action_start()
        wizard.process_id = process
        wizard.action_start()
        self.assertEqual(lead.bpmn_instance_count, 1)
        self.assertEqual(lead.bpmn_step_ids.caption, "Ask the customer")
        found = self.env["bpmn.instance"].search(lead.action_view_processes()["domain"])
        self.assertEqual(found, lead.bpmn_instance_ids)
        self.assertEqual(found.action_open_record()["res_id"], lead.id)

    def test_queries_of_a_move(self):
        """A move costs the same whether nothing or another stage is bound."""
        lead = self.lead()
        self.selling(start="stage", start_stage_id=self.last.id)
        self.env["bpmn.process"]._starts()
        lead.stage_id = self.middle
        self.env.flush_all()
        with self.assertQueryCount(0):
            self.env["bpmn.process"]._start_for(lead, "stage")
