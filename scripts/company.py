"""The known-truth company: two years of a firm's life whose causes are known.

``python -m scripts.company --size S --seed 1 --out FOLDER`` writes

- ``FOLDER/tables/<kind>.csv`` (UTF-8, a header line, empty for "none", dates and UTC
  times in ISO 8601): what a company knows, to be loaded into a database
  (``company_load.py``);
- ``FOLDER/truth/``: what nobody can see, to judge what a suite finds, by
  ``customers.csv`` (rate, date and cause of leaving, the label and its optimal
  score), ``opportunities.csv`` (win probability), ``campaigns.csv`` (uplift of each
  person), ``tickets.csv`` (chance of first contact resolution with and without the
  skill), ``identities.csv`` (who is who in the channels' documents) and
  ``optimum.json``. It stays beside the database and is never loaded.

Pure: NumPy only, no Odoo, no clock. Equal arguments give equal bytes. The causes, with
their equations, are in ``causes/``; ``TABLES`` describes the columns.

The optimum printed is the AUC that the best possible score reaches on labels of the
world itself: for churn the exact posterior, for winning the true probability. It comes
from a simulated world much larger than the company, and so holds for every seed within
its interval.
"""

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from .causes import behavior, customers, marketing, sales, service, spine
from .causes.behavior import auc

DEFAULT_AS_OF = "2026-10-01"
TIME_ZONE_HOURS = 8
LABEL = spine.LABEL
OPTIMUM_CUSTOMERS, OPTIMUM_CHUNK, OPTIMUM_OPPORTUNITIES = 48_000, 8_000, 200_000
CONFIDENCE = 1.96


@dataclass(frozen=True)
class Size:
    """How many customers and opportunities; all else follows from the causes."""

    customers: int
    opportunities: int


SIZES = {
    "S": Size(1_200, 3_000),
    "M": Size(24_000, 60_000),
    "L": Size(480_000, 1_200_000),
}
#: the columns of each table; a name that ends in ``_at`` is UTC, in ``_on`` a date
TABLES = {
    "staff": "login name role lang skills",
    "products": "code name category price cost",
    "categories": "category name name_zh",
    "price_rises": "category from_on factor",
    "customers": "customer name contact is_company phone email street province city "
    "zip lang joined_on salesperson",
    "visits": "message_id customer anonymous_id at type event product url",
    "orders": "order customer ordered_at promised_on delivered_at salesperson",
    "order_lines": "order product quantity price",
    "invoices": "order invoiced_on due_on amount paid_on disputed_on",
    "opportunities": "opportunity customer created_at salesperson source revenue "
    "answered_at competitor discount state closed_at lost_reason",
    "touches": "opportunity at kind",
    "stage_moves": "opportunity at stage",
    "tickets": "ticket customer order opened_at category language agent "
    "first_contact closed_at satisfaction",
    "campaigns": "campaign name sent_at",
    "mailings": "campaign customer sent_at clicked",
    "documents": "channel external_id payload",
}
TRUTH = {
    "customers": "customer rate left_on cause eligible churned churn_probability",
    "opportunities": "opportunity win_probability won",
    "campaigns": "campaign customer mailed uplift",
    "tickets": "ticket chance_without_skill chance_with_skill had_skill",
    "identities": "channel external_id customer",
}


class Company:
    """The tables and the truth of one company.

    :param Size size: of ``SIZES``
    :param int seed: another seed, another company under the same laws
    :param str as_of: ISO date; the history ends with the day before
    """

    def __init__(self, size, seed, as_of=DEFAULT_AS_OF, label=LABEL):
        self.size, self.seed, self.label = size, seed, label
        self.as_of = date.fromisoformat(as_of)
        self.start = self.as_of - timedelta(days=spine.DAYS)
        self.midnight = datetime.combine(self.start, datetime.min.time()) - timedelta(
            hours=TIME_ZONE_HOURS
        )
        self.spine = spine.simulate(self._rng(0), size.customers, as_of, label)
        self.tables, self.truth = {}, {}
        self._customers()
        self._staff_and_products()
        self._visits()
        self._orders()
        self._opportunities()
        self._tickets()
        self._campaigns()
        self._documents()
        self._churn()

    def _rng(self, stream):
        return np.random.default_rng([self.seed, self.size.customers, stream])

    # --- TIME ---

    def _day(self, day):
        """Return a day number as a date, or "" for one that has not come."""
        if day < 0 or day >= spine.DAYS:
            return ""
        return (self.start + timedelta(days=int(day))).isoformat()

    def _due(self, day):
        """Return a day number as a date, be it to come."""
        return (self.start + timedelta(days=int(day))).isoformat()

    def _at(self, day, second):
        """Return the UTC time of a local second of a day, "" if it has not come."""
        if day < 0 or day >= spine.DAYS:
            return ""
        moment = self.midnight + timedelta(days=int(day), seconds=int(second))
        return moment.isoformat(" ")

    def _seconds(self, rng, n, begin=9, end=18):
        return rng.integers(begin * 3600, end * 3600, n).tolist()

    # --- TABLES ---

    def _customers(self):
        rng, world = self._rng(1), self.spine
        people = customers.draw_people(rng, world.firm, world.foreign, world.remote)
        owner = rng.integers(0, len(sales.SALESPEOPLE), len(people))
        self.people, self.owner = people, owner.tolist()
        first = self._first_days()
        self.tables["customers"] = [
            (
                i,
                one["name"],
                one["contact"],
                int(world.firm[i]),
                one["phone"],
                one["email"],
                one["street"],
                one["province"],
                one["city"],
                one["zip"],
                one["lang"],
                self._due(first[i]),
                sales.SALESPEOPLE[self.owner[i]][0],
            )
            for i, one in enumerate(people)
        ]

    def _first_days(self):
        order = self.spine.order
        first = np.full(len(self.people), spine.DAYS)
        np.minimum.at(first, order["customer"], order["day"])
        return first.tolist()

    def _staff_and_products(self):
        staff = [
            (login, name, "salesperson", _lang(login), "")
            for login, name, _senior in sales.SALESPEOPLE
        ]
        for login, name, skills in service.AGENTS:
            words = " ".join(f"{category}:{language}" for category, language in skills)
            staff.append((login, name, "agent", _lang(login), words))
        self.tables["staff"] = staff
        self.tables["products"] = [
            (code, name, category, price, cost)
            for code, name, category, price, cost in sales.PRODUCTS
        ]
        self.tables["categories"] = [
            (i, *names) for i, names in enumerate(sales.CATEGORIES)
        ]
        self.tables["price_rises"] = [
            (category, self._due(7 * week), factor)
            for week, category, factor in sales.PRICE_RISES
        ]

    def _visits(self):
        rng, world = self._rng(2), self.spine
        counts = world.visits[:, : spine.WEEKS]
        who, week = np.nonzero(counts)
        times = counts[who, week]
        who, week = np.repeat(who, times), np.repeat(week, times)
        n = len(who)
        day = 7 * week + rng.integers(0, 7, n)
        second = rng.integers(8 * 3600, 23 * 3600, n)
        order = np.lexsort((who, second, day))
        viewed = rng.poisson(1.2, n)
        carts = rng.random(n) < 0.22
        device = rng.random(n) < 0.15
        category = np.where(
            rng.random(n) < spine.MAIN_CATEGORY,
            world.main[who],
            rng.integers(0, len(sales.CATEGORIES), n),
        )
        picks = rng.integers(0, 2**31, n).tolist()
        by_category = _products_by_category()
        rows = []
        for i in order.tolist():
            customer, number = int(who[i]), len(rows)
            anonymous = f"a{customer:06d}-{int(device[i])}"
            steps = [("page", "Home", "", "/")]
            shelf = by_category[category[i]]
            for step in range(int(viewed[i])):
                code = sales.PRODUCTS[shelf[(picks[i] + step) % len(shelf)]][0]
                steps.append(("track", "Product Viewed", code, f"/shop/{code.lower()}"))
            if carts[i] and viewed[i]:
                steps.append(("track", "Product Added", steps[-1][2], "/shop/cart"))
            for step, (kind, event, product, url) in enumerate(steps):
                at = self._at(day[i], second[i] + 40 * step)
                message = f"v{number + step:08d}"
                rows.append(
                    (message, customer, anonymous, at, kind, event, product, url)
                )
        self.tables["visits"] = rows

    def _orders(self):
        rng, world = self._rng(3), self.spine
        order = world.order
        past = order["day"] < spine.DAYS
        n = int(past.sum())
        column = {name: values[past] for name, values in order.items()}
        seconds = self._seconds(rng, n, 9, 20)
        delivered = self._seconds(rng, n)
        count = 1 + rng.binomial(2, 0.35, n)
        shelves = _products_by_category()
        firm = world.firm[column["customer"]]
        picks = rng.integers(0, 2**31, n)
        quantities = rng.integers(1, 4, (n, 3)) + firm[:, None] * rng.integers(
            0, 8, (n, 3)
        )
        orders, lines, invoices = [], [], []
        for i in range(n):
            number, customer, day = i + 1, int(column["customer"][i]), column["day"][i]
            orders.append(
                (
                    number,
                    customer,
                    self._at(day, seconds[i]),
                    self._due(day + sales.PROMISED_DAYS),
                    self._at(column["delivered"][i], delivered[i]),
                    sales.SALESPEOPLE[self.owner[customer]][0],
                )
            )
            shelf = shelves[column["category"][i]]
            products = [
                shelf[(picks[i] + step) % len(shelf)] for step in range(count[i])
            ]
            prices = sales.list_price(np.array(products), np.full(count[i], day))
            total = 0.0
            for step, product in enumerate(products):
                quantity, price = int(quantities[i, step]), float(prices[step])
                total += round(quantity * price, 2)
                lines.append((number, sales.PRODUCTS[product][0], quantity, price))
            due = day + (sales.TERM_DAYS if firm[i] else 0)
            invoices.append(
                (
                    number,
                    self._day(day),
                    self._due(due),
                    round(total, 2),
                    self._day(column["paid"][i]),
                    self._day(column["disputed"][i]),
                )
            )
        self.tables["orders"] = orders
        self.tables["order_lines"] = lines
        self.tables["invoices"] = invoices

    def _opportunities(self):
        rng, n = self._rng(4), self.size.opportunities
        seen = sales.draw_opportunities(rng, n)
        created = np.sort(rng.integers(0, spine.DAYS, n))
        buyer = rng.integers(0, len(self.people), n)
        first = np.array(self._first_days())
        returning = first[buyer] < created
        chance = sales.win_probability(seen, returning)
        won = rng.random(n) < chance
        closed = created + sales.KNOWN_DAYS + 1 + rng.geometric(1 / 21, n)
        qualified = created + rng.integers(1, 6, n)
        offered = qualified + rng.integers(3, 8, n)
        seconds = self._seconds(rng, 4 * n)
        reason = rng.integers(0, len(sales.LOST_REASONS), n)
        rows, touches, moves = [], [], []
        for i in range(n):
            day, second = int(created[i]), seconds[i]
            over = closed[i] < spine.DAYS
            state = ("won" if won[i] else "lost") if over else "open"
            answer = int(day * 86400 + second + seen["answer_hours"][i] * 3600)
            rows.append(
                (
                    i + 1,
                    int(buyer[i]),
                    self._at(day, second),
                    sales.SALESPEOPLE[seen["salesperson"][i]][0],
                    sales.SOURCES[seen["source"][i]][0],
                    float(seen["revenue"][i]),
                    self._at(answer // 86400, answer % 86400),
                    int(seen["competitor"][i]),
                    int(seen["discount"][i]),
                    state,
                    self._at(closed[i], seconds[n + i]) if over else "",
                    sales.LOST_REASONS[reason[i]] if state == "lost" else "",
                )
            )
            # all of them within the days of which the win probability speaks
            days = np.sort(rng.integers(1, sales.KNOWN_DAYS, seen["touches"][i]))
            for touch, later in enumerate(days.tolist()):
                at = self._at(day + later, seconds[2 * n + i] + 60 * touch)
                if at:
                    touches.append((i + 1, at, ("call", "meeting")[(i + touch) % 2]))
            for stage, moved in (("qualified", qualified[i]), ("proposal", offered[i])):
                at = self._at(moved, seconds[3 * n + i])
                if at:
                    moves.append((i + 1, at, stage))
            if state == "won":
                moves.append((i + 1, self._at(closed[i], seconds[n + i]), "won"))
        self.tables["opportunities"] = rows
        self.tables["touches"] = touches
        self.tables["stage_moves"] = moves
        self.truth["opportunities"] = [
            (i + 1, _fine(chance[i]), int(won[i])) for i in range(n)
        ]
        self.win = chance, won

    def _tickets(self):
        rng, world = self._rng(5), self.spine
        order = world.order
        asked = np.flatnonzero((order["ticket"] >= 0) & (order["ticket"] < spine.DAYS))
        asked = asked[np.argsort(order["ticket"][asked], kind="stable")]
        seconds = self._seconds(rng, 2 * len(asked))
        picks = rng.integers(0, 2**31, len(asked)).tolist()
        rows, truth = [], []
        for number, i in enumerate(asked.tolist()):
            customer, category = int(order["customer"][i]), int(order["category"][i])
            language = service.LANGUAGES[int(world.foreign[customer])]
            matched = bool(order["matched"][i])
            able = [
                agent
                for agent in range(len(service.AGENTS))
                if service.can_solve(agent, category, language) == matched
            ]
            closed = self._at(order["closed"][i], seconds[2 * number])
            rows.append(
                (
                    number + 1,
                    customer,
                    i + 1,
                    self._at(order["ticket"][i], seconds[2 * number + 1]),
                    category,
                    language,
                    service.AGENTS[able[picks[number] % len(able)]][0],
                    int(order["first_contact"][i]) if closed else "",
                    closed,
                    int(order["satisfaction"][i]) if closed else "",
                )
            )
            chances = service.first_contact_chances()
            truth.append((number + 1, *map(_fine, chances), int(matched)))
        self.tables["tickets"] = rows
        self.truth["tickets"] = truth

    def _campaigns(self):
        world = self.spine
        effect = marketing.uplift(world.firm, world.foreign)
        campaigns, mailings, truth = [], [], []
        for number, (week, name) in enumerate(marketing.CAMPAIGNS, 1):
            sent = self._at(7 * week, 10 * 3600)
            campaigns.append((number, name, sent))
            span = slice(week, week + marketing.WEEKS)
            season = world.season[span].sum()
            active = (world.left < 0) | (world.left > week)
            gain = world.rate * season * effect * active
            for i in np.flatnonzero(world.entry < week).tolist():
                mailed = bool(world.mailed[i, week])
                truth.append((number, i, int(mailed), _fine(gain[i])))
                if mailed:
                    clicked = int(world.clicked[i, week])
                    mailings.append((number, i, sent, clicked))
        self.tables["campaigns"] = campaigns
        self.tables["mailings"] = mailings
        self.truth["campaigns"] = truth

    def _documents(self):
        found = customers.draw_documents(self._rng(6), self.people, self.spine.firm)
        self.tables["documents"] = [
            (channel, external, json.dumps(payload, ensure_ascii=False))
            for channel, external, _customer, payload in found
        ]
        self.truth["identities"] = [
            (channel, external, customer)
            for channel, external, customer, _payload in found
        ]

    def _churn(self):
        world = self.spine
        eligible = spine.eligible(world, label=self.label)
        rows = np.flatnonzero(eligible)
        score = np.full(len(eligible), np.nan)
        score[rows] = spine.churn_probability(self._rng(7), world, rows, self.label)
        churned = spine.churned(world, label=self.label)
        self.churn = score[rows], churned[rows]
        self.truth["customers"] = [
            (
                i,
                _fine(world.rate[i]),
                self._due(7 * world.left[i]) if world.left[i] >= 0 else "",
                _cause(world.left_cause[i]) if world.left[i] >= 0 else "",
                int(eligible[i]),
                int(churned[i]) if eligible[i] else "",
                _fine(score[i]) if eligible[i] else "",
            )
            for i in range(len(eligible))
        ]

    # --- OUTPUT ---

    def sample(self):
        """Return the AUC of the optimal scores on this very company's own labels."""
        return {
            "churn": _interval(*auc(*self.churn)),
            "win": _interval(*auc(*self.win)),
        }

    def write(self, folder, optimum=None):
        """Write ``tables/`` and ``truth/`` into ``folder``."""
        folder = Path(folder)
        for name, header in TABLES.items():
            _write(folder / f"tables/{name}.csv", header, self.tables[name])
        for name, header in TRUTH.items():
            _write(folder / f"truth/{name}.csv", header, self.truth[name])
        stated = {
            "as_of": self.as_of.isoformat(),
            "label": vars(self.label),
            "sample": self.sample(),
            **({"optimum": optimum} if optimum else {}),
        }
        text = json.dumps(stated, indent=2, sort_keys=True) + "\n"
        (folder / "truth/optimum.json").write_text(text)
        return folder


def _write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(header.split())
        writer.writerows(rows)


def _lang(login):
    return "en_US" if login in ("sophie", "agent.miller") else "zh_CN"


def _products_by_category():
    return [
        [i for i, row in enumerate(sales.PRODUCTS) if row[2] == category]
        for category in range(len(sales.CATEGORIES))
    ]


def _fine(value):
    return f"{float(value):.6f}"


def _cause(number):
    return behavior.NO_CAUSE if number < 0 else behavior.CAUSES[number]


def _interval(area, error):
    half = CONFIDENCE * error
    return {
        "auc": round(area, 4),
        "low": round(area - half, 4),
        "high": round(area + half, 4),
    }


# --- THE OPTIMUM ---


def churn_optimum(seed, as_of=DEFAULT_AS_OF, label=LABEL):
    """Return the AUC of the exact posterior in a world of ``OPTIMUM_CUSTOMERS``."""
    n = OPTIMUM_CUSTOMERS
    scores, labels = [], []
    for chunk in range(max(n // OPTIMUM_CHUNK, 1)):
        rng = np.random.default_rng([seed, n, 100 + chunk])
        world = spine.simulate(rng, min(n, OPTIMUM_CHUNK), as_of, label)
        rows = np.flatnonzero(spine.eligible(world, label=label))
        scores.append(spine.churn_probability(rng, world, rows, label))
        labels.append(spine.churned(world, label=label)[rows])
    return _interval(*auc(np.concatenate(scores), np.concatenate(labels)))


def win_optimum(seed, n=OPTIMUM_OPPORTUNITIES):
    """Return the AUC of the true win probability, and naive Bayes' on the same."""
    rng = np.random.default_rng([seed, n, 200])
    seen = sales.draw_opportunities(rng, n)
    seen["returning"] = rng.random(n) < RETURNING
    chance = sales.win_probability(seen, seen["returning"])
    won = rng.random(n) < chance
    naive = sales.naive_bayes(seen, won)
    return {**_interval(*auc(chance, won)), "naive_bayes": round(auc(naive, won)[0], 4)}


#: about the part of opportunities with somebody who had bought before
RETURNING = 0.45


def optimum(seed, as_of=DEFAULT_AS_OF):
    """Return both optima, from the laws of the world alone."""
    return {"churn": churn_optimum(seed, as_of), "win": win_optimum(seed)}


def _report(optima, sample, size):
    label = LABEL
    lines = [
        f"Churn: ordered in the last {label.eligible_days} days; no order in the "
        f"{label.horizon_days} days that begin {label.gap_days} days later."
    ]
    for name, title in (("churn", "churn"), ("win", "win")):
        best, own = optima[name], sample[name]
        lines.append(
            f"Optimal AUC, {title}: {best['auc']:.4f} "
            f"[{best['low']:.4f}, {best['high']:.4f}]"
            f"   on the labels of this size {size}: {own['auc']:.4f} "
            f"[{own['low']:.4f}, {own['high']:.4f}]"
        )
    lines.append(f"Naive Bayes, win: {optima['win']['naive_bayes']:.4f}")
    now, best = service.first_contact_rates()
    lines.append(
        f"First contact resolution: {now:.3f} as tickets were given, "
        f"{best:.3f} with the skill each time"
    )
    return "\n".join(lines)


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.company")
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--as-of", default=DEFAULT_AS_OF, help="ISO date")
    parser.add_argument("--out", type=Path, help="folder to write to")
    parser.add_argument(
        "--no-optimum", action="store_true", help="leave out the large simulation"
    )
    options = parser.parse_args(arguments)
    company = Company(SIZES[options.size], options.seed, options.as_of)
    optima = None if options.no_optimum else optimum(options.seed, options.as_of)
    if options.out:
        company.write(options.out, optima)
        for name in TABLES:
            sys.stdout.write(f"{len(company.tables[name]):>10,}  {name}\n")
    if optima:
        sys.stdout.write(_report(optima, company.sample(), options.size) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
