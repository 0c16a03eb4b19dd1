import gzip
import json

from odoo.tests import HttpCase, tagged

from .common import NOW, OmniCase  # noqa: F401  the case's helpers


@tagged("post_install", "-at_install")
class TestHttp(HttpCase, OmniCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = cls.channel.issue_key()

    def post(self, body, code="test-shop", key=None, **headers):
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
        headers = {
            "Authorization": f"Bearer {key or self.key}",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        data = body.encode() if isinstance(body, str) else body
        return self.url_open(
            f"/omni/v1/records/{code}", data=data, headers=headers, method="POST"
        )

    def error_of(self, response, status):
        self.assertEqual(response.status_code, status, response.text)
        self.assertNotIn("Traceback", response.text)
        self.assertEqual(set(response.json()), {"error"})
        return response.json()["error"]["code"]

    def test_list_lines_and_object(self):
        answer = self.post([{"id": 1, "name": "A"}, {"id": 2}, 3])
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(
            answer.json(),
            {
                "accepted": 2,
                "duplicates": 0,
                "refused": [{"index": 2, "error": "not_an_object"}],
            },
        )
        answer = self.post(
            '{"id": 3}\n{"id": 1, "name": "A"}\n{bad\n',
            Content_Type="application/x-ndjson",
        )
        self.assertEqual(
            answer.json(),
            {
                "accepted": 1,
                "duplicates": 1,
                "refused": [{"index": 2, "error": "unreadable"}],
            },
        )
        self.assertEqual(self.post({"id": 4}).json()["accepted"], 1)
        self.env.invalidate_all()
        self.assertEqual(self.channel.accepted_count, 4)
        self.assertEqual(self.channel.refused_count, 2)

    def test_too_many_refused(self):
        answer = self.post([{"id": 1}, *[0] * 1000])
        self.assertEqual(len(answer.json()["refused"]), 1000)
        answer = self.post([{"id": 2}, *[0] * 1001])
        self.assertEqual(self.error_of(answer, 400), "too_many_refused")
        self.env.invalidate_all()
        self.assertEqual(self.channel.accepted_count, 1)

    def test_gzip(self):
        packed = gzip.compress(json.dumps([{"id": 9}]).encode())
        answer = self.post(packed, Content_Encoding="gzip")
        self.assertEqual(answer.json()["accepted"], 1)
        answer = self.post(packed[:-12], Content_Encoding="gzip")
        self.assertEqual(self.error_of(answer, 400), "bad_request")
        answer = self.post(b"no gzip", Content_Encoding="gzip")
        self.assertEqual(self.error_of(answer, 400), "bad_request")
        bomb = gzip.compress(b" " * (33 * 2**20))
        answer = self.post(bomb, Content_Encoding="gzip")
        self.assertEqual(self.error_of(answer, 413), "too_large")

    def test_idempotency_key(self):
        first = self.post({"a": 1}, Idempotency_Key="order-7")
        again = self.post({"a": 2}, Idempotency_Key="order-7")
        self.assertEqual(first.json()["accepted"], 1)
        self.assertEqual(again.json()["duplicates"], 1)
        batch = self.post([{"a": 1}, {"a": 1}], Idempotency_Key="batch-7")
        self.assertEqual(batch.json()["accepted"], 2)
        batch = self.post([{"a": 1}, {"a": 1}], Idempotency_Key="batch-7")
        self.assertEqual(batch.json()["duplicates"], 2)
        answer = self.post({"a": 1}, Idempotency_Key="x" * 300)
        self.assertEqual(self.error_of(answer, 400), "bad_idempotency_key")

    def test_keys(self):
        answer = self.post({"id": 1}, key="wrong")
        self.assertEqual(self.error_of(answer, 401), "unauthorized")
        other = self.make_channel("other")
        other_key = other.issue_key()
        answer = self.post({"id": 1}, key=other_key)
        self.assertEqual(self.error_of(answer, 403), "forbidden")
        answer = self.post({"id": 1}, code="no-such-channel")
        self.assertEqual(self.error_of(answer, 403), "forbidden")
        old_key, self.key = self.key, self.channel.issue_key()
        answer = self.post({"id": 1}, key=old_key)
        self.assertEqual(self.error_of(answer, 401), "unauthorized")
        self.assertEqual(self.post({"id": 1}).status_code, 200)
        self.assertEqual(
            self.env["omni.record"].search_count([("channel_id", "=", other.id)]), 0
        )

    def test_paused_and_wrong_type(self):
        self.channel.action_pause()
        answer = self.post({"id": 1})
        self.assertEqual(self.error_of(answer, 409), "channel_paused")
        self.channel.write({"state": "active", "type": "odoo"})
        self.assertEqual(self.error_of(self.post({"id": 1}), 404), "not_found")

    def test_bodies_that_are_none(self):
        self.assertEqual(self.error_of(self.post(b""), 400), "empty_body")
        self.assertEqual(self.error_of(self.post(b" \n "), 400), "empty_body")
        answer = self.url_open(
            "/omni/v1/records/test-shop",
            headers={"Authorization": f"Bearer {self.key}"},
        )
        self.assertEqual(self.error_of(answer, 405), "method_not_allowed")
        answer = self.post(b"\x00\xff\xfe garbage")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["accepted"], 0)
        self.assertEqual(len(answer.json()["refused"]), 1)

    def test_catalogue(self):
        from odoo.addons.crm_data_governance.endpoint import CATALOGUE

        entry = CATALOGUE["omni.records"]
        self.assertEqual((entry.scope, entry.auth), ("omni.records", "credential"))
