from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL


@tagged("post_install", "-at_install")
class TestMergeReferences(TransactionCase):
    """References that no foreign key tells of."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target, cls.source, cls.other = cls.env["res.partner"].create(
            [{"name": name} for name in ("Target", "Source", "Other")]
        )

    def merge(self):
        return self.env["omni.merge"]._merge(self.target, self.source, "manual")

    def row(self, record):
        self.env.flush_all()
        [[row]] = self.env.execute_query(
            SQL(
                "SELECT (to_jsonb(place) - 'write_date' - 'write_uid')::text"
                " FROM %s AS place WHERE id = %s",
                SQL.identifier(record._table),
                record.id,
            )
        )
        return row

    def check_back_and_forth(self, records, check):
        before = [self.row(record) for record in records]
        merge = self.merge()
        check()
        merge.action_undo()
        self.assertEqual(before, [self.row(record) for record in records])
        return merge

    def test_properties(self):
        team = self.env["crm.team"].create(
            {
                "name": "Team",
                "lead_properties_definition": [
                    {"name": "one", "type": "many2one", "comodel": "res.partner"},
                    {"name": "many", "type": "many2many", "comodel": "res.partner"},
                    {"name": "number", "type": "integer"},
                ],
            }
        )
        lead = self.env["crm.lead"].create({"name": "Lead", "team_id": team.id})
        people = self.source | self.other | self.target
        lead.lead_properties = {
            "one": self.source.id,
            "many": people.ids,
            "number": self.source.id,
        }

        def check():
            values = {
                line["name"]: line.get("value")
                for line in lead.read(["lead_properties"])[0]["lead_properties"]
            }
            self.assertEqual(values["one"][0], self.target.id)
            self.assertEqual(
                [one[0] for one in values["many"]], [self.target.id, self.other.id]
            )
            self.assertEqual(values["number"], self.source.id)

        self.check_back_and_forth(lead, check)

    def test_company_dependent_values_of_the_customer(self):
        first, second = self.env["res.company"].create(
            [{"name": "First"}, {"name": "Second"}]
        )
        notes = "customer_tier_note"
        self.source.with_company(first)[notes] = "theirs"
        self.source.with_company(second)[notes] = "theirs too"
        self.target.with_company(first)[notes] = "mine"

        def check():
            self.assertEqual(self.target.with_company(first)[notes], "mine")
            self.assertEqual(self.target.with_company(second)[notes], "theirs too")

        self.check_back_and_forth(self.target | self.source, check)

    def test_defaults(self):
        self.env["ir.default"].set("crm.lead", "partner_id", self.source.id)
        default = self.env["ir.default"].search([], order="id desc", limit=1)

        def check():
            self.assertEqual(default.json_value, str(self.target.id))
            self.assertEqual(
                self.env["ir.default"]._get("crm.lead", "partner_id"), self.target.id
            )

        self.check_back_and_forth(default, check)
        self.assertEqual(
            self.env["ir.default"]._get("crm.lead", "partner_id"), self.source.id
        )

    def test_reference_fields(self):
        table = "ir_act_server"
        [column] = [
            column
            for place, column in self.env["omni.reference"]._reference_columns()
            if place == table
        ]
        action = self.env["ir.actions.server"].create(
            {
                "name": "Of a customer",
                "model_id": self.env["ir.model"]._get("res.partner").id,
                "state": "code",
            }
        )
        self.env.cr.execute(
            SQL(
                "UPDATE %s SET %s = %s WHERE id = %s",
                SQL.identifier(table),
                SQL.identifier(column),
                f"res.partner,{self.source.id}",
                action.id,
            )
        )
        action.invalidate_recordset()

        def check():
            self.assertEqual(action[column], self.target)

        self.check_back_and_forth(action, check)

    def test_picture(self):
        image = (
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
            "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
        )
        self.source.image_1920 = image

        def check():
            self.assertEqual(self.target.image_1920, self.source_image)

        self.source_image = self.source.image_1920
        self.check_back_and_forth(self.target | self.source, check)
        self.assertTrue(self.source.image_1920)
        self.target.image_1920 = image
        merge = self.merge()
        self.assertIn("picture", merge.line_ids.mapped("reason"))

    def test_xml_id(self):
        self.env["ir.model.data"].create(
            {
                "module": "__test__",
                "name": "source",
                "model": "res.partner",
                "res_id": self.source.id,
            }
        )
        self.assertEqual(self.env.ref("__test__.source"), self.source)
        merge = self.merge()
        self.assertEqual(self.env.ref("__test__.source"), self.target)
        merge.action_undo()
        self.assertEqual(self.env.ref("__test__.source"), self.source)

    def test_two_followers_are_one_with_what_they_follow(self):
        thread = self.other
        comment, note = (
            self.env.ref(f"mail.{name}") for name in ("mt_comment", "mt_note")
        )
        thread.message_subscribe(self.target.ids, subtype_ids=comment.ids)
        thread.message_subscribe(self.source.ids, subtype_ids=note.ids)
        merge = self.merge()
        follower = thread.message_follower_ids
        follower = follower.filtered(lambda one: one.partner_id == self.target)
        self.assertEqual(follower.subtype_ids, comment | note)
        self.assertNotIn(self.source, thread.message_partner_ids)
        merge.action_undo()
        found = {one.partner_id: one.subtype_ids for one in thread.message_follower_ids}
        self.assertEqual((found[self.target], found[self.source]), (comment, note))

    def test_the_number_of_statements_does_not_grow_with_the_rows(self):
        def messages(partner, number):
            self.env["mail.message"].create(
                [
                    {
                        "model": "res.partner",
                        "res_id": partner.id,
                        "author_id": partner.id,
                        "body": str(index),
                    }
                    for index in range(number)
                ]
            )

        def statements(source):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            merge = self.env["omni.merge"]._merge(self.target, source, "manual")
            merged = self.env.cr.sql_log_count
            merge.action_undo()
            return merged - before, self.env.cr.sql_log_count - merged

        few, many, first = self.env["res.partner"].create(
            [{"name": name} for name in ("Few", "Many", "First")]
        )
        statements(first)
        messages(few, 2)
        messages(many, 200)
        one, hundred = statements(few), statements(many)
        self.assertLessEqual(hundred[0], one[0] + 2)
        self.assertLessEqual(hundred[1], one[1] + 2)
