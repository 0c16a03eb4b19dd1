from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.account.tests.common import AccountTestInvoicingCommon

#: the journal itself, and the queue of what browsers are told
JOURNAL = ("omni_merge", "omni_merge_line", "omni_merge_conflict", "bus_bus")
STAMPS = ("write_date", "write_uid")


@tagged("post_install", "-at_install")
class MergeCase(AccountTestInvoicingCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.user.group_ids += cls.env.ref(
            "crm_omnichannel.group_omnichannel_manager"
        ) | cls.env.ref("sales_team.group_sale_manager")
        cls.merges = cls.env["omni.merge"]
        cls.company = cls.company_data["company"]
        cls.ada, cls.eda = cls.env["res.partner"].create(
            [
                {"name": "Ada Li", "email": "ada@one.example", "city": "Shanghai"},
                {
                    "name": "Eda Li",
                    "email": "eda@two.example",
                    "phone": "+86 139 1234 5678",
                    "function": "Buyer",
                    "comment": "<p>Likes tea</p>",
                    "street": "Second Street 2",
                },
            ]
        )

    # --- WHAT THEY HAVE ---

    @classmethod
    def furnish(cls, partner):
        """Sales, stock, accounting and mail records of a customer, one of each."""
        env = cls.env
        product = env["product.product"].create(
            {"name": f"For {partner.name}", "is_storable": True, "list_price": 10}
        )
        order = env["sale.order"].create(
            {
                "partner_id": partner.id,
                "order_line": [Command.create({"product_id": product.id})],
            }
        )
        order.action_confirm()
        cls.assertTrue(order.picking_ids, order.picking_ids)
        lead = env["crm.lead"].create({"name": "Lead", "partner_id": partner.id})
        invoice = cls.invoice(partner)
        sealed = cls.invoice(partner, cls.sealed_journal)
        child = env["res.partner"].create({"name": "Office", "parent_id": partner.id})
        env["res.partner.bank"].create(
            [
                {"acc_number": "SHARED 1", "partner_id": partner.id},
                {"acc_number": f"OWN {partner.id}", "partner_id": partner.id},
            ]
        )
        tags = env["res.partner.category"].create({"name": f"Tag {partner.id}"})
        partner.category_id = tags | cls.tag
        # the same in the records of others: two followers, one of whom goes
        for record in (cls.thread, partner):
            record.message_subscribe(partner_ids=partner.ids)
        partner.message_post(body="About them", author_id=partner.id)
        cls.thread.message_post(body="To both", partner_ids=partner.ids)
        partner.activity_schedule("mail.mail_activity_data_todo", user_id=env.uid)
        env["ir.attachment"].create(
            {"name": "A paper", "res_model": "res.partner", "res_id": partner.id}
        )
        env["ir.model.data"].create(
            {
                "module": "__test__",
                "name": f"partner_{partner.id}",
                "model": "res.partner",
                "res_id": partner.id,
            }
        )
        event = env["calendar.event"].create(
            {
                "name": "Visit",
                "start": "2026-05-04 08:00:00",
                "stop": "2026-05-04 09:00:00",
                "res_model_id": env["ir.model"]._get("res.partner").id,
                "res_id": partner.id,
                "partner_ids": [Command.set(partner.ids)],
            }
        )
        env["omni.identity"]._claim(partner, "user_id", f"u{partner.id}", "company:0")
        env["omni.consent"]._record(partner, "marketing", "granted", source="person")
        return {
            "order": order,
            "picking": order.picking_ids,
            "lead": lead,
            "invoice": invoice,
            "sealed": sealed,
            "child": child,
            "event": event,
        }

    @classmethod
    def invoice(cls, partner, journal=None):
        move = cls.init_invoice(
            "out_invoice", partner, "2026-03-01", amounts=[100], journal=journal
        )
        move.action_post()
        return move

    @classmethod
    def furnish_both(cls):
        cls.tag = cls.env["res.partner.category"].create({"name": "Of both"})
        cls.thread = cls.env["res.partner"].create({"name": "Somebody else"})
        cls.sealed_journal = cls.env["account.journal"].create(
            {
                "name": "Sealed",
                "code": "SEAL",
                "type": "sale",
                "company_id": cls.company.id,
                "restrict_mode_hash_table": True,
            }
        )
        return cls.furnish(cls.ada), cls.furnish(cls.eda)

    # --- LOOK ---

    def dump(self, without=()):
        """Return ``{table: sorted rows as text}`` of the whole database."""
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT class.relname, array_agg(attribute.attname::text
                                            ORDER BY attribute.attname)
            FROM pg_class AS class
            JOIN pg_attribute AS attribute ON attribute.attrelid = class.oid
            WHERE class.relkind = 'r' AND attnum > 0 AND NOT attisdropped
              AND class.relnamespace = 'public'::regnamespace
            GROUP BY 1
            """
        )
        found = {}
        for table, columns in self.env.cr.fetchall():
            if table in JOURNAL or table in without:
                continue
            names = ", ".join(f'"{name}"' for name in columns if name not in STAMPS)
            self.env.cr.execute(
                f'SELECT ROW({names})::text FROM "{table}" ORDER BY 1'  # noqa: S608
            )
            found[table] = [row for [row] in self.env.cr.fetchall()]
        return found

    def assertSame(self, before, after):
        self.assertEqual(before.keys(), after.keys())
        for table, rows in before.items():
            if rows != after[table]:
                gone = [row for row in rows if row not in after[table]]
                new = [row for row in after[table] if row not in rows]
                self.fail(f"{table}: gone {gone[:3]}, new {new[:3]}")

    def referrers(self, partner):
        """Return ``{(table, column)}`` of all foreign keys that name a partner."""
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT conrelid::regclass::text, attname FROM pg_constraint
            JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
            WHERE contype = 'f' AND confrelid = 'res_partner'::regclass
            """
        )
        found = set()
        for table, column in self.env.cr.fetchall():
            self.env.cr.execute(
                f'SELECT 1 FROM {table} WHERE "{column}" = %s LIMIT 1',  # noqa: S608
                [partner.id],
            )
            if self.env.cr.fetchone():
                found.add((table, column))
        return found

    def merge(self, target=None, source=None, rule="manual", **params):
        return self.merges._merge(
            target or self.ada, source or self.eda, rule, params or None
        )


@tagged("post_install", "-at_install")
class TestMerge(MergeCase):
    def test_merge_moves_and_undo_restores_every_row(self):
        mine, theirs = self.furnish_both()
        self.env["omni.consent"]._record(
            self.ada, "marketing", "denied", source="person", at="2025-01-01 00:00:00"
        )
        before = self.dump()
        report = self.company._check_hash_integrity()["results"]
        self.assertIn(
            "V", {line["restricted_by_hash_table"] for line in report if line}
        )

        merge = self.merge()

        self.assertFalse(self.eda.active)
        self.assertEqual(self.eda.merged_into_id, self.ada)
        for name in ("order", "picking", "lead", "invoice"):
            self.assertEqual(theirs[name].partner_id, self.ada, name)
        self.assertEqual(theirs["child"].parent_id, self.ada)
        self.assertEqual(theirs["child"].commercial_partner_id, self.ada)
        self.assertEqual(theirs["invoice"].commercial_partner_id, self.ada)
        self.assertEqual(theirs["event"].res_id, self.ada.id)
        # what the hash seals stays, and is said
        self.assertEqual(theirs["sealed"].partner_id, self.eda)
        self.assertEqual(theirs["sealed"].line_ids.partner_id, self.eda)
        kept = merge.line_ids.filtered(lambda line: line.action == "kept")
        self.assertEqual(set(kept.mapped("reason")), {"hashed"})
        self.assertIn("Sealed by the hash", merge.summary_html)
        self.assertIn("Taken over by the survivor: Buyer", merge.summary_html)
        self.assertEqual(self.company._check_hash_integrity()["results"], report)
        # nothing else names the one who went, but themselves
        self.assertEqual(
            self.referrers(self.eda) - {("omni_merge", "source_id")},
            {
                ("account_move", "partner_id"),
                ("account_move", "commercial_partner_id"),
                ("account_move", "partner_shipping_id"),
                ("account_move_line", "partner_id"),
                ("res_partner", "commercial_partner_id"),
            },
        )
        # unique rows are folded
        self.assertEqual(
            sorted(self.ada.bank_ids.mapped("acc_number")),
            sorted(["SHARED 1", f"OWN {self.ada.id}", f"OWN {self.eda.id}"]),
        )
        self.assertEqual(len(self.ada.category_id), 3)
        self.assertIn(self.ada, self.thread.message_partner_ids)
        self.assertNotIn(self.eda, self.thread.message_partner_ids)
        # gaps are filled, what was there stays
        self.assertEqual(self.ada.name, "Ada Li")
        self.assertEqual(self.ada.email, "ada@one.example")
        self.assertEqual(self.ada.function, "Buyer")
        self.assertEqual(self.ada.phone, "+86 139 1234 5678")
        # an address is not made of two
        self.assertFalse(self.ada.street)

        self.assertIsNone(merge.action_undo())

        self.assertEqual(merge.state, "undone")
        self.assertSame(before, self.dump())
        self.assertTrue(self.eda.active)
        self.assertFalse(self.eda.merged_into_id)
        self.assertEqual(theirs["order"].partner_id, self.eda)
        self.assertEqual(mine["order"].partner_id, self.ada)
        self.assertEqual(self.company._check_hash_integrity()["results"], report)

    def test_edits_in_between_stay_and_are_listed(self):
        _mine, theirs = self.furnish_both()
        third = self.env["res.partner"].create({"name": "Third"})
        merge = self.merge()
        self.ada.function = "Head of Purchasing"
        self.ada.city = "Suzhou"
        theirs["lead"].partner_id = third
        theirs["child"].unlink()
        self.tag.unlink()

        action = merge.action_undo()

        self.assertEqual(action["res_model"], "omni.merge")
        self.assertEqual(merge.state, "partly")
        # what nobody touched is back
        self.assertEqual(theirs["order"].partner_id, self.eda)
        self.assertTrue(self.eda.active)
        self.assertFalse(self.ada.phone)
        # an edit that the merge had no part in is no question
        self.assertEqual(self.ada.city, "Suzhou")
        listed = {
            (conflict.res_model, conflict.column_name): conflict
            for conflict in merge.conflict_ids
        }
        self.assertEqual(
            set(listed), {("res.partner", "function"), ("crm.lead", "partner_id")}
        )
        lead = listed["crm.lead", "partner_id"]
        self.assertEqual((lead.old_shown, lead.current_shown), ("Eda Li", "Third"))
        listed["res.partner", "function"].decision = "put_back"
        merge.action_apply_decisions()
        self.assertEqual(merge.state, "undone")
        self.assertFalse(self.ada.function)
        self.assertEqual(theirs["lead"].partner_id, third)
        # the tag is gone for good; the others are back
        self.assertEqual(len(self.eda.category_id), 1)

    def test_a_row_that_what_stays_refers_to_stays_too(self):
        """A bank account that both have, and that a sealed bill of the other names."""
        journal = self.env["account.journal"].create(
            {
                "name": "Sealed bills",
                "code": "SEAB",
                "type": "purchase",
                "company_id": self.company.id,
                "restrict_mode_hash_table": True,
                "default_account_id": self.company_data["default_account_expense"].id,
            }
        )
        _mine, theirs = self.env["res.partner.bank"].create(
            [
                {"acc_number": "BOTH 1", "partner_id": partner.id}
                for partner in (self.ada, self.eda)
            ]
        )
        bill = self.init_invoice(
            "in_invoice", self.eda, "2026-03-01", amounts=[100], journal=journal
        )
        bill.partner_bank_id = theirs
        bill.action_post()
        self.assertTrue(bill.inalterable_hash)
        before = self.dump()
        merge = self.merge()
        self.assertEqual(bill.partner_bank_id, theirs)
        self.assertEqual(theirs.partner_id, self.eda)
        self.assertIn("referenced", merge.line_ids.mapped("reason"))
        merge.action_undo()
        self.assertSame(before, self.dump())

    def test_odoos_wizard_goes_through_the_journal(self):
        _mine, theirs = self.furnish_both()
        self.eda.email = self.ada.email
        before = self.dump()
        form = Form(
            self.env["base.partner.merge.automatic.wizard"].with_context(
                active_model="res.partner", active_ids=(self.ada | self.eda).ids
            )
        )
        form.dst_partner_id = self.ada
        wizard = form.save()
        with mute_logger("odoo.addons.base.partner.merge"):
            wizard.action_merge()
        merge = self.merges.search([("source_id", "=", self.eda.id)])
        self.assertEqual((merge.rule, merge.target_id), ("wizard", self.ada))
        self.assertTrue(self.eda.exists())
        self.assertFalse(self.eda.active)
        self.assertEqual(theirs["sealed"].line_ids.partner_id, self.eda)
        self.assertEqual(theirs["order"].partner_id, self.ada)
        merge.action_undo()
        # the wizard's note and the wizard itself are no part of the merge
        notes = [
            table
            for table in before
            if table.startswith(("mail_message", "mail_notification", "bus_"))
            or "base_partner_merge" in table
        ]
        after = self.dump(without=notes)
        self.assertSame({table: before[table] for table in after}, after)

    def test_odoos_wizard_leaves_the_log_ins_where_they_are(self):
        user = new_test_user(self.env, "eda", groups="base.group_portal")
        theirs = (user.company_id, user.company_ids)
        ours = self.env["res.company"].create({"name": "Another of ours"})
        self.ada.company_id = ours
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        with mute_logger("odoo.addons.base.partner.merge"):
            wizard._merge((self.ada | user.partner_id).ids, self.ada)
        self.assertEqual(user.partner_id, self.ada)
        self.assertFalse(self.ada.company_id)
        self.assertEqual((user.company_id, user.company_ids), theirs)
        self.merges.search([("target_id", "=", self.ada.id)]).action_undo()
        self.assertEqual(self.ada.company_id, ours)
        self.assertEqual((user.company_id, user.company_ids), theirs)

    def test_three_in_the_wizard_and_its_checks(self):
        fay = self.env["res.partner"].create({"name": "Fay", "phone": "+8613800000001"})
        wizard = self.env["base.partner.merge.automatic.wizard"].create({})
        with mute_logger("odoo.addons.base.partner.merge"):
            wizard._merge((self.ada | self.eda | fay).ids, self.ada)
        self.assertEqual((self.eda | fay).merged_into_id, self.ada)
        self.assertEqual(self.ada.merged_from_count, 2)
        child = self.env["res.partner"].create(
            {"name": "Child", "parent_id": self.ada.id}
        )
        with self.assertRaises(UserError):
            wizard._merge((self.ada | child).ids, self.ada)

    def test_bulk_undo_by_rule_and_time(self):
        people = self.env["res.partner"].create(
            [{"name": f"Person {number}"} for number in range(6)]
        )
        before = self.dump()
        old = self.merge(people[0], people[1], "match")
        old.sudo().merged_at = fields.Datetime.now() - timedelta(days=3)
        first = self.merge(people[0], people[2], "match")
        second = self.merge(people[3], people[0], "match")
        other = self.merge(people[4], people[5], "manual")
        wizard = self.env["omni.merge.undo"].create(
            {"rule": "match", "date_from": fields.Datetime.now() - timedelta(days=1)}
        )
        self.assertEqual(wizard.merge_count, 2)
        wizard.action_undo()
        self.assertEqual((first | second).mapped("state"), ["undone", "undone"])
        self.assertEqual((old | other).mapped("state"), ["done", "done"])
        self.assertEqual((wizard.undone_count, wizard.refused), (2, ""))
        with self.assertRaises(UserError):
            self.env["omni.merge.undo"].create({}).action_undo()
        (old | other).action_undo()
        after = self.dump(without=[t for t in before if t.startswith("omni_merge_")])
        self.assertSame({table: before[table] for table in after}, after)

    def test_a_merge_whose_survivor_was_merged_waits_for_that(self):
        fay = self.env["res.partner"].create({"name": "Fay"})
        before = self.dump()
        first = self.merge(self.ada, self.eda)
        second = self.merge(fay, self.ada)
        with self.assertRaisesRegex(UserError, "Ada Li was merged into Fay since"):
            first.action_undo()
        (first | second).action_undo()
        self.assertSame(before, self.dump())

    def test_an_earlier_merge_is_taken_out_from_under_a_later_one(self):
        """A value that both wrote: what stood before the first comes back last."""
        self.ada.write({"function": False, "phone": False})
        fay = self.env["res.partner"].create({"name": "Fay", "customer_rank": 5})
        self.eda.customer_rank = 3
        self.ada.customer_rank = 1
        before = self.dump()
        first = self.merge(self.ada, self.eda)
        second = self.merge(self.ada, fay)
        self.assertEqual(self.ada.customer_rank, 9)
        self.assertIsNone(first.action_undo())
        self.assertEqual(first.state, "undone")
        self.assertEqual(self.eda.customer_rank, 3)
        self.assertIsNone(second.action_undo())
        self.assertEqual(self.ada.customer_rank, 1)
        self.assertSame(before, self.dump())

    def test_refusals_in_one_sentence(self):
        env = self.env
        child = env["res.partner"].create({"name": "Child", "parent_id": self.ada.id})
        users = [
            new_test_user(env, f"merge{number}", groups="base.group_portal").partner_id
            for number in range(2)
        ]
        employee = new_test_user(env, "merge3", groups="base.group_user").partner_id
        company = env["res.company"].create({"name": "Other"})
        theirs = env["res.partner"].create({"name": "T", "company_id": company.id})
        self.eda.company_id = self.company
        archived = env["res.partner"].create({"name": "Archived", "active": False})
        for target, source, rule, sentence in (
            (self.ada, self.ada, "manual", "with themselves"),
            (self.ada, child, "manual", "a company and its contact"),
            (child, self.ada, "manual", "a company and its contact"),
            (users[0], users[1], "manual", "both have a user account"),
            (self.ada, users[0], "strong_link", "only a person merges them"),
            (employee, self.ada, "match", "only a person merges them"),
            (self.ada, self.company.partner_id, "manual", "one of your companies"),
            (self.ada, env.ref("base.public_partner"), "manual", "to the system"),
            (self.eda, theirs, "manual", "different companies"),
            (archived, self.ada, "manual", "must be an active customer"),
        ):
            with self.subTest(sentence), self.assertRaisesRegex(UserError, sentence):
                self.merge(target, source, rule)
        self.assertFalse(self.merges.search([("target_id", "=", self.ada.id)]))
        # a person may: the log-in stays with the survivor, whose e-mail stays too
        self.eda.company_id = False
        email = users[0].email
        self.merge(users[0], self.eda, "strong_link")
        self.assertEqual(users[0].email, email)
        self.assertEqual(users[0].function, "Buyer")

    def test_the_stricter_answer_counts_until_a_later_one(self):
        consents = self.env["omni.consent"].with_company(self.company)
        consents._record(self.eda, "marketing", "revoked", at="2025-01-01 00:00:00")
        consents._record(self.ada, "marketing", "granted", at="2026-01-01 00:00:00")
        consents._record(self.ada, "analytics", "granted", channel="web")
        before = self.dump()
        merge = self.merge()
        self.assertFalse(consents.check(self.ada, "marketing"))
        self.assertTrue(consents.check(self.ada, "analytics", "web"))
        consents._record(self.ada, "marketing", "granted")
        self.assertTrue(consents.check(self.ada, "marketing"))
        consents.search([("partner_id", "=", self.ada.id)], limit=1).sudo().unlink()
        merge.action_undo()
        self.assertTrue(consents.check(self.ada, "marketing"))
        self.assertFalse(consents.check(self.eda, "marketing"))
        self.assertEqual(before["omni_consent"], self.dump()["omni_consent"])

    def test_the_rights(self):
        salesperson, manager, plain = (
            new_test_user(self.env, f"merge_{name}", groups=groups)
            for name, groups in (
                ("seller", "sales_team.group_sale_salesman"),
                ("head", "sales_team.group_sale_manager"),
                ("plain", "base.group_user"),
            )
        )
        merge = self.merge()
        self.assertEqual(merge.with_user(salesperson).display_name, "Eda Li → Ada Li")
        self.assertIn("What", merge.with_user(salesperson).summary_html)
        with self.assertRaises(AccessError):
            merge.with_user(plain).read(["state"])
        with self.assertRaises(AccessError):
            merge.with_user(salesperson).action_undo()
        with self.assertRaises(AccessError):
            merge.line_ids.with_user(manager).read(["cells"])
        self.ada.function = "Later"
        with self.assertRaises(AccessError):
            merge.with_user(manager).rule = "match"
        merge.with_user(manager).action_undo()
        self.assertEqual(merge.state, "partly")
        conflict = merge.conflict_ids.with_user(manager)
        with self.assertRaises(AccessError):
            conflict.table_name = "res_users"
        with self.assertRaises(AccessError):
            conflict.with_user(salesperson).decision = "put_back"
        conflict.decision = "keep"
        merge.with_user(manager).action_apply_decisions()
        self.assertEqual((merge.state, merge.undone_by_id), ("undone", manager))

    def test_another_company_does_not_see_it(self):
        other = self.env["res.company"].create({"name": "Other"})
        user = new_test_user(
            self.env,
            "merge_other",
            groups="sales_team.group_sale_manager",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
        )
        (self.ada | self.eda).company_id = self.company
        merge = self.merge()
        found = self.merges.with_user(user).search([("id", "=", merge.id)])
        self.assertFalse(found)
        with self.assertRaises(AccessError):
            merge.with_user(user).action_undo()

    def test_the_360_reads_through(self):
        _mine, theirs = self.furnish_both()
        self.merge()
        timeline = self.ada.customer_360(["timeline"], limit=500)["timeline"]
        seen = {(entry["res_model"], entry["res_id"]) for entry in timeline}
        # moved, and left with the one who went
        self.assertIn(("sale.order", theirs["order"].id), seen)
        self.assertIn(("account.move", theirs["sealed"].id), seen)
        self.assertEqual(
            self.eda.customer_360(["timeline"], limit=500)["timeline"], timeline
        )

    def test_the_tier_is_that_of_both(self):
        self.company.write(
            {
                "customer_tier_silver": 50,
                "customer_tier_gold": 150,
                "customer_tier_vip": 10000,
            }
        )
        today = fields.Date.to_string(fields.Date.today())
        journal = self.env["account.journal"].create(
            {
                "name": "Sealed",
                "code": "SEAL",
                "type": "sale",
                "company_id": self.company.id,
                "restrict_mode_hash_table": True,
                "default_account_id": self.company_data["default_account_revenue"].id,
            }
        )
        for partner in (self.ada, self.eda):
            self.init_invoice(
                "out_invoice", partner, today, amounts=[100], journal=journal, post=True
            )
        people = (self.ada | self.eda).with_company(self.company)
        people._refresh_customer_tier()
        self.assertEqual(people.mapped("customer_tier"), ["silver", "silver"])
        before = self.dump()
        merge = self.merge()
        # one of the invoices is sealed and stayed with the other
        self.assertEqual(people[0].customer_tier, "gold")
        merge.action_undo()
        self.assertSame(before, self.dump())

    def test_the_journal_is_counted(self):
        self.merge()
        families = {
            family.name: family
            for family in self.env["governance.metrics"].sudo()._metric_families()
        }
        samples = {
            tuple(sample.labels.values()): sample.value
            for sample in families["crm_omnichannel_merges"].samples
        }
        count = self.merges.search_count(
            [("rule", "=", "manual"), ("state", "=", "done")]
        )
        self.assertEqual(samples["manual", "done"], count)

    def test_an_erasure_reaches_the_other_and_the_journal(self):
        self.eda.comment = "<p>secret tea</p>"
        merge = self.merge()
        fay = self.env["res.partner"].create({"name": "Fay"})
        self.merge(self.ada, fay)
        merge_id, eda_id = merge.id, self.eda.id
        self.env.user.group_ids += self.env.ref(
            "crm_data_governance.group_privacy_officer"
        )
        request = self.env["governance.privacy.request"].create(
            {"partner_id": self.eda.id}
        )
        request.action_erase()
        self.env.flush_all()
        self.assertIn("omni.merge", request.line_ids.mapped("res_model"))
        for table in ("omni_merge", "omni_merge_line", "omni_merge_conflict"):
            self.env.cr.execute(f"SELECT {table}::text FROM {table}")  # noqa: S608
            for [row] in self.env.cr.fetchall():
                self.assertNotIn("secret tea", row)
                self.assertNotIn("two.example", row)
        self.assertFalse(self.merges.browse(merge_id).exists())
        gone = self.env["res.partner"].browse(eda_id).exists()
        self.assertFalse(gone and gone.email)
        self.assertFalse(self.ada.exists() and self.ada.email)
