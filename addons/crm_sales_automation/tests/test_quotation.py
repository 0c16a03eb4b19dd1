from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import ProcessCase


@tagged("post_install", "-at_install")
class TestQuotation(ProcessCase):
    def _generate(self, lead):
        action = lead.with_user(self.salesman).action_generate_quotation()
        return self.env["sale.order"].browse(action.get("res_id"))

    def test_values(self):
        lead = self.lead(quotation_template_id=self.template.id)
        order = self._generate(lead)
        self.assertRecordValues(
            order,
            [
                {
                    "partner_id": self.partner.id,
                    "opportunity_id": lead.id,
                    "origin": lead.name,
                    "user_id": self.salesman.id,
                    "sale_order_template_id": self.template.id,
                    "state": "draft",
                    "company_id": self.company.id,
                }
            ],
        )
        self.assertIn("Payable in 30 days", order.note)
        self.assertTrue(order.validity_date)
        section, work = order.order_line
        self.assertEqual(section.display_type, "line_section")
        self.assertRecordValues(
            work,
            [
                {
                    "product_id": self.product.id,
                    "product_uom_qty": 3,
                    "price_unit": 900,
                    "rule_code": "template_opportunity",
                    "rule_text": "Template “Consulting” of the opportunity",
                }
            ],
        )
        self.assertIn("商机", work.with_context(lang="zh_CN").rule_text)

    def test_price_list(self):
        pricelist = self.env["product.pricelist"].create(
            {
                "name": "Friends",
                "item_ids": [
                    (
                        0,
                        0,
                        {
                            "compute_price": "fixed",
                            "fixed_price": 500,
                            "applied_on": "0_product_variant",
                            "product_id": self.product.id,
                        },
                    )
                ],
            }
        )
        self.partner.property_product_pricelist = pricelist
        order = self._generate(self.lead(quotation_template_id=self.template.id))
        self.assertEqual(order.pricelist_id, pricelist)
        self.assertEqual(order.order_line[-1].price_unit, 500)

    def test_twice_is_once(self):
        lead = self.lead(quotation_template_id=self.template.id)
        order = self._generate(lead)
        self.assertEqual(self._generate(lead), order)
        self.assertEqual(len(lead.order_ids), 1)
        # A quotation made by hand is none of ours.
        self.env["sale.order"].create(
            {"partner_id": self.partner.id, "opportunity_id": lead.id}
        )
        self.assertEqual(self._generate(lead), order)
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            order.copy({"generation_key": "x", "opportunity_id": lead.id})

    def test_same_facts_same_quotation(self):
        orders = [
            self._generate(self.lead(quotation_template_id=self.template.id))
            for _number in range(2)
        ]
        self.assertEqual(orders[0].generation_key, orders[1].generation_key)
        lines = [
            order.order_line.mapped(
                lambda line: (line.name, line.product_uom_qty, line.price_unit)
            )
            for order in orders
        ]
        self.assertEqual(*lines)

    def test_change_never_overwrites(self):
        lead = self.lead(quotation_template_id=self.template.id)
        order = self._generate(lead)
        self.template.sale_order_template_line_ids[-1].product_uom_qty = 5
        action = lead.with_user(self.salesman).action_generate_quotation()
        self.assertEqual(action["tag"], "display_notification")
        self.assertIn(order.name, action["params"]["message"])
        self.assertEqual(order.order_line[-1].product_uom_qty, 3)
        order.action_cancel()
        again = self._generate(lead)
        self.assertNotEqual(again, order)
        self.assertEqual(again.order_line[-1].product_uom_qty, 5)

    def test_default_of_the_company(self):
        lead = self.lead()
        with self.assertRaisesRegex(UserError, "no quotation template"):
            self._generate(lead)
        self.company.sale_order_template_id = self.template
        order = self._generate(lead)
        self.assertEqual(
            set(order.order_line.mapped("rule_code")), {"template_company"}
        )

    def test_clear_sentences(self):
        with self.assertRaisesRegex(UserError, "no customer"):
            self._generate(self.lead(partner_id=False))
        with self.assertRaisesRegex(UserError, "convert it"):
            self._generate(self.lead(type="lead"))
        with self.assertRaises(UserError) as caught:
            self.lead(partner_id=False).with_context(
                lang="zh_CN"
            ).action_generate_quotation()
        self.assertIn("客户", str(caught.exception))

    def test_rights(self):
        lead = self.lead(quotation_template_id=self.template.id)
        with self.assertRaises(AccessError):
            lead.with_user(self.other).action_generate_quotation()
        self.assertFalse(lead.order_ids)

    def test_in_the_language_of_the_customer(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        section = self.template.sale_order_template_line_ids[0]
        section.with_context(lang="zh_CN").name = "工作"
        self.partner.lang = "zh_CN"
        order = self._generate(self.lead(quotation_template_id=self.template.id))
        self.assertEqual(order.order_line[0].name, "工作")
