from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from pytz import UTC

from odoo import SUPERUSER_ID, api, fields, models
from odoo.tools import SQL

from ..tools.assignment import assign, assign_one
from ..tools.routing_cost import (
    Agent,
    Ticket,
    consider,
    rank,
    urgency,
    why_nobody,
    why_this_one,
)
from ..tools.skills import strictest
from .routing_decision import KEPT_CANDIDATES


class Queue(NamedTuple):
    """Tickets that ask the same agents, by the same weights.

    :ivar team: ``helpdesk.ticket.team``, maybe empty
    :ivar weights: ``tools.routing_cost.Weights``
    :ivar tickets: ``list[tools.routing_cost.Ticket]``
    :ivar agents: ``list[tools.routing_cost.Agent]`` by key, load not yet known
    """

    team: object
    weights: object
    tickets: list
    agents: list


class RoutingEngine(models.AbstractModel):
    """Routing as it is computed: gather, the pure functions, one write an agent.

    Each team is a queue and is solved exactly, as one; who is in several teams has
    the places that the teams before left.  The most urgent queue comes first.
    """

    _name = "routing.engine"
    _description = "Routing of Tickets"

    # --- GATHER ---

    @api.model
    def _gather(self, tickets, now):
        """What is to be known, in a number of queries that does not grow.

        :param tickets: ``helpdesk.ticket`` as superuser
        :param datetime now: naive UTC
        :return: ``list[Queue]``
        """
        facts = self._ticket_facts(tickets, now)
        queues = []
        for (team, company), batch in tickets.grouped(
            lambda t: (t.team_id, t.company_id)
        ).items():
            members = batch[0]._routing_members()
            agents = self._agent_facts(members, company, now)
            if team and not team.routing_working_hours:
                agents = [
                    replace(
                        agent, away=None if agent.away == "off_hours" else agent.away
                    )
                    for agent in agents
                ]
            queues.append(
                Queue(
                    team,
                    team._routing_weights(),
                    [
                        # Somebody of another team is nobody's reason here.
                        facts[ticket.id]
                        if facts[ticket.id].former in members.ids
                        else replace(facts[ticket.id], former=None)
                        for ticket in batch
                    ],
                    agents,
                )
            )
        return queues

    @api.model
    def _ticket_facts(self, tickets, now):
        """``{ticket id: tools.routing_cost.Ticket}``"""
        asked = self._requirements(tickets)
        former = self._former_agents(tickets)
        facts = {}
        for company, batch in tickets.grouped("company_id").items():
            for ticket in batch:
                # The tier is the company's own.
                customer = ticket.commercial_partner_id.with_company(company)
                deadline = ticket.routing_next_deadline
                facts[ticket.id] = Ticket(
                    key=ticket.id,
                    requirements=asked[ticket.id],
                    former=former.get(ticket.commercial_partner_id.id),
                    tier=customer.customer_tier or "standard",
                    priority=int(ticket.priority or 0),
                    slack_hours=(deadline - now) / timedelta(hours=1)
                    if deadline
                    else None,
                    age_hours=(now - ticket.create_date) / timedelta(hours=1),
                )
        return facts

    @api.model
    def _requirements(self, tickets):
        """What each ticket asks for: ``{ticket id: tuple of Requirement}``"""
        lines = tickets.category_id._routing_lines()
        languages = [lang for lang in set(tickets.partner_id.mapped("lang")) if lang]
        requirements = self.env["routing.skill.requirement"].search(
            [
                "|",
                ("category_id", "in", list(set().union(*lines.values()))),
                ("lang", "in", languages),
            ]
        )
        by_category = requirements.grouped("category_id")
        by_lang = requirements.grouped("lang")
        result = {}
        for ticket in tickets:
            asked = requirements.browse().union(
                by_lang.get(ticket.partner_id.lang or None, requirements.browse()),
                *(
                    by_category.get(category, requirements.browse())
                    for category in ticket.category_id.browse(
                        lines.get(ticket.category_id.id, ())
                    )
                ),
            )
            result[ticket.id] = tuple(strictest(asked._prepare_requirements()))
        return result

    @api.model
    def _former_agents(self, tickets):
        """Whom each customer had last: ``{commercial partner id: user id}``"""
        partners = tickets.commercial_partner_id
        if not partners:
            return {}
        self.env["helpdesk.ticket"].flush_model(["commercial_partner_id", "user_id"])
        return dict(
            self.env.execute_query(
                SQL(
                    """
                    SELECT DISTINCT ON (commercial_partner_id)
                           commercial_partner_id, user_id
                      FROM helpdesk_ticket
                     WHERE commercial_partner_id = ANY(%s)
                       AND user_id IS NOT NULL AND id <> ALL(%s)
                     ORDER BY commercial_partner_id, id DESC
                    """,
                    partners.ids,
                    tickets.ids,
                )
            )
        )

    @api.model
    def _agent_facts(self, users, company, now):
        """The agents, by key: ``list[tools.routing_cost.Agent]``

        :param users: ``res.users``
        :param company: whose employees they are
        """
        employees = self.env["hr.employee"].search(
            [
                ("user_id", "in", users.ids),
                ("company_id", "in", [False, company.id]),
            ]
        )
        skills = self._skills(employees)
        away = self._away(employees, now)
        employed = set(employees.user_id.ids)
        return [
            Agent(
                key=user_id,
                skills=skills[user_id],
                known=user_id in employed,
                away=away.get(user_id),
            )
            for user_id in sorted(users.ids)
        ]

    @api.model
    def _skills(self, employees):
        """Levels of the skills valid today: ``{user id: {skill id: level}}``"""
        today = fields.Date.context_today(self)
        lines = self.env["hr.employee.skill"].search(
            [
                ("employee_id", "in", employees.ids),
                "|",
                ("valid_from", "=", False),
                ("valid_from", "<=", today),
                "|",
                ("valid_to", "=", False),
                ("valid_to", ">=", today),
            ]
        )
        levels = defaultdict(dict)
        for line in lines:
            known = levels[line.employee_id.user_id.id]
            level = line.skill_level_id.level_progress
            known[line.skill_id.id] = max(level, known.get(line.skill_id.id, 0))
        return levels

    @api.model
    def _away(self, employees, now):
        """Who is not there: ``{user id: "leave" or "off_hours"}``"""
        away = {}
        moment = UTC.localize(now)
        for calendar, group in employees.grouped("resource_calendar_id").items():
            if not calendar or calendar.flexible_hours:
                continue
            resources = group.resource_id
            intervals = calendar._attendance_intervals_batch(
                moment, moment + timedelta(minutes=1), resources
            )
            for employee in group:
                if not intervals[employee.resource_id.id]:
                    away[employee.user_id.id] = "off_hours"
        leaves = self.env["resource.calendar.leaves"].search(
            [
                ("time_type", "=", "leave"),
                ("date_from", "<=", now),
                ("date_to", ">", now),
                "|",
                ("resource_id", "in", employees.resource_id.ids),
                "&",
                ("resource_id", "=", False),
                ("company_id", "in", employees.company_id.ids),
            ]
        )
        for employee in employees:
            if any(
                leave.resource_id == employee.resource_id
                if leave.resource_id
                else leave.company_id == employee.company_id
                and leave.calendar_id
                in (leave.calendar_id.browse(), employee.resource_calendar_id)
                for leave in leaves
            ):
                away[employee.user_id.id] = "leave"
        return away

    # --- DECIDE ---

    @api.model
    def _route(self, tickets, request=False, wait=True):
        """Decide who takes these tickets, and give them away.

        The tickets are locked, or nobody else knows them yet; the places of the
        agents are locked here.

        :param tickets: open ``helpdesk.ticket`` without an agent
        :param bool request: somebody asked for it: suggestions are followed at once
        :param bool wait: for other routing of the same agents, or fail at once
        :return: new ``routing.decision``
        :raise psycopg2.errors: of ``crm_data_governance.db.CONCURRENCY_ERRORS``:
            others routed to the same agents; to be repeated in a new transaction
        """
        # sudo: who creates a ticket, or works on it, sees neither the skills nor the
        # tickets of the others. What routing does by itself, the system does.
        engine = self.sudo() if request else self.with_user(SUPERUSER_ID)
        return engine._decide(tickets.with_env(engine.env), request, wait)

    @api.model
    def _decide(self, tickets, request, wait):
        now = fields.Datetime.now()
        agents = self.env["routing.agent"]
        members = self.env["res.users"].union(
            *(
                batch[0]._routing_members()
                for batch in tickets.grouped(
                    lambda t: (t.team_id, t.company_id)
                ).values()
            )
        )
        capacities = agents._lock(members, wait)
        loads = agents._loads(members.ids, without=tickets.ids)
        queues = self._gather(tickets, now)
        queues.sort(
            key=lambda queue: -max(urgency(t, queue.weights)[0] for t in queue.tickets)
        )
        vals_list = []
        for queue in queues:
            there = [
                replace(
                    agent, load=loads[agent.key], capacity=capacities.get(agent.key, 0)
                )
                for agent in queue.agents
            ]
            mode = "request" if request else queue.team.routing_mode
            for ticket, values in self._solve(queue, there):
                if values["user_id"] and mode != "suggest":
                    values["outcome"] = "assigned"
                    loads[values["user_id"]] += 1
                vals_list.append(
                    {
                        **values,
                        "ticket_id": ticket.key,
                        "team_id": queue.team.id,
                        "mode": mode,
                        "wait_seconds": max(0, round(ticket.age_hours * 3600)),
                    }
                )
        return self._apply(vals_list, now)

    @api.model
    def _solve(self, queue, agents):
        """One queue, exactly: yields ``(tools Ticket, values of a decision)``

        :param agents: of the queue, with their load
        """
        tickets, weights = queue.tickets, queue.weights
        urgencies = [urgency(ticket, weights) for ticket in tickets]
        table = [[consider(t, agent, weights) for agent in agents] for t in tickets]
        costs = [[candidate.own_cost for candidate in row] for row in table]
        seats = [agent.seats(weights) for agent in agents]
        if len(tickets) == 1:
            chosen = [assign_one(costs[0], seats)]
        else:
            chosen = assign(costs, seats, [value for value, _factors in urgencies])
        for ticket, row, index, (value, factors) in zip(
            tickets, table, chosen, urgencies, strict=True
        ):
            ranked = rank(row)
            values = {
                "candidates": [
                    self.env["routing.decision"]._prepare_candidate(candidate)
                    for candidate in ranked[:KEPT_CANDIDATES]
                ],
                "urgency": round(value, 4),
                "urgency_factors": {k: round(v, 2) for k, v in factors.items()},
            }
            if index is None:
                values |= self._prepare_waiting(ticket, row)
            else:
                values |= self._prepare_chosen(ticket, row[index], ranked, len(tickets))
            yield ticket, values

    @api.model
    def _prepare_chosen(self, ticket, chosen, ranked, together):
        """Values of a decision for somebody.

        :param chosen: ``tools.routing_cost.Candidate``
        :param ranked: all of them, in order
        :param int together: tickets of the same solution
        """
        able = sum(1 for candidate in ranked if not candidate.blocks)
        because = why_this_one(ticket, chosen, ranked)
        if able > 1:
            because.append("least_cost" if chosen is ranked[0] else "together")
        return {
            "user_id": chosen.agent.key,
            "outcome": "suggested",
            "reason_code": "chosen",
            "reason_params": {
                "because": because,
                "able": able,
                "tickets": together,
                "considered": len(ranked),
            },
            "cost": round(chosen.cost, 4),
        }

    @api.model
    def _prepare_waiting(self, ticket, row):
        """Values of a decision for nobody."""
        code = why_nobody(row)
        params = {"considered": len(row)}
        if code == "nobody_has_skill":
            # What everybody lacks; if each lacks something else, all that is asked.
            lacking = set.intersection(
                *({gap[0] for gap in candidate.fit.missing} for candidate in row)
            )
            params["skills"] = [
                [r.skill, r.level]
                for r in ticket.requirements
                if r.required and (r.skill in lacking or not lacking)
            ]
        return {
            "user_id": False,
            "outcome": "waiting",
            "reason_code": code,
            "reason_params": params,
            "cost": 0.0,
        }

    # --- APPLY ---

    @api.model
    def _apply(self, vals_list, now):
        """Write the decisions, and the agents on the tickets: one write an agent.

        :return: new ``routing.decision``
        """
        given = defaultdict(lambda: self.env["helpdesk.ticket"])
        left = self.env["helpdesk.ticket"]
        for values in vals_list:
            ticket = self.env["helpdesk.ticket"].browse(values["ticket_id"])
            if values["outcome"] == "assigned":
                given[values["user_id"]] |= ticket
            else:
                left |= ticket
        for user_id, tickets in given.items():
            tickets._routing_give(self.env["res.users"].browse(user_id))
        if given:
            self.env["routing.agent"]._note_given(given, now)
        left.write({"routing_attempted_at": now})
        return self.env["routing.decision"]._record(vals_list)

    @api.model
    def _note_failure(self, ticket):
        """A ticket that could not be routed waits, with the reason on it.

        :param ticket: one ``helpdesk.ticket`` as superuser
        """
        now = fields.Datetime.now()
        return self.with_user(SUPERUSER_ID)._apply(
            [
                {
                    "ticket_id": ticket.id,
                    "team_id": ticket.team_id.id,
                    "mode": "automatic",
                    "user_id": False,
                    "outcome": "waiting",
                    "reason_code": "failed",
                    "reason_params": False,
                    "cost": 0.0,
                    "urgency": 0.0,
                    "urgency_factors": False,
                    "candidates": False,
                    "wait_seconds": max(
                        0, round((now - ticket.create_date) / timedelta(seconds=1))
                    ),
                }
            ],
            now,
        )

    # --- ASK ---

    @api.model
    def _candidates(self, ticket):
        """Who could take a ticket now, in order; nothing is decided.

        :param ticket: one ``helpdesk.ticket``
        :return: ``list[tools.routing_cost.Candidate]``
        """
        # sudo: as in _route; only what is asked for is told.
        engine = self.sudo()
        ticket = ticket.sudo()
        [queue] = engine._gather(ticket, fields.Datetime.now())
        agents = engine.env["routing.agent"]
        users = engine.env["res.users"].browse(agent.key for agent in queue.agents)
        agents._ensure(users)
        capacities = {
            row.user_id.id: row.capacity
            for row in agents.search([("user_id", "in", users.ids)])
        }
        loads = agents._loads(users.ids, without=ticket.ids)
        return rank(
            consider(
                queue.tickets[0],
                replace(agent, load=loads[agent.key], capacity=capacities[agent.key]),
                queue.weights,
            )
            for agent in queue.agents
        )
