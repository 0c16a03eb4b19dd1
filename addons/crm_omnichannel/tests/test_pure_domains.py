from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.domains import BadDomain, parse_domain


@tagged("post_install", "-at_install")
class TestDomains(BaseCase):
    def test_literal(self):
        for text, expected in (
            (None, []),
            ("", []),
            (" [] ", []),
            ('[("a", "in", [1, None])]', [("a", "in", [1, None])]),
            (
                '["|", ("a", "=", True), ("b", ">", "-7d")]',
                ["|", ("a", "=", True), ("b", ">", "-7d")],
            ),
        ):
            with self.subTest(text=text):
                self.assertEqual(parse_domain(text), expected)

    def test_refused(self):
        for text in (
            "uid",
            "[('a', '=', uid)]",
            "[('a', '=', 9 ** 9)]",
            "[('a', '=', 'x' * 9)]",
            "__import__('os')",
            "(1, 2)",
            "{'a': 1}",
            "[",
            "[" * 300,
            "[" + "1," * 20_000 + "]",
            "['\x00']",
        ):
            with self.subTest(text=text[:30]), self.assertRaises(BadDomain):
                parse_domain(text)
