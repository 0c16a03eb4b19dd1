from odoo.exceptions import AccessError
from odoo.tests import BaseCase, TransactionCase, new_test_user, tagged

from ..tools.lineage import Edge, check_node, merge_edges


@tagged("post_install", "-at_install")
class TestLineageTools(BaseCase):
    def test_nodes(self):
        for good in (
            "res.partner.phone",
            "crm.lead.x_studio_1",
            "mapping:web-shop",
            "feature:orders_90d",
            "slot:首页",
        ):
            self.assertEqual(check_node(good), good)
        for bad in ("", "phone", "res.partner.", ".phone", "a b.c", "mapping:", ":x"):
            with self.assertRaises(ValueError):
                check_node(bad)

    def test_merge(self):
        edges = [
            Edge("a.b", "c.d", "related", False),
            Edge("a.b", "c.d", "related"),
            Edge("a.b", "c.d", "related", False),
            Edge("a.b", "c.d", "compute", False),
        ]
        self.assertEqual(
            merge_edges(edges),
            {("a.b", "c.d", "related"): True, ("a.b", "c.d", "compute"): False},
        )
        self.assertEqual(merge_edges([]), {})


@tagged("post_install", "-at_install")
class TestLineage(TransactionCase):
    def test_hook_is_empty_here(self):
        # This addon has no objects of its own that values flow through.
        edges = list(self.env["governance.lineage"]._lineage_edges())
        self.assertTrue(all(isinstance(edge, Edge) for edge in edges))

    def test_refresh(self):
        hook = type(self.env["governance.lineage"])
        told = [
            Edge("a.b", "c.d", "test"),
            Edge("a.b", "c.e", "test", False),
            Edge("a.b", "c.e", "test", False),
        ]
        self.patch(hook, "_lineage_edges", lambda model: iter(told))
        edges = self.env["governance.lineage.edge"]
        edges.search([]).unlink()
        self.assertEqual(edges._refresh_lineage(), (2, 0))
        kept = edges.search([("target", "=", "c.d")])
        told[1:] = [Edge("a.b", "c.e", "test", True), Edge("x.y", "c.f", "test")]
        self.assertEqual(edges._refresh_lineage(), (2, 1))
        self.assertTrue(kept.exists())
        told.clear()
        self.assertEqual(edges._refresh_lineage(), (0, 3))

    def test_action(self):
        reader = new_test_user(
            self.env, "lineage_reader", "crm_data_governance.group_governance_reader"
        )
        edges = self.env["governance.lineage.edge"]
        action = edges.with_user(reader).action_refresh()
        self.assertEqual(action["params"]["type"], "success")
        user = new_test_user(self.env, "lineage_user", "base.group_user")
        with self.assertRaises(AccessError):
            edges.with_user(user).action_refresh()
