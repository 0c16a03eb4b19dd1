import random
from datetime import datetime, timedelta

from odoo.tests import BaseCase, tagged

from ..tools.keys import DEFAULT, MAX_KEYS, epoch, key_of, rank_segments


@tagged("post_install", "-at_install")
class TestKeys(BaseCase):
    def test_ranks(self):
        uses = [(7, 20), (5, 10), (7, 5), (9, 5), (9, 30), (7, 40), (3, 20)]
        self.assertEqual(rank_segments(uses), (7, 9, 5, 3))
        self.assertEqual(rank_segments([]), ())

    def test_never_more_keys_than_promised(self):
        rng = random.Random(3)
        for _round in range(200):
            uses = [(rng.randint(1, 60), rng.randint(1, 9)) for _use in range(200)]
            ranked = rank_segments(uses)
            keys = {
                key_of(set(rng.sample(range(1, 61), rng.randint(0, 20))), ranked)
                for _visitor in range(500)
            }
            self.assertLessEqual(len(keys), MAX_KEYS)
            self.assertEqual(len(set(ranked)), len(ranked))
            self.assertEqual(ranked, rank_segments(sorted(uses)))

    def test_key(self):
        self.assertEqual(key_of({3, 7}, (7, 3)), 7)
        self.assertEqual(key_of({1}, (7, 3)), DEFAULT)
        self.assertEqual(key_of((), (7, 3)), DEFAULT)

    def test_epoch_changes_at_each_moment_only(self):
        start = datetime(2026, 3, 1)
        moments = [start, start + timedelta(hours=2)]
        second = timedelta(seconds=1)
        self.assertEqual(epoch(moments, start - second), 0)
        self.assertEqual(epoch(moments, start), 1)
        self.assertEqual(epoch(moments, start + timedelta(hours=2) - second), 1)
        self.assertEqual(epoch(moments, start + timedelta(hours=2)), 2)
