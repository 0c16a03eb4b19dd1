import hashlib
import json
from datetime import datetime
from unittest.mock import Mock, patch

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.messages import MESSAGES
from odoo.addons.crm_omnichannel.tools import landing
from odoo.addons.crm_omnichannel.tools.landing import LandedItem, Refused

ENVELOPE = landing.Envelope(
    external_id=lambda document: document.get("id"),
    updated_at=lambda document: document.get("at"),
)


def read(body, **options):
    if isinstance(body, str):
        body = body.encode()
    return list(landing.read_items(body, ENVELOPE, **options))


def verdicts(body, **options):
    """The code of each refused item, True for one that lands."""
    return [
        item.code if isinstance(item, Refused) else True
        for item in read(body, **options)
    ]


@tagged("post_install", "-at_install")
class TestLanding(BaseCase):
    def test_many_bad_items_take_linear_time(self):
        """What would read the text from its beginning at each item is done once."""
        decoder = Mock(wraps=landing._decoder)
        with patch.object(landing, "_decoder", decoder):
            codes = verdicts("[" + "{x}," * 500 + '{"id": 1}]')
        self.assertEqual(codes, ["unreadable"] * 500 + [True])
        self.assertEqual(decoder.scan_once.call_count, 1)
        # an open string is one match, whatever stands in it
        text = '"' + '\\"' * 500 + "\\"
        for pattern in (landing._BRACKETS, landing._STRUCTURE):
            self.assertEqual([m.span() for m in pattern.finditer(text)], [(0, 1002)])

    def test_one_bad_item_costs_itself_only(self):
        bad = {
            '{"a": }': "unreadable",
            "{a: 1}": "unreadable",
            '{"a": 1} x': "unreadable",
            "5": "not_an_object",
            '"text"': "not_an_object",
            "null": "not_an_object",
            "[1, 2]": "not_an_object",
            '{"a": NaN}': "bad_number",
            '{"a": -Infinity}': "bad_number",
            '{"a": 1e400}': "bad_number",
            '{"a": "\\u0000"}': "nul_character",
            '{"\\u0000": 1}': "nul_character",
            '{"a": [{"b": "x\\u0000y"}]}': "nul_character",
            '{"a": "\\ud800"}': "lone_surrogate",
            '{"a": "\\udc00 text"}': "lone_surrogate",
            '{"a": ' + "[" * 40 + "]" * 40 + "}": "too_deep",
            '{"a": "' + "x" * landing.MAX_ITEM_BYTES + '"}': "too_big",
            '{"id": "' + "x" * 300 + '"}': "bad_key",
            '{"a": ' + "9" * 5000 + "}": "bad_number",
        }
        for text, code in bad.items():
            with self.subTest(code=code, text=text[:40]):
                good = '{"id": 1}', '{"id": 2}'
                as_list = "[" + ", ".join((good[0], text, good[1])) + "]"
                self.assertEqual(verdicts(as_list), [True, code, True])
                as_lines = "\n".join((good[0], text, good[1]))
                self.assertEqual(verdicts(as_lines, lines=True), [True, code, True])

    def test_what_only_looks_bad_lands(self):
        for text in (
            # an escaped backslash before u0000 is no NUL
            r'{"a": "\\u0000"}',
            r'{"a": "\ud83d\ude00"}',
            '{"a": "' + "[{" * 50 + '"}',
            '{"a": ' + "[" * 30 + "]" * 30 + "}",
            '{"a": 1e300, "b": -0.0, "c": 123456789012345678901234567890}',
            '{"a": "NaN, Infinity ]}"}',
        ):
            with self.subTest(text=text[:40]):
                self.assertEqual(verdicts(f"[{text}]"), [True])
                self.assertEqual(verdicts(text, lines=True), [True])

    def test_depth_limit_is_exact(self):
        def nested(levels):
            return '{"a":' * levels + "1" + "}" * levels

        self.assertEqual(verdicts(nested(32), lines=True), [True])
        self.assertEqual(verdicts(nested(33), lines=True), ["too_deep"])
        self.assertEqual(verdicts(nested(100_000), lines=True), ["too_deep"])
        self.assertEqual(verdicts(f"[{nested(100_000)}]"), ["too_deep"])

    def test_bytes_that_are_no_utf8(self):
        body = b'{"id": 1}\n{"id": "\xff\xfe"}\n{"id": 3}'
        self.assertEqual(verdicts(body, lines=True), [True, "bad_encoding", True])
        body = b'[{"id": 1}, {"id": "\xff"}, {"id": 3}]'
        self.assertEqual(verdicts(body), [True, "bad_encoding", True])

    def test_forms_of_a_body(self):
        self.assertEqual(verdicts("[]"), [])
        self.assertEqual(verdicts(" [ ] "), [])
        self.assertEqual(verdicts('{"id": 1}'), [True])
        self.assertEqual(verdicts('{\n "id": 1\n}'), [True])
        self.assertEqual(verdicts('{"id": 1}\n\n{"id": 2}\r\n'), [True, True])
        self.assertEqual(verdicts(b"\xef\xbb\xbf[{}]"), [True])
        self.assertEqual(verdicts('[{"id": 1}, {"id": 2}'), [True, True, "unreadable"])
        self.assertEqual(verdicts('[{"id": 1}] {"id": 2}'), [True, "trailing_data"])
        self.assertEqual(verdicts('[{"id": 1},]'), [True, "unreadable"])
        self.assertEqual(verdicts("hello"), ["unreadable"])
        self.assertEqual(
            [item.index for item in read('{"id": 1}\n\nx\n{"id": 2}', lines=True)],
            [0, 2, 3],
        )

    def test_payload_is_what_was_sent(self):
        sent = '{"id": "a",  "name": "\\u738b伟" }'
        [item] = read(f"[ {sent} ]")
        self.assertEqual(item.payload, sent.encode())
        self.assertEqual(landing.unpack(landing.pack(item.payload)), sent.encode())

    def test_list_equals_lines(self):
        documents = [
            {
                "id": number,
                "text": 'a "quoted" \\ {[,]} é王',
                "n": [number, {"x": None}],
            }
            for number in range(50)
        ]
        by_list = read(json.dumps(documents, ensure_ascii=False, indent=1))
        by_line = read(
            "\n".join(json.dumps(one, ensure_ascii=False) for one in documents),
            lines=True,
        )
        self.assertEqual(len(by_list), 50)
        self.assertEqual(
            [(item.index, item.idempotency_key) for item in by_list],
            [(item.index, item.idempotency_key) for item in by_line],
        )

    def test_key(self):
        canonical = b'{"a":1,"id":"7"}'
        digest = hashlib.sha256(canonical).hexdigest()
        [item] = read('{ "id": "7", "a": 1 }')
        self.assertEqual(
            item, LandedItem(0, b'{ "id": "7", "a": 1 }', f"id:7:{digest}", "7", None)
        )
        [item] = read('{"a": 1}')
        expected = hashlib.sha256(b'{"a":1}').hexdigest()
        self.assertEqual(item.idempotency_key, f"sha256:{expected}")
        [item] = read('{"a": 1}', sender_key="order-9")
        self.assertEqual(item.idempotency_key, "key:order-9")
        self.assertEqual(
            [item.idempotency_key for item in read("[{},{}]", sender_key="b")],
            ["key:b:0", "key:b:1"],
        )
        envelope = landing.Envelope(message_id=lambda document: document.get("m"))
        [item] = landing.read_items(b'{"m": "msg-1"}', envelope)
        self.assertEqual(item.idempotency_key, "key:msg-1")

    def test_key_ignores_form_not_content(self):
        for one, other, same in (
            ('{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
            ('{"a": "\\u738b"}', '{"a": "王"}', True),
            ('{"a": 1}', '{"a": "1"}', False),
            ('{"a": [1, 2]}', '{"a": [2, 1]}', False),
            ('{"a": null}', "{}", False),
        ):
            [first], [second] = read(one), read(other)
            self.assertEqual(
                first.idempotency_key == second.idempotency_key, same, (one, other)
            )

    def test_scalar_key(self):
        for value, expected in (
            ("a", "a"),
            (" a ", "a"),
            (7, "7"),
            ("", None),
            (None, None),
            (True, None),
            (1.5, None),
            (["a"], None),
            ({}, None),
        ):
            self.assertEqual(landing.scalar_key(value), expected, value)

    def test_time(self):
        for value, expected in (
            ("2026-05-04T10:30:00+08:00", datetime(2026, 5, 4, 2, 30)),
            ("2026-05-04T10:30:00+0800", datetime(2026, 5, 4, 2, 30)),
            ("2026-05-04T10:30:00Z", datetime(2026, 5, 4, 10, 30)),
            ("2026-05-04 10:30:00", datetime(2026, 5, 4, 10, 30)),
            ("2026-05-04", datetime(2026, 5, 4)),
            (1_777_890_600, datetime(2026, 5, 4, 10, 30)),
            (1_777_890_600_000, datetime(2026, 5, 4, 10, 30)),
            ("yesterday", None),
            ("", None),
            (None, None),
            (True, None),
            (1e300, None),
            ({}, None),
            ("0001-01-01T00:00:00+14:00", None),
        ):
            self.assertEqual(landing.parse_time(value), expected, value)

    def test_documents_of_a_file(self):
        rows = [(2, {"id": "a"}), (3, "unreadable"), (4, {"x": "\x00"}), (5, {})]
        self.assertEqual(
            [
                (item.index, getattr(item, "code", True))
                for item in landing.read_documents(rows, ENVELOPE)
            ],
            [(2, True), (3, "unreadable"), (4, "nul_character"), (5, True)],
        )

    def test_every_refusal_is_told(self):
        """Each code that the reader can give has words (see messages.py)."""
        self.assertLessEqual(set(landing.REFUSALS), set(MESSAGES))
