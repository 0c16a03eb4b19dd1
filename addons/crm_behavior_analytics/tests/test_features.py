import math
import random
from datetime import datetime, timedelta
from statistics import mean, stdev

from odoo.tests import BaseCase, TransactionCase, tagged

from ..models.behavior_feature_provider import BEHAVIOR, COMMERCE
from ..tools import features, prediction
from .generated import customers

NOW = datetime(2026, 5, 4, 12, 0, 0)
MODULES = [COMMERCE.module, BEHAVIOR.module]
COLUMNS = {**COMMERCE.tables, **BEHAVIOR.tables}


def frames(tables):
    """The tables as Polars frames, with the columns that the providers declare."""
    import polars as pl

    kinds = {
        "int64": pl.Int64,
        "float64": pl.Float64,
        "string": pl.String,
        "timestamp[us]": pl.Datetime("us"),
    }
    return {
        name: pl.DataFrame(
            rows,
            {column: kinds[kind] for column, kind in COLUMNS[name].columns.items()},
        )
        for name, rows in tables.items()
    }


def compute(tables, as_of, units):
    """Features as a dict: unit → {code: value}."""
    import polars as pl

    data = {**frames(tables), "units": pl.DataFrame({"unit_id": units})}
    connection = features.polars_connection(data)
    definitions = prediction.load_definitions(MODULES)
    rows = features.compute(
        connection, connection.table("units"), as_of, definitions
    ).to_polars()
    return {row.pop("unit_id"): row for row in rows.to_dicts()}


class Oracle:
    """The same features, counted row by row in plain Python."""

    def __init__(self, tables, as_of, unit):
        self.now = as_of
        for name, rows in tables.items():
            own = [
                dict(row)
                for row in rows
                if row["unit_id"] == unit and row["known_at"] < as_of
            ]
            for row in own:
                for column in ("paid_at", "done_at"):
                    if row.get(column) and row[column] >= as_of:
                        row[column] = None
            setattr(self, name, own)

    def _since(self, moment):
        return math.floor((self.now - moment).total_seconds() / 86400)

    def _in(self, moment, days, until=0):
        start = self.now - timedelta(days=days)
        return start <= moment and (
            not until or moment < self.now - timedelta(days=until)
        )

    def _orders(self, days, until=0):
        return [o for o in self.orders if self._in(o["known_at"], days, until)]

    def _views(self, days, until=0):
        return [
            e
            for e in self.events
            if e["type"] == "page" and self._in(e["at"], days, until)
        ]

    def _active_days(self, days):
        return len(
            {
                e["at"].date()
                for e in self.events
                if e["type"] != "identify" and self._in(e["at"], days)
            }
        )

    def _is_late_payment(self, invoice):
        limit = invoice["due_at"] + timedelta(days=14)
        unpaid = not invoice["paid_at"] or invoice["paid_at"] >= limit
        return limit < self.now and unpaid and self._in(invoice["due_at"], 90)

    def values(self):
        orders = sorted(self.orders, key=lambda order: order["known_at"])
        gaps = [o["gap_days"] for o in orders if o["gap_days"] is not None]
        last = self._since(orders[-1]["known_at"]) if orders else None
        first = self._since(orders[0]["known_at"]) if orders else None
        usual = mean(gaps) if gaps else None
        overdue = [
            i for i in self.invoices if i["due_at"] < self.now and not i["paid_at"]
        ]
        delays = [
            math.floor((i["paid_at"] - i["due_at"]).total_seconds() / 86400)
            for i in self.invoices
            if i["paid_at"] and self._in(i["known_at"], 365)
        ]
        late = [
            d
            for d in self.deliveries
            if not d["done_at"] or d["done_at"] > d["known_at"]
        ]
        year = [d for d in self.deliveries if self._in(d["known_at"], 365)]
        pages = [e["at"] for e in self.events if e["type"] == "page"]
        seen_since = self._since(min(pages)) if pages else None
        quiet = self._since(max(pages)) if pages else None
        active = {days: self._active_days(days) for days in (14, 30, 90, 365)}
        return {
            "orders_30d": len(self._orders(30)),
            "orders_90d": len(self._orders(90)),
            "orders_180d": len(self._orders(180)),
            "orders_365d": len(self._orders(365)),
            "orders_repeat": len(orders) - 1 if orders else None,
            "order_span_days": first - last if orders else None,
            "orders_missed": last * len(orders) / (first + 30) if orders else None,
            "order_gap_std": stdev(gaps) if len(gaps) > 1 else None,
            "order_gap_last": gaps[-1] if gaps else None,
            "orders_change_90d": len(self._orders(90)) - len(self._orders(180, 90)),
            "amount_90d": sum(o["amount"] for o in self._orders(90)) / 100,
            "amount_365d": sum(o["amount"] for o in self._orders(365)) / 100,
            "amount_mean": mean(o["amount"] for o in orders) / 100 if orders else None,
            "days_since_order": last,
            "tenure_days": first,
            "order_gap_mean": usual,
            "order_gap_max": max(gaps) if gaps else None,
            "order_gap_ratio": last / (usual + 1) if gaps else None,
            "invoices_overdue": len(overdue),
            "amount_overdue": sum(i["amount"] for i in overdue) / 100,
            "overdue_days_max": max(self._since(i["due_at"]) for i in overdue)
            if overdue
            else None,
            "late_payments_90d": len(
                [i for i in self.invoices if self._is_late_payment(i)]
            ),
            "payment_delay_365d": mean(delays) if delays else None,
            "days_since_late_delivery": min(self._since(d["known_at"]) for d in late)
            if late
            else None,
            "late_deliveries_30d": len(
                [d for d in late if self._in(d["known_at"], 30)]
            ),
            "late_deliveries_90d": len(
                [d for d in late if self._in(d["known_at"], 90)]
            ),
            "late_share_365d": len([d for d in late if d in year]) / len(year)
            if year
            else None,
            "page_views_30d": len(self._views(30)),
            "page_views_90d": len(self._views(90)),
            "page_views_change_30d": len(self._views(30)) - len(self._views(60, 30)),
            **{f"active_days_{days}d": count for days, count in active.items()},
            "active_days_share": (active[30] + 0.5) / (active[90] + 1.5),
            "days_since_first_visit": seen_since,
            "visits_missed": quiet * active[365] / (min(seen_since, 365) + 30)
            if pages
            else None,
            "actions_30d": len(
                [
                    e
                    for e in self.events
                    if e["type"] == "track" and self._in(e["at"], 30)
                ]
            ),
            "days_since_visit": quiet,
        }


@tagged("post_install", "-at_install")
class TestFeatures(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tables = customers(25, NOW, seed=7)
        cls.units = [*range(1, 26), 99]

    def assertSameFeatures(self, found, expected):
        self.assertEqual(found.keys(), expected.keys())
        for code, value in expected.items():
            if value is None:
                self.assertIsNone(found[code], code)
            else:
                self.assertIsNotNone(found[code], code)
                # integers and money exactly, other floats within 1e-9
                self.assertAlmostEqual(
                    found[code], value, delta=1e-9 * max(1, abs(value)), msg=code
                )

    def test_against_plain_python(self):
        for as_of in (NOW, NOW - timedelta(days=200), NOW - timedelta(days=600)):
            found = compute(self.tables, as_of, self.units)
            self.assertEqual(list(found), self.units)
            for unit in self.units:
                with self.subTest(as_of=as_of, unit=unit):
                    expected = Oracle(self.tables, as_of, unit).values()
                    self.assertSameFeatures(found[unit], expected)

    def test_the_future_changes_nothing(self):
        """Rows of later, and what became known later of earlier rows."""
        as_of = NOW - timedelta(days=300)
        before = compute(self.tables, as_of, self.units)
        rng = random.Random(1)
        planted = {
            name: [row for row in rows if row["known_at"] < as_of]
            for name, rows in self.tables.items()
        }
        for name, rows in planted.items():
            for row in list(rows):
                for column in ("paid_at", "done_at"):
                    if row.get(column) and row[column] >= as_of:
                        row[column] += timedelta(days=rng.uniform(0, 500))
                        self.assertIn(name, features.LATER)
                rows.append({**row, "known_at": as_of})
                rows.append({**row, "known_at": as_of + timedelta(days=400)})
        self.assertEqual(compute(planted, as_of, self.units), before)
        # the check can fail: a row of one second earlier does change something
        planted["orders"].append(
            {
                "unit_id": 1,
                "known_at": as_of - timedelta(seconds=1),
                "amount": 1,
                "gap_days": None,
            }
        )
        self.assertNotEqual(compute(planted, as_of, self.units), before)

    def test_doubled_code(self):
        with self.assertRaises(ValueError):
            prediction.load_definitions([COMMERCE.module, COMMERCE.module])

    def test_label(self):
        """Churn by the rows of the horizon alone, against plain Python."""
        function = prediction.load_function(
            "crm_behavior_analytics_tools.labels:no_order"
        )
        as_of = NOW - timedelta(days=120)
        result = function(frames(self.tables), as_of, 60, 7, 2, 200)
        start = as_of + timedelta(days=7)
        end = start + timedelta(days=60)
        expected = {}
        for unit in self.units:
            moments = [
                o["known_at"] for o in self.tables["orders"] if o["unit_id"] == unit
            ]
            past = [moment for moment in moments if moment < as_of]
            if len(past) >= 2 and max(past) >= as_of - timedelta(days=200):
                expected[unit] = int(not any(start <= m < end for m in moments))
        self.assertEqual(dict(result.iter_rows()), expected)
        self.assertEqual(set(expected.values()), {0, 1})

    def test_moments(self):
        """The outcome of each moment is known today, and none is before the facts."""
        first = NOW - timedelta(days=400)
        moments = prediction.as_of_dates(NOW, first, 60, 7, 730, 30)
        self.assertEqual(moments[-1], NOW - timedelta(days=67))
        self.assertGreater(moments[0], first)
        self.assertEqual(len(moments), 12)
        self.assertFalse(
            prediction.as_of_dates(NOW, NOW - timedelta(days=50), 60, 7, 9, 3)
        )


@tagged("post_install", "-at_install")
class TestCatalogue(TransactionCase):
    def test_catalogue(self):
        """Each definition stands in the catalogue, with its words in both languages."""
        self.env["behavior.feature"]._refresh_catalogue()
        definitions = prediction.load_definitions(MODULES)
        catalogue = self.env["behavior.feature"].search(
            [("provider", "in", ("commerce", "behavior"))]
        )
        self.assertEqual(
            set(catalogue.mapped("code")), {one.code for one in definitions}
        )
        self.assertGreaterEqual(len(catalogue), 15)
        for feature in catalogue:
            chinese = feature.with_context(lang="zh_CN")
            for name in ("name", "description"):
                self.assertNotEqual(feature[name], chinese[name], feature.code)
                self.assertTrue(chinese[name])

    def test_reasons(self):
        """Each reason has the parameters that its text names."""
        catalogue = self.env["behavior.feature"]
        for definition in prediction.load_definitions(MODULES):
            params = dict.fromkeys((definition.code, *definition.shown_with), 74.0)
            reason = {"code": definition.code, "effect": 1.0, "params": params}
            with self.subTest(code=definition.code):
                (text,) = catalogue._render_reasons([reason])
                reason_text = catalogue._feature_texts()[definition.code].reason
                template = self.env._(reason_text)
                self.assertEqual(text, template % dict.fromkeys(params, "74"))
                chinese = catalogue.with_context(lang="zh_CN")
                self.assertNotEqual(chinese._render_reasons([reason]), [text])

    def test_reason_texts(self):
        reason = {
            "code": "days_since_order",
            "effect": 1.0,
            "params": {"days_since_order": 74.0, "order_gap_mean": 31.2},
        }
        render = self.env["behavior.feature"]._render_reasons
        self.assertEqual(render([reason]), ["No order for 74 days, usual gap 31"])
        reason["params"] = {"days_since_order": None}
        self.assertEqual(
            render([reason]), ["Days since the last order: nothing is known"]
        )
        reason["params"] = {"days_since_order": 3.0}
        self.assertEqual(render([reason]), ["Days since the last order: 3"])
        self.assertEqual(render([{**reason, "code": "gone"}]), ["gone"])
        self.assertEqual(render(None), [])

    def test_gathered_facts(self):
        """The facts of the database, as the job gets them."""
        import tempfile
        from pathlib import Path

        import polars as pl

        partner = self.env["res.partner"].create(
            {"name": "Company", "is_company": True}
        )
        contact = self.env["res.partner"].create(
            {"name": "Contact", "parent_id": partner.id}
        )
        product = self.env["product.product"].create({"name": "Tea"})
        orders = self.env["sale.order"].create(
            [
                {
                    "partner_id": customer.id,
                    "date_order": moment,
                    "state": "sale",
                    "order_line": [
                        (0, 0, {"product_id": product.id, "price_unit": 80.5})
                    ],
                }
                for customer, moment in (
                    (partner, "2026-01-01 10:00:00"),
                    (contact, "2026-01-11 22:00:00"),
                )
            ]
        )
        source = self.env["behavior.source"].create({"name": "S", "code": "s-facts"})
        self.env["omni.identity"].create(
            {
                "partner_id": contact.id,
                "kind": "anonymous_id",
                "value": "v",
                "scope": f"source:{source.id}",
            }
        )
        self.env["behavior.event"]._track(
            source, [{"type": "page", "anonymousId": "v", "properties": {"path": "/"}}]
        )
        company = orders.company_id
        until = datetime(2099, 1, 1)
        provider = self.env["behavior.feature.provider"]
        with tempfile.TemporaryDirectory() as folder:
            written = {}
            for name, write in provider._export_tables(
                [COMMERCE, BEHAVIOR], company, until
            ).items():
                path = Path(folder, name)
                write(path)
                written[path.stem] = pl.read_parquet(path)
        own = written["orders"].filter(pl.col("unit_id") == partner.id)
        self.assertEqual(own["amount"].to_list(), [8050, 8050])
        self.assertEqual(own["gap_days"].to_list(), [None, 10.5])
        events = written["events"].filter(pl.col("unit_id") == partner.id)
        self.assertEqual(events["page"].to_list(), ["/"])
        for name, table in COLUMNS.items():
            self.assertEqual(written[name].columns, list(table.columns))
