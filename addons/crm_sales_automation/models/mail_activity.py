from odoo import models


class MailActivity(models.Model):
    _name = "mail.activity"
    _inherit = "mail.activity"

    def _action_done(self, feedback=False, attachment_ids=None):
        """Done here is done in the process that made the activity.

        A task that asks for an outcome goes on only when one is chosen: by the button
        on the record, which passes it in the context.
        """
        # Who may mark the activity done need not see the process.
        steps = (
            self.env["bpmn.instance.step"]
            .sudo()
            .search([("activity_id", "in", self.ids), ("state", "=", "waiting")])
        )
        result = super()._action_done(feedback=feedback, attachment_ids=attachment_ids)
        outcome = self.env.context.get("bpmn_outcome")
        for step in steps:
            if outcome or not step.outcomes:
                step.with_context(bpmn_outcome=False)._finish(outcome)
        return result
