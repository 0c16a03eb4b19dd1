"""What is sold, how it arrives and is paid, and why an opportunity is won.

Deliveries and invoices
    An order is promised ``PROMISED_DAYS`` days after it. It is late with the chance
    :func:`late_chance`; in time it arrives on day 2 to 5, late on day 6 to 20. A person
    pays at once. A firm has ``TERM_DAYS``; it disputes the invoice with the chance
    :func:`dispute_chance`, which is said on day ``DISPUTE_DAYS``, else it pays on day
    15 to 44 (later than the term: overdue).

Opportunities
    ``P(won) = sigmoid(win_logit)`` of what can be seen ``KNOWN_DAYS`` days after an
    opportunity was created, when none is closed yet. Most of what decides is in pairs:
    a quick answer counts where the customer came by himself and is lost effort where
    he was called; a senior wins large deals and is wasted on small ones; a discount
    saves a deal with a competitor in it and spoils one without. Naive Bayes, which
    adds up single attributes, cannot see that.
"""

import numpy as np

from .behavior import sigmoid

PROMISED_DAYS = 5
IN_TIME = (2, 5)
LATE_DAYS = (6, 20)
LATE, LATE_REMOTE, LATE_PEAK = 0.08, 0.07, 0.08
TERM_DAYS = 30
DISPUTE, DISPUTE_LATE, DISPUTE_DAYS = 0.05, 0.17, 37
PAID = (15, 44)

#: (name, Chinese name)
CATEGORIES = (
    ("Coffee", "咖啡"),
    ("Tea", "茶"),
    ("Kitchenware", "厨具"),
    ("Machines", "设备"),
)
#: (code, name, category, list price in CNY at the beginning, cost)
PRODUCTS = (
    ("C-ESP", "Espresso Beans 1 kg", 0, 128.0, 71.0),
    ("C-DEC", "Decaf Beans 1 kg", 0, 138.0, 79.0),
    ("C-YUN", "Yunnan Single Origin 500 g", 0, 96.0, 52.0),
    ("T-LJ", "Longjing Green Tea 250 g", 1, 268.0, 150.0),
    ("T-PU", "Pu'er Cake 357 g", 1, 198.0, 96.0),
    ("T-JA", "Jasmine Tea 500 g", 1, 118.0, 55.0),
    ("K-CUP", "Porcelain Cups, Set of 6", 2, 178.0, 88.0),
    ("K-POT", "Gooseneck Kettle", 2, 329.0, 182.0),
    ("K-SCA", "Brewing Scale", 2, 219.0, 118.0),
    ("M-GRI", "Burr Grinder", 3, 899.0, 560.0),
    ("M-BRE", "Drip Brewer", 3, 649.0, 390.0),
    ("M-ESP", "Espresso Machine", 3, 3680.0, 2450.0),
)
#: (week, category, factor) of the price list
PRICE_RISES = (
    (20, 0, 1.08),
    (41, 2, 1.12),
    (60, 1, 1.06),
    (78, 3, 1.10),
    (95, 0, 1.09),
)
#: who bought of the category within these weeks feels its price rise
PRICE_MEMORY_WEEKS = 26

#: of the month's demand, and how it strains deliveries
SEASON = (0.97, 0.95, 1.0, 1.0, 1.02, 1.08, 0.98, 0.98, 1.02, 1.0, 1.1, 1.02)
PEAK = 1.07


def late_chance(remote, season):
    """Return P(late) by region and season."""
    return LATE + LATE_REMOTE * remote + LATE_PEAK * (season > PEAK)


def dispute_chance(is_firm, late):
    """Return P(dispute) of an invoice."""
    return np.where(is_firm, np.where(late, DISPUTE_LATE, DISPUTE), 0.0)


def draw_deliveries(rng, chance):
    """Return (late, days until delivered) for chances of being late (n,)."""
    n = len(chance)
    late = rng.random(n) < chance
    in_time = rng.integers(IN_TIME[0], IN_TIME[1] + 1, n)
    return late, np.where(
        late, rng.integers(LATE_DAYS[0], LATE_DAYS[1] + 1, n), in_time
    )


def undelivered_late_chance(chance, age):
    """Return P(late | not delivered within the first ``age`` days)."""
    span = IN_TIME[1] - IN_TIME[0] + 1
    on_the_way = np.clip((IN_TIME[1] + 1 - age) / span, 0, 1)
    return chance / (chance + (1 - chance) * on_the_way)


def unpaid_dispute_chance(chance, age):
    """Return P(dispute | not paid within the first ``age`` days)."""
    span = PAID[1] - PAID[0] + 1
    unpaid = np.clip((PAID[1] + 1 - age) / span, 0, 1)
    total = chance + (1 - chance) * unpaid
    return chance / np.where(total > 0, total, 1)


def list_price(product, day):
    """Return the list price of products (index) on days, both (n,)."""
    base = np.array([row[3] for row in PRODUCTS])[product]
    category = np.array([row[2] for row in PRODUCTS])[product]
    for week, risen, factor in PRICE_RISES:
        base = np.where((category == risen) & (day >= 7 * week), base * factor, base)
    return np.round(base, 2)


# --- OPPORTUNITIES ---

KNOWN_DAYS = 14
#: (utm source, the customer came by himself)
SOURCES = (
    ("Website", True),
    ("Referral", True),
    ("WeCom", True),
    ("Trade Fair", False),
    ("Cold Call", False),
)
SOURCE_WEIGHTS = (0.28, 0.14, 0.18, 0.22, 0.18)
#: (login, name, senior); the first two are of the demonstration's cast
SALESPEOPLE = (
    ("chen", "陈杰", True),
    ("sophie", "Sophie Martin", False),
    ("sales.jiang", "蒋雯", True),
    ("sales.deng", "邓超", False),
    ("sales.peng", "彭莉", False),
)
LARGE = 20_000.0
QUICK_HOURS = 24.0
LOST_REASONS = ("Too expensive", "Competitor", "No answer", "Project stopped")


def draw_opportunities(rng, n):
    """Return what can be seen of ``n`` opportunities on day ``KNOWN_DAYS``."""
    source = rng.choice(len(SOURCES), n, p=SOURCE_WEIGHTS)
    return {
        "source": source,
        "salesperson": rng.integers(0, len(SALESPEOPLE), n),
        "revenue": np.round(np.exp(rng.normal(np.log(LARGE), 0.9, n)), -1),
        "answer_hours": np.round(np.exp(rng.normal(np.log(QUICK_HOURS), 1.0, n)), 1),
        "touches": rng.poisson(3.0, n),
        "competitor": rng.random(n) < 0.45,
        "discount": rng.random(n) < 0.45,
    }


def win_logit(seen, returning):
    """Return the log-odds of winning.

    :param seen: of :func:`draw_opportunities`
    :param returning: (n,) bool; had bought before
    """
    inbound = np.array([own for _name, own in SOURCES])[seen["source"]]
    senior = np.array([row[2] for row in SALESPEOPLE])[seen["salesperson"]]
    large = seen["revenue"] > LARGE
    quick = seen["answer_hours"] < QUICK_HOURS
    touches = seen["touches"]
    z = -0.35 + 0.5 * returning
    z = z + np.where(inbound, np.where(quick, 1.5, -0.6), np.where(quick, -0.6, -0.3))
    z += np.where(large, np.where(senior, 1.3, -1.3), np.where(senior, -0.1, 0.5))
    z += np.where(
        seen["competitor"],
        np.where(seen["discount"], 0.5, -1.6),
        np.where(seen["discount"], -0.2, 0.9),
    )
    # too few contacts and too many are both bad
    return z + np.where((touches >= 2) & (touches <= 4), 0.5, -0.5)


def win_probability(seen, returning):
    """Return P(won)."""
    return sigmoid(win_logit(seen, returning))


def naive_bayes(seen, won, smoothing=0.1):
    """Return the log-odds of a naive Bayes on what can be seen, numbers in ten bins.

    Learnt on the same rows that it scores, which flatters it.
    """
    score = np.zeros(len(won))
    for values in seen.values():
        if len(np.unique(values)) > 10:
            values = np.digitize(values, np.quantile(values, np.linspace(0.1, 0.9, 9)))
        for value in np.unique(values):
            here = values == value
            wins = (here & won).sum() + smoothing
            losses = (here & ~won).sum() + smoothing
            score[here] += np.log(wins / won.sum()) - np.log(losses / (~won).sum())
    return score
