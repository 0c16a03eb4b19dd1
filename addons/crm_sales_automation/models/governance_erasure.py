from odoo import api, models


class GovernanceErasure(models.AbstractModel):
    _name = "governance.erasure"
    _inherit = "governance.erasure"

    @api.model
    def _erase_person(self, partner, identities):
        """Forget what processes keep of a person.

        The engine's state holds outcomes alone, and steps are named by the diagram;
        what a step did and why it failed may name the person or the opportunity.
        Processes on the person's opportunities end.
        """
        # before the addresses go that lead to them
        leads = self._omni_leads_of(partner, identities)
        result = super()._erase_person(partner, identities)
        instances = self.env["bpmn.instance"].search([("lead_id", "in", leads.ids)])
        open_instances = instances.filtered(
            lambda instance: instance.state not in ("done", "cancelled")
        )
        open_instances._end("cancelled")
        instances.write({"execution": False})
        instances.step_ids.write({"note_code": False, "note_params": False})
        instances.incident_ids.write({"code": "erased", "params": False})
        if instances:
            result.append(
                {
                    "model": "bpmn.instance",
                    "count": len(instances),
                    "action": "erased",
                    "reason": "person_erased",
                }
            )
        return result
