from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.crm_data_governance.tools.lineage import Edge, check_node

from .common import OmniCase


@tagged("post_install", "-at_install")
class TestGovernanceHooks(OmniCase):
    def test_lineage(self):
        edges = list(self.env["governance.lineage"]._lineage_edges())
        for edge in edges:
            check_node(edge.source)
            check_node(edge.target)
        self.assertIn(
            Edge("channel:test-shop", "omni.record.payload", "landing"), edges
        )
        self.assertIn(
            Edge("omni.record.payload", "res.partner.phone", "mapping"), edges
        )
        line = self.mapping.line_ids.filtered(lambda one: one.target == "given_name")
        self.assertIn(
            Edge(f"mapping:{self.mapping.id}/{line.id}", "res.partner.name", "mapping"),
            edges,
        )
        for edge in edges:
            model, _, name = edge.target.rpartition(".")
            if model in self.env:
                self.assertIn(name, self.env[model]._fields, edge)

    def test_metrics(self):
        def sample(name, **labels):
            return [
                one.value
                for family in self.env["governance.metrics"]._metric_families()
                for one in family.samples
                if one.name == name and labels.items() <= one.labels.items()
            ]

        now = fields.Datetime.now()
        self.process({"id": "1", "name": "A"}, {"id": "2"})
        self.land({"id": "3", "name": "C"}, at=now - timedelta(hours=2))
        for state, count in (("done", 1), ("parked", 1), ("received", 1)):
            self.assertEqual(
                sample("crm_omnichannel_records", channel="test-shop", state=state),
                [count],
            )
        [age] = sample(
            "crm_omnichannel_oldest_unprocessed_seconds", channel="test-shop"
        )
        self.assertAlmostEqual(age, 7200, delta=60)
        self.env["omni.record"]._process_batch(self.channel.record_ids.ids)
        self.assertEqual(
            sample("crm_omnichannel_oldest_unprocessed_seconds", channel="test-shop"),
            [0],
        )

    def test_erasure(self):
        ada = {
            "id": "1",
            "name": "Ada",
            "email": "ada@example.org",
            "phone": "13916123456",
            "birthday": "1815-12-10",
        }
        records = self.process(
            ada,
            {"id": "2", "name": "Bob", "email": "bob@example.org"},
            # parked, never linked; once by its e-mail, once by its telephone
            {"mail": "ADA@example.org"},
            {"tel": "(139) 1612-3456"},
            {"tel": "(139) 1612-9999"},
        )
        self.assertEqual(
            records.mapped("state"), ["done", "done", "parked", "parked", "parked"]
        )
        ada, bob = records[0].partner_id, records[1].partner_id
        result = self.env["governance.erasure"]._erase_person(
            ada, [("email", "ada@example.org"), ("phone", "+8613916123456")]
        )
        counts = {line["model"]: line["count"] for line in result}
        self.assertEqual(counts["omni.record"], 3)
        self.assertEqual(counts["omni.identity"], 3)
        self.assertEqual({line["action"] for line in result}, {"erased"})
        for record in records[0] + records[2] + records[3]:
            self.assertFalse(record.payload)
            self.assertFalse(record.external_id)
            self.assertFalse(record.error_params)
            self.assertEqual(record.idempotency_key, f"erased:{record.id}")
        self.assertFalse(ada.omni_identity_ids)
        self.assertFalse(ada.omni_provenance)
        self.assertFalse(ada.omni_birthdate)
        # the others are untouched
        self.assertTrue(records[1].payload)
        self.assertTrue(records[4].payload)
        self.assertTrue(bob.omni_provenance)
        self.assertEqual(len(bob.omni_identity_ids), 2)
        # an erased record is shown without content, and is not replayed
        self.assertFalse(records[2].payload_text)
        records[2].action_replay()
        self.assertEqual(records[2].state, "done")
        again = self.env["governance.erasure"]._erase_person(ada, [])
        self.assertFalse([line for line in again if line["model"] == "omni.identity"])
