from odoo import models

from odoo.addons.mail.tools.discuss import Store

from ..tools.masks import email

# Addresses on a message, which are those of customers.
ADDRESSES = frozenset({"email_from", "incoming_email_cc", "incoming_email_to"})


class MailMessage(models.Model):
    _inherit = "mail.message"

    def _to_store_defaults(self, target):
        defaults = super()._to_store_defaults(target)
        if "email" not in self.env["res.partner"]._closed_for_reader():
            return defaults
        result = []
        for field in defaults:
            name = field if isinstance(field, str) else field.field_name
            if name in ADDRESSES:
                predicate = None if isinstance(field, str) else field.predicate
                field = Store.Attr(
                    name,
                    lambda message, name=name: email(message[name]),
                    predicate=predicate,
                )
            result.append(field)
        return result
