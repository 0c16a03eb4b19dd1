import gzip
import json
from datetime import datetime, timedelta

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.landing import Refused

from ..tools import tracking

NOW = datetime(2026, 5, 4, 12, 0, 0)


@tagged("post_install", "-at_install")
class TestTracking(BaseCase):
    """Reading Segment's messages, without a database."""

    def _batch(self, *messages, **envelope):
        body = json.dumps({"batch": list(messages), **envelope}).encode()
        return list(tracking.read_batch(body, NOW, "r"))

    def _code(self, raw):
        """The verdict on one message given as JSON text, between two good ones."""
        good = '{"type": "track", "event": "A", "userId": "u"}'
        body = f'{{"batch": [{good}, {raw}, {good}], "sentAt": null}}'
        items = list(
            tracking.read_batch(body.encode("utf-8", "surrogatepass"), NOW, "r")
        )
        self.assertEqual(len(items), 3, "the others are read")
        for place in (0, 2):
            self.assertIsInstance(items[place], tracking.Message)
        return items[1].code if isinstance(items[1], Refused) else None

    def test_shapes(self):
        items = self._batch(
            {"type": "track", "event": " Product Viewed ", "anonymousId": "a"},
            {"type": "page", "name": "Home", "userId": 7, "properties": {"path": "/"}},
            {"type": "identify", "userId": "u", "traits": {"email": " X@y.cn "}},
            {"type": "page", "userId": "u", "context": {"page": {"path": "/p"}}},
        )
        self.assertEqual(
            [(item.type, item.event, item.page, item.email) for item in items],
            [
                ("track", "Product Viewed", None, None),
                ("page", "Home", "/", None),
                ("identify", None, None, "x@y.cn"),
                ("page", None, "/p", None),
            ],
        )
        self.assertEqual(items[1].user_id, "7")
        self.assertEqual(items[2].properties, b'{"email":"x@y.cn"}')

    def test_verdicts(self):
        deep = "[" * 40 + "]" * 40
        abyss = "[" * 5000 + "]" * 5000
        track = '"type": "track", "event": "A", "userId": "u"'
        long_id = "x" * 300
        cases = {
            "unreadable": ["{nonsense}", '{"type": "track", }'],
            "not_an_object": ["1", '"text"', "[]", "null"],
            "unknown_type": ['{"type": "trak", "userId": "u"}', "{}"],
            "no_event": [
                '{"type": "track", "userId": "u"}',
                '{"type": "track", "userId": "u", "event": ""}',
            ],
            "bad_event": [
                '{"type": "track", "userId": "u", "event": 5}',
                f'{{"type": "track", "userId": "u", "event": "{long_id}"}}',
            ],
            "no_identity": ['{"type": "track", "event": "A", "userId": ""}'],
            "bad_id": [
                '{"type": "track", "event": "A", "userId": {}}',
                '{"type": "track", "event": "A", "userId": true}',
                f'{{"type": "track", "event": "A", "userId": "{long_id}"}}',
            ],
            "bad_message_id": [
                f'{{{track}, "messageId": "{"x" * 101}"}}',
                f'{{{track}, "messageId": ["x"]}}',
            ],
            "bad_properties": [f'{{{track}, "properties": [1]}}'],
            "bad_context": [f'{{{track}, "context": "x"}}'],
            "bad_number": [
                f'{{{track}, "properties": {{"a": NaN}}}}',
                f'{{{track}, "properties": {{"a": 1e400}}}}',
                f'{{{track}, "properties": {{"a": -Infinity}}}}',
            ],
            "nul_character": [f'{{{track}, "properties": {{"a": "\\u0000"}}}}'],
            "lone_surrogate": [f'{{{track}, "properties": {{"a": "\\ud800"}}}}'],
            "too_deep": [
                f'{{{track}, "properties": {{"a": {deep}}}}}',
                f'{{{track}, "properties": {{"a": {abyss}}}}}',
            ],
            "too_big": [f'{{{track}, "properties": {{"a": "{"x" * 33000}"}}}}'],
            "bad_timestamp": [
                f'{{{track}, "timestamp": "yesterday"}}',
                f'{{{track}, "timestamp": {{}}, "x": 1}}'.replace("{}", '{"a": 1}'),
            ],
            "timestamp_out_of_range": [
                f'{{{track}, "timestamp": "1970-01-01T00:00:00Z"}}',
                f'{{{track}, "timestamp": "2099-01-01T00:00:00Z"}}',
            ],
        }
        for code, texts in cases.items():
            for text in texts:
                with self.subTest(code=code, text=text[:80]):
                    self.assertEqual(self._code(text), code)
        self.assertLessEqual(set(cases), set(tracking.REFUSALS))

    def test_emoji_and_chinese_are_fine(self):
        self.assertIsNone(
            self._code('{"type": "track", "event": "下单 😀", "userId": "王伟"}')
        )

    def test_clock_skew(self):
        """A client whose clock is three hours ahead."""
        (item,) = self._batch(
            {
                "type": "track",
                "event": "A",
                "userId": "u",
                "timestamp": "2026-05-04T14:59:30Z",
            },
            sentAt="2026-05-04T15:00:00Z",
        )
        self.assertEqual(item.timestamp, NOW - timedelta(seconds=30))
        (item,) = self._batch(
            {
                "type": "track",
                "event": "A",
                "userId": "u",
                "timestamp": "1970-01-01T00:00:10Z",
                "sentAt": "1970-01-01T00:00:40Z",
            },
        )
        self.assertEqual(item.timestamp, NOW - timedelta(seconds=30))

    def test_message_ids(self):
        """Without an id of its own: with a time it is the same event, else another."""
        timed = {
            "type": "track",
            "event": "A",
            "userId": "u",
            "timestamp": "2026-05-04T11:00:00Z",
        }
        first, second = self._batch(timed, timed)
        self.assertEqual(first.message_id, second.message_id)
        plain = {"type": "track", "event": "A", "userId": "u"}
        first, second = self._batch(plain, plain)
        self.assertNotEqual(first.message_id, second.message_id)
        body = json.dumps({"batch": [plain]}).encode()
        (again,) = tracking.read_batch(body, NOW, "another receipt")
        self.assertNotEqual(again.message_id, first.message_id)
        (given,) = self._batch({**plain, "messageId": "m-1"})
        self.assertEqual(given.message_id, "m-1")

    def test_envelope(self):
        (item,) = self._batch(
            {"type": "page", "userId": "u"}, context={"library": {"name": "x"}}
        )
        self.assertEqual(item.context, b'{"library":{"name":"x"}}')
        for body in (
            b"",
            b"[]",
            b"nonsense",
            b'{"batch": 5}',
            b'{"batch": []',
            b'{"batch": [}',
            b'{"other": []}',
            b'{"batch" []}',
        ):
            with self.subTest(body=body), self.assertRaises(tracking.BodyError):
                list(tracking.read_batch(body, NOW, "r"))
        self.assertEqual(list(tracking.read_batch(b'{"batch": []}', NOW, "r")), [])

    def test_json_is_kept(self):
        """Whole numbers of any size, texts, and the order of none of it matters."""
        properties = {
            "id": 12345678901234567890123,
            "b": [1.5, 1e16, None, True],
            "a": "下单 😀 \u2028",
        }
        (item,) = self._batch(
            {"type": "track", "event": "A", "userId": "u", "properties": properties}
        )
        self.assertEqual(json.loads(item.properties), properties)

    def test_envelope_around_the_batch(self):
        """What a batch says of itself counts wherever it stands; of two the last."""
        batch = '[{"type": "track", "event": "%s", "userId": "u"}]'
        for body in (
            f'{{"sentAt": 1, "batch": {batch % "A"} , "context": {{"x": 1}}}}',
            f' {{"context": {{"x": 1}}, "batch": [5], "batch": {batch % "A"}}} ',
        ):
            with self.subTest(body=body):
                (item,) = tracking.read_batch(body.encode(), NOW, "r")
                self.assertEqual((item.index, item.event), (0, "A"))
                self.assertEqual(item.context, b'{"x":1}')

    def test_too_many(self):
        body = b'{"batch": [' + b",".join([b"1"] * 2501) + b"]}"
        with self.assertRaises(tracking.BodyError) as caught:
            list(tracking.read_batch(body, NOW, "r"))
        self.assertEqual(caught.exception.code, "too_many_messages")

    def test_bytes_that_are_no_text(self):
        body = b'{"batch": [{"type": "page", "userId": "\xff"}, {"type": "page",'
        body += b'"userId": "u"}]}'
        bad, good = tracking.read_batch(body, NOW, "r")
        self.assertIn(bad.code, ("bad_encoding", "lone_surrogate"))
        self.assertEqual(good.user_id, "u")

    def test_single(self):
        (item,) = tracking.read_single(
            b'{\n"event": "A",\n"type": "page", "userId": "u"}', "track", NOW, "r"
        )
        self.assertEqual((item.type, item.event), ("track", "A"))
        for body in (b"[]", b"", b'{"a": }', b'{"a": 1}, {"b": 2}', b"{} x"):
            with self.subTest(body=body), self.assertRaises(tracking.BodyError):
                tracking.read_single(body, "track", NOW, "r")

    def test_write_key(self):
        self.assertEqual(tracking.write_key(b'{"batch": [1], "writeKey": "k"}'), "k")
        for body in (b"", b"[]", b'{"writeKey": 5}', b'{"batch": [}', b'{"x": 1}'):
            self.assertIsNone(tracking.write_key(body))

    def test_history_of_the_server(self):
        message = {
            "type": "track",
            "event": "A",
            "userId": "u",
            "receivedAt": "2025-01-01T00:00:00",
        }
        (item,) = tracking.read_messages([message], NOW, "r")
        self.assertEqual(item.received_at, datetime(2025, 1, 1))
        self.assertEqual(item.timestamp, datetime(2025, 1, 1))
        (late,) = tracking.read_messages(
            [{**message, "receivedAt": "2027-01-01T00:00:00"}], NOW, "r"
        )
        self.assertEqual(late.code, "timestamp_out_of_range")
        (outside,) = self._batch(message)
        self.assertEqual(outside.received_at, NOW, "a client cannot say so")

    def test_random_bytes_never_surprise(self):
        seed = gzip.compress(
            b'{"batch": [{"type": "track"}], "sentAt": 1}' * 9, mtime=0
        )
        body = b'{"batch": [{"type": "track", "event": "A", "userId": "u"}, {}]}'
        for place in range(len(body)):
            mutant = body[:place] + bytes([seed[place % len(seed)]]) + body[place + 1 :]
            try:
                items = list(tracking.read_batch(mutant, NOW, "r"))
            except tracking.BodyError:
                continue
            for item in items:
                self.assertIsInstance(item, tracking.Message | Refused)

    def test_own_words(self):
        """What a type says outside of its properties stands among them."""
        items = self._batch(
            {"type": "page", "category": "Shop", "name": "Home", "userId": "u"},
            {"type": "group", "groupId": "g", "userId": "u", "traits": {"size": 3}},
            {"type": "alias", "previousId": "a", "userId": "u"},
            {"type": "page", "category": "x", "userId": "u", "properties": {}},
            {
                "type": "page",
                "category": "x",
                "userId": "u",
                "properties": {"category": "own"},
            },
        )
        self.assertEqual(
            [json.loads(item.properties) for item in items],
            [
                {"category": "Shop"},
                {"groupId": "g", "size": 3},
                {"previousId": "a"},
                {"category": "x"},
                {"category": "own"},
            ],
        )

    def test_excerpts(self):
        """A refused message is shown as it was sent, wherever it stands."""
        body = b'{"writeKey": "k", "batch": [ {"a": [1, "]"]} , nonsense, "\x00\xff"]}'
        self.assertEqual(
            tracking.excerpts(body, [0, 1, 2]),
            {0: '{"a": [1, "]"]}', 1: "nonsense", 2: '"\ufffd?"'},
        )
        self.assertEqual(tracking.excerpts(body, [1]), {1: "nonsense"})
        self.assertEqual(tracking.excerpts(b' {"event": 5} ', [0]), {0: '{"event": 5}'})
        self.assertEqual(tracking.excerpts(b"nonsense", [0]), {0: "nonsense"})
        long = tracking.excerpts(b'{"batch": ["' + b"x" * 9000 + b'"]}', [0])
        self.assertEqual(len(long[0]), tracking.MAX_EXCERPT)
        self.assertEqual(tracking.excerpts(b'{"batch": [1', [0]), {0: '{"batch": [1'})
