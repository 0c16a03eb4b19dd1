from odoo import fields, models


class RoutingSlaPause(models.Model):
    _name = "routing.sla.pause"
    _description = "Pause of the Service Clock"
    _order = "start_at, id"

    ticket_id = fields.Many2one(
        "helpdesk.ticket", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="ticket_id.company_id")
    kind = fields.Selection(
        [("waiting", "Waiting"), ("closed", "Closed")],
        required=True,
        readonly=True,
        help="The clock rests while a ticket waits (as its stage says), and between its"
        " closing and its reopening.",
    )
    stage_id = fields.Many2one(
        "helpdesk.ticket.stage", readonly=True, ondelete="set null"
    )
    start_at = fields.Datetime(string="From", required=True, readonly=True)
    stop_at = fields.Datetime(string="Until", readonly=True)

    _check_order = models.Constraint(
        "CHECK (stop_at IS NULL OR start_at <= stop_at)",
        "A pause must end after it starts.",
    )
    _open_uniq = models.UniqueIndex(
        "(ticket_id) WHERE stop_at IS NULL",
        "The clock of this ticket rests already.",
    )
