"""The company's history, week by week, and what can be seen of it on a day.

One pass over the weeks carries all customers at once: who leaves, who buys, and what
each order brings about (a late delivery, a ticket, a dispute), which is what decides
the weeks after. ``scripts/company.py`` dresses this spine in names and documents.
"""

from dataclasses import dataclass

import numpy as np

from . import behavior, marketing, sales, service
from .behavior import DISPUTE, LATE, PRICE, SERVICE, Label, Mood, Observed

WEEKS = 104
LABEL = Label()
DAYS = 7 * WEEKS
FOREIGN, FIRM, REMOTE = 0.18, 0.45, 0.30
MAIN_CATEGORY = 0.7
#: the part who were customers from the beginning on; the others come evenly
BEGINNERS = 0.1
#: the longest time from an order to the last thing that it brings about, in weeks
AFTERMATH_WEEKS = 9


@dataclass
class Spine:
    """What happened to ``n`` customers; hidden: ``rate``, ``left``, ``left_cause``.

    By customer (n,): ``firm``, ``foreign``, ``remote``, ``main``, ``entry`` (week);
    ``left`` (week, or -1) and ``left_cause`` (-1: none, else of ``behavior.CAUSES``).
    By customer and week (n, WEEKS and those of the label): ``orders``, ``visits``,
    ``multiplier``, ``hazard``, ``mailed``, ``clicked``; ``facts`` (.., 4).
    ``order``: columns of the orders, in the order of their days.
    """

    season: np.ndarray
    firm: np.ndarray
    foreign: np.ndarray
    remote: np.ndarray
    main: np.ndarray
    entry: np.ndarray
    rate: np.ndarray
    left: np.ndarray
    left_cause: np.ndarray
    orders: np.ndarray
    visits: np.ndarray
    multiplier: np.ndarray
    hazard: np.ndarray
    mailed: np.ndarray
    clicked: np.ndarray
    facts: np.ndarray
    order: dict

    def observed(self, week=WEEKS):
        """Return what can be seen at the beginning of ``week``."""
        return Observed(
            week,
            self.entry,
            self.orders,
            self.visits,
            self.multiplier,
            self.hazard,
            self.mailed,
            self.clicked,
        )

    def mood(self, rows, week=WEEKS):
        """Return the mood of customers at the beginning of ``week``."""
        mood = Mood(self.entry[rows])
        for passed in range(week):
            mood.end_week(self.facts[rows, passed], self.visits[rows, passed])
        return mood


def seasons(as_of, weeks):
    """Return the season of each week, (weeks,), from the month of its middle."""
    start = np.datetime64(as_of) - DAYS
    middle = start + 7 * np.arange(weeks) + 3
    months = middle.astype("datetime64[M]").astype(int) % 12
    return np.array(sales.SEASON)[months]


def simulate(rng, n, as_of, label=LABEL):
    """Return the :class:`Spine` of ``n`` customers up to the end of the label."""
    weeks = WEEKS + label.weeks
    season = seasons(as_of, weeks)
    firm, foreign = rng.random(n) < FIRM, rng.random(n) < FOREIGN
    remote = rng.random(n) < REMOTE
    main = rng.integers(0, len(sales.CATEGORIES), n)
    entry = np.where(
        rng.random(n) < BEGINNERS, rng.integers(0, 6, n), rng.integers(0, WEEKS, n)
    )
    rate = rng.choice(behavior.RATES, n, p=behavior.RATE_WEIGHTS)
    mailed, multiplier = _mailings(rng, entry, firm, foreign, season)
    clicked = np.zeros((n, weeks), bool)
    facts = np.zeros((n, weeks + AFTERMATH_WEEKS, 4), np.uint8)
    orders = np.zeros((n, weeks), np.uint8)
    visits = np.zeros((n, weeks), np.uint8)
    hazards = np.zeros((n, weeks), np.float32)
    bought = np.full((n, len(sales.CATEGORIES)), -1000)
    left, left_cause = np.full(n, -1), np.full(n, -1)
    visiting = behavior.visit_rate(rate)
    mood = Mood(entry)
    placed = []
    for week in range(weeks):
        here = entry <= week
        active = here & (left < 0)
        z, parts = mood.leave_logit(week)
        hazard = behavior.sigmoid(z)
        hazards[:, week] = hazard
        leaving = active & (entry < week) & (rng.random(n) < hazard)
        left[leaving] = week
        left_cause[leaving] = _draw_cause(rng, parts[leaving])
        active &= ~leaving
        count = rng.poisson(rate * multiplier[:, week]) * active + (entry == week)
        seen = rng.poisson(visiting * np.where(active, 1, behavior.GONE_VISITS)) * here
        chance = np.where(active, behavior.CLICK_ACTIVE, behavior.CLICK_GONE)
        clicked[:, week] = mailed[:, week] & (rng.random(n) < chance)
        orders[:, week], visits[:, week] = count, seen
        buyer = np.repeat(np.arange(n), count)
        batch = _place(rng, buyer, week, firm, foreign, remote, main, season)
        bought[buyer, batch["category"]] = week
        for cause, day in _facts(batch):
            np.add.at(facts, (buyer[day >= 0], day[day >= 0] // 7, cause), 1)
        for risen_week, category, _factor in sales.PRICE_RISES:
            if risen_week == week:
                recent = bought[:, category] >= week - sales.PRICE_MEMORY_WEEKS
                # bought in the very week, but not yet felt as a rise
                recent &= bought[:, category] < week
                facts[:, week, PRICE] += recent
        placed.append(batch)
        mood.end_week(facts[:, week], visits[:, week])
    columns = {
        name: np.concatenate([batch[name] for batch in placed]) for name in placed[0]
    }
    by_day = np.argsort(columns["day"], kind="stable")
    return Spine(
        season,
        firm,
        foreign,
        remote,
        main,
        entry,
        rate,
        left,
        left_cause,
        orders,
        visits,
        multiplier,
        hazards,
        mailed,
        clicked,
        facts,
        {name: column[by_day] for name, column in columns.items()},
    )


def _mailings(rng, entry, firm, foreign, season):
    """Return who is mailed when, and the multiplier of the rate, both (n, weeks)."""
    n, weeks = len(entry), len(season)
    mailed = np.zeros((n, weeks), bool)
    multiplier = np.tile(season.astype(np.float32), (n, 1))
    effect = 1 + marketing.uplift(firm, foreign)
    for week, _name in marketing.CAMPAIGNS:
        treated = (entry < week) & (rng.random(n) < marketing.MAILED)
        mailed[:, week] = treated
        for later in range(week, week + marketing.WEEKS):
            multiplier[treated, later] *= effect[treated]
    return mailed, multiplier


def _draw_cause(rng, parts):
    """Return a cause for each who left, by its share of the log-odds, -1 for none."""
    total = parts.sum(axis=1)
    place = rng.random(len(parts)) * np.maximum(total, 1e-9)
    cause = (place[:, None] > np.cumsum(parts, axis=1)).sum(axis=1)
    return np.where(total > 0.5, np.minimum(cause, parts.shape[1] - 1), -1)


def _place(rng, buyer, week, firm, foreign, remote, main, season):
    """Return the columns of the week's orders and of what they bring about."""
    n = len(buyer)
    category = np.where(
        rng.random(n) < MAIN_CATEGORY,
        main[buyer],
        rng.integers(0, len(sales.CATEGORIES), n),
    )
    day = 7 * week + rng.integers(0, 7, n)
    chance = sales.late_chance(remote[buyer], season[week])
    return {
        "customer": buyer,
        "day": day,
        "category": category,
        **outcomes(rng, day, chance, firm[buyer]),
    }


def outcomes(rng, day, late_chance, firm):
    """Return what orders bring about: columns (n,), days absolute and -1 for never."""
    n = len(day)
    late, delivered = sales.draw_deliveries(rng, late_chance)
    asked = rng.random(n) < service.ticket_chance(late)
    opened = day + rng.integers(service.OPENS[0], service.OPENS[1] + 1, n)
    matched = rng.random(n) < service.MATCHED
    answer, closing, first, satisfaction = service.draw_answers(rng, matched)
    disputed = rng.random(n) < sales.dispute_chance(firm, late)
    paid = rng.integers(sales.PAID[0], sales.PAID[1] + 1, n)
    paid = np.where(disputed, rng.integers(60, 91, n), paid)
    return {
        "late": late,
        "delivered": day + delivered,
        "ticket": np.where(asked, opened, -1),
        "matched": matched,
        "answer": answer,
        "closed": np.where(asked, opened + closing, -1),
        "first_contact": first,
        "satisfaction": satisfaction,
        "bad": np.where(asked, service.bad_day(opened, answer, closing), -1),
        "disputed": np.where(disputed, day + sales.DISPUTE_DAYS, -1),
        "paid": np.where(firm, day + paid, day),
    }


def _facts(order):
    """Yield (cause, day on which it is known or -1) of orders."""
    known = order["day"] + sales.PROMISED_DAYS + 1
    yield LATE, np.where(order["late"], known, -1)
    yield SERVICE, order["bad"]
    yield DISPUTE, order["disputed"]


# --- WHAT IS STILL OPEN ---


def pending_facts(rng, spine, rows, week, copies, weeks):
    """Return facts to come of orders placed before ``week``: (copies, n, weeks, 4).

    What is not seen yet (a delivery under way, a ticket still open or not asked, an
    invoice not paid) is drawn from its chance given that it is not seen yet.

    :param rows: (n,) the customers
    """
    today = 7 * week
    place = np.full(len(spine.entry), -1)
    place[rows] = np.arange(len(rows))
    day = spine.order["day"]
    recent = (day < today) & (day >= today - 7 * AFTERMATH_WEEKS)
    recent &= place[spine.order["customer"]] >= 0
    order = {
        name: np.tile(column[recent], copies) for name, column in spine.order.items()
    }
    drawn = _draw_unseen(rng, spine, order, today)
    facts = np.zeros((copies, len(rows), weeks, 4), np.uint8)
    copy = np.repeat(np.arange(copies), recent.sum())
    row = place[order["customer"]]
    for cause, known in _facts(drawn):
        at = known // 7 - week
        soon = (known >= today) & (at < weeks)
        np.add.at(facts, (copy[soon], row[soon], at[soon], cause), 1)
    return facts


def _draw_unseen(rng, spine, order, today):
    """Return the orders with everything unseen drawn anew, given what is seen."""
    n = len(order["day"])
    day, age = order["day"], today - order["day"]
    firm = spine.firm[order["customer"]]
    chance = sales.late_chance(spine.remote[order["customer"]], spine.season[day // 7])
    under_way = order["delivered"] >= today
    late = np.where(
        under_way,
        rng.random(n) < sales.undelivered_late_chance(chance, age),
        order["late"],
    )
    # tickets: not asked yet, or asked and still open
    seen = (order["ticket"] >= 0) & (order["ticket"] < today)
    first, last = service.OPENS
    may_ask = np.clip((last + 1 - np.maximum(age, first)) / (last + 1 - first), 0, 1)
    asks = service.ticket_chance(late) * may_ask
    asks = asks / (asks + 1 - service.ticket_chance(late))
    asked = rng.random(n) < asks
    earliest = np.maximum(age, first)
    width = np.maximum(last + 1 - earliest, 1)
    opened = day + earliest + (rng.random(n) * width).astype(int)
    matched = rng.random(n) < service.MATCHED
    answer, closing, _first, _satisfaction = service.draw_answers(rng, matched)
    bad = np.where(asked, service.bad_day(opened, answer, closing), -1)
    open_age = today - order["ticket"]
    still, still_days = service.still_open_outcome(
        rng, order["matched"], np.minimum(open_age, service.LYING_DAYS)
    )
    still_bad = service.bad_day(order["ticket"], still, still_days)
    is_open = seen & (order["closed"] >= today) & (open_age <= service.LYING_DAYS)
    bad = np.where(seen, np.where(is_open, still_bad, order["bad"]), bad)
    # invoices: neither paid nor disputed yet
    known = (order["paid"] < today) | (
        (order["disputed"] >= 0) & (order["disputed"] < today)
    )
    dispute = sales.unpaid_dispute_chance(sales.dispute_chance(firm, late), age)
    disputes = (rng.random(n) < dispute) & (age <= sales.DISPUTE_DAYS)
    drawn = np.where(disputes, day + sales.DISPUTE_DAYS, -1)
    return {
        "day": day,
        "late": late,
        "bad": bad,
        "disputed": np.where(known, order["disputed"], drawn),
    }


# --- THE OPTIMUM OF CHURN ---


def eligible(spine, week=WEEKS, label=LABEL):
    """Return who has ordered within the label's ``eligible_days`` before ``week``."""
    return _ordered(spine, 7 * week - label.eligible_days, 7 * week)


def churned(spine, week=WEEKS, label=LABEL):
    """Return who places no order in the label's window after ``week``."""
    begin = 7 * week + label.gap_days
    return ~_ordered(spine, begin, begin + label.horizon_days)


def _ordered(spine, begin, end):
    day = spine.order["day"]
    found = np.zeros(len(spine.entry), bool)
    found[spine.order["customer"][(day >= begin) & (day < end)]] = True
    return found


def churn_probability(rng, spine, rows, label=LABEL, copies=48, week=WEEKS):
    """Return the optimal score: P(churned | all that is seen at ``week``), (n,)."""
    active, _gone = behavior.filtered(_of(spine.observed(week), rows))
    alive = active.sum(axis=1)
    firm, remote = spine.firm[rows], spine.remote[rows]
    n = len(rows)

    def new_orders(rng, buyer, day):
        who = buyer % n
        chance = sales.late_chance(remote[who], spine.season[day // 7])
        order = {"day": day, **outcomes(rng, day, chance, firm[who])}
        found = [
            (buyer[known >= 0], known[known >= 0], np.full((known >= 0).sum(), cause))
            for cause, known in _facts(order)
        ]
        return tuple(np.concatenate(column) for column in zip(*found))  # noqa: B905

    none = behavior.no_order_probability(
        rng,
        active,
        spine.mood(rows, week),
        week,
        label,
        spine.multiplier[rows, week : week + label.weeks],
        pending_facts(rng, spine, rows, week, copies, label.weeks),
        new_orders,
    )
    return 1 - alive + alive * none


def _of(seen, rows):
    return Observed(
        seen.week,
        *(
            getattr(seen, name)[rows]
            for name in (
                "entry",
                "orders",
                "visits",
                "multiplier",
                "hazard",
                "mailed",
                "clicked",
            )
        ),
    )
