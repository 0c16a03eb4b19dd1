from odoo import api, fields, models


class CrmLead(models.Model):
    _inherit = "crm.lead"

    omni_match_hint = fields.Html(
        "Possible Customers", compute="_compute_omni_match_hint", sanitize=False
    )

    @api.depends(
        "partner_id",
        "contact_name",
        "partner_name",
        "email_from",
        "phone",
        "street",
        "city",
        "zip",
        "state_id",
        "country_id",
    )
    @api.depends_context("lang", "uid")
    def _compute_omni_match_hint(self):
        """Customers who may stand behind a lead that names none."""
        for lead in self:
            name = lead.contact_name or lead.partner_name
            if lead.partner_id or not name:
                lead.omni_match_hint = False
                continue
            customer = self.env["res.partner"].new(
                lead._prepare_customer_values(name, is_company=not lead.contact_name)
            )
            lead.omni_match_hint = customer.omni_match_hint
