from datetime import date, datetime

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_behavior_analytics.tools import reading
from odoo.addons.crm_behavior_analytics.tools.reading import Count


@tagged("post_install", "-at_install")
class TestReadingTools(BaseCase):
    def test_days_of_a_zone(self):
        late = datetime(2026, 3, 31, 16, 30)
        self.assertEqual(reading.local_day(late, "Asia/Shanghai"), date(2026, 4, 1))
        self.assertEqual(reading.local_day(late, "UTC"), date(2026, 3, 31))
        self.assertEqual(
            reading.midnight(date(2026, 4, 1), "Asia/Shanghai"),
            datetime(2026, 3, 31, 16),
        )
        # summer time begins on the 29th
        for day, hour in ((29, 23), (30, 22)):
            self.assertEqual(
                reading.midnight(date(2026, 3, day), "Europe/Brussels"),
                datetime(2026, 3, day - 1, hour),
            )

    def test_periods(self):
        for day, granularity, first, following in (
            ("2026-11-25", "day", "2026-11-25", "2026-11-26"),
            ("2026-11-25", "week", "2026-11-23", "2026-11-30"),
            ("2026-11-23", "week", "2026-11-23", "2026-11-30"),
            ("2027-01-01", "week", "2026-12-28", "2027-01-04"),
            ("2026-12-31", "month", "2026-12-01", "2027-01-01"),
        ):
            with self.subTest(day=day, granularity=granularity):
                found = reading.period_of(date.fromisoformat(day), granularity)
                self.assertEqual(found.isoformat(), first)
                self.assertEqual(
                    reading.shift(found, granularity, 1).isoformat(), following
                )
        self.assertEqual(
            reading.shift(date(2026, 2, 1), "month", -14), date(2024, 12, 1)
        )

    def test_steps(self):
        first, second, third = reading.describe_steps(
            [Count(10, 4), Count(5, 3), Count(1, 1)]
        )
        self.assertEqual(
            (first["of_first"], first["lost"], first["lost_known"]), (1, 5, 1)
        )
        self.assertEqual((second["of_previous"], second["lost"]), (0.5, 4))
        self.assertEqual((third["of_first"], third["of_previous"]), (0.1, 0.2))
        self.assertIsNone(third["lost"])
        empty = reading.describe_steps([Count(0, 0), Count(0, 0)])
        self.assertIsNone(empty[1]["of_first"])

    def test_triangle(self):
        """An unfinished period is marked, and stays out of the average."""
        starts = [date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)]
        table = reading.cohort_table(
            starts,
            {starts[0]: Count(10, 2), starts[1]: Count(30, 3)},
            {
                (starts[0], starts[1]): Count(5, 1),
                (starts[0], starts[2]): Count(1, 0),
                (starts[1], starts[1]): Count(6, 0),
                (starts[1], starts[2]): Count(3, 3),
            },
            date(2026, 11, 25),
            "month",
        )
        self.assertEqual(
            [
                "".join(cell["state"][0] for cell in cohort["cells"])
                for cohort in table["cohorts"]
            ],
            ["ddo", "dof", "off"],
        )
        self.assertEqual(table["cohorts"][0]["cells"][1]["rate"], 0.5)
        self.assertIsNone(table["cohorts"][2]["cells"][0]["rate"])
        # 6 of 40; 5 of 10, without the 3 of 30 so far; nothing is over
        self.assertEqual([one["rate"] for one in table["average"]], [0.15, 0.5, None])
