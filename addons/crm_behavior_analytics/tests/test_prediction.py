import json
import shutil
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import TransactionCase, new_test_user, tagged

from odoo.addons.crm_omnichannel.models import omni_job
from odoo.addons.crm_omnichannel.runner import end_process

from ..messages import MESSAGES
from ..tools.training import Finding
from .generated import customers

CUSTOMERS = 400


class PredictionCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "tracking_disable": True})
        cls.company = cls.env["res.company"].create({"name": "Predicted"})
        cls.prediction = cls.env["behavior.prediction"].create(
            {
                "name": "Churn",
                "code": "churn",
                "company_id": cls.company.id,
                "step_days": 60,
                "min_acts": 3,
            }
        )
        cls.Score = cls.env["behavior.score"]

    def setUp(self):
        super().setUp()
        base = Path(tempfile.mkdtemp(prefix="crm_prediction_test_"))
        self.addCleanup(shutil.rmtree, base, ignore_errors=True)
        root = base / "crm_jobs" / self.env.cr.dbname
        self.startPatcher(
            patch.object(type(self.env["omni.job"]), "_root_path", lambda job: root)
        )
        # Jobs of a served database are none of ours.
        self.env["omni.job"].search([]).write({"state": "cancelled"})
        self.addCleanup(self._end_processes, root)

    def _end_processes(self, root):
        for path in root.glob("*/process.json"):
            process = json.loads(path.read_text())
            end_process(process["pid"], process["key"])
        # One that has just ended is waited for, or the runner takes it for a lost one.
        for child in omni_job._children.values():
            child.wait(10)

    def _finish(self, prediction, seconds=120):
        """Let the real runner do the job of a prediction."""
        return self._finish_job(prediction.job_id, seconds)

    def _finish_job(self, job, seconds=120):
        self.env.flush_all()
        until = time.monotonic() + seconds
        while job.state in ("waiting", "running"):
            self.assertLess(time.monotonic(), until, "the job does not end")
            with self.enter_registry_test_mode():
                job._cron_tick()
            job.invalidate_recordset()
            time.sleep(0.1)
        self.assertEqual(job.state, "done", f"{job.error}\n{job.output}")
        return job


@tagged("post_install", "-at_install")
class TestTrainAndScore(PredictionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.now = fields.Datetime.now()
        partners = cls.env["res.partner"].create(
            [{"name": f"Customer {number}"} for number in range(CUSTOMERS)]
        )
        cls.partners = partners
        tables = customers(CUSTOMERS, cls.now, seed=11)
        cls._insert_orders(tables["orders"])
        cls._track_events(tables["events"])

    @classmethod
    def _insert_orders(cls, orders):
        """Confirmed orders, with what the features read of them."""
        cls.env.flush_all()
        cls.env.cr.execute_values(
            "INSERT INTO sale_order (name, state, date_order, partner_id,"
            " partner_invoice_id, partner_shipping_id, amount_untaxed, currency_rate,"
            " picking_policy, company_id) VALUES %s",
            [
                (
                    f"G{number}",
                    "sale",
                    order["known_at"],
                    *[cls.partners[order["unit_id"] - 1].id] * 3,
                    order["amount"] / 100,
                    1.0,
                    "direct",
                    cls.company.id,
                )
                for number, order in enumerate(orders)
            ],
        )

    @classmethod
    def _track_events(cls, events):
        source = cls.env["behavior.source"].create(
            {"name": "Shop", "code": "shop", "company_id": cls.company.id}
        )
        cls.env["behavior.event"]._claim_identities(
            source,
            {
                ("user_id", f"u{number}"): partner.id
                for number, partner in enumerate(cls.partners, 1)
            },
        )
        verdicts = cls.env["behavior.event"]._track(
            source,
            [
                {
                    "type": event["type"],
                    "event": "Product Viewed",
                    "userId": f"u{event['unit_id']}",
                    "messageId": str(number),
                    "timestamp": event["at"].isoformat(),
                    "receivedAt": event["known_at"].isoformat(),
                }
                for number, event in enumerate(events)
                if event["known_at"] <= cls.now
            ],
        )
        assert {verdict["status"] for verdict in verdicts} == {"accepted"}

    def test_train_score_explain(self):
        """The whole road through the real runner: facts, model, scores, reasons."""
        prediction = self.prediction
        prediction.action_train()
        with self.assertRaises(UserError, msg="one job at a time"):
            prediction.action_train()
        folder = prediction.job_id._folder_path()
        self._finish(prediction)
        self.assertFalse(folder.exists(), "personal data go with the folder")
        version = prediction.version_id
        self.assertEqual((prediction.state, version.state), ("active", "active"))
        self.assertGreater(version.auc, version.rule_auc)
        self.assertGreater(version.auc, 0.75)
        self.assertLessEqual(version.auc_low, version.auc)
        # The chatter tells of values, not in the words of who ran the job.
        self.env.flush_all()
        self.cr.precommit.run()
        tracked = prediction.message_ids.tracking_value_ids
        self.assertIn("version_id", tracked.field_id.mapped("name"))
        self.assertTrue(version.importance_html)

        prediction.action_score()
        self._finish(prediction)
        scores = prediction.score_ids
        self.assertGreater(len(scores), 50)
        self.assertEqual(set(scores.mapped("res_model")), {"res.partner"})
        for score in scores:
            band = (
                "high"
                if score.score >= prediction.high_from
                else "medium"
                if score.score >= prediction.medium_from
                else "low"
            )
            self.assertEqual(score.band, band)
            self.assertEqual(score.partner_id.id, score.res_id)
        top = scores[0]
        self.assertEqual(top.score, max(scores.mapped("score")))
        self.assertTrue(top.reasons)
        chinese = top.with_context(lang="zh_CN")
        self.assertNotEqual(top.reasons_text, chinese.reasons_text)
        partner = top.partner_id.with_company(self.company)
        self.assertEqual(partner.behavior_churn_band, top.band)
        self.assertAlmostEqual(partner.behavior_churn_score, top.score, places=3)
        first_reason = top.reasons_text.split("; ")[0]
        self.assertIn(first_reason, partner.behavior_churn_reasons)
        contact = self.env["res.partner"].create(
            {"name": "Contact", "parent_id": top.partner_id.id}
        )
        self.assertEqual(
            contact.with_company(self.company).behavior_churn_band, top.band
        )
        nodes = set(self.env["governance.lineage"]._lineage_edges())
        node = f"prediction:{self.company.id}/churn/{version.number}"
        self.assertIn(
            (node, "res.partner.behavior_churn_score"),
            {(edge.source, edge.target) for edge in nodes},
        )
        self.assertIn(
            ("feature:days_since_order", node),
            {(edge.source, edge.target) for edge in nodes},
        )
        self.assertIn(
            ("sale.order.date_order", "feature:days_since_order"),
            {(edge.source, edge.target) for edge in nodes},
        )


@tagged("post_install", "-at_install")
class TestPrediction(PredictionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.partner = cls.env["res.partner"].create({"name": "Wang Wei"})
        cls.version = cls.env["behavior.prediction.version"].create(
            {
                "prediction_id": cls.prediction.id,
                "number": 1,
                "state": "active",
                "auc": 0.8,
                "report": {"names": ["days_since_order"], "findings": []},
            }
        )
        cls.reason = {
            "code": "days_since_order",
            "effect": 1.2,
            "params": {"days_since_order": 74, "order_gap_mean": 31},
        }

    def _replace(self, *rows):
        self.Score._replace(
            self.prediction, self.version, list(rows), fields.Datetime.now()
        )
        return self.prediction.score_ids

    def test_too_little_data(self):
        """A thin data set gets plain sentences, not a bad score."""
        self.prediction.action_train()
        self._finish(self.prediction)
        self.assertEqual(self.prediction.state, "refused")
        self.assertFalse(self.prediction.version_id)
        self.assertIn("0 days", self.prediction.findings_text)
        self.assertIn("天", self.prediction.with_context(lang="zh_CN").findings_text)
        with self.assertRaisesRegex(UserError, "train it first"):
            self.prediction.action_score()

    def test_worse_than_the_rule_is_not_used(self):
        """A version that is in use stays when the new one is no good."""
        self.prediction.write({"version_id": self.version.id, "state": "active"})
        finding = Finding(
            "worse_than_rule", {"auc": 0.6, "rule_auc": 0.7, "rule": "tenure_days"}
        )
        job = (
            self.env["omni.job"]
            .sudo()
            .create(
                {
                    "name": "x",
                    "function": "crm_x_tools.x:x",
                    "timeout": 1,
                    "memory": 1,
                    "arguments": {"spec": {"prediction_id": self.prediction.id}},
                    "result": {"usable": False, "findings": [vars(finding)]},
                }
            )
        )
        self.prediction._collect_training(job, Path("/nowhere"))
        self.assertEqual(self.prediction.version_id, self.version)
        self.assertEqual(self.prediction.state, "active")
        self.assertEqual(self.prediction.last_version_id.number, 2)
        self.assertEqual(self.prediction.last_version_id.state, "refused")
        self.assertIn("Days as a customer", self.prediction.findings_text)

    def test_sentences(self):
        """Every finding of the trainer has its sentence, in both languages."""
        version = self.env["behavior.prediction.version"]
        params = {"found": 1, "needed": 2, "auc": 0.5, "rule_auc": 0.6, "rule": "x"}
        for code in (
            "few_units",
            "few_positives",
            "few_negatives",
            "no_history",
            "short_history",
            "worse_than_rule",
        ):
            self.assertIn(code, MESSAGES)
            finding = {"code": code, "params": params}
            text = version._render_finding(finding)
            self.assertNotIn("%(", text)
            chinese = version.with_context(lang="zh_CN")._render_finding(finding)
            self.assertNotEqual(text, chinese)

    def test_scores_are_replaced(self):
        other = self.env["res.partner"].create({"name": "Li Na"})
        scores = self._replace(
            [self.partner.id, 0.5, [self.reason]], [other.id, 0.1, []], [10**8, 0.9, []]
        )
        self.assertEqual(
            scores.mapped(lambda s: (s.partner_id, s.band, s.trend)),
            [(self.partner, "medium", "steady"), (other, "low", "steady")],
        )
        self.assertEqual(scores[0].reasons_text, "No order for 74 days, usual gap 31")
        score = self._replace([self.partner.id, 0.8, []])
        self.assertRecordValues(
            score,
            [
                {
                    "partner_id": self.partner.id,
                    "score": 0.8,
                    "previous_score": 0.5,
                    "trend": "up",
                    "band": "high",
                    "reasons_text": "",
                }
            ],
        )

    def test_many_scores(self):
        partners = self.env["res.partner"].create(
            [{"name": str(number)} for number in range(300)]
        )
        rows = [[partner.id, 0.5, [self.reason]] for partner in partners]
        self.env.flush_all()
        with self.assertQueryCount(6):
            self.Score._replace(
                self.prediction, self.version, rows[:1], fields.Datetime.now()
            )
        with self.assertQueryCount(6):
            self.Score._replace(
                self.prediction, self.version, rows, fields.Datetime.now()
            )

    def test_partners_by_risk(self):
        self._replace([self.partner.id, 0.9, []])
        partners = self.env["res.partner"].with_company(self.company)
        for domain, found in (
            ([("behavior_churn_band", "=", "high")], True),
            ([("behavior_churn_band", "=", "low")], False),
            ([("behavior_churn_band", "!=", "high")], False),
            ([("behavior_churn_band", "=", False)], False),
            ([("behavior_churn_band", "!=", False)], True),
        ):
            with self.subTest(domain=domain):
                result = partners.search([*domain, ("id", "=", self.partner.id)])
                self.assertEqual(bool(result), found)
        elsewhere = self.partner.with_company(self.env.ref("base.main_company"))
        self.assertFalse(elsewhere.behavior_churn_band)

    def test_rights(self):
        self._replace([self.partner.id, 0.9, [self.reason]])
        users = {
            name: new_test_user(
                self.env,
                f"prediction_{name}",
                group,
                company_id=self.company.id,
                company_ids=[(6, 0, self.company.ids)],
            )
            for name, group in (
                ("salesman", "sales_team.group_sale_salesman"),
                ("user", "crm_behavior_analytics.group_behavior_user"),
                ("manager", "crm_behavior_analytics.group_behavior_manager"),
                ("stranger", "base.group_user"),
            )
        }
        for name in ("salesman", "user", "manager"):
            partner = self.partner.with_user(users[name])
            self.assertEqual(partner.behavior_churn_band, "high")
            self.assertIn("74", partner.behavior_churn_reasons)
        with self.assertRaises(AccessError):
            self.partner.with_user(users["stranger"]).read(["behavior_churn_band"])
        for name in ("salesman", "user"):
            with self.assertRaises(AccessError):
                self.prediction.with_user(users[name]).action_train()
        self.prediction.with_user(users["manager"]).action_train()
        with self.assertRaises(AccessError):
            self.Score.with_user(users["manager"]).search([]).write({"score": 0})
        foreigner = new_test_user(
            self.env,
            "prediction_foreigner",
            "crm_behavior_analytics.group_behavior_manager",
        )
        self.assertFalse(
            self.Score.with_user(foreigner).search(
                [("prediction_id", "=", self.prediction.id)]
            )
        )

    def test_checks(self):
        with self.assertRaisesRegex(ValidationError, "commerce, behavior"):
            self.prediction.feature_providers = "commerce nonsense"
        # A code stands in addresses and in the names of the lineage.
        for wrong in ("two words", "<b>", "Churn", "churn\n", "x" * 65):
            with self.assertRaises(ValidationError):
                self.prediction.code = wrong
        self.prediction.feature_providers = "behavior"
        spec = self.prediction._prepare_spec(
            fields.Datetime.now(), self.prediction._providers(), {"orders.parquet": 1}
        )
        self.assertIsNone(spec["rule"], "its feature is not among those used")
        self.assertEqual(spec["tables"], ["orders"])

    def test_cron_scores_what_is_in_use(self):
        other = self.prediction.copy({"code": "other"})
        self.prediction.write({"version_id": self.version.id, "state": "active"})
        self.version.model = b"e30="
        self.env["behavior.prediction"].search(
            [("id", "not in", (self.prediction | other).ids)]
        ).active = False
        self.env["behavior.prediction"]._cron_score()
        self.assertTrue(self.prediction.job_id)
        self.assertFalse(other.job_id)

    def test_erasure(self):
        self._replace([self.partner.id, 0.9, []])
        report = self.env["governance.erasure"]._erase_person(self.partner, [])
        self.assertIn("behavior.score", [entry["model"] for entry in report])
        self.assertFalse(self.prediction.score_ids)

    def test_metrics(self):
        self.prediction.write({"version_id": self.version.id, "state": "active"})
        self.Score._replace(
            self.prediction,
            self.version,
            [[self.partner.id, 0.9, []]],
            fields.Datetime.now() - timedelta(hours=2),
        )
        families = {
            family.name: {
                tuple(sample.labels.values()): sample.value for sample in family.samples
            }
            for family in self.env["governance.metrics"]._metric_families()
        }
        company = str(self.company.id)
        self.assertEqual(
            families["crm_behavior_prediction_auc"][company, "churn", "1"], 0.8
        )
        self.assertEqual(families["crm_behavior_scores"][company, "churn", "high"], 1)
        self.assertAlmostEqual(
            families["crm_behavior_score_age_seconds"][company, "churn"],
            7200,
            delta=120,
        )
