import random
from datetime import datetime, timedelta

from odoo.tests import BaseCase, tagged

from ..tools.decision import Candidate, decide

NOW = datetime(2026, 3, 2, 9, 0)
HOUR = timedelta(hours=1)


def _candidate(key, priority=10, starts=None, ends=None, matches=True):
    return Candidate(key, priority, starts, ends, matches)


def _oracle(candidates, now):
    """The chosen key by trying each one against all others."""
    fitting = [
        c
        for c in candidates
        if c.matches
        and not (c.starts is not None and c.starts > now)
        and (c.ends is None or c.ends > now)
    ]
    for one in fitting:
        if all(
            one.priority < other.priority
            or (one.priority == other.priority and one.key <= other.key)
            for other in fitting
        ):
            return one.key
    return None


@tagged("post_install", "-at_install")
class TestDecision(BaseCase):
    def test_no_variant(self):
        decision = decide([], NOW)
        self.assertEqual((decision.chosen, decision.code), (None, "default_empty"))

    def test_each_reason(self):
        decision = decide(
            [
                _candidate(1, 1, starts=NOW + HOUR),
                _candidate(2, 2, ends=NOW),
                _candidate(3, 3, matches=False),
                _candidate(5, 4),
                _candidate(4, 4),
                _candidate(6, 0, matches=False, starts=NOW + HOUR),
            ],
            NOW,
        )
        self.assertEqual((decision.chosen, decision.code), (4, "variant"))
        self.assertEqual(
            [(v.key, v.code, v.params) for v in decision.verdicts],
            [
                (6, "not_started", {"at": "2026-03-02T10:00:00"}),
                (1, "not_started", {"at": "2026-03-02T10:00:00"}),
                (2, "ended", {"at": "2026-03-02T09:00:00"}),
                (3, "audience", {}),
                (4, "chosen", {}),
                (5, "outranked", {"by": 4}),
            ],
        )

    def test_schedule_is_half_open(self):
        for starts, ends, shown in [
            (NOW, None, True),
            (NOW + timedelta(seconds=1), None, False),
            (None, NOW, False),
            (None, NOW + timedelta(seconds=1), True),
            (NOW, NOW, False),
        ]:
            with self.subTest(starts=starts, ends=ends):
                decision = decide([_candidate(1, 1, starts, ends)], NOW)
                self.assertEqual(decision.chosen, 1 if shown else None)

    def test_none_fits(self):
        decision = decide([_candidate(1, matches=False)], NOW)
        self.assertEqual((decision.chosen, decision.code), (None, "default_none_fits"))

    def test_random_against_oracle(self):
        rng = random.Random(7)
        chosen = 0
        for _ in range(3_000):
            candidates = [
                _candidate(
                    key,
                    rng.randint(0, 3),
                    rng.choice([None, NOW + rng.randint(-2, 2) * HOUR]),
                    rng.choice([None, NOW + rng.randint(-2, 2) * HOUR]),
                    rng.random() < 0.6,
                )
                for key in rng.sample(range(20), rng.randint(0, 6))
            ]
            decision = decide(candidates, NOW)
            self.assertEqual(decision.chosen, _oracle(candidates, NOW))
            self.assertEqual(
                sorted(v.key for v in decision.verdicts),
                sorted(c.key for c in candidates),
            )
            codes = [v.code for v in decision.verdicts]
            self.assertEqual(codes.count("chosen"), int(decision.chosen is not None))
            chosen += decision.chosen is not None
        self.assertGreater(chosen, 1_000)
        self.assertLess(chosen, 2_900)
