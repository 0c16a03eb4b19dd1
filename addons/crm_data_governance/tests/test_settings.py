from unittest.mock import patch

from odoo.tests import TransactionCase, tagged

from ..models.governance_secret import GovernanceSecret


@tagged("post_install", "-at_install")
class TestSettings(TransactionCase):
    def test_key_state(self):
        for origin, state in (
            ("environment", "environment"),
            ("file", "file"),
            (None, "none"),
        ):
            with patch.object(
                GovernanceSecret, "_read_key", lambda model, o=origin: ("key", o)
            ):
                settings = self.env["res.config.settings"].create({})
                self.assertEqual(settings.governance_secret_key_state, state)

    def test_catalogue_titles_are_translated(self):
        endpoint = self.env["governance.endpoint"].search(
            [("code", "=", "governance.metrics")]
        )
        self.assertEqual(
            endpoint.with_context(lang="en_US").title, "Metrics for Prometheus"
        )
        self.assertEqual(endpoint.with_context(lang="zh_CN").title, "Prometheus 指标")

    def test_catalogue_follows_the_code(self):
        Endpoint = self.env["governance.endpoint"]
        self.env.cr.execute(
            "UPDATE governance_endpoint SET scope = 'x'"
            " WHERE code = 'governance.metrics'"
        )
        self.env.cr.execute(
            "INSERT INTO governance_endpoint (code, path) VALUES ('gone', '/gone')"
        )
        Endpoint.invalidate_model()
        Endpoint._refresh_catalogue()
        self.assertFalse(Endpoint.search([("code", "=", "gone")]))
        self.assertEqual(
            Endpoint.search([("code", "=", "governance.metrics")]).scope, "metrics"
        )
        # Nothing to do: one look, no write.
        with self.assertQueryCount(1):
            Endpoint._refresh_catalogue()
