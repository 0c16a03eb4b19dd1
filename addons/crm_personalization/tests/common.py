import json

from odoo.fields import Command
from odoo.tests import HttpCase, new_test_user

from .. import const

PASSWORD = "personalization"


class PersonalizationCase(HttpCase):
    """A website whose home page has a slot, two segments, a customer in each."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "no_reset_password": True})
        cls.website = cls.env["website"].get_current_website()
        cls.website.cookies_bar = False
        cls.company = cls.website.company_id
        cls.env["personalization.slot"].search([]).active = False
        cls.segment_a, cls.segment_b = cls.env["omni.segment"].create(
            [
                {
                    "name": f"Segment {letter}",
                    "code": f"test-{letter.lower()}",
                    "company_id": cls.company.id,
                    "domain": f'[("ref", "=", "in-{letter}")]',
                }
                for letter in "AB"
            ]
        )
        cls.user_a, cls.user_b, cls.user_c = (
            new_test_user(
                cls.env,
                f"customer_{letter.lower()}",
                "base.group_portal",
                password=PASSWORD,
                name=f"Customer <i>{letter}</i>",
                ref=f"in-{letter}",
            )
            for letter in "ABC"
        )
        cls.slot = cls.env["personalization.slot"].create(
            {
                "name": "Top",
                "code": "top",
                "company_id": cls.company.id,
                "website_id": cls.website.id,
                "default_content": "<p>For everybody</p>",
            }
        )
        cls.variant_a, cls.variant_b = (
            cls._variant(
                name=segment.name,
                segment_ids=[Command.set(segment.ids)],
                content=f"<p>Only for {segment.name}</p>",
            )
            for segment in cls.segment_a | cls.segment_b
        )
        page = cls.env.ref("website.homepage_page")
        cls.page = (
            cls.env["website.page"].search(
                [("url", "=", "/"), ("website_id", "in", (cls.website.id, False))],
                order="website_id",
                limit=1,
            )
            or page
        )
        cls.page.view_id.arch = """
            <t t-name="website.homepage">
                <t t-call="website.layout">
                    <div id="wrap" class="oe_structure">
                        <div data-personalization-slot="top">Stale</div>
                    </div>
                </t>
            </t>
        """
        cls.env.flush_all()

    @classmethod
    def _variant(cls, **values):
        return cls.env["personalization.variant"].create(
            {"slot_id": cls.slot.id, "content": "<p>x</p>", **values}
        )

    def _ask(self, *codes, proof=None, headers=None, **data):
        """What the page asks after it has loaded."""
        return self.url_open(
            "/personalization/v1/page",
            data=json.dumps(
                {"slots": [{"code": code, "proof": proof} for code in codes], **data}
            ),
            headers={"Content-Type": "application/json", **(headers or {})},
            method="POST",
        )

    def _proof(self, html):
        return html.split('data-proof="', 1)[1].split('"', 1)[0]

    def _segment_cookie(self, user):
        """The cookie as a visitor gets it who logs in and sees a page."""
        self.authenticate(user.login, PASSWORD)
        html = self.url_open("/").text
        cookie = self._ask("top", proof=self._proof(html)).cookies.get(const.COOKIE)
        self._forget()
        return cookie

    def _forget(self):
        """Be another visitor, with a browser that knows nothing."""
        self.authenticate(None, None)
        for name in (const.COOKIE, "website_cookies_bar"):
            self.opener.cookies.pop(name, None)
