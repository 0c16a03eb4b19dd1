import random
from math import inf

from odoo.tests import BaseCase, tagged

from ..tools.assignment import assign_one
from ..tools.routing_cost import (
    BLOCKS,
    TERMS,
    TIERS,
    Agent,
    Ticket,
    Weights,
    consider,
    rank,
    urgency,
    why_nobody,
    why_this_one,
)
from ..tools.skills import Requirement

ASKED = (
    Requirement(1, 50),
    Requirement(2, 40, required=False),
    Requirement(3, 60, required=False, language=True),
)


def _agents(rng):
    return [
        Agent(
            key,
            {s: rng.choice((0, 40, 60, 90)) for s in rng.sample((1, 2, 3), 2)},
            load=rng.randint(0, 3),
            capacity=rng.randint(0, 4),
            away=rng.choice((None, None, None, "leave", "off_hours")),
        )
        for key in rng.sample(range(50), rng.randint(0, 7))
    ]


@tagged("post_install", "-at_install")
class TestRoutingCostTools(BaseCase):
    def test_terms(self):
        weights = Weights(
            optional=2, language=4, surplus=1, continuity=3, load=8, vip=1
        )
        ticket = Ticket(1, ASKED, former=7)
        for skills, load, key, terms in [
            ({1: 50, 2: 40, 3: 60}, 0, 7, (0, 0, 0, 0, 0)),
            ({1: 50, 2: 40, 3: 60}, 1, 8, (0, 0, 0, 3, 2)),
            ({1: 80, 2: 20, 3: 70}, 2, 7, (0.4, 0, 0.4, 0, 4)),
            ({1: 50}, 0, 7, (2, 4, 0, 0, 0)),
            ({1: 50, 3: 30}, 0, 7, (2, 1.2, 0, 0, 0)),
        ]:
            with self.subTest(skills=skills):
                got = consider(ticket, Agent(key, skills, load, 4), weights)
                self.assertFalse(got.blocks)
                for name, value in zip(TERMS, terms, strict=True):
                    self.assertAlmostEqual(got.terms[name], value, msg=name)
                self.assertAlmostEqual(got.cost, sum(terms))
                self.assertAlmostEqual(got.own_cost, sum(terms) - got.terms["load"])

    def test_blocks(self):
        ticket = Ticket(1, ASKED)
        for agent, blocks in [
            (Agent(1, {1: 49}, 0, 1), ("missing_skill",)),
            (Agent(1, {1: 50}, 1, 1), ("full",)),
            (Agent(1, {1: 50}, 0, 0), ("full",)),
            (Agent(1, {1: 50}, 0, 1, away="leave"), ("leave",)),
            (Agent(1, {}, 2, 1, away="off_hours"), (BLOCKS[0], *BLOCKS[2:])),
        ]:
            with self.subTest(agent=agent):
                got = consider(ticket, agent, Weights())
                self.assertEqual(got.blocks, blocks)
                self.assertEqual(got.own_cost, inf)

    def test_seats(self):
        self.assertEqual(
            Agent(1, load=1, capacity=4).seats(Weights(load=8)), [2.0, 4.0, 6.0]
        )
        self.assertEqual(Agent(1, load=5, capacity=4).seats(Weights()), [])

    def test_first_of_the_ranking_is_the_assignment(self):
        """The screen's first candidate is the one who gets a single ticket."""
        rng = random.Random(12)
        weights = Weights()
        found = {True: 0, False: 0}
        for _ in range(1_000):
            agents = sorted(_agents(rng), key=lambda a: a.key)
            ticket = Ticket(1, ASKED[: rng.randint(0, 3)], rng.choice((None, 3, 9)))
            candidates = [consider(ticket, agent, weights) for agent in agents]
            index = assign_one(
                [c.own_cost for c in candidates], [a.seats(weights) for a in agents]
            )
            ranked = rank(candidates)
            self.assertCountEqual([c.agent for c in ranked], agents)
            able = [c for c in ranked if not c.blocks]
            self.assertEqual(ranked[: len(able)], able)
            found[index is not None] += 1
            if index is None:
                self.assertFalse(able)
                self.assertNotEqual(why_nobody(candidates), "more_urgent")
            else:
                self.assertEqual(agents[index], ranked[0].agent)
                self.assertEqual(why_nobody(candidates), "more_urgent")
        self.assertGreater(min(found.values()), 100)

    def test_why_nobody(self):
        ticket = Ticket(1, ASKED)
        able = {1: 90}
        for agents, code in [
            ([], "nobody"),
            ([Agent(1), Agent(2, away="leave")], "nobody_has_skill"),
            ([Agent(1), Agent(2, able, away="leave")], "nobody_available"),
            (
                [Agent(1, able, 3, 3), Agent(2, able, 3, 3, away="off_hours")],
                "nobody_free",
            ),
            ([Agent(1, able, 0, 3), Agent(2)], "more_urgent"),
        ]:
            with self.subTest(code=code):
                got = [consider(ticket, agent, Weights()) for agent in agents]
                self.assertEqual(why_nobody(got), code)

    def test_why_this_one(self):
        skills = {1: 90, 2: 90, 3: 90}
        agents = [
            Agent(1, skills, 1, 4),
            Agent(2, {1: 90}, 1, 3),
            Agent(3, skills, 0, 4, away="leave"),
        ]
        for asked, former, because in [
            ((), None, ["least_load"]),
            (ASKED, 1, ["skills", "continuity", "language", "least_load"]),
            (ASKED[2:], 2, ["language", "least_load"]),
        ]:
            with self.subTest(asked=asked, former=former):
                ticket = Ticket(1, asked, former)
                got = [consider(ticket, agent, Weights()) for agent in agents]
                self.assertEqual(why_this_one(ticket, got[0], got), because)
        ticket = Ticket(1, (Requirement(3, 95, required=False),))
        got = [consider(ticket, agent, Weights()) for agent in agents[:1]]
        self.assertEqual(why_this_one(ticket, got[0], got), ["only_one"])
        # What everybody has in common is no reason.
        got = [consider(Ticket(1), Agent(n, {}, 1, 4), Weights()) for n in range(2)]
        self.assertEqual(why_this_one(Ticket(1), got[0], got), [])

    def test_urgency(self):
        weights = Weights(vip=4, sla=4, age=2)
        for ticket, expected in [
            (Ticket(1), 1),
            (Ticket(1, tier="vip"), 4),
            (Ticket(1, tier="silver"), 2),
            (Ticket(1, priority=3), 4),
            (Ticket(1, slack_hours=-5), 5),
            (Ticket(1, slack_hours=3), 2),
            (Ticket(1, age_hours=24), 3),
            (Ticket(1, (), None, "gold", 1, 0, 12), 3 * 2 * 5 * 2),
        ]:
            with self.subTest(ticket=ticket):
                product, factors = urgency(ticket, weights)
                self.assertAlmostEqual(product, expected)
                self.assertEqual(list(factors), ["tier", "priority", "sla", "age"])

    def test_urgency_rises(self):
        """With the tier, the priority, the nearer deadline and the age."""
        rng = random.Random(13)
        for _ in range(500):
            weights = Weights(
                vip=rng.uniform(1, 9), sla=rng.uniform(0, 9), age=rng.uniform(0.1, 9)
            )
            tiers = sorted(rng.choices(range(len(TIERS)), k=2))
            slacks = sorted((rng.uniform(-50, 50) for _ in range(2)), reverse=True)
            ages = sorted(rng.uniform(0, 900) for _ in range(2))
            less, more = (
                urgency(
                    Ticket(1, (), None, TIERS[tiers[n]], n, slacks[n], ages[n]), weights
                )[0]
                for n in range(2)
            )
            self.assertLessEqual(less, more)

    def test_nobody_starves(self):
        """The humblest old ticket is at last before the most important new one."""
        for weights in (Weights(), Weights(vip=10, sla=10, age=0.5)):
            newest, _factors = urgency(
                Ticket(1, tier="vip", priority=3, slack_hours=-1), weights
            )
            days = (weights.vip * 4 * (1 + weights.sla)) / weights.age
            oldest, _factors = urgency(Ticket(2, age_hours=24 * days), weights)
            self.assertGreater(oldest, newest)
