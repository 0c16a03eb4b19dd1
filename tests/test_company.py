"""The known-truth company: equal bytes for equal seeds, and an optimum that is one."""

import csv
import itertools
import json
import math
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from scripts import company
from scripts.causes import behavior, customers, marketing, sales, service, spine

SEED = 20_261


@pytest.fixture(scope="module")
def firm():
    return company.Company(company.SIZES["S"], SEED)


@pytest.fixture(scope="module")
def folder(firm, tmp_path_factory):
    return firm.write(tmp_path_factory.mktemp("company"))


@pytest.fixture(scope="module")
def world():
    """A world large enough for proportions."""
    return spine.simulate(np.random.default_rng(SEED), 12_000, company.DEFAULT_AS_OF)


@pytest.fixture(scope="module")
def scored(world):
    rows = np.flatnonzero(spine.eligible(world))
    score = spine.churn_probability(np.random.default_rng(1), world, rows)
    return score, spine.churned(world)[rows]


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def table(folder, name, part="tables"):
    with (folder / part / f"{name}.csv").open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


# --- OUTPUT ---


def test_a_seed_gives_the_same_bytes_and_another_seed_others(folder, tmp_path):
    again = company.Company(company.SIZES["S"], SEED).write(tmp_path / "again")
    other = company.Company(company.SIZES["S"], SEED + 1).write(tmp_path / "other")
    first = contents(folder)
    assert contents(again) == first
    differing = {path for path, data in contents(other).items() if data != first[path]}
    # the catalogue and the calendar are the same company's
    same = ("staff", "products", "categories", "price_rises", "campaigns")
    assert set(first) - differing == {Path(f"tables/{name}.csv") for name in same}


def test_the_command_writes_and_says_the_optimum(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(company, "OPTIMUM_CUSTOMERS", 2_000)
    company.main(["--seed", "3", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    stated = json.loads((tmp_path / "truth/optimum.json").read_text())
    for name in ("churn", "win"):
        assert f"Optimal AUC, {name}: {stated['optimum'][name]['auc']:.4f}" in said


def test_each_size_has_about_what_it_says(firm):
    rows = {name: len(rows) for name, rows in firm.tables.items()}
    assert rows["customers"] == 1_200
    assert rows["opportunities"] == 3_000
    assert 9_000 < rows["orders"] < 14_000
    assert 40_000 < rows["visits"] < 60_000
    assert 1_800 < rows["tickets"] < 3_000
    assert company.SIZES["M"].customers == 20 * company.SIZES["S"].customers
    assert company.SIZES["L"].customers == 400 * company.SIZES["S"].customers


def test_the_tables_hold_nothing_of_the_truth(folder):
    for name, header in company.TABLES.items():
        rows = table(folder, name)
        assert rows, name
        assert list(rows[0]) == header.split(), name
    hidden = {"rate", "left_on", "cause", "win_probability", "uplift", "churned"}
    assert not hidden & set(" ".join(company.TABLES.values()).split())


def test_nothing_in_the_tables_is_after_the_as_of_date(folder, firm):
    end = firm.midnight + timedelta(days=spine.DAYS)
    for name, header in company.TABLES.items():
        times = [column for column in header.split() if column.endswith("_at")]
        for row in table(folder, name):
            for column in times:
                if row[column]:
                    moment = datetime.fromisoformat(row[column])
                    assert firm.midnight <= moment < end, (name, column, row)


def test_sums_and_references_agree(folder):
    totals = defaultdict(float)
    for line in table(folder, "order_lines"):
        totals[line["order"]] += float(line["quantity"]) * float(line["price"])
    orders = {row["order"]: row for row in table(folder, "orders")}
    for invoice in table(folder, "invoices"):
        assert math.isclose(totals[invoice["order"]], float(invoice["amount"]))
        assert invoice["order"] in orders
    moves = defaultdict(list)
    for move in table(folder, "stage_moves"):
        moves[move["opportunity"]].append(move["at"])
    for row in table(folder, "opportunities"):
        times = moves[row["opportunity"]]
        assert times == sorted(times)
        assert bool(row["lost_reason"]) == (row["state"] == "lost")
        assert not times or row["created_at"] < times[0]
        assert not row["closed_at"] or times[-1] <= row["closed_at"]


# --- CHURN ---


def test_the_optimum_of_churn_is_where_it_was_fixed():
    seeds = [company.churn_optimum(seed) for seed in (SEED, SEED + 1)]
    for found in seeds:
        assert 0.92 <= found["low"] < found["auc"] < found["high"] <= 0.94
    first, second = seeds
    assert first["auc"] != second["auc"], "another seed, other customers"
    assert first["low"] <= second["high"]
    assert second["low"] <= first["high"]


def test_the_filter_equals_brute_force_on_a_tiny_world():
    """Every rate and every week of leaving summed up with the full Poisson law."""
    rng = np.random.default_rng(SEED)
    rates, prior = np.array([0.2, 0.5, 1.3]), np.array([0.5, 0.3, 0.2])
    weeks, n = 6, 40
    seen = behavior.Observed(
        week=weeks,
        entry=rng.integers(0, 3, n),
        orders=rng.poisson(0.4, (n, weeks)),
        visits=rng.poisson(0.6, (n, weeks)),
        multiplier=rng.uniform(0.7, 1.6, (n, weeks)),
        hazard=rng.uniform(0.02, 0.5, (n, weeks)),
        mailed=rng.random((n, weeks)) < 0.4,
        clicked=np.zeros((n, weeks), bool),
    )
    seen.clicked[seen.mailed] = rng.random(seen.mailed.sum()) < 0.2
    before = np.arange(weeks) < seen.entry[:, None]
    seen.orders[before] = 0
    seen.orders[np.arange(n), seen.entry] += 1
    seen.orders[: n // 2, 4:] = 0  # so that "gone" stays possible for half of them
    active, gone = behavior.filtered(seen, rates, prior)
    for i in range(n):
        expected = brute_force(seen, i, rates, prior)
        assert np.allclose(active[i], expected[0], atol=1e-12)
        assert np.allclose(gone[i], expected[1], atol=1e-12)


def brute_force(seen, i, rates, prior):
    """P(rate, active) and P(rate, gone) of one customer by enumeration."""
    joint = np.zeros((2, len(rates)))
    first = int(seen.entry[i])
    ends = [*range(first + 1, seen.week), None]
    for (k, rate), left in itertools.product(enumerate(rates), ends):
        chance = prior[k]
        for week in range(first, seen.week):
            here = left is None or week < left
            if week > first and here:
                chance *= 1 - seen.hazard[i, week]
            if week == left:
                chance *= seen.hazard[i, week]
            orders = int(seen.orders[i, week]) - (week == first)
            expected = rate * seen.multiplier[i, week] if here else 0.0
            chance *= poisson(orders, expected)
            visits = behavior.visit_rate(rate) * (1 if here else behavior.GONE_VISITS)
            chance *= poisson(int(seen.visits[i, week]), visits)
            if seen.mailed[i, week]:
                click = behavior.CLICK_ACTIVE if here else behavior.CLICK_GONE
                chance *= click if seen.clicked[i, week] else 1 - click
        joint[0 if left is None else 1, k] += chance
    return joint / joint.sum()


def poisson(count, expected):
    return math.exp(-expected) * expected**count / math.factorial(count)


def test_the_posterior_is_calibrated(scored):
    """In each tenth of the score, as many churned as it said, within chance."""
    score, churned = scored
    tenths = np.array_split(np.argsort(score), 10)
    deviations = []
    for rows in tenths:
        expected = score[rows].sum()
        spread = np.sqrt((score[rows] * (1 - score[rows])).sum())
        deviations.append((churned[rows].sum() - expected) / max(spread, 0.5))
    assert np.abs(deviations).max() < 3.5, deviations
    assert np.sum(np.square(deviations)) < 29.6, "chi-square, 10 degrees, 0.1 %"


def test_the_posterior_beats_what_ignores_a_part_of_what_is_seen(world, scored):
    score, churned = scored
    rows = np.flatnonzero(spine.eligible(world))
    last = np.full(len(world.entry), -1)
    past = world.order["day"] < spine.DAYS
    np.maximum.at(last, world.order["customer"][past], world.order["day"][past])
    recency = behavior.auc((spine.DAYS - last[rows]).astype(float), churned)[0]
    assert recency + 0.05 < behavior.auc(score, churned)[0]


def test_pending_outcomes_are_drawn_as_they_come(world):
    """Facts drawn for what is still open have the mean of what then happens."""
    rows = np.arange(len(world.entry))
    weeks = 8
    drawn = spine.pending_facts(
        np.random.default_rng(2), world, rows, spine.WEEKS, 4, weeks
    )
    placed = spine_facts_of_placed(world, weeks)
    for cause in (behavior.LATE, behavior.SERVICE, behavior.DISPUTE):
        for week in range(weeks):
            expected = drawn[:, :, week, cause].sum() / 4
            found = placed[week, cause]
            assert abs(found - expected) <= 4 * math.sqrt(max(expected, 1)), (
                cause,
                week,
            )


def spine_facts_of_placed(world, weeks):
    """Facts that become known after the as-of date of orders placed before it."""
    counts = np.zeros((weeks, 4))
    order = world.order
    before = order["day"] < spine.DAYS
    known = {
        behavior.LATE: np.where(order["late"], order["day"] + 6, -1),
        behavior.SERVICE: order["bad"],
        behavior.DISPUTE: order["disputed"],
    }
    for cause, day in known.items():
        week = day // 7 - spine.WEEKS
        at = week[before & (day >= spine.DAYS) & (week < weeks)]
        np.add.at(counts, (at, cause), 1)
    return counts


def test_the_label_is_what_the_orders_say(firm, folder):
    """Eligible and churned once more, from the dates of the orders alone."""
    label, as_of = firm.label, firm.as_of
    order = firm.spine.order
    days = defaultdict(list)
    for customer, day in zip(order["customer"], order["day"], strict=True):
        days[int(customer)].append(firm.start + timedelta(days=int(day)))
    begin = as_of + timedelta(days=label.gap_days)
    end = begin + timedelta(days=label.horizon_days)
    oldest = as_of - timedelta(days=label.eligible_days)
    seen = Counter()
    for row in table(folder, "customers", "truth"):
        placed = days[int(row["customer"])]
        eligible = any(oldest <= day < as_of for day in placed)
        assert row["eligible"] == str(int(eligible))
        churned = not any(begin <= day < end for day in placed)
        assert row["churned"] == (str(int(churned)) if eligible else "")
        assert bool(row["churn_probability"]) == eligible
        seen[row["churned"]] += 1
    assert min(seen["0"], seen["1"]) > 100


def test_the_hazard_can_be_computed_from_the_tables(firm, folder):
    """Nothing hidden in it: every tenth customer's hazards, from the CSV files."""
    first, facts = facts_of_tables(folder, firm.start)
    visits = defaultdict(Counter)
    for row in table(folder, "visits"):
        if row["event"] == "Home":
            visits[int(row["customer"])][local(row["at"], firm.start) // 7] += 1
    checked = 0
    for who in range(0, len(first), 10):
        trouble, came = np.zeros((1, 4)), visits[who]
        for week in range(spine.WEEKS):
            if week > first[who]:
                recent = sum(came[w] for w in range(week - 4, week))
                earlier = sum(came[w] for w in range(week - 16, week - 4))
                falling = behavior.visits_falling(np.array([recent]), np.array(earlier))
                tenure = np.array([week - first[who]])
                z, _parts = behavior.leave_logit(trouble, falling, tenure)
                expected = behavior.sigmoid(z)[0]
                found = firm.spine.hazard[who, week]
                assert math.isclose(found, expected, rel_tol=1e-5), (who, week)
                checked += 1
            known = [facts[who, cause][week] for cause in range(4)]
            trouble = trouble * behavior.FADE + np.array([known])
    assert checked > 5_000


def local(text, start):
    """The local day of a UTC time, counted from ``start``."""
    moment = datetime.fromisoformat(text) + timedelta(hours=company.TIME_ZONE_HOURS)
    return (moment.date() - start).days


def facts_of_tables(folder, start):
    """Weeks of the first orders, and how often which trouble was known in a week."""
    facts, bought, first, owners = defaultdict(Counter), defaultdict(set), {}, {}
    category = {row["code"]: row["category"] for row in table(folder, "products")}
    lines = {row["order"]: row["product"] for row in table(folder, "order_lines")}
    for row in table(folder, "orders"):
        who = owners[row["order"]] = int(row["customer"])
        week = local(row["ordered_at"], start) // 7
        bought[who, category[lines[row["order"]]]].add(week)
        first[who] = min(first.get(who, week), week)
        promised = (date.fromisoformat(row["promised_on"]) - start).days
        arrived = row["delivered_at"]
        if not arrived or local(arrived, start) > promised:
            facts[who, behavior.LATE][(promised + 1) // 7] += 1
    for row in table(folder, "invoices"):
        if row["disputed_on"]:
            week = (date.fromisoformat(row["disputed_on"]) - start).days // 7
            facts[owners[row["order"]], behavior.DISPUTE][week] += 1
    for row in table(folder, "tickets"):
        known = bad_answer(row, start)
        if known is not None:
            facts[int(row["customer"]), behavior.SERVICE][known // 7] += 1
    for row in table(folder, "price_rises"):
        risen = (date.fromisoformat(row["from_on"]) - start).days // 7
        for (who, kind), weeks in bought.items():
            newest = max((week for week in weeks if week <= risen), default=-1)
            memory = range(max(risen - sales.PRICE_MEMORY_WEEKS, 0), risen)
            if kind == row["category"] and newest in memory:
                facts[who, behavior.PRICE][risen] += 1
    return first, facts


def bad_answer(row, start):
    """The day on which a ticket is known to be answered badly, or None."""
    opened = local(row["opened_at"], start)
    closed = local(row["closed_at"], start) if row["closed_at"] else spine.DAYS
    if closed - opened > service.LYING_DAYS:
        return opened + service.LYING_DAYS
    if row["satisfaction"] and int(row["satisfaction"]) <= 2:
        return closed
    return None


def test_each_cause_makes_customers_leave(world):
    gone = world.left >= 0
    causes = Counter(world.left_cause[gone].tolist())
    assert set(causes) == {-1, 0, 1, 2, 3, 4}
    assert min(causes.values()) > 100


# --- WINNING, SERVICE, MARKETING ---


def test_the_optimum_of_winning_is_where_it_was_fixed():
    first, second = (company.win_optimum(seed) for seed in (SEED, SEED + 1))
    for found in (first, second):
        assert 0.80 <= found["low"] < found["high"] <= 0.85
        assert found["naive_bayes"] <= found["auc"] - 0.05
    assert first["low"] <= second["high"]
    assert second["low"] <= first["high"]


def test_a_company_wins_as_often_as_its_probabilities_say(folder):
    rows = table(folder, "opportunities", "truth")
    chance = np.array([float(row["win_probability"]) for row in rows])
    won = np.array([int(row["won"]) for row in rows])
    for part in np.array_split(np.argsort(chance), 5):
        spread = math.sqrt((chance[part] * (1 - chance[part])).sum())
        assert abs(won[part].sum() - chance[part].sum()) < 3.5 * spread


def test_what_wins_is_known_before_it_is_decided(folder):
    closed = {
        row["opportunity"]: (row["created_at"], row["closed_at"])
        for row in table(folder, "opportunities")
    }
    for created, end in closed.values():
        if end:
            days = datetime.fromisoformat(end) - datetime.fromisoformat(created)
            assert days > timedelta(days=sales.KNOWN_DAYS)
    for touch in table(folder, "touches"):
        created, _end = closed[touch["opportunity"]]
        days = datetime.fromisoformat(touch["at"]) - datetime.fromisoformat(created)
        assert days < timedelta(days=sales.KNOWN_DAYS)


def test_tickets_go_well_as_often_as_the_law_says():
    rng = np.random.default_rng(SEED)
    matched = rng.random(40_000) < service.MATCHED
    _outcome, _days, first, satisfaction = service.draw_answers(rng, matched)
    now, best = service.first_contact_rates()
    assert abs(first.mean() - now) < 0.01
    assert abs(first[matched].mean() - best) < 0.01
    assert set(np.unique(satisfaction)) == {1, 2, 3, 4, 5}
    for category, language in itertools.product(range(4), service.LANGUAGES):
        able = [
            service.can_solve(agent, category, language)
            for agent in range(len(service.AGENTS))
        ]
        assert any(able), "somebody can solve it"
        assert not all(able), "somebody cannot"


def test_the_campaigns_have_their_uplift(world):
    """Mailed against not mailed, by lot: the difference is the true uplift."""
    effect = marketing.uplift(world.firm, world.foreign)
    gained = spread = expected = 0.0
    for week, _name in marketing.CAMPAIGNS:
        span = slice(week, week + marketing.WEEKS)
        asked = world.entry < week
        bought = world.orders[:, span].sum(axis=1).astype(float)
        active = (world.left < 0) | (world.left > week)
        true = world.rate * world.season[span].sum() * effect * active
        yes, no = asked & world.mailed[:, week], asked & ~world.mailed[:, week]
        gained += bought[yes].mean() - bought[no].mean()
        spread += bought[yes].var() / yes.sum() + bought[no].var() / no.sum()
        expected += true[asked].mean()
    assert abs(gained - expected) < 4 * math.sqrt(spread) + 0.05 * expected
    assert expected > 5 * math.sqrt(spread), "it can be seen"


# --- DUPLICATES AND DIRT ---


def test_the_truth_knows_who_is_who(folder):
    truth = {
        (row["channel"], row["external_id"]): row["customer"]
        for row in table(folder, "identities", "truth")
    }
    documents = table(folder, "documents")
    assert {(row["channel"], row["external_id"]) for row in documents} == set(truth)
    assert len(documents) == len(truth)
    times = Counter(truth.values())
    twice = [customer for customer, count in times.items() if count == 2]
    assert set(times.values()) == {1, 2}
    assert 60 < len(twice) < 140
    people = {row["customer"]: row for row in table(folder, "customers")}
    phones = [row["phone"] for row in people.values()]
    assert len(set(phones)) == len(phones)
    assert all(people[customer]["is_company"] == "0" for customer in times)


def test_there_is_dirt(folder):
    texts = [row["payload"] for row in table(folder, "documents")]
    whole = "\n".join(texts)
    assert "０" in whole and "１" in whole, "full-width digits"
    assert "13800138000" in whole or "null" in whole or "未知" in whole
    assert any("+86-1" in text for text in texts), "other telephone formats"
    assert any('"邮箱": ""' in text or '"email": ""' in text for text in texts)
    people = {row["customer"]: row for row in table(folder, "customers")}
    truth = table(folder, "identities", "truth")
    documents = {
        (row["channel"], row["external_id"]): json.loads(row["payload"])
        for row in table(folder, "documents")
    }
    misspelt = sum(
        name(documents[row["channel"], row["external_id"]])
        != people[row["customer"]]["name"]
        for row in truth
    )
    assert 10 < misspelt < 100


def name(payload):
    return payload.get("name") or payload["姓名"]


def test_each_kind_of_dirt_changes_the_person():
    rng = np.random.default_rng(SEED)
    for dirt in customers.DIRT:
        changed = 0
        for person in customers.draw_people(
            rng, np.zeros(30, bool), np.arange(30) % 2 == 0, np.zeros(30, bool)
        ):
            dirty = dict(person)
            dirt(rng, dirty)
            changed += dirty != person
        assert changed >= 25, dirt.__name__
