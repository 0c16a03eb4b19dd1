import base64
import gzip
import json

from odoo.tests import HttpCase, tagged

from .common import ORIGIN


@tagged("post_install", "-at_install")
class TestTrackingHttp(HttpCase):
    TRACK = {"type": "track", "event": "Product Viewed", "anonymousId": "a1"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = cls.env["behavior.source"].create(
            {"name": "Shop", "code": "shop-http", "origins": ORIGIN}
        )
        cls.key = cls.source.issue_key()
        cls.partner = cls.env["res.partner"].create(
            {"name": "Wang Wei", "email": "wang@http.example"}
        )

    def _post(self, path, document, key="body", headers=None):
        headers = {"Origin": ORIGIN, "Content-Type": "text/plain", **(headers or {})}
        if key == "body" and isinstance(document, dict):
            document = {"writeKey": self.key, **document}
        elif key == "basic":
            token = base64.b64encode(f"{self.key}:".encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        elif key == "bearer":
            headers["Authorization"] = f"Bearer {self.key}"
        body = (
            document if isinstance(document, bytes) else json.dumps(document).encode()
        )
        return self.url_open(path, data=body, headers=headers, method="POST")

    def _events(self):
        return self.env["behavior.event"].search([("source_id", "=", self.source.id)])

    def test_each_address(self):
        visitor = {"anonymousId": "a1"}
        for path, document, kind in (
            ("/v1/track", {"event": "Product Viewed"}, "track"),
            ("/v1/page", {"name": "Home"}, "page"),
            ("/v1/screen", {"name": "Basket"}, "screen"),
            ("/v1/group", {"groupId": "g1", "traits": {"size": 3}}, "group"),
            ("/v1/alias", {"userId": "u1", "previousId": "a0"}, "alias"),
            ("/v1/batch", {"batch": [self.TRACK]}, "track"),
            ("/v1/import", {"batch": [self.TRACK]}, "track"),
            ("/v1/identify", {"traits": {"email": "WANG@http.example"}}, "identify"),
        ):
            for key in ("body", "basic", "bearer"):
                with self.subTest(path=path, key=key):
                    response = self._post(path, {**visitor, **document}, key)
                    self.assertEqual(response.status_code, 200, response.text)
                    answer = response.json()
                    self.assertTrue(answer["success"])
                    self.assertEqual(answer["verdicts"][0]["status"], "accepted")
                    self.assertEqual(
                        response.headers["Access-Control-Allow-Origin"], ORIGIN
                    )
                    self.assertEqual(self._events()[0].type, kind)

    def test_a_page_makes_nobody_a_customer(self):
        """Who knows the address of a customer, or their user ID, is not the customer;
        the company's own server is believed."""
        server = self.env["behavior.source"].create(
            {"name": "Back end", "code": "back-end-http", "type": "server"}
        )
        server_key = server.issue_key()
        identities = self.env["omni.identity"]
        identities._claim(self.partner, "user_id", "wang", f"source:{self.source.id}")
        address = {"traits": {"email": "wang@http.example"}}
        for name, document in (("thief-1", address), ("thief-2", {"userId": "wang"})):
            for path in ("/v1/identify", "/v1/batch"):
                document = {"type": "identify", "anonymousId": name, **document}
                if path == "/v1/batch":
                    document = {"batch": [document]}
                response = self._post(path, document, "basic")
                [verdict] = response.json()["verdicts"]
                self.assertEqual(verdict["status"], "accepted")
            self.assertFalse(identities.search([("value", "=", name)]))
        # kept as it was told
        told = self._events().filtered(lambda event: event.anonymous_id == "thief-1")
        self.assertEqual(told[0].properties, {"email": "wang@http.example"})
        self.assertFalse(told.partner_id)
        response = self._post(
            "/v1/identify",
            {"anonymousId": "known", **address},
            None,
            {"Authorization": f"Bearer {server_key}"},
        )
        self.assertEqual(response.status_code, 200, response.text)
        self.assertEqual(
            identities._resolve("anonymous_id", "known", f"source:{server.id}"),
            self.partner,
        )

    def test_batch(self):
        """The good ones of a batch land, and a replayed batch lands once."""
        batch = {
            "batch": [
                {"type": "track", "event": "A", "userId": "u", "messageId": "1"},
                {"type": "nonsense", "userId": "u"},
                {"type": "page", "userId": "u", "messageId": "2"},
            ],
            "sentAt": "2026-01-01T00:00:00Z",
        }
        for status in ("accepted", "duplicate"):
            body = gzip.compress(json.dumps(batch).encode())
            response = self._post(
                "/v1/batch", body, "basic", {"Content-Encoding": "gzip"}
            )
            self.assertEqual(response.status_code, 200)
            verdicts = response.json()["verdicts"]
            self.assertEqual(
                [verdict["status"] for verdict in verdicts], [status, "refused", status]
            )
            self.assertEqual(verdicts[1]["error"], "unknown_type")
        self.assertEqual(len(self._events()), 2)

    def test_a_batch_of_bad_ones(self):
        """Each kind of bad message has its verdict; the good ones around it land."""
        good = '{"type":"track","event":"下单 😀","anonymousId":"a1"}'

        def track(rest):
            return f'{{"type":"track","event":"A","anonymousId":"a1",{rest}}}'

        deep = '{"a":' * 40 + "1" + "}" * 40
        bad = {
            '{"type": "track", "event" "A"}': "unreadable",
            '"a text"': "not_an_object",
            '{"type":"track","event":5,"anonymousId":"a1"}': "bad_event",
            track('"properties":[1]'): "bad_properties",
            track('"context":"x"'): "bad_context",
            track('"userId":{"a":1}'): "bad_id",
            track('"properties":{"n":1e400}'): "bad_number",
            track('"properties":{"n":NaN}'): "bad_number",
            track(f'"properties":{{"n":{"9" * 5000}}}'): "bad_number",
            track(f'"properties":{deep}'): "too_deep",
            track(f'"properties":{{"s":"{"x" * 33000}"}}'): "too_big",
            track('"timestamp":"1970-01-01T00:00:00Z"'): "timestamp_out_of_range",
            track('"timestamp":"2099-01-01T00:00:00Z"'): "timestamp_out_of_range",
            track('"timestamp":"yesterday"'): "bad_timestamp",
            track('"properties":{"s":"\\u0000"}'): "nul_character",
            track('"properties":{"s":"\x00"}'): "nul_character",
            track('"properties":{"s":"\\ud83d"}'): "lone_surrogate",
            '{"type":"trak","anonymousId":"a1"}': "unknown_type",
            '{"type":"track","event":"A"}': "no_identity",
        }
        texts = [good]
        for text in bad:
            texts += [text, good]
        body = f'{{"batch":[{",".join(texts)}]}}'.encode()
        response = self._post("/v1/batch", body, "bearer")
        self.assertEqual(response.status_code, 200, response.text)
        verdicts = response.json()["verdicts"]
        self.assertEqual(len(verdicts), len(texts))
        self.assertEqual(
            [verdict.get("error") for verdict in verdicts[1::2]], list(bad.values())
        )
        self.assertEqual(
            {verdict["status"] for verdict in verdicts[0::2]}, {"accepted"}
        )
        events = self._events()
        self.assertEqual(len(events), len(bad) + 1)
        self.assertEqual(set(events.mapped("event")), {"下单 😀"})
        # and what was wrong can be looked at, as it was sent
        rejections = self.env["behavior.rejection"].search(
            [("source_id", "=", self.source.id)], order="id"
        )
        self.assertEqual(rejections.mapped("code"), list(bad.values()))
        self.assertEqual(rejections[0].excerpt, '{"type": "track", "event" "A"}')
        self.assertEqual(rejections[5].excerpt, list(bad)[5])
        self.assertTrue(all(rejections.mapped("reason")))

    def test_refused(self):
        good = {"batch": []}
        for document, key, headers, status in [
            (b"nonsense", "bearer", {}, 400),
            (b"[]", "bearer", {}, 400),
            ({"batch": 5}, "bearer", {}, 400),
            ({**good, "x": "x" * 600_000}, "bearer", {}, 413),
            (good, None, {}, 401),
            ({"writeKey": "nonsense", **good}, None, {}, 401),
            (good, "bearer", {"Origin": "https://elsewhere.example.com"}, 403),
            (b"\x00" * 9, "bearer", {"Content-Encoding": "gzip"}, 400),
        ]:
            with self.subTest(status=status, key=key):
                response = self._post("/v1/batch", document, key, headers)
                self.assertEqual(response.status_code, status, response.text)
                self.assertIn("error", response.json())
        self.assertFalse(self._events())

    def test_a_key_of_another_part(self):
        _credential, key = self.env["governance.credential"]._issue(
            {
                "name": "Other",
                "kind": "public",
                "scopes": "behavior.append",
                "origins": ORIGIN,
            }
        )
        response = self._post(
            "/v1/batch", {"batch": []}, None, {"Authorization": f"Bearer {key}"}
        )
        self.assertEqual(response.status_code, 403)

    def test_preflight(self):
        response = self.url_open(
            "/v1/batch", headers={"Origin": ORIGIN}, method="OPTIONS"
        )
        self.assertEqual(response.status_code, 204)
        self.assertEqual(response.headers["Access-Control-Allow-Origin"], ORIGIN)

    def test_script(self):
        response = self.url_open("/behavior/sdk.js")
        self.assertEqual(response.status_code, 200)
        self.assertIn("text/javascript", response.headers["Content-Type"])
        self.assertIn("max-age", response.headers["Cache-Control"])
        self.assertLess(len(gzip.compress(response.content)), 12 * 1024)

    def test_website(self):
        """The pages of a tracked website carry the script, and its present key."""
        website = self.env["website"].get_current_website()
        tag = b'src="/behavior/sdk.js"'
        sources = self.env["behavior.source"]
        sources.search([("on_website", "=", True)]).on_website = False
        self.assertNotIn(tag, self.url_open("/").content)
        self.source.write({"website_id": website.id, "on_website": True})
        for _visit in range(2):
            page = self.url_open("/").content
            self.assertIn(tag, page)
            self.assertIn(self.key.encode(), page)
        new = self.source.issue_key()
        self.assertIn(new.encode(), self.url_open("/").content)
        self.source.action_revoke_key()
        self.assertNotIn(tag, self.url_open("/").content)
