"""Features of every customer, more than 120: the definitions through Ibis, beside a
Polars script written by hand that computes the same.

``BENCH_EVENTS`` and ``BENCH_CUSTOMERS`` set the size. Each way runs in a process of
its own, on the same Parquet files; wall time is from the files to the finished frame,
with the libraries imported, memory the peak of the process.
"""

import importlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from figures import figure

ROOT = Path(__file__).resolve().parents[2]
EVENTS = int(os.environ.get("BENCH_EVENTS", 5_000_000))
CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", EVENTS // 50))
RUNS = 3
NOW = datetime(2026, 5, 4)
WINDOWS = (7, 30, 90, 365)
CHANNELS = ("web", "mobile", "wechat", "app", "server")
CATEGORIES = ("orders", "basket")
# what the tracking script tells by itself
TECHNICAL = (
    *("Dead Click", "Element Clicked", "Error Caught", "Form Abandoned"),
    *("Form Started", "Page Left", "Rage Click", "Web Vitals"),
)
NAMES = (
    "Product Viewed",
    "Product Added",
    "Product Removed",
    "Checkout Started",
    "Products Searched",
    "Video Played",
    "Page Left",
)


# --- DATA ---


def write_data(folder):
    """Visits of some events each, orders and their lines, over two years."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(1)
    per_visit = 5
    visits = EVENTS // per_visit
    unit = np.repeat(_customers(rng, visits), per_visit)
    start = np.repeat(rng.uniform(600, 730 * 86400, visits), per_visit)
    step = np.tile(np.arange(per_visit), visits) * 40 + rng.uniform(0, 40, len(unit))
    at = np.datetime64(NOW, "us") - ((start - step) * 1e6).astype("timedelta64[us]")
    kind = rng.choice(3, len(unit), p=(0.5, 0.46, 0.04))
    name = rng.integers(0, len(NAMES), len(unit))
    frame = pl.DataFrame(
        {
            "unit_id": unit,
            "at": at,
            "known_at": at + np.timedelta64(2, "s"),
            "kind": kind,
            "name": name,
            "page": rng.integers(0, 60, len(unit)),
            "channel": np.repeat(rng.integers(0, 5, visits), per_visit),
            "category": rng.integers(0, 12, len(unit)),
            "amount": rng.integers(100, 90_000, len(unit)),
        }
    )
    track = pl.col("kind") == 1
    gap = pl.col("known_at") - pl.col("known_at").shift(1).over("unit_id")
    starts = gap.is_null() | (gap > timedelta(minutes=30))
    (
        frame.sort("unit_id", "known_at")
        .with_columns(
            starts_visit=starts,
            gap_days=pl.when(starts).then(gap.dt.total_microseconds() / 86400e6),
        )
        .sort("known_at")
        .select(
            "unit_id",
            "known_at",
            "at",
            "starts_visit",
            "gap_days",
            type=_names(pl.col("kind"), ("page", "track", "identify")),
            event=pl.when(track).then(_names(pl.col("name"), NAMES)),
            page=pl.when(pl.col("kind") == 0).then(pl.format("/page/{}", "page")),
            channel=_names(pl.col("channel"), CHANNELS),
            category=pl.when(track).then(pl.format("Category {}", "category")),
            amount=pl.when(track).then("amount"),
            day=pl.col("at").dt.date().cast(pl.Int32).cast(pl.Int64),
            hour_of_week=(pl.col("at").dt.weekday().cast(pl.Int64) - 1) * 24
            + pl.col("at").dt.hour(),
        )
        .write_parquet(folder / "events.parquet")
    )
    _write_orders(folder, rng, np, pl)
    pl.DataFrame({"unit_id": np.arange(1, CUSTOMERS + 1)}).write_parquet(
        folder / "units.parquet"
    )


def _customers(rng, count):
    """Some come often, most rarely."""
    weights = rng.gamma(0.7, 1, CUSTOMERS)
    return rng.choice(CUSTOMERS, count, p=weights / weights.sum()) + 1


def _names(column, names):
    import polars as pl

    return column.cast(pl.UInt32).replace_strict(
        dict(enumerate(names)), return_dtype=pl.String
    )


def _write_orders(folder, rng, np, pl):
    count = CUSTOMERS * 6
    at = np.datetime64(NOW, "us") - (rng.uniform(0, 730, count) * 86400e6).astype(
        "timedelta64[us]"
    )
    orders = pl.DataFrame(
        {
            "unit_id": _customers(rng, count),
            "known_at": at,
            "amount": rng.integers(1000, 500_000, count),
            "lines": rng.integers(1, 5, count),
            "quantity": rng.integers(1, 20, count).astype(float),
        }
    ).sort("unit_id", "known_at")
    gap = pl.col("known_at") - pl.col("known_at").shift(1).over("unit_id")
    orders = orders.with_columns(
        gap_days=gap.dt.total_microseconds() / 86400e6,
        day=pl.col("known_at").dt.date().cast(pl.Int32).cast(pl.Int64),
    )
    orders.write_parquet(folder / "orders.parquet")
    lines = orders.select("unit_id", "known_at").sample(
        count * 2, with_replacement=True, seed=1
    )
    size = len(lines)
    lines.with_columns(
        category=pl.Series(rng.integers(1, 13, size)),
        product=pl.Series(rng.integers(1, 400, size)),
        amount=pl.Series(rng.integers(1000, 200_000, size)),
        bought_before=pl.Series(rng.random(size) < 0.3),
    ).write_parquet(folder / "lines.parquet")


# --- THE DEFINITIONS ---


def definitions():
    loader = _load(ROOT / "addons/crm_data_governance/tools_loader.py")
    loader.install([ROOT / "addons"])
    prediction = importlib.import_module("crm_behavior_analytics_tools.prediction")
    behavior, commerce = (
        f"crm_behavior_analytics_tools.features_{name}"
        for name in ("behavior", "commerce")
    )
    return [
        one
        for one in prediction.load_definitions([commerce, behavior])
        if one.category in CATEGORIES
        or one in importlib.import_module(behavior).DEFINITIONS
    ]


def _load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_definitions(frames):
    features = importlib.import_module("crm_behavior_analytics_tools.features")
    connection = features.polars_connection(frames)
    return features.compute(
        connection, connection.table("units"), NOW, definitions()
    ).to_polars()


# --- BY HAND ---


def by_hand(frames):
    """The same in Polars: masks once, one aggregation a table, a second one by keys."""
    import polars as pl

    known = {
        name: frame.lazy().filter(pl.col("known_at") < NOW)
        for name, frame in frames.items()
        if name != "units"
    }
    result = frames["units"].lazy()
    for part in (
        *_events_by_hand(pl, known["events"]),
        *_orders_by_hand(pl, known["orders"], known["lines"]),
    ):
        result = result.join(part, "unit_id", "left")
    zero = [one.code for one in definitions() if one.table and one.missing == 0]
    result = result.with_columns(pl.col(zero).fill_null(0)).with_columns(
        visit_irregularity=pl.col("visit_gap_spread") / (pl.col("visit_gap_mean") + 1),
        visit_gap_ratio=pl.col("days_since_visit") / (pl.col("visit_gap_mean") + 1),
        order_irregularity=pl.col("order_gap_spread") / (pl.col("order_gap_mean") + 1),
        order_gap_ratio=pl.col("days_since_order") / (pl.col("order_gap_mean") + 1),
        visits_missed=pl.col("days_since_visit")
        * pl.col("visits")
        / (pl.col("days_since_first_visit") + 30),
        active_days_share=(pl.col("active_days_30d") + 0.5)
        / (pl.col("active_days_90d") + 1.5),
        order_span_days=pl.col("tenure_days") - pl.col("days_since_order"),
        orders_missed=pl.col("days_since_order")
        * (pl.col("orders_repeat") + 1)
        / (pl.col("tenure_days") + 30),
    )
    return (
        result.select("unit_id", *(one.code for one in definitions()))
        .with_columns(pl.exclude("unit_id").cast(pl.Float64))
        .sort("unit_id")
        .collect()
    )


def _since(pl, column):
    # as the definitions have it: of moments in whole seconds
    return (pl.lit(NOW) - column.dt.truncate("1s")).dt.total_seconds().floordiv(86400)


def _events_by_hand(pl, events):
    c = pl.col
    masks = {
        "page_views": c("type") == "page",
        "actions": (c("type") == "track") & ~c("event").is_in(TECHNICAL),
        "active": c("type") != "identify",
        "visits": c("starts_visit"),
        "product_views": c("event") == "Product Viewed",
        "cart_adds": c("event") == "Product Added",
        "cart_removals": c("event") == "Product Removed",
        "checkouts": c("event") == "Checkout Started",
        "searches": c("event") == "Products Searched",
        **{f"channel_{name}": c("channel") == name for name in CHANNELS},
    }
    events = events.with_columns(**{f"is_{name}": mask for name, mask in masks.items()})
    events = events.with_columns(
        **{
            f"in_{days}": c("at") >= NOW - timedelta(days=days)
            for days in (*WINDOWS, 60, 180)
        }
    )

    def count(name, days):
        return (c(f"is_{name}") & c(f"in_{days}")).sum().cast(pl.Int64)

    found = {}
    counted = {
        **dict.fromkeys(
            ("page_views", "actions", "product_views", "cart_adds", "visits"), WINDOWS
        ),
        "cart_removals": (90,),
        "searches": (30, 90),
        "checkouts": (30, 90, 365),
        **{f"channel_{name}": (30, 365) for name in CHANNELS},
    }
    for name, windows in counted.items():
        for days in windows:
            found[f"{name}_{days}d"] = count(name, days)
    for name, windows in {
        "page_views": (30, 90),
        "actions": (30, 90),
        "visits": (30, 90),
        "product_views": (30,),
        "cart_adds": (30,),
    }.items():
        for days in windows:
            found[f"{name}_change_{days}d"] = 2 * count(name, days) - count(
                name, 2 * days
            )
    for name in CHANNELS:
        whole = count("active", 90)
        share = (c(f"is_channel_{name}") & c("in_90")).sum() / whole
        found[f"channel_{name}_share_90d"] = pl.when(whole > 0).then(share)
    for code, name in {
        "days_since_visit": "page_views",
        "days_since_action": "actions",
        "days_since_product_view": "product_views",
        "days_since_cart": "cart_adds",
        "days_since_checkout": "checkouts",
    }.items():
        found[code] = _since(pl, pl.when(c(f"is_{name}")).then(c("at")).max())
    found["days_since_first_visit"] = _since(
        pl, pl.when(c("is_active")).then(c("at")).min()
    )
    for days in (30, 90):
        cart = pl.when(c("is_cart_adds") & c(f"in_{days}")).then(c("amount"))
        found[f"cart_amount_{days}d"] = cart.sum() / 100
    found["visits"] = c("is_visits").sum().cast(pl.Int64)
    found["visit_gap_mean"] = c("gap_days").mean()
    found["visit_gap_mean_90d"] = pl.when(c("in_90")).then(c("gap_days")).mean()
    found["visit_gap_max"] = c("gap_days").max()
    found["visit_gap_spread"] = c("gap_days").std()
    yield events.group_by("unit_id").agg(**found)

    def latest(name):
        return pl.when(c(f"is_{name}")).then(c("at")).max().alias(name)

    def distinct(name, days):
        return (c(name) >= NOW - timedelta(days=days)).sum()

    subjects = ("active", "page_views", "product_views")
    channels = ("web", "mobile", "wechat", "app")
    yield (
        events.group_by("unit_id", "day")
        .agg(*map(latest, (*subjects, *(f"channel_{name}" for name in channels))))
        .group_by("unit_id")
        .agg(
            **{
                f"active_days_{days}d": distinct("active", days)
                for days in (*WINDOWS, 14)
            },
            **{
                f"page_views_days_{days}d": distinct("page_views", days)
                for days in (30, 90)
            },
            product_views_days_90d=distinct("product_views", 90),
            **{
                f"channel_{name}_days_90d": distinct(f"channel_{name}", 90)
                for name in channels
            },
        )
    )
    for code, key, name, days in (
        ("pages_90d", "page", "page_views", 90),
        ("events_90d", "event", "actions", 90),
        ("channels_365d", "channel", "active", 365),
    ):
        yield (
            events.filter(c(f"is_{name}") & c(f"in_{days}"))
            .group_by("unit_id", key)
            .agg()
            .drop_nulls(key)
            .group_by("unit_id")
            .agg(pl.len().cast(pl.Int64).alias(code))
        )

    def entropy(n):
        return n.sum().log(2) - (n * n.log(2)).sum() / n.sum()

    viewed = (
        events.filter(c("is_product_views") & c("in_365"))
        .group_by("unit_id", "category")
        .agg(n=pl.len().cast(pl.Float64), last=c("at").max())
        .drop_nulls("category")
    )
    yield viewed.group_by("unit_id").agg(
        viewed_categories_90d=distinct("last", 90),
        viewed_category_entropy_365d=entropy(c("n")),
        viewed_category_top_365d=c("n").max() / c("n").sum(),
    )
    hours = (
        events.filter(c("is_active") & c("in_365"))
        .group_by("unit_id", "hour_of_week")
        .agg(n=pl.len().cast(pl.Float64), recent=c("in_90").sum().cast(pl.Float64))
    )
    recent = c("recent").filter(c("recent") > 0)
    yield hours.group_by("unit_id").agg(
        hour_of_week_entropy_365d=entropy(c("n")),
        hour_of_week_entropy_90d=pl.when(c("recent").sum() > 0).then(entropy(recent)),
        hour_of_week_top_365d=c("n").max() / c("n").sum(),
    )


def _orders_by_hand(pl, orders, lines):
    c = pl.col
    inside = {
        days: c("known_at") >= NOW - timedelta(days=days)
        for days in (*WINDOWS, 60, 180, 730)
    }

    def number(days):
        return inside[days].sum().cast(pl.Int64)

    def amount(days):
        return pl.when(inside[days]).then(c("amount")).otherwise(0).sum()

    yield orders.group_by("unit_id").agg(
        **{f"orders_{days}d": number(days) for days in (*WINDOWS, 180)},
        orders_repeat=pl.len().cast(pl.Int64) - 1,
        order_gap_last=c("gap_days").get(c("known_at").arg_max()),
        **{
            f"orders_change_{days}d": 2 * number(days) - number(2 * days)
            for days in (30, 90, 365)
        },
        **{f"amount_{days}d": amount(days) / 100 for days in WINDOWS},
        **{
            f"amount_change_{days}d": (2 * amount(days) - amount(2 * days)) / 100
            for days in (30, 90, 365)
        },
        orders_days_365d=c("day").filter(inside[365]).n_unique(),
        amount_mean=c("amount").mean() / 100,
        amount_mean_90d=pl.when(inside[90]).then(c("amount")).mean() / 100,
        amount_max=c("amount").max() / 100,
        days_since_order=_since(pl, c("known_at").max()),
        tenure_days=_since(pl, c("known_at").min()),
        order_gap_mean=c("gap_days").mean(),
        order_gap_max=c("gap_days").max(),
        order_gap_spread=c("gap_days").std(),
        order_lines_365d=pl.when(inside[365]).then(c("lines")).mean(),
        order_quantity_365d=pl.when(inside[365]).then(c("quantity")).mean(),
    )
    yield lines.group_by("unit_id").agg(
        products_bought_365d=c("product").filter(inside[365]).n_unique(),
        repeat_share_365d=pl.when(inside[365]).then(c("bought_before")).mean(),
    )
    n = c("n").cast(pl.Float64)
    full = n.filter(n > 0)
    yield (
        lines.group_by("unit_id", "category")
        .agg(
            last=c("known_at").max(),
            n=inside[365].sum(),
            **{f"amount_{days}": amount(days) for days in WINDOWS},
        )
        .group_by("unit_id")
        .agg(
            **{
                f"categories_bought_{days}d": (
                    c("last") >= NOW - timedelta(days=days)
                ).sum()
                for days in (90, 365)
            },
            category_entropy_365d=pl.when(n.sum() > 0).then(
                full.sum().log(2) - (full * full.log(2)).sum() / full.sum()
            ),
            category_top_365d=pl.when(c("amount_365").sum() > 0).then(
                c("amount_365").max() / c("amount_365").sum()
            ),
            **{
                f"category_top_amount_{days}d": c(f"amount_{days}").max() / 100
                for days in WINDOWS
            },
        )
    )


# --- RUNS ---


def run(way, folder):
    """In a process of its own: time, peak memory and checksum."""
    import ibis  # noqa: F401
    import polars as pl

    definitions()
    started = time.monotonic()
    frames = {
        path.stem: pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))
    }
    table = {"definitions": by_definitions, "hand": by_hand}[way](frames)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table.write_parquet(folder.parent / f"{way}.parquet")
    sys.stdout.write(json.dumps([seconds, peak, table.shape]))


def measure(way, folder):
    results = []
    for _run in range(RUNS):
        done = subprocess.run(
            [sys.executable, __file__, way, str(folder)],
            stdout=subprocess.PIPE,
            check=True,
        )
        results.append(json.loads(done.stdout))
    assert results[0][2] == [CUSTOMERS, len(definitions()) + 1], results[0][2]
    return min(one[0] for one in results), min(one[1] for one in results)


def assert_equal(folder):
    """Both ways have the same values, or the ratio says nothing."""
    import polars as pl

    ours = pl.read_parquet(folder.parent / "definitions.parquet")
    theirs = pl.read_parquet(folder.parent / "hand.parquet")
    for name in ours.columns:
        left, right = ours[name], theirs[name]
        assert left.is_null().equals(right.is_null()), name
        off = (left - right).abs() > 1e-9 * right.abs().clip(1)
        assert not off.any(), name


def main():
    with tempfile.TemporaryDirectory(prefix="crm_bench_features_") as base:
        folder = Path(base, "facts")
        folder.mkdir()
        subprocess.run([sys.executable, __file__, "data", str(folder)], check=True)
        hand, hand_peak = measure("hand", folder)
        ours, ours_peak = measure("definitions", folder)
        assert_equal(folder)
    size = f"{len(definitions())} features, {EVENTS} events, {CUSTOMERS} customers"
    figure(f"features: {size}", ours, "s", "Polars by hand", hand)
    figure(
        f"features, peak memory: {size}", ours_peak, "MB", "Polars by hand", hand_peak
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        way, place = sys.argv[1], Path(sys.argv[2])
        write_data(place) if way == "data" else run(way, place)
    else:
        main()
