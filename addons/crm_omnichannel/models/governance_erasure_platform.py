from odoo import api, models
from odoo.fields import Domain


class GovernanceErasure(models.AbstractModel):
    _name = "governance.erasure"
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Forget what was fetched of a person, and the callbacks about them.

        What the platform itself keeps is erased there; a person who is a customer
        there still comes back with the next synchronisation.
        """
        # before the identities are gone
        places = list(self._omni_platform_places(partner, identities))
        result = super()._erase_person(partner, identities)
        items = self.env["omni.sync.item"].search(
            Domain.OR(
                place & Domain("external_id", "=", value) for place, value in places
            )
        )
        callbacks = self.env["omni.callback"].search(
            Domain.OR(
                place & Domain("subject", "=", f"contact:{value}")
                for place, value in places
            )
        )
        counts = {records._name: len(records) for records in (items, callbacks)}
        items.unlink()
        callbacks.unlink()
        return result + [
            {
                "model": model,
                "count": count,
                "action": "erased",
                "reason": "person_erased",
            }
            for model, count in counts.items()
            if count
        ]

    @api.model
    def _omni_platform_places(self, partner, identities):
        """Yield ``(domain on the channel, ID)`` of a person at the platforms.

        A channel's own ID names the person in that channel alone, and that of a corp in
        the channels of its company; what only the request names, wherever it is used.
        """
        for identity in partner.omni_identity_ids:
            if identity.kind == "external_id":
                yield Domain("channel_id", "=", identity.channel_id.id), identity.value
            elif identity.kind == "external_userid":
                company_id = int(identity.scope.rpartition(":")[2]) or False
                place = Domain("channel_id.company_id", "=", company_id)
                yield place, identity.value
        for kind, value in self._omni_named(partner, identities):
            if kind == "external_userid":
                yield Domain.TRUE, value
