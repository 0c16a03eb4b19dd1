from odoo import models

from ..field_rules import rules_of


class MailTrackingValue(models.Model):
    _inherit = "mail.tracking.value"

    def _filter_has_field_access(self, env):
        # Old and new value of a masked field would be shown as they are.
        return super()._filter_has_field_access(env)._filter_open(rules_of(env))

    def _filter_free_field_access(self):
        # These go to everybody in a notification: what any policy closes is not free.
        policies = self.env["governance.field.policy"]
        closed = policies._closed_somewhere() if self.env.registry.ready else ()
        return (
            super()
            ._filter_free_field_access()
            .filtered(
                lambda value: (value.field_id.model, value.field_id.name) not in closed
            )
        )

    def _filter_open(self, rules):
        def is_open(value):
            fields = rules.get(value.field_id.model)
            rule = fields and fields.get(value.field_id.name)
            return not (rule and rule.closed)

        return self.filtered(is_open) if rules else self
