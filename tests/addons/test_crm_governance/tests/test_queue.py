import time
from unittest.mock import patch

from psycopg2 import errors

from odoo.exceptions import ConcurrencyError
from odoo.service.model import retrying
from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import claim, read_committed, take_batches

WAITING = ("test_governance_queue", SQL("done IS NOT TRUE"), SQL("id"), 3)


@tagged("post_install", "-at_install")
class TestQueue(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.rows = cls.env["test_governance.queue"].create(
            [{"name": str(number)} for number in range(8)]
        )

    def setUp(self):
        super().setUp()
        self.registry_enter_test_mode()

    def _done(self):
        self.env.invalidate_all()
        return self.rows.filtered("done")

    @staticmethod
    def _work(env, ids):
        env["test_governance.queue"].browse(ids).write({"done": True})

    def test_claim(self):
        with self.registry.cursor() as cr:
            self.assertEqual(claim(cr, *WAITING), self.rows[:3].ids)

    def test_all_batches(self):
        batches = []

        def work(env, ids):
            batches.append(ids)
            self._work(env, ids)

        self.assertEqual(take_batches(self.registry, 1, WAITING, work), 8)
        self.assertEqual([len(batch) for batch in batches], [3, 3, 2])
        self.assertEqual(self._done(), self.rows)

    def test_deadline(self):
        self.assertEqual(
            take_batches(
                self.registry, 1, WAITING, self._work, deadline=time.monotonic()
            ),
            0,
        )

    def test_conflict_is_worked_on_again(self):
        for error in (errors.SerializationFailure, ConcurrencyError):
            tries = []
            self.rows.done = False
            self.env.flush_all()

            def work(env, ids, tries=tries, error=error):
                tries.append(ids)
                self._work(env, ids)
                if len(tries) == 1:
                    env.flush_all()
                    raise error("another worker")

            self.assertEqual(take_batches(self.registry, 1, WAITING, work), 8)
            self.assertEqual(tries[0], tries[1])
            self.assertEqual(self._done(), self.rows)

    def test_a_request_meets_a_conflict_that_code_found(self):
        """Odoo's retry repeats it: an error of psycopg2 made by hand breaks there."""
        tries = []

        def work():
            tries.append(1)
            if len(tries) < 3:
                raise ConcurrencyError("another worker")
            return "done"

        with (
            patch("odoo.service.model.time.sleep"),
            patch.object(self.env.cr, "rollback"),
            patch.object(self.env.cr, "commit"),
        ):
            self.assertEqual(retrying(work, self.env), "done")
        self.assertEqual(len(tries), 3)

    def test_error_is_the_callers(self):
        def work(env, ids):
            self._work(env, ids)
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            take_batches(self.registry, 1, WAITING, work)
        self.assertFalse(self._done())

    def test_work_that_does_nothing_ends(self):
        with self.assertLogs("odoo.addons.crm_data_governance.db", "WARNING"):
            take_batches(self.registry, 1, WAITING, lambda env, ids: None)

    def test_read_committed_rolls_back(self):
        with self.assertRaises(ZeroDivisionError), read_committed(self.env) as cr:
            cr.execute("UPDATE test_governance_queue SET done = true")
            raise ZeroDivisionError
        self.assertFalse(self._done())
        with read_committed(self.env.cr.dbname) as cr:
            cr.execute("UPDATE test_governance_queue SET done = true")
        self.assertEqual(self._done(), self.rows)
