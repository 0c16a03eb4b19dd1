from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command


class RoutingCandidate(models.TransientModel):
    _name = "routing.candidate"
    _description = "Who Can Take a Ticket"
    _rec_name = "ticket_id"

    ticket_id = fields.Many2one(
        "helpdesk.ticket", required=True, readonly=True, ondelete="cascade"
    )
    requirement_text = fields.Char(
        string="Asked for", compute="_compute_requirement_text"
    )
    decided = fields.Boolean(compute="_compute_decided")
    override_reason = fields.Char(
        string="Reason",
        help="Why another agent than routing has chosen; it is kept with the decision.",
    )
    line_ids = fields.One2many(
        "routing.candidate.line", "wizard_id", string="Agents", readonly=True
    )

    @api.depends("ticket_id")
    @api.depends_context("lang")
    def _compute_requirement_text(self):
        for wizard in self:
            asked = [
                self.env._(
                    "%(skill)s from %(level)s",
                    skill=line.skill_id.name,
                    level=line.level_id.name,
                )
                if line.necessity == "required"
                else self.env._(
                    "%(skill)s from %(level)s (optional)",
                    skill=line.skill_id.name,
                    level=line.level_id.name,
                )
                for line in wizard.ticket_id._routing_requirements()
            ]
            wizard.requirement_text = (
                self.env["routing.decision"]._list(asked) if asked else False
            )

    @api.depends("ticket_id")
    def _compute_decided(self):
        for wizard in self:
            wizard.decided = bool(wizard.ticket_id.routing_decision_id)

    @api.model
    def _prepare_values(self, ticket):
        """The wizard for a ticket, with its candidates in order.

        :param ticket: one ``helpdesk.ticket``
        """
        decisions = self.env["routing.decision"]
        return {
            "ticket_id": ticket.id,
            "line_ids": [
                Command.create(
                    {
                        "sequence": number,
                        "user_id": candidate.agent.key,
                        "able": not candidate.blocks,
                        "cost": candidate.cost,
                        "entry": decisions._prepare_candidate(candidate),
                    }
                )
                for number, candidate in enumerate(
                    self.env["routing.engine"]._candidates(ticket)
                )
            ],
        }


class RoutingCandidateLine(models.TransientModel):
    _name = "routing.candidate.line"
    _description = "Candidate for a Ticket"
    _order = "sequence, id"
    _rec_name = "user_id"

    wizard_id = fields.Many2one(
        "routing.candidate", required=True, index=True, ondelete="cascade"
    )
    sequence = fields.Integer()
    user_id = fields.Many2one(
        "res.users", string="Agent", required=True, readonly=True, ondelete="cascade"
    )
    able = fields.Boolean(string="Can Take It", readonly=True)
    cost = fields.Float(readonly=True, digits=(16, 2))
    entry = fields.Json(readonly=True)
    open_ticket_text = fields.Char(string="Places Taken", compute="_compute_words")
    reason = fields.Char(string="Why", compute="_compute_words")

    @api.depends("entry")
    @api.depends_context("lang")
    def _compute_words(self):
        decisions = self.env["routing.decision"]
        for line in self:
            entry = line.entry
            line.open_ticket_text = f"{entry['load']} / {entry['capacity']}"
            line.reason = " ".join(
                filter(
                    None,
                    [
                        decisions._candidate_text(entry)
                        or self.env._("Has what is asked for."),
                        " · ".join(decisions._term_texts(entry)) if line.able else "",
                    ],
                )
            )

    def action_assign(self):
        """Assign the ticket to this agent."""
        self.ensure_one()
        wizard = self.wizard_id
        ticket = wizard.ticket_id
        if self.user_id not in ticket._routing_members():
            raise UserError(
                self.env._(
                    "%(user)s is not in the team of the ticket any more.",
                    user=self.user_id.name,
                )
            )
        ticket.write({"user_id": self.user_id.id})
        if wizard.override_reason:
            ticket.routing_override_reason = wizard.override_reason
        return {"type": "ir.actions.act_window_close"}
