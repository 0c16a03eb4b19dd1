from odoo.tests import HttpCase

from odoo.addons.crm_data_governance import rates, usage


class GuardCase(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Texts are compared in both, whatever the database was made with.
        for lang in ("en_US", "zh_CN"):
            cls.env["res.lang"]._activate_lang(lang)
        cls.credential, cls.key = cls.env["governance.credential"]._issue(
            {"name": "Tester", "scopes": "test.echo other", "rate": 0}
        )

    def setUp(self):
        super().setUp()
        rates.forget()
        usage.buffer.clear()
        self.addCleanup(usage.buffer.clear)

    def call(self, path, method="GET", key=None, headers=None, **kwargs):
        headers = dict(headers or {})
        if key:
            headers["Authorization"] = f"Bearer {key}"
        return self.url_open(
            f"/test_governance/{path}", method=method, headers=headers, **kwargs
        )

    def assertFails(self, response, status, code):
        self.assertEqual(response.status_code, status, response.text)
        self.assertEqual(
            response.headers["Content-Type"], "application/json; charset=utf-8"
        )
        error = response.json()["error"]
        self.assertEqual(error["code"], code)
        self.assertTrue(error["message"])
        self.assertEqual(set(error), {"code", "message"})
        self.assertNotIn("Traceback", response.text)
