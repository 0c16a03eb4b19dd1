from odoo.tests import tagged

from odoo.addons.crm_omnichannel.tools.linking import IdentityClaim

from .common import OmniCase


@tagged("post_install", "-at_install")
class TestIdentity(OmniCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ada, cls.bob = cls.env["res.partner"].create(
            [{"name": "Ada"}, {"name": "Bob"}]
        )
        cls.identities = cls.env["omni.identity"]

    def test_claim_is_idempotent(self):
        for kind, value, scope in (
            ("anonymous_id", "a-1", "source:1"),
            ("user_id", "u-1", "source:1"),
        ):
            first = self.identities._claim(self.ada, kind, value, scope)
            again = self.identities._claim(self.ada, kind, f" {value} ", scope)
            self.assertEqual(first, again)
            self.assertEqual(self.identities._resolve(kind, value, scope), self.ada)
            self.assertFalse(self.identities._resolve(kind, value, "source:2"))
        self.assertEqual(len(self.ada.omni_identity_ids), 2)
        self.assertTrue(first.first_seen_at)

    def test_many_at_once(self):
        def claims(partner):
            return [
                IdentityClaim("user_id", f"u-{number % 50}", "source:1", partner.id)
                for number in range(100)
            ]

        with self.assertQueryCount(1):
            found = self.identities._claim_many(claims(self.ada), first_seen=False)
        self.assertEqual(len(found), 50)
        self.assertEqual(found.partner_id, self.ada)
        self.assertFalse(any(found.mapped("first_seen_at")))
        found.last_seen_at = "2020-01-01"
        self.assertFalse(
            self.identities._claim_many(claims(self.bob), seen_again=False)
        )
        self.assertEqual(found[0].last_seen_at.year, 2020)
        self.assertEqual(self.identities._claim_many(claims(self.bob)), found)
        self.assertEqual(found.partner_id, self.ada)
        self.assertGreater(found[0].last_seen_at.year, 2020)
        self.assertFalse(self.identities._claim_many([]))

    def test_several_scopes(self):
        for partner, value, scope in (
            (self.ada, "1", "source:1"),
            (self.ada, "1", "source:2"),
            (self.ada, "2", "source:1"),
            (self.bob, "2", "source:2"),
        ):
            self.identities._claim(partner, "user_id", value, scope)
        scopes = ["source:1", "source:2"]
        self.assertEqual(self.identities._resolve("user_id", "1", scopes), self.ada)
        self.assertFalse(self.identities._resolve("user_id", "2", scopes))
        self.assertEqual(self.identities._resolve("user_id", "2", scopes[1:]), self.bob)
        self.assertFalse(self.identities._resolve("user_id", "", scopes))

    def test_the_narrowest_scope_decides(self):
        for partner, value, scope in (
            (self.ada, "1", "company:0"),
            (self.bob, "1", "company:7"),
            (self.ada, "2", "company:0"),
            (self.bob, "2", "source:1"),
            (self.ada, "3", "source:1"),
            (self.bob, "3", "source:2"),
            (self.bob, "3", "company:0"),
            (self.bob, "4", "company:8"),
        ):
            self.identities._claim(partner, "user_id", value, scope)
        keys = [("user_id", value) for value in "1234"] + [("anonymous_id", "1")]
        scopes = ["company:0", "source:2", "company:7", "source:1"]
        self.assertEqual(
            self.identities._resolve_many(keys, scopes),
            {("user_id", "1"): self.bob.id, ("user_id", "2"): self.bob.id},
            "two sources that disagree name nobody, whatever all are told",
        )

    def test_typed_customers_are_known_by_their_address(self):
        company = self.env.company
        self.ada.write({"email": "Ada@typed.example", "phone": "+8613916123456"})
        self.bob.write({"email": "bob@typed.example", "company_id": company.id})
        resolve = self.identities._resolve
        own = f"company:{company.id}"
        for kind, value, scopes, person in (
            ("email", "ada@typed.example", "company:0", self.ada),
            ("phone", "+8613916123456", own, self.ada),
            ("email", "bob@typed.example", ["source:1", own], self.bob),
            ("email", "bob@typed.example", "company:0", None),
            ("email", "ada@typed.example", "source:1", None),
            ("user_id", "ada@typed.example", "company:0", None),
        ):
            found = resolve(kind, value, scopes)
            self.assertEqual(found, person or found.browse(), (kind, value, scopes))
        # what an identity says counts before
        self.identities._claim(self.bob, "email", "ada@typed.example", "company:0")
        self.assertEqual(
            resolve("email", "ada@typed.example", [own, "company:0"]), self.bob
        )

    def test_a_quarantined_address_names_nobody(self):
        self.ada.write({"email": "ada@typed.example", "phone": "+8613916123456"})
        own = f"company:{self.env.company.id}"
        resolve = self.identities._resolve
        for kind, value in (
            ("email", "ada@typed.example"),
            ("phone", "+8613916123456"),
        ):
            identity = self.identities._claim(self.bob, kind, value, own)
            self.assertEqual(resolve(kind, value, [own, "company:0"]), self.bob)
            identity.quarantined = True
            self.assertFalse(resolve(kind, value, [own, "company:0"]), kind)
            self.assertEqual(resolve(kind, value, "company:0"), self.ada)
            # whom all know is not hidden by what one company shares
            self.identities._claim(self.bob, kind, value, "company:0")
            self.assertEqual(resolve(kind, value, [own, "company:0"]), self.bob)

    def test_who_has_it_keeps_it(self):
        self.identities._claim(self.ada, "user_id", "u-1", "source:1")
        found = self.identities._claim(self.bob, "user_id", "u-1", "source:1")
        self.assertEqual(found.partner_id, self.ada)
        elsewhere = self.identities._claim(self.bob, "user_id", "u-1", "source:2")
        self.assertEqual(elsewhere.partner_id, self.bob)

    def test_channel_and_company(self):
        company = self.env["res.company"].create({"name": "Other"})
        self.channel.company_id = company
        found = self.identities._claim(
            self.ada, "openid", "o-1", f"channel:{self.channel.id}", self.channel
        )
        self.assertEqual(found.channel_id, self.channel)
        self.assertEqual(found.company_id, company)

    def test_bad_identifiers(self):
        for kind, value, scope in (
            ("shoe_size", "42", "source:1"),
            ("user_id", "", "source:1"),
            ("user_id", " ", "source:1"),
            ("user_id", None, "source:1"),
            ("user_id", "x" * 257, "source:1"),
            ("user_id", "a\x00b", "source:1"),
            ("user_id", "u-1", ""),
        ):
            with self.subTest(kind=kind, value=value), self.assertRaises(ValueError):
                self.identities._claim(self.ada, kind, value, scope)

    def test_first_seen_stays(self):
        partner = self.process({"id": "1", "name": "Ada"}).partner_id
        identity = partner.omni_identity_ids
        first = identity.first_seen_at
        self.assertTrue(first)
        self.process({"id": "1", "name": "Ada", "city": "London"})
        identity.invalidate_recordset()
        self.assertEqual(identity.first_seen_at, first)
