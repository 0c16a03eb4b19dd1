import json
from datetime import datetime, timedelta
from unittest.mock import patch

from psycopg2.errors import UniqueViolation

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.crm_omnichannel.tools.adapters import ADAPTERS
from odoo.addons.crm_omnichannel.tools.landing import LandedItem, Refused, unpack

from .common import NOW, OmniCase


@tagged("post_install", "-at_install")
class TestLandingModel(OmniCase):
    def test_accepted_duplicate_refused(self):
        result = self.land({"id": 1, "name": "a"}, 5, {"id": 2, "name": "b"})
        self.assertEqual(
            result,
            {
                "accepted": 2,
                "duplicates": 0,
                "refused": [{"index": 1, "error": "not_an_object"}],
            },
        )
        result = self.land({"id": 1, "name": "a"}, {"name": "b", "id": 2}, {"id": 3})
        self.assertEqual(
            (result["accepted"], result["duplicates"], result["refused"]), (1, 2, [])
        )
        self.assertEqual(self.channel.accepted_count, 3)
        self.assertEqual(self.channel.duplicate_count, 2)
        self.assertEqual(self.channel.refused_count, 1)
        self.assertEqual(self.channel.received_count, 3)
        self.assertEqual(self.channel.last_record_at, NOW)

    def test_twice_in_one_batch(self):
        document = {"id": 1, "name": "a"}
        result = self.land(document, document, {"id": 1, "name": "b"})
        self.assertEqual((result["accepted"], result["duplicates"]), (2, 1))

    def test_other_channel_is_no_duplicate(self):
        other = self.make_channel("other")
        self.land({"id": 1})
        self.assertEqual(self.land({"id": 1}, channel=other)["accepted"], 1)

    def test_sender_key(self):
        self.assertEqual(self.land({"a": 1}, sender_key="k")["accepted"], 1)
        self.assertEqual(self.land({"a": 2}, sender_key="k")["duplicates"], 1)
        self.assertEqual(self.land({"a": 2}, sender_key="l")["accepted"], 1)

    def test_every_byte_arrives(self):
        """Signs that COPY's text format gives a meaning come through unchanged."""
        payload = json.dumps(
            {"id": "a\\b\tc\nd\\N\r'\";$1", "é王😀": "\\.\n\\x00", "x": "\u0007"},
            ensure_ascii=False,
        ).encode()
        key = "key:\\.\t\\N\n'\r\b\f\v%s"
        updated_at = datetime(2020, 1, 2, 3, 4, 5, 678901)
        item = LandedItem(0, payload, key, "\\N\ta\\", updated_at)
        result = self.channel._land([item, Refused(9, "unreadable")], NOW)
        self.assertEqual(result["accepted"], 1)
        self.assertEqual(result["refused"], [{"index": 9, "error": "unreadable"}])
        record = self.channel.record_ids
        self.assertEqual(unpack(record.payload), payload)
        self.assertEqual(record.idempotency_key, key)
        self.assertEqual(record.external_id, "\\N\ta\\")
        self.env.cr.execute(
            "SELECT updated_at, received_at FROM omni_record WHERE id = %s", [record.id]
        )
        self.assertEqual(self.env.cr.fetchone(), (updated_at, NOW))
        self.assertEqual(json.loads(record.payload_text), json.loads(payload))
        self.assertEqual(self.channel._land([item], NOW)["duplicates"], 1)

    def test_ids_follow_arrival(self):
        self.land(*({"id": number} for number in range(30)))
        records = self.env["omni.record"].search(
            [("channel_id", "=", self.channel.id)], order="id"
        )
        self.assertEqual(
            records.mapped("external_id"), [str(number) for number in range(30)]
        )

    def test_keys_and_times(self):
        self.land({"id": 5, "updated_at": "2026-05-01T08:00:00+08:00"}, {"x": 1})
        with_id, without = self.channel.record_ids.sorted("id")
        self.assertEqual(with_id.external_id, "5")
        self.assertEqual(with_id.updated_at, datetime(2026, 5, 1))
        self.assertFalse(without.external_id)
        self.assertEqual((with_id.received_at, with_id.state), (NOW, "received"))

    def test_company_comes_with_the_channel(self):
        company = self.env["res.company"].create({"name": "Other"})
        channel = self.make_channel("company", company_id=company.id)
        self.land({"id": 1}, channel=channel)
        self.assertEqual(channel.record_ids.company_id, company)

    def test_paused(self):
        self.channel.action_pause()
        with self.assertRaises(UserError):
            self.land({"id": 1})
        self.channel.action_resume()
        self.assertEqual(self.land({"id": 1})["accepted"], 1)

    def test_query_count_does_not_grow(self):
        self.land({"id": "warm"})

        def queries(count, start):
            documents = [{"id": start + number} for number in range(count)]
            before = self.env.cr.sql_log_count
            self.land(*documents)
            return self.env.cr.sql_log_count - before

        one = queries(1, 1000)
        self.assertLessEqual(queries(100, 2000), one)

    def test_triggers_the_queue(self):
        cron = self.env.ref("crm_omnichannel.ir_cron_process")
        triggers = self.env["ir.cron.trigger"]
        before = triggers.search_count([("cron_id", "=", cron.id)])
        self.land({"id": 1})
        self.assertEqual(triggers.search_count([("cron_id", "=", cron.id)]), before + 1)
        self.land({"id": 1})
        self.assertEqual(
            triggers.search_count([("cron_id", "=", cron.id)]),
            before + 1,
            "duplicates wake nobody",
        )

    def test_landings_are_added_up(self):
        long_ago = NOW - timedelta(days=400)
        for number in range(3):
            self.land({"id": number}, 7, at=long_ago + timedelta(minutes=number))
        self.env["omni.landing"]._gc_landing()
        landing = self.env["omni.landing"].search(
            [("channel_id", "=", self.channel.id)]
        )
        self.assertRecordValues(
            landing, [{"accepted": 3, "duplicates": 0, "refused": 3}]
        )
        self.assertEqual(self.channel.refused_count, 3)

    def test_what_landed_is_kept(self):
        self.land({"id": 1})
        with self.assertRaises(UserError):
            self.channel.unlink()
        with self.assertRaises(UserError):
            self.mapping.unlink()
        empty = self.make_channel("empty", mapping_id=False)
        empty.unlink()
        self.assertFalse(empty.exists())

    def test_code(self):
        for code in ("Shop", "a b", "a/b", "", "-a", "商店"):
            with self.subTest(code=code), self.assertRaises(ValidationError):
                self.channel.code = code
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(UniqueViolation),
            self.env.cr.savepoint(),
        ):
            self.make_channel("shop")

    def test_adapters_and_types_agree(self):
        types = dict(self.env["omni.channel"]._fields["type"].selection)
        self.assertEqual(set(types), set(ADAPTERS))
        for code in types:
            channel = self.make_channel(f"type-{code}", type=code)
            self.assertEqual(
                (channel.takes_posts, channel.takes_files, channel.observes),
                (code == "http", code in ("file", "http"), code == "odoo"),
            )
        self.assertIn("/omni/v1/records/test-shop", self.channel.endpoint_url)
        self.assertIn(self.channel.endpoint_url, self.channel.endpoint_example)

    def test_typed_customers_are_taken_over(self):
        partner = self.env["res.partner"].create(
            {"name": "Typed", "email": "Typed@example.org", "phone": "+8613916123456"}
        )
        channel = self.make_channel("odoo", type="odoo")
        channel.action_observe()
        found = partner.omni_identity_ids
        self.assertEqual(
            set(found.mapped(lambda one: (one.kind, one.value))),
            {("email", "typed@example.org"), ("phone", "+8613916123456")},
        )
        self.assertEqual(partner.omni_channel_ids, channel)
        self.assertEqual(channel._observe_partners(), 0)

    def test_a_shared_address_is_nobodys(self):
        """As for whoever writes from it: it names none of those who have it."""
        ada, bob = self.env["res.partner"].create(
            [
                {"name": "Ada", "email": "office@observed.example"},
                {"name": "Bob", "email": "Office@observed.example"},
            ]
        )
        bob.phone = "+8613916123457"
        channel = self.make_channel("odoo", type="odoo")
        with patch("odoo.addons.crm_omnichannel.models.omni_channel.OBSERVE_SIZE", 1):
            channel._observe_partners()
        self.assertFalse(ada.omni_identity_ids)
        self.assertEqual(bob.omni_identity_ids.mapped("kind"), ["phone"])
