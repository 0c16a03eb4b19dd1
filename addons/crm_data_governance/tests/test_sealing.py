import base64
import os
import tempfile
from pathlib import Path

from odoo.tests import BaseCase, tagged

from ..tools import sealing


@tagged("post_install", "-at_install")
class TestSealing(BaseCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_round_trip(self):
        key = sealing.make_key()
        for text in ("", "secret", "密码 \0 \n", "x" * 100_000):
            token = sealing.seal(text, key)
            self.assertEqual(sealing.unseal(token, key), text)
            if text:
                self.assertNotIn(text, token)
        self.assertNotEqual(sealing.seal("a", key), sealing.seal("a", key))

    def test_other_key_and_tampering(self):
        key = sealing.make_key()
        token = sealing.seal("secret", key)
        with self.assertRaises(sealing.SealingError):
            sealing.unseal(token, sealing.make_key())
        raw = bytearray(base64.urlsafe_b64decode(token))
        for position in range(len(raw)):
            changed = bytearray(raw)
            changed[position] ^= 1
            with self.assertRaises(sealing.SealingError):
                sealing.unseal(base64.urlsafe_b64encode(changed).decode(), key)

    def test_key_from_the_environment(self):
        key = sealing.make_key()
        environ = {"CRM_SECRET_KEY": f" {key}\n"}
        self.assertEqual(sealing.read_key(environ, self.folder), (key, "environment"))
        self.assertEqual(sealing.ensure_key(environ, self.folder), key)
        self.assertFalse(list(self.folder.iterdir()))
        for bad in ("short", "x" * 44, key[:-4], "é" * 44):
            with self.assertRaises(sealing.SealingError):
                sealing.read_key({"CRM_SECRET_KEY": bad}, self.folder)

    def test_key_file(self):
        self.assertEqual(sealing.read_key({}, self.folder), (None, None))
        folder = self.folder / "made"
        key = sealing.ensure_key({}, folder)
        path = folder / sealing.FILE_NAME
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(folder), [sealing.FILE_NAME])
        self.assertEqual(sealing.ensure_key({}, folder), key)
        self.assertEqual(sealing.read_key({}, folder), (key, "file"))
        path.write_text("broken")
        with self.assertRaises(sealing.SealingError):
            sealing.ensure_key({}, folder)

    def test_fingerprint(self):
        key = sealing.make_key()
        self.assertEqual(sealing.fingerprint(key), sealing.fingerprint(key + "\n"))
        self.assertNotEqual(
            sealing.fingerprint(key), sealing.fingerprint(sealing.make_key())
        )
        self.assertNotIn(sealing.fingerprint(key), key)
