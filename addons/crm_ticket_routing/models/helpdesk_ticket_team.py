from odoo import api, fields, models
from odoo.fields import Domain

from ..groups import INTERNAL
from ..tools.routing_cost import Weights

WEIGHTS = Weights()


class HelpdeskTicketTeam(models.Model):
    _inherit = "helpdesk.ticket.team"

    routing_mode = fields.Selection(
        [
            ("off", "Off"),
            ("suggest", "Suggest Only"),
            ("automatic", "Automatic"),
        ],
        string="Routing",
        required=True,
        default="off",
        tracking=True,
        help="Automatic: tickets without an agent are given to one. Suggest only: it is"
        " told who should take them.",
        groups=INTERNAL,
    )
    routing_working_hours = fields.Boolean(
        string="Only in Working Hours",
        default=True,
        help="Agents get tickets only in the working hours of their employee. Who is"
        " on leave never gets any.",
        groups=INTERNAL,
    )
    routing_weight_optional = fields.Float(
        string="Optional Skill Missing",
        default=WEIGHTS.optional,
        help="Cost of each optional skill that an agent lacks; a part of it where only"
        " the level is too low.",
        groups=INTERNAL,
    )
    routing_weight_language = fields.Float(
        string="Language Missing",
        default=WEIGHTS.language,
        help="Cost of not speaking the customer's language, where it is optional.",
        groups=INTERNAL,
    )
    routing_weight_surplus = fields.Float(
        string="More Skill Than Needed",
        default=WEIGHTS.surplus,
        help="Cost of a whole level more than is asked for: it keeps experts free.",
        groups=INTERNAL,
    )
    routing_weight_continuity = fields.Float(
        string="Another Agent",
        default=WEIGHTS.continuity,
        help="Cost of another agent than the one of the customer's last ticket.",
        groups=INTERNAL,
    )
    routing_weight_load = fields.Float(
        string="Open Tickets",
        default=WEIGHTS.load,
        help="Cost of the last place of an agent; the first costs nothing, those"
        " between a part of it.",
        groups=INTERNAL,
    )
    routing_weight_vip = fields.Float(
        string="Customer Tier",
        default=WEIGHTS.vip,
        help="How many times as urgent the tickets of VIP customers are; gold and"
        " silver lie between.",
        groups=INTERNAL,
    )
    routing_weight_sla = fields.Float(
        string="Deadline",
        default=WEIGHTS.sla,
        help="How many times more urgent a ticket becomes until its next deadline.",
        groups=INTERNAL,
    )
    routing_weight_age = fields.Float(
        string="Waiting",
        default=WEIGHTS.age,
        help="How many times more urgent a ticket becomes with each day that it waits.",
        groups=INTERNAL,
    )
    routing_waiting_count = fields.Integer(
        string="Waiting for Routing",
        compute="_compute_routing_waiting_count",
        groups=INTERNAL,
    )

    _check_routing_weights = models.Constraint(
        """CHECK (
            routing_weight_optional BETWEEN 0 AND 1000
            AND routing_weight_language BETWEEN 0 AND 1000
            AND routing_weight_surplus BETWEEN 0 AND 1000
            AND routing_weight_continuity BETWEEN 0 AND 1000
            AND routing_weight_load BETWEEN 0 AND 1000
            AND routing_weight_sla BETWEEN 0 AND 1000
        )""",
        "Weights of routing are between 0 and 1000.",
    )
    _check_routing_urgency = models.Constraint(
        """CHECK (
            routing_weight_vip BETWEEN 1 AND 1000
            AND routing_weight_age BETWEEN 0.01 AND 1000
        )""",
        "The customer tier weighs at least 1, and waiting at least 0.01, so that no"
        " ticket waits for ever; both at most 1000.",
    )

    def _compute_routing_waiting_count(self):
        tickets = self.env["helpdesk.ticket"]
        counts = dict(
            tickets._read_group(
                Domain("team_id", "in", self.ids)
                & tickets._get_routing_waiting_domain(),
                ["team_id"],
                ["__count"],
            )
        )
        for team in self:
            team.routing_waiting_count = counts.get(team._origin, 0)

    @api.model_create_multi
    def create(self, vals_list):
        teams = super().create(vals_list)
        teams._routing_ensure_agents()
        return teams

    def write(self, vals):
        result = super().write(vals)
        if "user_ids" in vals:
            self._routing_ensure_agents()
        return result

    def _routing_members(self):
        """The members of these teams who can be agents."""
        return self.user_ids.filtered(lambda user: not user.share)

    def _routing_ensure_agents(self):
        self.env["routing.agent"]._ensure(self._routing_members())

    def _routing_weights(self):
        """The weights of the team, or those given, for tickets without a team."""
        if not self:
            return WEIGHTS
        self.ensure_one()
        return Weights(
            **{
                name: self[f"routing_weight_{name}"]
                for name in Weights.__dataclass_fields__
            }
        )

    def action_routing_agents(self):
        """Open the places of the members."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_ticket_routing.routing_agent_action"
        )
        action["domain"] = [("user_id", "in", self._routing_members().ids)]
        return action

    def action_routing_waiting(self):
        """Open the tickets that wait for an agent."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "helpdesk_mgmt.helpdesk_ticket_action"
        )
        action["domain"] = [("team_id", "=", self.id)]
        action["context"] = {
            "search_default_routing_waiting": True,
            "default_team_id": self.id,
        }
        return action
