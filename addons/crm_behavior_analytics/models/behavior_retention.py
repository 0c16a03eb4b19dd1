from datetime import date

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL

from ..tools import reading as tool
from .behavior_reading import EVENT_TYPES, MAX_LISTED, event_condition

MAX_PERIODS = 31


class BehaviorRetention(models.Model):
    """How many of those who came in the same period come back in the later ones.

    Somebody belongs to the period in which they did the first event for the first
    time ever. They are back in a period if they did the returning event in it, after
    that first event (by the time at which it happened, then by arrival).
    """

    _name = "behavior.retention"
    _description = "Retention"
    _inherit = "behavior.reading"
    _order = "name, id"
    _check_company_auto = True

    first_type = fields.Selection(
        EVENT_TYPES, "First Event Is a", default="page", help="Empty: any."
    )
    first_event = fields.Char(help="The exact name of the event; empty: any.")
    first_page = fields.Char("First Page Contains")
    first_domain = fields.Char("More on the First Event", default="[]")
    return_type = fields.Selection(
        EVENT_TYPES, "Returning Event Is a", default="page", help="Empty: any."
    )
    return_event = fields.Char(
        "Returning Event", help="The exact name of the event; empty: any."
    )
    return_page = fields.Char("Returning Page Contains")
    return_domain = fields.Char("More on the Returning Event", default="[]")
    granularity = fields.Selection(
        [("day", "Days"), ("week", "Weeks"), ("month", "Months")],
        "Counted in",
        required=True,
        default="week",
        help="In the company's time zone; weeks begin on Monday.",
    )
    periods = fields.Integer(
        "How Many",
        required=True,
        default=8,
        aggregator=None,
        help="So many days, weeks or months up to the present one.",
    )

    _periods_range = models.Constraint(
        f"CHECK(periods BETWEEN 2 AND {MAX_PERIODS})",
        "A retention shows between 2 and 31 periods.",
    )

    @api.constrains(
        "first_type",
        "first_event",
        "first_page",
        "first_domain",
        "return_type",
        "return_event",
        "return_page",
        "return_domain",
    )
    def _check_conditions(self):
        for retention in self:
            for get_domain in (
                BehaviorRetention._first_condition,
                BehaviorRetention._return_condition,
            ):
                retention._check_usable(self.env["behavior.event"], get_domain)

    def _first_condition(self):
        return event_condition(
            self.first_type, self.first_event, self.first_page, self.first_domain
        )

    def _return_condition(self):
        return event_condition(
            self.return_type, self.return_event, self.return_page, self.return_domain
        )

    # --- FIGURES ---

    def read_result(self):
        """Return what the screen shows, by the reader's own rights.

        :return: the table of ``tools/reading.py: cohort_table`` (days as text), and
            ``{"granularity", "zone", "may_segment", "notes": [text]}``
        :raise UserError: it takes too long, or a condition cannot be used
        """
        self.ensure_one()
        self.check_access("read")
        return self._read_result(fields.Datetime.now())

    def _read_result(self, now):
        today, starts = self._get_starts(now)
        sizes, returned = {}, {}
        for start, period, count, known in self._fetch(
            lambda: self._figures_sql(starts[0])
        ):
            if period is None:
                sizes[start] = tool.Count(count, known)
            else:
                returned[start, period] = tool.Count(count, known)
        table = tool.cohort_table(starts, sizes, returned, today, self.granularity)
        for cohort in table["cohorts"]:
            cohort["start"] = fields.Date.to_string(cohort["start"])
        return {
            **table,
            "granularity": self.granularity,
            "zone": self._zone(),
            "may_segment": self.env["omni.segment"].has_access("create"),
            "notes": self._lake_notes(),
        }

    def _get_starts(self, now):
        """:return: ``(today, first days of the cohorts)`` on the company's clock"""
        today = tool.local_day(now, self._zone())
        current = tool.period_of(today, self.granularity)
        return today, [
            tool.shift(current, self.granularity, number - self.periods + 1)
            for number in range(self.periods)
        ]

    # --- QUERIES ---

    def _cohorts_sql(self, first):
        """Who came in which period, and was back in which.

        :param date first: first day of the first cohort
        :return: SQL of common tables: ``cohort`` (``unit``, ``customer``, ``start``)
            and ``back`` (the same and ``period``)
        """
        since = tool.midnight(first, self._zone())
        came = self._first_condition()
        # Whoever came before the first cohort is in none: all their time is read.
        back = self._return_condition() & Domain("timestamp", ">=", since)
        return SQL(
            """
            WITH hit AS MATERIALIZED (%(hits)s),
            entry AS (
                SELECT DISTINCT ON (unit) unit, customer, at, id
                FROM hit WHERE flag_1 ORDER BY unit, at, id
            ),
            cohort AS MATERIALIZED (
                SELECT unit, customer, at, id, %(start)s AS start
                FROM entry WHERE at >= %(since)s
            ),
            back AS MATERIALIZED (
                SELECT DISTINCT cohort.unit, cohort.customer, cohort.start,
                       %(period)s AS period
                FROM cohort
                JOIN hit ON hit.unit = cohort.unit AND hit.flag_2
                 AND (hit.at, hit.id) > (cohort.at, cohort.id)
            )
            """,
            hits=self._units_sql([came, back], Domain.TRUE),
            since=since,
            start=self._period_sql(SQL("at")),
            period=self._period_sql(SQL("hit.at")),
        )

    def _period_sql(self, moment):
        """The first day of the period of a moment (SQL)."""
        return SQL("date_trunc(%s, %s)::date", self.granularity, self._local(moment))

    def _figures_sql(self, first):
        return SQL(
            """
            %s
            SELECT start, NULL::date, count(*),
                   count(*) FILTER (WHERE customer IS NOT NULL)
            FROM cohort GROUP BY start
            UNION ALL
            SELECT start, period, count(*),
                   count(*) FILTER (WHERE customer IS NOT NULL)
            FROM back GROUP BY start, period
            """,
            self._cohorts_sql(first),
        )

    # --- PEOPLE ---

    def action_view_customers(self, start, number=None, segment=False):
        """Open the known customers of a cohort.

        :param str start: its first day
        :param int number: only those who were back so many periods later; None: all
        :param bool segment: make a segment of them instead
        """
        self.ensure_one()
        self.check_access("read")
        return self._action_at(fields.Datetime.now(), start, number, segment)

    def _action_at(self, now, start, number=None, segment=False):
        start = date.fromisoformat(start)
        words = {"retention": self.display_name, "start": start.isoformat()}
        if number is None:
            title = self.env._("%(retention)s: came %(start)s", **words)
            people = SQL("cohort WHERE start = %s", start)
        else:
            period = tool.shift(start, self.granularity, number)
            words["period"] = period.isoformat()
            title = self.env._(
                "%(retention)s: came %(start)s, back %(period)s", **words
            )
            people = SQL("back WHERE start = %s AND period = %s", start, period)
        _today, starts = self._get_starts(now)
        rows = self._fetch(
            lambda: SQL(
                "%s SELECT customer FROM %s AND customer IS NOT NULL"
                " ORDER BY customer LIMIT %s",
                self._cohorts_sql(starts[0]),
                people,
                MAX_LISTED,
            )
        )
        return self._people_action([customer for (customer,) in rows], title, segment)
