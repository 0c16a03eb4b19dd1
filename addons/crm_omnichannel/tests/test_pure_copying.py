import struct
from datetime import datetime, timedelta

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.copying import LANDED_COLUMNS, landed_row
from odoo.addons.crm_omnichannel.tools.landing import LandedItem, unpack


def parse(row):
    """Read a row as PostgreSQL's documentation describes it."""
    [count] = struct.unpack_from("!h", row)
    place, fields = 2, []
    for _column in range(count):
        [length] = struct.unpack_from("!i", row, place)
        place += 4
        fields.append(None if length == -1 else row[place : place + max(length, 0)])
        place += max(length, 0)
    assert place == len(row)
    return fields


@tagged("post_install", "-at_install")
class TestCopying(BaseCase):
    def test_row(self):
        at = datetime(2026, 5, 4, 8, 30, 0, 123456)
        payload = b'{"name": "\xe7\x8e\x8b"}'
        fields = parse(landed_row(7, LandedItem(3, payload, "k\\\t王", "id\n1", at)))
        self.assertEqual(len(fields), len(LANDED_COLUMNS))
        self.assertEqual(struct.unpack("!i", fields[0]), (7,))
        self.assertEqual(fields[1].decode(), "k\\\t王")
        self.assertEqual(fields[2].decode(), "id\n1")
        self.assertEqual(unpack(fields[3]), payload)
        [microseconds] = struct.unpack("!q", fields[4])
        self.assertEqual(
            datetime(2000, 1, 1) + timedelta(microseconds=microseconds), at
        )

    def test_nulls(self):
        fields = parse(landed_row(0, LandedItem(0, b"{}", "k")))
        self.assertEqual((fields[2], fields[4]), (None, None))

    def test_large_payload(self):
        payload = b'{"a": "' + b"word " * 10_000 + b'"}'
        fields = parse(landed_row(0, LandedItem(0, payload, "k")))
        self.assertEqual(unpack(fields[3]), payload)
