import itertools
import random

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.survivorship import (
    MAX_ENTRIES,
    TYPED,
    settle,
    winner,
)


def entry(value, channel, at, record=1):
    return {
        "value": value,
        "channel_id": channel,
        "record_id": record,
        "at": f"2026-01-01 00:00:{at:02}.000",
    }


EQUAL = {1: 10, 2: 10, TYPED: 10}


@tagged("post_install", "-at_install")
class TestSurvivorship(BaseCase):
    def settle(self, history, candidates, current=None, at=0, priorities=None):
        moment = f"2026-01-01 00:00:{at:02}.000"
        return settle(history, current, moment, candidates, priorities or EQUAL)

    def test_newer_wins_older_stays_in_history(self):
        value, history = self.settle([], [entry("a", 1, 1)])
        self.assertEqual(value, "a")
        value, history = self.settle(history, [entry("b", 1, 3, 2)], "a")
        self.assertEqual(value, "b")
        value, history = self.settle(history, [entry("c", 1, 2, 3)], "b")
        self.assertEqual(value, "b")
        self.assertEqual([one["value"] for one in history], ["b", "c", "a"])

    def test_same_time_later_record_wins(self):
        value, _history = self.settle([], [entry("a", 1, 1, 1), entry("b", 1, 1, 2)])
        self.assertEqual(value, "b")

    def test_priority_before_recency(self):
        priorities = {1: 5, 2: 20}
        value, history = self.settle([], [entry("a", 1, 1)], priorities=priorities)
        value, history = self.settle(
            history, [entry("b", 2, 9)], "a", priorities=priorities
        )
        self.assertEqual(value, "a")
        value, history = self.settle(
            history, [entry("c", 1, 2)], "a", priorities=priorities
        )
        self.assertEqual(value, "c")
        self.assertEqual(len(history), 3)

    def test_typed_by_hand(self):
        _value, history = self.settle([], [entry("a", 1, 1)])
        # changed by hand at 5: a record of 3 does not win, one of 9 does
        value, kept = self.settle(history, [entry("b", 1, 3)], "hand", 5)
        self.assertEqual(value, "hand")
        self.assertEqual(kept[0]["channel_id"], TYPED)
        value, kept = self.settle(kept, [entry("c", 1, 9)], "hand", 5)
        self.assertEqual(value, "c")
        self.assertIn("hand", [one["value"] for one in kept])

    def test_repetition_does_not_grow(self):
        _value, history = self.settle([], [entry("a", 1, 1)])
        value, history = self.settle(history, [entry("a", 1, 5, 9)], "a")
        self.assertEqual(value, "a")
        self.assertEqual(history, [entry("a", 1, 5, 9)])

    def test_winner_never_trimmed(self):
        priorities = {1: 1, 2: 50}
        _value, history = self.settle([], [entry("best", 1, 0)], priorities=priorities)
        many = [entry(f"v{n}", 2, n) for n in range(1, 60)]
        value, history = self.settle(history, many, "best", priorities=priorities)
        self.assertEqual(value, "best")
        self.assertEqual(len(history), MAX_ENTRIES)
        self.assertEqual(winner(history, priorities)["value"], "best")

    def test_order_of_arrival_does_not_matter(self):
        """Any order, in one batch or many, ends with the same value and history."""
        entries = [
            entry(value, channel, at, at)
            for value, channel, at in (
                ("a", 1, 1),
                ("b", 2, 2),
                ("c", 1, 3),
                ("d", 2, 4),
            )
        ]
        priorities = {1: 5, 2: 10}
        outcomes = set()
        for order in itertools.permutations(entries):
            for cut in range(5):
                value, history = self.settle([], order[:cut], priorities=priorities)
                value, history = self.settle(
                    history, order[cut:], value, priorities=priorities
                )
                outcomes.add((value, tuple(one["value"] for one in history)))
        self.assertEqual(outcomes, {("c", ("d", "c", "b", "a"))})

    def test_history_is_newest_first(self):
        shuffled = [entry(f"v{n}", 1, n, n) for n in range(15)]
        random.Random(4).shuffle(shuffled)
        _value, history = self.settle([], shuffled)
        moments = [one["at"] for one in history]
        self.assertEqual(moments, sorted(moments, reverse=True))

    def test_nothing(self):
        self.assertEqual(self.settle([], [], "a"), ("a", [entry("a", TYPED, 0, 0)]))
        self.assertEqual(self.settle([], []), (None, []))
        self.assertIsNone(winner([], {}))
