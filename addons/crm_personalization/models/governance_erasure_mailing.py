from odoo import api, models
from odoo.fields import Domain


class GovernanceErasure(models.AbstractModel):
    _name = "governance.erasure"
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Take a person off the mailing lists, and their address out of the figures.

        What was sent, opened and clicked stays counted.  Who is on the blacklist stays
        there: it is how the wish to get no mail is kept.
        """
        emails = {
            value
            for kind, value in self._omni_named(partner, identities)
            if kind == "email"
        }
        contacts = self.env["mailing.contact"]
        contacts = contacts.search(
            [("email", "in", self._omni_spelt(contacts, "email", emails))]
        )
        traces = self.env["mailing.trace"]
        traces = traces.search(
            Domain("email", "in", self._omni_spelt(traces, "email", emails))
            | Domain("model", "=", "res.partner") & Domain("res_id", "=", partner.id)
            | Domain("model", "=", contacts._name)
            & Domain("res_id", "in", contacts.ids)
        )
        traces.write({"email": False})
        traces.links_click_ids.write({"ip": False})
        count = len(contacts)
        contacts.unlink()
        return super()._erase_person(partner, identities) + [
            {"model": model, "count": number, "action": action, "reason": reason}
            for model, number, action, reason in (
                ("mailing.contact", count, "erased", "person_erased"),
                ("mailing.trace", len(traces), "pseudonymised", "person_erased"),
            )
            if number
        ]
