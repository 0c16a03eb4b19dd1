import json
from datetime import datetime

from odoo.tests import TransactionCase, tagged

from ..bulk import copy_rows


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
