from datetime import datetime, timedelta
from unittest.mock import patch

from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..messages import ERRORS, MERGE_PROBLEMS, OUTCOMES, VERDICTS

NOW = datetime(2026, 3, 2, 9, 0)


@tagged("post_install", "-at_install")
class TestPersonalizationSlot(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "no_reset_password": True})
        cls.manager = new_test_user(
            cls.env, "slot_manager", "crm_personalization.group_personalization_manager"
        )
        cls.marketer = new_test_user(
            cls.env, "marketer", "crm_personalization.group_personalization_user"
        )
        cls.stranger = new_test_user(cls.env, "slot_stranger", "base.group_user")
        cls.slot = (
            cls.env["personalization.slot"]
            .with_user(cls.manager)
            .create(
                {
                    "name": "Banner",
                    "code": "banner-test",
                    "default_content": "<p>Welcome</p>",
                }
            )
        )
        cls.company, cls.person = cls.env["res.partner"].create(
            [
                {"name": "Acme & <b>Sons</b>", "is_company": True, "city": "Shanghai"},
                {"name": "Li Wei", "lang": "zh_CN"},
            ]
        )
        cls.companies = cls._variant(
            name="Companies",
            sequence=1,
            audience='[("is_company", "=", True)]',
            content="<p>Hello {{ object.name ||| you }} of {{ object.city }}</p>",
        )
        cls.everybody = cls._variant(name="Everybody", sequence=2)

    @classmethod
    def _variant(cls, **values):
        return (
            cls.env["personalization.variant"]
            .with_user(cls.marketer)
            .create({"slot_id": cls.slot.id, "content": "<p>x</p>", **values})
        )

    def _codes(self, decision):
        return {v["variant"].name: v["code"] for v in decision["verdicts"]}

    def test_decide(self):
        decision = self.slot._decide(self.company, NOW)
        self.assertEqual(decision["variant"], self.companies)
        self.assertEqual(
            self._codes(decision), {"Companies": "chosen", "Everybody": "outranked"}
        )
        decision = self.slot._decide(self.person, NOW)
        self.assertEqual(decision["variant"], self.everybody)
        self.assertEqual(
            self._codes(decision), {"Companies": "audience", "Everybody": "chosen"}
        )

    def test_unknown_visitor(self):
        """A stranger is in no audience, not even in one of "is not"."""
        self.companies.audience = '[("is_company", "=", False)]'
        nobody = self.env["res.partner"]
        self.assertEqual(self.slot._decide(nobody, NOW)["variant"], self.everybody)
        self.everybody.active = False
        decision = self.slot._decide(nobody, NOW)
        self.assertFalse(decision["variant"])
        self.assertEqual(decision["code"], "default_none_fits")
        self.companies.active = False
        self.assertEqual(self.slot._decide(nobody, NOW)["code"], "default_empty")

    def test_schedule(self):
        self.companies.date_end = NOW
        self.everybody.date_start = NOW + timedelta(hours=1)
        decision = self.slot._decide(self.company, NOW)
        self.assertEqual(
            self._codes(decision), {"Companies": "ended", "Everybody": "not_started"}
        )
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self.companies.date_start = NOW
            self.env.flush_all()

    def test_audience_with_relative_dates_and_paths(self):
        self.companies.audience = (
            '[("create_date", ">=", "-1d"), ("country_id.code", "=", "CN")]'
        )
        self.assertEqual(self.slot._decide(self.company)["variant"], self.everybody)
        self.company.country_id = self.env.ref("base.cn")
        self.assertEqual(self.slot._decide(self.company)["variant"], self.companies)

    def test_wrong_audiences_are_refused(self):
        for wrong in (
            "[",
            "[('no_such_field', '=', 1)]",
            "[('id', 'in', __import__('os').listdir('/'))]",
            "[('user_id', '=', uid)]",
            "['&']",
            "{}",
            "1",
            "[('user_id.password', '=', 'x')]",
        ):
            with self.subTest(wrong=wrong), self.assertRaises(ValidationError):
                self.companies.audience = wrong

    def test_the_authors_rights_bind_the_audience(self):
        marketer = new_test_user(
            self.env,
            "audience_marketer",
            "crm_personalization.group_personalization_manager",
        )
        self.patch(self.env.registry["res.partner"]._fields["ref"], "groups", ".")
        variant = self.companies.with_user(marketer)
        with self.assertRaises(AccessError):
            variant.audience = '[("ref", "=", "x")]'
        with self.assertRaises(AccessError):
            variant.create(
                {
                    "slot_id": variant.slot_id.id,
                    "name": "Spy",
                    "audience": '[("ref", "=", "x")]',
                }
            )
        variant.audience = '[("is_company", "=", True)]'

    def test_audience_count(self):
        self.companies.audience = f"[('id', 'in', {[self.company.id, self.person.id]})]"
        self.assertEqual(self.companies.audience_count, 2)
        action = self.companies.action_view_audience()
        self.assertEqual(
            self.env["res.partner"].search(action["domain"]),
            self.env["res.partner"].search(
                [("id", "in", (self.company | self.person).ids)]
            ),
        )

    def test_render(self):
        self.assertEqual(
            self.slot._render_for(self.companies, self.company),
            "<p>Hello Acme &amp; &lt;b&gt;Sons&lt;/b&gt; of Shanghai</p>",
        )
        self.assertEqual(
            self.slot._render_for(self.companies, self.env["res.partner"]),
            "<p>Hello you of </p>",
        )
        self.assertEqual(
            self.slot._render_for(self.companies.browse(), self.person),
            "<p>Welcome</p>",
        )

    def test_value_that_may_not_be_read(self):
        partner_class = self.env.registry["res.partner"]
        has_access = partner_class._has_field_access

        def deny(record, field, operation):
            return field.name != "city" and has_access(record, field, operation)

        with patch.object(partner_class, "_has_field_access", deny):
            rendered = self.slot.with_user(self.marketer)._render_for(
                self.companies, self.company.with_user(self.marketer)
            )
        self.assertTrue(rendered.endswith(" of </p>"), rendered)

    def test_wrong_merge_fields_are_refused(self):
        for wrong, word in [
            ("<p>{{ object.sudo().env }}</p>", "sudo"),
            ("<p>{{ object.signup_token }}</p>", "signup_token"),
            ("<p>{{ ctx }}</p>", "ctx"),
            ('<a href="/{{ object.name }}">x</a>', "href"),
        ]:
            with self.subTest(wrong=wrong):
                with self.assertRaisesRegex(ValidationError, word):
                    self.companies.content = wrong
                with self.assertRaisesRegex(ValidationError, word):
                    self.slot.default_content = wrong

    def test_preview(self):
        preview = self.env["personalization.slot.preview"].with_user(self.marketer)
        with Form(preview.with_context(default_slot_id=self.slot.id)) as form:
            form.partner_id = self.company
            self.assertIn("Acme &amp; &lt;b&gt;", form.content)
            self.assertEqual(form.outcome, "“Companies” is shown.")
            self.assertIn("comes first", form.verdicts)
            form.partner_id = self.person
            self.assertEqual(form.lang, "zh_CN")
            self.assertEqual(form.variant_id, self.everybody)
            form.partner_id = self.env["res.partner"]
            self.assertEqual(form.variant_id, self.everybody)

    def test_preview_in_the_language_of_the_customer(self):
        self.everybody.update_field_translations("content", {"zh_CN": {"x": "您好"}})
        preview = self.env["personalization.slot.preview"].create(
            {"slot_id": self.slot.id, "partner_id": self.person.id}
        )
        self.assertIn("您好", preview.content)
        preview.lang = "en_US"
        self.assertNotIn("您好", preview.content)

    def test_reasons_in_chinese(self):
        self.companies.date_end = NOW
        slot = self.slot.with_context(lang="zh_CN")
        decision = slot._decide(self.company, NOW)
        texts = [slot._verdict_text(v) for v in decision["verdicts"]]
        texts.append(slot._outcome_text(decision))
        self.assertIn("Everybody", texts[-1])
        for text in texts:
            self.assertNotRegex(text, "shown|Shown")

    def test_each_code_has_words(self):
        params = {
            "at": "x", "by": "x", "variant": "x", "field": "x", "known": "x",
            "attribute": "x", "segments": "x", "error": "x", "code": "x", "limit": 1,
        }  # fmt: skip
        for lang in ("en_US", "zh_CN"):
            env = self.env(context={"lang": lang})
            for message in (
                *VERDICTS.values(),
                *OUTCOMES.values(),
                *MERGE_PROBLEMS.values(),
                *ERRORS.values(),
            ):
                self.assertTrue(str(env._(message)) % params)

    def test_code(self):
        with self.assertRaises(ValidationError):
            self.slot.code = "Home Banner"
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            self.slot.create({"name": "x", "code": "banner-test"})
            self.env.flush_all()

    def test_same_code_on_another_website(self):
        website = self.env["website"].search(
            [("company_id", "=", self.slot.company_id.id)], limit=1
        )
        other = self.slot.create(
            {"name": "x", "code": "banner-test", "website_id": website.id}
        )
        self.env.flush_all()
        self.assertTrue(other)

    def test_copy(self):
        copy = self.slot.copy()
        self.assertEqual(copy.code, "banner-test-copy")
        self.assertEqual(copy.variant_ids.mapped("name"), ["Companies", "Everybody"])

    def test_rights(self):
        slot = self.slot.with_user(self.marketer)
        self.assertEqual(slot.name, "Banner")
        with self.assertRaises(AccessError):
            slot.name = "x"
        self.everybody.with_user(self.marketer).name = "All"
        for record in (self.slot, self.everybody):
            with self.assertRaises(AccessError):
                record.with_user(self.stranger).read(["name"])

    def test_companies(self):
        company = self.env["res.company"].create({"name": "Other company"})
        other = self.env["personalization.slot"].create(
            {
                "name": "x",
                "code": "banner-test",
                "company_id": company.id,
                "variant_ids": [fields.Command.create({"name": "v"})],
            }
        )
        self.assertNotIn(other, self.slot.search([]))
        for record in (other, other.variant_ids):
            with self.assertRaises(AccessError):
                record.with_user(self.manager).read(["name"])

    def test_lineage(self):
        segment = self.env["omni.segment"].create(
            {"name": "Loyal", "code": "loyal-test"}
        )
        self.companies.segment_ids = segment
        edges = set(self.env["governance.lineage"]._lineage_edges())
        slot = f"slot:{self.slot.company_id.id}/banner-test"
        variant = f"variant:{self.companies.id}"
        self.assertEqual(
            {
                (e.source, e.target, e.kind, e.direct)
                for e in edges
                if e.target in (slot, variant)
            },
            {
                ("res.partner.name", variant, "merge", True),
                ("res.partner.city", variant, "merge", True),
                ("res.partner.is_company", variant, "audience", False),
                (
                    f"segment:{segment.company_id.id}/loyal-test",
                    variant,
                    "audience",
                    False,
                ),
                (variant, slot, "variant", True),
                (f"variant:{self.everybody.id}", slot, "variant", True),
            },
        )

    def test_lineage_names(self):
        """Each node and each edge in words, and the record behind a node."""
        hook = self.env["governance.lineage"]
        nodes = {
            f"slot:{self.slot.company_id.id}/banner-test": (
                f"{self.slot.display_name} (Slot)",
                self.slot,
            ),
            f"variant:{self.companies.id}": (
                f"{self.companies.display_name} (Variant)",
                self.companies,
            ),
        }
        labels = hook._lineage_labels([*nodes])
        for node, (label, record) in nodes.items():
            self.assertEqual(labels[node], label)
            action = hook._lineage_action(node)
            self.assertEqual(
                (action["res_model"], action["res_id"]), (record._name, record.id)
            )
        names = self.env["governance.lineage.edge"]._kind_names()
        kinds = {edge.kind for edge in hook._lineage_edges()}
        self.assertLessEqual(kinds, names.keys())

    def test_metrics(self):
        def running():
            families = self.env["governance.metrics"]._metric_families()
            family = {f.name: f for f in families}["crm_personalization_variants"]
            return sum(
                s.value
                for s in family.samples
                if s.labels["state"] == "running"
                and s.labels["company"] == str(self.slot.company_id.id)
            )

        before = running()
        self.companies.date_end = datetime(2020, 1, 1)
        self.assertEqual(running(), before - 1)

    def test_decision_costs_the_same_for_many_variants(self):
        def queries():
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.env.cr.sql_log_count
            self.slot._decide(self.company, NOW)
            return self.env.cr.sql_log_count - before

        queries()
        few = queries()
        self.env["personalization.variant"].create(
            [
                {
                    "slot_id": self.slot.id,
                    "name": f"v{n}",
                    "audience": f'[("city", "=", "c{n}")]',
                }
                for n in range(100)
            ]
        )
        # The new ones have emptied the caches of the registry.
        queries()
        self.assertLessEqual(queries(), few + 1)
