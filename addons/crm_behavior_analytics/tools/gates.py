"""What stands in the way of a good prediction, before anything is trained."""

from dataclasses import dataclass, field

import numpy as np

from .quality import auc

#: a feature that ranks as well as this alone knows the outcome
LEAK_AUC = 0.99
#: share of the horizon without a new fact, beyond which the facts have stopped
STALE_SHARE = 0.25


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


def both(labels):
    """Whether there are positives and negatives among labels of 0 and 1."""
    return 0 < np.sum(labels) < len(labels)


def check_data(labels, groups, folds, gate=None):
    """What is missing before training makes sense.

    :param labels: 0 or 1, shape (rows,)
    :param groups: unit of each row, shape (rows,)
    :param list folds: of ``training.rolling_folds``
    :param Gate gate: least numbers
    :return: list of :class:`Finding`, empty when there is enough
    """
    gate = gate or Gate()
    labels, groups = np.asarray(labels), np.asarray(groups)
    units = len(set(groups.tolist()))
    if len(labels) and not both(labels):
        code = "all_positive" if labels[0] else "all_negative"
        return [Finding(code, {"found": units})]
    counts = (
        ("few_units", units, gate.units),
        ("few_positives", len(set(groups[labels == 1].tolist())), gate.positives),
        ("few_negatives", len(set(groups[labels == 0].tolist())), gate.negatives),
    )
    findings = [
        Finding(code, {"found": found, "needed": needed})
        for code, found, needed in counts
        if found < needed
    ]
    if not any(both(labels[train]) and both(labels[test]) for train, test in folds):
        findings.append(Finding("short_history"))
    return findings


def check_leaks(frame, labels, names):
    """Features that tell the outcome alone, by their value or by being known at all.

    Nothing that is known beforehand does; such a feature was filled in afterwards.

    :param frame: pandas, Polars or dict of columns of numbers
    :param labels: 0 or 1, shape (rows,)
    :param names: features to look at
    :return: list of :class:`Finding` ``leak_suspected``
    """
    labels = np.asarray(labels)
    findings = []
    for name in names:
        values = np.asarray(frame[name], dtype=np.float64)
        unknown = np.isnan(values)
        known = ~unknown
        areas = [auc(labels, unknown.astype(float))]
        if both(labels[known]) and known.mean() >= 0.5:
            areas.append(auc(labels[known], values[known]))
        strongest = max(max(area, 1 - area) for area in areas)
        if strongest >= LEAK_AUC:
            findings.append(
                Finding(
                    "leak_suspected",
                    {"feature": name, "auc": round(float(strongest), 4)},
                )
            )
    return findings


def check_age(newest, now, horizon_days, reach_days):
    """Whether the facts have stopped coming.

    :param datetime newest: when the newest fact became known, None without any
    :param datetime now: the moment of the training
    :param int horizon_days: length of the time that is foretold
    :param int reach_days: days from a prediction to the end of its horizon
    :return: (finding or None, whether it forbids training)
    """
    if newest is None:
        return None, False
    age = (now - newest).total_seconds() / 86400
    if age <= max(STALE_SHARE * horizon_days, 1):
        return None, False
    params = {"days": int(age), "horizon": reach_days}
    if age > reach_days:
        return Finding("too_stale", params), True
    return Finding("stale_data", params), False
