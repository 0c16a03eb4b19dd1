from lxml import html

from odoo.tests import BaseCase, tagged

from ..tools import merge

HOSTILE = '<img src=x onerror="alert(1)">&amp;{{ object.city }}"\'</div>'


@tagged("post_install", "-at_install")
class TestMerge(BaseCase):
    def test_values_and_fallback(self):
        content = (
            "<p>Hello {{ object.name ||| dear customer }} from "
            "{{object.country_id.name}}{{ object.city |||  }}!</p>"
        )
        self.assertEqual(
            merge.render(content, {"name": "Li Wei", "country_id.name": "中国"}),
            "<p>Hello Li Wei from 中国!</p>",
        )
        self.assertEqual(
            merge.render(content, {"name": False}),
            "<p>Hello dear customer from !</p>",
        )

    def test_plain_content_is_untouched(self):
        content = "<p class='x'>{ one } &amp; two</p><!-- c -->"
        self.assertEqual(merge.render(content, {}), content)
        self.assertEqual(merge.render("", {}), "")
        self.assertEqual(merge.render(False, {}), "")

    def test_value_is_never_markup(self):
        for content in (
            "<p>{{ object.name }}</p>",
            "{{ object.name }}",
            "<p><b>x</b>{{ object.name }}</p>",
            "<p>{{ object.city ||| no }}{{ object.name }}</p>",
        ):
            with self.subTest(content=content):
                rendered = merge.render(content, {"name": HOSTILE})
                root = html.fragment_fromstring(rendered, create_parent="div")
                self.assertFalse(root.xpath("//img"))
                self.assertIn(HOSTILE, root.text_content())

    def test_attributes_scripts_and_styles_stay(self):
        content = (
            '<a href="{{ object.name }}">x</a><script>{{ object.name }}</script>'
            "<style>{{ object.name }}</style>{{ object.name }}"
        )
        rendered = merge.render(content, {"name": "javascript:alert(1)"})
        root = html.fragment_fromstring(rendered, create_parent="div")
        self.assertFalse(root.xpath("//*[contains(@href, 'javascript')]"))
        self.assertNotIn("javascript", root.findtext("script"))
        self.assertNotIn("javascript", root.findtext("style"))
        self.assertTrue(rendered.endswith("javascript:alert(1)"))

    def test_unknown_field_reads_nothing(self):
        content = "<p>a{{ object.password ||| - }}{{ object.name.upper() }}b</p>"
        values = {"password": "secret", "name": "Li", "object.password": "secret"}
        self.assertEqual(merge.render(content, values), "<p>a-b</p>")

    def test_control_characters(self):
        self.assertEqual(
            merge.render("<p>{{ object.name }}</p>", {"name": "a\x00b\x0bc"}),
            "<p>abc</p>",
        )

    def test_check(self):
        for content, expected in [
            ("<p>{{ object.name ||| x }}</p>", []),
            ("<p>plain</p>", []),
            (False, []),
            ("<p>{{ object.email }}</p>", [("unknown", {"field": "object.email"})]),
            (
                "<p>{{ object.sudo().name }}</p>",
                [("unknown", {"field": "object.sudo().name"})],
            ),
            (
                "<p>{{ <b>object.name</b> }}</p>",
                [("unknown", {"field": "{{ "})],
            ),
            (
                '<a href="/x?n={{ object.name }}">x</a>',
                [("attribute", {"attribute": "href"})],
            ),
            (
                '<a href="/x?n=%7B%7B object.name }}">x</a>',
                [("attribute", {"attribute": "href"})],
            ),
        ]:
            with self.subTest(content=content):
                self.assertEqual(merge.check(content), expected)

    def test_used_fields(self):
        content = "{{ object.name }}{{ object.country_id.name ||| x }}{{ object.x }}"
        self.assertEqual(merge.used_fields(content), ["country_id.name", "name"])
        self.assertEqual(merge.used_fields("<p>no</p>"), [])

    def test_large_content(self):
        content = "<p>{{ object.name }}</p>" * 5_000
        rendered = merge.render(content, {"name": "x"})
        self.assertEqual(rendered, "<p>x</p>" * 5_000)
