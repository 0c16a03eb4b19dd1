"""From margins to probabilities (Platt 1999; Zadrozny and Elkan 2002)."""

from dataclasses import dataclass

import numpy as np

from .quality import measure

# So many rows of both classes are needed to tell a floor and a ceiling, or steps.
BOUNDED_FROM = 30
ISOTONIC_FROM = 500
CALIBRATION_FOLDS = 5


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
        share = sigmoid(self.slope * np.asarray(margin) + self.offset)
        return self.floor + (self.ceiling - self.floor) * share


def sigmoid(value):
    """1 / (1 + exp(-value))."""
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
            float(0.5 * sigmoid(low)),
            float(1 - 0.5 * sigmoid(high)),
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
