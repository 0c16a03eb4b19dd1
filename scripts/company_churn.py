"""Churn of the known-truth company, foretold and judged by its truth.

``python -m scripts.company_churn --seed 11 --seed 12`` makes the companies, trains on
what their tables show (the road of the product: the job of ``behavior.prediction`` on
the tables of its feature providers), scores everybody as of the last day, and opens the
truth only then.  One JSON line a seed:

* ``auc`` on the labels of the truth, ``optimum`` (the best possible score on the very
  same labels) and their ``ratio``; ``out_of_time``: what the trainer itself expected
* ``recall``: the share of those who leave that was flagged, at least ``gap_days``
  before the time in which they do not order; ``flag_rate``: how many were flagged for
  it. The score from which on somebody is flagged is the trainer's, of the past alone
"""

import argparse
import csv
import importlib.util
import json
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from .company import DEFAULT_AS_OF, SIZES, TIME_ZONE_HOURS, Company
from .layout import ADDONS

PROVIDERS = (
    "crm_behavior_analytics_tools.features_commerce",
    "crm_behavior_analytics_tools.features_behavior",
    "crm_ticket_routing_tools.features_tickets",
)
PURCHASES = ("orders_repeat", "order_span_days", "tenure_days")
DAY = timedelta(days=1)


class Job:
    """What a job function asks of its job."""

    def __init__(self, folder):
        self.folder = folder

    def progress(self, share, text=None):
        """Nobody looks on."""


def load_tools():
    """Make ``crm_x_tools`` importable, without Odoo."""
    spec = importlib.util.spec_from_file_location(
        "tools_loader", ADDONS / "crm_data_governance/tools_loader.py"
    )
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    loader.install([str(ADDONS)])


def provider_tables(folder):
    """The tables of a company as the feature providers gather them from a database.

    :return: dict of name → Polars frame
    """
    import polars as pl

    def read(name):
        path = folder / f"tables/{name}.csv"
        return pl.read_csv(path, infer_schema=False)

    def at(name):
        return pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us")

    def on(name):
        return pl.col(name).str.to_date().cast(pl.Datetime("us"))

    def local(moment):
        return moment + timedelta(hours=TIME_ZONE_HOURS)

    def local_day(moment):
        return local(moment).dt.date().to_physical().cast(pl.Int64)

    unit = pl.col("customer").cast(pl.Int64).alias("unit_id")
    minor = (pl.col("amount").cast(pl.Float64) * 100).round().cast(pl.Int64)
    bills = read("invoices").with_columns(amount=minor)
    placed = (
        read("orders")
        .join(bills.select("order", "amount"), "order")
        .with_columns(unit, known_at=at("ordered_at"))
        .sort("unit_id", "known_at")
    )
    # nothing is sold at a discount, and all that was ordered is delivered in one piece
    products = read("products").with_row_index("number")
    sold = (
        read("order_lines")
        .with_row_index("line")
        .join(products, left_on="product", right_on="code")
        .join(placed.select("order", "unit_id", "known_at", "delivered_at"), "order")
        .with_columns(
            pl.col("quantity").cast(pl.Float64),
            category=pl.col("category").cast(pl.Int64),
            product=pl.col("number").cast(pl.Int64),
            **{
                name: (
                    pl.col(name).cast(pl.Float64)
                    * pl.col("quantity").cast(pl.Float64)
                    * 100
                )
                .round()
                .cast(pl.Int64)
                for name in ("price", "cost")
            },
        )
        .sort("known_at", "line")
    )
    baskets = sold.group_by("order").agg(
        lines=pl.len().cast(pl.Int64), quantity=pl.col("quantity").sum()
    )
    placed = placed.join(baskets, "order", "left").with_columns(
        pl.col("lines", "quantity").fill_null(0)
    )
    gap = pl.col("known_at") - pl.col("known_at").shift(1).over("unit_id")
    tickets = read("tickets").with_columns(unit)
    visits = read("visits")
    return {
        "orders": placed.select(
            "unit_id",
            "known_at",
            "amount",
            "lines",
            "quantity",
            gap_days=gap.dt.total_seconds() / 86400,
            day=local_day(pl.col("known_at")),
        ),
        "lines": sold.select(
            "unit_id",
            "known_at",
            "category",
            "product",
            amount="price",
            discount=pl.lit(0, pl.Int64),
            full="price",
            reduced=pl.lit(False),
            bought_before=pl.int_range(pl.len()).over("unit_id", "product") > 0,
        ),
        "goods": sold.filter(pl.col("delivered_at").is_not_null()).select(
            "unit_id",
            known_at=at("delivered_at"),
            returned=pl.lit(False),
            amount="price",
            margin=pl.col("price") - pl.col("cost"),
        ),
        "invoices": bills.join(placed.select("order", "unit_id"), "order").select(
            "unit_id",
            known_at=on("invoiced_on"),
            due_at=on("due_on") + DAY,
            paid_at=on("paid_on"),
            amount="amount",
        ),
        "deliveries": placed.select(
            "unit_id", known_at=on("promised_on") + DAY, done_at=at("delivered_at")
        ),
        "events": visits.with_row_index("id").select(
            unit,
            pl.col("id").cast(pl.Int64),
            known_at=at("at"),
            at=at("at"),
            type="type",
            event="event",
            page="url",
            # as they are loaded: from the shop's pages, without a category or a price
            channel=pl.lit("web"),
            category=pl.lit(None, pl.String),
            amount=pl.lit(None, pl.Int64),
            day=local_day(at("at")),
            hour_of_week=(local(at("at")).dt.weekday().cast(pl.Int64) - 1) * 24
            + local(at("at")).dt.hour().cast(pl.Int64),
        ),
        "tickets": tickets.select(
            "unit_id", known_at=at("opened_at"), closed_at=at("closed_at")
        ),
        "ratings": tickets.filter(pl.col("satisfaction").is_not_null()).select(
            "unit_id",
            known_at=at("closed_at"),
            rating=pl.col("satisfaction").cast(pl.Float64),
        ),
        # the company has made no promises yet
        "promises": pl.DataFrame(
            schema={"unit_id": pl.Int64, "known_at": pl.Datetime("us")}
        ),
    }


def prepare_spec(as_of, label, tables):
    """What the job of a churn prediction is told."""
    return {
        "providers": PROVIDERS,
        "tables": tables,
        "label": "crm_behavior_analytics_tools.labels:no_order",
        "label_params": {"min_acts": 1, "active_days": label["eligible_days"]},
        "label_tables": ["orders"],
        "rule": "days_since_order",
        "purchases": PURCHASES,
        "as_of": as_of.isoformat(),
        "horizon_days": label["horizon_days"],
        "gap_days": label["gap_days"],
        "history_days": 730,
        "step_days": 30,
        "seed": 1,
    }


def judge(folder):
    """Train on the tables in ``folder``, score, and compare with the truth.

    :return: dict of figures
    """
    from crm_behavior_analytics_tools import prediction, quality

    stated = json.loads((folder / "truth/optimum.json").read_text())
    midnight = datetime.fromisoformat(stated["as_of"])
    as_of = midnight - timedelta(hours=TIME_ZONE_HOURS)
    with tempfile.TemporaryDirectory() as scratch:
        job = Job(Path(scratch))
        tables = provider_tables(folder)
        for name, frame in tables.items():
            frame.write_parquet(job.folder / f"{name}.parquet")
        spec = prepare_spec(as_of, stated["label"], list(tables))
        report = prediction.train(job, spec)
        prediction.score(job, spec)
        scores = {
            unit: score for unit, score, _why in prediction.read_scores(job.folder)
        }
    with (folder / "truth/customers.csv").open(newline="") as source:
        truth = [row for row in csv.DictReader(source) if row["eligible"] == "1"]
    labels = [int(row["churned"]) for row in truth]
    found = [scores[int(row["customer"])] for row in truth]
    best = [float(row["churn_probability"]) for row in truth]
    flagged = [score >= report["recall_threshold"] for score in found]
    caught = sum(label for label, flag in zip(labels, flagged, strict=True) if flag)
    area, optimum = quality.auc(labels, found), quality.auc(labels, best)
    return {
        "customers": len(truth),
        "chosen": report["chosen"],
        "auc": round(area, 4),
        "optimum": round(optimum, 4),
        "ratio": round(area / optimum, 4),
        "rule": round(report["models"]["rule"]["auc"], 4),
        "out_of_time": round(report["models"][report["chosen"]]["auc"], 4),
        "calibration_error": round(report["calibration_error"], 4),
        "recall": round(caught / sum(labels), 4),
        "flag_rate": round(sum(flagged) / len(flagged), 4),
        "churn_rate": round(sum(labels) / len(labels), 4),
    }


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.company_churn")
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--as-of", default=DEFAULT_AS_OF, help="ISO date")
    options = parser.parse_args(arguments)
    load_tools()
    for seed in options.seed or [11, 12]:
        with tempfile.TemporaryDirectory() as folder:
            company = Company(SIZES[options.size], seed, options.as_of)
            figures = judge(company.write(Path(folder)))
        line = {"size": options.size, "seed": seed, **figures}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
