from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command, Domain
from odoo.tools import SQL, LazyTranslate

from odoo.addons.crm_omnichannel.columns import readable

from ..demo_reading import shop_visits
from ..tools import reading as tool
from .behavior_reading import MAX_LISTED

_lt = LazyTranslate(__name__)

MAX_STEPS = 10
MAX_WINDOW = 365
# values of a breakdown that are shown one by one
TOP_VALUES = 8
CHANNELS = {
    "web": _lt("Computer"),
    "mobile": _lt("Mobile Browser"),
    "wechat": _lt("WeChat"),
    "app": _lt("App"),
    "server": _lt("Server"),
}


class BehaviorFunnel(models.Model):
    """How many people who do a first thing go on to the next ones, in order.

    Somebody enters with their first event of the first step in the period. Each later
    step is their earliest event of it after the one before (by the time at which it
    happened, then by arrival) and within the window from the entry. One event makes
    one step.
    """

    _name = "behavior.funnel"
    _description = "Funnel"
    _inherit = "behavior.reading"
    _order = "name, id"
    _check_company_auto = True

    step_ids = fields.One2many(
        "behavior.funnel.step",
        "funnel_id",
        "Steps",
        copy=True,
        default=lambda self: self._default_step_ids(),
    )
    steps_text = fields.Char("Path", compute="_compute_steps_text")
    window_days = fields.Integer(
        "Days to Get Through",
        required=True,
        default=14,
        aggregator=None,
        help="How many days after the first step the last one may be.",
    )
    period = fields.Selection(
        [
            ("7", "Last 7 Days"),
            ("30", "Last 30 Days"),
            ("90", "Last 90 Days"),
            ("180", "Last 180 Days"),
            ("365", "Last 365 Days"),
            ("custom", "From Day to Day"),
        ],
        "First Step Within",
        required=True,
        default="30",
        help="When somebody does the first step. Days are those of the company's time"
        " zone; today counts.",
    )
    date_from = fields.Date("From")
    date_to = fields.Date("To")
    breakdown = fields.Selection(
        [
            ("channel", "Channel"),
            ("source", "Source"),
            ("country", "Country"),
            ("salesperson", "Salesperson"),
            ("segment", "Segment"),
        ],
        help="Channel and source are those of the first step; country, salesperson and"
        " segment are the customer's today.",
    )

    _window_positive = models.Constraint(
        f"CHECK(window_days BETWEEN 1 AND {MAX_WINDOW})",
        "The days to get through lie between 1 and 365.",
    )

    @api.model
    def _default_step_ids(self):
        """The way through a shop, in Segment's naming."""
        return [
            Command.create({"sequence": place, "type": kind, "event": event})
            for place, (kind, event) in enumerate(
                (
                    ("page", False),
                    ("track", "Product Viewed"),
                    ("track", "Product Added"),
                    ("track", "Order Completed"),
                )
            )
        ]

    @api.depends("step_ids.display_name", "step_ids.sequence")
    @api.depends_context("lang")
    def _compute_steps_text(self):
        for funnel in self:
            funnel.steps_text = " → ".join(
                funnel.step_ids.sorted("sequence").mapped("display_name")
            )

    @api.constrains("step_ids")
    def _check_step_ids(self):
        for funnel in self:
            if len(funnel.step_ids) > MAX_STEPS:
                raise ValidationError(
                    self.env._("A funnel has at most %(most)s steps.", most=MAX_STEPS)
                )

    @api.constrains("period", "date_from", "date_to")
    def _check_dates(self):
        for funnel in self.filtered(lambda one: one.period == "custom"):
            if not (funnel.date_from and funnel.date_to):
                raise ValidationError(
                    self.env._("Say from which day to which day the funnel looks.")
                )
            if funnel.date_from > funnel.date_to:
                raise ValidationError(
                    self.env._("The first day lies after the last day.")
                )

    # --- FIGURES ---

    def read_result(self):
        """Return what the screen shows, by the reader's own rights.

        :return: ``{"steps": [{"name", "count", "known", "of_first", "of_previous",
            "lost", "lost_known", "seconds" (median from the step before),
            "seconds_first" (median from the first step), "events"}], "pending"
            (within the window, not through yet), "breakdown": None or {"label",
            "overlapping", "rows": [{"name", "counts"}]}, "first_day", "last_day",
            "zone", "window_days", "may_segment", "notes": [text]}``
        :raise UserError: it takes too long, or a condition cannot be used
        """
        self.ensure_one()
        self.check_access("read")
        return self._read_result(fields.Datetime.now())

    def _read_result(self, now):
        since, until, first_day, last_day = self._get_bounds(now)
        steps = self.step_ids.sorted("sequence")
        size = len(steps)
        if size < 2:
            raise UserError(self.env._("Add steps: a funnel has at least two."))
        rows = self._fetch(lambda: self._figures_sql(since, until, now))
        [total] = [row for row in rows if row[0]]
        counts, events = _counts(total, size), total[3 + 4 * size : 3 + 5 * size]
        described = tool.describe_steps(counts)
        for place, step in enumerate(described):
            step["name"] = steps[place].display_name
            step["seconds"] = total[3 + 2 * size + place]
            step["seconds_first"] = total[3 + 3 * size + place]
            step["events"] = events[place]
        return {
            "steps": described,
            "pending": total[2],
            "breakdown": self._describe_breakdown(
                [row for row in rows if not row[0]], size
            ),
            "first_day": fields.Date.to_string(first_day),
            "last_day": fields.Date.to_string(last_day),
            "zone": self._zone(),
            "window_days": self.window_days,
            "may_segment": self.env["omni.segment"].has_access("create"),
            "notes": self._lake_notes(since) + self._missing_notes(described),
        }

    def _missing_notes(self, described):
        """Name the steps of which there is no event at all, as after a misspelling."""
        if not described[0]["count"]:
            return []
        return [
            self.env._(
                "“%(step)s”: no such event happened in this time. Verify its name.",
                step=step["name"],
            )
            for step in described
            if not step["events"]
        ]

    def _get_bounds(self, now):
        """When somebody may enter.

        :return: ``(since, until, first day, last day)``; moments are naive UTC, the
            second one excluded
        """
        zone = self._zone()
        if self.period == "custom":
            first, last = self.date_from, self.date_to
        else:
            last = tool.local_day(now, zone)
            first = last - timedelta(days=int(self.period) - 1)
        following = last + timedelta(days=1)
        return tool.midnight(first, zone), tool.midnight(following, zone), first, last

    # --- QUERIES ---

    def _reached_sql(self, since, until):
        """Who reached which step when.

        :return: SQL of common tables, of which ``reached`` has ``unit``, ``customer``,
            ``value`` and ``at_1`` …, and ``hit`` all events
        """
        steps = self.step_ids.sorted("sequence")
        window = timedelta(days=self.window_days)
        hits = self._units_sql(
            [step._condition() for step in steps],
            Domain("timestamp", "<", until + window),
            since,
            self._breakdown_sql(),
        )
        tables = [
            SQL("hit AS MATERIALIZED (%s)", hits),
            SQL(
                """
                step_1 AS (
                    SELECT DISTINCT ON (unit) unit, customer, value, at, id,
                           at AS entered
                    FROM hit WHERE flag_1 AND at < %s ORDER BY unit, at, id
                )
                """,
                until,
            ),
        ]
        for number in range(2, 1 + len(steps)):
            tables.append(
                SQL(
                    """
                    %(step)s AS (
                        SELECT DISTINCT ON (before.unit) before.unit, hit.at, hit.id,
                               before.entered
                        FROM %(before)s AS before
                        JOIN hit ON hit.unit = before.unit AND hit.%(flag)s
                         AND (hit.at, hit.id) > (before.at, before.id)
                         AND hit.at <= before.entered + %(window)s
                        ORDER BY before.unit, hit.at, hit.id
                    )
                    """,
                    step=SQL.identifier(f"step_{number}"),
                    before=SQL.identifier(f"step_{number - 1}"),
                    flag=SQL.identifier(f"flag_{number}"),
                    window=window,
                )
            )
        names = [SQL.identifier(f"step_{place}") for place in range(1, 1 + len(steps))]
        tables.append(
            SQL(
                """
                reached AS MATERIALIZED (
                    SELECT step_1.unit, step_1.customer, step_1.value, %s
                    FROM step_1 %s
                )
                """,
                SQL(", ").join(
                    SQL("%s.at AS %s", step, SQL.identifier(f"at_{number}"))
                    for number, step in enumerate(names, 1)
                ),
                SQL(" ").join(
                    SQL("LEFT JOIN %s USING (unit)", step) for step in names[1:]
                ),
            )
        )
        return SQL("WITH %s", SQL(", ").join(tables))

    def _figures_sql(self, since, until, now):
        """One row of all, and one a value of the breakdown.

        Columns: whether of all, value, who may still get through, then for each step
        the number, those known, the medians in seconds from the step before and from
        the first, and the events.
        """
        size = len(self.step_ids)
        at = [SQL.identifier(f"at_{number}") for number in range(1, 1 + size)]
        median = "percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM %s))"
        figures = [
            *(SQL("count(%s)", one) for one in at),
            *(SQL("count(%s) FILTER (WHERE customer IS NOT NULL)", one) for one in at),
            *(
                SQL(median, SQL("%s - %s", one, at[max(place - 1, 0)]))
                for place, one in enumerate(at)
            ),
            *(SQL(median, SQL("%s - %s", one, at[0])) for one in at),
            *(
                SQL(
                    "(SELECT count(*) FROM hit WHERE %s)",
                    SQL.identifier(f"flag_{number}"),
                )
                for number in range(1, 1 + size)
            ),
        ]
        pending = SQL(
            "count(*) FILTER (WHERE %s IS NULL AND at_1 > %s)",
            at[-1],
            now - timedelta(days=self.window_days),
        )
        figures = SQL(", ").join(figures)
        everybody = SQL(
            "SELECT TRUE, NULL::text, %s, %s FROM reached", pending, figures
        )
        if not self.breakdown:
            return SQL("%s %s", self._reached_sql(since, until), everybody)
        people, value = SQL("reached"), SQL("reached.value")
        if self.breakdown == "segment":
            people = SQL(
                """
                reached LEFT JOIN (
                    omni_segment_member AS member
                    JOIN omni_segment AS segment ON segment.id = member.segment_id
                     AND segment.active
                     AND coalesce(segment.company_id, %(company)s) = %(company)s
                ) ON member.partner_id = reached.customer
                """,
                company=self.company_id.id,
            )
            value = SQL("member.segment_id::text")
        return SQL(
            "%s %s UNION ALL SELECT FALSE, %s, %s, %s FROM %s GROUP BY 2",
            self._reached_sql(since, until),
            everybody,
            value,
            pending,
            figures,
            people,
        )

    def _breakdown_sql(self):
        """What the entering event, or who made it, is counted under."""
        if self.breakdown == "channel":
            return self.env["behavior.feature.provider"]._sql_channel()
        column = {
            "source": SQL("event.source_id::text"),
            "country": self._customer_sql("country_id"),
            "salesperson": self._customer_sql("user_id"),
        }
        return column.get(self.breakdown)

    def _customer_sql(self, name):
        """A field of the customer, unknown where it is closed to the reader."""
        return SQL("%s::text", readable(self.env["res.partner"], name, "customer"))

    def _describe_breakdown(self, rows, size):
        if not self.breakdown:
            return None
        names = self._value_names({row[1] for row in rows} - {None})
        shown = [
            {
                "name": names.get(row[1]) or self.env._("Unknown"),
                "counts": list(row[3 : 3 + size]),
            }
            for row in sorted(rows, key=lambda row: (-row[3], row[1] or ""))
        ]
        rest = shown[TOP_VALUES:]
        if rest:
            sums = [sum(row["counts"][place] for row in rest) for place in range(size)]
            shown[TOP_VALUES:] = [{"name": self.env._("Others"), "counts": sums}]
        labels = dict(self._fields["breakdown"]._description_selection(self.env))
        return {
            "label": labels[self.breakdown],
            "overlapping": self.breakdown == "segment",
            "rows": shown,
        }

    def _value_names(self, values):
        if self.breakdown == "channel":
            return {code: self.env._(name) for code, name in CHANNELS.items()}
        model = {
            "source": "behavior.source",
            "country": "res.country",
            "salesperson": "res.users",
            "segment": "omni.segment",
        }[self.breakdown]
        # sudo: names only, also of who has left the company
        found = self.env[model].sudo().browse(map(int, values)).exists()
        return {str(one.id): one.display_name for one in found}

    # --- PEOPLE ---

    def action_view_customers(self, step, lost=False, segment=False):
        """Open the known customers who reached a step.

        :param int step: its number, from 1 on
        :param bool lost: only those who did not get to the next one
        :param bool segment: make a segment of them instead
        """
        self.ensure_one()
        self.check_access("read")
        steps = self.step_ids.sorted("sequence")
        name = steps[step - 1].display_name
        title = (
            self.env._("%(funnel)s: no further than “%(step)s”", **self._words(name))
            if lost
            else self.env._("%(funnel)s: reached “%(step)s”", **self._words(name))
        )
        since, until, _first, _last = self._get_bounds(fields.Datetime.now())
        reached = SQL("%s IS NOT NULL", SQL.identifier(f"at_{step}"))
        if lost:
            reached = SQL(
                "%s AND %s IS NULL", reached, SQL.identifier(f"at_{step + 1}")
            )
        rows = self._fetch(
            lambda: SQL(
                "%s SELECT customer FROM reached WHERE customer IS NOT NULL AND %s"
                " ORDER BY customer LIMIT %s",
                self._reached_sql(since, until),
                reached,
                MAX_LISTED,
            )
        )
        return self._people_action([customer for (customer,) in rows], title, segment)

    def _words(self, step):
        return {"funnel": self.display_name, "step": step}

    @api.model
    def _load_demo(self, source_xmlid, seed, visitors, customer_xmlids=()):
        """Let people visit a shop of the demonstration.

        :param customer_xmlids: customers whom the shop knows
        """
        source = self.env.ref(source_xmlid)
        customers = {
            f"demo:{xmlid}": self.env.ref(xmlid).id for xmlid in customer_xmlids
        }
        events = self.env["behavior.event"]
        events._claim_identities(
            source, {("user_id", name): one for name, one in customers.items()}
        )
        events._track(
            source,
            shop_visits(fields.Datetime.now(), seed, visitors, list(customers)),
        )


def _counts(row, size):
    return [tool.Count(row[3 + place], row[3 + size + place]) for place in range(size)]
