import datetime
import random
import time

from odoo.tests import BaseCase, tagged

from ..messages import EXPRESSIONS
from ..tools import expressions
from ..tools.expressions import ExpressionError
from .escapes import ESCAPES

CONTEXT = {
    "record": {
        "amount": 12_000.5,
        "count": 3,
        "name": "网站改版",
        "stage": None,
        "active": True,
        "tags": ["VIP", "华东"],
        "closing": datetime.date(2026, 3, 31),
        "nothing": None,
    },
    "answer": "confirmed",
    "today": datetime.date(2026, 3, 1),
}


@tagged("post_install", "-at_install")
class TestExpressions(BaseCase):
    def _value(self, text):
        return expressions.evaluate(text, CONTEXT)

    def test_values(self):
        for text, expected in [
            ("record.amount > 10000", True),
            ("record.amount > 10000 and answer == 'confirmed'", True),
            ("record.amount < 10000 or answer == 'refused'", False),
            ("not record.stage", True),
            ("record.stage is None", True),
            ("record.stage is not None", False),
            ("0 < record.count <= 3", True),
            ("'VIP' in record.tags", True),
            ("'华北' not in record.tags", True),
            ("'网站' in record.name", True),
            ("answer in ('refused', 'changes')", False),
            ("record.closing - today", 30),
            ("record.closing - today > 14", True),
            ("today + 30 == record.closing", True),
            ("record.closing - 30 == today", True),
            ("record.closing > date('2026-01-01')", True),
            ("record.count * 2 + 1", 7),
            ("record.count // 2", 1),
            ("record.count % 2 == 1", True),
            ("-record.count", -3),
            ("'a' + 'b'", "ab"),
            ("'high' if record.amount > 1 else 'low'", "high"),
            ("max(record.count, 5)", 5),
            ("min([4, 2, 9])", 2),
            ("abs(0 - 4)", 4),
            ("round(record.amount)", 12_000),
            ("len(record.tags)", 2),
            ("lower('ABC')", "abc"),
            ("\n record.count\n >= 3 \n", True),
            # A yes is no number, and what is not set is not smaller than anything.
            ("record.active == 1", False),
            ("record.active == True", True),
            ("record.nothing < 5", False),
            ("record.nothing > 5", False),
            ("record.nothing == None", True),
            # Like Python's: the other side is not looked at.
            ("record.count == 3 or record.unknown", True),
        ]:
            with self.subTest(text=text):
                value = self._value(text)
                self.assertEqual(value, expected)
                self.assertIs(type(value), type(expected))

    def test_errors(self):
        for text, code in [
            ("", "syntax"),
            ("a b", "syntax"),
            ("${answer == 'x'}", "syntax"),
            ("unknown == 1", "unknown_name"),
            ("record.unknown", "unknown_field"),
            ("answer.name", "unknown_field"),
            ("sum(1, 2)", "unknown_function"),
            ("record.name > 3", "wrong_types"),
            ("record.name + 3", "wrong_types"),
            ("record.closing > '2026-01-01'", "wrong_types"),
            ("1 in 2", "wrong_types"),
            ("len(3)", "wrong_types"),
            ("len()", "wrong_types"),
            ("date('gestern')", "bad_date"),
            ("-record.name", "wrong_types"),
            ("1 / 0", "division"),
            ("1 % 0", "division"),
            ("1if today else 2", "syntax"),
            ("0x1f", "syntax"),
            ("'a\\n'", "syntax"),
            ("10000000000000000000", "too_large"),
            ("9" * 10 + " * " + "9" * 10, "too_large"),
            ("'x' * 3", "wrong_types"),
            ("x" * 3_000, "too_long"),
            ("2 ** 2", "forbidden"),
        ]:
            with self.subTest(text=text[:40]):
                with self.assertRaises(ExpressionError) as caught:
                    self._value(text)
                self.assertEqual(caught.exception.code, code)
                self.assertIn(code, EXPRESSIONS)
                self.assertTrue(EXPRESSIONS[code]._source % caught.exception.params)

    def test_escapes(self):
        for source, texts in ESCAPES.items():
            for text in texts:
                with self.subTest(source=source, text=text[:60]):
                    started = time.monotonic()
                    with self.assertRaises(ExpressionError):
                        self._value(text)
                    self.assertLess(time.monotonic() - started, 0.5)

    def test_names(self):
        for text, names in [
            ("record.amount > 3 and answer == 'x'", {"record.amount", "answer"}),
            ("max(today, date('2026-01-01'))", {"today"}),
            ("1 < 2", set()),
            ("record", {"record"}),
        ]:
            with self.subTest(text=text):
                self.assertEqual(expressions.names(text), names)

    def test_against_python(self):
        """Random arithmetic and logic gives what Python's own eval gives."""
        rng = random.Random(5)
        names = {"a": 3, "b": -7, "c": 2.5, "d": 0}

        def make(depth):
            if not depth or rng.random() < 0.2:
                return rng.choice([*names, "1", "12", "0.5", "100"])
            kind = rng.randint(0, 5)
            one, two = make(depth - 1), make(depth - 1)
            if kind < 3:
                return f"({one} {rng.choice('+-*/%')} {two})"
            if kind == 3:
                return (
                    f"(1 if {one} {rng.choice(['<', '>=', '==', '!='])} {two} else 2)"
                )
            if kind == 4:
                return f"({one} {rng.choice(['and', 'or'])} {two})"
            return f"(-{one})"

        compared = 0
        for _ in range(2_000):
            text = make(4)
            try:
                value = expressions.evaluate(text, names)
            except ExpressionError as error:
                self.assertIn(error.code, ("division", "too_large"))
                continue
            # The text is made here, of names, numbers and operators alone.
            self.assertEqual(value, eval(text, {}, dict(names)))  # pylint: disable=eval-used
            compared += 1
        self.assertGreater(compared, 1_000)

    def test_random_noise_never_surprises(self):
        rng = random.Random(8)
        parts = [
            "record", ".", "amount", "(", ")", "[", "]", "'", "not ", " and ", "1",
            "**", "*", ":", "lambda ", "for ", "in ", " if ", " else ", ",", "__x__",
            "=", "<", "-", "{", "}", "@", "\n", "\\", "\x00", "字", "date", "max",
        ]  # fmt: skip
        for _ in range(5_000):
            text = "".join(rng.choices(parts, k=rng.randint(1, 12)))
            try:
                expressions.evaluate(text, CONTEXT)
            except ExpressionError as error:
                self.assertIn(error.code, EXPRESSIONS)
