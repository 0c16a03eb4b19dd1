from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command


class BpmnTaskAnswer(models.TransientModel):
    _name = "bpmn.task.answer"
    _description = "Do a Task of a Process"

    step_id = fields.Many2one(
        "bpmn.instance.step", required=True, readonly=True, ondelete="cascade"
    )
    instruction = fields.Html(related="step_id.activity_id.note")
    option_ids = fields.One2many("bpmn.task.answer.option", "answer_id")
    option_id = fields.Many2one(
        "bpmn.task.answer.option",
        string="Outcome",
        domain="[('answer_id', '=', id)]",
    )
    has_options = fields.Boolean(compute="_compute_has_options")
    note = fields.Text(string="Remark")

    @api.depends("option_ids")
    def _compute_has_options(self):
        for answer in self:
            answer.has_options = bool(answer.option_ids)

    @api.model
    def _for_step(self, step):
        """A dialog for a waiting step."""
        return self.create(
            {
                "step_id": step.id,
                "option_ids": [
                    Command.create({"value": value, "name": name})
                    for value, name in step.outcomes or []
                ],
            }
        )

    def action_done(self):
        """The task is done, with this outcome."""
        self.ensure_one()
        self.step_id.instance_id._check_may_work()
        # The rows of instances are written by the process alone.
        step = self.step_id.sudo()
        if step.state != "waiting":
            raise UserError(
                self.env._("“%(step)s” is done already.", step=step.caption)
            )
        outcome = None
        if step.outcomes:
            # The rows of the dialog are its user's; what is offered is the step's.
            outcome = self.option_id.value
            if outcome not in dict(step.outcomes):
                raise UserError(self.env._("Choose an outcome."))
        if step.activity_id.active:
            # The message in the chatter, as if it had been marked done there.
            step.activity_id._action_done(feedback=self._feedback())
        # A task without outcomes went on with its activity: this finds it done.
        step._finish(outcome)
        return {"type": "ir.actions.act_window_close"}

    def _feedback(self):
        return "\n".join(filter(None, (self.option_id.name, self.note))) or False


class BpmnTaskAnswerOption(models.TransientModel):
    _name = "bpmn.task.answer.option"
    _description = "Outcome to Choose"
    _order = "id"

    answer_id = fields.Many2one("bpmn.task.answer", required=True, ondelete="cascade")
    value = fields.Char(required=True)
    name = fields.Char(required=True)
