import json

from odoo.exceptions import AccessError
from odoo.fields import Command
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL

from .common import OmniCase

PHONE, OLD_PHONE, EMAIL = "+8613812341234", "+8613900005678", "wei@secret.example"
AMOUNT = 98765.0


@tagged("post_install", "-at_install")
class TestFieldPolicies(OmniCase):
    """The 360° view under the field policies that bind a salesperson."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seller = new_test_user(
            cls.env,
            "policy_seller",
            groups="sales_team.group_sale_salesman_all_leads,"
            "account.group_account_invoice,crm_omnichannel.group_omnichannel_user",
            context={"no_reset_password": True},
        )
        cls.bound = cls.env["res.groups"].create(
            {"name": "Bound", "user_ids": [Command.link(cls.seller.id)]}
        )

    def setUp(self):
        super().setUp()
        documents = (
            {"id": "1", "name": "Wang Wei", "phone": OLD_PHONE, "email": EMAIL},
            {"id": "1", "name": "Wang Wei", "phone": PHONE, "email": EMAIL},
        )
        for document in documents:
            self.partner = self.process(document).partner_id
        self.order = self.env["sale.order"].create({"partner_id": self.partner.id})
        self.env["crm.lead"].create(
            {
                "name": "Big",
                "type": "opportunity",
                "partner_id": self.partner.id,
                "expected_revenue": AMOUNT,
            }
        )
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "UPDATE sale_order SET amount_total = %s WHERE id = %s",
                AMOUNT,
                self.order.id,
            )
        )
        self.env["mail.message"].create(
            {
                "model": "res.partner",
                "res_id": self.partner.id,
                "message_type": "email",
                "email_from": EMAIL,
                "author_id": False,
                "body": "Hello",
            }
        )
        self.env.flush_all()
        self.env.invalidate_all()

    def close(self, model, names, access, mask="constant"):
        found = self.env["ir.model.fields"].search(
            [("model", "=", model), ("name", "in", names)]
        )
        self.assertEqual(len(found), len(names))
        return self.env["governance.field.policy"].create(
            {
                "name": "Test",
                "model_id": self.env["ir.model"]._get_id(model),
                "field_ids": [Command.set(found.ids)],
                "group_ids": [Command.set(self.bound.ids)],
                "access": access,
                "mask": mask if access == "masked" else False,
                "active": True,
            }
        )

    def seen(self):
        return self.partner.with_user(self.seller).customer_360()

    def test_open_without_a_policy(self):
        """What the other tests find closed is there."""
        seen = json.dumps(self.seen(), ensure_ascii=False)
        for value in (PHONE, EMAIL, "98,765.00"):
            self.assertIn(value, seen)
        sources = self.partner.with_user(self.seller).omni_sources_html
        for value in (PHONE, OLD_PHONE, EMAIL):
            self.assertIn(value, sources)

    def test_phone_and_email(self):
        for access in ("masked", "hidden"):
            with self.subTest(access=access):
                policies = self.close("res.partner", ["phone"], access, "phone")
                policies |= self.close("res.partner", ["email"], access, "email")
                found = self.seen()
                seen = json.dumps(found, ensure_ascii=False)
                for value in (PHONE, OLD_PHONE, EMAIL):
                    self.assertNotIn(value, seen)
                values = {one["kind"]: one["value"] for one in found["identities"]}
                masked = access == "masked"
                self.assertEqual(
                    values["email"], "w***@secret.example" if masked else None
                )
                self.assertEqual(values["external_id"], "1")
                [mail] = [
                    entry
                    for entry in found["timeline"]
                    if entry["params"].get("preview") == "Hello"
                ]
                self.assertIn("w***@secret" if masked else "–", mail["text"])
                sources = self.partner.with_user(self.seller).omni_sources_html
                for value in (PHONE, OLD_PHONE, EMAIL):
                    self.assertNotIn(value, sources)
                self.assertEqual("138****1234" in sources, masked)
                self.assertEqual("139****5678" in sources, masked)
                policies.unlink()

    def test_identities_hide_what_the_customer_hides(self):
        """In their list, their names, a search, a group, an order and an export."""
        identities = self.env["omni.identity"].with_user(self.seller)
        mine = [("partner_id", "=", self.partner.id)]
        shown = identities.search(mine).mapped("shown_value")
        self.assertEqual(set(shown), {"1", PHONE, OLD_PHONE, EMAIL})
        self.assertTrue(identities.search([("value", "=", PHONE)]))
        for access in ("masked", "hidden"):
            with self.subTest(access=access):
                policies = self.close("res.partner", ["phone"], access, "phone")
                self.env.invalidate_all()
                found = identities.search(mine)
                phones = {"+86 138****1234", "+86 139****5678"}
                self.assertEqual(
                    set(found.mapped("shown_value")) - {False},
                    {"1", EMAIL} | (phones if access == "masked" else set()),
                )
                specification = dict.fromkeys(
                    ("kind", "value", "shown_value", "display_name"), {}
                )
                told = json.dumps(
                    [
                        found.web_read(specification),
                        found.read(["value", "display_name"]),
                        found._export_rows([["value"], ["shown_value"]]),
                        identities.name_search("13"),
                        identities.web_search_read(mine, specification),
                    ]
                )
                for value in (PHONE, OLD_PHONE):
                    self.assertNotIn(value, told)
                for ask in (
                    lambda: identities.search([("value", "=", PHONE)]),
                    lambda: identities.search([("value", "=like", "+8613%")]),
                    lambda: identities.search(mine, order="value"),
                    lambda: identities.formatted_read_group(mine, ["value"]),
                    lambda: self.partner.with_user(self.seller).search(
                        [("omni_identity_ids.value", "ilike", "138")]
                    ),
                    lambda: self.env["omni.consent"]
                    .with_user(self.seller)
                    .search([("identity_value", "=", PHONE)]),
                ):
                    with self.assertRaises(AccessError):
                        ask()
                policies.unlink()

    def test_amounts(self):
        for access in ("masked", "hidden"):
            with self.subTest(access=access):
                policies = self.close("sale.order", ["amount_total"], access)
                policies |= self.close("crm.lead", ["expected_revenue"], access)
                policies |= self.close(
                    "account.move",
                    ["amount_untaxed_signed", "amount_residual_signed"],
                    access,
                )
                found = self.seen()
                entries = {entry["code"]: entry for entry in found["timeline"]}
                self.assertIsNone(entries["quotation_created"]["params"]["amount"])
                self.assertIn(self.order.name, entries["quotation_created"]["text"])
                self.assertNotIn("98,765", json.dumps(found))
                self.assertNotIn("98765", json.dumps(found))
                policies.unlink()

    def test_texts_and_conditions(self):
        """Names, texts and what a source looks at; nothing breaks."""
        for access in ("masked", "hidden"):
            with self.subTest(access=access):
                policies = self.close("mail.message", ["body", "email_from"], access)
                policies |= self.close("res.partner", ["customer_tier"], "hidden")
                policies |= self.close("sale.order", ["date_order", "state"], "hidden")
                policies |= self.close("crm.lead", ["date_closed"], "hidden")
                policies |= self.close("omni.channel", ["code"], access)
                found = self.seen()
                seen = json.dumps(found)
                self.assertNotIn("Hello", seen)
                self.assertNotIn(self.channel.code, seen)
                self.assertIsNone(found["figures"]["tier"])
                self.assertIsNone(found["figures"]["last_order_at"])
                policies.unlink()

    def test_history_is_for_the_code_only(self):
        partner = self.partner.with_user(self.seller)
        self.assertNotIn("omni_provenance", partner.fields_get())
        self.assertIn("phone", self.partner.omni_provenance)
