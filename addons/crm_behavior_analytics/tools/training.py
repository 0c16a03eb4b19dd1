"""The trainer: any frame of features and labels → a model and an honest report.

It knows nothing of customers or of churn.  Features are columns of numbers (NaN for
unknown), labels 0 or 1.  Quality is measured out of time: a fold is trained on rows
whose outcome was known at the time of the fold's test rows (``reach``), and tested on
those.  LightGBM and logistic regression are both trained; the better one is kept, and
compared with a rule of one feature.  A model that does not rank better than the rule is
reported as not usable.

Scores are probabilities: margins (log-odds) calibrated on predictions that were made
for rows the model had not seen (cross-fitting by unit), by a sigmoid, a sigmoid with a
floor and a ceiling or isotonic regression, whichever is best on held-out rows (Platt
1999; Zadrozny and Elkan 2002).
Contributions are exact Shapley values in log-odds: LightGBM's TreeSHAP (Lundberg et al.
2020), for the linear model weight times distance from the mean.

Everything is determined by the seed.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from math import sqrt

import numpy as np

ROUNDS = 600
PATIENCE = 30
INNER_FOLDS = 4
# So many rows of both classes are needed to tell a floor and a ceiling, or steps.
BOUNDED_FROM = 30
ISOTONIC_FROM = 500
CALIBRATION_FOLDS = 5
TOP_SHARE = 0.1
CURVE_BINS = 10
Z95 = 1.959963984540054


@dataclass(frozen=True)
class Finding:
    """What is wrong with the data or the model, as code and parameters."""

    code: str
    params: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Gate:
    """The least that is trained on: units (customers, tickets …) of each outcome."""

    units: int = 100
    positives: int = 30
    negatives: int = 30


# --- DATA ---


def matrix(frame, names):
    """Columns of a frame (pandas, Polars or dict) as one array of float64.

    :return: shape (rows, len(names)), NaN for what is unknown
    """
    columns = [np.asarray(frame[name], dtype=np.float64) for name in names]
    return np.column_stack(columns) if columns else np.empty((0, 0))


def rolling_folds(times, reach, most=3):
    """Folds out of time.

    :param times: when each row was taken, in days; shape (rows,)
    :param float reach: days after which the outcome of a row is known
    :param int most: greatest number of folds, the latest ones
    :return: list of (train indexes, test indexes), the oldest first; training rows had
        their outcome at the time of the test rows
    """
    times = np.asarray(times, dtype=np.float64)
    folds = []
    for moment in sorted(set(times.tolist()), reverse=True):
        train = np.flatnonzero(times + reach <= moment)
        if not len(train) or len(folds) == most:
            break
        folds.append((train, np.flatnonzero(times == moment)))
    return folds[::-1]


def check_data(labels, groups, folds, gate=None):
    """What is missing before training makes sense.

    :param labels: 0 or 1, shape (rows,)
    :param groups: unit of each row, shape (rows,)
    :param list folds: of :func:`rolling_folds`
    :param Gate gate: least numbers
    :return: list of :class:`Finding`, empty when there is enough
    """
    gate = gate or Gate()
    labels, groups = np.asarray(labels), np.asarray(groups)
    counts = (
        ("few_units", groups, gate.units),
        ("few_positives", groups[labels == 1], gate.positives),
        ("few_negatives", groups[labels == 0], gate.negatives),
    )
    findings = []
    for code, rows, needed in counts:
        found = len(set(rows.tolist()))
        if found < needed:
            findings.append(Finding(code, {"found": found, "needed": needed}))
    if not any(_both(labels[train]) and _both(labels[test]) for train, test in folds):
        findings.append(Finding("short_history"))
    return findings


def _both(labels):
    return 0 < np.sum(labels) < len(labels)


# --- CALIBRATION ---


@dataclass(frozen=True)
class Calibration:
    """Margin → probability: a sigmoid (``slope``, ``offset``) between a floor and a
    ceiling, or a rising line through points (``margins``, ``values``)."""

    slope: float = 1.0
    offset: float = 0.0
    floor: float = 0.0
    ceiling: float = 1.0
    margins: "tuple | None" = None
    values: "tuple | None" = None

    def __call__(self, margin):
        """:param margin: array of log-odds
        :return: array of probabilities
        """
        if self.margins:
            return np.interp(margin, self.margins, self.values)
        share = _sigmoid(self.slope * np.asarray(margin) + self.offset)
        return self.floor + (self.ceiling - self.floor) * share


def _sigmoid(value):
    return 1.0 / (1.0 + np.exp(-np.clip(value, -50, 50)))


def calibrate(margins, labels):
    """Fit a :class:`Calibration` to margins of rows that the model had not seen.

    Of a sigmoid, a sigmoid with a floor and a ceiling (labels are noisy: no margin is
    certain) and, with enough rows, the isotonic line the one that foretells held-out
    rows best, by log loss.
    """
    labels = np.asarray(labels)
    positives = int(np.sum(labels))
    smaller = min(positives, len(labels) - positives)
    candidates = [_fit_sigmoid]
    if smaller >= BOUNDED_FROM:
        candidates.append(_fit_bounded)
    if smaller >= ISOTONIC_FROM:
        candidates.append(_fit_isotonic)
    if len(candidates) == 1:
        return _fit_sigmoid(margins, labels)
    # Rows of all margins in each part, whatever their order was.
    part = np.empty(len(labels), dtype=np.int64)
    part[np.lexsort((labels, margins))] = np.arange(len(labels)) % CALIBRATION_FOLDS
    losses = {}
    for fit_one in candidates:
        scores = np.empty(len(labels))
        for number in range(CALIBRATION_FOLDS):
            rest = part != number
            scores[~rest] = fit_one(margins[rest], labels[rest])(margins[~rest])
        losses[fit_one] = measure(labels, scores)["log_loss"]
    return min(losses, key=losses.get)(margins, labels)


def _fit_sigmoid(margins, labels):
    from sklearn.linear_model import LogisticRegression

    line = LogisticRegression(C=1e6).fit(margins.reshape(-1, 1), labels)
    slope, offset = float(line.coef_[0, 0]), float(line.intercept_[0])
    if slope <= 0:
        # Margins that do not rank at all: everybody gets the mean.
        mean = float(np.mean(labels))
        return Calibration(0.0, float(np.log(mean / (1 - mean))))
    return Calibration(slope, offset)


def _fit_bounded(margins, labels):
    """Most likely sigmoid between a floor and a ceiling."""
    from scipy.optimize import minimize

    start = _fit_sigmoid(margins, labels)
    if start.slope <= 0:
        return start

    def calibration(values):
        slope, offset, low, high = values
        return Calibration(
            float(np.exp(slope)),
            float(offset),
            float(0.5 * _sigmoid(low)),
            float(1 - 0.5 * _sigmoid(high)),
        )

    def loss(values):
        scores = np.clip(calibration(values)(margins), 1e-9, 1 - 1e-9)
        return -np.mean(labels * np.log(scores) + (1 - labels) * np.log(1 - scores))

    found = minimize(
        loss,
        [np.log(start.slope), start.offset, -3.0, -3.0],
        method="L-BFGS-B",
        # a floor or ceiling of nothing is the plain sigmoid
        bounds=[(None, None), (None, None), (-12, 12), (-12, 12)],
    )
    return calibration(found.x)


def _fit_isotonic(margins, labels):
    """Isotonic steps, each put at its centre.

    The line between two centres rises, so that no ranking is lost inside a step
    (centred isotonic regression, Oron and Flournoy 2017).
    """
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit_transform(margins, labels)
    values, step = np.unique(fitted, return_inverse=True)
    sizes = np.bincount(step)
    centres = np.bincount(step, weights=margins) / sizes
    # A step of n rows of one class says "rare", never "impossible".
    values = np.clip(values, 1 / (2 * sizes), 1 - 1 / (2 * sizes))
    values = np.maximum.accumulate(values)
    return Calibration(margins=tuple(centres.tolist()), values=tuple(values.tolist()))


# --- MODELS ---


@dataclass(frozen=True)
class Model:
    """A trained model.

    :ivar kind: ``lightgbm`` or ``logistic``
    :ivar names: features, in the order of the columns
    :ivar calibration: margins → probabilities
    :ivar body: LightGBM's own text, or the dict of a linear model
    """

    kind: str
    names: tuple
    calibration: Calibration
    body: "str | dict"

    def margin(self, frame):
        """:return: log-odds before calibration, shape (rows,)"""
        return _KINDS[self.kind].margin(self.body, matrix(frame, self.names))

    def predict(self, frame):
        """:return: probabilities, shape (rows,)"""
        return self.calibration(self.margin(frame))

    def contributions(self, frame):
        """:return: what each feature adds to a row's log-odds, against the average;
        shape (rows, features)
        """
        return _KINDS[self.kind].contributions(self.body, matrix(frame, self.names))

    def to_text(self):
        """The model as JSON, with LightGBM's own text format inside."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text):
        """The model that :meth:`to_text` wrote."""
        values = json.loads(text)
        calibration = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values["calibration"].items()
        }
        return cls(
            values["kind"],
            tuple(values["names"]),
            Calibration(**calibration),
            values["body"],
        )


class _Trees:
    """LightGBM."""

    @staticmethod
    def fit(data, labels, valid, names, seed, threads, rounds=None):
        """:return: (body, best number of rounds)"""
        import lightgbm

        smaller = int(min(np.sum(labels), len(labels) - np.sum(labels)))
        params = {
            "objective": "binary",
            "learning_rate": 0.04,
            "num_leaves": 15,
            "min_data_in_leaf": int(np.clip(smaller // 10, 5, 40)),
            "lambda_l2": 1.0,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "seed": seed,
            "verbosity": -1,
        }
        train = lightgbm.Dataset(data, labels, feature_name=list(names))
        sets, callbacks = [], []
        if valid:
            sets = [lightgbm.Dataset(*valid, reference=train)]
            callbacks = [lightgbm.early_stopping(PATIENCE, verbose=False)]
        booster = lightgbm.train(
            params,
            train,
            num_boost_round=rounds or ROUNDS,
            valid_sets=sets,
            callbacks=callbacks,
        )
        return booster.model_to_string(num_iteration=-1), booster.best_iteration

    @staticmethod
    def _booster(body):
        import lightgbm

        return lightgbm.Booster(model_str=body)

    @classmethod
    def margin(cls, body, data, rounds=None):
        return cls._booster(body).predict(data, raw_score=True, num_iteration=rounds)

    @classmethod
    def contributions(cls, body, data):
        return cls._booster(body).predict(data, pred_contrib=True)[:, :-1]


class _Linear:
    """Logistic regression on standardised columns; unknown values are the median, and
    a column of their own says so."""

    @staticmethod
    def fit(data, labels, valid, names, seed, threads, rounds=None):
        """:return: (body, None)"""
        from sklearn.linear_model import LogisticRegression

        unknown = np.isnan(data)
        medians = [
            float(np.median(column[~gaps])) if not gaps.all() else 0.0
            for column, gaps in zip(data.T, unknown.T, strict=True)
        ]
        body = {
            "medians": medians,
            "flagged": np.flatnonzero(unknown.any(axis=0)).tolist(),
            "features": data.shape[1],
        }
        full = _Linear._expand(body, data)
        scale = full.std(axis=0)
        body["means"] = full.mean(axis=0).tolist()
        body["scales"] = np.where(scale > 0, scale, 1.0).tolist()
        fitted = LogisticRegression(max_iter=2000).fit(
            _Linear._standard(body, full), labels
        )
        body["weights"] = fitted.coef_[0].tolist()
        body["intercept"] = float(fitted.intercept_[0])
        return body, None

    @staticmethod
    def _expand(body, data):
        unknown = np.isnan(data)
        filled = np.where(unknown, np.asarray(body["medians"]), data)
        return np.hstack([filled, unknown[:, body["flagged"]].astype(np.float64)])

    @staticmethod
    def _standard(body, full):
        return (full - np.asarray(body["means"])) / np.asarray(body["scales"])

    @classmethod
    def margin(cls, body, data, rounds=None):
        full = cls._standard(body, cls._expand(body, data))
        return full @ np.asarray(body["weights"]) + body["intercept"]

    @classmethod
    def contributions(cls, body, data):
        full = cls._standard(body, cls._expand(body, data))
        parts = full * np.asarray(body["weights"])
        result = parts[:, : body["features"]].copy()
        # what "unknown" says counts with the feature that is unknown
        for place, column in enumerate(body["flagged"]):
            result[:, column] += parts[:, body["features"] + place]
        return result


_KINDS = {"lightgbm": _Trees, "logistic": _Linear}


def fit(kind, frame, labels, names, groups=None, seed=0, threads=1):
    """Train one model and calibrate it on rows that it has not seen.

    :param str kind: ``lightgbm`` or ``logistic``
    :param frame: pandas, Polars or dict of columns
    :param labels: 0 or 1, both present; shape (rows,)
    :param names: features to use
    :param groups: unit of each row: the rows of one stay together
    :return: :class:`Model`
    """
    from sklearn.model_selection import StratifiedGroupKFold

    data, labels = matrix(frame, names), np.asarray(labels, dtype=np.int64)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    learner = _KINDS[kind]
    parts = []
    splitter = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    for train, test in splitter.split(data, labels, groups):
        if not _both(labels[train]):
            continue
        body, best = learner.fit(
            data[train],
            labels[train],
            (data[test], labels[test]),
            names,
            seed,
            threads,
        )
        parts.append((body, best, test))
    rounds = None
    if kind == "lightgbm":
        rounds = max(10, round(float(np.mean([best for _body, best, _test in parts]))))
    seen = np.concatenate([test for _body, _best, test in parts])
    margins = np.concatenate(
        [learner.margin(body, data[test], rounds) for body, _best, test in parts]
    )
    body, _best = learner.fit(data, labels, None, names, seed, threads, rounds)
    return Model(kind, tuple(names), calibrate(margins, labels[seen]), body)


@dataclass(frozen=True)
class Rule:
    """The simple rule: one feature, the more (or the less) the likelier."""

    name: str
    sign: int
    default: float
    calibration: Calibration

    def margin(self, frame):
        """:return: the feature, signed; shape (rows,)"""
        values = matrix(frame, [self.name])[:, 0]
        return self.sign * np.where(np.isnan(values), self.default, values)

    def predict(self, frame):
        """:return: probabilities, shape (rows,)"""
        return self.calibration(self.margin(frame))


def fit_rule(frame, labels, names, name=None):
    """The rule of one feature, by the training rows alone.

    :param str name: the feature; None for the one that ranks best
    :return: :class:`Rule`
    """
    best = None
    for candidate in [name] if name else names:
        values = matrix(frame, [candidate])[:, 0]
        known = values[~np.isnan(values)]
        default = float(np.median(known)) if len(known) else 0.0
        values = np.where(np.isnan(values), default, values)
        area = auc(labels, values)
        if best is None or abs(area - 0.5) > abs(best[0] - 0.5):
            best = (area, candidate, default, values)
    area, name, default, values = best
    sign = 1 if area >= 0.5 else -1
    scale = float(np.std(values)) or 1.0
    calibration = calibrate(sign * values / scale, np.asarray(labels))
    if calibration.margins:
        margins = tuple(margin * scale for margin in calibration.margins)
        calibration = replace(calibration, margins=margins)
    else:
        calibration = replace(calibration, slope=calibration.slope / scale)
    return Rule(name, sign, default, calibration)


# --- QUALITY ---


def auc(labels, scores):
    """Area under the ROC curve: the chance that a positive ranks above a negative."""
    from scipy.stats import rankdata

    labels = np.asarray(labels)
    positives = int(np.sum(labels))
    negatives = len(labels) - positives
    if not positives or not negatives:
        return 0.5
    ranks = rankdata(scores)[labels == 1].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def auc_interval(area, positives, negatives):
    """95 % interval of an AUC (Hanley and McNeil 1982).

    :return: (low, high), within 0 to 1
    """
    if not positives or not negatives:
        return 0.0, 1.0
    both_positive = area / (2 - area)
    both_negative = 2 * area * area / (1 + area)
    variance = (
        area * (1 - area)
        + (positives - 1) * (both_positive - area * area)
        + (negatives - 1) * (both_negative - area * area)
    ) / (positives * negatives)
    spread = Z95 * sqrt(max(variance, 0.0))
    return max(0.0, area - spread), min(1.0, area + spread)


def measure(labels, scores):
    """Quality of probabilities.

    :return: dict ``auc``, ``brier`` (mean squared error), ``log_loss`` (nats),
        ``lift`` (share of positives in the top tenth ÷ share in all), ``precision`` and
        ``recall`` of the top tenth
    """
    labels = np.asarray(labels, dtype=np.float64)
    scores = np.clip(np.asarray(scores, dtype=np.float64), 1e-9, 1 - 1e-9)
    top = np.argsort(-scores, kind="stable")[: max(1, round(len(scores) * TOP_SHARE))]
    base = float(labels.mean())
    precision = float(labels[top].mean())
    return {
        "auc": auc(labels, scores),
        "brier": float(np.mean((scores - labels) ** 2)),
        "log_loss": float(
            -np.mean(labels * np.log(scores) + (1 - labels) * np.log(1 - scores))
        ),
        "lift": precision / base if base else 0.0,
        "precision": precision,
        "recall": float(labels[top].sum() / labels.sum()) if base else 0.0,
    }


def calibration_curve(labels, scores):
    """Stated against seen: rows in groups of equal size by score.

    :return: list of {"stated", "seen", "rows"}
    """
    order = np.argsort(scores, kind="stable")
    return [
        {
            "stated": float(np.mean(np.asarray(scores)[part])),
            "seen": float(np.mean(np.asarray(labels)[part])),
            "rows": len(part),
        }
        for part in np.array_split(order, CURVE_BINS)
        if len(part)
    ]


# --- TRAINING ---


def train(
    frame,
    labels,
    names,
    folds,
    groups=None,
    seed=0,
    threads=1,
    rule=None,
    progress=None,
):
    """Train, measure out of time, choose.

    :param frame: pandas, Polars or dict of columns of numbers
    :param labels: 0 or 1, shape (rows,)
    :param names: features to use
    :param list folds: (train indexes, test indexes), see :func:`rolling_folds`
    :param groups: unit of each row, shape (rows,)
    :param int seed: of all chance
    :param int threads: of LightGBM
    :param str rule: feature of the simple rule, None for the best one
    :param progress: called with the share that is done
    :return: (:class:`Model`, report): a dict that JSON can hold, with ``usable``,
        ``chosen``, ``models`` (quality of each kind over all folds), ``folds``,
        ``findings``, ``importance``, ``calibration``
    """
    names = list(names)
    labels = np.asarray(labels, dtype=np.int64)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    data = {name: np.asarray(frame[name], dtype=np.float64) for name in names}
    folds = [
        (train_rows, test_rows)
        for train_rows, test_rows in folds
        if _both(labels[train_rows]) and _both(labels[test_rows])
    ]
    scores = {kind: [] for kind in (*_KINDS, "rule")}
    report_folds = []
    for number, (train_rows, test_rows) in enumerate(folds):
        seen = {name: column[train_rows] for name, column in data.items()}
        unseen = {name: column[test_rows] for name, column in data.items()}
        entry = {"train_rows": len(train_rows), "rows": len(test_rows)}
        for kind in _KINDS:
            model = fit(
                kind, seen, labels[train_rows], names, groups[train_rows], seed, threads
            )
            scores[kind].append(model.predict(unseen))
            entry[kind] = auc(labels[test_rows], model.margin(unseen))
        simple = fit_rule(seen, labels[train_rows], names, rule)
        scores["rule"].append(simple.predict(unseen))
        entry["rule"] = auc(labels[test_rows], simple.margin(unseen))
        entry["rule_feature"] = simple.name
        report_folds.append(entry)
        if progress:
            progress((number + 1) / (len(folds) + 1))
    tested = np.concatenate([test_rows for _train_rows, test_rows in folds])
    quality = {}
    for kind, parts in scores.items():
        quality[kind] = measure(labels[tested], np.concatenate(parts))
        # Ranks of one moment are compared with each other, never across moments.
        quality[kind]["auc"] = float(np.mean([entry[kind] for entry in report_folds]))
    chosen = max(_KINDS, key=lambda kind: quality[kind]["auc"])
    model = fit(chosen, data, labels, names, groups, seed, threads)
    weight = np.abs(
        model.contributions({name: column[tested] for name, column in data.items()})
    ).mean(axis=0)
    positives = int(labels[tested].sum())
    area = quality[chosen]["auc"]
    findings = []
    if area <= quality["rule"]["auc"]:
        findings.append(
            Finding(
                "worse_than_rule",
                {
                    "auc": round(area, 4),
                    "rule_auc": round(quality["rule"]["auc"], 4),
                    "rule": report_folds[-1]["rule_feature"],
                },
            )
        )
    report = {
        "usable": not findings,
        "chosen": chosen,
        "seed": seed,
        "rows": len(labels),
        "units": len(set(groups.tolist())),
        "positives": int(labels.sum()),
        "tested_rows": len(tested),
        "base_rate": float(labels[tested].mean()),
        "auc_interval": list(auc_interval(area, positives, len(tested) - positives)),
        "models": quality,
        "folds": report_folds,
        "findings": [asdict(finding) for finding in findings],
        "importance": {
            name: float(share)
            for name, share in sorted(
                zip(names, weight / (weight.sum() or 1.0), strict=True),
                key=lambda entry: -entry[1],
            )
        },
        "calibration": calibration_curve(
            labels[tested], np.concatenate(scores[chosen])
        ),
    }
    if progress:
        progress(1.0)
    return model, report


def top_reasons(contributions, names, most=3, least=0.05):
    """The features that raise each row's score most.

    :param contributions: of :meth:`Model.contributions`
    :param int most: greatest number a row
    :param float least: log-odds below which a contribution is no reason
    :return: list (rows) of lists of (feature, log-odds), the strongest first
    """
    order = np.argsort(-contributions, axis=1, kind="stable")[:, :most]
    return [
        [
            (names[column], float(contributions[row, column]))
            for column in columns
            if contributions[row, column] >= least
        ]
        for row, columns in enumerate(order)
    ]
