import logging
import time
from collections import defaultdict
from functools import partial

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, split_every

from odoo.addons.crm_data_governance.db import (
    CONCURRENCY_ERRORS,
    claim,
    read_committed,
    take_batches,
)
from odoo.addons.crm_data_governance.during import during, told

from ..groups import INTERNAL
from ..tools.routing_cost import urgency
from ..tools.sla_policy import Facts, choose

_logger = logging.getLogger(__name__)

KINDS = ("first_response", "resolution")
#: Fields of a ticket on which the choice of a policy rests.
POLICY_FIELDS = {"team_id", "category_id", "tag_ids", "priority", "company_id"}
#: Kinds of message that a person writes; the others are made by the system.
WRITTEN = ("comment", "email", "email_outgoing")
#: Tickets of one solution. Some hundred agents are then a second of one processor;
#: what is more waits for the next solution.
BATCH = 500
#: New tickets that are routed at once; more (an import) are left to the cron.
AT_ONCE = 20
#: How long an answer waits for others who route to the same agents.
LOCK_TIMEOUT = "3s"
#: What tells a write that routing gives the agent, not a person.
GIVES = "crm_ticket_routing.gives"
#: Seconds that one run of the cron may work on; the next one is a minute away.
CRON_SECONDS = 40


class HelpdeskTicket(models.Model):
    _inherit = "helpdesk.ticket"

    routing_target_ids = fields.One2many(
        "routing.sla.target",
        "ticket_id",
        string="Service Targets",
        readonly=True,
        groups=INTERNAL,
    )
    routing_pause_ids = fields.One2many(
        "routing.sla.pause",
        "ticket_id",
        string="Pauses",
        readonly=True,
        groups=INTERNAL,
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
        groups=INTERNAL,
    )
    routing_next_deadline = fields.Datetime(
        string="Next Deadline",
        compute="_compute_routing_sla_state",
        store=True,
        index="btree_not_null",
        groups=INTERNAL,
    )
    routing_due_soon = fields.Boolean(
        string="Due Soon",
        compute="_compute_routing_due_soon",
        search="_search_routing_due_soon",
        groups=INTERNAL,
    )
    routing_decision_ids = fields.One2many(
        "routing.decision",
        "ticket_id",
        string="Routing Decisions",
        readonly=True,
        groups=INTERNAL,
    )
    routing_decision_id = fields.Many2one(
        "routing.decision",
        compute="_compute_routing_decision_id",
        search="_search_routing_decision_id",
        compute_sudo=True,
        groups=INTERNAL,
    )
    routing_outcome = fields.Selection(
        related="routing_decision_id.outcome",
        string="Routing",
        groups=INTERNAL,
    )
    routing_reason = fields.Char(
        related="routing_decision_id.reason", string="Why", groups=INTERNAL
    )
    routing_agent_id = fields.Many2one(
        related="routing_decision_id.user_id",
        string="Chosen Agent",
        groups=INTERNAL,
    )
    routing_candidates_html = fields.Html(
        related="routing_decision_id.candidates_html",
        string="Who Was Considered",
        groups=INTERNAL,
    )
    routing_overridden_by_id = fields.Many2one(
        related="routing_decision_id.overridden_by_id",
        string="Agent Changed by",
        groups=INTERNAL,
    )
    routing_override_reason = fields.Char(
        string="Reason of the Change",
        compute="_compute_routing_override_reason",
        inverse="_inverse_routing_override_reason",
        groups=INTERNAL,
    )
    routing_mode = fields.Selection(
        related="team_id.routing_mode",
        string="Routing of the Team",
        groups=INTERNAL,
    )
    routing_attempted_at = fields.Datetime(
        string="Last Looked for an Agent",
        readonly=True,
        copy=False,
        groups=INTERNAL,
    )

    # What routing looks for: who waits, and whom a customer had last.
    _routing_waiting_idx = models.Index(
        "(team_id) WHERE user_id IS NULL AND active IS TRUE"
    )
    _routing_former_idx = models.Index(
        "(commercial_partner_id, id DESC) WHERE user_id IS NOT NULL"
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

    @api.depends("routing_decision_ids.superseded")
    def _compute_routing_decision_id(self):
        decisions = self.env["routing.decision"]
        current = {
            decision.ticket_id.id: decision
            for decision in decisions.search(decisions._get_current_domain(self))
        }
        for ticket in self:
            ticket.routing_decision_id = current.get(ticket.id, decisions)

    def _search_routing_decision_id(self, operator, value):
        if operator not in ("in", "any", "any!"):
            return NotImplemented
        current = Domain("superseded", "=", False)
        if operator != "in":
            return Domain("routing_decision_ids", operator, current & Domain(value))
        found = [number for number in value if number]
        domain = Domain(
            "routing_decision_ids", "any", current & Domain("id", "in", found)
        )
        if len(found) < len(value):
            domain |= ~Domain("routing_decision_ids", "any", current)
        return domain

    @api.depends("routing_decision_id.override_reason")
    def _compute_routing_override_reason(self):
        for ticket in self:
            # sudo: who reads the ticket reads why its agent was changed.
            decision_sudo = ticket.routing_decision_id.sudo()
            ticket.routing_override_reason = decision_sudo.override_reason

    def _inverse_routing_override_reason(self):
        for ticket in self:
            # sudo: of a decision nothing but this word is written by a person, and
            # only by who may write the ticket.
            decision_sudo = ticket.routing_decision_id.sudo()
            if decision_sudo.overridden_by_id:
                decision_sudo.override_reason = ticket.routing_override_reason

    # --- CRUD ---

    @api.model_create_multi
    def create(self, vals_list):
        team_id = self.env.context.get("default_team_id")
        routed = self._routing_teams_that_route(
            {vals.get("team_id", team_id) for vals in vals_list}
        )
        for vals in vals_list:
            if vals.get("team_id", team_id) in routed:
                # Else whoever runs the gateway or the import would be the agent.
                vals.setdefault("user_id", False)
        tickets = super().create(vals_list)
        tickets._routing_follow_stage(tickets.browse())
        tickets._routing_refresh_targets()
        tickets._routing_close(tickets.filtered("closed"))
        tickets._routing_arrive()
        return tickets

    def write(self, vals):
        were_closed = self.filtered("closed") if "stage_id" in vals else self.browse()
        by_hand = {"user_id", "team_id"} & vals.keys() and not told(self.env, GIVES)
        before = {t.id: (t.user_id, t.team_id) for t in self} if by_hand else {}
        result = super().write(vals)
        if by_hand:
            self._routing_note_change(before)
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
            )._mark_met(message.date, "replied", {"user": user_sudo.id})

    # --- WHO CAN TAKE IT ---

    def _routing_requirements(self):
        """What the ticket asks for by its category, those above it and its language."""
        self.ensure_one()
        # sudo: categories of the ticket's line, whoever may edit them.
        return (
            self.env["routing.skill.requirement"]
            .sudo()
            .search(
                Domain("category_id", "in", self.category_id._routing_line())
                | Domain("lang", "=", self.partner_id.lang or "none")
            )
        )

    def _routing_members(self):
        """Who may be given the ticket: its team, else every agent of the company."""
        self.ensure_one()
        teams = self.team_id or self._routing_company_teams()
        return teams._routing_members()

    def _routing_company_teams(self):
        """The teams that may take a ticket of this one's company."""
        return self.env["helpdesk.ticket.team"].search(
            [("company_id", "in", [False, self.company_id.id])]
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

    # --- ROUTING ---

    @api.model
    def _get_routing_waiting_domain(self):
        """Tickets without an agent in teams that route."""
        return (
            Domain("user_id", "=", False)
            & Domain("stage_id.closed", "=", False)
            & Domain("team_id.routing_mode", "in", ("automatic", "suggest"))
        )

    @api.model
    def _get_routing_condition(self, ticket_ids, started):
        """The same for the queue: those that were not looked at since ``started``."""
        return SQL(
            """
            id = ANY(%s) AND user_id IS NULL AND active
            AND (routing_attempted_at IS NULL OR routing_attempted_at < %s)
            AND team_id IN (
                SELECT id FROM helpdesk_ticket_team
                 WHERE routing_mode IN ('automatic', 'suggest')
            )
            AND NOT EXISTS (
                SELECT FROM helpdesk_ticket_stage AS s
                 WHERE s.id = stage_id AND s.closed
            )
            """,
            list(ticket_ids),
            started,
        )

    def action_route(self):
        """Give these open tickets to agents, all in one solution a team.

        Those that have an agent are left alone.

        :return: a notification for several tickets; else True, or the user's own
            tickets when this one went out of the user's sight
        """
        self.check_access("write")
        # One SELECT: a ticket that is being routed by another is not waited for.
        tickets = self.filtered(lambda t: not (t.user_id or t.closed))
        tickets = tickets.try_lock_for_update(allow_referencing=True)
        if not tickets:
            raise UserError(
                self.env._("No open ticket here waits for an agent, or not any more.")
            )
        if len(tickets) > BATCH:
            raise UserError(
                self.env._(
                    "At most %(limit)s tickets are routed at once. Longer queues are"
                    " worked off each minute in teams that route automatically.",
                    limit=BATCH,
                )
            )
        decisions = self.env["routing.engine"]._route(tickets, request=True)
        if len(self) == 1 and self.has_access("read"):
            return True
        if len(self) == 1:
            return self.env["ir.actions.act_window"]._for_xml_id(
                "helpdesk_mgmt.helpdesk_my_tickets_action"
            )
        given = len(decisions.filtered(lambda d: d.outcome == "assigned"))
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success" if given == len(tickets) else "warning",
                "message": self.env._(
                    "%(given)s tickets were given to agents, %(waiting)s wait.",
                    given=given,
                    waiting=len(tickets) - given,
                ),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_routing_accept(self):
        """Give the ticket to the agent who is suggested."""
        self.ensure_one()
        self.check_access("write")
        if self.routing_outcome != "suggested":
            raise UserError(self.env._("No agent is suggested any more."))
        # sudo: a colleague may be out of the reader's reach.
        self.user_id = self.routing_agent_id.sudo().id
        return True

    def _routing_give(self, user):
        """Give these tickets to an agent, who has been decided on.

        :param user: ``res.users``
        """
        of_team = self.filtered("team_id")
        with during(self.env, GIVES, True):
            of_team.write({"user_id": user.id})
            for ticket in self - of_team:
                # In one write: a user outside the team is taken off the ticket again.
                team = ticket._routing_company_teams().filtered(
                    lambda team: user in team.user_ids
                )[:1]
                ticket.write({"team_id": team.id, "user_id": user.id})

    def _routing_note_change(self, before):
        """What becomes of the decisions about tickets that somebody has changed.

        Another team ends them; another agent is noted on them, with who did it.

        :param dict before: ``{ticket id: (user, team)}``
        """
        # sudo: decisions are not written by people, they are written about.
        decisions_sudo = self.env["routing.decision"].sudo()
        current = decisions_sudo.search(decisions_sudo._get_current_domain(self))
        obsolete = decisions_sudo.browse()
        changed = defaultdict(decisions_sudo.browse)
        for decision in current:
            user, team = before[decision.ticket_id.id]
            ticket = self.browse(decision.ticket_id.id)
            if ticket.user_id != user and (ticket.user_id or ticket.team_id == team):
                changed[ticket.user_id] |= decision
            elif ticket.team_id != team:
                obsolete |= decision
        obsolete.superseded = True
        for user, decisions in changed.items():
            decisions._note_change(user, self.env.user)

    @api.model
    def _routing_teams_that_route(self, team_ids):
        """Ids of those of the teams that route by themselves, or suggest."""
        # sudo: a customer who writes from the portal does not see the team.
        teams_sudo = self.env["helpdesk.ticket.team"].sudo()
        return set(
            teams_sudo.search(
                [
                    ("id", "in", [number for number in team_ids if number]),
                    ("routing_mode", "in", ("automatic", "suggest")),
                ]
            ).ids
        )

    def _routing_arrive(self):
        """Route new tickets at once, in teams that want it.

        A failure never costs the ticket: what others are routing to just now is
        tried again after the commit, and by the cron each minute.
        """
        routed = self._routing_teams_that_route(self.sudo().team_id.ids)
        # sudo: as above.
        new = self.sudo().filtered(
            lambda t: t.team_id.id in routed and not (t.user_id or t.closed)
        )
        if not new:
            return
        if len(new) > AT_ONCE:
            # sudo: a cron is woken, as Odoo's own models do.
            self.env.ref("crm_ticket_routing.ir_cron_route").sudo()._trigger()
            return
        try:
            new._routing_try(wait=False)
        except CONCURRENCY_ERRORS:
            self.env.cr.postcommit.add(partial(new._routing_after_commit, new.ids))

    @api.model
    def _routing_after_commit(self, ticket_ids):
        """Route committed tickets, waiting a moment for others who route.

        In READ COMMITTED, as for a counter: after the wait for the agents' rows the
        tickets that the others gave are seen, and nothing has to be repeated.
        """
        try:
            with read_committed(self.env) as cr:
                cr.execute(SQL("SET LOCAL lock_timeout = %s", LOCK_TIMEOUT))
                claimed = claim(
                    cr,
                    self._table,
                    self._get_routing_condition(ticket_ids, fields.Datetime.now()),
                    SQL("id"),
                    len(ticket_ids),
                )
                env = api.Environment(cr, SUPERUSER_ID, {})
                if claimed:
                    env[self._name].browse(claimed)._routing_try()
        except CONCURRENCY_ERRORS:
            _logger.info("Tickets %s are left to the cron: too busy", ticket_ids)
        except Exception:
            # The tickets are there, and the request has been answered for.
            _logger.exception("Tickets %s are left to the cron", ticket_ids)

    def _routing_try(self, wait=True):
        """Route these tickets; one that cannot be routed does not hold up the others.

        :param bool wait: of ``routing.engine._route``
        :raise psycopg2.errors: of ``CONCURRENCY_ERRORS``: to be repeated
        """
        engine = self.env["routing.engine"]
        try:
            with self.env.cr.savepoint():
                engine._route(self, wait=wait)
        except CONCURRENCY_ERRORS:
            raise
        except Exception:
            if len(self) > 1:
                for ticket in self:
                    ticket._routing_try(wait)
                return
            _logger.exception("Ticket %s could not be routed", self.id)
            engine._note_failure(self)

    @api.model
    def _routing_work_off(self, registry, ticket_ids, deadline):
        """Route those of the tickets that still wait, in one solution a batch.

        Safe in any number of processes at once: each ticket is taken by one.

        :param float deadline: of ``time.monotonic()``
        :return: number of tickets that were looked at
        """

        def work(env, claimed):
            env["helpdesk.ticket"].browse(claimed)._routing_try()

        return take_batches(
            registry,
            SUPERUSER_ID,
            (
                self._table,
                self._get_routing_condition(ticket_ids, fields.Datetime.now()),
                SQL("id"),
                BATCH,
            ),
            work,
            deadline=deadline,
        )

    @api.model
    def _routing_queue(self):
        """Ids of the tickets that wait, the most urgent first.

        A suggestion that stands is not looked for again.
        """
        waiting = self.search(
            Domain(self._get_routing_waiting_domain())
            & ~Domain(
                "routing_decision_ids",
                "any",
                [("superseded", "=", False), ("outcome", "=", "suggested")],
            )
        )
        facts = self.env["routing.engine"]._ticket_facts(waiting, fields.Datetime.now())
        return sorted(
            waiting.ids,
            key=lambda number: (
                -urgency(
                    facts[number],
                    self.browse(number).team_id._routing_weights(),
                )[0],
                number,
            ),
        )

    @api.model
    def _cron_route(self):
        """Each minute: route what waits, the most urgent batch first."""
        deadline = time.monotonic() + CRON_SECONDS
        done = 0
        for batch in split_every(BATCH, self._routing_queue(), list):
            done += self._routing_work_off(self.env.registry, batch, deadline)
        if done:
            _logger.info("Routing: %d waiting tickets were looked at", done)
