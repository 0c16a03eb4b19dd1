import time
from urllib.parse import urlencode

from odoo.tests import HttpCase, tagged

from odoo.addons.crm_omnichannel.tools.platform import Keys
from odoo.addons.crm_omnichannel.tools.platform_crypto import encrypt, sign

KEYS = Keys("ww1", "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C")
RANDOM = b"0123456789abcdef"
EVENT = (
    "<xml><ToUserName>ww1</ToUserName><CreateTime>{at}</CreateTime>"
    "<MsgType>event</MsgType><Event>change_external_contact</Event>"
    "<ChangeType>edit_external_contact</ChangeType>"
    "<ExternalUserID>{external}</ExternalUserID></xml>"
)


@tagged("post_install", "-at_install")
class TestCallbackHttp(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.channel = cls.env["omni.channel"].create(
            {
                "name": "WeCom",
                "code": "test-wecom",
                "type": "wecom",
                "company_id": False,
                "platform_app_id": KEYS.app_id,
                "platform_secret": "s3cr3t",
                "callback_token": KEYS.token,
                "callback_aes_key": KEYS.aes_key,
            }
        )
        cls.nonce = 0

    def query(self, ciphertext, timestamp=None, nonce=None, **more):
        type(self).nonce += 1
        timestamp = str(timestamp or int(time.time()))
        nonce = nonce or str(self.nonce)
        signature = sign(KEYS.token, timestamp, nonce, ciphertext)
        return {
            "msg_signature": signature,
            "timestamp": timestamp,
            "nonce": nonce,
            **more,
        }

    def post(self, message, path="wecom/test-wecom", body=None, **options):
        if isinstance(message, str):
            message = message.encode()
        ciphertext = encrypt(KEYS.aes_key, message, KEYS.app_id, RANDOM)
        query = self.query(ciphertext, **options)
        if body is None:
            body = f"<xml><Encrypt><![CDATA[{ciphertext}]]></Encrypt></xml>"
        return self.url_open(
            f"/omni/callback/{path}?{urlencode(query)}",
            data=body,
            headers={"Content-Type": "text/xml"},
            method="POST",
        )

    def event(self, external="wm1", at=1):
        return EVENT.format(external=external, at=at)

    def stored(self):
        self.env.invalidate_all()
        return self.env["omni.callback"].search([("channel_id", "=", self.channel.id)])

    def refused(self, response, status, code):
        self.assertEqual(response.status_code, status, response.text)
        self.assertEqual(response.json()["error"]["code"], code)
        self.assertLess(len(response.content), 300)
        self.assertNotIn("Traceback", response.text)
        self.assertFalse(self.stored())

    def test_url_check(self):
        echo = encrypt(KEYS.aes_key, b"1616140317555161061", KEYS.app_id, RANDOM)
        path = "/omni/callback/wecom/test-wecom?"
        # a channel that is being set up is not active yet
        self.channel.state = "paused"
        query = self.query(echo, echostr=echo)
        answer = self.url_open(path + urlencode(query))
        self.assertEqual(answer.status_code, 200)
        # no quotes, no mark, no line end
        self.assertEqual(answer.content, b"1616140317555161061")
        query["nonce"] = "other"
        answer = self.url_open(path + urlencode(query))
        self.refused(answer, 403, "bad_signature")
        self.refused(self.url_open(path), 403, "bad_signature")

    def test_event_is_stored_and_answered(self):
        answer = self.post(self.event())
        self.assertEqual((answer.status_code, answer.content), (200, b""))
        callback = self.stored()
        self.assertEqual(callback.subject, "contact:wm1")
        self.assertEqual(callback.state, "waiting")
        self.assertEqual(callback.payload_text, self.event())
        # nothing was fetched in the request
        self.assertFalse(self.env["omni.token"].search([]).fetched_at)

    def test_platform_repeats_land_once(self):
        for _try in range(3):
            self.assertEqual(self.post(self.event()).status_code, 200)
        self.assertEqual(self.stored().repeat_count, 2)
        # the same change at another time is another message
        self.assertEqual(self.post(self.event(at=2)).status_code, 200)
        self.assertEqual(len(self.stored()), 2)

    def test_replay(self):
        now = int(time.time())
        for timestamp in (now - 400, now + 400, 1409659813):
            answer = self.post(self.event(), timestamp=timestamp)
            self.refused(answer, 403, "callback_replayed")
        self.assertEqual(self.post(self.event("wm9"), nonce="same").status_code, 200)
        self.stored().unlink()
        answer = self.post(self.event("wm9"), nonce="same")
        self.refused(answer, 403, "callback_replayed")

    def test_wrong_signature(self):
        ciphertext = encrypt(KEYS.aes_key, b"<xml><A>1</A></xml>", KEYS.app_id, RANDOM)
        query = self.query(ciphertext)
        for change in (
            {"msg_signature": "0" * 40},
            {"msg_signature": ""},
            {"msg_signature": "签名"},
            {"timestamp": "abc"},
            {"nonce": "another"},
        ):
            answer = self.url_open(
                "/omni/callback/wecom/test-wecom?" + urlencode({**query, **change}),
                data=f"<xml><Encrypt>{ciphertext}</Encrypt></xml>",
                method="POST",
            )
            self.refused(answer, 403, "bad_signature")

    def test_bad_bodies(self):
        for body in (
            b"",
            b"{}",
            b"<xml><Encrypt>",
            b"<xml><Encrypt>\xff\xfe</Encrypt></xml>",
            b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>"
            b"<xml><Encrypt>&b;</Encrypt></xml>",
            b"<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x'>"
            b"<xml><Encrypt>1</Encrypt></xml>",
        ):
            answer = self.post(self.event(), body=body or b" ")
            self.refused(answer, 400, "bad_callback")
        for message in ("no xml", "<!DOCTYPE x><xml><Event>1</Event></xml>"):
            self.refused(self.post(message), 400, "bad_callback")
        answer = self.post(self.event(), body=b"<xml>" + b" " * 70_000 + b"</xml>")
        self.refused(answer, 413, "too_large")

    def test_unknown_address(self):
        for path in ("wecom/unknown", "wechat_oa/test-wecom", "http/test-wecom"):
            self.refused(self.post(self.event(), path=path), 404, "not_found")
        shop = self.env["omni.channel"].create(
            {"name": "Shop", "code": "test-shop", "type": "http"}
        )
        answer = self.post(self.event(), path=f"http/{shop.code}")
        self.refused(answer, 404, "not_found")
        # a channel that has no keys yet answers as one that is not there
        self.channel.sudo().callback_token_id._seal("")
        self.refused(self.post(self.event()), 404, "not_found")

    def test_paused(self):
        self.channel.action_pause()
        self.refused(self.post(self.event()), 409, "channel_paused")

    def test_another_method(self):
        answer = self.url_open(
            "/omni/callback/wecom/test-wecom", method="PUT", data="1"
        )
        self.refused(answer, 405, "method_not_allowed")
