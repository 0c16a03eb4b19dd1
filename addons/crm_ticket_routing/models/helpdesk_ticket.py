from collections import defaultdict

from odoo import api, fields, models
from odoo.fields import Domain

from ..tools.skills import Agent, rank
from ..tools.sla_policy import Facts, choose

KINDS = ("first_response", "resolution")
#: Fields of a ticket on which the choice of a policy rests.
POLICY_FIELDS = {"team_id", "category_id", "tag_ids", "priority", "company_id"}
#: Kinds of message that a person writes; the others are made by the system.
WRITTEN = ("comment", "email", "email_outgoing")


class HelpdeskTicket(models.Model):
    _inherit = "helpdesk.ticket"

    routing_target_ids = fields.One2many(
        "routing.sla.target", "ticket_id", string="Service Targets", readonly=True
    )
    routing_pause_ids = fields.One2many(
        "routing.sla.pause", "ticket_id", string="Pauses", readonly=True
    )
    routing_sla_state = fields.Selection(
        [
            ("running", "On the Clock"),
            ("paused", "Clock Rests"),
            ("met", "Promise Kept"),
            ("failed", "Promise Broken"),
        ],
        string="Service State",
        compute="_compute_routing_sla_state",
        store=True,
        index="btree_not_null",
    )
    routing_next_deadline = fields.Datetime(
        string="Next Deadline",
        compute="_compute_routing_sla_state",
        store=True,
        index="btree_not_null",
    )
    routing_due_soon = fields.Boolean(
        string="Due Soon",
        compute="_compute_routing_due_soon",
        search="_search_routing_due_soon",
    )

    # --- COMPUTE ---

    @api.depends(
        "routing_target_ids.state",
        "routing_target_ids.deadline",
        "routing_target_ids.outcome_code",
    )
    def _compute_routing_sla_state(self):
        for ticket in self:
            # sudo: the state is the ticket's; who reads the ticket reads it.
            targets = ticket.sudo().routing_target_ids
            running = targets.filtered(lambda t: t.state == "running")
            deadlines = [t.deadline for t in running if t.deadline]
            ticket.routing_next_deadline = min(deadlines, default=False)
            if any(t.state == "failed" for t in targets):
                ticket.routing_sla_state = "failed"
            elif running and any(t.outcome_code == "paused" for t in running):
                ticket.routing_sla_state = "paused"
            elif running:
                ticket.routing_sla_state = "running"
            else:
                ticket.routing_sla_state = "met" if targets else False

    @api.depends("routing_target_ids.warn_at", "routing_target_ids.state")
    def _compute_routing_due_soon(self):
        soon = self.search([("id", "in", self.ids), ("routing_due_soon", "=", True)])
        for ticket in self:
            ticket.routing_due_soon = ticket in soon

    def _search_routing_due_soon(self, operator, value):
        if operator != "in":
            return NotImplemented
        # sudo: which tickets are shown is decided by the search around this one.
        targets_sudo = self.env["routing.sla.target"].sudo()
        due = targets_sudo._search(
            targets_sudo._get_due_soon_domain(fields.Datetime.now())
        )
        domain = Domain("routing_target_ids", "in", due)
        return domain if True in value else ~domain

    # --- CRUD ---

    @api.model_create_multi
    def create(self, vals_list):
        tickets = super().create(vals_list)
        tickets._routing_follow_stage(tickets.browse())
        tickets._routing_refresh_targets()
        tickets._routing_close(tickets.filtered("closed"))
        return tickets

    def write(self, vals):
        were_closed = self.filtered("closed") if "stage_id" in vals else self.browse()
        result = super().write(vals)
        if "stage_id" in vals or "team_id" in vals:
            self._routing_close(self.filtered("closed") - were_closed)
            self._routing_follow_stage(were_closed)
        if POLICY_FIELDS & vals.keys():
            self._routing_refresh_targets()
        return result

    def _message_post_after_hook(self, message, msg_values):
        result = super()._message_post_after_hook(message, msg_values)
        self._routing_note_reply(message)
        return result

    # --- SERVICE TARGETS ---

    def _routing_facts(self):
        """This ticket as the choice of a policy sees it."""
        self.ensure_one()
        return Facts(
            team=self.team_id.id or None,
            categories=frozenset(self.category_id._routing_line()),
            tags=frozenset(self.tag_ids.ids),
            priority=self.priority or None,
        )

    def _routing_refresh_targets(self):
        """Give each ticket the targets that its policies promise.

        A target that has been met or has failed stays as it is; one that runs
        follows the ticket, with the clock started when the ticket came.
        """
        # sudo: a customer who writes from the portal starts the clock too.
        tickets_sudo = self.sudo()
        targets_sudo = self.env["routing.sla.target"].sudo()
        known = {
            (target.ticket_id.id, target.kind): target
            for target in targets_sudo.search([("ticket_id", "in", self.ids)])
        }
        changed = targets_sudo.browse()
        obsolete = targets_sudo.browse()
        vals_list = []
        for company, tickets in tickets_sudo.grouped("company_id").items():
            policies = self._routing_policies(company)
            by_id = {policy.id: policy for policy in policies}
            plain = policies._prepare_policies()
            for ticket in tickets:
                facts = ticket._routing_facts()
                for kind in KINDS:
                    target = known.get((ticket.id, kind), targets_sudo.browse())
                    if target and target.state != "running":
                        continue
                    policy, params = choose(plain, facts, kind)
                    if policy is None:
                        obsolete |= target
                        continue
                    values = ticket._prepare_target_values(
                        by_id[policy.key], policy.minutes[kind], params
                    )
                    if not target:
                        vals_list.append(
                            {**values, "ticket_id": ticket.id, "kind": kind}
                        )
                    elif any(
                        target[name] != self._routing_plain(target, name, value)
                        for name, value in values.items()
                    ):
                        target.write(values)
                        changed |= target
        obsolete.unlink()
        (changed | targets_sudo.create(vals_list))._refresh_deadlines()

    @api.model
    def _routing_plain(self, target, name, value):
        """The value as the record shows it: a record for an id."""
        if target._fields[name].type == "many2one":
            return target[name].browse(value)
        return value

    @api.model
    def _routing_policies(self, company):
        """The policies that hold in a company.

        :param company: one ``res.company``
        """
        # sudo: promises are the company's, whoever writes the ticket.
        return (
            self.env["routing.sla.policy"]
            .sudo()
            .search([("company_id", "in", [False, company.id])])
        )

    def _prepare_target_values(self, policy, minutes, params):
        """Values of a running target.

        :param policy: ``routing.sla.policy``
        :param int minutes: promised
        :param dict params: of ``tools.sla_policy.choose``
        """
        self.ensure_one()
        calendar = policy.calendar_id or self.company_id.resource_calendar_id
        return {
            "policy_id": policy.id,
            "calendar_id": calendar.id,
            "minutes": minutes,
            "start_at": self.create_date or fields.Datetime.now(),
            "reason_code": "policy_others" if params["others"] else "policy",
            "reason_params": {**params, "policy": policy.name},
        }

    def _routing_pauses(self):
        """The pauses of these tickets: ``{ticket id: [(start, stop or None)]}``"""
        pauses = defaultdict(list)
        # sudo: the ledger belongs to the clock, not to the reader.
        for pause in (
            self.env["routing.sla.pause"]
            .sudo()
            .search_fetch(
                [("ticket_id", "in", self.ids)], ["ticket_id", "start_at", "stop_at"]
            )
        ):
            pauses[pause.ticket_id.id].append((pause.start_at, pause.stop_at or None))
        return pauses

    def _routing_follow_stage(self, were_closed):
        """Let the clocks rest or go on as the stages say.

        :param were_closed: those of these tickets that were closed before
        """
        now = fields.Datetime.now()
        pauses_sudo = self.env["routing.sla.pause"].sudo()
        resting = {
            pause.ticket_id.id: pause
            for pause in pauses_sudo.search(
                [("ticket_id", "in", self.ids), ("stop_at", "=", False)]
            )
        }
        touched = self.browse()
        vals_list = []
        for ticket in self:
            stage = ticket.stage_id
            kind = (
                "closed"
                if stage.closed
                else "waiting"
                if stage.routing_pauses_sla
                else False
            )
            pause = resting.get(ticket.id, pauses_sudo.browse())
            if pause.kind == kind or not (pause or kind):
                continue
            if pause:
                pause.stop_at = now
            if kind:
                vals_list.append(
                    {
                        "ticket_id": ticket.id,
                        "kind": kind,
                        "stage_id": stage.id,
                        "start_at": now,
                    }
                )
            touched |= ticket
        # The unique index sees the old pauses closed before the new ones open.
        pauses_sudo.flush_model()
        pauses_sudo.create(vals_list)
        targets_sudo = touched.sudo().routing_target_ids
        reopened = were_closed.filtered(lambda t: not t.closed)
        reopened.sudo().routing_target_ids._reopen()
        targets_sudo._refresh_deadlines()

    def _routing_close(self, tickets):
        """Stop the clocks of tickets that have just been closed.

        :param tickets: ``helpdesk.ticket``
        """
        tickets.sudo().routing_target_ids._mark_met(fields.Datetime.now(), "closed")

    def _routing_note_reply(self, message):
        """Stop the clock of the first response if a colleague answers the customer."""
        if message.message_type not in WRITTEN or message.is_internal:
            return
        comment = self.env["ir.model.data"]._xmlid_to_res_id("mail.mt_comment")
        if message.subtype_id.id != comment:
            return
        # sudo: who an author is may not be readable for who runs the mail gateway.
        users_sudo = message.sudo().author_id.user_ids
        user_sudo = users_sudo.filtered(lambda u: not u.share and u.active)[:1]
        if not user_sudo:
            return
        for ticket in self:
            if message.author_id == ticket.partner_id:
                # A colleague who asks for help is the customer here.
                continue
            ticket.sudo().routing_target_ids.filtered(
                lambda t: t.kind == "first_response"
            )._mark_met(message.date, "replied", {"user": user_sudo.name})

    # --- WHO CAN TAKE IT ---

    def _routing_requirements(self):
        """What the category of the ticket, and those above it, ask for."""
        self.ensure_one()
        # sudo: categories of the ticket's line, whoever may edit them.
        return (
            self.env["routing.skill.requirement"]
            .sudo()
            .search([("category_id", "in", self.category_id._routing_line())])
        )

    def _routing_members(self):
        """Who may be given the ticket: its team, else every agent of the company."""
        self.ensure_one()
        if self.team_id:
            return self.team_id.user_ids.filtered(lambda u: not u.share)
        teams = self.env["helpdesk.ticket.team"].search(
            [("company_id", "in", [False, self.company_id.id])]
        )
        return teams.user_ids.filtered(lambda u: not u.share)

    def _routing_agents(self, users):
        """The users as the ranking sees them: skills valid today, and load.

        :param users: ``res.users``
        :return: ``list[tools.skills.Agent]``
        """
        self.ensure_one()
        today = fields.Date.context_today(self)
        # sudo: levels are needed to rank, and shown only as far as they are asked
        # for; employees are private to HR.
        employees_sudo = (
            self.env["hr.employee"]
            .sudo()
            .search(
                [
                    ("user_id", "in", users.ids),
                    ("company_id", "in", [False, self.company_id.id]),
                ]
            )
        )
        skills_sudo = (
            self.env["hr.employee.skill"]
            .sudo()
            .search(
                [
                    ("employee_id", "in", employees_sudo.ids),
                    "|",
                    ("valid_from", "=", False),
                    ("valid_from", "<=", today),
                    "|",
                    ("valid_to", "=", False),
                    ("valid_to", ">=", today),
                ]
            )
        )
        levels = defaultdict(dict)
        for line in skills_sudo:
            known = levels[line.employee_id.user_id.id]
            level = line.skill_level_id.level_progress
            known[line.skill_id.id] = max(level, known.get(line.skill_id.id, 0))
        loads = dict(
            self.env["helpdesk.ticket"]
            .sudo()
            ._read_group(
                [("user_id", "in", users.ids), ("stage_id.closed", "=", False)],
                ["user_id"],
                ["__count"],
            )
        )
        employed = set(employees_sudo.user_id.ids)
        return [
            Agent(
                key=user.id,
                skills=levels.get(user.id, {}),
                load=loads.get(user, 0),
                known=user.id in employed,
            )
            for user in users
        ]

    def _routing_candidates(self):
        """Who can take this ticket, the best first: ``list[tools.skills.Fit]``"""
        return rank(
            self._routing_agents(self._routing_members()),
            self._routing_requirements()._prepare_requirements(),
        )

    def action_routing_candidates(self):
        """Open the list of those who can take this ticket."""
        self.ensure_one()
        self.check_access("write")
        candidates = self.env["routing.candidate"]
        wizard = candidates.create(candidates._prepare_values(self))
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Who Can Take This Ticket?"),
            "res_model": "routing.candidate",
            "res_id": wizard.id,
            "view_mode": "form",
            "target": "new",
        }
