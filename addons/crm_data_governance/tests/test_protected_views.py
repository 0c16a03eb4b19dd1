import ast

from lxml import etree

from odoo.tests import BaseCase, tagged

from ..tools.protected_views import open_domain, protect_view

CLOSED = {"lead": {"phone": True, "revenue": False}, "line": {"price": False}}
COMODELS = {("lead", "line_ids"): "line", ("lead", "partner_id"): "partner"}


@tagged("post_install", "-at_install")
class TestProtectedViews(BaseCase):
    def protect(self, arch):
        root = etree.fromstring(arch)
        protect_view(root, "lead", CLOSED, lambda *key: COMODELS.get(key))
        return root

    def test_form(self):
        root = self.protect(
            """<form><label for="phone"/><field name="phone" required="1"/>
            <field name="revenue" readonly="0" force_save="1"/>
            <field name="name"/>
            <field name="line_ids"><list default_order="price desc, id">
            <field name="price" sum="Total"/><field name="phone"/></list></field>
            </form>"""
        )
        phone, revenue, name, _lines, price, other = root.iter("field")
        self.assertEqual(
            dict(phone.attrib), {"name": "phone", "invisible": "1", "readonly": "1"}
        )
        self.assertEqual(dict(revenue.attrib), {"name": "revenue", "readonly": "1"})
        self.assertEqual(dict(name.attrib), {"name": "name"})
        self.assertEqual(dict(price.attrib), {"name": "price", "readonly": "1"})
        # The same name on another model.
        self.assertEqual(dict(other.attrib), {"name": "phone"})
        self.assertEqual(root.find(".//list").get("default_order"), " id")
        self.assertEqual(root.find("label").get("invisible"), "1")

    def test_list_and_kanban(self):
        root = self.protect(
            """<list default_order="revenue desc" default_group_by="revenue">
            <field name="phone" optional="show"/>
            <field name="revenue" sum="Sum"/></list>"""
        )
        self.assertFalse({"default_order", "default_group_by"} & set(root.attrib))
        phone, revenue = root.iter("field")
        self.assertEqual(phone.get("column_invisible"), "1")
        self.assertNotIn("optional", phone.attrib)
        self.assertNotIn("sum", revenue.attrib)
        root = self.protect(
            """<kanban><progressbar field="state" sum_field="revenue"
            recurring_sum_field="other"/><templates><t t-name="card">
            <field name="phone"/></t></templates></kanban>"""
        )
        bar = root.find("progressbar")
        self.assertNotIn("sum_field", bar.attrib)
        self.assertEqual(bar.get("recurring_sum_field"), "other")
        self.assertEqual(root.find(".//field").get("invisible"), "1")

    def test_search(self):
        root = self.protect(
            """<search><field name="phone"/><field name="name"
            filter_domain="['|', ('name', 'ilike', self), ('phone', 'ilike', self)]"/>
            <field name="revenue" filter_domain="[('revenue', '=', self)]"/>
            <filter name="a" domain="[('phone', '!=', False)]"/>
            <filter name="b" domain="[('name', '!=', False)]"/>
            <filter name="c" context="{'group_by': 'revenue'}"/>
            <filter name="d" date="revenue"/><group>
            <filter name="e" context="{'group_by': 'revenue:month'}"/>
            <filter name="f" context="{'group_by': 'partner_id'}"/></group></search>"""
        )
        self.assertEqual([one.get("name") for one in root.iter("filter")], ["b", "f"])
        first, second = root.iter("field")
        self.assertEqual(
            ast.literal_eval(first.get("filter_domain").replace("self", "'x'")),
            ["|", ("name", "ilike", "x"), (0, "=", 1)],
        )
        self.assertEqual(second.get("filter_domain"), "[(0, '=', 1)]")

    def test_graph(self):
        root = self.protect(
            '<graph><field name="revenue" type="measure"/><field name="name"/></graph>'
        )
        self.assertEqual([one.get("name") for one in root.iter("field")], ["name"])

    def test_open_domain(self):
        names = {"phone"}
        for domain, expected in (
            ("[('name', '=', self)]", "[('name', '=', self)]"),
            ("[['phone', '=', self]]", "[(0, '=', 1)]"),
            (
                "[('phone.x', '=', 1), ('a', 'in', (1, 2, 3))]",
                "[(0, '=', 1), ('a', 'in', (1, 2, 3))]",
            ),
            (
                "[('partner_id', 'any', [('phone', '=', 1)])]",
                "[('partner_id', 'any', [(0, '=', 1)])]",
            ),
            ("not python (", "not python ("),
        ):
            self.assertEqual(open_domain(domain, names), expected)
