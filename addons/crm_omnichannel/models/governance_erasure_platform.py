from odoo import api, models


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
        known = partner.omni_identity_ids.filtered(
            lambda identity: identity.kind in ("external_id", "external_userid")
        )
        values = {identity.value for identity in known} | {
            value for kind, value in identities if kind == "external_userid"
        }
        result = super()._erase_person(partner, identities)
        items = self.env["omni.sync.item"].search([("external_id", "in", [*values])])
        callbacks = self.env["omni.callback"].search(
            [("subject", "in", [f"contact:{value}" for value in values])]
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
