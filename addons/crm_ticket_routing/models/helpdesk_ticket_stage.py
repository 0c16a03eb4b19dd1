from odoo import fields, models


class HelpdeskTicketStage(models.Model):
    _inherit = "helpdesk.ticket.stage"

    routing_pauses_sla = fields.Boolean(
        string="Pauses the Service Clock",
        help="While a ticket is in this stage (such as waiting for the customer), its"
        " service clock rests.",
    )
