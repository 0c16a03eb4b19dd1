from odoo.tests import BaseCase, tagged

from ..messages import render


class Chinese:
    """An environment of one word."""

    def _(self, text):
        return {"%(number)s rows": "%(number)s 行"}.get(text, text)


TABLE = {"rows": "%(number)s rows", "share": "100 %"}


@tagged("post_install", "-at_install")
class TestMessages(BaseCase):
    def test_render(self):
        for code, params, expected in (
            ("rows", {"number": 3, "unused": 1}, "3 行"),
            ("share", None, "100 %"),
            ("share", {}, "100 %"),
            # Of another version: the code still tells.
            ("rows", {"count": 3}, "rows"),
            ("rows", [3], "rows"),
            ("share", {"number": 3}, "share"),
            ("gone", {"number": 3}, "gone"),
            (None, None, ""),
            (False, {"number": 3}, ""),
        ):
            with self.subTest(code=code, params=params):
                self.assertEqual(render(Chinese(), TABLE, code, params), expected)
