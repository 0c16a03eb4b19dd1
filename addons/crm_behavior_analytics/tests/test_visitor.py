import json
from datetime import timedelta, timezone

from odoo import fields
from odoo.tests import HttpCase, new_test_user, tagged

from odoo.addons.crm_data_governance import rates

from ..tools.tracking import read_messages

PURPOSES = ("analytics", "personalization")


@tagged("post_install", "-at_install")
class TestVisitor(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.website = cls.env["website"].get_current_website()
        sources = cls.env["behavior.source"]
        sources.search([("website_id", "=", cls.website.id)]).on_website = False
        cls.source = sources.create(
            {
                "name": "Site",
                "code": "site-visitor",
                "origins": "https://www.example.com",
                "website_id": cls.website.id,
                "company_id": cls.website.company_id.id,
            }
        )
        cls.source.on_website = True
        cls.scope = f"source:{cls.source.id}"
        cls.users = [
            new_test_user(cls.env, f"visitor_{name}", "base.group_portal", password="p")
            for name in "ab"
        ]
        cls.consents = cls.env["omni.consent"].with_company(cls.website.company_id)
        cls.identities = cls.env["omni.identity"]

    def setUp(self):
        super().setUp()
        rates.forget()
        self.addCleanup(rates.forget)

    def _tell(self, status=200, headers=None, **data):
        response = self.url_open(
            "/behavior/visitor",
            data=json.dumps(data),
            headers={"Content-Type": "application/json", **(headers or {})},
            method="POST",
        )
        self.assertEqual(response.status_code, status, response.text)
        self.env.invalidate_all()

    def _choose(self, agreed, minutes_ago):
        at = fields.Datetime.now() - timedelta(minutes=minutes_ago)
        self.opener.cookies["website_cookies_bar"] = json.dumps(
            {
                "required": True,
                "optional": agreed,
                "ts": int(at.replace(tzinfo=timezone.utc).timestamp() * 1000),
            }
        )

    def _answers(self, **subject):
        domain = [(name, "=", value) for name, value in subject.items()]
        return self.consents.search(domain, order="id").mapped(
            lambda answer: (answer.purpose, answer.channel, answer.state)
        )

    def test_a_login_claims_the_browser(self):
        self.website.cookies_bar = True
        self.authenticate(self.users[1].login, "p")
        self._tell(anonymousId="browser-1")
        self.authenticate(None, None)
        self.website.cookies_bar = False
        # asked, and nothing chosen; nobody logged in
        self._tell(anonymousId="browser-1")
        self.assertFalse(self.identities.search([("value", "=", "browser-1")]))
        for user in self.users:
            self.authenticate(user.login, "p")
            self._tell(anonymousId="browser-1")
            self.assertEqual(
                self.identities._resolve("anonymous_id", "browser-1", self.scope),
                self.users[0].partner_id,
                "a browser stays its first customer's",
            )

    def test_the_choice_lands_in_the_consent(self):
        partner = self.users[0].partner_id
        self.authenticate(self.users[0].login, "p")
        self._tell(anonymousId="browser-1")
        self.assertFalse(self._answers(partner_id=partner.id), "nothing was chosen")
        self._choose(True, 10)
        for _visit in range(2):
            self._tell()
        granted = [(purpose, "web", "granted") for purpose in PURPOSES]
        self.assertEqual(self._answers(partner_id=partner.id), granted)
        for purpose in PURPOSES:
            self.assertTrue(self.consents.check(partner, purpose, "web"))
            self.assertFalse(self.consents.check(partner, purpose, "email"))
        # taken back now; the cookie of another browser, which is older, says nothing
        self._tell(agreed=False)
        self._tell()
        revoked = [(purpose, "web", "revoked") for purpose in PURPOSES]
        self.assertEqual(self._answers(partner_id=partner.id), granted + revoked)
        self.assertFalse(self.consents.check(partner, "analytics", "web"))
        # what was said to a person later counts more than an old click
        self._choose(True, 0)
        self._tell()
        self.assertTrue(self.consents.check(partner, "analytics", "web"))

    def test_an_old_click_does_not_outdo_a_later_word(self):
        partner = self.users[0].partner_id
        self.consents._record(partner, "analytics", "denied")
        self.authenticate(self.users[0].login, "p")
        self._choose(True, 60)
        self._tell(anonymousId="browser-1")
        self.assertFalse(self.consents.check(partner, "analytics", "web"))
        self.assertTrue(self.consents.check(partner, "personalization", "web"))
        self.assertFalse(
            self.identities.search([("value", "=", "browser-1")]),
            "who refuses analytics is not linked to a browser",
        )

    def test_the_choice_of_a_stranger(self):
        """Nothing is kept of nobody; it lands when the browser becomes somebody's."""
        self._choose(False, 5)
        self._tell(anonymousId="browser-1")
        self.assertFalse(self._answers(identity_value="browser-1"))
        partner = self.users[1].partner_id
        self.identities._claim(partner, "anonymous_id", "browser-1", self.scope)
        self._tell(anonymousId="browser-1")
        self.assertEqual(
            self._answers(identity_value="browser-1"),
            [(purpose, "web", "denied") for purpose in PURPOSES],
        )
        self.assertTrue(self.consents._refusing([partner], "analytics", "web"))
        event = {"type": "page", "userId": "x", "anonymousId": "browser-1"}
        [verdict] = self.env["behavior.event"]._land(
            self.source,
            read_messages([event], fields.Datetime.now(), "r"),
            fields.Datetime.now(),
            vouched=False,
        )
        self.assertEqual(verdict["error"], "no_consent")

    def test_only_pages_of_this_host(self):
        self.authenticate(self.users[0].login, "p")
        for headers in (
            {"Origin": "https://elsewhere.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            self._tell(403, headers, anonymousId="browser-1")
        self.assertFalse(self.identities.search([("value", "=", "browser-1")]))
        self._tell(200, {"Origin": self.base_url()}, anonymousId="browser-1")

    def test_bad_requests(self):
        for body in ("", "[]", "1", "x", '{"anonymousId": "\\u0000"}',
                     '{"anonymousId": "\\ud800"}', "\udcff"):  # fmt: skip
            response = self.url_open(
                "/behavior/visitor",
                data=body.encode("utf-8", "surrogateescape"),
                method="POST",
            )
            self.assertEqual(response.status_code, 400, body)
        self._choose(True, 10**9)
        for cookie in ("x", "true", "[]", '{"optional": true, "ts": 1e300}'):
            self.opener.cookies["website_cookies_bar"] = cookie
            self._tell(anonymousId="browser-1")
