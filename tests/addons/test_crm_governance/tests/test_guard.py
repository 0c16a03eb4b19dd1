import base64
import gzip
import random
import zlib
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.crm_data_governance import rates, usage
from odoo.addons.crm_data_governance.tools.rate import block

from .common import GuardCase

OURS = [("endpoint", "like", "test_governance.")]


@tagged("post_install", "-at_install")
class TestGuard(GuardCase):
    # --- KEYS ---

    def test_key_in_each_place(self):
        basic = base64.b64encode(f"{self.key}:".encode()).decode()
        for headers, query in (
            ({"Authorization": f"Bearer {self.key}"}, ""),
            ({"Authorization": f"bearer  {self.key} "}, ""),
            ({"Authorization": f"Basic {basic}"}, ""),
            ({}, f"?key={self.key}"),
        ):
            response = self.call(f"echo/here{query}", headers=headers)
            self.assertEqual(response.status_code, 200, (headers, response.text))
            self.assertEqual(response.json()["credential"], "Tester")

    def test_wrong_keys(self):
        other = f"{self.key[:-1]}{'0' if self.key[-1] != '0' else '1'}"
        for key in (None, "x", other, self.key.upper(), self.key * 3, "gsk__", "é"):
            headers = {"Authorization": f"Bearer {key}".encode()} if key else {}
            response = self.call("echo/here", headers=headers)
            self.assertFails(response, 401, "unauthorized")
            self.assertEqual(response.headers["WWW-Authenticate"], "Bearer")
        for value in ("Basic !!!", "Basic /w==", "Digest x", "Bearer", "Basic "):
            response = self.call("echo/here", headers={"Authorization": value})
            self.assertFails(response, 401, "unauthorized")

    def test_scope(self):
        _credential, key = self.env["governance.credential"]._issue(
            {"name": "Elsewhere", "scopes": "test.echo2 xtest.echo"}
        )
        self.assertFails(self.call("echo/here", key=key), 403, "forbidden")

    def test_revoke_is_immediate(self):
        self.assertEqual(self.call("echo/here", key=self.key).status_code, 200)
        self.credential.action_revoke()
        self.assertFails(self.call("echo/here", key=self.key), 401, "unauthorized")
        key = self.credential.issue_key()
        self.assertEqual(self.call("echo/here", key=key).status_code, 200)
        self.assertFails(self.call("echo/here", key=self.key), 401, "unauthorized")

    def test_expired(self):
        self.credential.expires_at = fields.Datetime.now() + timedelta(minutes=1)
        self.assertEqual(self.call("echo/here", key=self.key).status_code, 200)
        self.credential.expires_at = fields.Datetime.now() - timedelta(seconds=1)
        self.assertFails(self.call("echo/here", key=self.key), 401, "unauthorized")

    def test_archived(self):
        self.credential.active = False
        self.assertFails(self.call("echo/here", key=self.key), 401, "unauthorized")

    # --- ORIGINS ---

    def test_origin(self):
        _credential, key = self.env["governance.credential"]._issue(
            {
                "name": "Page",
                "kind": "public",
                "scopes": "test.echo",
                "origins": "https://shop.example.com\nhttp://localhost:8080",
            }
        )
        for origin in ("https://shop.example.com", "http://localhost:8080"):
            response = self.call("echo/x", key=key, headers={"Origin": origin})
            self.assertEqual(response.status_code, 200)
            self.assertEqual(response.headers["Access-Control-Allow-Origin"], origin)
            self.assertIn("Origin", response.headers["Vary"])
        for origin in (
            None,
            "null",
            "http://shop.example.com",
            "https://shop.example.com.evil.org",
            "https://shop.example.com:8443",
            "https://evil.org",
        ):
            headers = {"Origin": origin} if origin else {}
            response = self.call("echo/x", key=key, headers=headers)
            self.assertFails(response, 403, "forbidden")
            self.assertNotIn("Access-Control-Allow-Origin", response.headers)
        # A later error still reaches the page that may read it.
        response = self.call(
            "echo/x",
            "POST",
            key,
            {"Origin": "https://shop.example.com"},
            data="x" * 2000,
        )
        self.assertFails(response, 413, "too_large")
        self.assertEqual(
            response.headers["Access-Control-Allow-Origin"], "https://shop.example.com"
        )

    def test_secret_key_gets_no_cors(self):
        response = self.call(
            "echo/x", key=self.key, headers={"Origin": "https://shop.example.com"}
        )
        self.assertEqual(response.status_code, 200)
        self.assertNotIn("Access-Control-Allow-Origin", response.headers)

    def test_preflight(self):
        self.env["governance.credential"]._issue(
            {
                "name": "Page",
                "kind": "public",
                "scopes": "test.echo",
                "origins": "https://shop.example.com",
            }
        )
        response = self.call(
            "echo/x", "OPTIONS", headers={"Origin": "https://shop.example.com"}
        )
        self.assertEqual(response.status_code, 204)
        self.assertEqual(
            response.headers["Access-Control-Allow-Origin"], "https://shop.example.com"
        )
        self.assertIn("POST", response.headers["Access-Control-Allow-Methods"])
        self.assertIn("Authorization", response.headers["Access-Control-Allow-Headers"])
        for path, origin in (
            ("echo/x", "https://evil.org"),
            ("echo/x", "https://example.com"),
            ("open", "https://shop.example.com"),
        ):
            response = self.call(path, "OPTIONS", headers={"Origin": origin})
            self.assertEqual(response.status_code, 204)
            self.assertNotIn("Access-Control-Allow-Origin", response.headers)

    # --- BODIES ---

    def test_bodies(self):
        text = "数据 " * 100
        raw = text.encode()
        deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        bare = deflater.compress(raw) + deflater.flush()
        for coding, data in (
            (None, raw),
            ("identity", raw),
            ("gzip", gzip.compress(raw)),
            ("GZIP", gzip.compress(raw[:300]) + gzip.compress(raw[300:])),
            ("x-gzip", gzip.compress(raw)),
            ("deflate", zlib.compress(raw)),
            ("deflate", bare),
        ):
            headers = {"Content-Encoding": coding} if coding else {}
            response = self.call("echo/x", "POST", self.key, headers, data=data)
            self.assertEqual(response.status_code, 200, (coding, response.text))
            self.assertEqual(response.json()["body"], text)

    def test_body_without_length(self):
        headers = {"Content-Encoding": "gzip"}
        for chunks, sent_headers, size in (
            ([b"x" * 500] * 2, {}, 1000),
            ([gzip.compress(b"x" * 1000)], headers, 1000),
        ):
            response = self.call(
                "echo/x", "POST", self.key, sent_headers, data=iter(chunks)
            )
            self.assertEqual(response.json()["size"], size)
        # Never cut off: a part of a body is not the body.
        noise = random.Random(5).randbytes(3000)
        for chunks, sent_headers in (
            ([b"x" * 500] * 2 + [b"x"], {}),
            ([b"x" * 500] * 20, {}),
            ([gzip.compress(noise)], headers),
        ):
            response = self.call(
                "echo/x", "POST", self.key, sent_headers, data=iter(chunks)
            )
            self.assertFails(response, 413, "too_large")

    def test_form_body_is_not_swallowed(self):
        response = self.call(
            "echo/x",
            "POST",
            self.key,
            {"Content-Type": "application/x-www-form-urlencoded"},
            data='{"a": 1}',
        )
        self.assertEqual(response.json()["body"], '{"a": 1}')

    def test_broken_bodies(self):
        good = gzip.compress(b"x" * 500)
        for coding, data, status, code in (
            ("br", b"x", 415, "unsupported_encoding"),
            ("gzip, gzip", good, 415, "unsupported_encoding"),
            ("gzip", b"no gzip", 400, "bad_request"),
            ("gzip", good[:-4], 400, "bad_request"),
            ("gzip", b"", 400, "bad_request"),
            ("gzip", good + b"tail", 400, "bad_request"),
            ("deflate", b"no zlib", 400, "bad_request"),
            (None, b"x" * 1001, 413, "too_large"),
            ("gzip", gzip.compress(b"0" * 1001), 413, "too_large"),
            ("gzip", gzip.compress(b"0" * 900_000)[:1000], 413, "too_large"),
        ):
            headers = {"Content-Encoding": coding} if coding else {}
            response = self.call("echo/x", "POST", self.key, headers, data=data)
            self.assertFails(response, status, code)
        response = self.call("echo/x", "POST", self.key, data=b"x" * 1000)
        self.assertEqual(response.json()["size"], 1000)

    def test_stranger_cannot_make_us_inflate(self):
        with patch(
            "odoo.addons.crm_data_governance.endpoint.inflate",
            side_effect=AssertionError("read before the key was checked"),
        ):
            response = self.call(
                "echo/x",
                "POST",
                headers={"Content-Encoding": "gzip"},
                data=gzip.compress(b"x"),
            )
        self.assertFails(response, 401, "unauthorized")

    # --- RATE AND USAGE ---

    def test_rate(self):
        self.credential.rate = 3
        self.env.flush_all()
        with patch.object(rates, "WINDOW_SECONDS", 3600):
            codes = [
                self.call("echo/x", key=self.key).status_code for _turn in range(4)
            ]
            self.assertEqual(codes, [200, 200, 200, 429])
            response = self.call("echo/x", key=self.key)
        self.assertFails(response, 429, "rate_limited")
        self.assertTrue(1 <= int(response.headers["Retry-After"]) <= 3600)
        # A greater rate holds at once.
        self.credential.rate = 5
        with patch.object(rates, "WINDOW_SECONDS", 3600):
            codes = [
                self.call("echo/x", key=self.key).status_code for _turn in range(3)
            ]
        self.assertEqual(codes, [200, 200, 429])

    def test_usage(self):
        self.call("echo/x", "POST", self.key, data=b"12345")
        self.call("echo/x", "POST", self.key, data=b"123")
        self.call("echo/x", "POST", self.key, data=b"x" * 1001)
        self.call("echo/x", key="nobody")
        self.call("open", "POST", data=b"12")
        self.assertFalse(self.env["governance.usage"].search(OURS))
        usage.buffer.flush(self.env.cr.dbname)
        self.env.invalidate_all()
        rows = self.env["governance.usage"].search(
            OURS, order="endpoint, credential_id"
        )
        self.assertRecordValues(
            rows,
            [
                {
                    "endpoint": "test_governance.echo",
                    "credential_id": self.credential.id,
                    "requests": 3,
                    "errors_4xx": 1,
                    "errors_5xx": 0,
                    "rate_limited": 0,
                    "bytes_in": 8,
                },
                {
                    "endpoint": "test_governance.echo",
                    "credential_id": False,
                    "requests": 1,
                    "errors_4xx": 1,
                    "errors_5xx": 0,
                    "rate_limited": 0,
                    "bytes_in": 0,
                },
                {
                    "endpoint": "test_governance.open",
                    "credential_id": False,
                    "requests": 1,
                    "errors_4xx": 0,
                    "errors_5xx": 0,
                    "rate_limited": 0,
                    "bytes_in": 2,
                },
            ],
        )
        self.assertEqual(self.credential.request_count, 3)
        self.assertTrue(self.credential.last_used_at)

    # --- ERRORS ---

    def test_errors(self):
        for how, status, code in (
            ("user", 422, "unprocessable"),
            ("access", 403, "forbidden"),
            ("params", 422, "test_params"),
            ("unknown", 409, "test_never_described"),
            ("none", 404, "not_found"),
        ):
            with mute_logger("odoo.http"):
                response = self.call(f"fail/{how}", "POST", self.key)
            self.assertFails(response, status, code)
            self.assertNotIn("Inner words", response.text)
            self.assertFalse(self.env["test_governance.queue"].search([]), how)
        response = self.call("fail/params", "POST", self.key)
        self.assertEqual(response.json()["error"]["message"], "Wrong field 手机.")
        self.assertEqual(int(response.headers["Content-Length"]), len(response.content))

    def test_unexpected_errors(self):
        for how in ("crash", "sql"):
            with self.assertLogs("odoo.http", "ERROR") as logs:
                response = self.call(f"fail/{how}", "POST", self.key)
            self.assertFails(response, 500, "internal")
            self.assertNotIn("secret inner life", response.text)
            self.assertIn("Traceback", "\n".join(logs.output))
            self.assertFalse(self.env["test_governance.queue"].search([]), how)

    def test_method(self):
        response = self.call("open", "GET")
        self.assertFails(response, 405, "method_not_allowed")
        self.assertEqual(response.headers["Allow"], "POST")
        response = self.call("echo/x", "HEAD", self.key)
        self.assertEqual(response.status_code, 200)

    def test_unknown_parameter_is_ignored(self):
        response = self.call("echo/here?name=there&limit=3&other=4", key=self.key)
        self.assertEqual(response.json()["name"], "here")
        self.assertEqual(response.json()["limit"], "3")

    def test_hostile_parameters(self):
        # None of them may cost a stranger's request a trace in the log.
        with self.assertNoLogs("odoo.http", "ERROR"):
            for query in ("self=1", "self=1&self=2", "params=1", "cls=1"):
                response = self.call(f"echo/x?{query}")
                self.assertFails(response, 401, "unauthorized")
                response = self.call(f"echo/x?{query}", key=self.key)
                self.assertEqual(response.status_code, 200)
            for path in ("echo/%00", "echo/x?limit=%00"):
                response = self.call(path, key=self.key)
                self.assertFails(response, 400, "bad_request")

    def test_language(self):
        # The language of whoever asks for one that is not installed.
        self.env["res.company"].search([]).partner_id.lang = "en_US"
        texts = {
            lang: self.call("echo/x", headers={"Accept-Language": lang}).json()[
                "error"
            ]["message"]
            for lang in ("en", "zh-CN,zh;q=0.9", "zh", "fr")
        }
        self.assertEqual(texts["en"], "A valid key is needed.")
        self.assertEqual(texts["fr"], "A valid key is needed.")
        self.assertEqual(texts["zh-CN,zh;q=0.9"], "需要有效的密钥。")
        self.assertEqual(texts["zh"], "需要有效的密钥。")

    # --- SESSIONS AND CURSORS ---

    def test_no_session(self):
        response = self.call("echo/x", key=self.key)
        self.assertNotIn("session_id", response.cookies)
        self.assertNotIn("Set-Cookie", response.headers)
        response = self.call("echo/x")
        self.assertNotIn("Set-Cookie", response.headers)

    def test_cookie_lends_no_rights(self):
        self.authenticate("admin", "admin")
        response = self.call("echo/x", key=self.key)
        self.assertEqual(response.json()["user"], "public")
        # Nor its user's time zone.
        self.assertEqual(response.json()["context"], ["lang"])
        self.assertFails(self.call("echo/x"), 401, "unauthorized")

    def test_read_only_route(self):
        with self.assertNoLogs("odoo.http", "WARNING"):
            response = self.call("read", key=self.key)
        self.assertEqual(response.json(), [True, "secret"])

    def test_repeated_request_counts_once(self):
        from ..controllers.guarded import TestGuarded

        self.credential.rate = 1024
        self.patch(TestGuarded, "tries", 0)
        with (
            patch.object(rates, "WINDOW_SECONDS", 3600),
            patch("odoo.service.model.time.sleep"),
        ):
            response = self.call("retry", "POST", self.key, data=b"123")
        self.assertEqual(response.json(), {"size": 3})
        self.assertEqual(TestGuarded.tries, 2)
        # One token of the block was spent.
        [pocket] = rates._pockets.values()
        self.assertEqual(pocket.tokens, block(1024, 0) - 1)
        usage.buffer.flush(self.env.cr.dbname)
        self.env.invalidate_all()
        self.assertEqual(self.env["governance.usage"].search(OURS).requests, 1)

    def test_signature_and_open_have_no_credential(self):
        response = self.call("open", "POST", data=b"1")
        self.assertEqual(response.json(), {"credential": 0})
        self.assertFails(self.call("open", "POST", data=b"1" * 1001), 413, "too_large")

    def test_an_open_route_limits_each_address(self):
        self.credential.rate = 5
        with patch.object(rates, "WINDOW_SECONDS", 3600):
            for _turn in range(20):
                self.assertEqual(self.call("open", "POST").status_code, 200)
            response = self.call("open", "POST")
            self.assertFails(response, 429, "rate_limited")
            self.assertGreater(int(response.headers["Retry-After"]), 0)
            # what a client says of itself does not make it another one
            for header in ("X-Forwarded-For", "X-Real-IP", "Forwarded"):
                response = self.call("open", "POST", headers={header: "203.0.113.9"})
                self.assertFails(response, 429, "rate_limited")
            # keys have limits of their own
            self.assertEqual(self.call("echo/x", key=self.key).status_code, 200)
            with patch("odoo.addons.crm_data_governance.endpoint.network") as network:
                network.return_value = "2001:db8::/64"
                self.assertEqual(self.call("open", "POST").status_code, 200)
        rows = self.env["governance.rate"].search([("client", "!=", False)])
        self.assertEqual(len(rows), 2)
        self.assertFalse([row for row in rows if "127.0.0.1" in row.client])

    def test_catalogue(self):
        codes = self.env["governance.endpoint"].search([]).mapped("code")
        self.assertIn("test_governance.echo", codes)
        self.assertIn("governance.metrics", codes)
        echo = self.env["governance.endpoint"].search(
            [("code", "=", "test_governance.echo")]
        )
        self.assertRecordValues(
            echo,
            [
                {
                    "title": "Echo",
                    "path": "/test_governance/echo/<string:name>",
                    "methods": "GET POST",
                    "auth": "credential",
                    "scope": "test.echo",
                    "max_bytes": 1000,
                    "is_readonly": False,
                    "module": "test_crm_governance",
                }
            ],
        )
