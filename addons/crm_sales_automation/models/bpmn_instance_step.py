from odoo import api, fields, models
from odoo.exceptions import UserError

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS

from ..messages import STEPS, render
from ..tools import engine
from .bpmn_instance import SERVICES_IN_REQUEST

#: Params of a note that are ids of stages: their names are the reader's.
STAGES = ("stage", "former")


class BpmnInstanceStep(models.Model):
    _name = "bpmn.instance.step"
    _description = "Step of a Running Process"
    _order = "id"
    _rec_name = "caption"

    instance_id = fields.Many2one(
        "bpmn.instance", required=True, readonly=True, index=True, ondelete="cascade"
    )
    process_id = fields.Many2one(related="instance_id.process_id", store=True)
    company_id = fields.Many2one(related="instance_id.company_id", store=True)
    lead_id = fields.Many2one(
        related="instance_id.lead_id", store=True, index="btree_not_null"
    )
    element_id = fields.Char(string="Shape", required=True, readonly=True)
    element_type = fields.Char(string="Type", readonly=True)
    name = fields.Char(string="Shape Caption", readonly=True)
    caption = fields.Char(string="Step", compute="_compute_caption")
    task_id = fields.Char(
        string="Pass",
        readonly=True,
        help="The pass through the shape: another one in each round of a loop.",
    )
    state = fields.Selection(
        [("waiting", "To Do"), ("done", "Done"), ("cancelled", "Cancelled")],
        required=True,
        readonly=True,
        default="waiting",
    )
    started_at = fields.Datetime(readonly=True, default=fields.Datetime.now)
    ended_at = fields.Datetime(readonly=True)
    activity_id = fields.Many2one(
        "mail.activity", readonly=True, index="btree_not_null", ondelete="set null"
    )
    done_by_id = fields.Many2one("res.users", string="Done by", readonly=True)
    variable = fields.Char(readonly=True)
    outcomes = fields.Json(readonly=True)
    outcome = fields.Char(string="Outcome Code", readonly=True)
    outcome_name = fields.Char(string="Outcome", compute="_compute_outcome_name")
    note_code = fields.Char(readonly=True)
    note_params = fields.Json(readonly=True)
    note = fields.Char(string="What was done", compute="_compute_note")
    result_model = fields.Char(readonly=True)
    result_id = fields.Many2oneReference(model_field="result_model", readonly=True)

    _task_uniq = models.UniqueIndex(
        "(instance_id, task_id) WHERE task_id IS NOT NULL",
        "This step has been made already.",
    )
    _activity_uniq = models.UniqueIndex("(activity_id) WHERE activity_id IS NOT NULL")

    # --- COMPUTE ---

    @api.depends("name", "element_id")
    def _compute_caption(self):
        for step in self:
            step.caption = step.name or step.element_id

    @api.depends("outcome", "outcomes")
    def _compute_outcome_name(self):
        for step in self:
            step.outcome_name = dict(step.outcomes or []).get(step.outcome, "")

    @api.depends("note_code", "note_params")
    @api.depends_context("lang")
    def _compute_note(self):
        for step in self:
            params = {
                name: self._stage_name(value) if name in STAGES else value
                for name, value in (step.note_params or {}).items()
            }
            step.note = render(self.env, STEPS, step.note_code, params)

    @api.model
    def _stage_name(self, stage_id):
        # sudo: who reads what was done reads the name of the stage.
        return self.env["crm.stage"].sudo().browse(stage_id).exists().name or "–"

    # --- THE TASK OF A PERSON ---

    def _schedule(self, node):
        """Remind the person in charge by an activity on the record.

        :param node: ``engine.Node`` of the step
        """
        self.ensure_one()
        instance = self.instance_id
        self.activity_id = instance._schedule_activity(
            instance._record(),
            node.name or node.key,
            node.documentation,
            node.extensions.parameters,
        )

    def _cancel(self):
        """Nobody has to do these any more."""
        activities = self.activity_id
        self.write({"state": "cancelled", "ended_at": fields.Datetime.now()})
        activities.filtered("active").unlink()

    def _finish(self, outcome=None):
        """The task is done: go on. What then fails becomes an incident.

        :param str outcome: value of one of the outcomes
        """
        self.ensure_one()
        instance = self.instance_id
        self.env.flush_all()
        instance._lock()
        self.invalidate_recordset()
        if self.state != "waiting":
            return
        try:
            with self.env.cr.savepoint():
                run = engine.load(instance.process_id.xml, instance.execution)
                run.complete(self.task_id, outcome)
                self.write(
                    {
                        "state": "done",
                        "outcome": outcome,
                        "ended_at": fields.Datetime.now(),
                        "done_by_id": self.env.uid,
                    }
                )
                instance.execution = run.save()
                if instance.state == "waiting":
                    instance.state = "running"
        except CONCURRENCY_ERRORS:
            raise
        # As in bpmn.instance._go_on: marking an activity done never fails for it.
        except Exception as error:  # noqa: BLE001
            instance._open_incident(error)
            return
        instance._go_on(SERVICES_IN_REQUEST)

    # --- ACTIONS ---

    def action_do(self):
        """Ask for the outcome, and go on."""
        self.ensure_one()
        self.instance_id._check_may_work()
        wizard = self.env["bpmn.task.answer"]._for_step(self)
        return {
            "type": "ir.actions.act_window",
            "name": self.caption,
            "res_model": wizard._name,
            "res_id": wizard.id,
            "view_mode": "form",
            "target": "new",
        }

    def action_remind(self):
        """Put the activity back that somebody has deleted."""
        self.ensure_one()
        self.instance_id._check_may_work()
        # The activity is made by the process, for whom the diagram names.
        step = self.sudo()
        if step.state != "waiting":
            raise UserError(
                self.env._("“%(step)s” is done already.", step=step.caption)
            )
        if not step.activity_id.active:
            nodes = engine.model(step.process_id.xml).nodes
            step._schedule(nodes[step.element_id])
        return True

    def action_open_result(self):
        """Open what the step has made."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.result_model,
            "res_id": self.result_id,
            "view_mode": "form",
        }
