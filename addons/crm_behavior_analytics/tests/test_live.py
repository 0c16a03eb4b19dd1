import json

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tests.common import new_test_user

from ..tools import tracking
from .common import EventCase


@tagged("post_install", "-at_install")
class TestLive(EventCase):
    """The stream of what arrives, and of what became no event."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reader = new_test_user(
            cls.env, "live-reader", groups="crm_behavior_analytics.group_behavior_user"
        )

    def _receive(self, *texts, source=None):
        """Let a batch arrive as the controller does; return the verdicts."""
        source = source or self.source
        body = f'{{"batch": [{",".join(texts)}]}}'.encode()
        now = fields.Datetime.now()
        items = list(tracking.read_batch(body, now, "r"))
        verdicts = self.Event._land(source, items, now, False)
        self.env["behavior.rejection"]._note(source, now, items, verdicts, body)
        return [verdict["status"] for verdict in verdicts]

    def _stream(self, **filters):
        filters.setdefault("source_id", self.source.id)
        live = self.env["behavior.live"].with_user(self.reader)
        return live.read_stream(**filters)["rows"]

    def _text(self, **values):
        return json.dumps(self._message(**values))

    def test_verdicts_and_reasons(self):
        good = self._text(messageId="m-1", event="Cart Viewed")
        self.assertEqual(
            self._receive(good, good, '{"type": "trak"}'),
            ["accepted", "duplicate", "refused"],
        )
        rows = {row["outcome"]: row for row in self._stream()}
        self.assertEqual(set(rows), {"accepted", "duplicate", "refused"})
        self.assertEqual(rows["accepted"]["title"], "Cart Viewed")
        self.assertEqual(rows["accepted"]["message"]["messageId"], "m-1")
        self.assertEqual(rows["duplicate"]["visitor"], "visitor-1")
        self.assertIn("m-1", rows["duplicate"]["reason"])
        self.assertEqual(rows["refused"]["excerpt"], '{"type": "trak"}')
        self.assertEqual(
            rows["refused"]["reason"], "The type of the message is unknown."
        )
        chinese = self.env["behavior.live"].with_context(lang="zh_CN")
        [refused] = chinese.read_stream(self.source.id, "refused")["rows"]
        self.assertNotEqual(refused["reason"], rows["refused"]["reason"])

    def test_filters(self):
        self._receive(
            self._text(event="Cart Viewed"),
            self._text(event="Order Completed"),
            '{"type": "trak", "note": "cart"}',
        )
        self.assertEqual(len(self._stream()), 3)
        self.assertEqual(len(self._stream(outcome="accepted")), 2)
        self.assertEqual(len(self._stream(outcome="refused")), 1)
        self.assertFalse(self._stream(outcome="duplicate"))
        self.assertEqual(len(self._stream(words="cart")), 2)
        self.assertEqual(len(self._stream(words=" visitor-1 ")), 2)
        other = self.source.copy({"code": "other-live"})
        self.assertFalse(self._stream(source_id=other.id))
        self.assertGreaterEqual(len(self._stream(source_id=None)), 3)

    def test_newest_first(self):
        for number in range(3):
            self._receive(self._text(event=f"Event {number}"))
        titles = [row["title"] for row in self._stream()]
        self.assertEqual(titles, ["Event 2", "Event 1", "Event 0"])

    def test_who_refuses_leaves_no_trace(self):
        """Of somebody who has refused analytics only the fact is kept."""
        person = ("anonymous_id", "visitor-1", f"source:{self.source.id}")
        self.env["omni.consent"]._record(person, "analytics", "denied")
        self.assertEqual(self._receive(self._text(event="Secret")), ["refused"])
        rejection = self.env["behavior.rejection"].search(
            [("source_id", "=", self.source.id)]
        )
        self.assertEqual(rejection.code, "no_consent")
        self.assertFalse(
            rejection.excerpt
            or rejection.visitor
            or rejection.event
            or rejection.message_id
        )

    def test_a_flood_is_cut(self):
        self._receive(*['{"type": "trak"}'] * 50)
        count = self.env["behavior.rejection"].search_count(
            [("source_id", "=", self.source.id)]
        )
        self.assertEqual(count, 20)
        self.assertEqual(self.source.refused_count, 50)

    def test_whole_bodies(self):
        self.env["behavior.rejection"]._note_body(
            self.source, fields.Datetime.now(), "bad_request", b"nonsense\x00" * 9999
        )
        [row] = self._stream()
        self.assertTrue(row["excerpt"].startswith("nonsense"))
        self.assertLessEqual(len(row["excerpt"]), tracking.MAX_EXCERPT)
        self.assertIn("JSON", row["reason"])

    def test_days(self):
        """After a week it is gone."""
        self._receive('{"type": "trak"}', '{"type": "trak"}')
        rejections = self.env["behavior.rejection"].search(
            [("source_id", "=", self.source.id)]
        )
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE behavior_rejection SET received_at = now() - interval '8 days'"
            " WHERE id = %s",
            [rejections[0].id],
        )
        self.env["behavior.rejection"]._gc_rejection()
        self.assertEqual(rejections.exists(), rejections[1])

    def _erase(self, *told):
        """Erase the customer; return the texts of what is left."""
        identities = self.env["governance.privacy.request"]._get_identities(
            self.partner
        )
        report = self.env["governance.erasure"]._erase_person(
            self.partner, [*identities, *told]
        )
        left = self.env["behavior.rejection"].search([], order="id")
        counts = {line["model"]: line["count"] for line in report}
        return counts.get("behavior.rejection", 0), left

    def test_erasure(self):
        """Whatever speaks of the person goes: address, telephone, ID."""
        self.partner.write({"phone": "+86 139 1612 3456"})
        self.env["omni.identity"]._claim(
            self.partner, "user_id", "wang-2024", f"source:{self.source.id}"
        )
        self._receive(
            '{"type": "trak", "email": "WANG.WEI@events.example"}',
            '{"type": "trak", "traits": {"tel": "(139) 1612-3456"}}',
            '{"type": "trak", "userId": "wang-2024"}',
            r'{"type": "trak", "user": "w\u0061ng-2024"}',
            '{"type": "trak", "userId": "told-2024"}',
            '{"type": "trak", "traits": {"tel": "(139) 1612-9999"}}',
            '"x"',
        )
        erased, left = self._erase(("user_id", "told-2024"))
        self.assertEqual(erased, 5)
        self.assertEqual(
            left.mapped("excerpt"),
            ['{"type": "trak", "traits": {"tel": "(139) 1612-9999"}}', '"x"'],
        )

    def test_erasure_leaves_strangers(self):
        """A short ID stands in every text; a source's ID says nothing elsewhere."""
        other = self.source.copy({"code": "other-live"})
        stranger = self.env["res.partner"].create({"name": "Li Na"})
        claim = self.env["omni.identity"]._claim
        claim(self.partner, "user_id", "42", f"source:{self.source.id}")
        claim(self.partner, "user_id", "wang-2024", f"source:{self.source.id}")
        # the narrower scope decides
        claim(self.partner, "anonymous_id", "kiosk-1", "company:0")
        claim(stranger, "anonymous_id", "kiosk-1", f"source:{other.id}")
        for source in (self.source, other):
            for name in ({"userId": "42"}, {"anonymousId": "kiosk-1"}):
                text = self._text(messageId=str(name), **name)
                self._receive(text, text, source=source)
            self._receive(
                '{"type": "trak", "amount": 4200}',
                '{"type": "trak", "userId": "wang-2024"}',
                source=source,
            )
        erased, left = self._erase(("user_id", "42"))
        self.assertEqual(erased, 3)
        self.assertEqual(
            [(one.source_id, one.visitor or one.excerpt) for one in left],
            [
                (self.source, '{"type": "trak", "amount": 4200}'),
                (other, "42"),
                (other, "kiosk-1"),
                (other, '{"type": "trak", "amount": 4200}'),
                (other, '{"type": "trak", "userId": "wang-2024"}'),
            ],
        )

    def test_warning(self):
        """Requests that were refused before they were read have a warning."""
        live = self.env["behavior.live"].with_user(self.reader)
        self.assertFalse(live.read_stream(self.source.id)["warning"])
        self.source.issue_key()
        self.env["governance.usage"].sudo().create(
            {
                "endpoint": "behavior.batch",
                "credential_id": self.source.credential_id.id,
                "hour": fields.Datetime.now().replace(minute=0, second=0),
                "requests": 9,
                "errors_4xx": 7,
                "rate_limited": 2,
            }
        )
        warning = live.read_stream(self.source.id)["warning"]
        self.assertIn("7", warning)
        self.assertIn("2 of them", warning)

    def test_sources(self):
        self.source.issue_key()
        found = self.env["behavior.live"].with_user(self.reader).read_sources()
        mine = next(one for one in found if one["id"] == self.source.id)
        self.assertIn(self.source.public_key, mine["snippet"])
        self.assertIn("/v1/track", mine["example"])
        self.assertFalse([one for one in found if one["type"] == "odoo"])

    def test_rights(self):
        """Strangers read nothing; companies are apart."""
        self._receive(self._text(), '{"type": "trak"}')
        stranger = new_test_user(self.env, "live-stranger", groups="base.group_user")
        with self.assertRaises(AccessError):
            self.env["behavior.live"].with_user(stranger).read_stream()
        elsewhere = self.env["res.company"].create({"name": "Elsewhere"})
        self.reader.write(
            {"company_ids": [(6, 0, elsewhere.ids)], "company_id": elsewhere.id}
        )
        live = self.env["behavior.live"].with_user(self.reader)
        self.assertFalse(live.read_stream(self.source.id)["rows"])
