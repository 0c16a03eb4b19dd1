import itertools
import math
import random

from odoo.tests import BaseCase, tagged

from ..tools.assignment import MAX_COST, SCALE, assign, assign_one, total_cost

# Greater than any sum of costs of the cases below: waiting outweighs each of them.
WAITING = 10**7


def _case(rng, tickets=10, agents=5, seats=4, forbidden=0.3):
    """Costs with two digits, so that nothing is rounded; ties are common."""
    costs = [
        [
            math.inf if rng.random() < forbidden else rng.randrange(800) / 4
            for _ in range(agents)
        ]
        for _ in range(tickets)
    ]
    free = [
        sorted(rng.randrange(100) / 4 for _ in range(rng.randint(0, seats)))
        for _ in range(agents)
    ]
    # Distinct, so that who is served has one answer.
    urgency = [number / 8 for number in rng.sample(range(1, 100), tickets)]
    return costs, free, urgency


def _valid(costs, free, assignment):
    """Nobody over the places, nothing that is not allowed."""
    for agent, places in enumerate(free):
        if sum(1 for taken in assignment if taken == agent) > len(places):
            return False
    return all(
        agent is None or costs[ticket][agent] != math.inf
        for ticket, agent in enumerate(assignment)
    )


def _judge(costs, free, urgency, assignment):
    """Waiting urgency first, then cost: what the least of is wanted."""
    waiting = sum(
        urgency[ticket] for ticket, agent in enumerate(assignment) if agent is None
    )
    return waiting, total_cost(costs, free, assignment)


def _scipy(costs, free, urgency):
    """The same by SciPy: a column for each place, and one to wait for each ticket."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    count = len(urgency)
    columns = [(agent, extra) for agent, p in enumerate(free) for extra in p]
    matrix = np.full((count, len(columns) + count), np.inf)
    for ticket in range(count):
        for number, (agent, extra) in enumerate(columns):
            matrix[ticket, number] = costs[ticket][agent] + extra
        matrix[ticket, len(columns) + ticket] = WAITING * urgency[ticket]
    rows, chosen = linear_sum_assignment(matrix)
    return [
        columns[column][0] if column < len(columns) else None
        for _row, column in sorted(zip(rows.tolist(), chosen.tolist(), strict=True))
    ]


@tagged("post_install", "-at_install")
class TestAssignmentTools(BaseCase):
    def test_against_scipy(self):
        """500 random cases: who waits and what it costs are SciPy's optimum."""
        rng = random.Random(7)
        over_full = 0
        for number in range(500):
            costs, free, urgency = _case(
                rng,
                tickets=rng.randint(1, 14),
                agents=rng.randint(1, 6),
                forbidden=rng.choice((0, 0.3, 0.7)),
            )
            got = assign(costs, free, urgency)
            self.assertTrue(_valid(costs, free, got), number)
            expected = _scipy(costs, free, urgency)
            self.assertEqual(
                _judge(costs, free, urgency, got),
                _judge(costs, free, urgency, expected),
                number,
            )
            self.assertEqual(
                {t for t, agent in enumerate(got) if agent is None},
                {t for t, agent in enumerate(expected) if agent is None},
                number,
            )
            over_full += None in got
        self.assertTrue(100 < over_full < 450, over_full)

    def test_against_every_assignment(self):
        """Tiny cases against all that is possible; most urgent first, literally."""
        rng = random.Random(8)
        for number in range(150):
            costs, free, urgency = _case(rng, tickets=4, agents=3, seats=2)
            every = [
                choice
                for choice in itertools.product((None, 0, 1, 2), repeat=4)
                if _valid(costs, free, choice)
            ]
            got = assign(costs, free, urgency)
            self.assertEqual(
                _judge(costs, free, urgency, got),
                min(_judge(costs, free, urgency, choice) for choice in every),
                number,
            )
            # No set that can be served has somebody more urgent at the first place
            # where it differs.
            order = sorted(range(4), key=lambda t: -urgency[t])
            best = max(
                tuple(choice[ticket] is not None for ticket in order)
                for choice in every
            )
            self.assertEqual(tuple(got[t] is not None for t in order), best, number)

    def test_one_is_the_same(self):
        """For a single ticket the quick way gives the solver's answer, ties too."""
        rng = random.Random(9)
        nobody = 0
        for number in range(400):
            costs = [
                [
                    math.inf if rng.random() < 0.4 else float(rng.randint(0, 3))
                    for _ in range(rng.randint(1, 6))
                ]
            ]
            free = [
                sorted(float(rng.randint(0, 2)) for _ in range(rng.randint(0, 2)))
                for _ in costs[0]
            ]
            got = assign_one(costs[0], free)
            self.assertEqual([got], assign(costs, free, [1.0]), number)
            nobody += got is None
        self.assertTrue(30 < nobody < 370, nobody)

    def test_places_fill_evenly(self):
        """Rising costs of the places spread equal tickets over equal agents."""
        free = [[0.0, 0.5, 1.0], [0.0, 0.5, 1.0], [0.25, 0.75]]
        got = assign([[1.0] * 3] * 5, free, [1.0] * 5)
        self.assertEqual([got.count(agent) for agent in range(3)], [2, 2, 1])

    def test_ties(self):
        got = assign([[1.0, 1.0]] * 3, [[0.0], [0.0]], [2.0, 2.0, 2.0])
        self.assertIsNone(got[2])
        self.assertEqual(assign([[1.0, 1.0]], [[0.0], [0.0]], [1.0]), [0])
        rng = random.Random(10)
        for _ in range(50):
            costs, free, urgency = _case(rng, tickets=8, agents=4, forbidden=0.2)
            costs = [[min(cost, 1.0) for cost in row] for row in costs]
            first = assign(costs, free, urgency)
            self.assertEqual(first, assign(costs, free, urgency))

    def test_nothing_to_do(self):
        self.assertEqual(assign([], [], []), [])
        self.assertEqual(assign([], [[0.0]], []), [])
        self.assertEqual(assign([[]], [], [1.0]), [None])
        self.assertEqual(assign([[1.0]], [[]], [1.0]), [None])
        self.assertEqual(assign([[math.inf]], [[0.0]], [1.0]), [None])
        self.assertIsNone(assign_one([], []))

    def test_scale(self):
        """A step is 1 / SCALE; what is closer counts as equal."""
        step = 1 / SCALE
        self.assertEqual(assign([[1 + step, 1.0]], [[0.0]] * 2, [1.0]), [1])
        self.assertEqual(assign([[1 + step / 4, 1.0]], [[0.0]] * 2, [1.0]), [0])

    def test_refused(self):
        for costs, free in (
            ([[-1.0]], [[0.0]]),
            ([[math.nan]], [[0.0]]),
            ([[MAX_COST * 2]], [[0.0]]),
            ([[1.0]], [[1.0, 0.5]]),
            ([[1.0]], [[math.inf]]),
            ([[1.0, 2.0]], [[0.0]]),
            ([[1.0]], [[0.0], [0.0]]),
        ):
            with self.subTest(costs=costs, free=free), self.assertRaises(ValueError):
                assign(costs, free, [1.0])
        for cost in (-1.0, math.nan, MAX_COST * 2):
            with self.subTest(cost=cost), self.assertRaises(ValueError):
                assign_one([cost], [[0.0]])

    def test_greatest_costs_of_a_full_batch(self):
        """The greatest costs of the greatest batch fit into the solver's integers."""
        tickets, agents = 500, 40
        costs = [
            [float(MAX_COST - (ticket * agent) % 97) for agent in range(agents)]
            for ticket in range(tickets)
        ]
        free = [[0.0] * 10 for _ in range(agents)]
        got = assign(costs, free, list(range(tickets)))
        self.assertEqual(got[: tickets - 400], [None] * 100)
        self.assertNotIn(None, got[tickets - 400 :])
