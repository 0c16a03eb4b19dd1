from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command
from odoo.tools import format_list


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
                format_list(self.env, asked, lang_code=self.env.lang or "en_US")
                if asked
                else False
            )

    @api.model
    def _prepare_values(self, ticket):
        """The wizard for a ticket, with its candidates in order.

        :param ticket: one ``helpdesk.ticket``
        """
        return {
            "ticket_id": ticket.id,
            "line_ids": [
                Command.create(
                    {
                        "sequence": number,
                        "user_id": fit.agent.key,
                        "qualified": fit.qualified,
                        "known": fit.agent.known,
                        "open_ticket_count": fit.agent.load,
                        "missing": [list(gap) for gap in fit.missing],
                        "optional_missing": [list(gap) for gap in fit.optional_missing],
                    }
                )
                for number, fit in enumerate(ticket._routing_candidates())
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
    qualified = fields.Boolean(readonly=True)
    known = fields.Boolean(readonly=True)
    open_ticket_count = fields.Integer(string="Open Tickets", readonly=True)
    missing = fields.Json(readonly=True)
    optional_missing = fields.Json(readonly=True)
    reason = fields.Char(string="Why", compute="_compute_reason")

    @api.depends("qualified", "known", "missing", "optional_missing")
    @api.depends_context("lang")
    def _compute_reason(self):
        for line in self:
            parts = []
            if not line.known:
                parts.append(self.env._("No employee is linked, so no skill is known."))
            parts += [self._gap_text(gap) for gap in line.missing or ()]
            parts += [
                self.env._("Optional: %(gap)s", gap=self._gap_text(gap))
                for gap in line.optional_missing or ()
            ]
            line.reason = " ".join(parts) or self.env._("Has what is asked for.")

    @api.model
    def _gap_text(self, gap):
        """:param gap: ``[skill id, level asked, level there or None]``"""
        skill_id, asked, has = gap
        skill = self.env["hr.skill"].browse(skill_id).name
        if has is None:
            return self.env._("%(skill)s is missing.", skill=skill)
        return self.env._(
            "%(skill)s is at %(has)s %%, %(asked)s %% is asked for.",
            skill=skill,
            has=has,
            asked=asked,
        )

    def action_assign(self):
        """Assign the ticket to this agent."""
        self.ensure_one()
        ticket = self.wizard_id.ticket_id
        if self.user_id not in ticket._routing_members():
            raise UserError(
                self.env._(
                    "%(user)s is not in the team of the ticket any more.",
                    user=self.user_id.name,
                )
            )
        ticket.write({"user_id": self.user_id.id})
        return {"type": "ir.actions.act_window_close"}
