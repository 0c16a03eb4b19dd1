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
        }
        rows = [
            (
                "a\tb\\N\n\r\b\f 王 ' \"",
                b"\x00\xff\\",
                datetime(2026, 1, 2, 3, 4, 5),
                7,
                True,
            ),
            ("\\.", b"", datetime(2026, 1, 2, 3, 4, 5, 600), -1, False),
            (None, None, None, None, None),
            ("", b"\t", None, 0, None),
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
                wanted,
            )
