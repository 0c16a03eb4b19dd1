import json
import shutil
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.modules.module import get_module_path
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from odoo.addons.crm_omnichannel.runner import JobFolder
from odoo.addons.crm_omnichannel.tools import matching


@tagged("post_install", "-at_install")
class TestMatch(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # who is there already is no duplicate of the tests' customers
        cls.env["omni.match.run"].search([]).unlink()
        cls.env["omni.match"].search([]).unlink()
        cls.make(
            [
                {"name": f"{family}{given}", "phone": f"+86 138{number:04}55{place:02}"}
                for place, family in enumerate("赵钱孙李周吴郑冯陈褚")
                for number, given in enumerate(
                    ("子涵", "雨桐", "志强", "国庆", "晓燕"), 1
                )
            ]
        )
        cls.one, cls.two = cls.make(
            [
                {
                    "name": "欧阳伟",
                    "phone": "+86 139 1612 3456",
                    "email": "ouyang@shop.example",
                    "city": "上海",
                },
                {
                    "name": "歐陽偉",
                    "phone": "+86 13916123456",
                    "email": "OuYang@shop.example",
                },
            ]
        )
        cls.father, cls.son = cls.make(
            [
                {
                    "name": "Jonathan Thistlewood",
                    "omni_birthdate": birthdate,
                    "street": "12 Wapping Lane",
                    "zip": "E1W 2RP",
                    "city": "London",
                    "phone": "+44 20 7946 0321",
                }
                for birthdate in ("1950-03-02", "1980-07-11")
            ]
        )

    @classmethod
    def make(cls, rows):
        return cls.env["res.partner"].create(
            [{"country_id": cls.env.ref("base.cn").id, **row} for row in rows]
        )

    def run_match(self, mode="full"):
        """Gather, let the runner match in a process of its own, and collect."""
        run = self.env["omni.match.run"]._start(mode)
        folder = self.copy_of(run.job_id._folder_path())
        self.carry_out(folder)
        run.job_id.write({"state": "done", "result": folder.get("result.json")})
        self.env["omni.match.run"]._collect(run.job_id, folder.path)
        return run

    def copy_of(self, path):
        copy = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, copy)
        shutil.copytree(path, copy, dirs_exist_ok=True)
        return JobFolder(copy)

    def carry_out(self, folder):
        runner = Path(get_module_path("crm_omnichannel"), "runner.py")
        done = subprocess.run(
            [sys.executable, runner, folder.path],
            cwd=folder.path,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def pair(self, one, other):
        left, right = sorted((one.id, other.id))
        return self.env["omni.match"].search(
            [("left_id", "=", left), ("right_id", "=", right)]
        )

    def merge_of(self, source):
        return self.env["omni.merge"].search([("source_id", "=", source.id)])

    # --- WHAT A RUN FINDS ---

    def test_found_and_explained(self):
        run = self.run_match()
        match = self.pair(self.one, self.two)
        self.assertEqual(match.state, "proposed")
        self.assertTrue(match.sure)
        self.assertGreater(match.probability, 0.95)
        self.assertIn("The same name", match.explanation_text)
        chinese = match.with_context(lang="zh_CN")
        self.assertIn("姓名相同", chinese.explanation_text)
        # the explanation holds codes and figures, no value of a person
        stored = json.dumps(match.explanation, ensure_ascii=False)
        for value in ("欧阳", "ouyang", "1612", "上海"):
            self.assertNotIn(value, stored)
        html = match.comparison_html
        self.assertIn("歐陽偉", html)
        self.assertIn("strongly for one customer", html)
        self.assertTrue(run.done)
        self.assertGreaterEqual(run.record_count, 54)

    def test_father_and_son_wait_for_a_person(self):
        self.run_match()
        self.assertFalse(self.pair(self.father, self.son).sure)

    def test_others_are_left_alone(self):
        """One office, one family, one kind of firm, a firm and its people: no pairs."""
        office = self.make(
            [
                {"name": name, "phone": "+86 21 6288 1180"}
                for name in ("张三丰", "李四光")
            ]
        )
        family = self.make(
            [
                {
                    "name": name,
                    "omni_birthdate": birthdate,
                    "street": "南京西路 1515 号",
                    "city": "上海",
                    "zip": "200040",
                    "phone": "+86 13816120001",
                }
                for name, birthdate in (
                    ("谭建国", "1961-02-03"),
                    ("谭美丽", "1988-09-01"),
                )
            ]
        )
        firms = self.make(
            [
                {"name": name, "is_company": True, "city": "上海"}
                for name in ("上海明华贸易有限公司", "上海青禾贸易有限公司")
            ]
        )
        boss = self.make(
            [
                {
                    "name": "Ida Kowalczyk",
                    "email": "ida@ik.example",
                    "phone": "+4940555014",
                }
            ]
        )
        child = self.make(
            [
                {
                    "name": "Ida Kowalczyk",
                    "email": "ida@ik.example",
                    "phone": "+4940555014",
                    "parent_id": boss.id,
                }
            ]
        )
        self.run_match()
        for one, other in (office, family, firms, (boss, child)):
            match = self.pair(one, other)
            self.assertFalse(match, (one.name, other.name, match.probability))

    def test_employees_and_companies_are_no_customers(self):
        new_test_user(self.env, "ouyang", name="欧阳伟", email="ouyang@shop.example")
        user = self.env["res.users"].search([("login", "=", "ouyang")])
        user.partner_id.phone = "+86 139 1612 3456"
        self.run_match()
        self.assertFalse(self.pair(self.one, user.partner_id))

    def test_companies_stay_apart(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.one.company_id, self.two.company_id = self.env.company, other
        self.run_match()
        self.assertFalse(self.pair(self.one, self.two))
        self.two.company_id = False
        self.run_match()
        match = self.pair(self.one, self.two)
        self.assertEqual(match.company_id, self.env.company)
        stranger = new_test_user(
            self.env,
            "stranger",
            groups="crm_omnichannel.group_omnichannel_user",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        found = self.env["omni.match"].with_user(stranger).search([])
        self.assertNotIn(match, found)

    def test_fresh_equals_full(self):
        """New against existing finds what a run over all finds of the new ones."""
        self.run_match()
        self.env["omni.match"].search([]).unlink()
        self.env.cr.execute(
            "UPDATE res_partner SET write_date = %s",
            [fields.Datetime.now() - timedelta(days=9)],
        )
        new = self.make(
            [{"name": "赵子涵", "phone": "+86 13800015500"}, {"name": "钱雨桐二"}]
        )
        run = self.run_match("fresh")
        self.assertEqual(run.mode, "fresh")
        fresh = {
            (match.left_id, match.right_id): match.probability
            for match in self.env["omni.match"].search([])
        }
        self.assertTrue(fresh)
        self.assertTrue(all(set(pair) & set(new) for pair in fresh))
        self.env["omni.match"].search([]).unlink()
        # the same weights over all
        folder = self.copy_of(run.job_id._folder_path())
        (folder.path / matching.RECORDS).write_bytes(
            self.env["omni.match.run"]._gather(None)
        )
        self.carry_out(folder)
        lines = (folder.path / matching.PAIRS).read_text().splitlines()
        full = {
            (left, right): probability
            for left, right, probability, *_more in map(json.loads, lines)
        }
        self.assertEqual(
            {(one.id, two.id): round(p, 6) for (one, two), p in fresh.items()},
            {pair: p for pair, p in full.items() if set(pair) & set(new.ids)},
        )

    def test_what_could_not_be_learned_is_said(self):
        self.env.cr.execute("UPDATE res_partner SET active = false WHERE is_company")
        self.env.invalidate_all()
        self.make([{"name": "Wapping Timber Ltd", "is_company": True}])
        run = self.run_match()
        codes = {code: params for code, params in run.notes}
        self.assertEqual(codes["match_few"]["kind"], "company")
        self.assertIn("fewer than 50 companies", run.note_text)
        self.assertRegex(run.with_context(lang="zh_CN").note_text, "[\u4e00-\u9fff]{6}")

    # --- DECISIONS ---

    def test_rejected_is_not_proposed_again_unless_changed(self):
        self.run_match()
        match = self.pair(self.one, self.two)
        match.action_reject()
        self.run_match()
        self.assertEqual(match.state, "rejected")
        # what is not compared changes nothing
        self.two.comment = "Called on Monday."
        self.run_match()
        self.assertEqual(match.state, "rejected")
        self.two.city = "上海"
        self.run_match()
        self.assertEqual(match.state, "proposed")

    def test_a_proposal_that_is_no_more_goes(self):
        self.run_match()
        match = self.pair(self.one, self.two)
        self.two.write({"name": "张无忌", "phone": False, "email": False})
        self.run_match()
        self.assertFalse(match.exists())

    def test_merged_unasked(self):
        self.run_match()
        waiting = self.env["omni.match"].search([("sure", "=", True)])
        waiting._merge_unasked()
        merge = self.merge_of(self.two)
        self.assertEqual((merge.target_id, merge.rule), (self.one, "match"))
        self.assertFalse(self.merge_of(self.father) | self.merge_of(self.son))
        self.assertEqual(self.pair(self.one, self.two).state, "merged")
        # taken back by a person: told apart from now on
        merge.action_undo()
        self.assertTrue(self.two.active)
        self.run_match()
        self.assertEqual(self.pair(self.one, self.two).state, "rejected")

    def test_a_pair_stays_with_the_two_who_were_compared(self):
        [fay] = self.make([{"name": "Fay"}])
        pairs = self.env["omni.match"].create(
            [
                {"left_id": self.one.id, "right_id": fay.id, "probability": 0.6},
                {"left_id": self.two.id, "right_id": fay.id, "probability": 0.6},
            ]
        )
        self.assertEqual(fay.omni_match_count, 2)
        merge = self.env["omni.merge"]._merge(fay, self.one, "manual")
        self.assertEqual(pairs.left_id, self.one | self.two)
        self.assertFalse(
            merge.line_ids.filtered(lambda line: line.table_name == "omni_match")
        )
        # the one that is gone waits for nobody
        fay.invalidate_recordset()
        self.assertEqual(fay.omni_match_count, 1)
        self.assertEqual(
            self.env["omni.match"].search(self.env["omni.match"]._open_domain())
            & pairs,
            pairs[1],
        )
        merge.action_undo()
        fay.invalidate_recordset()
        self.assertEqual(fay.omni_match_count, 2)

    def test_what_cannot_be_merged_waits_and_says_why(self):
        for number, partner in enumerate((self.one, self.two)):
            self.env["res.users"].create(
                {
                    "login": f"shopper{number}",
                    "partner_id": partner.id,
                    "group_ids": [(6, 0, self.env.ref("base.group_portal").ids)],
                }
            )
        self.run_match()
        match = self.pair(self.one, self.two)
        match._merge_unasked()
        self.assertEqual((match.state, match.sure), ("proposed", False))
        self.assertEqual(match.refusal_code, "refused_users")
        self.assertIn("both have a user account", match.refusal)
        self.assertRegex(match.with_context(lang="zh_CN").refusal, "[\u4e00-\u9fff]{6}")

    def test_nothing_unasked_when_switched_off(self):
        self.env["ir.config_parameter"].set_param(
            "crm_omnichannel.match_merge_unasked", False
        )
        self.run_match()
        self.assertFalse(self.env["omni.match"].search([("sure", "=", True)]))

    def test_merged_by_hand(self):
        self.run_match()
        match = self.pair(self.one, self.two)
        match.action_merge_right()
        merge = self.merge_of(self.one)
        self.assertEqual((merge.target_id, merge.rule), (self.two, "manual"))
        self.assertEqual(match.state, "merged")
        with self.assertRaises(UserError):
            match.action_reject()

    def test_rights(self):
        self.run_match()
        match = self.pair(self.one, self.two)
        reader = new_test_user(
            self.env, "reader", groups="crm_omnichannel.group_omnichannel_user"
        )
        with self.assertRaises(AccessError):
            match.with_user(reader).action_reject()
        with self.assertRaises(AccessError):
            match.with_user(reader).write({"state": "rejected"})
        with self.assertRaises(UserError):
            self.env["omni.match.run"].with_user(reader).action_start_full()
        writer = new_test_user(
            self.env,
            "writer",
            groups="crm_omnichannel.group_omnichannel_user,base.group_partner_manager",
        )
        match.with_user(writer).action_reject()
        self.assertEqual(match.decided_by_id, writer)
        outsider = new_test_user(self.env, "outsider", groups="base.group_user")
        with self.assertRaises(AccessError):
            match.with_user(outsider).read(["probability"])

    # --- SETTINGS ---

    def test_preview_counts_what_a_threshold_would_do(self):
        run = self.run_match()
        found = self.env["omni.match"].search([])
        settings = self.env["res.config.settings"].create(
            {
                "omni_match_merge_unasked": True,
                "omni_match_merge_from": 0.95,
                "omni_match_propose_from": 0.5,
            }
        )
        sure = len(found.filtered("sure"))
        self.assertEqual(
            matching.outcome(run.preview, 0.95, 0.5, True), (sure, len(found) - sure)
        )
        self.assertIn(f" {len(found) - sure} pairs", settings.omni_match_preview)
        settings.omni_match_merge_unasked = False
        self.assertIn(f" {len(found)} pairs", settings.omni_match_preview)
        with self.assertRaises(ValidationError):
            settings.omni_match_propose_from = 0.99

    # --- THE HINT ---

    def test_hint_while_typing(self):
        def hint(**values):
            return self.env["res.partner"].new(values).omni_match_hint

        self.assertFalse(hint(name="Ouyang Wei"))
        self.assertIn(
            f"/odoo/res.partner/{self.one.id}",
            hint(name="Ouyang Wei", email="ouyang@shop.example"),
        )
        self.assertFalse(hint(name="Somebody Else", email="ouyang@shop.example"))

    def test_hint_on_a_lead_that_names_no_customer(self):
        form = Form(self.env["crm.lead"])
        form.name = "Asked for a price"
        form.contact_name = "Ouyang Wei"
        self.assertFalse(form.omni_match_hint)
        form.email_from = "ouyang@shop.example"
        self.assertIn(f"/odoo/res.partner/{self.one.id}", form.omni_match_hint)
        form.partner_id = self.one
        self.assertFalse(form.omni_match_hint)

    def test_hint_weighs_as_the_run_does(self):
        self.run_match()
        match = self.pair(self.one, self.two)
        [(probability, partner)] = self.one._match_candidates()
        self.assertEqual(partner, self.two)
        self.assertAlmostEqual(probability, match.probability, 5)
        match.action_reject()
        self.assertFalse(self.one._match_candidates())

    def test_hint_costs_few_queries(self):
        self.run_match()
        self.one._match_candidates()
        self.make([{"name": "欧阳伟", "city": str(number)} for number in range(30)])
        self.env.flush_all()
        self.env.invalidate_all()
        self.one.fetch(["name"])
        with self.assertQueryCount(12):
            self.one._match_candidates()

    # --- HOOKS ---

    def test_hooks(self):
        self.run_match()
        match = self.pair(self.one, self.two)
        families = {
            family.name: family
            for family in self.env["governance.metrics"]._metric_families()
        }
        samples = {
            sample.labels["state"]: sample.value
            for sample in families["crm_omnichannel_matches"].samples
        }
        self.assertEqual(
            samples["proposed"],
            self.env["omni.match"].search_count([("state", "=", "proposed")]),
        )
        result = self.env["governance.erasure"]._erase_person(self.two, [])
        self.assertIn("omni.match", {row["model"] for row in result})
        self.assertFalse(match.exists())
