import math
import random
from collections import Counter
from datetime import datetime, timedelta
from statistics import mean, stdev

from odoo.tests import BaseCase, TransactionCase, tagged

from ..const import TECHNICAL_EVENTS
from ..models.behavior_feature_provider import BEHAVIOR, COMMERCE
from ..tools import features, lake, prediction
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
        "bool": pl.Boolean,
        "timestamp[us]": pl.Datetime("us"),
    }
    found = {
        name: pl.DataFrame(
            [
                {column: row.get(column) for column in COLUMNS[name].columns}
                for row in rows
            ],
            {column: kinds[kind] for column, kind in COLUMNS[name].columns.items()},
        )
        for name, rows in tables.items()
    }
    found["events"] = lake.visits(found["events"])
    return found


def units_frame(units):
    """The table of the units, as a Polars frame."""
    import polars as pl

    return pl.DataFrame({"unit_id": units})


def compute(tables, as_of, units):
    """Features as a dict: unit → {code: value}."""
    data = {**frames(tables), "units": units_frame(units)}
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

    def _recent(self, rows, days, column="known_at"):
        return [row for row in rows if self._in(row[column], days)]

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
        year_lines = self._recent(self.lines, 365)
        year_goods = self._recent(self.goods, 365)
        delivered = [goods for goods in year_goods if not goods["returned"]]
        products = [e for e in self.events if e["event"] == "Product Viewed"]
        active = [e for e in self.events if e["type"] != "identify"]
        by_category = Counter()
        for line in year_lines:
            by_category[line["category"]] += line["amount"]
        visits = [e for e in self.events if e["starts_visit"]]
        visit_gaps = [e["gap_days"] for e in visits if e["gap_days"] is not None]
        last_view = self._since(max(pages)) if pages else None
        quiet = self._since(max(pages)) if pages else None
        active_on = {days: self._active_days(days) for days in (14, 30, 90, 365)}
        return {
            # counts and sums of each window, of narrower subjects
            "page_views_7d": len(self._views(7)),
            "page_views_365d": len(self._views(365)),
            "visits_90d": len(self._recent(visits, 90, "at")),
            "channel_wechat_365d": sum(
                e["channel"] == "wechat" for e in self._recent(self.events, 365, "at")
            ),
            "returns_90d": sum(
                goods["returned"] for goods in self._recent(self.goods, 90)
            ),
            "margin_365d": sum(goods["margin"] for goods in delivered) / 100,
            "discount_365d": sum(line["discount"] for line in year_lines) / 100,
            "cart_amount_90d": sum(
                e["amount"] or 0
                for e in self._recent(self.events, 90, "at")
                if e["event"] == "Product Added"
            )
            / 100,
            # changes
            "orders_change_365d": len(self._orders(365)) - len(self._orders(730, 365)),
            "amount_change_30d": (
                sum(o["amount"] for o in self._orders(30))
                - sum(o["amount"] for o in self._orders(60, 30))
            )
            / 100,
            # distinct days and other keys
            "active_days_365d": len(
                {e["day"] for e in self._recent(active, 365, "at")}
            ),
            "page_views_days_90d": len({e["day"] for e in self._views(90)}),
            "products_bought_365d": len({line["product"] for line in year_lines}),
            "viewed_categories_90d": len(
                {e["category"] for e in self._recent(products, 90, "at")} - {None}
            ),
            # spread, and the first of them
            "hour_of_week_entropy_365d": _entropy(
                Counter(e["hour_of_week"] for e in self._recent(active, 365, "at"))
            )
            if self._recent(active, 365, "at")
            else None,
            "pages_90d": len({e["page"] for e in self._views(90)}),
            "events_90d": len(
                {
                    e["event"]
                    for e in self._recent(self.events, 90, "at")
                    if e["type"] == "track"
                }
            ),
            "channels_365d": len(
                {e["channel"] for e in self._recent(active, 365, "at")}
            ),
            "category_top_365d": max(by_category.values()) / by_category.total()
            if by_category
            else None,
            "category_top_amount_365d": max(by_category.values(), default=0) / 100,
            # shares and rates
            "return_share_365d": sum(g["returned"] for g in year_goods)
            / len(year_goods)
            if year_goods
            else None,
            "repeat_share_365d": mean(line["bought_before"] for line in year_lines)
            if year_lines
            else None,
            "margin_rate_365d": sum(g["margin"] for g in delivered)
            / sum(g["amount"] for g in delivered)
            if delivered
            else None,
            "discount_rate_365d": sum(line["discount"] for line in year_lines)
            / sum(line["full"] for line in year_lines)
            if year_lines
            else None,
            # means, gaps, regularity
            "order_lines_365d": mean(o["lines"] for o in self._orders(365))
            if self._orders(365)
            else None,
            "visit_gap_mean": mean(visit_gaps) if visit_gaps else None,
            "visit_gap_max": max(visit_gaps, default=None),
            "visit_gap_spread": stdev(visit_gaps) if len(visit_gaps) > 1 else None,
            "order_gap_spread": stdev(gaps) if len(gaps) > 1 else None,
            "order_irregularity": stdev(gaps) / (mean(gaps) + 1)
            if len(gaps) > 1
            else None,
            "visit_gap_ratio": last_view / (mean(visit_gaps) + 1)
            if visit_gaps and pages
            else None,
            # times
            "days_since_first_visit": self._since(min(e["at"] for e in active))
            if active
            else None,
            "overdue_days": self._since(min(i["due_at"] for i in overdue))
            if overdue
            else None,
            "orders_30d": len(self._orders(30)),
            "orders_90d": len(self._orders(90)),
            "orders_180d": len(self._orders(180)),
            "orders_365d": len(self._orders(365)),
            "orders_repeat": len(orders) - 1 if orders else None,
            "order_span_days": first - last if orders else None,
            "orders_missed": last * len(orders) / (first + 30) if orders else None,
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
            **{f"active_days_{days}d": count for days, count in active_on.items()},
            "active_days_share": (active_on[30] + 0.5) / (active_on[90] + 1.5),
            "visits": len(visits),
            "visits_missed": quiet
            * len(visits)
            / (self._since(min(e["at"] for e in active)) + 30)
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


def _entropy(counts):
    """Shannon's entropy in bits, by its definition."""
    whole = counts.total()
    return -sum(n / whole * math.log2(n / whole) for n in counts.values()) + 0.0


@tagged("post_install", "-at_install")
class TestFeatures(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tables = customers(25, NOW, seed=7)
        cls.units = [*range(1, 26), 99]

    def assertSameFeatures(self, found, expected):
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

    def test_a_sample_of_each_kind(self):
        """The oracle knows features of each measure, category and unit there is."""
        known = set(Oracle(self.tables, NOW, 1).values())
        definitions = prediction.load_definitions(MODULES)
        self.assertGreaterEqual(len(definitions), 120)
        for part in ("category", "unit", "window", "keys", "ages", "table"):
            self.assertEqual(
                {getattr(one, part) for one in definitions if one.code in known},
                {getattr(one, part) for one in definitions},
                part,
            )
        measures = {one.words.measure for one in definitions if one.words}
        self.assertEqual(
            {
                one.words.measure
                for one in definitions
                if one.words and one.code in known
            },
            measures,
        )

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
                if name == "events":
                    # received later, though it happened before
                    late = {**row, "known_at": as_of + timedelta(seconds=1)}
                    rows.append({**late, "at": as_of - timedelta(days=3)})
        after = compute(planted, as_of, self.units)
        for unit, values in before.items():
            self.assertEqual(after[unit].keys(), values.keys())
            # the order of rows may change the last digit of a sum of floats
            self.assertSameFeatures(after[unit], values)
        # the check can fail: of each table a row of one second earlier does change it
        for name, rows in planted.items():
            with self.subTest(table=name):
                earlier = {**rows[0], "known_at": as_of - timedelta(seconds=1)}
                seen = {**planted, name: [*rows, earlier]}
                self.assertNotEqual(compute(seen, as_of, self.units), before)

    def test_alone_as_among_others(self):
        """What is left out before grouping depends on who else asks, no value does."""
        tables = {name: list(rows) for name, rows in self.tables.items()}
        # money that goes back is less than the nothing of a category without orders
        tables["lines"] += [
            {**row, "amount": -row["amount"], "category": row["category"] + 9}
            for row in tables["lines"][::5]
        ]
        data = {**frames(tables), "units": units_frame(self.units)}
        connection = features.polars_connection(data)
        definitions = [one for one in prediction.load_definitions(MODULES) if one.keys]

        def of(chosen):
            return features.compute(
                connection, connection.table("units"), NOW, chosen
            ).to_polars()

        together = of(definitions).to_dicts()
        for one in definitions:
            for alone, among in zip(of([one]).to_dicts(), together, strict=True):
                self.assertSameFeatures(alone, {one.code: among[one.code]})

    def test_technical_events_are_no_actions(self):
        """What the tracking script tells by itself changes no feature of actions."""
        events = [row for row in self.tables["events"] if row["type"] == "track"]

        def with_events(names):
            planted = [
                {**row, "event": names[place % len(names)], "id": 10**6 + place}
                for place, row in enumerate(events)
            ]
            tables = {**self.tables, "events": [*self.tables["events"], *planted]}
            found = compute(tables, NOW, self.units)
            return {
                unit: {
                    code: value
                    for code, value in values.items()
                    if code.startswith("actions_")
                    or code in ("days_since_action", "events_90d")
                }
                for unit, values in found.items()
            }

        before = with_events([None])
        self.assertEqual(len(before[1]), 8)
        self.assertEqual(with_events(TECHNICAL_EVENTS), before)
        self.assertNotEqual(with_events(["Video Played"]), before)

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
        self.assertGreaterEqual(len(catalogue), 120)
        names = Counter(catalogue.mapped("name"))
        self.assertFalse([name for name, times in names.items() if times > 1])
        for feature in catalogue:
            chinese = feature.with_context(lang="zh_CN")
            with self.subTest(code=feature.code):
                for name in ("name", "description", "category", "unit"):
                    self.assertTrue(feature[name])
                for name in ("name", "description"):
                    self.assertNotEqual(feature[name], chinese[name])
                    self.assertNotRegex(chinese[name], "[a-z]{4}|%")
                for source in feature.sources:
                    model, _dot, field = source.rpartition(".")
                    self.assertIn(field, self.env[model]._fields)
                self.assertTrue(feature.sources)

    def test_reasons_of_little(self):
        """What is unknown beside a value leaves no gap in the text."""
        catalogue = self.env["behavior.feature"]
        definitions = prediction.load_definitions(MODULES)
        for definition in (one for one in definitions if one.shown_with):
            params = {definition.code: 74.0, **dict.fromkeys(definition.shown_with)}
            reason = {"code": definition.code, "effect": 1.0, "params": params}
            for lang in ("en_US", "zh_CN"):
                with self.subTest(code=definition.code, lang=lang):
                    reader = catalogue.with_context(lang=lang)
                    rendered = reader._render_reasons([reason])
                    self.assertIn("74", rendered[0])
                    self.assertNotRegex(rendered[0], "[–%]|None")

    def test_reasons(self):
        """Each reason has the parameters that its text names."""
        catalogue = self.env["behavior.feature"]
        for definition in prediction.load_definitions(MODULES):
            params = dict.fromkeys((definition.code, *definition.shown_with), 74.0)
            reason = {"code": definition.code, "effect": 1.0, "params": params}
            with self.subTest(code=definition.code):
                (text,) = catalogue._render_reasons([reason])
                self.assertIn("74", text)
                self.assertNotIn("%", text)
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
        # who has bought once has no usual gap, in either language
        reason["params"] = {"days_since_order": 74.0, "order_gap_mean": None}
        self.assertEqual(render([reason]), ["No order for 74 days since the first one"])
        chinese = self.env["behavior.feature"].with_context(lang="zh_CN")
        self.assertEqual(chinese._render_reasons([reason]), ["首单后 74 天未再下单"])
        year = {"orders_365d": 0.0, "tenure_days": None}
        self.assertEqual(
            render([{"code": "orders_365d", "effect": 1.0, "params": year}]),
            ["Orders, 365 days: 0"],
        )
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
