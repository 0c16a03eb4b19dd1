import random

from odoo.tests import BaseCase, tagged

from ..tools.skills import Agent, Requirement, fit, rank, strictest


@tagged("post_install", "-at_install")
class TestSkillsTools(BaseCase):
    def test_fit(self):
        asked = [Requirement(1, 50), Requirement(2, 30, required=False)]
        for skills, qualified, missing, optional, surplus in [
            ({1: 80, 2: 30}, True, (), (), 30),
            ({1: 50}, True, (), ((2, 30, None),), 0),
            ({1: 49, 2: 100}, False, ((1, 50, 49),), (), 70),
            ({}, False, ((1, 50, None),), ((2, 30, None),), 0),
        ]:
            with self.subTest(skills=skills):
                got = fit(Agent(1, skills), asked)
                self.assertEqual(
                    (got.qualified, got.missing, got.optional_missing, got.surplus),
                    (qualified, missing, optional, surplus),
                )

    def test_strictest(self):
        self.assertEqual(
            strictest(
                [
                    Requirement(2, 10, required=False),
                    Requirement(1, 20),
                    Requirement(2, 60, required=False),
                    Requirement(1, 10, required=False),
                ]
            ),
            [Requirement(1, 20), Requirement(2, 60, required=False)],
        )

    def test_no_requirement_goes_by_load(self):
        agents = [Agent(1, load=3), Agent(2, load=0), Agent(3, load=3)]
        self.assertEqual([f.agent.key for f in rank(agents, [])], [2, 1, 3])
        self.assertTrue(all(f.qualified for f in rank(agents, [])))

    def test_level_zero_still_needs_the_skill(self):
        self.assertFalse(fit(Agent(1), [Requirement(1, 0)]).qualified)
        self.assertTrue(fit(Agent(1, {1: 0}), [Requirement(1, 0)]).qualified)

    def test_random_against_pairs(self):
        """No one stands behind somebody whom they beat, over random teams."""
        rng = random.Random(5)

        def lacks(agent, asked, required):
            return sum(
                1
                for r in asked
                if r.required == required and agent.skills.get(r.skill, -1) < r.level
            )

        mixed = 0
        for _ in range(500):
            asked = [
                Requirement(s, rng.choice((0, 40, 80)), rng.random() < 0.6)
                for s in rng.sample(range(4), rng.randint(0, 4))
            ]
            agents = [
                Agent(
                    key,
                    {s: rng.choice((0, 40, 80)) for s in rng.sample(range(4), 2)},
                    rng.randint(0, 2),
                )
                for key in range(rng.randint(1, 7))
            ]
            fits = rank(agents, asked)
            self.assertEqual({f.agent.key for f in fits}, {a.key for a in agents})
            for one in fits:
                self.assertEqual(one.qualified, lacks(one.agent, asked, True) == 0)
            for before, after in zip(fits, fits[1:], strict=False):
                a, b = before.agent, after.agent
                left = (lacks(a, asked, True), lacks(a, asked, False), a.load)
                right = (lacks(b, asked, True), lacks(b, asked, False), b.load)
                self.assertLessEqual(left, right)
            mixed += len({f.qualified for f in fits}) == 2
        self.assertGreater(mixed, 50)
