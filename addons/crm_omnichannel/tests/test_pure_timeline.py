import random
from datetime import datetime, timedelta

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.timeline import (
    BadCursor,
    Cursor,
    bound,
    entry_key,
    format_cursor,
    merge,
    parse_cursor,
    split_rest,
)

START = datetime(2026, 3, 1)


def behind(entry, kind, before):
    """What a source does in SQL, in plain Python."""
    found = bound(kind, before)
    if found is None:
        return True
    if entry["at"] != found.at:
        return entry["at"] < found.at
    if found.rest is not None:
        number, code = split_rest(found.rest)
        own_number, own_code = split_rest(entry["key"].removeprefix(f"{kind}:"))
        return (own_number, own_code) < (number, code)
    return found.inclusive


@tagged("post_install", "-at_install")
class TestTimeline(BaseCase):
    def sources(self, seed):
        """Many entries of one moment in each source, as a bulk import makes them."""
        rng = random.Random(seed)
        return {
            kind: [
                {
                    "at": START + timedelta(days=rng.randrange(4)),
                    "key": entry_key(kind, number, code),
                }
                for number in rng.sample(range(1, 1000), rng.randrange(30))
                for code in ("created", "won")
            ]
            for kind in ("lead", "lead_x", "order", "a")
        }

    def test_pages_are_the_sorted_whole(self):
        for seed in range(30):
            sources = self.sources(seed)
            whole = sorted(
                (entry for entries in sources.values() for entry in entries),
                key=lambda entry: (entry["at"], entry["key"]),
                reverse=True,
            )
            for limit in (1, 7, 500):
                seen, before = [], None
                while True:
                    pages = [
                        sorted(
                            (e for e in entries if behind(e, kind, before)),
                            key=lambda entry: (entry["at"], entry["key"]),
                            reverse=True,
                        )[: limit + 1]
                        for kind, entries in sources.items()
                    ]
                    page, more = merge(pages, limit)
                    seen += page
                    if not more:
                        break
                    last = page[-1]
                    before = parse_cursor(format_cursor(last["at"], last["key"]))
                self.assertEqual(seen, whole)

    def test_order_of_keys_is_the_order_of_numbers(self):
        self.assertLess(entry_key("lead", 9, "won"), entry_key("lead", 10, "created"))
        self.assertLess(entry_key("lead", 9, "won"), entry_key("lead_x", 1, "created"))
        self.assertEqual(split_rest("000000000012:won"), (12, "won"))

    def test_cursor(self):
        moment = datetime(2026, 3, 1, 8, 30, 0, 123456)
        text = format_cursor(moment, "lead:000000000012:won")
        self.assertEqual(text, "2026-03-01T08:30:00.123456Z|lead:000000000012:won")
        self.assertEqual(parse_cursor(text), Cursor(moment, "lead:000000000012:won"))
        shanghai = "2026-03-01T16:30:00.123456+08:00|lead:1:won"
        self.assertEqual(parse_cursor(shanghai).at, moment)
        self.assertIsNone(parse_cursor(None))
        self.assertIsNone(parse_cursor(""))

    def test_bad_cursor(self):
        for text in ("x", "2026-03-01", "2026-03-01|", "|lead:1:won", 7, ["a"]):
            with self.subTest(text=text), self.assertRaises(BadCursor):
                parse_cursor(text)
        for rest in ("", "12", "x:won", "-1:won"):
            with self.subTest(rest=rest), self.assertRaises(BadCursor):
                split_rest(rest)
