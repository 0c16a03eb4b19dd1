from odoo import fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    personalization_exposure_count = fields.Integer(
        string="Contents Shown",
        compute="_compute_personalization_exposure_count",
        groups="crm_personalization.group_personalization_user",
    )

    def _compute_personalization_exposure_count(self):
        counts = dict(
            self.env["personalization.exposure"]._read_group(
                [("partner_id", "in", self.ids)], ["partner_id"], ["count:sum"]
            )
        )
        for partner in self:
            partner.personalization_exposure_count = counts.get(partner._origin, 0)

    def _personalization_refuses(self, company):
        """Whether the customer has said no to personalised content on the website.

        :param company: ``res.company`` that was told
        """
        self.ensure_one()
        # sudo: a no counts, whoever reads.
        consents_sudo = self.env["omni.consent"].sudo().with_company(company)
        return bool(consents_sudo._refusing(self, "personalization", "web"))

    def action_view_personalization_exposures(self):
        """Open what this customer saw, and why."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_personalization.personalization_exposure_action"
        )
        action["domain"] = [("partner_id", "=", self.id)]
        action["context"] = {}
        return action
