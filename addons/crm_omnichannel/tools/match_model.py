"""A trained model: its shares and frequencies, and what they make of two records.

The probability that two records are one customer weighs three readings: one customer
(M), nothing in common (U), two customers of one place (H):

    P = M / (M + U + H)

with the weights in bits: ``log2 M/U`` is the sum of Splink's weights and of the prior,
``log2 M/H`` the sum over ``log2 m/h``. A family that shares name, address and telephone
makes the first high and the second low.

:func:`score` is what :mod:`matcher` does for many, for two records in process.
"""

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from .match_comparisons import KINDS, LEVELS, SAME
from .match_conditions import Same

#: how many pairs of two customers of one place there are for each duplicate, until the
#: records say so themselves
PLACE_RATIO = 0.5
#: a frequency is taken as if so many records of the general share stood beside it
SMOOTHING = 1000
#: bits from which on an answer speaks strongly
STRONG = 5.0
#: what a model of nothing but the starting figures takes for the share of duplicates:
#: one record of a hundred has one
DUPLICATES = 0.01


def start_shares(kind):
    """Return ``{comparison: {level: [m, u]}}`` of the starting figures."""
    return {
        comparison.code: {level.code: [level.m, level.u] for level in comparison.levels}
        for comparison in KINDS[kind]
    }


@dataclass
class Model:
    """What has been learned about one kind of records.

    :ivar str kind: ``person`` or ``company``
    :ivar float prior: share of duplicates among all pairs
    :ivar dict shares: ``{comparison: {level: [m, u]}}``
    :ivar float ratio: pairs of two customers of one place for each duplicate
    :ivar int records: how many records it was learned from
    :ivar dict counts: ``{column: {digest of a value: records that have it}}``, of
        values that three records or more have; no value itself is kept
    """

    kind: str
    prior: float
    shares: dict
    ratio: float = PLACE_RATIO
    records: int = 0
    counts: dict = field(default_factory=dict)

    @classmethod
    def start(cls, kind, records=0):
        """Return the model of the starting figures for a number of records."""
        prior = min(0.5, 2 * DUPLICATES / max(1, records - 1))
        return cls(kind, prior, start_shares(kind), records=records)

    def as_json(self):
        return {
            "kind": self.kind,
            "prior": self.prior,
            "shares": self.shares,
            "ratio": self.ratio,
            "records": self.records,
            "counts": self.counts,
        }

    @classmethod
    def from_json(cls, value):
        return cls(**value)

    def frequency(self, column, base, value):
        """Return how frequent a value is, as adjusts a weight.

        :param float base: general share of equal values
        """
        count = max(2, self.counts.get(column, {}).get(digest(value), 2))
        return frequency(count, self.records, base)


def digest(value):
    """Return the short digest under which a value's frequency is kept."""
    return hashlib.blake2b(str(value).encode(), digest_size=6).hexdigest()


def frequency(count, records, base):
    """Return the share of the other records that have a value, smoothed.

    :param count: records that have the value (a number or an array)
    """
    return (count - 1 + SMOOTHING * base) / (max(1, records - 1) + SMOOTHING)


def base_share(comparison, level, shares):
    """Return the ``u`` that a level's frequencies are measured against: that of the
    level for equal values of the column, if there is one, else its own."""
    for other in comparison.levels:
        if other.when == Same(level.rare):
            return shares[other.code][1]
    return shares[level.code][1]


@dataclass
class Verdict:
    """``answers``: ``[comparison, level, weight in bits]`` of what is known on both
    sides; ``place``: how many bits the reading of one place takes away."""

    probability: float
    answers: list
    place: float


def answer(comparison, left, right):
    """Return the level on which two records stand, or None if one says nothing."""
    if comparison.unknown.holds(left, right):
        return None
    for level in comparison.levels:
        if level.when is None or level.when.holds(left, right):
            return level
    return None


def readings(match_weight, place_weight, ratio):
    """Return ``(P, bits that the reading of one place takes away)``.

    :param match_weight: ``log2 M/U``, a number or an array
    :param place_weight: ``log2 M/H``, without the ratio
    :param float ratio: of the model
    """
    unrelated = np.exp2(-match_weight)
    place = ratio * np.exp2(-place_weight)
    return 1 / (1 + unrelated + place), np.log2((unrelated + place) / unrelated)


def score(model, left, right):
    """Return the :class:`Verdict` on two prepared records of the model's kind."""
    total = math.log2(model.prior / (1 - model.prior))
    place = 0.0
    answers = []
    for comparison in KINDS[model.kind]:
        level = answer(comparison, left, right)
        if level is None:
            continue
        shares = model.shares[comparison.code]
        m, u = shares[level.code]
        weight = math.log2(m / u)
        if level.rare and left[level.rare] is not None:
            base = base_share(comparison, level, shares)
            rare = model.frequency(level.rare, base, left[level.rare])
            weight += math.log2(base / rare)
        total += weight
        if level.h is not SAME:
            place += math.log2(m / level.h)
        answers.append([comparison.code, level.code, weight])
    found, taken = readings(total, place, model.ratio)
    return Verdict(float(found), answers, float(taken))


def contradicts(answers):
    """Tell whether two records contradict each other somewhere (``Level.against``) and
    nothing that says so strongly settles it: such a pair is never merged without a
    person. A date of birth that many have, as forms put in, settles nothing.

    :param answers: as in :class:`Verdict`
    """
    strong = {(code, level) for code, level, bits in answers if bits >= STRONG}
    return any(
        LEVELS[code, level].against and strong.isdisjoint(LEVELS[code, level].settled)
        for code, level, _bits in answers
    )
