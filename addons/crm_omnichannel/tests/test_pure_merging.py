import json

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.merging import compress, put_back, splice
from odoo.addons.crm_omnichannel.tools.stricter import missing_refusals
from odoo.addons.crm_omnichannel.tools.survivorship import unite


@tagged("post_install", "-at_install")
class TestPutBack(BaseCase):
    def put_back(self, old, new, current):
        value, is_open = put_back(
            *(side and json.dumps(side) for side in (old, new, current)), True
        )
        return value and json.loads(value), is_open

    def test_plain_values(self):
        self.assertEqual(put_back("1", "2", "2"), ("1", False))
        self.assertEqual(put_back(None, "2", "2"), (None, False))
        # somebody has put it back already
        self.assertEqual(put_back("1", "2", "1"), ("1", False))
        self.assertEqual(put_back("1", "2", "3"), ("3", True))
        self.assertEqual(put_back("1", "2", None), (None, True))

    def test_a_later_change_of_one_key_does_not_hold_the_others(self):
        self.assertEqual(
            self.put_back({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3, "c": 4}),
            ({"a": 1, "c": 4}, False),
        )
        self.assertEqual(
            self.put_back({"a": 1}, {"a": 2, "b": 3}, {"a": 9, "b": 3}),
            ({"a": 9}, True),
        )
        self.assertEqual(
            self.put_back(None, {"a": 2}, {"a": 2, "b": 1}), ({"b": 1}, False)
        )

    def test_lists_lose_what_was_added_and_regain_what_was_taken(self):
        self.assertEqual(
            self.put_back({"f": [1, 2]}, {"f": [1, 2, 3]}, {"f": [9, 1, 2, 3]}),
            ({"f": [9, 1, 2]}, False),
        )
        self.assertEqual(
            self.put_back({"f": [1, 2]}, {"f": [2]}, {"f": [2, 5]}),
            ({"f": [2, 5, 1]}, False),
        )

    def test_compress(self):
        cells = [[1, "a", "b"], [2, "x", "y"], [1, "b", "c"], [2, "y", "x"]]
        self.assertEqual(compress(cells), [[1, "a", "c"]])
        row = {"left": "1", "right": "2"}
        self.assertEqual(compress([[row, "1", "3"]]), [[row, "1", "3"]])

    def test_splice(self):
        cells, found = splice([[1, "b", "c"], [2, "b", "c"]], {"1": ("b", "a")})
        self.assertEqual(cells, [[1, "a", "c"], [2, "b", "c"]])
        self.assertEqual(found, {"1"})


@tagged("post_install", "-at_install")
class TestStricter(BaseCase):
    def answer(self, state, at, channel=None, number=1):
        return {
            "subject": number,
            "id": number,
            "purpose": "marketing",
            "channel": channel,
            "state": state,
            "at": at,
        }

    def test_the_older_refusal_is_given_once_more(self):
        granted, revoked = self.answer("granted", 5), self.answer("revoked", 1)
        for sides in (([granted], [revoked]), ([revoked], [granted])):
            [added] = missing_refusals(*sides)
            self.assertEqual(
                (added["state"], added["at"], added["channel"]), ("revoked", 5, None)
            )

    def test_what_the_newest_says_anyway_needs_no_more(self):
        granted, denied = self.answer("granted", 1), self.answer("denied", 5)
        self.assertEqual(missing_refusals([granted], [denied]), [])
        self.assertEqual(missing_refusals([granted], [granted]), [])
        self.assertEqual(missing_refusals([], [granted]), [])

    def test_a_general_refusal_holds_against_a_later_special_yes(self):
        special = self.answer("granted", 5, "email")
        [added] = missing_refusals([special], [self.answer("denied", 1)])
        self.assertEqual((added["channel"], added["state"]), ("email", "denied"))

    def test_nobody_said_yes_to_the_other_channels(self):
        """A yes to all and a no to one: only the one is refused."""
        granted, denied = self.answer("granted", 5), self.answer("denied", 1, "sms")
        self.assertEqual(missing_refusals([granted], [denied]), [])


@tagged("post_install", "-at_install")
class TestUnite(BaseCase):
    def entry(self, value, channel, at):
        return {"value": value, "channel_id": channel, "record_id": 1, "at": at}

    def test_priority_then_recency(self):
        first, second = self.entry("a", 1, "2026-01"), self.entry("b", 2, "2026-02")
        target, source = ([first], "a", "2026-01"), ([second], "b", "2026-02")
        value, history = unite(target, source, {1: 5, 2: 9})
        self.assertEqual(value, "a")
        self.assertEqual([entry["value"] for entry in history], ["b", "a"])
        self.assertEqual(unite(target, source, {1: 9, 2: 5})[0], "b")
        self.assertEqual(unite(target, source, {1: 5, 2: 5})[0], "b")

    def test_a_typed_value_of_the_other_is_a_source_too(self):
        target = ([self.entry("a", 1, "2026-01")], "a", "2026-01")
        value, history = unite(target, ([], "typed", "2026-03"), {0: 1, 1: 5})
        self.assertEqual(value, "typed")
        self.assertEqual(history[0]["channel_id"], 0)
