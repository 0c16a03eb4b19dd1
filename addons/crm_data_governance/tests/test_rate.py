import random

from odoo.tests import BaseCase, TransactionCase, tagged
from odoo.tools import SQL

from .. import rates
from ..tools.rate import BLOCK_MAX, Pocket, block


@tagged("post_install", "-at_install")
class TestBlock(BaseCase):
    def test_block(self):
        for rate in [*range(1, 200), 600, 1000, 10_000, 10**6]:
            used = turns = 0
            last = None
            while grant := block(rate, used):
                self.assertTrue(1 <= grant <= min(BLOCK_MAX, rate - used))
                self.assertTrue(last is None or grant <= last, (rate, used))
                last, used, turns = grant, used + grant, turns + 1
            self.assertEqual(used, rate)
            self.assertEqual(block(rate, rate + 5), 0)
            # Far fewer writes than requests once the rate is worth it.
            if rate >= 600:
                self.assertLess(turns, rate / 5)

    def test_any_processes(self):
        """Brute force: processes come and go in random order."""
        for seed in range(60):
            chance = random.Random(seed)
            rate = chance.choice([1, 2, 16, 17, 60, 601])
            pockets = [None] * chance.randint(1, 9)
            used = allowed = 0
            for _turn in range(4 * rate + 40):
                who = chance.randrange(len(pockets))
                verdict = pockets[who].take(0.0) if pockets[who] else None
                if verdict is None:
                    grant = block(rate, used)
                    used += grant
                    if grant:
                        pockets[who] = Pocket(grant, 60.0)
                        verdict = pockets[who].take(0.0)
                    else:
                        pockets[who] = Pocket.empty(60.0)
                        verdict = False
                allowed += verdict
                self.assertLessEqual(allowed, rate)
            held = sum(max(0, pocket.tokens) for pocket in pockets if pocket)
            self.assertEqual(allowed + held, used)

    def test_pocket(self):
        pocket = Pocket(2, 10.0)
        self.assertTrue(pocket.take(9.0))
        self.assertTrue(pocket.take(9.9))
        self.assertIsNone(pocket.take(9.9))
        self.assertIsNone(Pocket(2, 10.0).take(10.0))
        self.assertIs(Pocket.empty(10.0).take(9.0), False)
        self.assertIsNone(Pocket.empty(10.0).take(10.0))


@tagged("post_install", "-at_install")
class TestReserve(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.credential = cls.env["governance.credential"].create(
            {"name": "Rate", "scopes": "x"}
        )

    def setUp(self):
        super().setUp()
        self.patch(rates, "WINDOW_SECONDS", 3600)
        rates.forget()
        self.addCleanup(rates.forget)

    def _reserve(self, rate):
        return rates.reserve(self.env.cr, self.credential.id, rate)[0]

    def test_sql_says_what_the_formula_says(self):
        for rate in (1, 2, 15, 16, 17, 100, 601, 5000):
            self.env["governance.rate"].search([]).unlink()
            self.env.flush_all()
            used = 0
            while True:
                granted = self._reserve(rate)
                self.assertEqual(granted, block(rate, used), (rate, used))
                used += granted
                if not granted:
                    break
            self.assertEqual(used, rate)
            self.assertEqual(self._reserve(rate), 0)

    def test_smaller_rate_within_the_window(self):
        for _turn in range(5):
            self._reserve(100)
        self.assertEqual(self._reserve(10), 0)
        self.assertGreater(self._reserve(100), 0)

    def test_next_window(self):
        while self._reserve(20):
            pass
        self.env.cr.execute(SQL("UPDATE governance_rate SET window_no = window_no - 1"))
        self.assertEqual(self._reserve(20), block(20, 0))
        # A clock that was read before the window changed does not set it back.
        self.env.cr.execute(
            SQL("UPDATE governance_rate SET window_no = window_no + 1, used = 20")
        )
        self.assertEqual(self._reserve(20), 0)
        self.env.cr.execute(SQL("SELECT used FROM governance_rate"))
        self.assertEqual(self.env.cr.fetchone(), (20,))

    def test_take(self):
        self.env.flush_all()
        self.registry_enter_test_mode()
        verdicts = [rates.take(self.env, self.credential.id, 50) for _turn in range(60)]
        self.assertEqual(verdicts[:50], [None] * 50)
        for wait in verdicts[50:]:
            self.assertTrue(1 <= wait <= 3600)

    def test_clients_have_a_limit_each(self):
        self.env.flush_all()
        self.registry_enter_test_mode()
        for client in ("one", "two"):
            verdicts = [rates.take(self.env, client, 20) for _turn in range(25)]
            passed = [wait is None for wait in verdicts]
            self.assertEqual(passed, [True] * 20 + [False] * 5)
        self.assertIsNone(rates.take(self.env, self.credential.id, 20))
        rows = self.env["governance.rate"]
        self.assertEqual(rows.search_count([("client", "in", ("one", "two"))]), 2)
        rows._gc_rate()
        self.assertEqual(rows.search_count([]), 3)
        self.env.cr.execute(SQL("UPDATE governance_rate SET window_no = window_no - 2"))
        rows._gc_rate()
        self.assertEqual(rows.search([]).credential_id, self.credential)

    def test_no_limit_writes_nothing(self):
        with self.assertQueryCount(0):
            self.assertIsNone(rates.take(self.env, self.credential.id, 0))

    def test_tokens_come_from_memory(self):
        self.env.flush_all()
        self.registry_enter_test_mode()
        with self.assertQueryCount(40):
            for _turn in range(600):
                self.assertIsNone(rates.take(self.env, self.credential.id, 1000))
