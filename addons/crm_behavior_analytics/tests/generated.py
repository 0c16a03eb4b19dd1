"""Customers with a known habit, as plain rows: no database, no clock, seeded."""

import random
from datetime import timedelta


def customers(count, now, seed, days=720):
    """Orders, invoices, deliveries and page views of customers, some of whom leave.

    Who leaves stops ordering at a random moment, and stops looking a little before.

    :return: dict of table name → list of dicts, as the tables of the providers
    """
    rng = random.Random(seed)
    tables = {"orders": [], "invoices": [], "deliveries": [], "events": []}
    for unit in range(1, count + 1):
        usual = rng.uniform(12, 45)
        moment = now - timedelta(days=rng.uniform(days * 0.7, days))
        leaves = rng.random() < 0.5
        end = now - timedelta(days=rng.uniform(0, days * 0.7)) if leaves else now
        previous = None
        while moment < end:
            gap = (moment - previous) / timedelta(days=1) if previous else None
            tables["orders"].append(
                {
                    "unit_id": unit,
                    "known_at": moment,
                    "amount": rng.randrange(5_000, 500_000),
                    "gap_days": gap,
                }
            )
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
            tables["deliveries"].append(
                {
                    "unit_id": unit,
                    "known_at": moment + timedelta(days=3),
                    "done_at": moment + timedelta(days=rng.uniform(1, 5)),
                }
            )
            for _view in range(rng.randrange(4)):
                seen = moment - timedelta(days=rng.uniform(0, usual))
                tables["events"].append(
                    {
                        "unit_id": unit,
                        "known_at": seen + timedelta(seconds=2),
                        "at": seen,
                        "type": rng.choice(("page", "page", "track", "identify")),
                        "event": None,
                        "page": "/shop",
                    }
                )
            previous = moment
            moment += timedelta(days=1 + rng.expovariate(1 / usual))
    return tables
