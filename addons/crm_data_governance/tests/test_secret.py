import os
import tempfile
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, TransactionCase, tagged
from odoo.tools import config, file_open

from ..tools import sealing


@tagged("post_install", "-at_install")
class TestSecret(TransactionCase):
    def setUp(self):
        super().setUp()
        self.env = self.env(context={**self.env.context, "lang": "en_US"})
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        environ = patch.dict("os.environ")
        environ.start()
        self.addCleanup(environ.stop)
        os.environ[sealing.ENVIRONMENT_NAME] = sealing.make_key()
        self.environ = os.environ
        self.secret = self.env["governance.secret"].create({"name": "Corp secret"})

    def test_seal_and_open(self):
        self.assertEqual(self.secret.state, "empty")
        with self.assertRaises(UserError):
            self.secret._open()
        self.secret._seal("s3cret 密")
        self.assertEqual(self.secret.state, "sealed")
        self.assertEqual(self.secret._open(), "s3cret 密")
        self.env.flush_all()
        self.env.cr.execute("SELECT * FROM governance_secret")
        self.assertNotIn("s3cret", str(self.env.cr.fetchall()))

    def test_saving_returns_no_secret(self):
        [saved] = self.secret.web_save({"value": "typed"}, {"value": {}, "state": {}})
        self.assertFalse(saved["value"])
        self.assertEqual(saved["state"], "sealed")
        self.assertEqual(self.secret._open(), "typed")
        made = self.secret.create({"name": "New", "value": "typed"})
        self.assertFalse(made.value)
        self.assertEqual(made._open(), "typed")

    def test_unreadable_key_file(self):
        del self.environ[sealing.ENVIRONMENT_NAME]
        with (
            tempfile.TemporaryDirectory() as folder,
            patch.dict(config.options, {"data_dir": folder}),
        ):
            for make in (
                lambda path: path.write_bytes(b"\xff\xfe" * 20),
                lambda path: path.symlink_to("/proc/self/mem"),
            ):
                path = Path(folder, sealing.FILE_NAME)
                make(path)
                self.assertEqual(self.secret._read_key(), (None, None))
                self.assertEqual(self.secret.state, "empty")
                with self.assertRaisesRegex(UserError, "CRM_SECRET_KEY"):
                    self.secret._seal("x")
                path.unlink()

    def test_other_key(self):
        self.secret._seal("s3cret")
        self.environ[sealing.ENVIRONMENT_NAME] = sealing.make_key()
        self.env.invalidate_all()
        self.assertEqual(self.secret.state, "lost")
        with self.assertRaisesRegex(UserError, "another key"):
            self.secret._open()
        self.environ[sealing.ENVIRONMENT_NAME] = "nonsense"
        self.env.invalidate_all()
        self.assertEqual(self.secret.state, "lost")
        with self.assertRaisesRegex(UserError, "CRM_SECRET_KEY"):
            self.secret._seal("again")

    def test_form_is_write_only(self):
        with Form(self.secret) as form:
            form.value = "typed"
        self.assertEqual(self.secret._open(), "typed")
        self.env.invalidate_all()
        self.assertFalse(self.secret.value)
        with Form(self.secret) as form:
            form.name = "Renamed"
        self.assertEqual(self.secret._open(), "typed")
        self.secret._seal(False)
        self.assertEqual(self.secret.state, "empty")

    def test_sealed_text_is_nobodys(self):
        self.secret._seal("s3cret")
        admin = self.env.ref("base.user_admin")
        with self.assertRaises(AccessError):
            self.secret.with_user(admin).read(["sealed"])
        self.assertNotIn("sealed", self.secret.with_user(admin).read()[0])

    def test_key_file_in_the_data_folder(self):
        del self.environ[sealing.ENVIRONMENT_NAME]
        with (
            tempfile.TemporaryDirectory() as folder,
            patch.dict(config.options, {"data_dir": folder}),
        ):
            self.assertEqual(self.secret._read_key(), (None, None))
            self.secret._seal("s3cret")
            self.assertEqual(self.secret._read_key()[1], "file")
            self.assertEqual(self.secret._open(), "s3cret")

    def test_neutralize(self):
        self.secret._seal("s3cret")
        credential, key = self.env["governance.credential"]._issue(
            {"name": "Key", "scopes": "x"}
        )
        self.env.flush_all()
        with file_open("crm_data_governance/data/neutralize.sql") as file:
            self.env.cr.execute(file.read())
        self.env.invalidate_all()
        self.assertEqual(self.secret.state, "empty")
        self.assertEqual(credential.state, "no_key")
        with self.assertRaisesRegex(Exception, "401 unauthorized"):
            credential._authenticate(key, "x")
