import json

from odoo.fields import Command
from odoo.tests import tagged

from .. import const
from .common import PersonalizationCase

ORIGIN = "https://shop.example.com"


@tagged("post_install", "-at_install")
class TestDecide(PersonalizationCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slot.website_id = False
        credentials = cls.env["governance.credential"]
        values = {"scopes": const.SCOPE, "company_id": cls.company.id}
        _record, cls.secret = credentials._issue({"name": "Shop", **values})
        _record, cls.public = credentials._issue(
            {"name": "Page", "kind": "public", "origins": ORIGIN, **values}
        )
        cls.source = cls.env["behavior.source"].create(
            {
                "name": "Shop",
                "code": "shop-decide",
                "type": "server",
                "company_id": cls.company.id,
            }
        )
        cls.env["omni.identity"].create(
            [
                {
                    "partner_id": cls.user_a.partner_id.id,
                    "kind": kind,
                    "value": value,
                    "scope": f"source:{cls.source.id}",
                }
                for kind, value in (("user_id", "u-1"), ("anonymous_id", "a-1"))
            ]
        )
        cls.by_name = cls._variant(
            name="By name",
            sequence=1,
            segment_ids=[Command.set(cls.segment_a.ids)],
            content="<p>Hello {{ object.name ||| you }}</p>",
        )

    def _decide(self, key=None, **data):
        return self.url_open(
            "/personalization/v1/decide",
            data=json.dumps({"slots": ["top"], **data}),
            headers={
                "Authorization": f"Bearer {key or self.secret}",
                "Content-Type": "application/json",
                "Origin": ORIGIN,
            },
            method="POST",
        )

    def _top(self, *args, **data):
        response = self._decide(*args, **data)
        self.assertEqual(response.status_code, 200)
        return response.json()["slots"]["top"]

    def test_a_server_vouches_for_its_user(self):
        top = self._top(userId="u-1")
        self.assertEqual(top["variant"], self.by_name.id)
        self.assertEqual(top["html"], "<p>Hello Customer &lt;i&gt;A&lt;/i&gt;</p>")
        self.assertEqual(top["why"]["code"], "variant_segment")
        self.assertEqual(top["why"]["params"]["segments"], self.segment_a.ids)
        self.assertIn("Segment A", top["why"]["text"])
        self.assertIsNone(top["experiment"])

    def test_a_forged_user_gets_nobodys_data(self):
        for data in (
            {"userId": "u-1"},
            {"userId": "u-1", "anonymousId": "unknown"},
            {"userId": self.user_a.partner_id.id},
            {"userId": {"in": ["u-1"]}},
        ):
            top = self._top(self.public, **data)
            self.assertEqual(top["html"], "<p>For everybody</p>")
            self.assertIsNone(top["variant"])
        # An anonymous id lends the segment, never a word.
        top = self._top(self.public, userId="u-1", anonymousId="a-1")
        self.assertEqual(top["html"], "<p>Hello you</p>")
        self.assertEqual(top["why"], {"code": "variant_segment"})
        exposures = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id)]
        )
        self.assertFalse(exposures.partner_id)
        self.assertEqual(top["variant"], self.by_name.id)

    def test_an_id_counts_in_the_sources_of_the_company(self):
        """What names a customer there may name anybody elsewhere; two are none."""
        identities = self.env["omni.identity"]
        elsewhere = self.env["behavior.source"].create(
            {
                "name": "Elsewhere",
                "code": "elsewhere",
                "company_id": self.env["res.company"].create({"name": "Other"}).id,
            }
        )
        customer = self.user_a.partner_id
        identities._claim(customer, "user_id", "u-9", f"source:{elsewhere.id}")
        self.assertIsNone(self._top(userId="u-9")["variant"])
        other = self.source.copy({"code": "second"})
        identities._claim(
            self.user_b.partner_id, "user_id", "u-1", f"source:{other.id}"
        )
        self.assertIsNone(self._top(userId="u-1")["variant"])

    def _subjects(self):
        found = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id)]
        )
        return set(found.mapped("subject"))

    def test_a_page_has_no_id_recorded_without_consent(self):
        """It may invent ids, and its word is no consent."""
        for anonymous_id in ("invented", "a-1"):
            self._top(self.public, anonymousId=anonymous_id)
        self.assertEqual(self._subjects(), {""})
        self.env["omni.consent"]._record(
            self.user_a.partner_id,
            "personalization",
            "granted",
            company_id=self.company.id,
        )
        self._top(self.public, anonymousId="invented")
        self.assertEqual(self._subjects(), {""})
        self._top(self.public, anonymousId="a-1")
        self.assertEqual(self._subjects(), {"", "anonymous:a-1"})

    def test_a_no_of_a_browser(self):
        """It counts for a server too, though nobody knows whose browser it is."""
        self._top(anonymousId="b-1")
        self.env["omni.consent"]._record(
            ("anonymous_id", "b-2", f"source:{self.source.id}"),
            "personalization",
            "denied",
            company_id=self.company.id,
        )
        self._top(anonymousId="b-2")
        self.assertEqual(self._subjects(), {"anonymous:b-1", ""})

    def test_a_no_makes_a_stranger(self):
        self.env["omni.consent"].create(
            {
                "partner_id": self.user_a.partner_id.id,
                "purpose": "personalization",
                "state": "denied",
            }
        )
        for key in (self.secret, self.public):
            top = self._top(key, userId="u-1", anonymousId="a-1")
            self.assertEqual(top["html"], "<p>For everybody</p>")
        exposures = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id)]
        )
        self.assertEqual(exposures.mapped("subject"), [""])

    def test_a_no_of_a_user_who_is_not_known_yet(self):
        self.env["omni.consent"]._record(
            ("user_id", "u-new", f"source:{self.source.id}"),
            "personalization",
            "denied",
            company_id=self.company.id,
        )
        self._top(userId="u-new", anonymousId="b-3")
        self.assertEqual(self._subjects(), {""})

    def test_another_user_on_a_known_browser(self):
        """They are not its owner, as their events are not."""
        top = self._top(userId="u-new", anonymousId="a-1")
        self.assertEqual(top["html"], "<p>For everybody</p>")
        self.assertEqual(self._subjects(), {"anonymous:a-1"})

    def test_unknown_and_wrong_ids(self):
        for user_id in ("nobody", "", None, 7, "x" * 5000):
            with self.subTest(user_id=str(user_id)[:10].encode(errors="replace")):
                top = self._top(userId=user_id)
                self.assertEqual(top["html"], "<p>For everybody</p>")

    def test_traits_are_text(self):
        self.by_name.segment_ids = [Command.clear()]
        evil = "<script>alert(1)</script>{{ object.ref }}"
        top = self._top(anonymousId="x", traits={"name": evil, "city": 7, "ref": "r"})
        self.assertEqual(
            top["html"],
            "<p>Hello &lt;script&gt;alert(1)&lt;/script&gt;{{ object.ref }}</p>",
        )

    def test_unknown_slot(self):
        answer = self._decide(slots=["top", "nowhere"]).json()["slots"]
        self.assertEqual(answer["nowhere"]["error"]["code"], "unknown_slot")
        self.assertIn("nowhere", answer["nowhere"]["error"]["message"])
        self.assertIn("html", answer["top"])

    def test_slots_of_another_company(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        _record, key = self.env["governance.credential"]._issue(
            {"name": "x", "scopes": const.SCOPE, "company_id": company.id}
        )
        self.assertIn("error", self._top(key))

    def test_in_chinese(self):
        self.slot.update_field_translations(
            "default_content", {"zh_CN": {"For everybody": "欢迎"}}
        )
        top = self._top(context={"locale": "zh-CN"})
        self.assertEqual(top["html"], "<p>欢迎</p>")
        self.assertNotIn("shown", top["why"]["text"])

    def test_bad_requests(self):
        self.assertEqual(self._decide("nonsense").status_code, 401)
        self.assertEqual(self._decide(slots=[]).status_code, 400)
        self.assertEqual(self._decide(slots=["a"] * 2).status_code, 400)
        self.assertEqual(self._decide(slots=[["a"]]).status_code, 400)
        # what no text of the database holds, anywhere in the body
        for user_id in ("\0", "\ud800"):
            self.assertEqual(self._decide(userId=user_id).status_code, 400)
        huge = self._decide(context={"page": "x" * 2**20})
        self.assertEqual(huge.status_code, 413)

    def test_exposure(self):
        self._top(userId="u-1", anonymousId="a-1")
        exposure = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id)]
        )
        self.assertEqual(exposure.channel, "api")
        self.assertEqual(exposure.partner_id, self.user_a.partner_id)
        self.assertFalse(exposure.anonymous_id)
