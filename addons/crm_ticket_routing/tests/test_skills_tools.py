import random

from odoo.tests import BaseCase, tagged

from ..tools.skills import Requirement, fit, strictest


@tagged("post_install", "-at_install")
class TestSkillsTools(BaseCase):
    def test_fit(self):
        asked = [
            Requirement(1, 50),
            Requirement(2, 30, required=False),
            Requirement(3, 60, required=False, language=True),
        ]
        for skills, qualified, missing, optional, shortfalls, surplus in [
            ({1: 80, 2: 30, 3: 60}, True, (), (), (0, 0), 30),
            ({1: 50, 3: 90}, True, (), ((2, 30, None),), (1, 0), 30),
            (
                {1: 49, 2: 100, 3: 40},
                False,
                ((1, 50, 49),),
                ((3, 60, 40),),
                (0, 0.2),
                70,
            ),
            (
                {},
                False,
                ((1, 50, None),),
                ((2, 30, None), (3, 60, None)),
                (1, 1),
                0,
            ),
        ]:
            with self.subTest(skills=skills):
                got = fit(skills, asked)
                self.assertEqual(
                    (got.qualified, got.missing, got.optional_missing, got.surplus),
                    (qualified, missing, optional, surplus),
                )
                self.assertAlmostEqual(got.shortfall, shortfalls[0])
                self.assertAlmostEqual(got.language_shortfall, shortfalls[1])

    def test_strictest(self):
        self.assertEqual(
            strictest(
                [
                    Requirement(2, 10, required=False),
                    Requirement(1, 20),
                    Requirement(2, 60, required=False),
                    Requirement(1, 10, required=False, language=True),
                    Requirement(3, 10, required=False, language=True),
                ]
            ),
            [
                Requirement(1, 20),
                Requirement(2, 60, required=False),
                Requirement(3, 10, required=False, language=True),
            ],
        )

    def test_level_zero_still_needs_the_skill(self):
        self.assertFalse(fit({}, [Requirement(1, 0)]).qualified)
        self.assertTrue(fit({1: 0}, [Requirement(1, 0)]).qualified)
        self.assertEqual(fit({}, [Requirement(1, 0, required=False)]).shortfall, 1)

    def test_strictest_asks_for_no_less(self):
        """Who fits the strictest fits each requirement by itself, and only they."""
        rng = random.Random(5)
        fitting = 0
        for _ in range(1_000):
            asked = [
                Requirement(s, rng.choice((0, 40, 80)), rng.random() < 0.6)
                for s in rng.choices(range(3), k=rng.randint(0, 4))
            ]
            required = {r.skill for r in asked if r.required}
            skills = {s: rng.choice((0, 40, 80)) for s in rng.sample(range(3), 2)}
            alone = all(
                skills.get(r.skill, -1) >= r.level for r in asked if r.skill in required
            )
            got = fit(skills, strictest(asked))
            self.assertEqual(got.qualified, alone)
            self.assertGreaterEqual(got.surplus, 0)
            fitting += alone
        self.assertTrue(200 < fitting < 900, fitting)
