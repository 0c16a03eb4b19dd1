from odoo.tests import tagged

from odoo.addons.crm_data_governance.tools.lineage import Edge, check_node

from .common import ProcessCase
from .diagrams import END, START, flow, node


@tagged("post_install", "-at_install")
class TestGovernanceHooks(ProcessCase):
    def _samples(self, name):
        return {
            tuple(sample.labels.values())[1:]: sample.value
            for family in self.env["governance.metrics"]._metric_families()
            for sample in family.samples
            if sample.name == name and sample.labels["company"] == str(self.company.id)
        }

    def test_metrics(self):
        process = self.selling(quotation_template_id=False)
        self.start(process, self.lead())
        instance = self.start(process, self.lead())
        self.answer(self.waiting(instance), "Yes please")
        instances = self._samples("crm_sales_process_instances")
        self.assertEqual(instances["selling", "waiting"], 1)
        self.assertEqual(instances["selling", "incident"], 1)
        self.assertGreaterEqual(
            self._samples("crm_sales_process_incidents")["no_template", "open"], 1
        )
        self.assertGreaterEqual(
            self._samples("crm_sales_process_steps")["userTask", "waiting"], 1
        )

    def test_lineage(self):
        self.selling()
        self.deployed(
            START,
            node("exclusiveGateway", "g", default_="d"),
            END,
            node("endEvent", "other"),
            flow("start", "g"),
            flow("g", "other", "record.expected_revenue &gt; 1"),
            flow("g", "end", key="d"),
            key="deciding",
        )
        edges = list(self.env["governance.lineage"]._lineage_edges())
        for edge in edges:
            check_node(edge.source)
            check_node(edge.target)
        selling = f"process:{self.company.id}/selling"
        for edge in (
            Edge(selling, "crm.lead.stage_id", "process", False),
            Edge(selling, "sale.order.order_line", "process", False),
            Edge(
                "crm.lead.expected_revenue",
                f"process:{self.company.id}/deciding",
                "condition",
                False,
            ),
        ):
            self.assertIn(edge, edges)
            for name in (edge.source, edge.target):
                model, _dot, field = name.rpartition(".")
                if model:
                    self.assertIn(field, self.env[model]._fields)

    def test_lineage_names(self):
        """Each node and each edge in words, and the record behind a node."""
        process = self.selling()
        hook = self.env["governance.lineage"]
        node_name = f"process:{self.company.id}/selling"
        self.assertEqual(
            hook._lineage_labels([node_name]),
            {node_name: f"{process.display_name} (Process)"},
        )
        action = hook._lineage_action(node_name)
        self.assertEqual(
            (action["res_model"], action["res_id"]), (process._name, process.id)
        )
        names = self.env["governance.lineage.edge"]._kind_names()
        kinds = {edge.kind for edge in hook._lineage_edges()}
        self.assertLessEqual(kinds, names.keys())

    def test_erasure(self):
        process = self.selling(quotation_template_id=False)
        instance = self.start(process, self.lead())
        self.answer(self.waiting(instance), "Yes please")
        # of no customer yet: found by the address
        self.partner.email = "zhao@example.org"
        unknown = self.lead(partner_id=False, email_from="ZHAO@example.org")
        waiting = self.start(process, unknown)
        other = self.start(
            process,
            self.lead(partner_id=self.env["res.partner"].create({"name": "B"}).id),
        )
        told = self.env["governance.privacy.request"]._get_identities(self.partner)
        result = self.env["governance.erasure"]._erase_person(self.partner, told)
        entry = next(one for one in result if one["model"] == "bpmn.instance")
        self.assertEqual((entry["count"], entry["action"]), (2, "erased"))
        for one in (instance, waiting):
            self.assertEqual(one.state, "cancelled")
            self.assertFalse(one.execution)
            self.assertFalse(one.step_ids.filtered("note_params"))
        self.assertEqual(instance.incident_ids.mapped("code"), ["erased"])
        self.assertEqual(other.state, "waiting")
        self.assertTrue(other.execution)
