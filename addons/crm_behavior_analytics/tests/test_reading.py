import json
from datetime import date, datetime, timedelta
from itertools import count
from random import Random
from statistics import median

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import SQL

from odoo.addons.crm_omnichannel.tools.linking import IdentityClaim

from . import reading_oracle as oracle

NOW = datetime(2020, 11, 25, 4)
BEGIN = datetime(2020, 10, 1)
ROUNDS = 40


class ReadingCase(TransactionCase):
    """A company in Shanghai with visitors, of whom some are customers."""

    #: ids of messages, so that two equal events are two
    numbers = count()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        calendar = cls.env["resource.calendar"].create(
            {"name": "Shanghai", "tz": "Asia/Shanghai"}
        )
        cls.company = cls.env["res.company"].create(
            {"name": "Reading", "resource_calendar_id": calendar.id}
        )
        cls.env = cls.env(
            context={
                **cls.env.context,
                "allowed_company_ids": cls.company.ids,
                "tracking_disable": True,
            }
        )
        cls.source = cls.env["behavior.source"].create(
            {"name": "Shop", "code": "reading", "origins": "https://reading.example"}
        )
        cls.firm, cls.person = cls.env["res.partner"].create(
            [
                {"name": "Firm", "country_id": cls.env.ref("base.cn").id},
                {"name": "Person", "country_id": cls.env.ref("base.fr").id},
            ]
        )
        cls.contact = cls.env["res.partner"].create(
            {"name": "Contact", "parent_id": cls.firm.id}
        )
        # Two devices of the firm's people, two of the person; others are nobody's.
        cls.units = {
            "v1": cls.firm.id,
            "v2": cls.firm.id,
            "v3": cls.person.id,
            "v4": cls.person.id,
            "v5": "v5",
            "v6": "v6",
        }
        people = {"v1": cls.firm, "v2": cls.contact, "v3": cls.person, "v4": cls.person}
        cls.env["omni.identity"]._claim_many(
            [
                IdentityClaim(
                    "anonymous_id",
                    visitor,
                    cls.source._identity_scopes()[0],
                    partner.id,
                    company_id=cls.company.id,
                )
                for visitor, partner in people.items()
            ]
        )
        cls.reader = new_test_user(
            cls.env,
            "reading-user",
            groups="crm_behavior_analytics.group_behavior_user",
            company_id=cls.company.id,
            company_ids=[Command.set(cls.company.ids)],
        )

    @classmethod
    def _land(cls, events, prefix=""):
        """Land events of the oracle's shape, with ``visitor`` and ``name``."""
        cls.env["behavior.event"]._track(
            cls.source,
            [
                {
                    "type": event.get("type", "track"),
                    "event": prefix + event["name"],
                    "anonymousId": event["visitor"],
                    "messageId": str(next(cls.numbers)),
                    "timestamp": event["at"].isoformat(),
                    "receivedAt": event.get("received_at", event["at"]).isoformat(),
                    "properties": event.get("properties", {}),
                    "context": event.get("context", {}),
                }
                for event in events
            ],
        )

    def _random_events(self, seed):
        rng = Random(seed)
        found = oracle.events(rng, list(self.units), "ABC", BEGIN, 24 * 55, 60, 110)
        for event in found:
            event["visitor"] = event["unit"]
            event["unit"] = self.units[event["visitor"]]
        # all at once, so that the order of arrival decides among equal moments
        for event in found:
            event["received_at"] = NOW
        return rng, found

    def _funnel(self, names, **values):
        return self.env["behavior.funnel"].create(
            {
                "name": "Funnel",
                "period": "custom",
                "date_from": "2020-10-01",
                "date_to": "2020-11-25",
                "step_ids": [
                    Command.create({"sequence": place, "type": "track", "event": name})
                    for place, name in enumerate(names)
                ],
                **values,
            }
        )

    def _retention(self, first, returning, **values):
        return self.env["behavior.retention"].create(
            {
                "name": "Retention",
                "first_type": "track",
                "first_event": first,
                "return_type": "track",
                "return_event": returning,
                **values,
            }
        )

    def _customers(self, action):
        return self.env["res.partner"].search(action["domain"])


@tagged("post_install", "-at_install")
class TestFunnel(ReadingCase):
    def test_against_the_oracle(self):
        """Counts, customers and medians of random events are those of the oracle."""
        passed = 0
        for seed in range(ROUNDS):
            rng, events = self._random_events(seed)
            prefix = f"funnel {seed} "
            self._land(events, prefix)
            steps = [rng.choice("ABC") for _step in range(rng.randrange(2, 5))]
            window = rng.randrange(1, 20)
            first = date(2020, 10, 1) + timedelta(days=rng.randrange(30))
            last = first + timedelta(days=rng.randrange(25))
            funnel = self._funnel(
                [prefix + name for name in steps],
                window_days=window,
                date_from=first,
                date_to=last,
            )
            expected = oracle.funnel(
                events,
                steps,
                oracle.moment(first) - oracle.OFFSET,
                oracle.moment(last) - oracle.OFFSET + timedelta(days=1),
                timedelta(days=window),
            )
            with self.subTest(seed=seed, steps=steps):
                self._compare(funnel, expected)
            passed += sum(len(reached) > 2 for reached in expected.values())
        self.assertGreater(passed, 20, "the rounds must say something")

    def _compare(self, funnel, expected):
        result = funnel._read_result(NOW)
        for place, step in enumerate(result["steps"]):
            here = {u: r for u, r in expected.items() if len(r) > place}
            self.assertEqual(step["count"], len(here))
            customers = {unit for unit in here if not isinstance(unit, str)}
            self.assertEqual(step["known"], len(customers))
            if here:
                spans = [r[place] - r[max(place - 1, 0)] for r in here.values()]
                self.assertAlmostEqual(
                    step["seconds"], median(one.total_seconds() for one in spans)
                )
            self.assertEqual(
                set(self._customers(funnel.action_view_customers(place + 1)).ids),
                customers,
            )
            if step["lost"] is not None:
                lost = {unit for unit, r in here.items() if len(r) == place + 1}
                self.assertEqual(step["lost"], len(lost))
                self.assertEqual(
                    set(
                        self._customers(
                            funnel.action_view_customers(place + 1, lost=True)
                        ).ids
                    ),
                    {unit for unit in lost if not isinstance(unit, str)},
                )

    def test_midnight_in_shanghai(self):
        """A day is one of the company: 00:30 in Shanghai is the day before in UTC."""
        self._land(
            [
                {"visitor": "v5", "name": "In", "at": datetime(2020, 11, 9, 16, 30)},
                {"visitor": "v6", "name": "In", "at": datetime(2020, 11, 9, 15, 30)},
            ]
        )
        funnel = self._funnel(["In", "Out"], date_from="2020-11-10")
        self.assertEqual(funnel._read_result(NOW)["steps"][0]["count"], 1)
        funnel.date_from = "2020-11-09"
        self.assertEqual(funnel._read_result(NOW)["steps"][0]["count"], 2)
        # the last 7 days of somebody who looks at 00:30 on the 16th in Shanghai
        funnel.period = "7"
        result = funnel._read_result(datetime(2020, 11, 15, 16, 30))
        self.assertEqual(
            (result["first_day"], result["last_day"]), ("2020-11-10", "2020-11-16")
        )
        self.assertEqual(result["steps"][0]["count"], 1)

    def test_window_and_those_still_in_it(self):
        entered = NOW - timedelta(days=14)
        self._land(
            [
                {"visitor": "v1", "name": "In", "at": entered},
                {"visitor": "v1", "name": "Out", "at": entered + timedelta(days=14)},
                {"visitor": "v3", "name": "In", "at": entered - timedelta(days=2)},
                {
                    "visitor": "v3",
                    "name": "Out",
                    "at": entered + timedelta(days=12, seconds=1),
                },
                {"visitor": "v5", "name": "In", "at": entered + timedelta(seconds=1)},
            ]
        )
        result = self._funnel(["In", "Out"], window_days=14)._read_result(NOW)
        self.assertEqual([step["count"] for step in result["steps"]], [3, 1])
        self.assertEqual(result["pending"], 1)
        self.assertEqual(result["steps"][1]["seconds_first"], 14 * 86400)

    def test_merge_and_undo(self):
        """Two customers who become one count once, and twice again after the undo."""
        self._land([{"visitor": v, "name": "In", "at": BEGIN} for v in ("v1", "v3")])
        funnel = self._funnel(["In", "Out"])
        self.assertEqual(funnel._read_result(NOW)["steps"][0]["count"], 2)
        merge = self.env["omni.merge"]._merge(self.firm, self.person, "manual")
        self.assertEqual(funnel._read_result(NOW)["steps"][0]["count"], 1)
        merge.action_undo()
        self.assertEqual(funnel._read_result(NOW)["steps"][0]["count"], 2)

    def test_conditions_of_a_step(self):
        rows = {
            "v1": {"category": "Tea", "price": 30, "products": [{"sku": "T-1"}]},
            "v3": {"category": "Cups", "price": "30"},
            "v5": {"price": 5},
        }
        self._land(
            [
                {"visitor": visitor, "name": "Seen", "at": BEGIN, "properties": words}
                for visitor, words in rows.items()
            ]
        )
        funnel = self._funnel(["Seen", "Out"])
        step = funnel.step_ids[0]
        for name, operator, value, number in (
            ("category", "set", False, 2),
            ("category", "=", "Tea", 1),
            ("category", "!=", "Tea", 2),
            ("category", "ilike", "CUP", 1),
            ("price", ">", "10", 1),
            ("price", "<", "10", 1),
            ("price", "=", "30", 2),
            ("products.0.sku", "=", "T-1", 1),
        ):
            with self.subTest(name=name, operator=operator):
                step.write(
                    {
                        "property_name": name,
                        "property_operator": operator,
                        "property_value": value,
                    }
                )
                found = funnel._read_result(NOW)["steps"][0]["count"]
                self.assertEqual(found, number)
        with self.assertRaises(ValidationError):
            step.write({"property_operator": ">", "property_value": "many"})
        step.write({"property_name": False, "domain": "[('page', '!=', False)]"})
        self.assertEqual(funnel._read_result(NOW)["steps"][0]["count"], 0)

    def test_filters(self):
        """A condition or a segment leaves its customers; unknown ones are left out."""
        self._land(
            [{"visitor": v, "name": "In", "at": BEGIN} for v in ("v2", "v3", "v5")]
        )
        funnel = self._funnel(["In", "Out"])

        def entered():
            return funnel._read_result(NOW)["steps"][0]["count"]

        self.assertEqual(entered(), 3)
        funnel.known_only = True
        self.assertEqual(entered(), 2)
        funnel.customer_domain = "[('country_id.code', '=', 'CN')]"
        self.assertEqual(entered(), 1)
        [customer] = self._customers(funnel.action_view_customers(1))
        self.assertEqual(customer, self.firm)
        funnel.customer_domain = "[]"
        funnel.segment_id = self.env["omni.segment"].create(
            {
                "name": "France",
                "code": "reading-france",
                "domain": "[('country_id.code', '=', 'FR')]",
            }
        )
        [customer] = self._customers(funnel.action_view_customers(1))
        self.assertEqual(customer, self.person)
        for condition in ("[('no_such', '=', 1)]", "[(len, '=', 1)]", "hello"):
            with self.subTest(condition), self.assertRaises(ValidationError):
                funnel.customer_domain = condition

    def test_breakdown(self):
        agents = {"v1": "X MicroMessenger/8", "v3": "X Mobi", "v5": "X"}
        self._land(
            [
                {
                    "visitor": visitor,
                    "name": "In",
                    "at": BEGIN,
                    "context": {"userAgent": agent},
                }
                for visitor, agent in agents.items()
            ]
            + [{"visitor": "v1", "name": "Out", "at": BEGIN + timedelta(hours=1)}]
        )
        segment = self.env["omni.segment"].create(
            {
                "name": "Both",
                "code": "reading-both",
                "domain": str([("id", "in", (self.firm | self.person).ids)]),
            }
        )
        self.firm.user_id = self.reader
        funnel = self._funnel(["In", "Out"])
        for breakdown, expected in (
            (
                "channel",
                {"WeChat": [1, 1], "Mobile Browser": [1, 0], "Computer": [1, 0]},
            ),
            ("source", {"Shop": [3, 1]}),
            ("country", {"China": [1, 1], "France": [1, 0], "Unknown": [1, 0]}),
            ("salesperson", {self.reader.name: [1, 1], "Unknown": [2, 0]}),
        ):
            with self.subTest(breakdown):
                funnel.breakdown = breakdown
                rows = funnel._read_result(NOW)["breakdown"]["rows"]
                self.assertEqual({r["name"]: r["counts"] for r in rows}, expected)
        funnel.breakdown = "segment"
        result = funnel._read_result(NOW)
        rows = {r["name"]: r["counts"] for r in result["breakdown"]["rows"]}
        self.assertEqual((rows[segment.name], rows["Unknown"]), ([2, 1], [1, 0]))
        self.assertEqual(result["steps"][0]["count"], 3, "nobody counts twice in all")

    def test_breakdown_by_a_field_that_is_closed(self):
        """Whom a policy hides the country from, sees nobody's in the breakdown."""
        self._land([{"visitor": "v1", "name": "In", "at": BEGIN}])
        funnel = self._funnel(["In", "Out"]).with_user(self.reader)
        funnel.sudo().breakdown = "country"
        [row] = funnel._read_result(NOW)["breakdown"]["rows"]
        self.assertEqual((row["name"], row["counts"]), ("China", [1, 0]))
        field = self.env["ir.model.fields"]._get("res.partner", "country_id")
        self.env["governance.field.policy"].create(
            {
                "name": "Countries",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "field_ids": [Command.set(field.ids)],
                "group_ids": [Command.set(self.env.ref("base.group_user").ids)],
                "access": "hidden",
                "active": True,
            }
        )
        [row] = funnel._read_result(NOW)["breakdown"]["rows"]
        self.assertEqual((row["name"], row["counts"]), ("Unknown", [1, 0]))

    def test_late_arrival(self):
        """What arrives late counts when it happened."""
        self._land(
            [
                {"visitor": "v5", "name": "Out", "at": BEGIN + timedelta(days=1)},
                {
                    "visitor": "v5",
                    "name": "In",
                    "at": BEGIN,
                    "received_at": BEGIN + timedelta(days=40),
                },
            ]
        )
        result = self._funnel(["In", "Out"])._read_result(NOW)
        self.assertEqual([step["count"] for step in result["steps"]], [1, 1])

    def test_a_misspelt_step_is_named(self):
        self._land([{"visitor": "v5", "name": "In", "at": BEGIN}])
        [note] = self._funnel(["In", "Ordr"])._read_result(NOW)["notes"]
        self.assertIn("Ordr", note)
        self.assertFalse(self._funnel(["No", "Such"])._read_result(NOW)["notes"])

    def test_the_lake_is_not_counted(self):
        """Whoever looks further back than the store is told so."""
        self.env["behavior.lake.part"].create(
            {"name": "202010-1", "month": "2020-10-01", "number": 1, "events": 5}
        )
        funnel = self._funnel(["In", "Out"], date_from="2020-10-15")
        [note] = funnel._read_result(NOW)["notes"]
        self.assertIn("2020-11-01", note)
        funnel.date_from = "2020-11-02"
        self.assertFalse(funnel._read_result(NOW)["notes"])
        self.assertTrue(self._retention("In", "In")._read_result(NOW)["notes"])

    def test_a_careless_funnel_is_stopped(self):
        """It costs one sentence, and the worker goes on."""
        funnel = self._funnel(["In", "Out"])
        self.patch(type(funnel), "_get_seconds", lambda _self: 0.05)
        self.patch(
            type(funnel),
            "_figures_sql",
            lambda *_args: SQL("SELECT TRUE, NULL FROM (SELECT pg_sleep(30)) AS nap"),
        )
        with self.assertRaisesRegex(UserError, "was stopped"):
            funnel._read_result(NOW)
        [(timeout,)] = self.env.execute_query(SQL("SHOW statement_timeout"))
        self.assertEqual(timeout, "0")

    def test_rights(self):
        """Users read and see the customers that they may see; managers edit."""
        self._land([{"visitor": v, "name": "In", "at": BEGIN} for v in ("v1", "v3")])
        funnel = self._funnel(["In", "Out"]).with_user(self.reader)
        self.assertEqual(funnel._read_result(NOW)["steps"][0]["known"], 2)
        self.assertFalse(funnel.read_result()["may_segment"])
        with self.assertRaises(AccessError):
            funnel.name = "Mine"
        stranger = new_test_user(self.env, "reading-no", groups="base.group_user")
        for method in ("read_result", "action_view_customers"):
            with self.subTest(method), self.assertRaises(AccessError):
                getattr(funnel.with_user(stranger), method)(
                    *([1] if method != "read_result" else [])
                )
        with self.assertRaises(AccessError):
            self.env["behavior.reading"].with_user(stranger).read_event_names()
        rule = self.env["ir.rule"].create(
            {
                "name": "Not the firm",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "domain_force": str([("id", "!=", self.firm.id)]),
            }
        )
        action = funnel.action_view_customers(1)
        seen = self.env["res.partner"].with_user(self.reader).search(action["domain"])
        self.assertEqual(seen, self.person)
        rule.unlink()
        elsewhere = self.env["res.company"].create({"name": "Elsewhere"})
        self.reader.write(
            {"company_ids": [Command.set(elsewhere.ids)], "company_id": elsewhere.id}
        )
        with self.assertRaises(AccessError):
            funnel.with_context(allowed_company_ids=elsewhere.ids).read_result()

    def test_a_segment_of_those_who_stopped(self):
        self._land([{"visitor": v, "name": "In", "at": BEGIN} for v in ("v1", "v5")])
        funnel = self._funnel(["In", "Out"])
        action = funnel.action_view_customers(1, lost=True, segment=True)
        form = Form(self.env["omni.segment"].with_context(**action["context"]))
        segment = form.save()
        self.assertEqual(segment.company_id, self.company)
        self.assertEqual(
            self.env["res.partner"].search([("omni_segment_ids", "in", segment.ids)]),
            self.firm,
        )

    def test_bad_settings(self):
        for values in (
            {"step_ids": [Command.create({"event": "Many"}) for _step in range(11)]},
            {"date_from": "2020-11-30"},
            {"date_to": False},
        ):
            with self.subTest(values=values), self.assertRaises(ValidationError):
                self._funnel(["In", "Out"], **values)
        with self.assertRaisesRegex(UserError, "at least two"):
            self._funnel(["Alone"]).read_result()
        funnel = self._funnel(["In", "Out"])
        with self.assertRaises(ValidationError):
            funnel.step_ids[0].domain = "[('nothing', '=', 1)]"
        with self.assertRaises(ValidationError):
            funnel.step_ids[0].domain = "[('type', '=', type)]"

    def test_form(self):
        """A new funnel begins with the way through a shop."""
        with Form(self.env["behavior.funnel"]) as form:
            form.name = "New"
        funnel = form.save()
        self.assertIn("Product Viewed → Product Added", funnel.steps_text)
        copy = funnel.copy()
        self.assertEqual(copy.steps_text, funnel.steps_text)
        json.dumps(copy.read_result())

    def test_event_names(self):
        self._land([{"visitor": "v5", "name": n, "at": BEGIN} for n in ("B", "A", "A")])
        names = self.env["behavior.reading"].with_user(self.reader).read_event_names()
        self.assertEqual(names, ["A", "B"])

    def test_lineage(self):
        funnel = self._funnel(
            ["In", "Out"], customer_domain="[('country_id.code', '=', 'CN')]"
        )
        node = f"behavior_funnel:{funnel.id}"
        lineage = self.env["governance.lineage"]
        edges = {
            edge.source for edge in lineage._lineage_edges() if edge.target == node
        }
        self.assertLessEqual({"behavior.event.event", "res.partner.country_id"}, edges)
        self.assertIn(funnel.name, lineage._lineage_labels([node])[node])

    def test_demo(self):
        """Each menu of the demonstration shows figures of its company."""
        for xmlid, model in (
            ("behavior_funnel_main_demo", "behavior.funnel"),
            ("behavior_funnel_shanghai_demo", "behavior.funnel"),
            ("behavior_retention_main_demo", "behavior.retention"),
            ("behavior_retention_shanghai_demo", "behavior.retention"),
        ):
            reading = self.env.ref(f"crm_behavior_analytics.{xmlid}", False)
            if not reading:
                self.skipTest("without demonstration data")
            reading = reading.with_context(allowed_company_ids=reading.company_id.ids)
            result = reading.read_result()
            with self.subTest(xmlid):
                if model == "behavior.funnel":
                    self.assertTrue(all(step["count"] for step in result["steps"][:3]))
                    self.assertTrue(result["steps"][0]["known"])
                else:
                    self.assertTrue(any(c["count"] for c in result["cohorts"]))
                    self.assertTrue(result["average"][1]["rate"])


@tagged("post_install", "-at_install")
class TestRetention(ReadingCase):
    def test_against_the_oracle(self):
        """Cohorts, returns and customers of random events are those of the oracle."""
        returns = 0
        for seed in range(ROUNDS):
            rng, events = self._random_events(100 + seed)
            prefix = f"retention {seed} "
            self._land(events, prefix)
            first, returning = rng.choice("ABC"), rng.choice("ABC")
            granularity = rng.choice(("day", "week", "month"))
            size = rng.randrange(2, 9)
            retention = self._retention(
                prefix + first,
                prefix + returning,
                granularity=granularity,
                periods=size,
            )
            periods = _periods(granularity, size)
            expected = oracle.retention(events, first, returning, periods)
            with self.subTest(seed=seed, granularity=granularity, size=size):
                self._compare(retention, periods, expected)
            returns += len(expected[1])
        self.assertGreater(returns, 40, "the rounds must say something")

    def _compare(self, retention, periods, expected):
        sizes, returned = expected
        result = retention._read_result(NOW)
        self.assertEqual(
            [cohort["start"] for cohort in result["cohorts"]],
            [begin.date().isoformat() for begin, _end in periods],
        )
        for place, cohort in enumerate(result["cohorts"]):
            self.assertEqual(cohort["count"], len(sizes.get(place, ())))
            for number, cell in enumerate(cohort["cells"]):
                units = returned.get((place, place + number), set())
                self.assertEqual(cell["count"], len(units))
                customers = {unit for unit in units if not isinstance(unit, str)}
                self.assertEqual(cell["known"], len(customers))
                if customers:
                    action = retention._action_at(NOW, cohort["start"], number)
                    self.assertEqual(set(self._customers(action).ids), customers)
                begin = periods[place][0]
                if place + number < len(periods):
                    begin, end = periods[place + number]
                    over = end <= NOW + oracle.OFFSET
                    self.assertEqual(cell["state"], "done" if over else "open")
                else:
                    self.assertEqual(cell["state"], "future")

    def test_midnight_in_shanghai(self):
        """23:30 and 00:30 in Shanghai are two days, 15:30 and 16:30 UTC are one."""
        self._land(
            [
                {"visitor": "v1", "name": "In", "at": datetime(2020, 11, 23, 15, 30)},
                {"visitor": "v1", "name": "In", "at": datetime(2020, 11, 23, 16, 30)},
            ]
        )
        retention = self._retention("In", "In", granularity="day", periods=3)
        cohorts = retention._read_result(NOW)["cohorts"]
        self.assertEqual(
            [(one["start"], one["count"]) for one in cohorts],
            [("2020-11-23", 1), ("2020-11-24", 0), ("2020-11-25", 0)],
        )
        self.assertEqual([cell["count"] for cell in cohorts[0]["cells"]], [0, 1, 0])
        calendar = self.company.resource_calendar_id
        calendar.tz = "UTC"
        cohorts = retention._read_result(NOW)["cohorts"]
        self.assertEqual([cell["count"] for cell in cohorts[0]["cells"]], [1, 0, 0])

    def test_first_time_ever(self):
        """Whoever came before the first cohort is in none, whatever they do later."""
        self._land(
            [
                {"visitor": "v1", "name": "In", "at": datetime(2019, 1, 1)},
                {"visitor": "v1", "name": "In", "at": datetime(2020, 11, 20)},
                {"visitor": "v3", "name": "In", "at": datetime(2020, 11, 20)},
            ]
        )
        cohorts = self._retention("In", "In")._read_result(NOW)["cohorts"]
        self.assertEqual(sum(cohort["count"] for cohort in cohorts), 1)

    def test_rights_and_segment(self):
        self._land([{"visitor": v, "name": "In", "at": NOW} for v in ("v1", "v5")])
        retention = self._retention("In", "In")
        action = retention._action_at(NOW, "2020-11-23", segment=True)
        self.assertIn(str(self.firm.id), action["context"]["default_domain"])
        read = retention.with_user(self.reader)
        self.assertEqual(read._read_result(NOW)["cohorts"][-1]["count"], 2)
        with self.assertRaises(AccessError):
            read.periods = 5
        with self.assertRaises(ValidationError):
            retention.return_domain = "[('nothing', '=', 1)]"


def _periods(granularity, size):
    """Periods up to the one of ``NOW``, counted back one by one."""
    today = (NOW + oracle.OFFSET).date()
    if granularity == "month":
        begin = today.replace(day=1)
        periods = [(begin, oracle.month_after(begin))]
        while len(periods) < size:
            begin = (begin - timedelta(days=1)).replace(day=1)
            periods.insert(0, (begin, periods[0][0]))
    else:
        length = timedelta(days=7 if granularity == "week" else 1)
        begin = today
        while granularity == "week" and begin.isoweekday() != 1:
            begin -= timedelta(days=1)
        periods = [
            (begin - length * number, begin - length * (number - 1))
            for number in reversed(range(size))
        ]
    return [(oracle.moment(first), oracle.moment(end)) for first, end in periods]
