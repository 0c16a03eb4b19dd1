import json

from odoo import fields
from odoo.exceptions import ValidationError
from odoo.fields import Command
from odoo.tests import tagged

from odoo.addons.account.tests.common import AccountTestInvoicingCommon
from odoo.addons.crm_omnichannel.tools.tier import Adjustment


@tagged("post_install", "-at_install")
class TestCustomerTier(AccountTestInvoicingCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.company = cls.env.company
        cls.company.write(
            {
                "customer_tier_silver": 100,
                "customer_tier_gold": 1000,
                "customer_tier_vip": 5000,
            }
        )
        cls.customer, cls.other = cls.env["res.partner"].create(
            [
                {"name": "Huadong Trade", "is_company": True, "ref": "tier"},
                {"name": "Sunrise", "is_company": True, "ref": "tier"},
            ]
        )
        cls.contact = cls.env["res.partner"].create(
            {"name": "Wang Wei", "parent_id": cls.customer.id, "ref": "tier"}
        )
        cls.partners = cls.env["res.partner"]

    def invoice(self, amount, day=None, move_type="out_invoice", partner=None):
        move = self.env["account.move"].create(
            {
                "move_type": move_type,
                "partner_id": (partner or self.customer).id,
                "invoice_date": day or fields.Date.today(),
                "invoice_line_ids": [
                    Command.create(
                        {"name": "Goods", "price_unit": amount, "tax_ids": False}
                    )
                ],
            }
        )
        move.action_post()

    def test_turnover_of_twelve_months(self):
        today = fields.Date.today()
        self.invoice(9000, fields.Date.subtract(today, months=13))
        # what a contact was invoiced counts for the company
        self.invoice(1200, fields.Date.subtract(today, months=11), partner=self.contact)
        self.invoice(100, move_type="out_refund")
        self.partners._refresh_customer_tier()
        self.assertEqual(self.customer.customer_tier, "gold")
        self.assertEqual(self.contact.customer_tier, "gold")
        self.assertEqual(self.other.customer_tier, "standard")
        reason = json.loads(self.customer.customer_tier_reason)
        self.assertEqual(
            reason, {"code": "turnover", "params": {"amount": 1100.0}, "also": []}
        )
        self.assertIn("1,100.00", self.customer.customer_tier_reason_text)
        self.env["account.move"].search(
            [("partner_id", "=", self.contact.id)]
        ).button_draft()
        self.partners._refresh_customer_tier()
        self.assertEqual(self.customer.customer_tier, "standard")
        self.assertEqual(self.contact.customer_tier, "standard")

    def test_search_and_group(self):
        self.invoice(6000)
        self.partners._refresh_customer_tier()
        mine = [("ref", "=", "tier")]
        self.assertEqual(
            self.partners.search([*mine, ("customer_tier", "=", "vip")]),
            self.customer | self.contact,
        )
        self.assertEqual(
            self.partners.search([*mine, ("customer_tier", "=", "standard")]),
            self.other,
        )
        self.assertEqual(
            dict(self.partners._read_group(mine, ["customer_tier"], ["__count"])),
            {"vip": 2, "standard": 1},
        )

    def test_figures_for_segments(self):
        """Each figure can be asked for, and is what the profile says."""
        self.invoice(6000)
        self.invoice(1000, move_type="out_refund", partner=self.contact)
        self.invoice(300, fields.Date.subtract(fields.Date.today(), months=13))
        order = (
            self.env["sale.order"]
            .sudo()
            .create(
                {
                    "partner_id": self.contact.id,
                    "order_line": [
                        Command.create(
                            {"product_id": self.product_a.id, "tax_ids": False}
                        )
                    ],
                }
            )
        )
        order.action_confirm()
        order.date_order = fields.Datetime.subtract(fields.Datetime.now(), days=40)
        profile = self.customer.customer_360(["figures"])["figures"]
        self.assertEqual(profile["lifetime_value"], 5300)
        for partner in self.customer | self.contact:
            self.assertEqual(partner.omni_lifetime_value, 5300)
            self.assertEqual(partner.omni_turnover, 5000)
            self.assertEqual(partner.omni_order_count, 1)
            self.assertEqual(partner.omni_last_order_at, order.date_order)
        self.assertFalse(self.other.omni_last_order_at)
        family, everybody = (
            self.customer | self.contact,
            self.customer | self.contact | self.other,
        )
        for condition, expected in (
            (("omni_lifetime_value", ">=", 5300), family),
            (("omni_lifetime_value", "<", 5300), self.other),
            (("omni_turnover", "=", 5000), family),
            (("omni_turnover", "!=", 5000), self.other),
            (("omni_turnover", ">=", 0), everybody),
            (("omni_order_count", "=", 0), self.other),
            (("omni_order_count", "in", [1, 2]), family),
            (("omni_last_order_at", "=", False), self.other),
            (("omni_last_order_at", "!=", False), family),
            (("omni_last_order_at", "<", "-30d"), family),
            (("omni_last_order_at", ">", "-30d"), self.partners),
        ):
            with self.subTest(condition=condition):
                self.assertEqual(
                    self.partners.search([("ref", "=", "tier"), condition]), expected
                )
        segment = (
            self.env["omni.segment"]
            .sudo()
            .create(
                {
                    "name": "Large",
                    "code": "test-large",
                    "company_id": self.company.id,
                    "domain": "[('ref', '=', 'tier'), ('omni_turnover', '>', 1000)]",
                }
            )
        )
        self.assertEqual(segment.partner_count, 2)
        self.assertIn(segment, segment._segments_of(self.contact))
        with self.assertRaises(ValidationError):
            segment.company_id = False

    def test_by_hand(self):
        with self.assertRaises(ValidationError), self.env.cr.savepoint():
            self.customer.customer_tier_manual = "vip"
        self.customer.write(
            {"customer_tier_manual": "vip", "customer_tier_note": "Key account"}
        )
        self.assertEqual(self.customer.customer_tier, "vip")
        self.assertEqual(self.contact.customer_tier, "vip")
        self.assertIn("Key account", self.customer.customer_tier_reason_text)
        self.partners._refresh_customer_tier()
        self.assertEqual(self.customer.customer_tier, "vip")
        later = self.partners.create(
            {"name": "New Contact", "parent_id": self.customer.id}
        )
        self.assertEqual(later.customer_tier, "vip")
        self.customer.customer_tier_manual = False
        self.assertEqual(self.customer.customer_tier, "standard")
        self.assertEqual(later.customer_tier, "standard")
        born = self.partners.create(
            {
                "name": "Born VIP",
                "customer_tier_manual": "vip",
                "customer_tier_note": "Bank",
            }
        )
        self.assertEqual(born.customer_tier, "vip")

    def test_companies(self):
        other = self.setup_other_company()["company"]
        self.invoice(6000)
        self.partners._refresh_customer_tier()
        theirs = self.customer.with_company(other)
        theirs.browse()._refresh_customer_tier()
        self.assertEqual(self.customer.customer_tier, "vip")
        self.assertEqual(theirs.customer_tier, "standard")
        theirs.write(
            {"customer_tier_manual": "silver", "customer_tier_note": "Their rule"}
        )
        self.assertEqual(theirs.customer_tier, "silver")
        self.assertEqual(self.customer.customer_tier, "vip")
        self.assertFalse(self.customer.customer_tier_manual)

    def test_what_stayed_with_a_merged_customer(self):
        """A sealed invoice keeps its customer; it counts for who stands for them."""
        first, last = self.env["res.partner"].create(
            [{"name": "Sunrise Ltd"}, {"name": "Sunrise Shop"}]
        )
        self.invoice(1200, partner=last)
        last.write({"active": False, "merged_into_id": first.id})
        first.write({"active": False, "merged_into_id": self.contact.id})
        self.env.invalidate_all()
        for partner in (self.customer, self.contact):
            self.assertEqual(partner.omni_turnover, 1200)
            self.assertEqual(partner.omni_lifetime_value, 1200)
        found = self.partners.search([("omni_turnover", "=", 1200)])
        self.assertEqual(found, self.customer | self.contact)
        self.customer._refresh_customer_tier()
        self.assertEqual(self.contact.customer_tier, "gold")
        figures = self.customer.customer_360(["figures"])["figures"]
        self.assertEqual(figures["lifetime_value"], 1200)

    def test_a_branch_counts_for_its_company(self):
        branch = self.env["res.company"].create(
            {"name": "Branch", "parent_id": self.company.id}
        )
        self.env.user.company_ids |= branch
        self.invoice(1200)
        move = self.customer.invoice_ids[-1:]
        self.env.cr.execute(
            "UPDATE account_move SET company_id = %s WHERE id = %s",
            [branch.id, move.id],
        )
        self.env.invalidate_all()
        self.assertEqual(self.customer.omni_turnover, 1200)
        self.partners._refresh_customer_tier()
        self.assertEqual(self.customer.customer_tier, "gold")

    def test_other_facts_enter_by_the_hook(self):
        self.patch(
            self.env.registry["res.partner"],
            "_customer_tier_adjustments",
            lambda partners, *args: {self.other.id: [Adjustment(1, "churn_risk", {})]},
        )
        self.partners._refresh_customer_tier()
        self.assertEqual(self.other.customer_tier, "silver")
        self.assertEqual(
            self.other.customer_tier_reason_text,
            "No turnover in the last twelve months · churn_risk",
        )

    def test_queries_do_not_grow(self):
        def refresh():
            self.env.flush_all()
            self.env.invalidate_all()
            self.company.mapped("customer_tier_vip")
            with self.assertQueryCount(6):
                self.partners._refresh_customer_tier()

        self.invoice(150)
        refresh()
        for partner in self.partners.create([{"name": f"P{n}"} for n in range(20)]):
            self.invoice(150, partner=partner)
        refresh()

    def test_thresholds(self):
        with self.assertRaises(ValidationError):
            self.company.customer_tier_silver = 3000

    def test_cron(self):
        self.invoice(6000)
        with self.enter_registry_test_mode():
            self.env.ref(
                "crm_omnichannel.ir_cron_refresh_customer_tier"
            ).method_direct_trigger()
        self.assertEqual(self.customer.customer_tier, "vip")
