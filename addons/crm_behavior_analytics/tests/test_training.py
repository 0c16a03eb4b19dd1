import warnings

import numpy as np

from odoo.tests import BaseCase, tagged

from ..tools import calibration, gates, quality, training


def columns(data):
    return {f"x{number}": data[:, number] for number in range(data.shape[1])}


@tagged("post_install", "-at_install")
class TestTraining(BaseCase):
    """The trainer, against scikit-learn and against what must hold."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        from sklearn.datasets import make_classification
        from sklearn.model_selection import StratifiedKFold

        cls.data, cls.labels = make_classification(
            900, 8, n_informative=5, flip_y=0.15, weights=[0.7], random_state=3
        )
        cls.data[::13, 2] = np.nan
        cls.frame = columns(cls.data)
        cls.names = list(cls.frame)
        splitter = StratifiedKFold(3, shuffle=True, random_state=1)
        cls.folds = list(splitter.split(cls.data, cls.labels))
        cls.model, cls.report = training.train(
            cls.frame, cls.labels, cls.names, cls.folds, seed=5
        )

    def _area(self, estimator):
        from sklearn.model_selection import cross_val_score

        with warnings.catch_warnings():
            # it is given arrays, which have no names of columns
            warnings.simplefilter("ignore", UserWarning)
            return cross_val_score(
                estimator, self.data, self.labels, cv=self.folds, scoring="roc_auc"
            ).mean()

    def test_against_sklearn(self):
        """On the same folds: the same logistic regression, and no worse trees."""
        import lightgbm
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        linear = self._area(
            make_pipeline(
                SimpleImputer(strategy="median", add_indicator=True),
                StandardScaler(),
                LogisticRegression(max_iter=2000),
            )
        )
        trees = self._area(lightgbm.LGBMClassifier(n_jobs=1, verbose=-1))
        quality = self.report["models"]
        self.assertAlmostEqual(quality["logistic"]["auc"], linear, places=5)
        self.assertGreaterEqual(
            quality[self.report["chosen"]]["auc"], max(linear, trees) - 0.003
        )

    def test_real_data(self):
        from sklearn.datasets import load_breast_cancer
        from sklearn.model_selection import StratifiedKFold

        data, labels = load_breast_cancer(return_X_y=True)
        folds = list(
            StratifiedKFold(3, shuffle=True, random_state=0).split(data, labels)
        )
        frame = columns(data)
        _model, report = training.train(frame, labels, list(frame), folds)
        self.assertTrue(report["usable"])
        self.assertGreater(report["models"][report["chosen"]]["auc"], 0.985)

    def test_metrics_against_sklearn(self):
        from sklearn import metrics

        rng = np.random.default_rng(1)
        labels = rng.integers(0, 2, 500)
        scores = np.round(rng.random(500) * 0.5 + labels * 0.3, 2)
        scores = np.clip(scores, 0.01, 0.99)
        found = quality.measure(labels, scores)
        self.assertAlmostEqual(found["auc"], metrics.roc_auc_score(labels, scores))
        self.assertAlmostEqual(found["brier"], metrics.brier_score_loss(labels, scores))
        self.assertAlmostEqual(found["log_loss"], metrics.log_loss(labels, scores))
        self.assertEqual(quality.auc([1, 1], [0.1, 0.2]), 0.5)

    def test_interval_covers(self):
        """Of 300 samples the 95 % interval covers the true AUC about 95 % of times."""
        from scipy.stats import norm

        truth = norm.cdf(1 / np.sqrt(2))
        rng = np.random.default_rng(2)
        covered = 0
        for _sample in range(300):
            scores = np.concatenate([rng.normal(1, 1, 60), rng.normal(0, 1, 90)])
            area = quality.auc([1] * 60 + [0] * 90, scores)
            low, high = quality.auc_interval(area, 60, 90)
            covered += low <= truth <= high
        self.assertTrue(270 <= covered <= 297, covered)

    def test_calibration(self):
        """The true probability comes out, also where labels are noisy; few or many."""
        rng = np.random.default_rng(4)
        for noise in (0.0, 0.1):
            for rows in (150, 900, 6000):
                with self.subTest(noise=noise, rows=rows):
                    self._check_calibration(rng, rows, noise)

    def _check_calibration(self, rng, rows, noise):
        def truth(margin):
            return noise + (1 - 2 * noise) / (1 + np.exp(-(1.5 * margin - 1)))

        margin = rng.normal(0, 2, rows)
        labels = (rng.random(rows) < truth(margin)).astype(int)
        fitted = calibration.calibrate(margin, labels)
        fresh = np.sort(rng.normal(0, 2, 20000))
        stated = fitted(fresh)
        self.assertLess(np.mean(np.abs(stated - truth(fresh))), 1 / np.sqrt(rows))
        self.assertTrue(np.all(np.diff(stated) >= 0), "ranks are kept")
        self.assertTrue(np.all((stated > 0) & (stated < 1)))

    def test_useless_margins(self):
        """Whoever cannot rank says how often it happens, to everybody."""
        labels = np.array([1, 1, 0, 1] * 10)
        fitted = calibration.calibrate(-labels.astype(float), labels)
        np.testing.assert_allclose(fitted(np.array([-9.0, 0, 9])), 0.75)

    def test_calibrated_out_of_fold(self):
        """Stated and seen differ by no more than chance (chi-square, 99.9 %)."""
        from scipy.stats import chi2

        curve = self.report["calibration"]
        self.assertEqual(sum(part["rows"] for part in curve), len(self.labels))
        statistic = sum(
            part["rows"]
            * (part["seen"] - part["stated"]) ** 2
            / (part["stated"] * (1 - part["stated"]))
            for part in curve
        )
        self.assertLess(statistic, chi2.ppf(0.999, len(curve)))

    def test_contributions_add_up(self):
        """What the features add is the margin, less the same constant for every row."""
        for kind in ("lightgbm", "logistic"):
            model = training.fit(kind, self.frame, self.labels, self.names)
            parts = model.contributions(self.frame)
            self.assertEqual(parts.shape, self.data.shape)
            rest = model.margin(self.frame) - parts.sum(axis=1)
            self.assertLess(np.ptp(rest), 1e-9, kind)

    def test_text(self):
        """A stored model says the same: no pickle, plain text."""
        for kind in ("lightgbm", "logistic"):
            model = training.fit(kind, self.frame, self.labels, self.names)
            again = training.Model.from_text(model.to_text())
            np.testing.assert_array_equal(
                again.predict(self.frame), model.predict(self.frame)
            )
            np.testing.assert_array_equal(
                again.contributions(self.frame), model.contributions(self.frame)
            )

    def test_seed(self):
        folds = self.folds[:1]
        first, report = training.train(
            self.frame, self.labels, self.names, folds, seed=9
        )
        second, again = training.train(
            self.frame, self.labels, self.names, folds, seed=9
        )
        self.assertEqual(first.to_text(), second.to_text())
        self.assertEqual(report, again)

    def test_no_leak_between_units(self):
        """Labels that only the unit knows cannot be learnt: its rows stay together."""
        rng = np.random.default_rng(8)
        groups = np.repeat(np.arange(120), 5)
        secret = rng.integers(0, 2, 120)[groups]
        frame = {"unit": rng.random(120)[groups], "noise": rng.random(600)}
        half = np.isin(groups, np.arange(60))
        folds = [(np.flatnonzero(half), np.flatnonzero(~half))]
        _model, report = training.train(
            frame, secret, list(frame), folds, groups, seed=1
        )
        self.assertLess(report["models"]["lightgbm"]["auc"], 0.62)
        # and what the calibration was fitted on did not see its own units
        self.assertGreater(report["models"]["lightgbm"]["log_loss"], 0.6)

    def test_folds_are_out_of_time(self):
        times = np.repeat(np.arange(0, 300, 30), 4)
        folds = training.rolling_folds(times, reach=67)
        self.assertEqual(len(folds), 3)
        for train, test in folds:
            moment = set(times[test].tolist())
            self.assertEqual(len(moment), 1)
            self.assertLessEqual(times[train].max() + 67, moment.pop())
        self.assertEqual(training.rolling_folds(times, reach=900), [])

    def test_worse_than_the_rule(self):
        """A target that one figure tells alone, through noise that invites to learn."""
        rng = np.random.default_rng(3)
        rows = 300
        frame = {f"noise{number}": rng.random(rows) for number in range(60)}
        frame["figure"] = rng.random(rows)
        labels = (rng.random(rows) < frame["figure"]).astype(int)
        half = np.arange(rows // 2)
        folds = [(half, half + rows // 2)]
        model, report = training.train(frame, labels, list(frame), folds, rule="figure")
        self.assertTrue(report["usable"])
        self.assertEqual(report["chosen"], "rule")
        self.assertEqual(model.names, ("figure",))
        (finding,) = report["findings"]
        self.assertEqual(finding["code"], "worse_than_rule")
        self.assertEqual(finding["params"]["rule"], "figure")
        params = finding["params"]
        self.assertLessEqual(params["auc"], params["rule_auc"] + training.MARGIN)
        again = training.Model.from_text(model.to_text())
        np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
        order = np.argsort(frame["figure"])
        self.assertTrue(np.all(np.diff(model.predict(frame)[order]) >= 0))

    def test_the_simpler_one_is_chosen(self):
        """A straight line that trees can only approach: the line is put to use."""
        rng = np.random.default_rng(6)
        data = rng.normal(size=(1200, 4))
        line = data @ np.array([1.0, -0.7, 0.5, 0.3])
        labels = (rng.random(1200) < 1 / (1 + np.exp(-line))).astype(int)
        half = np.arange(600)
        frame = columns(data)
        _model, report = training.train(
            frame, labels, list(frame), [(half, half + 600)]
        )
        self.assertEqual(report["chosen"], "logistic")

    def test_a_leak_is_suspected(self):
        """A figure that was filled in afterwards, by its value or by being there."""
        rng = np.random.default_rng(7)
        rows = 400
        labels = rng.integers(0, 2, rows)
        frame = {
            "honest": labels + rng.normal(0, 1, rows),
            "refund": labels * 100.0 + rng.random(rows),
            "closed_on": np.where(labels == 1, rng.random(rows), np.nan),
        }
        half = np.arange(rows // 2)
        folds = [(half, half + rows // 2)]
        _model, report = training.train(frame, labels, list(frame), folds)
        self.assertFalse(report["usable"])
        self.assertEqual(
            {
                finding["params"]["feature"]
                for finding in report["findings"]
                if finding["code"] == "leak_suspected"
            },
            {"refund", "closed_on"},
        )
        _model, report = training.train(frame, labels, ["honest"], folds)
        self.assertTrue(report["usable"])

    def test_nothing_to_learn(self):
        rng = np.random.default_rng(9)
        frame = {"noise": rng.random(400), "more": rng.random(400)}
        labels = rng.integers(0, 2, 400)
        half = np.arange(200)
        _model, report = training.train(
            frame, labels, list(frame), [(half, half + 200)]
        )
        self.assertFalse(report["usable"])
        self.assertIn("no_signal", {one["code"] for one in report["findings"]})

    def test_hostile_columns(self):
        """Infinite, constant, empty and oddly named columns do no harm."""
        frame = dict(self.frame)
        frame['a "name", with: {signs}'] = np.full(len(self.labels), np.inf)
        frame["empty"] = np.full(len(self.labels), np.nan)
        frame["same"] = np.ones(len(self.labels))
        model, report = training.train(
            frame, self.labels, list(frame), self.folds[:1], seed=5
        )
        self.assertTrue(report["usable"])
        self.assertTrue(np.all(np.isfinite(model.predict(frame))))

    def test_flagging(self):
        """Counted by hand: ten rows, four positives."""
        labels = [1, 1, 0, 1, 0, 0, 1, 0, 0, 0]
        scores = np.linspace(1, 0.1, 10)
        self.assertEqual(
            quality.flagging(labels, scores, (0.2, 0.5)),
            [
                {"share": 0.2, "precision": 1.0, "recall": 0.5},
                {"share": 0.5, "precision": 0.6, "recall": 0.75},
            ],
        )
        share, threshold = quality.flag_for_recall(labels, scores, 0.75)
        self.assertEqual((share, threshold), (0.4, scores[3]))
        self.assertEqual(quality.flag_for_recall(labels, scores, 1.0)[0], 0.7)

    def test_calibration_error(self):
        curve = [
            {"stated": 0.2, "seen": 0.1, "rows": 30},
            {"stated": 0.8, "seen": 0.8, "rows": 10},
        ]
        self.assertAlmostEqual(quality.calibration_error(curve), 0.075)

    def test_age_of_the_facts(self):
        from datetime import datetime, timedelta

        now = datetime(2026, 5, 4)

        def check(days):
            newest = now - timedelta(days=days)
            finding, forbids = gates.check_age(newest, now, 60, 67)
            return finding and finding.code, forbids

        self.assertEqual(check(10), (None, False))
        self.assertEqual(check(30), ("stale_data", False))
        self.assertEqual(check(70), ("too_stale", True))
        self.assertEqual(gates.check_age(None, now, 60, 67), (None, False))

    def test_gate(self):
        labels = np.array([1] * 10 + [0] * 200)
        groups = np.arange(210)
        times = np.repeat([0, 100], 105)

        def codes(labels, groups, folds, **gate):
            findings = gates.check_data(labels, groups, folds, gates.Gate(**gate))
            return {finding.code: finding.params for finding in findings}

        rng = np.random.default_rng(0)
        rng.shuffle(labels)
        folds = training.rolling_folds(times, 50)
        self.assertEqual(codes(labels, groups, folds, positives=10), {})
        self.assertEqual(
            codes(labels, groups, folds),
            {"few_positives": {"found": 10, "needed": 30}},
        )
        self.assertEqual(
            codes(1 - labels, groups, folds),
            {"few_negatives": {"found": 10, "needed": 30}},
        )
        self.assertEqual(
            codes(labels, groups % 7, folds, positives=1, negatives=1)["few_units"],
            {"found": 7, "needed": 100},
        )
        self.assertIn("short_history", codes(labels, groups, [], positives=1))
        for same, code in ((1, "all_positive"), (0, "all_negative")):
            self.assertEqual(
                codes(np.full(210, same), groups, folds), {code: {"found": 210}}
            )

    def test_reasons(self):
        parts = np.array([[0.5, -1.0, 0.2, 0.01], [-0.1, -0.2, -0.3, -0.4]])
        self.assertEqual(
            training.top_reasons(parts, ["a", "b", "c", "d"], most=3),
            [[("a", 0.5), ("c", 0.2)], []],
        )
