from datetime import datetime, timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import BaseCase, new_test_user, tagged

from ..models.behavior_feature_provider import BEHAVIOR, COMMERCE
from ..tools import prediction, refresh
from .generated import customers
from .test_features import frames
from .test_prediction import PredictionCase

NOW = datetime(2026, 5, 4)
MODULES = [COMMERCE.module, BEHAVIOR.module]


def figures(tables, as_of, definitions):
    rows = refresh.compute(frames(tables), as_of, definitions).to_dicts()
    return {row.pop("unit_id"): refresh.figures_of(row) for row in rows}


@tagged("post_install", "-at_install")
class TestAdvance(BaseCase):
    def assertSameFigures(self, found, expected):
        self.assertEqual(found.keys(), expected.keys())
        for code, value in expected.items():
            self.assertAlmostEqual(
                found[code], value, delta=1e-9 * max(1, abs(value)), msg=code
            )

    def _stale(self, tables, last, as_of):
        """The rule, row by row in plain Python."""
        return {
            row["unit_id"]
            for rows in tables.values()
            for row in rows
            for moment in row.values()
            if isinstance(moment, datetime)
            and any(
                last <= moment + timedelta(days=days) < as_of
                for days in (0, 7, 14, 30, 60, 90, 180, 365, 730)
            )
        }

    def test_incremental_is_full(self):
        """Who is not computed anew has the very features of a full computation."""
        definitions = prediction.load_definitions(MODULES)
        tables = customers(120, NOW, seed=5)
        quiet = 0
        for days in (1, 3):
            last = NOW - timedelta(days=days)
            before = figures(tables, last, definitions)
            full = figures(tables, NOW, definitions)
            stale = self._stale(tables, last, NOW)
            for unit in full.keys() - stale:
                quiet += 1
                advanced = refresh.advance(before[unit], definitions, days)
                with self.subTest(days=days, unit=unit):
                    self.assertSameFigures(advanced, full[unit])
            # the rule is needed: some of the others would be wrong
            wrong = [
                unit
                for unit in stale & before.keys()
                if refresh.advance(before[unit], definitions, days) != full[unit]
            ]
            self.assertTrue(wrong)
        self.assertGreater(quiet, 20)

    def test_edges(self):
        """Each window of a definition ends at an edge of the rule."""
        for definition in prediction.load_definitions(MODULES):
            self.assertIn(definition.window or 0, refresh.edges(), definition.code)


@tagged("post_install", "-at_install")
class TestRefresh(PredictionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.now = fields.Datetime.now()
        cls.partners = cls.env["res.partner"].create(
            [{"name": f"Customer {number}"} for number in range(6)]
        )
        # Ordered long ago: nothing begins or ends for them these days.
        cls.quiet = cls.partners[4:]
        tables = customers(4, cls.now, seed=3)
        orders = [(row["unit_id"] - 1, row["known_at"]) for row in tables["orders"]]
        orders += [(4, cls.now - timedelta(days=200))] * 2
        orders += [(5, cls.now - timedelta(days=210))]
        cls.env.cr.execute_values(
            "INSERT INTO sale_order (name, state, date_order, partner_id,"
            " partner_invoice_id, partner_shipping_id, amount_untaxed, currency_rate,"
            " picking_policy, company_id) VALUES %s",
            [
                (f"R{number}", "sale", moment, *[cls.partners[place].id] * 3, 99, 1.0)
                + ("direct", cls.company.id)
                for number, (place, moment) in enumerate(orders)
            ],
        )
        # Written long ago, like the orders.
        cls.env.flush_all()
        cls.env.cr.execute(
            "UPDATE res_partner SET write_date = %s WHERE id = ANY(%s)",
            [cls.now - timedelta(days=90), cls.partners.ids],
        )
        cls.source = cls.env["behavior.source"].create(
            {"name": "Shop", "code": "shop", "company_id": cls.company.id}
        )
        cls._track("v0", cls.partners[0], 20)
        cls.Value = cls.env["behavior.feature.value"].with_company(cls.company)

    @classmethod
    def _track(cls, visitor, partner, days):
        cls.env["behavior.event"]._track(
            cls.source,
            [
                {
                    "type": "page",
                    "anonymousId": visitor,
                    "receivedAt": (cls.now - timedelta(days=days)).isoformat(),
                }
            ],
        )
        if partner:
            cls.env["behavior.event"]._claim_identities(
                cls.source, {("anonymous_id", visitor): partner.id}
            )

    def _refresh(self, days_ago=0, full=None):
        moment = self.now - timedelta(days=days_ago)
        job = self.Value._start_refresh(self.company, full, moment)
        if job:
            self._finish_job(job)
        return job

    def _figures(self):
        return self.Value._read_figures(self.partners, self.company)

    def _stale(self, days_ago=0):
        midnight = datetime.combine(
            (self.now - timedelta(days=days_ago)).date(), datetime.min.time()
        )
        return set(self.Value._stale_units(self.company, midnight))

    def test_who_wants_no_profile_has_none(self):
        # of whom nothing else changes
        unwilling = self.quiet[0]
        self._refresh(full=True)
        self.assertIn(unwilling.id, self._figures())
        consents = self.env["omni.consent"].with_company(self.company)
        consents._record(unwilling, "profiling", "denied")
        self._refresh(full=False)
        self.assertEqual(
            self.Value.search([]).partner_id & self.partners, self.partners - unwilling
        )
        self._refresh(full=True)
        self.assertNotIn(unwilling, self.Value.search([]).partner_id)
        # nor a score
        prediction = self.env["behavior.prediction"].create(
            {
                "name": "Churn",
                "code": "unwilling",
                "label_method": "no_order",
                "company_id": self.company.id,
            }
        )
        chosen = prediction._chosen_units()
        self.assertEqual(self.partners & chosen, self.partners - unwilling)
        consents._record(unwilling, "profiling", "granted")
        self.assertIsNone(prediction._chosen_units())

    def test_incremental(self):
        """Only who may have changed is computed, and all are as computed anew."""
        job = self._refresh(3, full=True)
        self.assertEqual(job.result["computed"], 6)
        before = self._figures()
        job = self._refresh(full=False)
        self.assertGreater(job.result["computed"], 0)
        self.assertLess(job.result["computed"], 6)
        found = self._figures()
        self.assertFalse(
            set(self.quiet.ids)
            & set(self.Value.search([("as_of", ">=", self.now.date())]).partner_id.ids)
        )
        self._refresh(full=True)
        self.assertEqual(found, self._figures())
        for partner in self.quiet:
            self.assertEqual(
                found[partner.id]["days_since_order"],
                before[partner.id]["days_since_order"] + 3,
            )

    def test_what_is_noticed(self):
        """A cancelled order, a visit, a visitor who became known, a merge."""
        self._refresh(full=True)
        first, second = self.quiet
        # What this test has written itself is within the overlap of transactions.
        self.company._set_behavior_refresh(
            self.company.behavior_features_as_of, self.now + timedelta(hours=7)
        )
        self.assertFalse(self._stale() & set(self.quiet.ids))
        self._track("v-new", second, 30)
        self.assertIn(second.id, self._stale())
        self._refresh(full=False)
        self.assertEqual(self._figures()[second.id]["page_views_90d"], 1)
        self.company._set_behavior_refresh(
            self.company.behavior_features_as_of, self.now + timedelta(hours=7)
        )
        self.assertFalse(self._stale() & set(self.quiet.ids))
        identity = self.env["omni.identity"].search([("value", "=", "v-new")])
        identity.partner_id = first
        self.assertEqual(self._stale() & set(self.quiet.ids), {first.id, second.id})
        self._refresh(full=False)
        self.assertNotIn("days_since_visit", self._figures()[second.id])
        self.env.cr.execute(
            "UPDATE sale_order SET state = 'cancel', write_date = %s"
            " WHERE partner_id = %s",
            [self.now + timedelta(hours=2), second.id],
        )
        self.assertIn(second.id, self._stale())
        self._refresh(full=False)
        self.assertNotIn(second.id, self._figures())

    def test_quarantine_is_noticed(self):
        """It takes events from its customer, and may give them to another one."""
        first, second = self.quiet
        self._track("v-shared", first, 30)
        self.env["omni.identity"]._claim(
            second, "anonymous_id", "v-shared", "company:0"
        )
        self.env["omni.identity"]._claim(second, "anonymous_id", "v-own", "company:0")
        self._refresh(full=True)
        self.company._set_behavior_refresh(
            self.company.behavior_features_as_of, self.now + timedelta(hours=7)
        )
        self.assertFalse(self._stale() & set(self.quiet.ids))
        shared = self.env["omni.identity"].search(
            [("value", "=", "v-shared"), ("partner_id", "=", first.id)]
        )
        for act, owner, other in (
            (shared.action_quarantine, second, first),
            (shared.action_release, first, second),
        ):
            act()
            self.assertEqual(self._stale() & set(self.quiet.ids), set(self.quiet.ids))
            self._refresh(full=False)
            figures = self._figures()
            self.assertEqual(figures[owner.id]["page_views_90d"], 1)
            self.assertFalse(figures[other.id].get("page_views_90d"))
            self.company._set_behavior_refresh(
                self.company.behavior_features_as_of, self.now + timedelta(hours=7)
            )
            self.assertFalse(self._stale() & set(self.quiet.ids))

    def test_on_the_customer(self):
        self._refresh(full=True)
        user = new_test_user(
            self.env,
            "feature_reader",
            "sales_team.group_sale_salesman_all_leads",
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        partner = self.quiet[0].with_user(user).with_company(self.company)
        (answer,) = partner.behavior_features(["orders_365d"])
        self.assertEqual(answer["features"], {"orders_365d": 2})
        html = partner.behavior_features_html
        self.assertIn("<details>", html)
        self.assertIn("Orders, 365 days", html)
        stranger = new_test_user(self.env, "feature_stranger", "base.group_user")
        with self.assertRaises(AccessError):
            self.quiet[0].with_user(stranger).behavior_features()

    def test_governance(self):
        """The age of the features, and where they come from and go to."""
        self._refresh(full=True)
        families = {
            family.name: family
            for family in self.env["governance.metrics"]._metric_families()
        }
        ages = {
            sample.labels["company"]: sample.value
            for sample in families["crm_behavior_features_age_seconds"].samples
        }
        self.assertLess(ages[str(self.company.id)], 2 * 86400)
        edges = {
            (edge.source, edge.target)
            for edge in self.env["governance.lineage"]._lineage_edges()
        }
        self.assertIn(("stock.move.value", "feature:margin_365d"), edges)
        self.assertIn(("feature:margin_365d", "behavior.feature.value.figures"), edges)
        self.assertNotIn(("sale.order.amount_untaxed", "feature:orders_30d"), edges)

    def test_erased(self):
        self._refresh(full=True)
        partner = self.partners[0]
        self.env["governance.erasure"]._erase_person(partner, [])
        self.assertFalse(self.Value.search([("partner_id", "=", partner.id)]))
