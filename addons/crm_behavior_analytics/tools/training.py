"""The trainer: any frame of features and labels → a model and an honest report.

It knows nothing of customers or of churn.  Features are columns of numbers (NaN for
unknown), labels 0 or 1.  Quality is measured out of time: a fold is trained on rows
whose outcome was known at the time of the fold's test rows (``reach``), and tested on
those.  A rule of one feature, BG/NBD (where rows are buyers), logistic regression and
LightGBM are trained on the same folds; the simplest that ranks as well as the best of
them, within ``MARGIN``, is chosen.

Scores are probabilities: margins (log-odds) calibrated on predictions that were made
for rows the model had not seen (cross-fitting by unit), see ``calibration.py``.

Everything is determined by the seed.
"""

import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from .calibration import Calibration, calibrate
from .gates import Finding, both, check_leaks
from .models import KINDS
from .quality import (
    auc,
    auc_interval,
    calibration_curve,
    calibration_error,
    flag_for_recall,
    flagging,
    measure,
)

INNER_FOLDS = 4
#: so much worse a simpler model may rank and still be preferred
MARGIN = 0.002
#: the share of positives that the report says how many must be flagged for
RECALL = 0.87


class Purchases(NamedTuple):
    """The columns that BG/NBD reads, and how far it looks.

    :param str frequency: repeat purchases
    :param str recency: days from the first purchase to the last one
    :param str age: days from the first purchase to the moment of the row
    :param float length: days from then to the end of the horizon
    """

    frequency: str
    recency: str
    age: str
    length: float


# --- DATA ---


def matrix(frame, names):
    """Columns of a frame (pandas, Polars or dict) as one array of float64.

    :return: shape (rows, len(names)), NaN for what is unknown; infinity is no value
    """
    columns = [np.asarray(frame[name], dtype=np.float64) for name in names]
    if not columns:
        return np.empty((0, 0))
    data = np.column_stack(columns)
    return np.where(np.isinf(data), np.nan, data)


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


# --- MODELS ---


@dataclass(frozen=True)
class Model:
    """A trained model.

    :ivar kind: one of ``models.KINDS``
    :ivar names: features, in the order of the columns
    :ivar calibration: margins → probabilities
    :ivar body: LightGBM's own text, or the dict of another kind
    """

    kind: str
    names: tuple
    calibration: Calibration
    body: "str | dict"

    def margin(self, frame):
        """:return: log-odds before calibration, shape (rows,)"""
        return KINDS[self.kind].margin(self.body, matrix(frame, self.names))

    def predict(self, frame):
        """:return: probabilities, shape (rows,)"""
        return self.calibration(self.margin(frame))

    def contributions(self, frame):
        """:return: what each feature adds to a row's log-odds, against the average;
        shape (rows, features)
        """
        return KINDS[self.kind].contributions(self.body, matrix(frame, self.names))

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
    learner = KINDS[kind]
    parts = []
    splitter = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=seed)
    for train, test in splitter.split(data, labels, groups):
        if not both(labels[train]):
            continue
        valid = (data[test], labels[test])
        body, best = learner.fit(data[train], labels[train], valid, seed, threads)
        parts.append((body, best, test))
    rounds = None
    if kind == "lightgbm":
        rounds = max(10, round(float(np.mean([best for _body, best, _test in parts]))))
    seen = np.concatenate([test for _body, _best, test in parts])
    margins = np.concatenate(
        [learner.margin(body, data[test], rounds) for body, _best, test in parts]
    )
    body, _best = learner.fit(data, labels, None, seed, threads, rounds)
    return Model(kind, tuple(names), calibrate(margins, labels[seen]), body)


def fit_rule(frame, labels, names, name=None):
    """The rule of one feature, by the training rows alone.

    :param str name: the feature; None for the one that ranks best
    :return: :class:`Model` of the kind ``rule``
    """
    labels = np.asarray(labels, dtype=np.int64)
    learner = KINDS["rule"]
    best = None
    for candidate in [name] if name else names:
        data = matrix(frame, [candidate])
        body = learner.fit(data, labels)
        margin = learner.margin(body, data)
        area = auc(labels, margin)
        if best is None or area > best[0]:
            best = (area, candidate, body, margin)
    _area, name, body, margin = best
    return Model("rule", (name,), calibrate(margin, labels), body)


def fit_purchases(frame, labels, purchases, groups):
    """BG/NBD, fitted to the last row of each buyer.

    :param Purchases purchases: the columns
    :return: :class:`Model` of the kind ``bgnbd``
    """
    names = (purchases.frequency, purchases.recency, purchases.age)
    data, labels = matrix(frame, names), np.asarray(labels, dtype=np.int64)
    known = np.flatnonzero(~np.isnan(data).any(axis=1))
    latest = known[np.lexsort((data[known, 2], np.asarray(groups)[known]))]
    _units, place = np.unique(np.asarray(groups)[latest][::-1], return_index=True)
    rows = latest[::-1][place]
    learner = KINDS["bgnbd"]
    body = learner.fit(data[rows], labels[rows], purchases.length)
    margin = learner.margin(body, data)
    return Model("bgnbd", names, calibrate(margin, labels), body)


def _fit(kind, frame, labels, names, groups, seed, threads, rule, purchases):
    if kind == "rule":
        return fit_rule(frame, labels, names, rule)
    if kind == "bgnbd":
        return fit_purchases(frame, labels, purchases, groups)
    return fit(kind, frame, labels, names, groups, seed, threads)


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
    purchases=None,
    progress=None,
):
    """Train, measure out of time, choose.

    :param frame: pandas, Polars or dict of columns of numbers
    :param labels: 0 or 1, shape (rows,)
    :param names: features to use
    :param list folds: (train indexes, test indexes), see :func:`rolling_folds`; at
        least one with both outcomes on either side
    :param groups: unit of each row, shape (rows,)
    :param int seed: of all chance
    :param int threads: of LightGBM
    :param str rule: feature of the simple rule, None for the best one
    :param Purchases purchases: where rows are buyers, columns for BG/NBD
    :param progress: called with the share that is done
    :return: (:class:`Model`, report): a dict that JSON can hold, with ``usable``,
        ``chosen``, ``models`` (quality of each kind over all folds), ``folds``,
        ``findings``, ``importance``, ``calibration``, ``calibration_error``,
        ``flagging``
    """
    names = list(names)
    labels = np.asarray(labels, dtype=np.int64)
    groups = np.arange(len(labels)) if groups is None else np.asarray(groups)
    columns = {*names, *(purchases[:3] if purchases else ())}
    data = {name: np.asarray(frame[name], dtype=np.float64) for name in columns}
    folds = [(a, b) for a, b in folds if both(labels[a]) and both(labels[b])]
    if not folds:
        raise ValueError("No fold has both outcomes on either side: see check_data")
    kinds = [kind for kind in KINDS if kind != "bgnbd" or purchases]
    settings = (seed, threads, rule, purchases)
    scores, report_folds = _test(
        data, labels, names, folds, groups, kinds, settings, progress
    )
    tested = np.concatenate([test_rows for _train_rows, test_rows in folds])
    quality = {}
    for kind, parts in scores.items():
        quality[kind] = measure(labels[tested], np.concatenate(parts))
        # Ranks of one moment are compared with each other, never across moments.
        quality[kind]["auc"] = float(np.mean([entry[kind] for entry in report_folds]))
    chosen = _choose(quality)
    model = _fit(chosen, data, labels, names, groups, *settings)
    weight = np.abs(
        model.contributions({name: column[tested] for name, column in data.items()})
    ).mean(axis=0)
    area = quality[chosen]["auc"]
    # A unit that is tested at several moments counts once.
    units = len(set(groups[tested].tolist()))
    positives = labels[tested].mean() * units
    interval = auc_interval(area, positives, units - positives)
    findings = check_leaks(data, labels, names)
    if interval[0] <= 0.5:
        findings.append(Finding("no_signal", {"auc": round(area, 4)}))
    usable = not findings
    if chosen == "rule":
        findings.append(_rule_finding(quality, report_folds[-1]["rule_feature"]))
    seen_scores = np.concatenate(scores[chosen])
    curve = calibration_curve(labels[tested], seen_scores)
    share, threshold = flag_for_recall(labels[tested], seen_scores, RECALL)
    report = {
        "usable": usable,
        "chosen": chosen,
        "seed": seed,
        "rows": len(labels),
        "units": len(set(groups.tolist())),
        "positives": int(labels.sum()),
        "tested_rows": len(tested),
        "base_rate": float(labels[tested].mean()),
        "auc_interval": list(interval),
        "models": quality,
        "folds": report_folds,
        "findings": [asdict(finding) for finding in findings],
        "importance": {
            name: float(share)
            for name, share in sorted(
                zip(model.names, weight / (weight.sum() or 1.0), strict=True),
                key=lambda entry: -entry[1],
            )
        },
        "calibration": curve,
        "calibration_error": calibration_error(curve),
        "flagging": flagging(labels[tested], seen_scores),
        "recall": RECALL,
        "recall_share": share,
        "recall_threshold": threshold,
    }
    if progress:
        progress(1.0)
    return model, report


def _test(data, labels, names, folds, groups, kinds, settings, progress):
    """Every kind of model on the rows of each fold that it was not trained on.

    :return: (dict of kind → list of scores by fold, list of dicts by fold)
    """
    scores, report_folds = {}, []
    for number, (train_rows, test_rows) in enumerate(folds):
        seen = {name: column[train_rows] for name, column in data.items()}
        unseen = {name: column[test_rows] for name, column in data.items()}
        entry = {"train_rows": len(train_rows), "rows": len(test_rows)}
        known = seen, labels[train_rows], names, groups[train_rows]
        for kind in kinds:
            model = _fit(kind, *known, *settings)
            scores.setdefault(kind, []).append(model.predict(unseen))
            entry[kind] = auc(labels[test_rows], model.margin(unseen))
            if kind == "rule":
                entry["rule_feature"] = model.names[0]
        report_folds.append(entry)
        if progress:
            progress((number + 1) / (len(folds) + 1))
    return scores, report_folds


def _rule_finding(quality, feature):
    """That nothing is clearly better than the rule of a feature."""
    best = max(values["auc"] for kind, values in quality.items() if kind != "rule")
    return Finding(
        "worse_than_rule",
        {
            "auc": round(best, 4),
            "rule_auc": round(quality["rule"]["auc"], 4),
            "rule": feature,
        },
    )


def _choose(quality):
    """The simplest kind that ranks as well as the best one, within the margin."""
    best = max(values["auc"] for values in quality.values())
    return next(
        kind
        for kind in KINDS
        if kind in quality and quality[kind]["auc"] >= best - MARGIN
    )


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
