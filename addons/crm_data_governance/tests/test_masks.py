import random
import re

from odoo.tests import BaseCase, tagged

from ..tools import masks
from ..tools.masks import is_masked, mask_value

CHINESE = "王小明欧阳李娜"


def texts(seed, count=2_000):
    """Texts of any kind: numbers, names, addresses, Unicode, what nobody expects."""
    rng = random.Random(seed)
    alphabets = (
        "0123456789",
        "0123456789 -()+.",
        "abc xyz@._-<>\"',;",
        CHINESE + " ０１２３ é ß 😀 \u202e\u200b",
        "*#≥ 0123456789@.e+-",
    )
    for _ in range(count):
        alphabet = rng.choice(alphabets)
        yield "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 24)))


@tagged("post_install", "-at_install")
class TestMasks(BaseCase):
    def check(self, mask, cases):
        for text, expected in cases.items():
            self.assertEqual(mask_value(mask, "char", text), expected, text)

    def test_phone(self):
        self.check(
            "phone",
            {
                "13812341234": "138****1234",
                "138 1234 1234": "138****1234",
                "+8613812341234": "+86 138****1234",
                "+86 138-1234-1234": "+86 138****1234",
                "0086 138 1234 1234": "+86 138****1234",
                "+1 (650) 555-1234": "+1 ****1234",
                "+16505551234": "+1 ****1234",
                "+49 30 1234567": "+49 ****67",
                "021-55550134": "021****0134",
                "5555 0134": "****34",
                "10086": "****",
                "13812341234 ext 5": "138****1234",
                "021-55550134 转 801": "021****0134",
                "not a number": "****",
                "": "",
            },
        )

    def test_email(self):
        self.check(
            "email",
            {
                "wang@example.com": "w***@example.com",
                '"Wang Wei" <wang@example.com>': "w***@example.com",
                "a@b.cn, c@d.cn": "a***@b.cn, c***@d.cn",
                "王伟@例子.中国": "王***@例子.中国",
                "no address": "****",
            },
        )

    def test_others(self):
        self.check("name", {"王小明": "王**", "Wang  Wei": "W** W**", "  ": ""})
        self.check("identity", {"110101199003071234": "*" * 14 + "1234", "123": "****"})
        self.check(
            "card", {"6222 0211 2345 6789": "**** **** **** 6789", "12345": "****"}
        )
        self.check("constant", {"x": "****"})
        self.check("band", {"CNY 12,345": "≥ 10000", "none": "****"})

    def test_hash(self):
        one, other = (mask_value("hash", "char", "王", salt) for salt in ("a", "b"))
        self.assertRegex(one, "^#[0-9a-f]{12}$")
        self.assertNotEqual(one, other)
        self.assertEqual(one, mask_value("hash", "char", "王", "a"))

    def test_band(self):
        for number, expected in (
            (0, 0),
            (7, 5),
            (10, 10),
            (99.9, 50),
            (-12345, -10000),
            (0.03, 0.02),
            (1000, 1000),
            (float("nan"), 0),
            (float("inf"), 0),
        ):
            self.assertAlmostEqual(masks.band(number), expected, 12, number)
        rng = random.Random(3)
        for _ in range(2_000):
            number = rng.choice((1, -1)) * 10 ** rng.uniform(-6, 12)
            low = masks.band(number)
            self.assertLessEqual(abs(low), abs(number))
            self.assertLess(abs(number), abs(low) * 2.5 * (1 + 1e-9))
            self.assertAlmostEqual(masks.band(low), low, 9)

    def test_a_mask_of_a_mask_is_the_mask(self):
        for mask in masks.TEXT_MASKS:
            for text in texts(1):
                once = mask_value(mask, "char", text, "salt")
                self.assertEqual(
                    mask_value(mask, "char", once, "salt"), once, (mask, text)
                )
                if once.strip():
                    self.assertTrue(is_masked(mask, "char", once), (mask, text, once))

    def test_no_more_is_revealed(self):
        revealed = {"phone": 7, "identity": 4, "card": 4}
        for mask, most in revealed.items():
            for text in texts(2):
                if "*" in text:
                    # Not a value but perhaps a mask.
                    continue
                shown = mask_value(mask, "char", text)
                body = re.sub(r"^\+\d{1,3} ", "", shown) if mask == "phone" else shown
                kept = sum(char.isalnum() for char in body)
                total = sum(char.isalnum() for char in text)
                self.assertLessEqual(kept, most, (mask, text, shown))
                self.assertLess(kept, max(total, 1), (mask, text, shown))
        for text in texts(4):
            shown = mask_value("name", "char", text)
            self.assertLessEqual(
                sum(char != "*" for char in shown.replace(" ", "")), len(text.split())
            )

    def test_kinds(self):
        self.assertEqual(mask_value("phone", "char", False), False)
        self.assertEqual(mask_value("band", "monetary", 12345.0), 10000.0)
        self.assertEqual(mask_value("band", "integer", 7), 5)
        self.assertIsInstance(mask_value("band", "integer", 7), int)
        self.assertEqual(mask_value("constant", "float", 3.5), 0)
        for kind in ("date", "many2one", "binary", "boolean", "json"):
            self.assertIs(mask_value("constant", kind, "2020-01-01"), False, kind)

    def test_a_value_is_no_mask(self):
        for mask, text in (
            ("phone", "13812341234"),
            ("phone", "138*1234"),
            ("email", "wang@example.com"),
            ("name", "王"),
            ("identity", "110101199003071234"),
            ("hash", "#12"),
            ("band", "10000"),
            ("constant", "***"),
        ):
            self.assertFalse(is_masked(mask, "char", text), (mask, text))
        self.assertFalse(is_masked("band", "monetary", 10000.0))
        self.assertFalse(is_masked("phone", "char", False))
