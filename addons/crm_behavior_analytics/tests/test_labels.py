import random
from datetime import datetime, timedelta

from odoo.tests import BaseCase, tagged

from ..tools import prediction
from .generated import customers
from .test_features import MODULES, NOW, frames

SPEC = {
    "providers": MODULES,
    "horizon_days": 60,
    "gap_days": 20,
    "label_params": {"min_acts": 2, "active_days": 150},
}
LABELS = ("no_order", "no_activity", "order")


@tagged("post_install", "-at_install")
class TestLabels(BaseCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tables = customers(40, NOW, seed=5)

    def _labels(self, name, tables, moment):
        spec = {**SPEC, "label": f"crm_behavior_analytics_tools.labels:{name}"}
        return dict(prediction.eligible(frames(tables), spec, moment).iter_rows())

    def _expected(self, name, moment):
        """The same, unit by unit in plain Python."""
        start = moment + timedelta(days=20)
        end = start + timedelta(days=60)
        expected = {}
        for unit in range(1, 41):
            orders = [
                row["known_at"]
                for row in self.tables["orders"]
                if row["unit_id"] == unit
            ]
            acts = list(orders)
            if name == "no_activity":
                acts += [
                    row["known_at"]
                    for row in self.tables["events"]
                    if row["unit_id"] == unit and row["type"] != "identify"
                ]
            recent = [at for at in acts if moment - timedelta(days=150) <= at < moment]
            if sum(at < moment for at in orders) >= 2 and recent:
                acted = any(start <= at < end for at in acts)
                expected[unit] = int(acted == (name == "order"))
        return expected

    def test_against_plain_python(self):
        for name in LABELS:
            for days in (90, 250, 400):
                moment = NOW - timedelta(days=days)
                with self.subTest(label=name, days=days):
                    expected = self._expected(name, moment)
                    self.assertGreater(len(expected), 3)
                    self.assertEqual(self._labels(name, self.tables, moment), expected)

    def test_nothing_after_the_horizon_counts(self):
        """Rows from the end of the horizon on change no label and nobody's place."""
        moment = NOW - timedelta(days=300)
        end = moment + timedelta(days=80)
        rng = random.Random(2)
        for name in LABELS:
            before = self._labels(name, self.tables, moment)
            changed = {
                table: [row for row in rows if row["known_at"] < end]
                for table, rows in self.tables.items()
            }
            for rows in changed.values():
                for row in rng.sample(rows, 60):
                    rows.append({**row, "known_at": end})
                    rows.append({**row, "known_at": end + timedelta(days=90)})
            self.assertEqual(self._labels(name, changed, moment), before, name)
            # the check can fail: one second earlier is within the horizon
            unit = next(unit for unit, value in before.items() if value)
            if name != "order":
                changed["orders"].append(
                    {
                        "unit_id": unit,
                        "known_at": end - timedelta(seconds=1),
                        "amount": 1,
                        "gap_days": None,
                    }
                )
                self.assertNotEqual(self._labels(name, changed, moment), before)

    def test_nothing_in_the_gap_counts(self):
        moment = NOW - timedelta(days=300)
        start = moment + timedelta(days=20)
        without = {
            table: [row for row in rows if not moment <= row["known_at"] < start]
            for table, rows in self.tables.items()
        }
        for name in LABELS:
            self.assertEqual(
                self._labels(name, without, moment),
                self._labels(name, self.tables, moment),
            )

    def test_only_the_chosen_count(self):
        import polars as pl

        moment = NOW - timedelta(days=300)
        chosen = pl.DataFrame({"unit_id": [1, 2, 3, 99]}, {"unit_id": pl.Int64})
        spec = {
            **SPEC,
            "label": "crm_behavior_analytics_tools.labels:no_order",
            "chosen": True,
        }
        found = prediction.eligible(
            {**frames(self.tables), prediction.CHOSEN: chosen}, spec, moment
        )
        everybody = self._labels("no_order", self.tables, moment)
        self.assertEqual(
            dict(found.iter_rows()),
            {unit: label for unit, label in everybody.items() if unit <= 3},
        )

    def test_end_of_facts(self):
        """Where the orders stopped coming, "today" is the last of them."""
        spec = {
            **SPEC,
            "as_of": NOW.isoformat(),
            "tables": list(self.tables),
            "label_tables": ["orders"],
        }
        now, finding, _forbids = prediction.end_of_facts(frames(self.tables), spec)
        self.assertEqual((now, finding), (NOW, None))
        last = NOW - timedelta(days=40)
        stopped = {
            **self.tables,
            "orders": [row for row in self.tables["orders"] if row["known_at"] < last],
        }
        now, finding, forbids = prediction.end_of_facts(frames(stopped), spec)
        newest = max(row["known_at"] for row in stopped["orders"])
        self.assertEqual(now, newest + timedelta(seconds=1))
        self.assertEqual((finding.code, forbids), ("stale_data", False))
        self.assertIsInstance(now, datetime)
