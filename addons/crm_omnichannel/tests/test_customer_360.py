import json
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL

from odoo.addons.account.tests.common import AccountTestInvoicingCommon
from odoo.addons.crm_omnichannel.tools.landing import read_items

NO_MAIL = {"no_reset_password": True}


@tagged("post_install", "-at_install")
class TestCustomer360(AccountTestInvoicingCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.user.group_ids |= (
            cls.env.ref("crm_omnichannel.group_omnichannel_manager")
            | cls.env.ref("sales_team.group_sale_manager")
            | cls.env.ref("stock.group_stock_user")
        )
        cls.company = cls.env.company
        cls.customer = cls.env["res.partner"].create(
            {"name": "Huadong Trade", "is_company": True, "email": "hd@example.org"}
        )
        cls.contact = cls.env["res.partner"].create(
            {"name": "Wang Wei", "parent_id": cls.customer.id}
        )
        cls.channel = cls.env["omni.channel"].create(
            {"name": "Shop", "code": "shop-360", "company_id": False}
        )

    def land(self, count, partner):
        body = json.dumps([{"id": str(number)} for number in range(count)]).encode()
        moment = fields.Datetime.now() - timedelta(days=1)
        self.channel._land(read_items(body, self.channel._envelope()), moment)
        self.env.cr.execute(
            SQL(
                "UPDATE omni_record SET partner_id = %s, state = 'done'"
                " WHERE channel_id = %s",
                partner.id,
                self.channel.id,
            )
        )
        self.env.invalidate_all()

    def order(self, **values):
        return self.env["sale.order"].create(
            {
                "partner_id": self.contact.id,
                "order_line": [
                    Command.create(
                        {
                            "product_id": self.product_a.id,
                            "product_uom_qty": 2,
                            "price_unit": 50,
                            "tax_ids": False,
                        }
                    )
                ],
                **values,
            }
        )

    def invoice(self, amount, move_type="out_invoice", partner=None):
        move = self.env["account.move"].create(
            {
                "move_type": move_type,
                "partner_id": (partner or self.customer).id,
                "invoice_date": fields.Date.today(),
                "invoice_line_ids": [
                    Command.create(
                        {"name": "Goods", "price_unit": amount, "tax_ids": False}
                    )
                ],
            }
        )
        move.action_post()
        return move

    def codes(self, partner=None, **options):
        found = (partner or self.customer).customer_360(["timeline"], **options)
        return [entry["code"] for entry in found["timeline"]]

    # --- TIMELINE ---

    def test_whole_road(self):
        """Each source tells its part, contacts count for their company."""
        self.land(1, self.contact)
        lead, won, lost = self.env["crm.lead"].create(
            [
                {"name": "Asks", "type": "lead", "partner_id": self.contact.id},
                {"name": "Big", "type": "opportunity", "partner_id": self.customer.id},
                {"name": "Small", "type": "opportunity", "partner_id": self.contact.id},
            ]
        )
        won.action_set_won()
        lost.action_set_lost()
        order = self.order()
        order.action_confirm()
        for picking in order.picking_ids:
            picking.move_ids.quantity = 2
            picking.move_ids.picked = True
            picking.button_validate()
        move = self.invoice(100)
        self.invoice(30, "out_refund")
        payment = self.env["account.payment.register"].with_context(
            active_model="account.move", active_ids=move.ids
        )
        payment.create({}).action_create_payments()
        self.env["omni.identity"]._claim(
            self.contact, "user_id", "u-1", "source:1", self.channel
        )
        self.customer.message_post(body="We call tomorrow", message_type="comment")
        order.message_post(
            body="Please hurry", message_type="email", author_id=self.contact.id
        )
        self.env.flush_all()
        expected = {
            "record_received",
            "lead_created",
            "opportunity_created",
            "opportunity_won",
            "opportunity_lost",
            "quotation_created",
            "order_confirmed",
            "invoice_posted",
            "credit_note_posted",
            "payment_received",
            "identity_known",
            "note_logged",
            "message_received",
        }
        if order.picking_ids:
            expected.add("delivery_done")
        found = self.customer.customer_360()
        codes = [entry["code"] for entry in found["timeline"]]
        self.assertEqual(set(codes), expected)
        self.assertEqual(codes.count("opportunity_created"), 2)
        texts = {entry["code"]: entry["text"] for entry in found["timeline"]}
        self.assertIn("Please hurry", texts["message_received"])
        self.assertIn("Wang Wei", texts["message_received"])
        self.assertIn(order.name, texts["order_confirmed"])
        self.assertIn("100.00", texts["order_confirmed"])
        self.assertIn("u-1", texts["identity_known"])
        self.assertEqual(texts["record_received"], "Record from Shop")
        json.dumps(found)
        opened = {entry["code"]: entry for entry in found["timeline"]}
        self.assertEqual(
            (opened["lead_created"]["res_model"], opened["lead_created"]["res_id"]),
            ("crm.lead", lead.id),
        )
        self.assertEqual(opened["message_received"]["res_model"], "sale.order")
        self.assertTrue(opened["invoice_posted"]["all_day"])
        # the contact has its own part only
        self.assertNotIn("opportunity_won", self.codes(self.contact))
        self.assertIn("opportunity_lost", self.codes(self.contact))
        figures = found["figures"]
        self.assertEqual(figures["lifetime_value"], 70)
        self.assertEqual(figures["open_amount"], -30)
        self.assertEqual(figures["orders"], 1)
        self.assertEqual(figures["orders_per_year"], 1)
        self.assertEqual(figures["margin"], 70)
        self.assertEqual(
            {contact["code"] for contact in figures["last_contacts"]},
            {"shop-360", "mail"},
        )

    def test_language_of_the_reader(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        self.env["crm.lead"].create({"name": "大单", "partner_id": self.customer.id})
        english = self.customer.customer_360(["timeline"])["timeline"]
        chinese = self.customer.with_context(lang="zh_CN").customer_360(["timeline"])
        self.assertEqual(english[0]["code"], chinese["timeline"][0]["code"])
        self.assertEqual(english[0]["params"], chinese["timeline"][0]["params"])
        self.assertIn("大单", chinese["timeline"][0]["text"])

    def test_pages_are_the_whole(self):
        """Entries of one moment are neither lost nor shown twice between pages."""
        self.land(23, self.customer)
        self.env["crm.lead"].create(
            [{"name": f"L{n}", "partner_id": self.customer.id} for n in range(17)]
        )
        self.order()
        self.invoice(10)
        self.env.flush_all()
        whole = self.customer.customer_360(["timeline"], limit=500)
        self.assertIsNone(whole["timeline_next"])
        keys = [entry["key"] for entry in whole["timeline"]]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertGreaterEqual(len(keys), 42)
        for limit in (1, 5, 40):
            seen, before = [], None
            while True:
                page = self.customer.customer_360(
                    ["timeline"], limit=limit, before=before
                )
                seen += [entry["key"] for entry in page["timeline"]]
                before = page["timeline_next"]
                if not before:
                    break
                last = page["timeline"][-1]
                self.assertEqual(before, f"{last['at']}|{last['key']}")
            self.assertEqual(seen, keys, limit)

    def test_kinds(self):
        self.land(2, self.customer)
        self.invoice(10)
        self.assertEqual(
            self.codes(kinds=["record"]), ["record_received", "record_received"]
        )
        self.assertEqual(self.codes(kinds=["no_such_kind"]), [])

    def test_bad_requests(self):
        with self.assertRaises(UserError):
            self.customer.customer_360(["timeline"], before="yesterday")
        with self.assertRaises(UserError):
            self.customer.customer_360(
                ["timeline"], before="2026-03-01T00:00:00.000000Z|lead:x"
            )
        with self.assertRaises(UserError):
            self.customer.customer_360(["secrets"])

    # --- SPEED ---

    def count_queries(self, entries):
        self.land(entries, self.customer)
        self.order()
        self.env["crm.lead"].create({"name": "L", "partner_id": self.customer.id})
        self.env.flush_all()
        self.env.invalidate_all()
        self.customer.customer_360()
        self.env.flush_all()
        self.env.invalidate_all()
        # the figures are one statement, and the timeline with all its sources is one
        with self.assertQueryCount(14):
            found = self.customer.customer_360()
        self.assertEqual(len(found["timeline"]), min(80, entries + 2))

    def test_queries_50(self):
        self.count_queries(50)

    def test_queries_2000(self):
        self.count_queries(2000)

    # --- RIGHTS ---

    def test_rights_of_the_reader(self):
        self.land(1, self.customer)
        self.invoice(100)
        self.env["crm.lead"].create({"name": "L", "partner_id": self.customer.id})
        plain = new_test_user(
            self.env,
            "reader_plain",
            groups="base.group_user",
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
            context=NO_MAIL,
        )
        found = self.customer.with_user(plain).customer_360()
        self.assertEqual(found["timeline"], [])
        self.assertEqual(found["identities"], [])
        figures = found["figures"]
        for name in ("lifetime_value", "open_amount", "orders", "last_order_at"):
            self.assertIsNone(figures[name], name)
        seller = new_test_user(
            self.env,
            "reader_seller",
            groups="sales_team.group_sale_salesman",
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
            context=NO_MAIL,
        )
        kinds = self.customer.with_user(seller).customer_360(["timeline"])
        kinds = {kind["kind"] for kind in kinds["timeline_kinds"]}
        self.assertIn("order", kinds)
        self.assertFalse(kinds & {"payment", "record", "identity"})
        # a record rule holds too: leads of others
        self.env["crm.lead"].search(
            [("partner_id", "=", self.customer.id)]
        ).user_id = self.env.user
        codes = self.codes(self.customer.with_user(seller))
        self.assertNotIn("opportunity_created", codes)

    def test_closed_fields_stay_closed(self):
        self.order(name="SO-360")
        field = self.env.registry["sale.order"]._fields["amount_total"]
        self.patch(field, "groups", ".")
        [entry] = self.customer.customer_360(["timeline"], kinds=["order"])["timeline"]
        self.assertIsNone(entry["params"]["amount"])
        self.assertIn("SO-360", entry["text"])

    def test_not_for_the_portal(self):
        portal = new_test_user(
            self.env, "reader_portal", groups="base.group_portal", context=NO_MAIL
        )
        with self.assertRaises(AccessError):
            portal.partner_id.with_user(portal).customer_360()

    def test_companies(self):
        other = self.setup_other_company()
        self.invoice(100)
        theirs = (
            self.env["account.move"]
            .with_company(other["company"])
            .create(
                {
                    "move_type": "out_invoice",
                    "partner_id": self.customer.id,
                    "invoice_date": fields.Date.today(),
                    "invoice_line_ids": [
                        Command.create(
                            {"name": "Goods", "price_unit": 1000, "tax_ids": False}
                        )
                    ],
                }
            )
        )
        theirs.action_post()
        mine = self.customer.with_context(allowed_company_ids=self.company.ids)
        self.assertEqual(mine.customer_360()["figures"]["lifetime_value"], 100)
        self.assertEqual(self.codes(mine, kinds=["invoice"]), ["invoice_posted"])
        both = self.customer.with_context(
            allowed_company_ids=(self.company | other["company"]).ids
        )
        rate = other["company"].currency_id._convert(
            1000, self.company.currency_id, self.company, fields.Date.today()
        )
        self.assertAlmostEqual(
            both.customer_360()["figures"]["lifetime_value"], 100 + rate
        )

    # --- FIGURES ---

    def test_margin(self):
        """Invoiced less the cost of each company, refunds and units reckoned in."""
        other = self.setup_other_company()["company"]
        self.product_a.standard_price = 30
        self.product_a.with_company(other).standard_price = 700
        dozen = self.env.ref("uom.product_uom_dozen")

        def lines(move_type, quantity, price, unit=None, company=None):
            move = (
                self.env["account.move"]
                .with_company(company or self.company)
                .create(
                    {
                        "move_type": move_type,
                        "partner_id": self.contact.id,
                        "invoice_date": fields.Date.today(),
                        "invoice_line_ids": [
                            Command.create(
                                {
                                    "product_id": self.product_a.id,
                                    "quantity": quantity,
                                    "price_unit": price,
                                    "tax_ids": False,
                                    **({"product_uom_id": unit.id} if unit else {}),
                                }
                            )
                        ],
                    }
                )
            )
            move.action_post()

        mine = self.customer.with_context(allowed_company_ids=self.company.ids)
        lines("out_invoice", 10, 50)
        self.assertEqual(mine.customer_360(["figures"])["figures"]["margin"], 200)
        lines("out_invoice", 1, 600, dozen)
        self.assertEqual(mine.customer_360(["figures"])["figures"]["margin"], 440)
        lines("out_refund", 2, 50)
        self.assertEqual(mine.customer_360(["figures"])["figures"]["margin"], 400)
        lines("out_invoice", 1, 1000, company=other)
        rate = other.currency_id._convert(
            300, self.company.currency_id, self.company, fields.Date.today()
        )
        both = self.customer.with_context(
            allowed_company_ids=(self.company | other).ids
        )
        self.assertAlmostEqual(
            both.customer_360(["figures"])["figures"]["margin"], 400 + rate
        )
        field = self.env.registry["product.product"]._fields["standard_price"]
        self.patch(field, "groups", ".")
        figures = mine.customer_360(["figures"])["figures"]
        self.assertIsNone(figures["margin"])
        self.assertEqual(figures["lifetime_value"], 1000)

    def test_orders_per_year_and_class(self):
        self.company.write(
            {
                "customer_tier_silver": 100,
                "customer_tier_gold": 1000,
                "customer_tier_vip": 5000,
            }
        )
        figures = self.customer.customer_360(["figures"])["figures"]
        self.assertIsNone(figures["rfm"])
        self.assertIsNone(figures["orders_per_year"])
        now = fields.Datetime.now()
        for days in (1461, 700, 300, 10):
            order = self.order()
            order.action_confirm()
            order.date_order = now - timedelta(days=days)
        self.invoice(1500)
        figures = self.customer.customer_360(["figures"])["figures"]
        self.assertEqual(figures["orders"], 4)
        self.assertEqual(figures["orders_per_year"], 1.0)
        self.assertEqual(
            figures["rfm"],
            {
                "code": "loyal",
                "recency": 5,
                "frequency": 2,
                "monetary": 4,
                "label": "Loyal",
            },
        )
        json.dumps(figures)

    # --- SECTIONS ---

    def test_segments_and_consents(self):
        self.env["omni.segment"].create(
            {
                "name": "Huadong",
                "code": "test-huadong",
                "company_id": self.company.id,
                "domain": '[("name", "=", "Huadong Trade")]',
            }
        )
        self.env["omni.consent"]._record(
            self.customer, "marketing", "denied", "email", text_version="v1"
        )
        found = self.customer.customer_360(["segments", "consents"])
        self.assertEqual(set(found), {"segments", "consents"})
        self.assertEqual(
            [segment["code"] for segment in found["segments"]], ["test-huadong"]
        )
        [answer] = found["consents"]
        self.assertEqual(
            (answer["purpose"], answer["channel"], answer["state"]),
            ("marketing", "email", "denied"),
        )
