from odoo.tests import HttpCase, tagged

ORIGIN = "https://shop.example.com"


@tagged("post_install", "-at_install")
class TestCheckEndpoint(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = cls.env["behavior.source"].create(
            {"name": "Shop", "code": "shop-check", "origins": ORIGIN}
        )
        cls.key = cls.source.issue_key()

    def _check(self, key, origin=ORIGIN):
        headers = {"Authorization": f"Bearer {key}"}
        if origin:
            headers["Origin"] = origin
        return self.url_open("/behavior/check", headers=headers, method="POST")

    def test_accepted(self):
        response = self._check(self.key)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.json(), {"source": "shop-check", "origin": ORIGIN})
        self.assertEqual(response.headers["Access-Control-Allow-Origin"], ORIGIN)

    def test_refused(self):
        for key, origin, status in [
            ("nonsense", ORIGIN, 401),
            (self.key, "https://elsewhere.example.com", 403),
            (self.key, None, 403),
        ]:
            with self.subTest(origin=origin, status=status):
                response = self._check(key, origin)
                self.assertEqual(response.status_code, status)
                self.assertIn("error", response.json())

    def test_revoked(self):
        self.source.action_archive()
        self.assertEqual(self._check(self.key).status_code, 401)

    def test_key_of_another_part(self):
        """A key with the scope but without a source has nothing to check."""
        _credential, key = self.env["governance.credential"]._issue(
            {
                "name": "Other",
                "kind": "public",
                "scopes": "behavior.append",
                "origins": ORIGIN,
            }
        )
        self.assertEqual(self._check(key).status_code, 404)
