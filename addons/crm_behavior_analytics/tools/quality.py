"""What probabilities are worth: ranking, calibration, and what flagging some brings.

Labels are 0 or 1, scores probabilities; both have the shape (rows,).
"""

from math import sqrt

import numpy as np

TOP_SHARE = 0.1
CURVE_BINS = 10
#: shares of all that are flagged, the highest scores first
FLAG_SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
Z95 = 1.959963984540054


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


def calibration_error(curve):
    """Expected calibration error: by how much what is stated misses what is seen.

    :param list curve: of :func:`calibration_curve`
    :return: mean of the absolute differences, weighted by rows, 0 to 1
    """
    rows = sum(part["rows"] for part in curve)
    missed = sum(part["rows"] * abs(part["stated"] - part["seen"]) for part in curve)
    return missed / rows if rows else 0.0


def flagging(labels, scores, shares=FLAG_SHARES):
    """What it brings to look after the highest scores alone.

    :return: list of {"share" of all that is flagged, "precision": share of positives
        among them, "recall": share of the positives that is among them}
    """
    labels = np.asarray(labels, dtype=np.float64)
    order = np.argsort(-np.asarray(scores), kind="stable")
    found = np.cumsum(labels[order])
    entries = []
    for share in shares:
        count = max(1, round(share * len(labels)))
        entries.append(
            {
                "share": share,
                "precision": float(found[count - 1] / count),
                "recall": float(found[count - 1] / max(found[-1], 1)),
            }
        )
    return entries


def flag_for_recall(labels, scores, recall):
    """How many must be flagged to find so many positives, the highest scores first.

    :param float recall: share of the positives, 0 to 1
    :return: (share of the rows, 0 to 1; the score from which on they are flagged)
    """
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores)
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order])
    place = int(np.searchsorted(found, recall * found[-1] - 1e-9))
    place = min(place, len(labels) - 1)
    return (place + 1) / len(labels), float(scores[order[place]])
