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

from odoo.addons.crm_omnichannel.models import omni_job_supervision
from odoo.addons.crm_omnichannel.runner import end_process

from ..messages import MESSAGES
from ..tools.gates import Finding
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
        for child in omni_job_supervision._children.values():
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
        self.assertFalse(prediction.job_id.arguments["spec"]["chosen"])
        self.assertEqual(
            contact.with_company(self.company).behavior_churn_band, top.band
        )
        # Who wants no profile has no score after the next scoring, all others keep one.
        others = scores.partner_id - top.partner_id
        self.env["omni.consent"].with_company(self.company)._record(
            top.partner_id, "profiling", "denied"
        )
        prediction.action_score()
        self._finish(prediction)
        self.assertEqual(prediction.score_ids.partner_id, others)
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

    def test_preview(self):
        """What is counted before the training is what the orders say."""
        prediction = self.prediction
        half = self.partners[: CUSTOMERS // 2]
        prediction.chosen_domain = str([("id", "in", half.ids)])
        prediction.action_preview()
        self._finish(prediction)
        moments = prediction.preview["moments"]
        self.assertGreater(len(moments), 3)
        self.env.cr.execute(
            """
            SELECT count(*), count(*) FILTER (WHERE NOT stays) FROM (
                SELECT partner_id,
                       bool_or(date_order >= %(start)s AND date_order < %(end)s)
                           AS stays
                FROM sale_order
                WHERE company_id = %(company)s AND partner_id = ANY(%(chosen)s)
                GROUP BY partner_id
                HAVING count(*) FILTER (WHERE date_order < %(as_of)s) >= 3
                   AND max(date_order) FILTER (WHERE date_order < %(as_of)s)
                       >= %(active)s
            ) AS customer
            """,
            self._times(moments[-1]["as_of"])
            | {"company": self.company.id, "chosen": half.ids},
        )
        expected = self.env.cr.fetchone()
        self.assertGreater(expected[1], 5)
        self.assertEqual((moments[-1]["eligible"], moments[-1]["positives"]), expected)
        self.assertIn(str(prediction.preview["now"]), prediction.preview_html)
        self.assertFalse(prediction.version_ids)

    def _times(self, as_of):
        moment = fields.Datetime.to_datetime(as_of.replace("T", " ")[:19])
        moment += timedelta(microseconds=int(as_of[20:] or 0))
        start = moment + timedelta(days=self.prediction.gap_days)
        return {
            "as_of": moment,
            "start": start,
            "end": start + timedelta(days=self.prediction.horizon_days),
            "active": moment - timedelta(days=self.prediction.active_days),
        }

    def test_facts_that_stopped(self):
        """An import that stands still does not make everybody a churner."""
        self.env.cr.execute(
            "UPDATE sale_order SET date_order = date_order - interval '40 days'"
            " WHERE company_id = %s",
            [self.company.id],
        )
        prediction = self.prediction
        prediction.action_preview()
        self._finish(prediction)
        self.assertIn("40", prediction.preview_html)
        rates = [
            one["positives"] / one["eligible"] for one in prediction.preview["moments"]
        ]
        self.assertLess(rates[-1], 0.7)
        prediction.horizon_days = 20
        prediction.action_train()
        self._finish(prediction)
        self.assertEqual(prediction.state, "refused")
        self.assertIn("27", prediction.findings_text)


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
        params = {
            "found": 1,
            "needed": 2,
            "auc": 0.5,
            "rule_auc": 0.6,
            "rule": "x",
            "feature": "tenure_days",
            "days": 40,
            "horizon": 67,
        }
        for code in (
            "all_negative",
            "all_positive",
            "leak_suspected",
            "no_signal",
            "stale_data",
            "too_stale",
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

    def _run_cron(self):
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref("crm_behavior_analytics.ir_cron_score").method_direct_trigger()
        self.env.invalidate_all()

    def test_rule_does_not_replace_a_model(self):
        """The simple rule is put to use where there is nothing, and only there."""
        report = {
            "usable": True,
            "chosen": "rule",
            "findings": [],
            "models": {
                kind: dict.fromkeys(("auc", "brier", "log_loss", "lift"), 0.7)
                for kind in ("rule", "logistic", "lightgbm")
            },
            "auc_interval": [0.6, 0.8],
            "calibration_error": 0.01,
            "base_rate": 0.3,
            "rows": 1000,
            "units": 100,
            "folds": [{"rule_feature": "tenure_days"}],
        }
        job = self.env["omni.job"].new(
            {
                "arguments": {"spec": {"prediction_id": self.prediction.id}},
                "result": report,
            }
        )
        self.prediction._collect_training(job, Path("/nowhere"))
        self.assertEqual(self.prediction.version_id.kind, "rule")
        self.prediction.version_id = self.version
        self.prediction._collect_training(job, Path("/nowhere"))
        self.assertEqual(self.prediction.version_id, self.version)

    def test_version_shows_its_quality(self):
        self.version.report = {
            **self.version.report,
            "recall": 0.85,
            "recall_share": 0.4,
            "recall_threshold": 0.35,
            "flagging": [{"share": 0.1, "precision": 0.9, "recall": 0.2}],
            "calibration": [{"stated": 0.12, "seen": 0.15, "rows": 77}],
        }
        self.assertEqual(
            self.version.flag_text,
            "To find 85 % of those whom it happens to, look after the 40 % with the"
            " highest scores: from 35 % on.",
        )
        self.assertIn("90.0 %", self.version.flagging_html)
        self.prediction.write({"contact_cost": 20, "contact_value": 100})
        # ten of a hundred are looked after, nine of them are hits
        self.assertIn("700", self.version.flagging_html)
        self.assertIn("77", self.version.calibration_html)

    def test_back_to_an_earlier_version(self):
        earlier, bare = self.version.create(
            [
                {
                    "prediction_id": self.prediction.id,
                    "number": number,
                    "state": "retired",
                    "kind": kind,
                }
                for number, kind in ((2, "logistic"), (3, False))
            ]
        )
        self.prediction.write({"version_id": self.version.id, "state": "active"})
        company = {"company_id": self.company.id, "company_ids": self.company.ids}
        manager, user = (
            new_test_user(self.env, f"prediction_back_{name}", group, **company)
            for name, group in (
                ("manager", "crm_behavior_analytics.group_behavior_manager"),
                ("user", "crm_behavior_analytics.group_behavior_user"),
            )
        )
        with self.assertRaises(AccessError):
            earlier.with_user(user).action_use()
        with self.assertRaisesRegex(UserError, "no model"):
            bare.with_user(manager).action_use()
        earlier.with_user(manager).action_use()
        self.assertEqual(self.prediction.version_id, earlier)
        self.assertEqual((earlier.state, self.version.state), ("active", "retired"))

    def test_what_counts_can_be_chosen(self):
        self.prediction.chosen_domain = "[('country_id.code', '=', 'CN')]"
        feature = self.env["behavior.feature"].search([("code", "=", "tenure_days")])
        self.prediction.excluded_feature_ids = feature
        spec = self.prediction._prepare_spec(
            fields.Datetime.now(), self.prediction._providers(), {"orders.parquet": 1}
        )
        self.assertEqual(spec["without"], ["tenure_days"])
        self.assertEqual(spec["rule"], "days_since_order")
        self.assertEqual(spec["purchases"], [], "one of its figures is left out")
        for wrong in ("[('nonsense', '=', 1)]", "[(", "__import__('os')"):
            with self.assertRaisesRegex(ValidationError, "cannot be read"):
                self.prediction.chosen_domain = wrong

    def test_what_is_missing_for_a_score(self):
        partner = self.partner.with_company(self.company)

        def missing():
            partner.invalidate_recordset()
            return partner.behavior_churn_missing or ""

        self.assertIn("not been trained", missing())
        self.prediction.write({"version_id": self.version.id, "state": "active"})
        self.assertIn("Nobody has been scored", missing())
        other = self.env["res.partner"].create({"name": "Li Na"})
        self._replace([other.id, 0.5, []])
        self.assertIn("0 confirmed orders, at least 3", missing())
        product = self.env["product.product"].create({"name": "Tea"})
        orders = self.env["sale.order"].create(
            [
                {
                    "partner_id": self.partner.id,
                    "company_id": self.company.id,
                    "date_order": "2020-01-01 10:00:00",
                    "state": "sale",
                    "order_line": [(0, 0, {"product_id": product.id})],
                }
            ]
            * 3
        )
        self.assertIn("365 days", missing())
        orders[0].date_order = fields.Datetime.now()
        self.assertIn("once a day", missing())
        self._replace([self.partner.id, 0.5, []])
        self.assertFalse(missing())
        elsewhere = self.partner.with_company(
            self.env["res.company"].create({"name": "E"})
        )
        self.assertIn("no churn prediction", elsewhere.behavior_churn_missing)

    def test_scores_follow_the_salesperson(self):
        user = new_test_user(
            self.env, "prediction_owner", "sales_team.group_sale_salesman"
        )
        self.partner.user_id = user
        score = self._replace([self.partner.id, 0.5, []])
        self.assertEqual(score.user_id, user)
        self.partner.user_id = self.env.user
        self.assertEqual(score.user_id, self.env.user)

    def test_cron_scores_what_is_in_use(self):
        other = self.prediction.copy({"code": "other"})
        self.prediction.write({"version_id": self.version.id, "state": "active"})
        self.version.model = b"e30="
        self.env["behavior.prediction"].search(
            [("id", "not in", (self.prediction | other).ids)]
        ).active = False
        self._run_cron()
        self.assertTrue(self.prediction.job_id)
        self.assertFalse(other.job_id)

    def test_one_that_fails_does_not_stop_the_others(self):
        self.env["behavior.prediction"].search([]).active = False
        broken = self.prediction
        good = broken.copy({"code": "good"})
        for prediction in broken | good:
            version = self.version
            if prediction == good:
                version = version.create(
                    {"prediction_id": good.id, "number": 1, "state": "active"}
                )
            prediction.write(
                {"version_id": version.id, "state": "active", "active": True}
            )
        self.version.model = False
        good.version_id.model = b"e30="
        with self.assertLogs(
            "odoo.addons.crm_behavior_analytics.models.behavior_prediction", "ERROR"
        ):
            self._run_cron()
        self.assertFalse(broken.job_id)
        self.assertTrue(good.job_id)
        self.assertIn("could not be renewed", broken.problem)
        self.assertIn("未能更新", broken.with_context(lang="zh_CN").problem)
        self.assertFalse(good.problem)
        self.version.model = b"e30="
        broken.action_score()
        self.assertFalse(broken.problem)

    def test_the_band_is_that_of_the_score_shown(self):
        limit = self.prediction.medium_from
        score = self._replace([self.partner.id, limit - 0.0004, []])
        self.assertEqual((score.score, score.band), (limit, "medium"))

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
