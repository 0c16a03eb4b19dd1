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
        segment = self.env["omni.segment"].create(
            {
                "name": "Shanghai",
                "code": "test-shanghai",
                "domain": '[("state_id.code", "=", "SH"),'
                ' ("customer_tier", "=", "vip")]',
            }
        )
        edges = list(self.env["governance.lineage"]._lineage_edges())
        node = f"segment:{segment.company_id.id}/test-shanghai"
        asked = {edge.source for edge in edges if edge.target == node}
        self.assertEqual(
            asked,
            {
                "res.partner.company_id",
                "res.partner.state_id",
                "res.country.state.code",
                "res.partner.customer_tier",
            },
        )
        self.assertIn(
            Edge(
                "account.move.amount_untaxed_signed",
                "res.partner.customer_tier",
                "tier",
                False,
            ),
            edges,
        )
        for edge in edges:
            check_node(edge.source)
            check_node(edge.target)
            model, _, name = edge.target.rpartition(".")
            if model in self.env:
                self.assertIn(name, self.env[model]._fields, edge)

    def test_lineage_names(self):
        """Each node and each edge in words, and the record behind a node."""
        hook = self.env["governance.lineage"]
        segment = self.env["omni.segment"].create({"name": "Loyal", "code": "loyal"})
        line = self.mapping.line_ids.filtered(lambda one: one.target == "given_name")
        nodes = {
            "channel:test-shop": ("shop (Channel)", self.channel),
            f"mapping:{self.mapping.id}/{line.id}": (
                "Given name (Mapping Test)",
                self.mapping,
            ),
            f"segment:{segment.company_id.id}/loyal": ("Loyal (Segment)", segment),
        }
        labels = hook._lineage_labels([*nodes])
        for node, (label, record) in nodes.items():
            self.assertEqual(labels[node], label)
            action = hook._lineage_action(node)
            self.assertEqual(
                (action["res_model"], action["res_id"]), (record._name, record.id)
            )
        gone = hook._lineage_labels(["mapping:0/0"])
        self.assertEqual(gone, {"mapping:0/0": "0/0 (Mapping)"})
        self.assertIsNone(hook._lineage_action("mapping:0/0"))
        edges = list(hook._lineage_edges())
        names = self.env["governance.lineage.edge"]._kind_names()
        self.assertLessEqual({edge.kind for edge in edges}, names.keys())

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
        partner = self.env["res.partner"].create(
            {
                "name": "V",
                "customer_tier_manual": "vip",
                "customer_tier_note": "Test",
            }
        )
        company = str(self.env.company.id)
        [tiers] = sample("crm_omnichannel_customer_tiers", company=company, tier="vip")
        partner.customer_tier_manual = False
        left = sample("crm_omnichannel_customer_tiers", company=company, tier="vip")
        self.assertEqual(sum(left), tiers - 1)
        self.env["omni.consent"]._record(partner, "sharing", "revoked")
        self.assertEqual(
            sample(
                "crm_omnichannel_consent_answers", purpose="sharing", state="revoked"
            ),
            [self.env["omni.consent"].search_count([("purpose", "=", "sharing")])],
        )
        self.env["omni.segment"].create(
            {
                "name": "One",
                "code": "test-one",
                "domain": f'[("id", "=", {partner.id})]',
            }
        )
        self.assertEqual(
            sample("crm_omnichannel_segment_members", segment="test-one"), [1]
        )
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
        consents = self.env["omni.consent"]
        self.env["omni.identity"]._claim(ada, "anonymous_id", "a-1", "source:1")
        consents._record(ada, "marketing", "granted")
        consents._record(("anonymous_id", "a-1", "source:1"), "analytics", "granted")
        # said before anybody knew who it was
        address = ("email", "ada@example.org", "company:0")
        consents._record(address, "analytics", "denied")
        kept = consents._record(bob, "marketing", "granted")
        # the same words, in another place: somebody else
        self.env["omni.identity"]._claim(bob, "user_id", "42", "source:2")
        for scope in ("source:2", "source:3"):
            kept |= consents._record(("user_id", "42", scope), "analytics", "denied")
        kept |= consents._record(
            ("anonymous_id", "a-1", "source:2"), "analytics", "denied"
        )
        self.env["omni.identity"]._claim(ada, "user_id", "42", "source:1")
        self.env["omni.segment"].create(
            {
                "name": "Both",
                "code": "test-both",
                "domain": f'[("id", "in", {[ada.id, bob.id]})]',
            }
        )
        told = self.env["governance.privacy.request"]._get_identities(ada)
        for key in (("anonymous_id", "a-1"), ("user_id", "42"), address[:2]):
            self.assertIn(key, told, "the hooks are told whom to erase")
        result = self.env["governance.erasure"]._erase_person(
            ada,
            [
                ("email", "ada@example.org"),
                ("phone", "+8613916123456"),
                ("user_id", "42"),
            ],
        )
        counts = {line["model"]: line["count"] for line in result}
        self.assertEqual(counts["omni.record"], 3)
        self.assertEqual(counts["omni.identity"], 5)
        self.assertEqual(counts["omni.consent"], 3)
        self.assertEqual(counts["omni.segment.member"], 1)
        self.assertEqual(kept.exists(), kept)
        self.assertTrue(bob.omni_segment_ids)
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
        self.assertEqual(len(bob.omni_identity_ids), 3)
        # an erased record is shown without content, and is not replayed
        self.assertFalse(records[2].payload_text)
        records[2].action_replay()
        self.assertEqual(records[2].state, "done")
        again = self.env["governance.erasure"]._erase_person(ada, [])
        self.assertFalse([line for line in again if line["model"] == "omni.identity"])

    def test_request_of_an_unusual_spelling(self):
        """It erases what the normal spelling names."""
        person = self.env["res.partner"].create(
            {"name": "Zhao", "email": "ＺＨＡＯ＠Example.org"}
        )
        # no external id: parked, nobody's
        records = self.process(
            {"mail": "zhao@example.org"}, {"mail": "qian@example.org"}
        )
        consents = self.env["omni.consent"]
        theirs, other = (
            consents._record(
                ("email", f"{name}@example.org", "company:0"), "analytics", "denied"
            )
            for name in ("zhao", "qian")
        )
        self.env.user.group_ids += self.env.ref(
            "crm_data_governance.group_privacy_officer"
        )
        self.env["governance.privacy.request"].create(
            {"partner_id": person.id}
        ).action_erase()
        self.assertEqual((theirs | other).exists(), other)
        self.assertEqual([bool(record.payload) for record in records], [False, True])

    def test_request_knows_a_landline_in_any_spelling(self):
        person = self.env["res.partner"].create(
            {
                "name": "Zhao",
                "phone": "（021）6888-8001",
                "country_id": self.env.ref("base.cn").id,
            }
        )
        told = self.env["governance.privacy.request"]._get_identities(person)
        self.assertIn(("phone", "+862168888001"), told)

    def test_erasure_of_parked_records_by_an_id(self):
        """An ID of a source says nothing in a channel, one of the company does."""
        person = self.env["res.partner"].create({"name": "Zhao"})
        company = f"company:{self.channel.company_id.id}"
        for value, scope in (("100042", "source:1"), ("zhao-2024", company)):
            self.env["omni.identity"]._claim(person, "user_id", value, scope)
        records = self.process({"order": 100042}, {"user": "zhao-2024"}, {"user": "x"})
        self.assertEqual(set(records.mapped("state")), {"parked"})
        told = self.env["governance.privacy.request"]._get_identities(person)
        self.env["governance.erasure"]._erase_person(person, told)
        self.assertEqual(
            [bool(record.payload) for record in records], [True, False, True]
        )

    def _flush_chatter(self):
        """Write what is tracked, as a commit does."""
        self.env.flush_all()
        self.env.cr.precommit.run()

    def test_erasure_of_opportunities(self):
        """They stay, without who they were for; those of others stay as they are."""
        firm = self.env["res.partner"].create({"name": "Firm", "is_company": True})
        person, other = self.env["res.partner"].create(
            [
                {
                    "name": "Zhao",
                    "email": "zhao@example.org",
                    "phone": "+86 139 1612 3456",
                    "city": "Shanghai",
                },
                {"name": "Qian", "phone": "+86 139 1612 3456"},
            ]
        )
        leads = self.env["crm.lead"].create(
            [
                {"name": "Own", "partner_id": person.id, "expected_revenue": 9},
                # the contact of a company, as it was typed
                {
                    "name": "Contact",
                    "partner_id": firm.id,
                    "contact_name": "Zhao",
                    "email_from": "Zhao <ZHAO@Example.org>",
                },
                {"name": "Called", "phone": "+86 139 1612 3456", "active": False},
                {"name": "Shared", "partner_id": other.id},
                {"name": "Other", "email_from": "zhaoxu@example.org"},
            ]
        )
        theirs, others = leads[:3], leads[3:]
        # the chatter tells what was there before
        self._flush_chatter()
        leads[1].write({"contact_name": "Zhao X", "expected_revenue": 8})
        leads[1].phone = "+86 137 0123 4567"
        others[0].contact_name = "Qian X"
        self._flush_chatter()
        leads[1].contact_name = "Zhao"
        self._flush_chatter()
        # as mails came in before anybody was a contact
        mails = self.env["mail.message"].create(
            [
                {
                    "model": "crm.lead",
                    "res_id": leads[2].id,
                    "message_type": "email",
                    "author_id": False,
                    "email_from": address,
                }
                for address in ("Zhao <ZHAO@Example.org>", "zhaoxu@example.org")
            ]
        )
        self.assertEqual(leads[0].city, "Shanghai")
        kept = others.mapped(lambda lead: (lead.email_from, lead.phone))
        told = self.env["governance.privacy.request"]._get_identities(person)
        result = self.env["governance.erasure"]._erase_person(person, told)
        self.assertIn(
            {
                "model": "crm.lead",
                "count": 3,
                "action": "pseudonymised",
                "reason": "sales_record",
            },
            result,
        )
        for lead in theirs:
            for name in ("contact_name", "email_from", "email_normalized", "phone"):
                self.assertFalse(lead[name], f"{lead.name}: {name}")
        self._flush_chatter()
        tracked = leads.message_ids.sudo().tracking_value_ids
        told = {one.new_value_char for one in tracked} - {False}
        self.assertIn("Qian X", told)
        self.assertFalse(told & {"Zhao", "Zhao X", "+86 137 0123 4567"}, told)
        self.assertIn("expected_revenue", tracked.field_id.mapped("name"))
        self.assertEqual(mails.mapped("email_from"), [False, "zhaoxu@example.org"])
        self.assertFalse(leads[0].city)
        self.assertEqual(leads[0].expected_revenue, 9)
        # Odoo has told the company the address of its contact
        self.assertEqual(firm.email, "Zhao <ZHAO@Example.org>")
        self.assertEqual(
            others.mapped(lambda lead: (lead.email_from, lead.phone)), kept
        )
