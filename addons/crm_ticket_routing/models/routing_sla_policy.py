from odoo import api, fields, models
from odoo.exceptions import ValidationError

from ..tools.sla_policy import Policy

#: A promise longer than this is a slip of the pen (a year of single shifts).
MAX_HOURS = 2_000


class RoutingSlaPolicy(models.Model):
    _name = "routing.sla.policy"
    _description = "Service Policy"
    _inherit = ["mail.thread"]
    _order = "sequence, id"
    _check_company_auto = True

    name = fields.Char(required=True, translate=True, tracking=True)
    active = fields.Boolean(default=True, tracking=True)
    sequence = fields.Integer(
        default=10, help="Decides between policies that are equally specific."
    )
    company_id = fields.Many2one(
        "res.company",
        index=True,
        default=lambda self: self._default_company_id(),
        help="Empty: the policy holds in every company.",
    )
    team_id = fields.Many2one(
        "helpdesk.ticket.team", check_company=True, index="btree_not_null"
    )
    category_id = fields.Many2one(
        "helpdesk.ticket.category",
        check_company=True,
        index="btree_not_null",
        help="The categories below it are meant too.",
    )
    tag_ids = fields.Many2many(
        "helpdesk.ticket.tag", string="Tags", help="One of them is enough."
    )
    priority = fields.Selection(selection="_selection_priority")
    first_response_hours = fields.Float(
        string="First Response",
        tracking=True,
        help="Working hours until the first answer to the customer. 0: no promise.",
    )
    resolution_hours = fields.Float(
        string="Resolution",
        tracking=True,
        help="Working hours until the ticket is closed. 0: no promise.",
    )
    calendar_id = fields.Many2one(
        "resource.calendar",
        string="Working Hours",
        check_company=True,
        help="When the clock runs. Empty: the working hours of the company.",
    )
    target_count = fields.Integer(compute="_compute_target_count")

    _check_hours = models.Constraint(
        "CHECK (first_response_hours >= 0 AND resolution_hours >= 0)",
        "Working hours cannot be negative.",
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    @api.model
    def _selection_priority(self):
        return (
            self.env["helpdesk.ticket"]
            ._fields["priority"]
            ._description_selection(self.env)
        )

    def _compute_target_count(self):
        counts = dict(
            self.env["routing.sla.target"]._read_group(
                [("policy_id", "in", self.ids)], ["policy_id"], ["__count"]
            )
        )
        for policy in self:
            policy.target_count = counts.get(policy._origin, 0)

    @api.constrains("first_response_hours", "resolution_hours")
    def _check_promise(self):
        for policy in self:
            promised = (policy.first_response_hours, policy.resolution_hours)
            if not any(promised):
                raise ValidationError(
                    self.env._(
                        "“%(policy)s” promises nothing: give the hours of the first"
                        " response, of the resolution, or both.",
                        policy=policy.name,
                    )
                )
            if max(promised) > MAX_HOURS:
                raise ValidationError(
                    self.env._(
                        "A promise of more than %(limit)s working hours is none.",
                        limit=MAX_HOURS,
                    )
                )

    def _prepare_policies(self):
        """These policies as the choice sees them: ``list[tools.sla_policy.Policy]``"""
        return [
            Policy(
                key=policy.id,
                sequence=policy.sequence,
                team=policy.team_id.id or None,
                category=policy.category_id.id or None,
                category_depth=(policy.category_id.parent_path or "").count("/"),
                tags=frozenset(policy.tag_ids.ids),
                priority=policy.priority or None,
                minutes={
                    kind: round(hours * 60)
                    for kind, hours in (
                        ("first_response", policy.first_response_hours),
                        ("resolution", policy.resolution_hours),
                    )
                    if hours
                },
            )
            for policy in self
        ]

    def action_apply(self):
        """Apply the policies to the tickets that are open now."""
        self.check_access("write")
        tickets = self.env["helpdesk.ticket"].search([("closed", "=", False)])
        tickets._routing_refresh_targets()
        return True

    def action_view_targets(self):
        """Open the targets that this policy has set."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_ticket_routing.routing_sla_target_action"
        )
        action["domain"] = [("policy_id", "=", self.id)]
        action["context"] = {}
        return action
