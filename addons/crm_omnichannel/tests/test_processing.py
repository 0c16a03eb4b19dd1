from datetime import timedelta
from unittest.mock import patch

from psycopg2.errors import UniqueViolation

from odoo.exceptions import UserError, ValidationError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.base.models.res_partner import ResPartner

from .common import NOW, OmniCase

ADA = {
    "id": "1",
    "name": "Ada Lovelace",
    "email": "Ada@Example.org",
    "phone": "139 1612 3456",
    "city": "London",
    "country": "United Kingdom",
    "birthday": "1815年12月10日",
    "tags": "omni-b, omni-a",
}


@tagged("post_install", "-at_install")
class TestProcessing(OmniCase):
    def test_companies_are_checked_once_for_those_alike(self):
        """One among many whose link belongs to another company is still refused."""
        other = self.env["res.company"].create({"name": "Other"})
        terms = self.env["account.payment.term"].create(
            {"name": "Theirs", "company_id": other.id}
        )
        many = [{"name": f"Ada {number}"} for number in range(5)]
        partners = self.env["res.partner"].create(many)
        self.assertEqual(len(partners), 5)
        with self.assertRaises(UserError), self.env.cr.savepoint():
            self.env["res.partner"].create(
                [*many, {"name": "Eve", "property_payment_term_id": terms.id}, *many]
            )

    def test_first_record_creates_the_customer(self):
        record = self.process(ADA)
        self.assertRecordValues(
            record, [{"state": "done", "error_code": False, "external_id": "1"}]
        )
        partner = record.partner_id
        self.assertRecordValues(
            partner,
            [
                {
                    "name": "Ada Lovelace",
                    "email": "ada@example.org",
                    "phone": "+8613916123456",
                    "phone_sanitized": "+8613916123456",
                    "email_normalized": "ada@example.org",
                    "city": "London",
                    "country_id": self.env.ref("base.uk").id,
                    "company_id": False,
                    "is_company": False,
                }
            ],
        )
        self.assertEqual(str(partner.omni_birthdate), "1815-12-10")
        self.assertEqual(set(partner.category_id.mapped("name")), {"omni-a", "omni-b"})
        self.assertEqual(
            {(one.kind, one.value) for one in partner.omni_identity_ids},
            {
                ("external_id", "1"),
                ("email", "ada@example.org"),
                ("phone", "+8613916123456"),
            },
        )
        self.assertEqual(partner.omni_channel_ids, self.channel)
        self.assertEqual(partner.omni_record_count, 1)
        self.assertFalse(partner.message_ids, "nobody is told of each new customer")

    def test_provenance(self):
        record = self.process(ADA)
        provenance = record.partner_id.omni_provenance
        self.assertEqual(
            provenance["phone"],
            [
                {
                    "value": "+8613916123456",
                    "channel_id": self.channel.id,
                    "record_id": record.id,
                    "at": "2026-05-04 08:30:00.000",
                }
            ],
        )
        self.assertEqual(provenance["country_id"][0]["value"], "GB")
        self.assertEqual(provenance["omni_birthdate"][0]["value"], "1815-12-10")
        self.assertEqual(provenance["category_id"][0]["value"], "omni-a, omni-b")

    def test_update_by_external_id(self):
        partner = self.process(ADA).partner_id
        later = NOW + timedelta(hours=1)
        again = self.process({**ADA, "phone": "137 0123 4567"}, at=later)
        self.assertEqual(again.partner_id, partner)
        self.assertEqual(partner.phone, "+8613701234567")
        self.assertEqual(partner.phone_sanitized, "+8613701234567")
        self.assertEqual(
            [entry["value"] for entry in partner.omni_provenance["phone"]],
            ["+8613701234567", "+8613916123456"],
        )
        # both numbers lead to the customer from now on
        by_old = self.process(
            {"id": "x", "name": "Ada Lovelace", "phone": "13916123456"}
        )
        self.assertEqual(by_old.partner_id, partner)

    def test_only_changed_fields_are_written(self):
        self.process(ADA)
        written = []
        original = ResPartner.write

        def write(partners, vals):
            written.append(set(vals))
            return original(partners, vals)

        later = NOW + timedelta(hours=1)
        with patch.object(ResPartner, "write", write):
            self.process({**ADA, "note": "new"}, at=later)
            self.assertEqual(written, [])
            self.process({**ADA, "city": "Paris"}, at=later)
        self.assertEqual(written, [{"city"}])

    def test_older_never_overwrites_newer(self):
        newer = {**ADA, "city": "New", "updated_at": "2026-05-03T10:00:00Z"}
        older = {**ADA, "city": "Old", "updated_at": "2026-05-02T10:00:00Z"}
        partner = self.process(newer).partner_id
        record = self.process(older)
        self.assertEqual(record.state, "done")
        self.assertEqual(partner.city, "New")
        self.assertEqual(
            [entry["value"] for entry in partner.omni_provenance["city"]],
            ["New", "Old"],
        )
        # both in one batch, in either order
        for first, second in ((newer, older), (older, newer)):
            with self.subTest(first=first["city"]):
                name = first["city"]
                records = self.process(
                    {**first, "id": name, "email": f"{name}@x.org", "phone": ""},
                    {**second, "id": name, "email": f"{name}@x.org", "phone": ""},
                )
                self.assertEqual(len(records.partner_id), 1)
                self.assertEqual(records.partner_id.city, "New")

    def test_clock_ahead_does_not_win_for_ever(self):
        ahead = {**ADA, "city": "Ahead", "updated_at": "2099-01-01T00:00:00Z"}
        partner = self.process(ahead).partner_id
        self.process({**ADA, "city": "Next"}, at=NOW + timedelta(hours=1))
        self.assertEqual(partner.city, "Next")

    def test_channel_priority(self):
        strong = self.make_channel("strong", sequence=1)
        partner = self.process({**ADA, "city": "Strong"}, channel=strong).partner_id
        later = NOW + timedelta(days=1)
        weak = self.process({**ADA, "city": "Weak", "id": "w"}, at=later)
        self.assertEqual(weak.partner_id, partner)
        self.assertEqual(partner.city, "Strong")
        self.assertEqual(len(partner.omni_provenance["city"]), 2)

    def test_hand_typed_value(self):
        self.env["omni.channel"].search([("type", "=", "odoo")]).sequence = 10
        partner = self.process(ADA).partner_id
        partner.city = "Typed"
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE res_partner SET write_date = %s WHERE id = %s",
            [NOW + timedelta(hours=2), partner.id],
        )
        partner.invalidate_recordset()
        self.process({**ADA, "city": "Before"}, at=NOW + timedelta(hours=1))
        self.assertEqual(partner.city, "Typed")
        self.process({**ADA, "city": "After"}, at=NOW + timedelta(days=9000))
        self.assertEqual(partner.city, "After")
        self.assertIn(
            "Typed", [entry["value"] for entry in partner.omni_provenance["city"]]
        )

    def test_customer_who_was_typed_into_odoo(self):
        typed = self.env["res.partner"].create(
            {"name": "Ada", "email": "ada@example.org"}
        )
        record = self.process({"id": "1", "name": "Ada L.", "email": "ADA@example.org"})
        self.assertEqual(record.partner_id, typed)
        by_phone = self.env["res.partner"].create(
            {"name": "Bob", "phone": "+86 137 0123 4567"}
        )
        record = self.process({"id": "2", "name": "Bob", "phone": "13701234567"})
        self.assertEqual(record.partner_id, by_phone)

    def test_an_address_that_two_typed_customers_share_names_neither(self):
        both = self.env["res.partner"].create(
            [
                {"name": "Ada", "email": "office@example.org"},
                {"name": "Grace", "email": "Office@example.org"},
            ]
        )
        shared = {"name": "Ada", "email": "office@example.org"}
        self.assertNotIn(self.process({"id": "1", **shared}).partner_id, both)
        ada = both[0]
        ada.phone = "+86 139 1612 3456"
        both[1].email = "grace@example.org"
        record = self.process(
            {"id": "2", "name": "Ada", "phone": "13916123456"},
            {"id": "3", "name": "Grace", "email": "grace@example.org"},
        )
        self.assertEqual(record.mapped("partner_id"), both)

    def test_what_no_company_has_is_known_to_all(self):
        """As for events: a company's own identity counts before that of no company."""
        identities = self.env["omni.identity"]
        wide, own = self.env["res.partner"].create([{"name": "Wide"}, {"name": "Own"}])
        company = self.env.company
        mine = self.make_channel("mine", company_id=company.id)
        scope = f"company:{company.id}"
        for partner, value, place in (
            (wide, "a@all.example", "company:0"),
            (wide, "b@all.example", "company:0"),
            (own, "b@all.example", scope),
        ):
            identities._claim(partner, "email", value, place)
        records = self.process(
            {"id": "1", "name": "A", "email": "a@all.example"},
            {"id": "2", "name": "B", "email": "b@all.example"},
            channel=mine,
        )
        self.assertEqual(list(records.mapped("partner_id")), [wide, own])
        # a channel of no company does not look into companies
        record = self.process({"id": "3", "name": "Own", "email": "b@all.example"})
        self.assertEqual(record.partner_id, wide)

    def test_a_quarantined_address_leads_nowhere(self):
        """Nor to who is typed with it alone, nor does a company make it its own."""
        typed = self.env["res.partner"].create(
            {"name": "Typed", "email": "office@all.example"}
        )
        identities = self.env["omni.identity"]
        identities._claim(
            typed, "email", "office@all.example", "company:0"
        ).quarantined = True
        mine = self.make_channel("mine", company_id=self.env.company.id)
        scopes = [f"company:{self.env.company.id}", "company:0"]
        for channel in (mine, self.channel):
            document = {"id": "1", "name": "New", "email": "office@all.example"}
            record = self.process(document, channel=channel)
            self.assertEqual(record.state, "done")
            self.assertNotEqual(record.partner_id, typed)
            for place in (scopes, scopes[1:]):
                found = identities._resolve("email", "office@all.example", place)
                self.assertFalse(found)

    def test_two_customers_claimed_by_one_record(self):
        first = self.process({"id": "1", "name": "A", "email": "a@x.org"}).partner_id
        second = self.process(
            {"id": "2", "name": "B", "phone": "13916123456"}
        ).partner_id
        self.assertNotEqual(first, second)
        both = self.process(
            {"id": "1", "name": "A", "email": "a@x.org", "phone": "13916123456"},
            at=NOW + timedelta(hours=1),
        )
        self.assertEqual(both.partner_id, first)
        self.assertEqual(second.phone, "+8613916123456", "the other one stays as is")
        phone = self.env["omni.identity"].search([("value", "=", "+8613916123456")])
        self.assertEqual(phone.partner_id, second)
        self.assertEqual(both.notes[0][0], "held_by_other")
        self.assertIn("+8613916123456", both.note_message)

    def test_family_telephone(self):
        records = self.process(
            {"id": "1", "name": "Ada", "phone": "13916123456"},
            {"id": "2", "name": "Bob", "phone": "13916123456"},
        )
        self.assertEqual(len(records.partner_id), 2)
        self.assertEqual(records[1].notes[0][0], "held_by_other")

    def test_identity_of_a_platform(self):
        first = self.process({"id": "1", "name": "A", "unionid": "u"}).partner_id
        other = self.make_channel("mini")
        second = self.process({"name": "A", "unionid": "u"}, channel=other).partner_id
        self.assertEqual(first, second)
        self.assertEqual(first.omni_channel_ids, self.channel | other)

    def test_bad_records_are_parked_alone(self):
        records = self.process(
            {"id": "1", "name": "Good"},
            {"id": "2"},
            {"id": "3", "name": "Bad", "birthday": "02/01/1990"},
            {"id": "4", "name": "Good too"},
        )
        self.assertEqual(records.mapped("state"), ["done", "parked", "parked", "done"])
        self.assertEqual(
            records.mapped("error_code"),
            [False, "required_missing", "ambiguous_date", False],
        )
        self.assertEqual(
            records[2].error_params, {"target": "birthdate", "value": "02/01/1990"}
        )
        self.assertIn("02/01/1990", records[2].error_message)
        kinds = records._fields["error_code"]._description_selection(self.env)
        self.assertIn(
            ("required_missing", "There is no value for “…”, which is required."), kinds
        )
        self.assertEqual(self.channel.parked_count, 2)

    def test_unreadable_expressions_are_refused_in_words(self):
        with self.assertRaisesRegex(ValidationError, "“a\\[” is not a JMESPath"):
            self.mapping.line_ids[0].source = "a["
        with self.assertRaisesRegex(ValidationError, "“\\(\\(” is not a JMESPath"):
            self.mapping.external_id_path = "(("

    def test_reason_in_the_reader_s_language(self):
        record = self.process({"id": "2"})
        self.assertIn("Full name", record.error_message)
        chinese = record.with_context(lang="zh_CN")
        self.assertIn("姓名", chinese.error_message)
        self.assertNotEqual(record.error_message, chinese.error_message)

    def test_record_that_odoo_refuses_is_parked_alone(self):
        create = ResPartner.create

        def checked_create(partners, vals_list):
            created = create(partners, vals_list)
            if "Poison" in created.mapped("name"):
                raise ValueError("refused by a rule")
            return created

        documents = [{"id": str(n), "name": f"P{n}"} for n in range(7)]
        documents[4]["name"] = "Poison"
        with patch.object(ResPartner, "create", checked_create):
            records = self.process(*documents)
        states = ["done"] * 7
        states[4] = "parked"
        self.assertEqual(records.mapped("state"), states)
        self.assertEqual(records[4].error_code, "not_saved")
        # the words of another's exception are in one language: the log has them
        self.assertEqual(records[4].error_params, {"detail": "ValueError"})
        self.assertIn("ValueError", records[4].error_message)
        self.assertEqual(len(records.partner_id), 6)

    def test_no_mapping(self):
        channel = self.make_channel("bare", mapping_id=False)
        record = self.process({"id": "1", "name": "A"}, channel=channel)
        self.assertEqual(record.error_code, "no_mapping")

    def test_replay(self):
        records = self.process({"id": "1", "title": "Ada"}, {"id": "2", "title": "Bob"})
        self.assertEqual(records.mapped("state"), ["parked", "parked"])
        records.action_replay()
        self.assertEqual(records.mapped("state"), ["parked", "parked"])
        self.mapping.line_ids.filtered(
            lambda line: line.target == "name"
        ).source = "name || title"
        records.action_replay()
        self.assertEqual(records.mapped("state"), ["done", "done"])
        self.assertEqual(records.partner_id.mapped("name"), ["Ada", "Bob"])
        self.assertFalse(any(records.mapped("error_code")))
        # a replay of what went through changes nothing
        before = records.partner_id.mapped("omni_provenance")
        records.action_replay()
        self.assertEqual(records.mapped("state"), ["done", "done"])
        self.assertEqual(records.partner_id.mapped("omni_provenance"), before)

    def test_replay_of_an_old_record_does_not_turn_back(self):
        old = self.process(ADA)
        self.process({**ADA, "city": "Paris"}, at=NOW + timedelta(hours=1))
        old.action_replay()
        self.assertEqual(old.partner_id.city, "Paris")

    def test_done_records_are_left_alone(self):
        record = self.process(ADA)
        record.partner_id.name = "Changed"
        self.env["omni.record"]._process_batch(record.ids)
        self.assertEqual(record.partner_id.name, "Changed")

    def test_external_id_found_later(self):
        self.mapping.external_id_path = False
        record = self.process({"key": "77", "name": "A"})
        self.assertFalse(record.external_id)
        self.mapping.external_id_path = "key"
        record.action_replay()
        self.assertEqual(record.external_id, "77")

    def test_state_of_a_country(self):
        records = self.process(
            {"id": "1", "name": "A", "country": "AU", "state": "nsw"},
            {"id": "2", "name": "B", "country": "AU", "state": "Atlantis"},
        )
        self.assertEqual(records[0].partner_id.state_id.code, "NSW")
        self.assertEqual(
            records[0].partner_id.omni_provenance["state_id"][0]["value"], "AU-NSW"
        )
        self.assertFalse(records[1].partner_id.state_id)
        self.assertEqual(records[1].notes, [["unknown_state", {"value": "Atlantis"}]])

    def test_log_in_is_protected(self):
        """Who may post records must not move the e-mail of a log-in."""
        portal = new_test_user(
            self.env,
            "omni_portal",
            groups="base.group_portal",
            email="portal@example.org",
            context={"no_reset_password": True},
        )
        worker = new_test_user(
            self.env,
            "omni_worker",
            groups="base.group_user",
            email="worker@example.org",
            context={"no_reset_password": True},
        )
        for user in (portal, worker):
            email = user.email
            self.process({"id": user.login, "name": user.name, "email": email})
            record = self.process(
                {
                    "id": user.login,
                    "name": user.name,
                    "email": "thief@example.org",
                    "city": "Moved",
                },
                at=NOW + timedelta(days=9000),
            )
            self.assertEqual(record.partner_id, user.partner_id)
            self.assertEqual(user.partner_id.email, email)
            self.assertEqual(record.notes[-1][0], "protected_customer")
            record.unlink()
            self.env["omni.identity"].search(
                [("value", "=", "thief@example.org")]
            ).unlink()
        self.assertEqual(portal.partner_id.city, "Moved")
        self.assertFalse(worker.partner_id.city)

    def test_companies_are_kept_apart(self):
        company = self.env["res.company"].create({"name": "Other"})
        other = self.make_channel("company", company_id=company.id)
        mine = self.make_channel("mine", company_id=self.env.company.id)
        first = self.process(ADA, channel=mine).partner_id
        second = self.process(ADA, channel=other).partner_id
        self.assertNotEqual(first, second)
        self.assertEqual(first.company_id, self.env.company)
        self.assertEqual(second.company_id, company)

    def test_cron(self):
        self.land({"id": "1", "name": "A"}, {"id": "2"})
        paused = self.make_channel("paused")
        self.land({"id": "1", "name": "A"}, channel=paused)
        paused.action_pause()
        self.env.flush_all()
        with self.enter_registry_test_mode():
            self.env.ref("crm_omnichannel.ir_cron_process").method_direct_trigger()
        self.env.invalidate_all()
        self.assertEqual(
            self.channel.record_ids.sorted("id").mapped("state"), ["done", "parked"]
        )
        self.assertEqual(paused.record_ids.state, "received")

    def test_process_button(self):
        self.land({"id": "1", "name": "A"})
        self.channel.action_process()
        self.assertEqual(self.channel.record_ids.state, "done")

    def count_queries(self, documents):
        self.land(*documents)
        records = self.channel.record_ids.filtered(lambda one: one.state == "received")
        self.env.flush_all()
        self.env.invalidate_all()
        before = self.env.cr.sql_log_count
        self.env["omni.record"]._process_batch(records.ids)
        self.env.flush_all()
        self.assertEqual(set(records.mapped("state")), {"done"})
        return self.env.cr.sql_log_count - before

    def documents(self, start, count, city="X"):
        return [
            {
                "id": f"q{number}",
                "name": f"Name {number}",
                "email": f"q{number}@example.org",
                "phone": f"1391612{number:04}",
                "city": city,
                "country": "CN",
                "tags": "vip",
            }
            for number in range(start, start + count)
        ]

    def test_query_count(self):
        """1 record or 100: the same queries, but for Odoo's own batched inserts."""
        self.count_queries(self.documents(0, 1))
        one = self.count_queries(self.documents(1, 1))
        hundred = self.count_queries(self.documents(100, 100))
        # account, sale and stock insert and read in a few steps of their own
        self.assertLessEqual(hundred, one + 5)
        # updates that say the same thing are one write
        one = self.count_queries(self.documents(1, 1, "Y"))
        hundred = self.count_queries(self.documents(100, 100, "Y"))
        self.assertLessEqual(hundred, one + 5)

    @mute_logger("odoo.sql_db")
    def test_identity_is_unique(self):
        partner = self.process(ADA).partner_id
        identity = partner.omni_identity_ids[0]
        with self.assertRaises(UniqueViolation), self.env.cr.savepoint():
            identity.copy()
            self.env.flush_all()
