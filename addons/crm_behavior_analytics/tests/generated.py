"""Customers with a known habit, as plain rows: no database, no clock, seeded."""

import random
from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)
VISIT = timedelta(minutes=30)
NAMES = (
    ("page", None),
    ("page", None),
    ("track", "Product Viewed"),
    ("track", "Product Viewed"),
    ("track", "Product Added"),
    ("track", "Product Removed"),
    ("track", "Checkout Started"),
    ("track", "Products Searched"),
    ("identify", None),
)


def customers(count, now, seed, days=720):
    """What customers buy and look at, some of whom leave.

    Who leaves stops ordering at a random moment, and stops looking a little before.

    :return: dict of table name → list of dicts, as the tables of the providers
    """
    rng = random.Random(seed)
    tables = {
        name: []
        for name in ("orders", "lines", "goods", "invoices", "deliveries", "events")
    }
    for unit in range(1, count + 1):
        usual = rng.uniform(12, 45)
        moment = now - timedelta(days=rng.uniform(days * 0.7, days))
        leaves = rng.random() < 0.5
        end = now - timedelta(days=rng.uniform(0, days * 0.7)) if leaves else now
        previous = None
        bought = set()
        while moment < end:
            gap = (moment - previous) / timedelta(days=1) if previous else None
            _order(tables, rng, unit, moment, gap, bought)
            _invoice(tables, rng, unit, moment)
            for _visit in range(rng.randrange(3)):
                _visit_shop(tables, rng, unit, moment, usual)
            previous = moment
            moment += timedelta(days=1 + rng.expovariate(1 / usual))
    _order_events(tables["events"])
    return tables


def _order(tables, rng, unit, moment, gap, bought):
    lines = []
    for product in rng.sample(range(1, 30), rng.randrange(1, 5)):
        amount = rng.randrange(1_000, 100_000)
        discount = rng.choice((0, 0, rng.randrange(1, 1_000)))
        lines.append(
            {
                "unit_id": unit,
                "known_at": moment,
                "category": product % 4 + 1,
                "product": product,
                "amount": amount,
                "discount": discount,
                "full": amount + discount,
                "reduced": bool(discount),
                "bought_before": product in bought,
            }
        )
        bought.add(product)
    tables["lines"] += lines
    amount = sum(line["amount"] for line in lines)
    tables["orders"].append(
        {
            "unit_id": unit,
            "known_at": moment,
            "amount": amount,
            "gap_days": gap,
            "lines": len(lines),
            "quantity": float(rng.randrange(1, 9)),
            "day": (moment - EPOCH).days,
        }
    )
    promised = moment + timedelta(days=3)
    done = moment + timedelta(days=rng.uniform(1, 5))
    tables["deliveries"].append(
        {"unit_id": unit, "known_at": promised, "done_at": done}
    )
    goods = {
        "unit_id": unit,
        "known_at": done,
        "returned": False,
        "amount": amount,
        "margin": amount - rng.randrange(amount),
    }
    tables["goods"].append(goods)
    if rng.random() < 0.2:
        back = done + timedelta(days=rng.uniform(1, 20))
        tables["goods"].append({**goods, "known_at": back, "returned": True})


def _invoice(tables, rng, unit, moment):
    paid_at = moment + timedelta(days=rng.uniform(10, 50))
    tables["invoices"].append(
        {
            "unit_id": unit,
            "known_at": moment,
            "due_at": moment + timedelta(days=30),
            "paid_at": paid_at if rng.random() < 0.9 else None,
            "amount": rng.randrange(5_000, 500_000),
        }
    )


def _visit_shop(tables, rng, unit, moment, usual):
    seen = moment - timedelta(days=rng.uniform(0, usual))
    channel = rng.choice(("web", "mobile", "wechat", "app", "server"))
    for _event in range(rng.randrange(1, 6)):
        kind, name = rng.choice(NAMES)
        tables["events"].append(
            {
                "unit_id": unit,
                "known_at": seen + timedelta(seconds=2),
                "at": seen,
                "type": kind,
                "event": name,
                "page": f"/{rng.randrange(6)}" if kind == "page" else None,
                "channel": channel,
                "category": rng.choice(("Tea", "Cups", None)) if name else None,
                "amount": rng.randrange(100, 9_000) if name else None,
                "day": (seen - EPOCH).days,
                "hour_of_week": seen.weekday() * 24 + seen.hour,
            }
        )
        seen += timedelta(minutes=rng.uniform(0, 10))


def _order_events(events):
    """What needs the order of arrival: visits, and the days between them."""
    events.sort(key=lambda event: (event["unit_id"], event["known_at"]))
    previous = {"unit_id": None}
    for number, event in enumerate(events):
        event["id"] = number
        same = previous["unit_id"] == event["unit_id"]
        gap = event["known_at"] - previous["known_at"] if same else None
        event["starts_visit"] = gap is None or gap > VISIT
        event["gap_days"] = (
            gap / timedelta(days=1) if same and event["starts_visit"] else None
        )
        previous = event
