import json
from datetime import datetime

from odoo.tests import TransactionCase, tagged

from ..bulk import copy_into, copy_rows


@tagged("post_install", "-at_install")
class TestBulk(TransactionCase):
    def test_rows_arrive_as_they_are(self):
        columns = {
            "text": "text",
            "bytes": "bytea",
            "at": "timestamp",
            "number": "integer",
            "yes": "boolean",
            "json": "jsonb",
        }
        rows = [
            (
                "a\tb\\N\n\r\b\f 王 ' \"",
                b"\x00\xff\\",
                datetime(2026, 1, 2, 3, 4, 5),
                7,
                True,
                '{"name": "王", "n": [1, null]}'.encode(),
            ),
            ("\\.", b"", datetime(2026, 1, 2, 3, 4, 5, 600), -1, False, b"{}"),
            (None, None, None, None, None, None),
            ("", b"\t", None, 0, None, b'"\\u2028\\\\"'),
            ("word " * 20_000, b"x" * 70_000, datetime(1999, 12, 31), 1, True, b"[]"),
        ]
        # the second batch of a transaction finds the table empty
        for batch in (rows, rows[:1], iter(rows), []):
            wanted = list(batch) if batch is not rows else rows
            count = copy_rows(self.env.cr, "test_bulk", columns, iter(wanted))
            self.assertEqual(count, len(wanted))
            self.env.cr.execute("SELECT * FROM test_bulk ORDER BY position")
            self.assertEqual(
                [
                    (text, data if data is None else bytes(data), *others)
                    for _position, text, data, *others in self.env.cr.fetchall()
                ],
                [
                    (*row, row_json and json.loads(row_json))
                    for *row, row_json in wanted
                ],
            )

    def test_straight_into_a_table(self):
        """Columns that are not named get their defaults, partitions their rows."""
        self.env.cr.execute(
            """
            CREATE TABLE test_bulk_parts (id serial, name text, n integer)
                PARTITION BY RANGE (n);
            CREATE TABLE test_bulk_low PARTITION OF test_bulk_parts
                FOR VALUES FROM (0) TO (10);
            CREATE TABLE test_bulk_rest PARTITION OF test_bulk_parts DEFAULT
            """
        )
        columns = {"n": "integer", "name": "text"}
        rows = [(1, "a"), (99, None), (2, "王")]
        self.assertEqual(
            copy_into(self.env.cr, "test_bulk_parts", columns, iter(rows)), 3
        )
        self.env.cr.execute("SELECT id, n, name FROM test_bulk_parts ORDER BY id")
        self.assertEqual(
            self.env.cr.fetchall(), [(1, 1, "a"), (2, 99, None), (3, 2, "王")]
        )
        self.env.cr.execute("SELECT count(*) FROM test_bulk_low")
        self.assertEqual(self.env.cr.fetchone(), (2,))
        self.assertEqual(copy_into(self.env.cr, "test_bulk_parts", columns, []), 0)
