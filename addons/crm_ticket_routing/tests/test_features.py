import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from statistics import mean

from odoo.tests import BaseCase, TransactionCase, tagged

from odoo.addons.crm_behavior_analytics.tools import features, prediction

from ..models.behavior_feature_provider import TICKETS

NOW = datetime(2026, 5, 4, 12)
DAY = timedelta(days=1)


def facts(seed):
    """Tickets, ratings and missed promises of twenty customers."""
    rng = random.Random(seed)
    tables = {"tickets": [], "ratings": [], "promises": []}
    for unit in range(1, 21):
        for _ticket in range(rng.randrange(8)):
            opened = NOW - DAY * rng.uniform(0, 500)
            closed = opened + DAY * rng.uniform(0, 40)
            tables["tickets"].append(
                {
                    "unit_id": unit,
                    "known_at": opened,
                    "closed_at": closed if rng.random() < 0.8 else None,
                }
            )
            if rng.random() < 0.7:
                tables["ratings"].append(
                    {
                        "unit_id": unit,
                        "known_at": closed,
                        "rating": float(rng.randint(1, 5)),
                    }
                )
            if rng.random() < 0.3:
                tables["promises"].append({"unit_id": unit, "known_at": opened + DAY})
    return tables


def compute(tables, as_of):
    """Features as a dict: unit → {code: value}."""
    import polars as pl

    kinds = {
        "int64": pl.Int64,
        "float64": pl.Float64,
        "timestamp[us]": pl.Datetime("us"),
    }
    data = {
        name: pl.DataFrame(
            rows,
            {
                column: kinds[kind]
                for column, kind in TICKETS.tables[name].columns.items()
            },
        )
        for name, rows in tables.items()
    }
    data["units"] = pl.DataFrame({"unit_id": [*range(1, 21), 99]})
    connection = features.polars_connection(data)
    rows = features.compute(
        connection,
        connection.table("units"),
        as_of,
        prediction.load_definitions([TICKETS.module]),
        prediction.load_later([TICKETS.module]),
    ).to_polars()
    return {row.pop("unit_id"): row for row in rows.to_dicts()}


def count_by_hand(tables, as_of, unit):
    """The same features, row by row in plain Python."""

    def own(name):
        return [
            row
            for row in tables[name]
            if row["unit_id"] == unit and row["known_at"] < as_of
        ]

    def within(rows, days):
        return [row for row in rows if row["known_at"] >= as_of - DAY * days]

    def days_since(moment):
        return (as_of - moment) // DAY

    tickets = [
        {
            **row,
            "closed_at": row["closed_at"]
            if row["closed_at"] and row["closed_at"] < as_of
            else None,
        }
        for row in own("tickets")
    ]
    still = [row for row in tickets if not row["closed_at"]]
    done = [row for row in within(tickets, 365) if row["closed_at"]]
    slow = [
        row
        for row in tickets
        if row["known_at"] + 14 * DAY < as_of
        and (not row["closed_at"] or row["closed_at"] > row["known_at"] + 14 * DAY)
    ]
    bad = [row for row in own("ratings") if row["rating"] <= 2]
    year = within(own("ratings"), 365)
    return {
        **{f"tickets_{days}d": len(within(tickets, days)) for days in (30, 90, 365)},
        "tickets_open": len(still),
        "ticket_open_days_max": max(
            (days_since(row["known_at"]) for row in still), default=None
        ),
        "slow_tickets_90d": len(within(slow, 90)),
        "ticket_days_mean_365d": mean(
            (row["closed_at"] - row["known_at"]) // DAY for row in done
        )
        if done
        else None,
        "bad_ratings_30d": len(within(bad, 30)),
        "bad_ratings_90d": len(within(bad, 90)),
        "rating_mean_365d": mean(row["rating"] for row in year) if year else None,
        "days_since_bad_rating": min(
            (days_since(row["known_at"]) for row in bad), default=None
        ),
        "promises_missed_90d": len(within(own("promises"), 90)),
    }


@tagged("post_install", "-at_install")
class TestTicketFeatures(BaseCase):
    def test_against_plain_python(self):
        tables = facts(3)
        for days in (0, 120, 300):
            as_of = NOW - DAY * days
            found = compute(tables, as_of)
            for unit, values in found.items():
                expected = count_by_hand(tables, as_of, unit)
                self.assertEqual(values.keys(), expected.keys())
                for code, value in expected.items():
                    with self.subTest(as_of=as_of, unit=unit, code=code):
                        self.assertEqual(values[code], value)

    def test_the_future_changes_nothing(self):
        """Rows of later, and when a ticket of earlier was closed."""
        tables, as_of = facts(4), NOW - DAY * 100
        before = compute(tables, as_of)
        planted = {
            name: [row for row in rows if row["known_at"] < as_of]
            for name, rows in tables.items()
        }
        for rows in planted.values():
            for row in list(rows):
                rows.append({**row, "known_at": as_of})
                if row.get("closed_at") and row["closed_at"] >= as_of:
                    row["closed_at"] += DAY * 200
        self.assertEqual(compute(planted, as_of), before)
        planted["tickets"].append(
            {"unit_id": 1, "known_at": as_of - DAY, "closed_at": None}
        )
        self.assertNotEqual(compute(planted, as_of), before)


@tagged("post_install", "-at_install")
class TestTicketProvider(TransactionCase):
    def test_gathered_facts(self):
        """The facts of the database, of a company with its contacts."""
        import polars as pl

        partner = self.env["res.partner"].create({"name": "Served", "is_company": True})
        contact = self.env["res.partner"].create(
            {"name": "Contact", "parent_id": partner.id}
        )
        self.env["routing.sla.policy"].search([]).active = False
        ticket = self.env["helpdesk.ticket"].create(
            {"name": "T", "description": "D", "partner_id": contact.id}
        )
        self.env["rating.rating"].create(
            {
                "res_model_id": self.env["ir.model"]._get_id("helpdesk.ticket"),
                "res_id": ticket.id,
                "rating": 2,
                "consumed": True,
                "partner_id": contact.id,
            }
        )
        self.env["routing.sla.target"].create(
            {
                "ticket_id": ticket.id,
                "kind": "resolution",
                "start_at": "2026-03-02 09:00:00",
                "deadline": "2026-03-03 09:00:00",
                "state": "failed",
                "failed_at": "2026-03-03 09:00:00",
            }
        )
        provider = self.env["behavior.feature.provider"]
        self.assertIn("tickets", provider._feature_providers())
        exported = provider._export_tables(
            [TICKETS], ticket.company_id, datetime(2099, 1, 1)
        )
        with tempfile.TemporaryDirectory() as folder:
            written = {}
            for name, write in exported.items():
                path = Path(folder, name)
                write(path)
                frame = pl.read_parquet(path)
                self.assertEqual(frame.columns, [*TICKETS.tables[path.stem].columns])
                written[path.stem] = frame.filter(pl.col("unit_id") == partner.id)
        self.assertEqual(written["tickets"]["closed_at"].to_list(), [None])
        self.assertEqual(written["ratings"]["rating"].to_list(), [2.0])
        self.assertEqual(
            written["promises"]["known_at"].to_list(), [datetime(2026, 3, 3, 9)]
        )

    def test_words(self):
        """Each definition stands in the catalogue, with its words in both languages."""
        catalogue = self.env["behavior.feature"]
        catalogue._refresh_catalogue()
        for definition in prediction.load_definitions([TICKETS.module]):
            feature = catalogue.search([("code", "=", definition.code)])
            self.assertEqual(feature.provider, "tickets")
            chinese = feature.with_context(lang="zh_CN")
            self.assertNotEqual(feature.name, chinese.name, definition.code)
            params = dict.fromkeys((definition.code, *definition.shown_with), 3.0)
            reason = {"code": definition.code, "effect": 1.0, "params": params}
            (text,) = catalogue._render_reasons([reason])
            self.assertNotIn("%(", text)
            (other,) = chinese._render_reasons([reason])
            self.assertNotEqual(text, other)
