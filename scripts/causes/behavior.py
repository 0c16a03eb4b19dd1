"""Why customers visit, buy and leave; and the best that can be known about it.

The world
    A customer is *active* or *gone*, which nobody sees, and never comes back. The
    latent purchase rate ``r`` (orders a week) is one of ``RATES``, drawn with
    ``RATE_WEIGHTS`` (a gamma density on a geometric grid). In week ``t``

    - an active customer leaves with the hazard ``h(t) = sigmoid(z(t))`` before doing
      anything else, where ``z`` is :func:`leave_logit` of what has been seen before
      that week: late deliveries, badly solved tickets, disputed invoices and price
      rises (each fading with ``HALF_LIFE_WEEKS``), visits that fall, a short tenure;
    - who is still active orders ``Poisson(r · m(t))`` times, ``m`` being the season
      times the effect of a campaign;
    - there are ``Poisson(v(r))`` visits, of which a gone customer makes only the part
      ``GONE_VISITS``; a mailing is clicked with ``CLICK_ACTIVE`` or ``CLICK_GONE``.

    The first order is what makes somebody a customer: nobody leaves in that week.

The label (churn as behaviour analytics states it)
    At the as-of date, *eligible* is who has ordered within the last
    ``eligible_days``. Of these, *churned* is who places no order in the
    ``horizon_days`` that begin ``gap_days`` after the as-of date.

The optimum
    :func:`filtered` gives the exact probability of (rate, active or gone) from all
    that can be seen, :func:`no_order_probability` that of the label. No score of what
    can be seen has a higher expected AUC.
"""

from dataclasses import dataclass

import numpy as np

LATE, SERVICE, DISPUTE, PRICE = range(4)
CAUSES = ("late_delivery", "bad_service", "dispute", "price_rise", "fewer_visits")
NO_CAUSE = "none"

RATES = np.geomspace(0.08, 1.4, 24)
_SHAPE, _MEAN = 6.0, 0.366
RATE_WEIGHTS = RATES**_SHAPE * np.exp(-RATES * _SHAPE / _MEAN)
RATE_WEIGHTS /= RATE_WEIGHTS.sum()

VISITS_AT_MEAN_RATE = 0.7
GONE_VISITS = 0.05
CLICK_ACTIVE, CLICK_GONE = 0.25, 0.01

HALF_LIFE_WEEKS = 4.0
FADE = 0.5 ** (1 / HALF_LIFE_WEEKS)
MOST_TROUBLE = 2.0
RECENT_WEEKS, EARLIER_WEEKS = 4, 12
YOUNG_WEEKS = 6

BASE = -6.3
WEIGHTS = np.array([1.8, 2.4, 2.2, 2.0])
FALLING_WEIGHT = 1.0
YOUNG_WEIGHT = 3.2
#: a late delivery *and* a bad answer about it
BOTH_WEIGHT = 1.2


@dataclass(frozen=True)
class Label:
    """The churn label; all lengths in days."""

    eligible_days: int = 180
    gap_days: int = 30
    horizon_days: int = 90

    @property
    def weeks(self):
        """Whole weeks after the as-of date that the label needs."""
        return -(-(self.gap_days + self.horizon_days) // 7)


def visit_rate(rate):
    """Return the visits a week of an active customer who buys at ``rate``."""
    return VISITS_AT_MEAN_RATE * np.sqrt(rate / _MEAN)


def visits_falling(recent, earlier):
    """Return where visits have fallen below 40 % of what they were.

    :param recent: visits of the last ``RECENT_WEEKS``
    :param earlier: visits of the ``EARLIER_WEEKS`` before them, at least 6 to tell
    """
    share = EARLIER_WEEKS / RECENT_WEEKS
    return (earlier >= 6) & (recent * share < 0.4 * earlier)


def leave_logit(trouble, falling, tenure_weeks):
    """Return ``z`` with ``h = sigmoid(z)`` and what each cause adds to it.

    :param trouble: (n, 4) faded counts of late, service, dispute, price
    :param falling: (n,) bool; visits have fallen
    :param tenure_weeks: (n,) weeks since the first order
    :return: ``z`` (n,) and the contributions (n, 5) in the order of ``CAUSES``
    """
    seen = np.minimum(trouble, MOST_TROUBLE)
    parts = np.empty((len(seen), len(CAUSES)))
    parts[:, :4] = seen * WEIGHTS
    parts[:, 4] = falling * FALLING_WEIGHT
    both = (seen[:, LATE] > 0.5) & (seen[:, SERVICE] > 0.5)
    parts[:, SERVICE] += both * BOTH_WEIGHT
    z = BASE + parts.sum(axis=1) + YOUNG_WEIGHT * (tenure_weeks <= YOUNG_WEEKS)
    return z, parts


def sigmoid(z):
    """Return 1 / (1 + exp(-z))."""
    return 1 / (1 + np.exp(-z))


class Mood:
    """What the hazard of the coming week depends on; moves on week by week.

    :param entry: (n,) week of the first order
    """

    def __init__(self, entry):
        self.entry = entry
        self.trouble = np.zeros((len(entry), 4))
        self.visits = np.zeros((len(entry), RECENT_WEEKS + EARLIER_WEEKS), np.int16)

    def leave_logit(self, week):
        """Return :func:`leave_logit` at the beginning of ``week``."""
        earlier = self.visits[:, :EARLIER_WEEKS].sum(axis=1)
        recent = self.visits[:, EARLIER_WEEKS:].sum(axis=1)
        # who came only lately has no "before" to compare with
        falling = visits_falling(recent, earlier)
        return leave_logit(self.trouble, falling, week - self.entry)

    def end_week(self, facts, visits):
        """Take in what became known in the week: (n, 4) facts, (n,) visits."""
        self.trouble *= FADE
        self.trouble += facts
        self.visits[:, :-1] = self.visits[:, 1:].copy()
        self.visits[:, -1] = visits

    def rows(self, index):
        """Return the mood of some customers (with repetition) as one of its own."""
        copy = Mood(self.entry[index])
        copy.trouble = self.trouble[index]
        copy.visits = self.visits[index]
        return copy


# --- WHAT CAN BE KNOWN ---


@dataclass
class Observed:
    """All that can be seen at the beginning of week ``week`` about ``n`` customers.

    ``entry`` (n,), and by customer and week, (n, ≥ week): ``orders`` and ``visits``
    counted, ``multiplier`` of the rate, ``hazard`` (a function of what was seen
    before the week), ``mailed`` and ``clicked`` (bool).
    """

    week: int
    entry: np.ndarray
    orders: np.ndarray
    visits: np.ndarray
    multiplier: np.ndarray
    hazard: np.ndarray
    mailed: np.ndarray
    clicked: np.ndarray


def filtered(seen, rates=RATES, weights=RATE_WEIGHTS):
    """Return P(rate, active | seen) and P(rate, gone | seen), each (n, len(rates)).

    The forward recursion, with likelihoods ``A`` (active) and ``G`` (gone) of a week:
    ``a(t) = a(t-1) (1 - h) A``, ``g(t) = (g(t-1) + a(t-1) h) G``; it begins with the
    prior in the week of the first order, which itself is given.
    """
    n = len(seen.entry)
    active = np.tile(weights, (n, 1))
    gone = np.zeros_like(active)
    visiting = visit_rate(rates)
    log_rates, log_visiting = np.log(rates), np.log(visiting)
    for week in range(seen.week):
        here = np.flatnonzero(seen.entry <= week)
        if not len(here):
            continue
        first = seen.entry[here] == week
        orders = (seen.orders[here, week] - first)[:, None]
        visits = seen.visits[here, week][:, None]
        factor = seen.multiplier[here, week][:, None]
        hazard = np.where(first, 0, seen.hazard[here, week])[:, None]
        # terms without the rate or the state cancel in the normalisation
        by_visits = visits * log_visiting
        a_log = orders * (log_rates + np.log(factor)) - factor * rates
        a_log += by_visits - visiting
        g_log = by_visits - GONE_VISITS * visiting + visits * np.log(GONE_VISITS)
        mailed = seen.mailed[here, week]
        clicked = seen.clicked[here, week]
        a_log += np.log(_click(mailed, clicked, CLICK_ACTIVE))[:, None]
        g_log += np.log(_click(mailed, clicked, CLICK_GONE))[:, None]
        top = np.maximum(a_log, g_log).max(axis=1, keepdims=True)
        before = active[here]
        a = before * (1 - hazard) * np.exp(a_log - top)
        g = (gone[here] + before * hazard) * np.exp(g_log - top)
        g *= orders == 0
        total = (a + g).sum(axis=1, keepdims=True)
        active[here], gone[here] = a / total, g / total
    return active, gone


def _click(mailed, clicked, chance):
    return np.where(mailed, np.where(clicked, chance, 1 - chance), 1.0)


def no_order_probability(rng, active, mood, week, label, multiplier, pending, outcomes):
    """Return P(no order in the label's window | active now), (n,).

    Averaged over ``copies`` futures a customer, drawn as if the customer stayed
    active and bought nothing in the window; what is left to chance (leaving, ordering)
    is then summed exactly along the path's hazards, so a few dozen futures are
    enough. Rates are drawn systematically from the posterior.

    :param active: (n, rates) P(rate, active | seen)
    :param Mood mood: of the n customers at the beginning of ``week``
    :param multiplier: (n, weeks) of the rate in the weeks to come
    :param pending: (copies, n, weeks, 4) facts to come of orders already placed
    :param outcomes: ``(rng, row, day) -> (row, fact day, cause)`` of new orders
    """
    copies, n, weeks, _causes = pending.shape
    cumulated = np.cumsum(active, axis=1)
    cumulated /= cumulated[:, -1:]
    place = (np.arange(copies)[:, None] + rng.random((copies, n))) / copies
    # of the systematic places each copy takes another one for each customer
    drawn = (place[:, :, None] > cumulated[None, :, :-1]).sum(axis=2)
    rate = RATES[drawn].ravel()
    rows = np.tile(np.arange(n), copies)
    future = mood.rows(rows)
    facts = pending.reshape(copies * n, weeks, 4).astype(np.float32)
    alive = np.ones(copies * n)
    exposure = np.zeros(copies * n)
    result = np.zeros(copies * n)
    for step in range(weeks):
        z, _parts = future.leave_logit(week + step)
        hazard = sigmoid(z)
        nothing = np.exp(-exposure)
        result += alive * hazard * nothing
        alive *= 1 - hazard
        days = np.arange(7 * step, 7 * step + 7)
        in_gap = int((days < label.gap_days).sum())
        until = label.gap_days + label.horizon_days
        in_window = int(((days >= label.gap_days) & (days < until)).sum())
        weekly = rate * multiplier[rows, step]
        if in_gap:
            orders = rng.poisson(weekly * in_gap / 7)
            buyer = np.repeat(np.arange(copies * n), orders)
            day = 7 * (week + step) + rng.integers(0, in_gap, len(buyer))
            row, fact_day, cause = outcomes(rng, buyer, day)
            at = fact_day // 7 - week
            soon = at < weeks
            np.add.at(facts, (row[soon], at[soon], cause[soon]), 1)
        exposure += weekly * in_window / 7
        future.end_week(facts[:, step], rng.poisson(visit_rate(rate)))
    result += alive * np.exp(-exposure)
    return result.reshape(copies, n).mean(axis=0)


def auc(score, positive):
    """Return the area under the ROC curve, ties counted half (Mann-Whitney).

    :return: ``(auc, standard error)`` by DeLong's placements.
    """
    positive = np.asarray(positive, bool)
    ranks = _mid_ranks(score)
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return float("nan"), float("nan")
    above = (ranks[positive] - _mid_ranks(score[positive])) / n
    below = 1 - (ranks[~positive] - _mid_ranks(score[~positive])) / m
    area = above.mean()
    error = np.sqrt(above.var() / m + below.var() / n)
    return float(area), float(error)


def _mid_ranks(values):
    _unique, inverse, counts = np.unique(
        values, return_inverse=True, return_counts=True
    )
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]
