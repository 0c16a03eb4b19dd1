import base64
import csv
import io
import json

import openpyxl

from odoo.exceptions import UserError
from odoo.tests import Form, new_test_user, tagged

from .common import OmniCase


@tagged("post_install", "-at_install")
class TestImport(OmniCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.channel.type = "file"
        cls.user = new_test_user(
            cls.env,
            "omni_importer",
            groups="crm_omnichannel.group_omnichannel_user",
            context={"no_reset_password": True},
        )

    def wizard(self, content, filename):
        form = Form(self.env["omni.import"].with_user(self.user))
        form.channel_id = self.channel
        form.filename = filename
        form.file = base64.b64encode(content).decode()
        return form

    def test_csv_in_gb18030(self):
        content = "id;name;city\r\n1;王伟;上海\r\n2;李娜;杭州;x\r\n3;陈晨;\r\n".encode(
            "gb18030"
        )
        form = self.wizard(content, "客户.csv")
        self.assertEqual(
            (form.file_kind, form.encoding, form.delimiter), ("csv", "gb18030", ";")
        )
        self.assertIn("王伟", form.preview_html)
        wizard = form.save()
        wizard.action_import()
        self.assertEqual(
            (wizard.state, wizard.accepted, wizard.duplicates, wizard.refused),
            ("report", 2, 0, 1),
        )
        self.assertFalse(wizard.file)
        self.assertEqual(wizard.refused_filename, "客户-refused.csv")
        refused = base64.b64decode(wizard.refused_file).decode("utf-8-sig")
        [_head, line] = csv.reader(io.StringIO(refused))
        self.assertEqual(line[:2], ["3", "too_many_cells"])
        self.assertEqual(line[3].strip(), "2;李娜;杭州;x")
        self.assertIn("<td>3</td>", wizard.refused_html)
        self.env["omni.record"]._process_batch(self.channel.record_ids.ids)
        self.assertEqual(
            set(self.channel.record_ids.partner_id.mapped("name")), {"王伟", "陈晨"}
        )
        # the same file again
        wizard = self.wizard(content, "客户.csv").save()
        wizard.action_import()
        self.assertEqual((wizard.accepted, wizard.duplicates), (0, 2))

    def test_workbook(self):
        book = openpyxl.Workbook()
        for row in (["id", "name", "phone"], [1, "Ada", 13916123456], [2, "Bob", None]):
            book.active.append(row)
        buffer = io.BytesIO()
        book.save(buffer)
        form = self.wizard(buffer.getvalue(), "list.xlsx")
        self.assertEqual(form.file_kind, "xlsx")
        wizard = form.save()
        wizard.action_import()
        self.assertEqual((wizard.accepted, wizard.refused), (2, 0))
        self.env["omni.record"]._process_batch(self.channel.record_ids.ids)
        self.assertEqual(
            self.channel.record_ids.partner_id.filtered("phone").phone,
            "+8613916123456",
        )

    def test_json_lines(self):
        lines = [json.dumps({"id": 1, "name": "Ada"}), '{"id": 2, "name": }']
        wizard = self.wizard("\n".join(lines).encode(), "list.jsonl").save()
        wizard.action_import()
        self.assertEqual((wizard.accepted, wizard.refused), (1, 1))
        refused = base64.b64decode(wizard.refused_file).decode("utf-8-sig")
        self.assertIn("unreadable", refused)

    def test_change_of_delimiter_is_seen_at_once(self):
        form = self.wizard(b"a;b,c\n1;2,3\n", "x.csv")
        form.delimiter = ","
        self.assertIn("<th>a;b</th>", form.preview_html)
        form.delimiter = ";"
        self.assertIn("<th>b,c</th>", form.preview_html)

    def test_problem_is_one_sentence(self):
        form = self.wizard(b"a,a\n1,2\n", "x.csv")
        self.assertIn("“a”", form.problem)
        self.assertFalse(form.file_kind)
        with self.assertRaises(UserError):
            form.save().action_import()
        empty = Form(self.env["omni.import"].with_user(self.user))
        empty.channel_id = self.channel
        with self.assertRaises(UserError):
            empty.save().action_import()

    def test_channel_that_takes_no_files(self):
        wizard = self.wizard(b"id,name\n1,A\n", "x.csv").save()
        self.channel.type = "odoo"
        with self.assertRaises(UserError):
            wizard.action_import()

    def test_wizard_belongs_to_who_made_it(self):
        wizard = self.wizard(b"id,name\n1,A\n", "x.csv").save()
        other = new_test_user(
            self.env,
            "omni_other",
            groups="crm_omnichannel.group_omnichannel_user",
            context={"no_reset_password": True},
        )
        found = self.env["omni.import"].with_user(other)
        self.assertFalse(found.search([("id", "=", wizard.id)]))
