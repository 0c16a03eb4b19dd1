import random
from datetime import datetime, timedelta

from odoo.tests import BaseCase, tagged

from ..tools import sla_clock

ORIGIN = datetime(2026, 1, 5)
MINUTE = timedelta(minutes=1)


def _at(minute):
    return ORIGIN + minute * MINUTE


def _counts(minute, work, pauses):
    """Whether one minute is worked and not paused, told from the definitions."""
    return any(a <= minute < b for a, b in work) and not any(
        a <= minute and (b is None or minute < b) for a, b in pauses
    )


def _oracle_deadline(start, budget, work, pauses, last):
    """Walk minute by minute until the budget is used up."""
    used = 0
    if budget <= 0:
        return start
    for minute in range(start, last):
        used += _counts(minute, work, pauses)
        if used == budget:
            return minute + 1
    return None


def _case(rng):
    """Random work (days, holidays, odd hours) and pauses, in minutes."""
    last = rng.choice((200, 1_500))
    work = []
    for _ in range(rng.randint(0, 6)):
        begin = rng.randint(0, last)
        work.append((begin, min(last, begin + rng.randint(0, last // 3))))
    pauses = []
    for _ in range(rng.randint(0, 4)):
        begin = rng.randint(0, last)
        pauses.append((begin, begin + rng.randint(0, last // 4)))
    if rng.random() < 0.2:
        pauses.append((rng.randint(0, last), None))
    return last, work, pauses


@tagged("post_install", "-at_install")
class TestSlaClock(BaseCase):
    def test_against_minutes(self):
        """2,500 random cases against a walk through each minute."""
        rng = random.Random(42)
        found = {True: 0, False: 0}
        for number in range(2_500):
            last, work, pauses = _case(rng)
            start, budget = rng.randint(0, last), rng.randint(0, 120)
            intervals = [(_at(a), _at(b)) for a, b in work]
            rests = [(_at(a), None if b is None else _at(b)) for a, b in pauses]
            expected = _oracle_deadline(start, budget, work, pauses, last)
            got = sla_clock.deadline(_at(start), budget * MINUTE, intervals, rests)
            self.assertEqual(
                got, None if expected is None else _at(expected), f"case {number}"
            )
            found[got is not None] += 1

            until = rng.randint(0, last)
            used = sum(_counts(m, work, pauses) for m in range(start, until))
            self.assertEqual(
                sla_clock.elapsed(_at(start), _at(until), intervals, rests),
                used * MINUTE,
                f"case {number}",
            )
            self.assertEqual(
                sla_clock.remaining(
                    _at(start), _at(until), budget * MINUTE, intervals, rests
                ),
                (budget - used) * MINUTE,
            )
        self.assertGreater(min(found.values()), 300)

    def test_pause_moves_the_deadline_by_its_working_time(self):
        work = [(_at(d * 1440 + 540), _at(d * 1440 + 1020)) for d in range(5)]
        start = _at(540)
        self.assertEqual(sla_clock.deadline(start, 240 * MINUTE, work), _at(780))
        # From 10:00 to the next day at 10:00: eight working hours.
        pause = [(_at(600), _at(1440 + 600))]
        self.assertEqual(
            sla_clock.deadline(start, 240 * MINUTE, work, pause), _at(1440 + 780)
        )
        # A pause at night costs nothing.
        night = [(_at(1020), _at(1440 + 540))]
        self.assertEqual(sla_clock.deadline(start, 240 * MINUTE, work, night), _at(780))
        # An open pause: no deadline, and nothing is lost meanwhile.
        still = [(_at(600), None)]
        self.assertIsNone(sla_clock.deadline(start, 240 * MINUTE, work, still))
        self.assertEqual(
            sla_clock.remaining(start, _at(5000), 240 * MINUTE, work, still),
            180 * MINUTE,
        )

    def test_merged_and_subtract(self):
        self.assertEqual(
            sla_clock.merged([(5, 7), (1, 3), (3, 4), (2, 2), (6, 9)]),
            [(1, 4), (5, 9)],
        )
        self.assertEqual(
            sla_clock.subtract([(0, 10), (20, 30)], [(2, 4), (8, 22), (29, 40)]),
            [(0, 2), (4, 8), (22, 29)],
        )

    def test_no_working_time(self):
        self.assertIsNone(sla_clock.deadline(ORIGIN, MINUTE, []))
        self.assertEqual(sla_clock.deadline(ORIGIN, timedelta(0), []), ORIGIN)
