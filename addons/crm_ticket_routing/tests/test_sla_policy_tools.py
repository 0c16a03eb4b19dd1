import random

from odoo.tests import BaseCase, tagged

from ..tools.sla_policy import Facts, Policy, choose, matched_criteria

KIND = "resolution"
MINUTES = {KIND: 60}


def _oracle(policies, facts):
    """The one that beats every other fitting one, compared pair by pair."""

    def fits(policy):
        return not (
            (policy.team and policy.team != facts.team)
            or (policy.category and policy.category not in facts.categories)
            or (policy.tags and not any(tag in facts.tags for tag in policy.tags))
            or (policy.priority and policy.priority != facts.priority)
        )

    def asks(policy):
        named = (policy.team, policy.category, policy.tags, policy.priority)
        return sum(1 for value in named if value)

    def beats(one, other):
        if asks(one) != asks(other):
            return asks(one) > asks(other)
        depths = [p.category_depth if p.category else -1 for p in (one, other)]
        if depths[0] != depths[1]:
            return depths[0] > depths[1]
        if one.sequence != other.sequence:
            return one.sequence < other.sequence
        return one.key < other.key

    fitting = [p for p in policies if KIND in p.minutes and fits(p)]
    for one in fitting:
        if all(one is other or beats(one, other) for other in fitting):
            return one.key, len(fitting) - 1
    return None


@tagged("post_install", "-at_install")
class TestSlaPolicyTools(BaseCase):
    def test_most_specific_wins(self):
        everybody = Policy(1, minutes=MINUTES)
        team = Policy(2, team=7, minutes=MINUTES)
        team_and_priority = Policy(3, team=7, priority="3", minutes=MINUTES)
        policies = [everybody, team, team_and_priority]
        for facts, key, params in [
            (Facts(), 1, {"matched": [], "others": 0}),
            (Facts(team=7, priority="1"), 2, {"matched": ["team"], "others": 1}),
            (
                Facts(team=7, priority="3"),
                3,
                {"matched": ["team", "priority"], "others": 2},
            ),
            (Facts(team=8, priority="3"), 1, {"matched": [], "others": 0}),
        ]:
            with self.subTest(facts=facts):
                policy, got = choose(policies, facts, KIND)
                self.assertEqual((policy.key, got), (key, params))

    def test_deeper_category_wins(self):
        parent = Policy(1, category=1, category_depth=0, minutes=MINUTES)
        child = Policy(2, category=2, category_depth=1, minutes=MINUTES)
        facts = Facts(categories=frozenset((1, 2)))
        self.assertEqual(choose([parent, child], facts, KIND)[0].key, 2)
        only_parent = Facts(categories=frozenset((1,)))
        self.assertEqual(choose([parent, child], only_parent, KIND)[0].key, 1)

    def test_kind(self):
        policy = Policy(1, minutes={"first_response": 5})
        self.assertEqual(choose([policy], Facts(), KIND), (None, None))
        self.assertEqual(choose([policy], Facts(), "first_response")[0].key, 1)

    def test_not_met(self):
        policy = Policy(1, tags=frozenset((1, 2)), minutes=MINUTES)
        self.assertIsNone(matched_criteria(policy, Facts(tags=frozenset((3,)))))
        self.assertEqual(
            matched_criteria(policy, Facts(tags=frozenset((2, 3)))), ["tags"]
        )

    def test_random_against_oracle(self):
        rng = random.Random(11)
        none = 0
        for _ in range(3_000):
            policies = [
                Policy(
                    key,
                    rng.choice((5, 10)),
                    rng.choice((None, 1, 2)),
                    rng.choice((None, 1, 2, 3)),
                    rng.randint(0, 2),
                    frozenset(rng.sample((1, 2, 3), rng.randint(0, 2))),
                    rng.choice((None, "0", "1")),
                    MINUTES if rng.random() < 0.8 else {"first_response": 1},
                )
                for key in rng.sample(range(50), rng.randint(0, 8))
            ]
            facts = Facts(
                rng.choice((None, 1, 2)),
                frozenset(rng.sample((1, 2, 3), rng.randint(0, 3))),
                frozenset(rng.sample((1, 2, 3), rng.randint(0, 2))),
                rng.choice((None, "0", "1")),
            )
            policy, params = choose(policies, facts, KIND)
            got = policy and (policy.key, params["others"])
            self.assertEqual(got, _oracle(policies, facts))
            none += policy is None
        self.assertTrue(100 < none < 2_900, none)
