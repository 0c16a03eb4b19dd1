import base64

from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..messages import FINDINGS, INCIDENTS, REFUSALS, RULES, STEPS, render
from ..tools import bpmn
from .diagrams import END, GOOD, START, flow, line, node, process

BROKEN = process(START, node("userTask", "ask", name="问需求"), flow("start", "ask"))


@tagged("post_install", "-at_install")
class TestBpmnProcess(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "no_reset_password": True})
        cls.designer = new_test_user(
            cls.env, "designer", "crm_sales_automation.group_sales_automation_manager"
        )
        cls.reader = new_test_user(
            cls.env, "reader", "crm_sales_automation.group_sales_automation_user"
        )
        cls.stranger = new_test_user(cls.env, "process_stranger", "base.group_user")
        cls.processes = cls.env["bpmn.process"].with_user(cls.designer)
        cls.process = cls.processes.create({"name": "Quotation", "xml": GOOD})

    def test_create(self):
        self.assertRecordValues(
            self.process,
            [{"key": "quotation", "version": 1, "state": "draft", "error_count": 0}],
        )
        self.assertEqual(self.process.display_name, "Quotation, version 1")

    def test_versions_count_up(self):
        self.assertEqual(self.processes._import(GOOD.encode()).version, 2)
        batch = self.processes.create([{"name": "x", "xml": GOOD}] * 2)
        self.assertEqual(batch.mapped("version"), [3, 4])
        other = process(START, END, flow("start", "end"), key="other")
        imported = self.processes._import(other.encode())
        self.assertEqual((imported.key, imported.version), ("other", 1))
        self.assertEqual(self.process.version_count, 4)

    def test_state_is_not_written_by_create(self):
        made = self.processes.create({"name": "x", "xml": BROKEN, "state": "deployed"})
        self.assertEqual(made.state, "draft")

    def test_hostile_files_are_refused_in_words(self):
        laughs = '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
        for xml, word in [
            (laughs, "document type"),
            ("", "empty"),
            ("x", "line 1"),
            ("<x>" * 200, "100 levels"),
        ]:
            with self.subTest(xml=xml), self.assertRaisesRegex(UserError, word):
                self.processes.create({"name": "x", "xml": xml})
        with self.assertRaisesRegex(UserError, "document type"):
            self.process.xml = laughs
        with self.assertRaisesRegex(UserError, "文档类型"):
            self.process.with_context(lang="zh_CN").xml = laughs

    def test_findings(self):
        self.process.xml = BROKEN
        self.assertEqual(self.process.error_count, 1)
        finding = self.process.finding_ids
        self.assertRecordValues(
            finding,
            [{"code": "dead_end", "element_id": "ask", "element_name": "问需求"}],
        )
        self.assertEqual(finding.message, "“问需求” leads nowhere and is no end event.")
        self.assertIn("问需求", finding.with_context(lang="zh_CN").message)
        self.assertNotIn("nowhere", finding.with_context(lang="zh_CN").message)
        self.process.xml = GOOD
        self.assertFalse(self.process.finding_ids)

    def test_each_code_has_words(self):
        """Every code renders with the parameters that the lint gives."""
        params = {
            "shape": "“x”", "type": "task", "times": 2, "target": "t", "flow": "f",
            "gateway": "g", "event": "e", "marker": "m", "count": 3,
            "limit_mb": 5, "encoding": "x", "limit": 9, "line": 1, "error": "forbidden",
            "details": {"construct": "Pow"}, "condition": "c", "name": "n",
            "action": "a", "parameter": "p", "days": "d", "variable": "v", "stage": "s",
            "template": "t", "login": "l", "detail": "d", "order": "o", "former": "f",
            "summary": "s", "outcome": "o",
        }  # fmt: skip
        for lang in ("en_US", "zh_CN"):
            env = self.env(context={"lang": lang})
            for table in (FINDINGS, REFUSALS, INCIDENTS, STEPS, RULES):
                for code in table:
                    with self.subTest(code=code, lang=lang):
                        self.assertNotIn(render(env, table, code, params), ("", code))
        documented = bpmn.lint.__doc__
        documented += self.env["bpmn.instance"]._check_references.__doc__
        for code in FINDINGS:
            self.assertIn(f"``{code}``", documented)

    def test_deploy(self):
        self.process.action_deploy()
        self.assertEqual(self.process.state, "deployed")
        self.assertEqual(self.process.deployed_by_id, self.designer)
        second = self.processes._import(GOOD.encode())
        second.action_deploy()
        self.assertEqual((self.process.state, second.state), ("retired", "deployed"))
        # Undo: the former one again.
        self.process.action_deploy()
        self.assertEqual((self.process.state, second.state), ("deployed", "retired"))
        self.process.action_retire()
        self.assertEqual(self.process.state, "retired")

    def test_deploy_refuses_with_the_findings(self):
        self.process.xml = BROKEN
        with self.assertRaisesRegex(UserError, "“问需求” leads nowhere"):
            self.process.action_deploy()
        self.assertEqual(self.process.state, "draft")
        with self.assertRaises(UserError) as caught:
            self.process.with_context(lang="zh_CN").action_deploy()
        self.assertIn("问需求", str(caught.exception))
        self.assertNotIn("deployed", str(caught.exception))

    def test_many_findings_are_cut(self):
        self.process.xml = process(
            START,
            END,
            flow("start", "end"),
            *(node("task", f"t{n}") for n in range(30)),
        )
        self.assertEqual(self.process.error_count, 30)
        with self.assertRaisesRegex(UserError, "20 more"):
            self.process.action_deploy()

    def test_deployed_is_not_changed(self):
        self.process.action_deploy()
        for values in ({"xml": BROKEN}, {"company_id": self.env.company.id}):
            with self.assertRaises(UserError):
                self.process.write(values)
        with self.assertRaises(UserError):
            self.process.unlink()
        with self.assertRaises(ValidationError):
            self.process.action_archive()
        self.process.name = "Renamed"
        self.process.action_retire()
        with self.assertRaises(UserError):
            self.process.xml = BROKEN
        self.process.action_archive()

    def test_one_deployed_version(self):
        self.process.action_deploy()
        second = self.processes._import(GOOD.encode())
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError):
            second.state = "deployed"
            self.env.flush_all()

    def test_new_version(self):
        self.process.action_deploy()
        draft = self.processes.browse(self.process.action_new_version()["res_id"])
        self.assertRecordValues(
            draft,
            [{"name": "Quotation", "version": 2, "state": "draft", "xml": GOOD}],
        )

    def test_changed_key_is_another_process(self):
        self.process.xml = GOOD.replace('id="quotation"', 'id="another"')
        self.assertEqual((self.process.key, self.process.version), ("another", 1))

    def test_import_wizard(self):
        wizard = self.env["bpmn.process.import"].with_user(self.designer)
        action = wizard.create(
            {"file": base64.b64encode(GOOD.encode()), "file_name": "a.bpmn"}
        ).action_import()
        self.assertEqual(self.processes.browse(action["res_id"]).name, "Quotation")
        with self.assertRaises(UserError):
            wizard.create({}).action_import()
        for language, name in (("en", "Sales quotation"), ("zh", "销售报价流程")):
            ready = wizard.create({"origin": "ready", "language": language})
            made = self.processes.browse(ready.action_import()["res_id"])
            self.assertEqual(made.name, name)
            made.action_deploy()
            self.assertEqual(made.state, "deployed")
        chinese = wizard.with_context(lang="zh_CN").create({"origin": "ready"})
        self.assertEqual(chinese.language, "zh")

    def test_rights(self):
        seen = self.process.with_user(self.reader)
        self.assertEqual(seen.state, "draft")
        for act in (
            seen.action_deploy,
            seen.action_check_diagram,
            seen.action_new_version,
            seen.unlink,
        ):
            with self.subTest(act=act.__name__), self.assertRaises(AccessError):
                act()
        with self.assertRaises(AccessError):
            self.env["bpmn.process.import"].with_user(self.reader).create({})
        with self.assertRaises(AccessError):
            self.process.with_user(self.stranger).read(["name"])

    def test_companies(self):
        company = self.env["res.company"].create({"name": "Other company"})
        other = self.env["bpmn.process"].create(
            {"name": "x", "xml": BROKEN, "company_id": company.id}
        )
        self.assertEqual(other.version, 1)
        self.assertNotIn(other, self.processes.search([]))
        with self.assertRaises(AccessError):
            other.with_user(self.designer).read(["name"])
        with self.assertRaises(AccessError):
            other.finding_ids.with_user(self.designer).read(["code"])
        self.process.action_deploy()
        other.xml = GOOD
        other.action_deploy()
        self.assertEqual((self.process.state, other.state), ("deployed", "deployed"))

    def test_metrics(self):
        def count():
            families = self.env["governance.metrics"]._metric_families()
            family = {f.name: f for f in families}["crm_sales_processes"]
            return {
                s.labels["state"]: s.value
                for s in family.samples
                if s.labels["company"] == str(self.env.company.id)
            }

        before = count()
        self.process.action_deploy()
        after = count()
        self.assertEqual(after["deployed"], before.get("deployed", 0) + 1)


@tagged("post_install", "-at_install")
class TestBpmnExport(HttpCase):
    def test_export_is_the_file(self):
        user = new_test_user(
            self.env,
            "exporter",
            "crm_sales_automation.group_sales_automation_user",
            context={"no_reset_password": True},
        )
        data = process(
            START, "<!-- 备注 -->", node("task", "t"), END, line("start", "t", "end")
        ).encode()
        made = self.env["bpmn.process"]._import(data)
        self.authenticate(user.login, user.login)
        response = self.url_open(made.with_user(user).action_export()["url"])
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.content, data)
        self.assertIn("quotation.v1.bpmn", response.headers["Content-Disposition"])
