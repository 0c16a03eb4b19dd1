import hashlib

from odoo.tests import BaseCase, tagged

from ..tools.keys import MAX_KEY_LENGTH, new_key, read_prefix, same_key
from ..tools.language import pick_language


@tagged("post_install", "-at_install")
class TestKeys(BaseCase):
    def test_new_key(self):
        for kind, mark in (("secret", "gsk_"), ("public", "gpk_")):
            made = new_key(kind)
            self.assertTrue(made.key.startswith(mark + made.prefix + "_"))
            self.assertEqual(read_prefix(made.key), (kind, made.prefix))
            self.assertEqual(made.hash, hashlib.sha256(made.key.encode()).hexdigest())
            # 256 random bits after the prefix.
            self.assertEqual(len(bytes.fromhex(made.key.rpartition("_")[2])), 32)
            self.assertLessEqual(len(made.key), MAX_KEY_LENGTH)
        with self.assertRaises(KeyError):
            new_key("other")

    def test_keys_differ(self):
        keys = [new_key("secret") for _turn in range(200)]
        self.assertEqual(len({made.prefix for made in keys}), 200)
        self.assertEqual(len({made.key[16:] for made in keys}), 200)

    def test_read_prefix(self):
        good = f"gsk_{'a' * 12}_{'0' * 64}"
        self.assertEqual(read_prefix(good), ("secret", "a" * 12))
        for bad in (
            None,
            "",
            "gsk",
            good + "0",
            good[:-1],
            good + "\n",
            good.upper(),
            good.replace("a", "g"),
            good.replace("gsk", "gxk"),
            good.replace("0", "０"),
            "gsk_" * 1000,
            "\x00" + good,
        ):
            self.assertIsNone(read_prefix(bad), bad)

    def test_same_key(self):
        made = new_key("secret")
        self.assertTrue(same_key(made.key, made.hash))
        self.assertFalse(same_key(made.key + "x", made.hash))
        self.assertFalse(same_key("", made.hash))
        for nothing in (None, False, ""):
            self.assertFalse(same_key(made.key, nothing))
        # The row without a key must not be opened by what hashes to its stand-in.
        self.assertFalse(same_key("", ""))

    def test_pick_language(self):
        installed = ["en_US", "zh_CN", "zh_TW", "fr_FR"]
        for accepted, expected in (
            ([("zh-CN", 1), ("en", 0.5)], "zh_CN"),
            ([("zh", 1)], "zh_CN"),
            ([("zh-tw", 1)], "zh_TW"),
            ([("zh-Hans-CN", 1)], "zh_CN"),
            ([("de", 1), ("fr-CA", 0.8)], "fr_FR"),
            ([("fr", 0), ("en-GB", 0.1)], "en_US"),
            ([("de", 1), ("*", 0.1)], None),
            ([], None),
        ):
            self.assertEqual(pick_language(accepted, installed), expected, accepted)
