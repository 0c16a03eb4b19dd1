from odoo import models


class MailThread(models.AbstractModel):
    _inherit = "mail.thread"

    def _message_get_suggested_recipients(self, *args, **kwargs):
        # What the chatter offers; mails are sent from the batch method, with the true
        # addresses.
        suggested = super()._message_get_suggested_recipients(*args, **kwargs)
        partners = self.env["res.partner"]
        rule = partners._closed_fields().get("email")
        own = self._mail_get_primary_email_field() in self._closed_fields()
        if not rule and not own:
            return suggested
        # Who is no customer yet is known by the address alone.
        return [
            {
                **one,
                "email": partners._mask_field("email", rule, one["email"])
                if rule
                else one["email"],
                "create_values": {},
            }
            for one in suggested
            if one["partner_id"]
        ]
