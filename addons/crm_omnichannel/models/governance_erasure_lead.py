from odoo import api, models
from odoo.fields import Domain
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.models.governance_privacy_request import (
    add_reasons,
)

_lt = LazyTranslate(__name__)

add_reasons(
    {"sales_record": _lt("The record of the sale stays, without who it was for.")}
)

#: what an opportunity tells of its contact
CONTACT_FIELDS = (
    "contact_name",
    "function",
    "email_from",
    "email_cc",
    "phone",
    "street",
    "street2",
    "zip",
    "city",
)


class GovernanceErasure(models.AbstractModel):
    _name = "governance.erasure"
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Opportunities stay as the record of the sale, without who it was for.

        Title and notes are part of that record and are kept; it is reported, so that
        somebody looks at them.
        """
        leads = self._omni_leads_of(partner, identities)
        # what is emptied is nothing to tell anybody of, nor to put into a chatter
        leads.with_context(tracking_disable=True).write(
            dict.fromkeys(CONTACT_FIELDS, False)
        )
        self._omni_tracked_of(leads).unlink()
        result = super()._erase_person(partner, identities)
        if not leads:
            return result
        return [
            *result,
            {
                "model": "crm.lead",
                "count": len(leads),
                "action": "pseudonymised",
                "reason": "sales_record",
            },
        ]

    @api.model
    def _omni_tracked_of(self, leads):
        """Return the values that the chatter of opportunities tells of their contact.

        :return: ``mail.tracking.value``
        """
        return self.env["mail.tracking.value"].search(
            Domain("mail_message_id.model", "=", leads._name)
            & Domain("mail_message_id.res_id", "in", leads.ids)
            & Domain("field_id.model", "=", leads._name)
            & Domain("field_id.name", "in", ("partner_id", *CONTACT_FIELDS))
        )

    @api.model
    def _omni_leads_of(self, partner, identities):
        """Return the opportunities of a person, or with their address.

        A telephone may be an office's: it leads to those of no customer only.

        :return: ``crm.lead``, archived ones too
        """
        named = self._omni_named(partner, identities)
        emails = {value for kind, value in named if kind == "email"}
        phones = [value for kind, value in named if kind == "phone"]
        leads = self.env["crm.lead"].with_context(active_test=False)
        return leads.search(
            Domain("partner_id", "=", partner.id)
            | Domain("email_from", "in", self._omni_spelt(leads, "email_from", emails))
            | Domain("partner_id", "=", False) & Domain("phone_sanitized", "in", phones)
        )
