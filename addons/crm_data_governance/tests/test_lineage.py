import random

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import BaseCase, TransactionCase, new_test_user, tagged

from ..tools.lineage import (
    Edge,
    Step,
    check_node,
    index_edges,
    merge_edges,
    neighbourhood,
    split_node,
)


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

    def test_split(self):
        self.assertEqual(split_node("feature:a:b"), ("feature", "a:b"))
        self.assertEqual(split_node("res.partner.phone"), ("", "res.partner.phone"))

    # --- NEIGHBOURHOOD ---

    def _around(self, pairs, node, upstream, depth=3, limit=2_000):
        edges = [(source, target, "test", True) for source, target in pairs]
        side = index_edges(edges)[0 if upstream else 1]
        return neighbourhood(
            node, lambda name: side.get(name, ()), upstream, depth, limit
        )

    def test_steps(self):
        pairs = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("x", "c")]
        steps, complete = self._around(pairs, "d", upstream=True)
        self.assertTrue(complete)
        self.assertEqual(
            [(step.depth, step.source, step.target) for step in steps],
            [(1, "c", "d"), (2, "b", "c"), (2, "x", "c"), (3, "a", "b")],
        )
        steps, _complete = self._around(pairs, "b", upstream=False, depth=2)
        self.assertEqual(
            [(step.depth, step.source, step.target) for step in steps],
            [(1, "b", "c"), (2, "c", "d")],
        )
        self.assertEqual(self._around(pairs, "nobody", upstream=True), ([], True))

    def test_cycles(self):
        pairs = [("a", "a"), ("a", "b"), ("b", "a"), ("b", "c"), ("c", "a")]
        for upstream in (True, False):
            steps, complete = self._around(pairs, "a", upstream, depth=99)
            self.assertTrue(complete)
            # Each edge once, although they run in circles.
            self.assertEqual(len(steps), len(pairs))
            self.assertTrue(all(isinstance(step, Step) for step in steps))
        self.assertTrue(self._around(pairs, "a", upstream=True)[0][0].seen)

    def test_against_a_plain_search(self):
        """The distance of each node is that of a search that knows no shortcut."""
        rng = random.Random(11)
        for _ in range(50):
            names = [f"n{number}" for number in range(12)]
            pairs = {tuple(rng.choices(names, k=2)) for _ in range(25)}
            reached, front = {"n0": 0}, {"n0"}
            for level in range(1, 4):
                front = {
                    source for source, target in pairs if target in front
                } - reached.keys()
                reached.update(dict.fromkeys(front, level))
            steps, _complete = self._around(pairs, "n0", upstream=True)
            found = {"n0": 0}
            for step in steps:
                found.setdefault(step.source, step.depth)
            self.assertEqual(found, reached)

    def test_limit(self):
        pairs = [(f"n{number}", "hub") for number in range(30)]
        steps, complete = self._around(pairs, "hub", upstream=True, limit=10)
        self.assertEqual((len(steps), complete), (10, False))

    def test_large(self):
        """2,000 nodes: one look at each node, whatever the number of edges."""
        rng = random.Random(7)
        names = [f"n{number}" for number in range(2_000)]
        pairs = {tuple(rng.choices(names, k=2)) for _ in range(8_000)}
        asked = []
        side = index_edges((*pair, "test", True) for pair in pairs)[0]

        def edges_of(name):
            asked.append(name)
            return side.get(name, ())

        neighbourhood("n0", edges_of, True, 99, 100_000)
        self.assertEqual(len(asked), len(set(asked)))
        self.assertGreater(len(asked), 1_500)


@tagged("post_install", "-at_install")
class TestLineage(TransactionCase):
    def test_edges_of_odoo_s_own_fields(self):
        edges = set(self.env["governance.lineage"]._lineage_edges())
        self.assertTrue(all(isinstance(edge, Edge) for edge in edges))
        partner = "res.partner."
        for edge in (
            Edge(f"{partner}email", f"{partner}email_normalized", "compute", True),
            Edge(f"{partner}name", f"{partner}complete_name", "compute", True),
            Edge(f"{partner}parent_id", f"{partner}parent_name", "related", False),
            Edge(f"{partner}name", f"{partner}parent_name", "related", True),
            # Our own.
            Edge(
                "governance.credential.revoked_at",
                "governance.credential.state",
                "compute",
                True,
            ),
        ):
            self.assertIn(edge, edges)
        self.assertFalse(
            [edge for edge in edges if "message_is_follower" in edge.target]
        )
        # Bounded: no fields of models that we do not touch.
        self.assertFalse([edge for edge in edges if edge.target.startswith("ir.")])

    def test_each_computed_field_has_its_source(self):
        """Of the models of this addon: an edge, or no dependency at all."""
        targets = {
            edge.target for edge in self.env["governance.lineage"]._lineage_edges()
        }
        model = self.env["governance.field.policy"]
        for field in model._fields.values():
            if not (field.compute or field.related) or field._module == "mail":
                continue
            if self.env.registry.field_depends[field]:
                self.assertIn(f"{model._name}.{field.name}", targets)

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
        manager = new_test_user(
            self.env, "lineage_manager", "crm_data_governance.group_governance_manager"
        )
        edges = self.env["governance.lineage.edge"]
        action = edges.with_user(manager).action_refresh()
        self.assertEqual(action["params"]["type"], "success")
        self.assertTrue(edges.with_user(reader).search([], limit=1))
        user = new_test_user(self.env, "lineage_user", "base.group_user")
        for other in (reader, user):
            with self.subTest(user=other.login), self.assertRaises(AccessError):
                edges.with_user(other).action_refresh()

    # --- SCREEN ---

    def _tell(self, *edges):
        hook = type(self.env["governance.lineage"])
        self.patch(hook, "_lineage_edges", lambda model: iter(edges))
        self.env["governance.lineage.edge"]._refresh_lineage()

    def test_nodes_follow_the_edges(self):
        Node = self.env["governance.lineage.node"]
        self._tell(
            Edge("res.partner.phone", "thing:calls", "feature"),
            Edge("thing:calls", "gone.model.field", "test", False),
        )
        names = ["gone.model.field", "res.partner.phone", "thing:calls"]
        nodes = Node.search([])
        self.assertEqual(sorted(nodes.mapped("name")), names)
        labels = {node.name: node.label for node in nodes}
        self.assertEqual(labels["res.partner.phone"], "Phone (Contact)")
        self.assertEqual(labels["thing:calls"], "thing:calls")
        by_name = {node.name: node for node in nodes}
        self.assertEqual(by_name["thing:calls"].kind, "thing")
        self.assertEqual(
            (
                by_name["thing:calls"].source_count,
                by_name["thing:calls"].target_count,
            ),
            (1, 1),
        )
        self._tell(Edge("res.partner.email", "thing:calls", "feature"))
        self.assertFalse(Node.search([("name", "=", "res.partner.phone")]))
        self.assertEqual(
            Node.search([("name", "=", "thing:calls")]), by_name["thing:calls"]
        )

    def test_labels_in_the_reader_s_language(self):
        self.env["res.lang"]._activate_lang("zh_CN")
        hook = type(self.env["governance.lineage"])
        original = hook._lineage_labels

        def labels(model, nodes):
            word = "特征" if model.env.lang == "zh_CN" else "Feature"
            return {**original(model, nodes), "thing:calls": word}

        self.patch(hook, "_lineage_labels", labels)
        self._tell(Edge("res.partner.phone", "thing:calls", "feature"))
        nodes = self.env["governance.lineage.node"]
        for lang, word in (("en_US", "Feature"), ("zh_CN", "特征")):
            found = nodes.with_context(lang=lang).name_search(word)
            self.assertEqual([name for _id, name in found], [word])

    def test_names_and_records_of_the_kinds_told(self):
        """A kind told by an addon: words for it, and the record behind a node."""
        self.env["res.lang"]._activate_lang("zh_CN")
        policy = self.env["governance.field.policy"].create(
            {
                "name": "Masked",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "field_ids": [
                    Command.link(
                        self.env["ir.model.fields"]._get("res.partner", "phone").id
                    )
                ],
                "group_ids": [Command.link(self.env.ref("base.group_user").id)],
            }
        )
        hook = type(self.env["governance.lineage"])
        self.patch(hook, "_lineage_kinds", lambda model: {"policy": "Policy"})
        self.patch(
            hook,
            "_lineage_records",
            lambda model, kind, codes: {"a": policy} if kind == "policy" else {},
        )
        edges = type(self.env["governance.lineage.edge"])
        self.patch(edges, "_kind_names", lambda model: {"test": "Testing"})
        self._tell(
            Edge("policy:a", "policy:b", "test"), Edge("policy:b", "other:c", "odd")
        )
        nodes = self.env["governance.lineage.node"]
        found = {node.name: node for node in nodes.search([])}
        self.assertEqual(
            {name: node.label for name, node in found.items()},
            {
                "policy:a": "Masked (Policy)",
                "policy:b": "b (Policy)",
                # A kind without a name does not stop the others.
                "other:c": "other:c",
            },
        )
        action = found["policy:a"].action_open_records()
        self.assertEqual(
            (action["res_model"], action["res_id"]), (policy._name, policy.id)
        )
        with self.assertRaises(UserError):
            found["policy:b"].action_open_records()
        edge = self.env["governance.lineage.edge"].search([("kind", "=", "test")])
        self.assertEqual(
            (edge.source_label, edge.target_label), ("Masked (Policy)", "b (Policy)")
        )
        self.assertEqual(
            edge._fields["kind"]._description_selection(self.env), [("test", "Testing")]
        )
        self.assertIn("Testing", found["policy:a"].downstream)

    def test_open(self):
        self._tell(
            Edge("res.partner.phone", "thing:calls", "feature"),
            Edge("thing:calls", "thing:churn", "prediction"),
            Edge("thing:churn", "res.partner.phone", "audience", False),
        )
        reader = new_test_user(
            self.env, "lineage_opener", "crm_data_governance.group_governance_reader"
        )
        nodes = self.env["governance.lineage.node"].with_user(reader)
        action = nodes.action_open_lineage("thing:calls")
        node = nodes.browse(action["res_id"])
        self.assertEqual(node.name, "thing:calls")
        self.assertIn("Phone (Contact)", node.upstream)
        self.assertIn("thing:churn", node.downstream)
        self.assertIn("condition", node.downstream)
        phone = nodes.search([("name", "=", "res.partner.phone")])
        self.assertIn(f"/{phone.id}", node.upstream)
        self.assertEqual(phone.action_open_records()["res_model"], "res.partner")
        with self.assertRaises(UserError):
            node.action_open_records()
        with self.assertRaises(UserError):
            nodes.action_open_lineage("nobody.knows")
        user = new_test_user(self.env, "lineage_nobody", "base.group_user")
        with self.assertRaises(AccessError):
            nodes.with_user(user).action_open_lineage("thing:calls")

    def test_names_are_escaped(self):
        self._tell(Edge("slot:<script>", "res.partner.phone", "<b>"))
        node = self.env["governance.lineage.node"].search(
            [("name", "=", "res.partner.phone")]
        )
        self.assertNotIn("<script>", node.upstream)
        self.assertNotIn("<b>", node.upstream)

    def test_queries_do_not_grow(self):
        def count(number):
            self._tell(
                *(
                    Edge(f"a.n{one}.x", "res.partner.phone", "test")
                    for one in range(number)
                )
            )
            node = self.env["governance.lineage.node"].search(
                [("name", "=", "res.partner.phone")]
            )
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            self.assertTrue(node.upstream)
            return self.cr.sql_log_count - before

        count(1)
        self.assertEqual(count(1), count(100))
