from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.tests import BaseCase, TransactionCase, tagged

from .. import usage

NOON = 1_800_000_000 // 3600 * 3600


@tagged("post_install", "-at_install")
class TestBuffer(BaseCase):
    def setUp(self):
        super().setUp()
        self.buffer = usage.UsageBuffer(timer=False)
        self.written = []

        def write_cells(cr, cells, lag):
            self.written.append(cells)

        class Cursor:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                return False

        for target, new in (
            ("write_cells", write_cells),
            ("read_committed", lambda dbname: Cursor()),
        ):
            patcher = patch.object(usage, target, new)
            patcher.start()
            self.addCleanup(patcher.stop)

    def test_cells(self):
        for status, at in ((200, 0), (404, 1), (429, 3599), (503, 3600)):
            self.buffer.add("db", "e", 7, status, 5, NOON + at)
        self.buffer.add("db", "e", None, 200, 1, NOON)
        self.buffer.add("db2", "e", 7, 200, 1, NOON)
        self.assertEqual(self.buffer.flush("db"), 3)
        hour = NOON // 3600
        self.assertEqual(
            self.written[0],
            {
                ("db", "e", 7, hour): ((3, 2, 0, 1, 15), NOON + 3599),
                ("db", "e", 7, hour + 1): ((1, 0, 1, 0, 5), NOON + 3600),
                ("db", "e", None, hour): ((1, 0, 0, 0, 1), NOON),
            },
        )
        self.assertEqual(self.buffer.flush(), 1)
        self.assertEqual(self.buffer.flush(), 0)

    def test_bounded(self):
        with patch.object(usage, "MAX_CELLS", 10):
            for number in range(15):
                self.buffer.add("db", f"e{number}", None, 200, 0, NOON)
            # Known cells still count.
            self.buffer.add("db", "e0", None, 200, 0, NOON)
        self.assertEqual(self.buffer.dropped, 5)
        self.assertEqual(self.buffer.flush(), 10)
        self.assertEqual(self.written[0]["db", "e0", None, NOON // 3600][0][0], 2)

    def test_failed_flush_keeps_the_counts(self):
        self.buffer.add("db", "e", None, 200, 3, NOON)

        def fail(cr, cells, lag):
            self.buffer.add("db", "e", None, 500, 4, NOON + 9)
            raise psycopg2.OperationalError("server closed the connection")

        with (
            patch.object(usage, "write_cells", fail),
            self.assertLogs(usage.__name__, "WARNING"),
        ):
            self.assertEqual(self.buffer.flush(), 0)
        self.assertEqual(self.buffer.flush(), 1)
        self.assertEqual(
            self.written[0]["db", "e", None, NOON // 3600],
            ((2, 0, 1, 0, 7), NOON + 9),
        )

    def test_dropped_database(self):
        self.buffer.add("db", "e", None, 200, 3, NOON)

        def fail(cr, cells, lag):
            raise psycopg2.OperationalError('FATAL:  database "db" does not exist')

        with patch.object(usage, "write_cells", fail):
            self.assertEqual(self.buffer.flush(), 0)
        self.assertEqual(self.buffer.flush(), 0)


@tagged("post_install", "-at_install")
class TestUsage(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.credential = cls.env["governance.credential"].create(
            {"name": "Shop", "scopes": "x"}
        )
        cls.env.flush_all()

    def _write(self, *cells, lag=0.5):
        usage.write_cells(self.env.cr, dict(cells), lag)
        self.env.invalidate_all()

    def _cell(self, endpoint, credential_id, count, at=NOON):
        key = (self.env.cr.dbname, endpoint, credential_id, NOON // 3600)
        return key, ((count, 1, 0, 0, 10), at)

    def test_write_twice(self):
        self._write(self._cell("e", self.credential.id, 2, NOON + 5))
        self._write(self._cell("e", self.credential.id, 3, NOON + 1), lag=4.0)
        row = self.env["governance.usage"].search([("endpoint", "=", "e")])
        self.assertRecordValues(
            row,
            [
                {
                    "requests": 5,
                    "errors_4xx": 2,
                    "bytes_in": 20,
                    "flush_lag": 4.0,
                    "company_id": self.credential.company_id.id,
                    "last_at": fields.Datetime.to_datetime("2027-01-15 08:00:05"),
                    "hour": fields.Datetime.to_datetime("2027-01-15 08:00:00"),
                }
            ],
        )
        self.assertEqual(self.credential.request_count, 5)

    def test_deleted_credential(self):
        gone = self.credential.copy()
        gone_id = gone.id
        gone.unlink()
        self.env.flush_all()
        # Two cells that become one.
        self._write(self._cell("e", gone_id, 2), self._cell("e", None, 1))
        row = self.env["governance.usage"].search([("endpoint", "=", "e")])
        self.assertEqual((row.requests, row.credential_id.id), (3, False))

    def test_deleted_company(self):
        """The database keeps the counts: other addons forbid to try it here."""
        self.env.cr.execute(
            """
            SELECT confdeltype::text FROM pg_constraint
            WHERE conrelid = 'governance_usage'::regclass
              AND confrelid = 'res_company'::regclass
            """
        )
        self.assertEqual(self.env.cr.fetchall(), [("n",)])

    def test_vacuum(self):
        self.env["governance.usage"].create(
            [
                {"endpoint": "old", "hour": "2020-01-01 10:00:00"},
                {"endpoint": "new", "hour": fields.Datetime.now()},
            ]
        )
        self.env.flush_all()
        for _again in range(2):
            self.env["governance.usage"]._gc_usage()
        left = self.env["governance.usage"].search([("endpoint", "in", ("old", "new"))])
        self.assertEqual(left.mapped("endpoint"), ["new", "old"])
        self.assertEqual(left[1].hour.year, 1970, "added up, without its hour")

    def test_actions(self):
        self.env["governance.usage"].search([]).unlink()
        action = self.credential.action_view_usage()
        self.assertEqual(action["domain"], [("credential_id", "=", self.credential.id)])
        endpoint = self.env["governance.endpoint"].search(
            [("code", "=", "governance.metrics")]
        )
        self.assertEqual(
            endpoint.action_view_usage()["domain"],
            [("endpoint", "=", "governance.metrics")],
        )
        self._write(self._cell("governance.metrics", None, 4))
        self.assertEqual((endpoint.request_count, endpoint.error_count), (4, 1))
