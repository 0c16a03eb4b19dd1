import jmespath

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.mapping import (
    Line,
    apply_mapping,
    compile_path,
    mentions,
)
from odoo.addons.crm_omnichannel.tools.normalisers import BadValue

DOCUMENT = {
    "id": 7,
    "name": "",
    "full": "Ada Lovelace",
    "zero": 0,
    "no": False,
    "contact": {"phone": "139 1612 3456", "none": None, "list": []},
    "tags": ["b", "a"],
    "给": "中文",
}


@tagged("post_install", "-at_install")
class TestMapping(BaseCase):
    def test_paths_equal_jmespath(self):
        """The quick way and the interpreter give the same."""
        for path in (
            "id",
            "missing",
            "contact.phone",
            "contact.none.deeper",
            "full.deeper",
            "missing.deeper.still",
            "name || full",
            "zero || full",
            "no || full",
            "contact.list || full",
            "missing || contact.none || tags",
            "'CN'",
            "`3`",
            '"给"',
            "tags[0]",
            "tags[?@ == 'a']",
            "join(' ', tags)",
            "contact.*",
            "{a: id}",
            "!no",
            "no && full",
            "missing || join('-', [full, name][?@])",
        ):
            with self.subTest(path=path):
                self.assertEqual(
                    compile_path(path)(DOCUMENT), jmespath.search(path, DOCUMENT)
                )

    def test_bad_paths(self):
        for path in ("", "a.", "[", "a ||", "unknown("):
            with self.subTest(path=path), self.assertRaises(BadValue):
                compile_path(path)
        for path in ("join(' ', id)", "no_such(id)", "length(id)"):
            with self.subTest(path=path), self.assertRaises(BadValue):
                compile_path(path)(DOCUMENT)

    def test_values_and_identifiers(self):
        record = apply_mapping(
            {
                "given": "伟",
                "family": "王",
                "mail": "W@Example.com",
                "mobile": "139 1612 3456",
                "union": "u-1",
                "labels": "vip",
            },
            [
                Line("given", "given_name"),
                Line("family", "surname"),
                Line("mail", "email"),
                Line("mobile", "phone"),
                Line("union", "id:unionid"),
                Line("labels", "tags"),
            ],
            "CN",
        )
        self.assertEqual(
            record.values,
            {"name": "王伟", "email": "w@example.com", "phone": "+8613916123456"},
        )
        self.assertEqual(
            record.identifiers,
            [
                ("email", "w@example.com"),
                ("phone", "+8613916123456"),
                ("unionid", "u-1"),
            ],
        )
        self.assertEqual(record.tags, ["vip"])
        self.assertFalse(record.errors)

    def test_first_line_with_a_value_wins(self):
        lines = [Line("a", "city"), Line("b", "city")]
        self.assertEqual(apply_mapping({"a": "X", "b": "Y"}, lines).values["city"], "X")
        self.assertEqual(apply_mapping({"b": "Y"}, lines).values["city"], "Y")

    def test_required(self):
        lines = [Line("name", "name", required=True), Line("first", "given_name")]
        missing = ("required_missing", {"target": "name"})
        self.assertEqual(apply_mapping({}, lines).errors, [missing])
        self.assertEqual(apply_mapping({"name": "null"}, lines).errors, [missing])
        # a name put together from its parts is a name
        self.assertFalse(apply_mapping({"first": "Ada"}, lines).errors)

    def test_errors_park_and_skip(self):
        parks = [Line("m", "email")]
        skips = [Line("m", "email", on_error="skip")]
        bad = ("bad_email", {"target": "email", "value": "x"})
        self.assertEqual(apply_mapping({"m": "x"}, parks).errors, [bad])
        record = apply_mapping({"m": "x"}, skips)
        self.assertEqual((record.errors, record.notes), ([], [bad]))
        # a required line never skips, and says its error once
        needed = [Line("m", "email", required=True, on_error="skip")]
        self.assertEqual(apply_mapping({"m": "x"}, needed).errors, [bad])

    def test_expression_that_fails_is_an_error_of_the_record(self):
        record = apply_mapping({"a": 1}, [Line("join(' ', a)", "city")])
        self.assertEqual(record.errors[0][0], "bad_source")

    def test_country_of_telephones(self):
        line = Line("p", "phone")
        number = {"p": "0412 000 001"}
        self.assertEqual(
            apply_mapping(number, [line], "AU").values["phone"], "+61412000001"
        )
        line = Line("p", "phone", argument="AU")
        self.assertEqual(
            apply_mapping(number, [line], "CN").values["phone"], "+61412000001"
        )

    def test_mentions(self):
        text = '{"name": "王伟", "tel": "139-1612-3456", "mail": "Wang@Example.com"}'
        for identities, expected in (
            ([("email", "wang@example.com")], True),
            ([("phone", "+8613916123456")], True),
            ([("phone", "+8613916129999")], False),
            ([("email", "li@example.com")], False),
            ([("email", "")], False),
            ([("external_id", "Example.com")], False),
            ([("openid", "139")], False),
            ([("user_id", "1612-34")], False),
            ([("partner", "3916123456")], False),
            ([], False),
        ):
            self.assertEqual(mentions(text, identities), expected, identities)

    def test_mentions_a_whole_word(self):
        for text, expected in (
            ('{"mail": "li@example.com"}', True),
            ('{"mail": "Li <li@example.com>"}', True),
            ('{"note": "邮箱li@example.com。"}', True),
            (r'{"note": "1.\nli@example.com"}', True),
            ("mailto:li@example.com.", True),
            ('{"mail": "wangli@example.com"}', False),
            ('{"mail": "a.li@example.com"}', False),
            ('{"mail": "li@example.com.cn"}', False),
        ):
            found = mentions(text, [("email", "li@example.com")])
            self.assertEqual(found, expected, text)
        number = [("user_id", "100042")]
        self.assertTrue(mentions('{"user": 100042}', number))
        self.assertFalse(mentions('{"order": 7100042}', number))

    def test_mentions_however_it_is_spelt(self):
        for text in (
            r'{"mail": "w\u0061ng@Example.com"}',
            '{"mail": "ＷＡＮＧ＠example.com"}',
            # cut in the middle, as excerpts are
            r'{"mail": "WANG@example.com", "name": "\u738b\u4f',
            r'{"\ud83d": "wang@example.com\ud83d"}',
        ):
            self.assertTrue(mentions(text, [("email", "wang@example.com")]), text)
        text = '{"tel": "１３９ １６１２ ３４５６"}'
        self.assertTrue(mentions(text, [("phone", "+8613916123456")]))
        text = r'{"id": "\u738b\u4f1f-000001"}'
        self.assertTrue(mentions(text, [("user_id", "王伟-000001")]))
