from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from ..tools.consent import refused


@tagged("post_install", "-at_install")
class TestConsentModel(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ada, cls.bob = cls.env["res.partner"].create(
            [{"name": "Ada"}, {"name": "Bob"}]
        )
        cls.consents = cls.env["omni.consent"]
        cls.seller = new_test_user(
            cls.env,
            "consent_seller",
            groups="base.group_partner_manager",
            context={"no_reset_password": True},
        )
        cls.plain = new_test_user(
            cls.env,
            "consent_plain",
            groups="base.group_user",
            context={"no_reset_password": True},
        )

    def at(self, minutes):
        return fields.Datetime.now() - timedelta(minutes=60 - minutes)

    def test_history(self):
        self.assertFalse(self.consents.check(self.ada, "marketing"))
        self.consents._record(self.ada, "marketing", "granted", at=self.at(1))
        self.assertTrue(self.consents.check(self.ada, "marketing"))
        self.assertTrue(self.consents.check(self.ada, "marketing", "email"))
        self.assertFalse(self.consents.check(self.ada, "analytics"))
        self.assertFalse(self.consents.check(self.bob, "marketing"))
        self.consents._record(self.ada, "marketing", "revoked", at=self.at(2))
        self.assertFalse(self.consents.check(self.ada, "marketing"))
        # an answer found later does not change what came after it
        self.consents._record(self.ada, "marketing", "granted", at=self.at(0))
        self.assertFalse(self.consents.check(self.ada, "marketing"))
        self.assertEqual(len(self.ada.omni_consent_ids), 3)

    def test_visitor_becomes_customer(self):
        visitor = ("anonymous_id", "v-1", "source:1")
        self.consents._record(visitor, "analytics", "granted", source="website")
        self.assertTrue(self.consents.check(visitor, "analytics"))
        self.assertFalse(self.consents.check(self.ada, "analytics"))
        self.env["omni.identity"]._claim(self.ada, *visitor)
        self.assertTrue(self.consents.check(self.ada, "analytics"))
        # the stricter answer wins, whoever is asked
        self.consents._record(self.ada, "analytics", "denied", at=self.at(1))
        self.assertFalse(self.consents.check(self.ada, "analytics"))
        self.assertFalse(self.consents.check(visitor, "analytics"))
        other = ("anonymous_id", "v-2", "source:1")
        self.env["omni.identity"]._claim(self.ada, *other)
        self.assertFalse(self.consents.check(other, "analytics"))
        stranger = ("anonymous_id", "v-3", "source:1")
        self.assertFalse(self.consents.check(stranger, "analytics"))

    def test_a_shared_device_speaks_for_nobody(self):
        device = ("device", "tablet", "source:1")
        identity = self.env["omni.identity"]._claim(self.ada, *device)
        self.consents._record(self.ada, "analytics", "granted", at=self.at(1))
        self.assertTrue(self.consents.check(device, "analytics"))
        identity.quarantined = True
        self.assertFalse(self.consents.check(device, "analytics"))
        self.assertTrue(self.consents.check(self.ada, "analytics"))
        self.consents._record(self.ada, "analytics", "revoked", at=self.at(2))
        self.assertFalse(self.consents._refusing([device], "analytics"))

    def test_scope(self):
        """Two sources name two people by the same number."""
        here, there = (("user_id", "42", f"source:{number}") for number in (1, 2))
        self.env["omni.identity"]._claim(self.ada, *here)
        self.env["omni.identity"]._claim(self.bob, *there)
        self.consents._record(here, "marketing", "granted")
        self.consents._record(there, "marketing", "denied", at=self.at(1))
        self.assertTrue(self.consents.check(self.ada, "marketing"))
        self.assertTrue(self.consents.check(here, "marketing"))
        for person in (self.bob, there, ("user_id", "42", "source:3")):
            self.assertFalse(self.consents.check(person, "marketing"))
        # an address names one person in a company, whoever it was told to
        own = ("email", "ada@example.org", f"company:{self.env.company.id}")
        self.env["omni.identity"]._claim(self.ada, *own[:2], "company:0")
        self.consents._record(own, "marketing", "denied")
        self.assertFalse(self.consents.check(self.ada, "marketing"))

    def test_refusing(self):
        """Who said no, of many in two queries; no answer is none."""
        visitor = ("anonymous_id", "v-1", "source:1")
        other = ("anonymous_id", "v-1", "source:2")
        web, mail, silent = self.env["res.partner"].create(
            [{"name": name} for name in ("Web", "Mail", "Silent")]
        )
        record = self.consents._record
        record(visitor, "analytics", "denied")
        record(self.ada, "analytics", "granted")
        record(self.bob, "marketing", "denied")
        record(web, "analytics", "denied", at=self.at(1))
        record(web, "analytics", "granted", "web", at=self.at(2))
        record(mail, "analytics", "denied", "email")
        persons = [visitor, other, self.ada, self.bob, web, mail, silent]
        with self.assertQueryCount(2):
            refusing = self.consents._refusing(persons, "analytics", "web")
        self.assertEqual(refusing, {visitor})
        self.assertEqual(self.consents._refusing(persons, "analytics"), {visitor, web})
        self.env["omni.identity"]._claim(self.ada, *visitor)
        self.assertEqual(
            self.consents._refusing(persons, "analytics", "web"), {visitor, self.ada}
        )
        self.assertEqual(self.consents._refusing([], "analytics"), set())

    def test_refusing_customers(self):
        """Those who said no in person or under an identifier, and did not come back."""
        visitor = ("anonymous_id", "v-1", "source:1")
        back, silent = self.env["res.partner"].create(
            [{"name": name} for name in ("Back", "Silent")]
        )
        record = self.consents._record
        self.env["omni.identity"]._claim(self.ada, *visitor)
        record(visitor, "profiling", "denied")
        record(self.bob, "profiling", "denied")
        record(back, "profiling", "denied", at=self.at(1))
        record(back, "profiling", "granted", at=self.at(2))
        record(silent, "analytics", "denied")
        # the same name elsewhere is somebody else's
        self.env["omni.identity"]._claim(silent, *visitor[:2], "source:2")
        self.assertEqual(
            self.consents._refusing_customers("profiling"), self.ada | self.bob
        )

    def test_refusing_through_another_name(self):
        """A no under one identifier of a customer counts under all of them."""
        cookie, app, device = (
            ("anonymous_id", value, "source:1") for value in ("c-1", "a-1", "d-1")
        )
        for name in (cookie, app):
            self.env["omni.identity"]._claim(self.ada, *name)
        self.env["omni.identity"]._claim(self.bob, *device)
        self.consents._record(self.ada, "analytics", "granted")
        self.consents._record(cookie, "analytics", "granted")
        persons = [cookie, app, device, ("anonymous_id", "n-1", "source:1"), self.ada]
        self.assertEqual(self.consents._refusing(persons, "analytics"), set())
        self.consents._record(app, "analytics", "revoked", at=self.at(1))
        self.consents._record(self.bob, "analytics", "denied", at=self.at(1))
        for person in persons:
            with self.subTest(person=person):
                [answers] = self.consents._get_answers([person], "analytics")
                self.assertEqual(
                    self.consents._refusing([person], "analytics"),
                    {person} if refused(answers, "analytics") else set(),
                )
        self.assertEqual(
            self.consents._refusing(persons, "analytics"),
            {cookie, app, device, self.ada},
        )

    def test_companies(self):
        company = self.env["res.company"].create({"name": "Other"})
        self.consents._record(
            self.ada, "marketing", "granted", company_id=company.id, at=self.at(1)
        )
        self.assertFalse(self.consents.check(self.ada, "marketing"))
        theirs = self.consents.with_company(company)
        self.assertTrue(theirs.check(self.ada, "marketing"))
        self.consents._record(self.ada, "marketing", "denied", company_id=False)
        self.assertFalse(theirs.check(self.ada, "marketing"))

    def test_nothing_is_changed_or_deleted(self):
        consent = self.consents._record(self.ada, "marketing", "granted")
        with self.assertRaises(UserError):
            consent.state = "denied"
        with self.assertRaises(AccessError):
            consent.with_user(self.seller).unlink()
        with self.assertRaises(ValidationError):
            self.consents._record(
                self.ada,
                "marketing",
                "granted",
                at=fields.Datetime.now() + timedelta(hours=1),
            )

    def test_rights(self):
        action = self.ada.with_user(self.seller).action_record_consent()
        form = Form(
            self.consents.with_user(self.seller).with_context(**action["context"])
        )
        form.purpose = "marketing"
        form.state = "denied"
        self.assertEqual(form.save().partner_id, self.ada)
        plain = self.consents.with_user(self.plain)
        self.assertFalse(plain.check(self.ada, "marketing"))
        with self.assertRaises(AccessError):
            plain._record(self.ada, "marketing", "granted")
        public = self.env.ref("base.public_user")
        with self.assertRaises(AccessError):
            self.consents.with_user(public).check(self.ada, "marketing")

    def test_one_query_whatever_the_history(self):
        for minute in range(30):
            self.consents._record(
                self.ada,
                "marketing",
                ("granted", "revoked")[minute % 2],
                at=self.at(minute),
            )
        self.env["omni.identity"]._claim(self.ada, "user_id", "1", "source:1")
        self.env.flush_all()
        self.env.invalidate_all()
        with self.assertQueryCount(2):
            self.consents.check(self.ada, "marketing", "email")
