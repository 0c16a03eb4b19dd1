"""Eight processes route the same tickets to the same agents."""

import time
from collections import Counter

import pytest
from forked import forked

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry

PROCESSES = 8
AGENTS = 5
PLACES = 8
TICKETS = 60
# Each process creates so many, one after another; there is a place for each.
ARRIVALS = 5


def run(dbname, function):
    """Call ``function(env)`` in a transaction of its own and commit."""
    with Registry(dbname).cursor() as cr:
        return function(api.Environment(cr, SUPERUSER_ID, {}))


@pytest.fixture
def team(odoo_database):
    """A team of five with eight places each, that does not route yet."""

    def create(env):
        users = (
            env["res.users"]
            .with_context(no_reset_password=True)
            .create(
                [
                    {"name": f"Agent {number}", "login": f"routing-eight-{number}"}
                    for number in range(AGENTS)
                ]
            )
        )
        team = env["helpdesk.ticket.team"].create(
            {"name": "Eight", "user_ids": [(6, 0, users.ids)]}
        )
        env["routing.agent"].search([("user_id", "in", users.ids)]).capacity = PLACES
        return team.id, users.ids

    def remove(env):
        team = env["helpdesk.ticket.team"].browse(team_id)
        env["helpdesk.ticket"].search([("team_id", "=", team.id)]).unlink()
        users = team.user_ids
        team.unlink()
        users.active = False
        for user in users:
            user.login = f"{user.login}-{team_id}"

    team_id, user_ids = run(odoo_database, create)
    yield team_id, user_ids
    run(odoo_database, remove)


def tickets_of(env, team_id, number, **values):
    return env["helpdesk.ticket"].create(
        [
            {
                "name": f"Eight {n}",
                "description": "x",
                "team_id": team_id,
                "user_id": False,
                **values,
            }
            for n in range(number)
        ]
    )


def route(dbname, ticket_ids):
    """As the cron does it."""
    return run(
        dbname,
        lambda env: env["helpdesk.ticket"]._routing_work_off(
            env.registry, ticket_ids, time.monotonic() + 60
        ),
    )


def check(dbname, team_id, user_ids, expected):
    """No agent over the places, no ticket with two decisions that hold."""

    def look(env):
        tickets = env["helpdesk.ticket"].search([("team_id", "=", team_id)])
        given = Counter(t.user_id.id for t in tickets if t.user_id)
        assert set(given) <= set(user_ids)
        assert max(given.values()) <= PLACES, given
        assert sum(given.values()) == expected, given
        decisions = env["routing.decision"].search([("ticket_id", "in", tickets.ids)])
        holding = decisions.filtered(lambda d: not d.superseded)
        assert holding.ticket_id == tickets
        assert len(holding) == len(tickets)
        for decision in holding:
            assert decision.user_id == decision.ticket_id.user_id
        assigned = decisions.filtered(lambda d: d.outcome == "assigned")
        assert len(assigned) == expected, "a ticket was given away twice"
        return len(tickets)

    return run(dbname, look)


def test_one_queue_routed_by_eight(odoo_database, team):
    """One queue, more tickets than places: each place is filled once."""
    team_id, user_ids = team

    def fill(env):
        tickets = tickets_of(env, team_id, TICKETS)
        env["helpdesk.ticket.team"].browse(team_id).write(
            {"routing_mode": "automatic", "routing_working_hours": False}
        )
        return tickets.ids

    ticket_ids = run(odoo_database, fill)

    def work(index, dbname):
        # Overlapping parts of the queue, in batches that begin elsewhere.
        rotated = ticket_ids[index * 7 :] + ticket_ids[: index * 7]
        return sum(route(dbname, rotated[n : n + 9]) for n in range(0, TICKETS, 9))

    forked(PROCESSES, work, odoo_database)
    # What a process left because of conflicts is for the next minute.
    route(odoo_database, ticket_ids)
    assert check(odoo_database, team_id, user_ids, AGENTS * PLACES) == TICKETS


def test_arrivals_in_eight_processes(odoo_database, team):
    """Tickets that arrive together are all there and given away, nearly all at once."""
    team_id, user_ids = team
    run(
        odoo_database,
        lambda env: env["helpdesk.ticket.team"]
        .browse(team_id)
        .write({"routing_mode": "automatic", "routing_working_hours": False}),
    )

    def arrive(index, dbname):
        return [
            run(dbname, lambda env: tickets_of(env, team_id, 1).ids)[0]
            for _ in range(ARRIVALS)
        ]

    arrived = [n for part in forked(PROCESSES, arrive, odoo_database) for n in part]
    at_once = run(
        odoo_database,
        lambda env: env["helpdesk.ticket"].search_count(
            [("id", "in", arrived), ("user_id", "!=", False)]
        ),
    )
    assert at_once >= 0.9 * len(arrived)
    # Whoever had to wait for too long is for the next minute.
    route(odoo_database, arrived)
    assert len(arrived) == PROCESSES * ARRIVALS == AGENTS * PLACES
    assert check(odoo_database, team_id, user_ids, len(arrived)) == len(arrived)


def test_button_and_cron_at_once(odoo_database, team):
    """Some press the button, others are the cron; whoever is first decides."""
    team_id, user_ids = team

    def fill(env):
        tickets = tickets_of(env, team_id, 16)
        env["helpdesk.ticket.team"].browse(team_id).write(
            {"routing_mode": "automatic", "routing_working_hours": False}
        )
        return tickets.ids

    ticket_ids = run(odoo_database, fill)

    def work(index, dbname):
        from odoo.exceptions import UserError

        from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS

        if index % 2:
            return route(dbname, ticket_ids)

        def press(env):
            return env["helpdesk.ticket"].browse(ticket_ids).action_route()

        # As Odoo repeats a request.
        for _ in range(50):
            try:
                run(dbname, press)
            except CONCURRENCY_ERRORS:
                time.sleep(0.01 * (index + 1))
            except UserError:
                # Another was quicker with all of them.
                return 0
            else:
                return 1
        raise AssertionError("never came through")

    forked(PROCESSES, work, odoo_database)
    route(odoo_database, ticket_ids)
    assert check(odoo_database, team_id, user_ids, 16) == 16
