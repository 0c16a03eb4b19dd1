from prometheus_client.parser import text_string_to_metric_families

from odoo.tests import HttpCase, tagged

from .. import rates, usage


@tagged("post_install", "-at_install")
class TestMetrics(HttpCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["governance.usage"].search([]).unlink()
        cls.credential, cls.key = cls.env["governance.credential"]._issue(
            {"name": "Prometheus", "scopes": "metrics", "rate": 0}
        )

    def setUp(self):
        super().setUp()
        rates.forget()
        usage.buffer.clear()
        self.addCleanup(usage.buffer.clear)

    def _metrics(self):
        response = self.url_open(
            "/metrics", headers={"Authorization": f"Bearer {self.key}"}
        )
        self.assertEqual(response.status_code, 200, response.text)
        self.assertTrue(response.headers["Content-Type"].startswith("text/plain"))
        return {
            family.name: {
                tuple(sample.labels.values()): sample.value
                for sample in family.samples
                if not sample.name.endswith("_created")
            }
            for family in text_string_to_metric_families(response.text)
        }

    def test_needs_the_scope(self):
        self.assertEqual(self.url_open("/metrics").status_code, 401)
        self.credential.scopes = "other"
        response = self.url_open(
            "/metrics", headers={"Authorization": f"Bearer {self.key}"}
        )
        self.assertEqual(response.status_code, 403)

    def test_families(self):
        Credential = self.env["governance.credential"]
        before = self._metrics()["crm_governance_credentials"]
        Credential._issue({"name": "b", "scopes": "x"})[0].action_revoke()
        Credential._issue({"name": "c", "scopes": "x", "expires_at": "2020-01-01"})
        Credential.create({"name": "d", "scopes": "x", "kind": "public"})
        for status in (200, 200, 204, 404, 429, 500):
            usage.buffer.add(
                self.env.cr.dbname, "e.one", self.credential.id, status, 10
            )
        usage.buffer.flush(self.env.cr.dbname)
        self.env.flush_all()
        metrics = self._metrics()
        credentials = metrics["crm_governance_credentials"]
        for labels, more in {
            ("secret", "active"): 0,
            ("secret", "revoked"): 1,
            ("secret", "expired"): 1,
            ("public", "no_key"): 1,
        }.items():
            self.assertEqual(credentials[labels], before.get(labels, 0) + more, labels)
        requests = metrics["crm_governance_requests"]
        self.assertEqual(
            [requests["e.one", status] for status in ("2xx", "4xx", "5xx")], [3, 2, 1]
        )
        self.assertEqual(metrics["crm_governance_rate_limited"]["e.one",], 1)
        self.assertEqual(metrics["crm_governance_received_bytes"]["e.one",], 60)
        # a counter never falls: not with time, nor with the key
        self.env["governance.usage"].search([]).hour = "2020-01-01"
        self.env["governance.usage"]._gc_usage()
        other, _key = Credential._issue({"name": "e", "scopes": "x"})
        usage.buffer.add(self.env.cr.dbname, "e.one", other.id, 200, 5)
        usage.buffer.flush(self.env.cr.dbname)
        other.action_revoke()
        other.unlink()
        later = self._metrics()
        requests = later["crm_governance_requests"]
        self.assertEqual(
            [requests["e.one", status] for status in ("2xx", "4xx", "5xx")], [4, 2, 1]
        )
        self.assertEqual(later["crm_governance_received_bytes"]["e.one",], 65)
        rows = self.env["governance.usage"].search([("endpoint", "=", "e.one")])
        self.assertEqual(len(rows), 1)
        [lag] = metrics["crm_governance_usage_flush_lag_seconds"].values()
        self.assertTrue(0 <= lag < 60)

    def test_policies_and_lineage(self):
        policies = self.env["governance.field.policy"]
        before = self._metrics()["crm_governance_field_policies"].get(("hidden",), 0)
        policies.create(
            [
                {
                    "name": "Hidden",
                    "model_id": self.env["ir.model"]._get_id("res.country"),
                    "field_ids": [(4, self.env.ref("base.field_res_country__code").id)],
                    "access": "hidden",
                    "active": active,
                }
                for active in (True, False)
            ]
        )
        self.env["governance.lineage.edge"]._refresh_lineage()
        self.env.flush_all()
        metrics = self._metrics()
        self.assertEqual(
            metrics["crm_governance_field_policies"]["hidden",], before + 1
        )
        self.assertEqual(
            metrics["crm_governance_lineage_edges"][()],
            self.env["governance.lineage.edge"].search_count([]),
        )
        self.assertTrue(0 <= metrics["crm_governance_lineage_age_seconds"][()] < 60)

    def test_read_only_request(self):
        with self.assertNoLogs("odoo.http", "WARNING"):
            self._metrics()

    def test_counts_itself(self):
        self._metrics()
        usage.buffer.flush(self.env.cr.dbname)
        requests = self._metrics()["crm_governance_requests"]
        self.assertEqual(requests["governance.metrics", "2xx"], 1)
