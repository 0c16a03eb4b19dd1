import json
import random
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import tagged
from odoo.tools import hash_sign, mute_logger

from odoo.addons.website.models.website_page import WebsitePage

from .. import const
from ..models.website import COOKIE_SCOPE
from .common import PASSWORD, PersonalizationCase

DEFAULT = "For everybody"
ONLY_A = "Only for Segment A"
ONLY_B = "Only for Segment B"


@tagged("post_install", "-at_install")
class TestWebsite(PersonalizationCase):
    def _home(self, cookie=None):
        cookies = {const.COOKIE: cookie} if cookie else None
        response = self.url_open("/", cookies=cookies)
        self.assertEqual(response.status_code, 200)
        return response.text

    def _texts(self, html):
        return {text for text in (DEFAULT, ONLY_A, ONLY_B) if text in html}

    def _queries(self, cookie=None):
        """The queries of a request that hits the page cache."""
        for _again in range(3):
            self._home(cookie)
        profiler = self.profile(collectors=["sql"], db=False)
        with profiler:
            self._home(cookie)
        [route] = profiler._profiler__.sub_profilers
        return [entry["full_query"] for entry in route.collectors[0].entries]

    def test_each_segment_sees_its_own(self):
        html = self._home()
        self.assertEqual(self._texts(html), {DEFAULT})
        self.assertNotIn("Stale", html)
        for user, text in (
            (self.user_a, ONLY_A),
            (self.user_b, ONLY_B),
            (self.user_c, DEFAULT),
        ):
            self.authenticate(user.login, PASSWORD)
            self.assertEqual(self._texts(self._home()), {text})
        self.authenticate(None, None)
        self.assertEqual(self._texts(self._home()), {DEFAULT})

    def test_the_cookie_carries_the_segment_past_the_session(self):
        cookie = self._segment_cookie(self.user_a)
        self.assertEqual(self._texts(self._home(cookie)), {ONLY_A})
        self.assertEqual(self._texts(self._home()), {DEFAULT})
        self.assertIsNone(self._segment_cookie(self.user_c))

    def test_logging_out_forgets(self):
        self.authenticate(self.user_a.login, PASSWORD)
        answer = self._ask("top", proof=self._proof(self._home()))
        header = answer.headers["Set-Cookie"]
        self.assertIn("HttpOnly", header)
        self.assertIn("SameSite=Lax", header)
        self.assertIn(const.COOKIE, self.opener.cookies)
        self.url_open("/web/session/logout", allow_redirects=False)
        self.assertNotIn(const.COOKIE, self.opener.cookies)

    def test_forged_and_foreign_cookies_give_the_default(self):
        good = self._segment_cookie(self.user_a)
        other = self.env["website"].create({"name": "Other"})
        env = self.env(su=True)
        week = {"expiration_hours": 24}
        segment = self.segment_a.id
        for cookie in (
            good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
            good[::-1],
            "x",
            "=",
            "%C3%BC",
            str(segment),
            good * 20,
            hash_sign(env, COOKIE_SCOPE, [other.id, segment], **week),
            hash_sign(env, "another.scope", [self.website.id, segment], **week),
            hash_sign(
                env, COOKIE_SCOPE, [self.website.id, segment], expiration_hours=-1
            ),
            hash_sign(env, COOKIE_SCOPE, [self.website.id, 0], **week),
            hash_sign(env, COOKIE_SCOPE, [self.website.id, "1"], **week),
            hash_sign(env, COOKIE_SCOPE, {"a": 1}, **week),
        ):
            with self.subTest(cookie=cookie[:60]):
                self.assertEqual(self._texts(self._home(cookie)), {DEFAULT})
        self.assertEqual(self._texts(self._home(good)), {ONLY_A})

    def test_consent(self):
        self.website.cookies_bar = True
        self.assertIsNone(self._segment_cookie(self.user_a))
        self.authenticate(self.user_a.login, PASSWORD)
        refused = {"website_cookies_bar": '{"required": true, "optional": false}'}
        agreed = {"website_cookies_bar": '{"required": true, "optional": true}'}
        proof = self._proof(self._home())
        for cookies, expected in ((refused, False), (agreed, True), (refused, False)):
            self.opener.cookies.update(cookies)
            answer = self._ask("top", proof=proof)
            self.assertEqual(const.COOKIE in answer.cookies, expected)
        cookie = self._segment_cookie_with(agreed)
        self.opener.cookies.update(refused)
        self.assertEqual(self._texts(self._home(cookie)), {DEFAULT})
        seen = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id)]
        )
        self.assertEqual(seen.partner_id, self.user_a.partner_id)
        nobody = seen.filtered(lambda row: not row.partner_id)
        self.assertEqual(nobody.mapped("subject"), [""])
        self.assertEqual(nobody.count, 3)

    def _segment_cookie_with(self, cookies):
        self.authenticate(self.user_a.login, PASSWORD)
        self.opener.cookies.update(cookies)
        proof = self._proof(self._home())
        cookie = self._ask("top", proof=proof).cookies[const.COOKIE]
        self._forget()
        return cookie

    def test_a_hit_of_the_cache_costs_no_query(self):
        cookie = self._segment_cookie(self.user_a)
        with patch.object(
            type(self.website), "_personalization_page_key", lambda website: ()
        ):
            plain = len(self._queries())
        for given in (None, cookie, cookie[::-1]):
            queries = self._queries(given)
            self.assertEqual(len(queries), plain, queries)

    def test_a_thousand_mixed_requests_without_a_leak(self):
        """Whoever came before, everybody sees their own; and pages come from the
        cache: each is rendered once for a key, and for each logged-in visitor."""
        a, b = self._segment_cookie(self.user_a), self._segment_cookie(self.user_b)
        rng = random.Random(20)
        kinds = ["anonymous", "a", "b", "forged"] * 242 + ["in a", "in b"] * 8
        kinds += ["out a", "out b"] * 8
        rng.shuffle(kinds)
        self.assertEqual(len(kinds), 1000)
        rendered = []
        render = WebsitePage._get_response_raw

        def counted(page, request):
            rendered.append(request.env.user._is_public())
            return render(page, request)

        self.env.registry.clear_cache()
        wrong = []
        with patch.object(WebsitePage, "_get_response_raw", counted):
            for number, kind in enumerate(kinds):
                self._forget()
                state, _space, letter = kind.partition(" ")
                user = {"a": self.user_a, "b": self.user_b}.get(letter)
                if user:
                    self.authenticate(user.login, PASSWORD)
                if state == "out":
                    self.url_open("/web/session/logout", allow_redirects=False)
                cookie = {"a": a, "b": b, "forged": a[:-4] + b[-4:]}.get(kind)
                expected = {
                    "a": ONLY_A, "b": ONLY_B, "in a": ONLY_A, "in b": ONLY_B,
                }.get(kind, DEFAULT)  # fmt: skip
                html = self._home(cookie)
                if self._texts(html) != {expected} or ("Customer" in html) != (
                    state == "in"
                ):
                    wrong.append((number, kind, self._texts(html)))
        self.assertFalse(wrong)
        self.assertEqual(sum(rendered), 3, "once for each of the three keys")
        self.assertEqual(len(rendered) - sum(rendered), 16, "each logged-in visit")

    def test_a_change_shows_at_once(self):
        cookie = self._segment_cookie(self.user_a)
        self.assertIn(ONLY_A, self._home(cookie))
        self.variant_a.content = "<p>Changed</p>"
        self.env.flush_all()
        self.assertIn("Changed", self._home(cookie))
        self.variant_a.update_field_translations(
            "content", {"en_US": {"Changed": "Changed again"}}
        )
        self.env.flush_all()
        self.assertIn("Changed again", self._home(cookie))
        self.slot.default_content = "<p>New default</p>"
        self.variant_a.active = False
        self.env.flush_all()
        self.assertIn("New default", self._home(cookie))

    def test_a_cached_page_does_not_outlive_the_schedule(self):
        cookie = self._segment_cookie(self.user_a)
        now = fields.Datetime.now()
        self.variant_a.date_end = now + timedelta(minutes=5)
        self.env.flush_all()
        self.assertIn(ONLY_A, self._home(cookie))
        with patch.object(
            fields.Datetime, "now", staticmethod(lambda: now + timedelta(minutes=6))
        ):
            self.assertEqual(self._texts(self._home(cookie)), {DEFAULT})
        self.assertIn(ONLY_A, self._home(cookie))

    def test_at_most_sixteen_keys(self):
        segments = self.env["omni.segment"].create(
            [{"name": f"S{n}", "code": f"test-s{n}"} for n in range(20)]
        )
        for segment in segments:
            self._variant(name=segment.name, segment_ids=[Command.set(segment.ids)])
        plan = self.website._personalization_plan()
        self.assertEqual(len(plan.segments), 15)
        self.assertEqual(plan.segments[0], self.segment_a.id)

    def test_the_person_is_filled_in_after_load(self):
        self._variant(
            name="By name",
            sequence=1,
            segment_ids=[Command.set(self.segment_a.ids)],
            content="<p>Hello {{ object.name ||| stranger }}</p>",
        )
        # For a stranger's eyes: the fallback, in the page.
        cookie = self._segment_cookie(self.user_a)
        self.assertIn("Hello stranger", self._home(cookie))
        self.authenticate(self.user_a.login, PASSWORD)
        html = self._home()
        self.assertIn("o_personalization_pending", html)
        self.assertIn(ONLY_A, html)
        self.assertNotIn("Hello", html.partition('id="wrap"')[2].partition("footer")[0])
        answer = self._ask("top", proof=self._proof(html)).json()["slots"]["top"]
        self.assertEqual(answer["html"], "<p>Hello Customer &lt;i&gt;A&lt;/i&gt;</p>")
        exposure = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id), ("channel", "=", "load")]
        )
        self.assertEqual(exposure.partner_id, self.user_a.partner_id)
        self.assertIn("Segment A", exposure.reason)
        # The note of one visitor's page lends nobody that visitor's content.
        self.authenticate(None, None)
        for proof in (self._proof(html), "forged", None, 7):
            slots = self._ask("top", proof=proof).json()["slots"]
            self.assertNotIn("Customer", slots.get("top", {}).get("html", ""))

    def _answer(self, state, channel=False):
        self.env["omni.consent"].create(
            {
                "partner_id": self.user_a.partner_id.id,
                "purpose": "personalization",
                "channel": channel,
                "state": state,
            }
        )

    def test_who_says_no_is_a_stranger(self):
        self._answer("denied", "email")
        self.assertTrue(self._segment_cookie(self.user_a))
        self._answer("denied", "web")
        self.authenticate(self.user_a.login, PASSWORD)
        html = self._home()
        self.assertEqual(self._texts(html), {DEFAULT})
        self._ask("top", proof=self._proof(html))
        self.assertNotIn(const.COOKIE, self.opener.cookies)
        last = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id)], limit=1
        )
        self.assertEqual(last.subject, "")
        self._answer("granted", "web")
        self.assertEqual(self._texts(self._home()), {ONLY_A})

    def test_an_identified_browser_gets_the_segment_and_no_word(self):
        self.variant_a.content = f"<p>{ONLY_A}: {{{{ object.name ||| you }}}}</p>"
        self.env["omni.identity"]._claim(
            self.user_a.partner_id,
            "anonymous_id",
            "browser-1",
            f"company:{self.company.id}",
        )
        proof = self._proof(self._home())
        for anonymous_id in ("browser-2", None, {"a": 1}, ""):
            self._ask("top", proof=proof, anonymousId=anonymous_id)
            self.assertNotIn(const.COOKIE, self.opener.cookies)
        self._ask("top", proof=proof, anonymousId="browser-1")
        self.assertIn(f"{ONLY_A}: you", self._home())
        exposures = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id)]
        )
        self.assertEqual(exposures.partner_id, self.user_a.partner_id)
        self.assertEqual(
            set(exposures.mapped("subject")),
            {f"partner:{self.user_a.partner_id.id}", ""},
        )

    def test_a_browser_is_known_by_a_login_only(self):
        """It is the customer's whose session the server has verified, and stays so."""
        source = self.env["behavior.source"].create(
            {
                "name": "Site",
                "code": "site-login",
                "origins": "https://www.example.com",
                "website_id": self.website.id,
            }
        )
        self.env["behavior.source"].search(
            [("website_id", "=", self.website.id)]
        ).on_website = False
        source.on_website = True
        scope = f"source:{source.id}"
        resolve = self.env["omni.identity"]._resolve
        proof = self._proof(self._home())
        self._ask("top", proof=proof, anonymousId="browser-9")
        self.assertFalse(resolve("anonymous_id", "browser-9", scope))
        for user in (self.user_a, self.user_b):
            self.authenticate(user.login, PASSWORD)
            self._ask("top", proof=proof, anonymousId="browser-9")
            self.assertEqual(
                resolve("anonymous_id", "browser-9", scope), self.user_a.partner_id
            )

    def test_a_block_outside_of_templates(self):
        """A slot in a text: filled after load, also for a stranger."""
        self.assertIn(DEFAULT, self._ask("top").json()["slots"]["top"]["html"])
        cookie = self._segment_cookie(self.user_b)
        self.opener.cookies[const.COOKIE] = cookie
        self.assertIn(ONLY_B, self._ask("top").json()["slots"]["top"]["html"])

    def test_the_requests_cost_the_same_for_many_slots(self):
        def count(codes):
            self._ask(*codes)
            before = self.env.cr.sql_log_count
            self._ask(*codes)
            return self.env.cr.sql_log_count - before

        codes = [f"slot-{n}" for n in range(10)]
        for code in codes:
            self.slot.copy({"code": code})
        self.authenticate(self.user_a.login, PASSWORD)
        one = count(codes[:1])
        # Two more for the savepoint of each further slot.
        self.assertLessEqual(count(codes), one + 2 * 9 + 1)

    def test_several_slots_one_request(self):
        self.slot.copy({"code": "second", "default_content": "<p>Second</p>"})
        self.authenticate(self.user_b.login, PASSWORD)
        slots = self._ask("top", "second", "nowhere").json()["slots"]
        self.assertEqual(slots["top"]["variant"], self.variant_b.id)
        self.assertIn(ONLY_B, slots["second"]["html"])
        self.assertEqual(slots["nowhere"]["error"]["code"], "unknown_slot")

    def test_bad_requests(self):
        def status(body, **headers):
            return self.url_open(
                "/personalization/v1/page", data=body, headers=headers, method="POST"
            ).status_code

        many = json.dumps({"slots": [{"code": f"c{n}"} for n in range(51)]})
        for body in ("", "x", "[]", "{}", '{"slots": "x"}', '{"slots": []}', many,
                     '{"slots": [1]}', '{"slots": [{"code": "a"}, {"code": "a"}]}',
                     '{"slots": [{"code": "\\u0000"}]}'):  # fmt: skip
            with self.subTest(body=body[:40]):
                self.assertEqual(status(body), 400)
        good = '{"slots": [{"code": "top"}]}'
        self.assertEqual(status(good), 200)
        self.assertEqual(status(good + " " * 600_000), 413)
        self.assertEqual(status(good, Origin="https://elsewhere.example"), 403)
        self.assertEqual(status(good, **{"Sec-Fetch-Site": "cross-site"}), 403)

    def test_exposures_once_a_day(self):
        self.authenticate(self.user_a.login, PASSWORD)
        proof = self._proof(self._home())
        for _time in range(3):
            self._ask("top", proof=proof)
        exposure = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id)]
        )
        self.assertEqual(len(exposure), 1)
        self.assertRecordValues(
            exposure,
            [
                {
                    "partner_id": self.user_a.partner_id.id,
                    "website_id": self.website.id,
                    "variant_id": self.variant_a.id,
                    "channel": "page",
                    "code": "variant_segment",
                    "count": 3,
                    "failed": False,
                }
            ],
        )
        self.assertEqual(
            exposure.reason, "“Segment A” is shown: the visitor is in Segment A."
        )

    def test_what_fails_shows_the_default(self):
        page_block = '<div data-personalization-slot="top">'
        slot_class = self.env.registry["personalization.slot"]
        render = slot_class._render_for

        def fail(slot, variant, partner, values=None):
            if variant:
                raise ZeroDivisionError
            return render(slot, variant, partner, values)

        # Not kept in the cache: the next visitor may be luckier.
        cookie = self._segment_cookie(self.user_a)
        self.env.registry.clear_cache()
        with (
            patch.object(slot_class, "_render_for", fail),
            mute_logger("odoo.addons.crm_personalization.models.personalization_slot"),
        ):
            self.assertEqual(self._texts(self._home(cookie)), {DEFAULT})
        self.assertEqual(self._texts(self._home(cookie)), {ONLY_A})
        self.authenticate(self.user_a.login, PASSWORD)
        with (
            patch.object(slot_class, "_render_for", fail),
            mute_logger("odoo.addons.crm_personalization.models.personalization_slot"),
        ):
            html = self._home()
        self.assertIn(page_block, html)
        self.assertEqual(self._texts(html), {DEFAULT})
        self._ask("top", proof=self._proof(html))
        exposure = self.env["personalization.exposure"].search(
            [("slot_id", "=", self.slot.id), ("code", "=", "default_error")]
        )
        self.assertTrue(exposure.failed)
        self.assertTrue(exposure.is_default)
        self.assertIn("ZeroDivisionError", exposure.reason)
        self.assertIn("Segment A", exposure.reason)

    def test_a_broken_audience_leaves_the_others(self):
        broken = self._variant(name="Broken", sequence=1)
        self.env.cr.execute(
            "UPDATE personalization_variant SET audience = %s WHERE id = %s",
            ["[('gone', '=', 1)]", broken.id],
        )
        broken.invalidate_recordset()
        self.env.registry.clear_cache()
        logger = "odoo.addons.crm_personalization.models.personalization_variant"
        with mute_logger(logger):
            html = self._home()
        self.assertEqual(self._texts(html), {DEFAULT})
        self._ask("top", proof=self._proof(html))
        self.authenticate(self.user_a.login, PASSWORD)
        with mute_logger(logger):
            html = self._home()
            self.assertIn("o_personalization_pending", html)
            answer = self._ask("top", proof=self._proof(html)).json()["slots"]["top"]
        self.assertEqual(answer["variant"], self.variant_a.id)
        self.assertTrue(
            all(
                self.env["personalization.exposure"]
                .search([("slot_id", "=", self.slot.id)])
                .mapped("failed")
            )
        )

    def test_the_staff_is_not_counted(self):
        self.authenticate("admin", "admin")
        self._ask("top", proof=self._proof(self._home()))
        self.assertFalse(
            self.env["personalization.exposure"].search(
                [("slot_id", "=", self.slot.id)]
            )
        )

    def test_the_block_of_the_editor(self):
        self.authenticate("admin", "admin")
        html = self.make_jsonrpc_request(
            "/web/dataset/call_kw",
            {
                "model": "ir.ui.view",
                "method": "render_public_asset",
                "args": ["website.snippets"],
                "kwargs": {},
            },
        )
        self.assertIn("s_personalized_content", html)
        # In the editor's list it stands for any slot.
        self.assertIn("the slot that is for them", html)

    def test_unknown_slot_in_a_page(self):
        self.slot.active = False
        self.env.flush_all()
        html = self._home()
        self.assertEqual(self._texts(html), set())
        self.assertNotIn("Stale", html)
        self.authenticate("admin", "admin")
        self.assertIn("There is no slot “top”", self._home())
