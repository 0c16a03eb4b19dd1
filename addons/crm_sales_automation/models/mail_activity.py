from odoo import models


class MailActivity(models.Model):
    _name = "mail.activity"
    _inherit = "mail.activity"

    def _action_done(self, feedback=False, attachment_ids=None):
        """Done here is done in the process that made the activity.

        A task that asks for an outcome goes on only when one is chosen, by the button
        on the record (``bpmn.task.answer``).
        """
        # Who may mark the activity done need not see the process.
        steps = (
            self.env["bpmn.instance.step"]
            .sudo()
            .search([("activity_id", "in", self.ids), ("state", "=", "waiting")])
            .filtered(lambda step: not step.outcomes)
        )
        result = super()._action_done(feedback=feedback, attachment_ids=attachment_ids)
        for step in steps:
            step._finish()
        return result
