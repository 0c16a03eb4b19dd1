from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, new_test_user, tagged


@tagged("post_install", "-at_install")
class TestExposure(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slot = cls.env["personalization.slot"].create(
            {"name": "Top", "code": "top-test"}
        )
        cls.variant = cls.env["personalization.variant"].create(
            {"slot_id": cls.slot.id, "name": "V", "content": "<p>v</p>"}
        )
        cls.partner = cls.env["res.partner"].create({"name": "Li Wei"})
        cls.exposures = cls.env["personalization.exposure"]

    def _record(self, *visitors, variant=None):
        """Write exposures of ``(partner, anonymous id)``."""
        shown = self.slot._show(self.env["res.partner"])
        note = self.slot._note(shown)
        if variant is not None:
            note["variant"] = variant
        rows = [
            self.exposures._prepare_row(note, "api", None, partner, anonymous_id)
            for partner, anonymous_id in visitors
        ]
        with self.enter_registry_test_mode():
            self.exposures._record(rows)
        self.exposures.invalidate_model()
        return self.exposures.search([("slot_id", "=", self.slot.id)])

    def test_record(self):
        visitors = ((self.partner, ""), (None, "anon"), (None, ""), (None, ""))
        found = self._record(*visitors)
        self.assertEqual(
            set(found.mapped("subject")),
            {f"partner:{self.partner.id}", "anonymous:anon", ""},
        )
        again = self._record(*visitors)
        self.assertEqual(found, again)
        self.assertEqual(again.mapped("count"), [2, 2, 2])
        self.assertEqual(again.variant_id, self.variant)
        self.assertEqual(self.slot.exposure_count, 6)
        self.assertEqual(self.slot.default_share, 0.0)
        self._record((None, ""), variant=0)
        self.slot.invalidate_recordset()
        self.assertAlmostEqual(self.slot.default_share, 1 / 7)

    def test_nothing_to_record(self):
        self.exposures._record([])

    def test_what_was_deleted_meanwhile_is_left_out(self):
        gone = self.env["res.partner"].create({"name": "Gone"})
        note = (gone, "")
        gone_id = gone.id
        gone.unlink()
        row = self.exposures._prepare_row(
            self.slot._note(self.slot._show(self.env["res.partner"])),
            "api",
            None,
            self.env["res.partner"].browse(gone_id),
        )
        self.assertTrue(note)
        with self.enter_registry_test_mode():
            self.exposures._record([row])
        self.assertFalse(self.exposures.search([("slot_id", "=", self.slot.id)]))

    def test_a_variant_that_is_gone_keeps_its_name(self):
        exposure = self._record((self.partner, ""))
        self.variant.unlink()
        exposure.invalidate_recordset()
        self.assertFalse(exposure.variant_id)
        self.assertFalse(exposure.is_default)
        self.assertEqual(exposure.reason, "“V” is shown.")
        self.assertIn(f"#{exposure.variant_ref}", exposure.explanation)

    def test_reason_in_chinese(self):
        exposure = self._record((self.partner, "")).with_context(lang="zh_CN")
        self.assertIn("V", exposure.reason)
        self.assertNotIn("shown", exposure.reason)

    def test_preview_of_an_exposure(self):
        action = self._record((self.partner, "")).action_preview()
        preview = (
            self.env[action["res_model"]].with_context(**action["context"]).create({})
        )
        self.assertEqual(preview.slot_id, self.slot)
        self.assertEqual(preview.partner_id, self.partner)

    def test_buttons(self):
        found = self._record((self.partner, ""), (None, ""))
        self.assertEqual(self.partner.personalization_exposure_count, 1)
        for record, expected in ((self.slot, found), (self.partner, found[:0])):
            action = (
                record.action_view_exposures()
                if record == self.slot
                else record.action_view_personalization_exposures()
            )
            shown = self.exposures.search(action["domain"])
            self.assertEqual(shown, expected or found.filtered("partner_id"))

    def test_rights(self):
        exposure = self._record((self.partner, ""))
        marketer = new_test_user(
            self.env,
            "exposure_marketer",
            "crm_personalization.group_personalization_user",
        )
        stranger = new_test_user(self.env, "exposure_stranger", "base.group_user")
        self.assertTrue(exposure.with_user(marketer).reason)
        for user, operation in (
            (marketer, "write"),
            (marketer, "create"),
            (marketer, "unlink"),
            (stranger, "read"),
        ):
            with self.subTest(operation=operation), self.assertRaises(AccessError):
                exposure.with_user(user).check_access(operation)
        company = self.env["res.company"].create({"name": "Other"})
        self.slot.company_id = company
        self.env.flush_all()
        other = self._record((None, "x")).filtered(lambda e: e.company_id == company)
        with self.assertRaises(AccessError):
            other.with_user(marketer).read(["reason"])

    def test_erasure(self):
        self.env["omni.identity"].create(
            {
                "partner_id": self.partner.id,
                "kind": "anonymous_id",
                "value": "anon",
                "scope": f"company:{self.slot.company_id.id}",
            }
        )
        self._record((self.partner, ""), (None, "anon"), (None, "other"), (None, ""))
        identities = self.env["governance.privacy.request"]._get_identities(
            self.partner
        )
        evidence = self.env["governance.erasure"]._erase_person(
            self.partner, identities
        )
        self.assertIn(
            {
                "model": "personalization.exposure",
                "count": 2,
                "action": "erased",
                "reason": "request",
            },
            evidence,
        )
        left = self.exposures.search([("slot_id", "=", self.slot.id)])
        self.assertEqual(set(left.mapped("subject")), {"anonymous:other", ""})

    def test_erasure_leaves_another_company_with_the_same_browser_id(self):
        """In each company the ID is of somebody else; in the third of nobody."""
        ours = self.slot.company_id
        theirs, third = self.env["res.company"].create(
            [{"name": "Theirs"}, {"name": "Third"}]
        )
        stranger = self.env["res.partner"].create({"name": "Zhang"})
        for partner, company in ((self.partner, ours), (stranger, theirs)):
            source = self.env["behavior.source"].create(
                {"name": "Shop", "code": "shop-both", "company_id": company.id}
            )
            self.env["omni.identity"]._claim(
                partner, "anonymous_id", "anon", f"source:{source.id}"
            )
        for company in (ours, theirs, third):
            self.slot = self.env["personalization.slot"].create(
                {"name": "Top", "code": "top-both", "company_id": company.id}
            )
            self._record((None, "anon"), (None, "told"))
        identities = self.env["governance.privacy.request"]._get_identities(
            self.partner
        )
        self.env["governance.erasure"]._erase_person(
            self.partner, [*identities, ("anonymous_id", "told")]
        )
        of_slots = [("slot_id.code", "=", "top-both")]
        left = self.exposures.search(of_slots)
        self.assertEqual(
            {(one.company_id, one.anonymous_id) for one in left},
            {(theirs, "anon"), (third, "anon")},
        )
        self.env["governance.erasure"]._erase_person(
            stranger, [("anonymous_id", "anon")]
        )
        self.assertEqual(self.exposures.search(of_slots).company_id, third)

    def test_erasure_leaves_the_contacts_below(self):
        below = self.env["res.partner"].create(
            {"name": "Somebody else", "parent_id": self.partner.id}
        )
        self._record((self.partner, ""), (below, ""))
        self.env["governance.erasure"]._erase_person(self.partner, [])
        left = self.exposures.search([("slot_id", "=", self.slot.id)])
        self.assertEqual(left.partner_id, below)

    def test_retention(self):
        kept = self._record((self.partner, ""))
        old = self._record((None, "")) - kept
        old.day = fields.Date.today() - timedelta(days=31)
        self.exposures._gc_exposures()
        self.assertTrue(old.exists())
        self.env["res.config.settings"].create(
            {"personalization_exposure_days": 30}
        ).execute()
        self.exposures._gc_exposures()
        self.assertFalse(old.exists())
        self.assertTrue(kept.exists())

    def test_metrics(self):
        self._record((self.partner, ""), (None, ""))
        self._record((None, ""), variant=0)
        families = {
            f.name: f for f in self.env["governance.metrics"]._metric_families()
        }
        shown = {
            s.labels["variant"]: s.value
            for s in families["crm_personalization_kept_exposures"].samples
            if s.labels["slot"] == "top-test"
        }
        self.assertEqual(shown, {str(self.variant.id): 2, "default": 1})
        errors = {
            s.labels["slot"]: s.value
            for s in families["crm_personalization_kept_errors"].samples
        }
        self.assertEqual(errors["top-test"], 0)
