import json
import shutil
import tempfile
from contextlib import closing
from datetime import date, datetime, timedelta
from itertools import product
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pyarrow.parquet as pq
from psycopg2.errors import LockNotAvailable

from odoo import fields
from odoo.exceptions import UserError
from odoo.sql_db import db_connect
from odoo.tests import tagged
from odoo.tools import mute_logger

from .. import store
from ..models.behavior_feature_provider import BEHAVIOR
from ..models.behavior_lake_part import LAKE_LOCK
from ..tools import lake as tool
from ..tools import lake_people, prediction
from ..tools.tracking import read_messages
from .common import EventCase

OLD = datetime(2021, 3, 5, 9, 30)
MONTH = date(2021, 3, 1)


class Stop(Exception):
    """The process ends here."""


@tagged("post_install", "-at_install")
class TestLake(EventCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Part = cls.env["behavior.lake.part"]
        cls.other = cls.env["res.partner"].create({"name": "Li Na"})
        cls.source.type = "web"

    def setUp(self):
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="crm_lake_test_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.env["ir.config_parameter"].set_param(
            "crm_behavior_analytics.lake_url", str(self.folder)
        )
        self._land("wang", 5)
        self._land("li", 4)
        self._land("nobody", 3)
        self._claim("wang", self.partner)
        self._claim("li", self.other)

    def _land(self, visitor, count, start=OLD):
        """Page views, one a day: they land before anybody knows whose they are."""
        verdicts = self.Event._track(
            self.source,
            [
                {
                    "type": "track",
                    "event": "Product Added",
                    "messageId": f"{visitor}-{start:%Y%m}-{number}",
                    "anonymousId": visitor,
                    "receivedAt": (start + timedelta(days=number)).isoformat(),
                    "timestamp": (start + timedelta(days=number)).isoformat(),
                    "properties": {
                        "price": 12.5,
                        "quantity": 2,
                        "note": f"“{visitor}”|\\",
                    },
                }
                for number in range(count)
            ],
        )
        self.assertEqual({one["status"] for one in verdicts}, {"accepted"})

    def _claim(self, visitor, partner):
        self.Event._claim_identities(
            self.source, {("anonymous_id", visitor): partner.id}
        )

    def _move(self):
        with self.enter_registry_test_mode():
            return self.Part._move_month(MONTH)

    def _run_policy(self):
        with self.enter_registry_test_mode():
            return self.Part._cron_move()

    def _in_store(self):
        self.env.cr.execute(
            "SELECT count(*) FROM behavior_event_store WHERE received_at < '2022-01-01'"
        )
        return self.env.cr.fetchone()[0]

    def _facts(self):
        """The table of events as a job reads it, of the years before 2022."""
        provider = self.env["behavior.feature.provider"]
        with tempfile.TemporaryDirectory() as folder:
            for name, write in provider._export_tables(
                [BEHAVIOR], self.source.company_id, datetime(2022, 1, 1)
            ).items():
                path = Path(folder, name)
                if callable(write):
                    write(path)
                else:
                    path.write_bytes(write)
            frames = prediction.read_tables(Path(folder), {"tables": ["events"]})
        return (
            frames["events"]
            .filter(pl.col("known_at") < datetime(2022, 1, 1))
            .sort("unit_id", "known_at")
        )

    def _bytes(self):
        return {
            str(path): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in self.folder.rglob("part-*.parquet")
        }

    def test_moved(self):
        """The month is in the lake, event by event, and features read it the same."""
        self.Event.flush_model()
        before = self._facts()
        self.assertEqual(len(before), 9)
        part = self._move()
        self.assertEqual(part.events, 12)
        self.assertFalse(self._in_store())
        self.assertNotIn(MONTH, store.partition_months(self.env.cr))
        self.assertEqual(
            sorted({path.parent.name for path in self.folder.rglob("*.parquet")}),
            [f"day=2021-03-0{day}" for day in range(5, 10)],
        )
        after = self._facts()
        self.assertEqual(after.schema, before.schema)
        self.assertTrue(after.equals(before))
        # Whatever knows Hive's partitioning reads it, persons apart.
        read = pl.read_parquet(f"{self.folder}/events/**/*.parquet")
        self.assertEqual(read.height, 12)
        self.assertEqual(set(read["amount"]), {2500})
        self.assertNotIn("partner_id", read.columns)

    def test_late_events_of_a_moved_month(self):
        self._move()
        self._land("late", 2, OLD + timedelta(days=10))
        self.assertEqual(self._in_store(), 2)
        self.assertEqual(self._move().name, "202103-2")
        self.assertEqual(len(tool.Lake(str(self.folder)).files()), 7)

    def test_interrupted_anywhere(self):
        """Whatever breaks, the events are in the store, or in files that count."""
        expected = self._facts()
        breaks = [
            (tool.Lake, "replace"),
            (tool.Lake, "measure"),
            (type(self.Part), "create"),
            (store, "drop_partition"),
        ]
        for place, name in breaks:
            with self.subTest(name):
                with (
                    self.assertRaises(Stop),
                    self.env.cr.savepoint(),
                    patch.object(place, name, side_effect=Stop),
                ):
                    self._move()
                self.env.invalidate_all()
                self.assertEqual(self._in_store(), 12)
                self.assertFalse(self.Part.search([("month", "=", MONTH)]))
                self.assertTrue(self._facts().equals(expected))
        # In the middle of the files: what is left of them is written anew.
        replace, calls = tool.Lake.replace, []

        def stop_at_the_third(lake, path, table):
            calls.append(path)
            if len(calls) == 3:
                raise Stop
            replace(lake, path, table)

        with (
            self.assertRaises(Stop),
            self.env.cr.savepoint(),
            patch.object(tool.Lake, "replace", stop_at_the_third),
        ):
            self._move()
        self.env.invalidate_all()
        self.env.cr.execute(
            "DELETE FROM behavior_event_store WHERE received_at < '2021-03-06'"
        )
        self.assertEqual(self._move().events, 9)
        self.assertEqual(
            pl.read_parquet(f"{self.folder}/events/**/*.parquet").height, 9
        )

    def test_a_wrong_file_keeps_the_month(self):
        write = tool.Lake.replace
        for spoil in (
            lambda table: table.slice(1),
            lambda table: table.set_column(
                4,
                "message_id",
                table["message_id"].combine_chunks().take([0] * len(table)),
            )
            if len(table) > 1
            else table,
        ):
            with (
                self.assertRaisesRegex(UserError, "so it stays"),
                self.env.cr.savepoint(),
                patch.object(
                    tool.Lake,
                    "replace",
                    lambda lake, path, table, spoil=spoil: write(
                        lake, path, spoil(table)
                    ),
                ),
            ):
                self._move()
            self.assertEqual(self._in_store(), 12)

    def test_policy(self):
        """Old months go one a run; those that a window reaches stay."""
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("crm_behavior_analytics.store_months", "0")
        self.assertFalse(self._run_policy())
        parameters.set_param("crm_behavior_analytics.store_months", "1")
        self.assertEqual(self.Part._months_kept(), 26)
        self.assertNotIn(
            date(2024, 1, 1), self.Part._months_before(26, date(2026, 3, 31))
        )
        self._land("april", 1, datetime(2021, 4, 2))
        self.assertEqual(self.Part._months_before(26)[:2], [MONTH, date(2021, 4, 1)])
        self._run_policy()
        self.assertEqual(self.Part.search([]).mapped("name"), ["202103-1"])
        identities = pl.read_parquet(self.folder / tool.IDENTITIES)
        mine = identities.filter(pl.col("value") == "wang")
        self.assertEqual(mine["unit_id"].to_list(), [self.partner.id])

    def test_persons_touch_no_event(self):
        """A visitor changes hands and comes back: no row and no file is written."""
        self._land("wang", 2, datetime(2021, 5, 2))
        self._move()
        files = self._bytes()
        rows = "SELECT xmin, ctid, * FROM behavior_event_store ORDER BY id"
        self.env.cr.execute(rows)
        stored = self.env.cr.fetchall()
        whose = self._facts()["unit_id"].to_list()
        identity = self.env["omni.identity"].search([("value", "=", "wang")])
        identity.partner_id = self.other
        self.assertEqual(set(self._facts()["unit_id"]), {self.other.id})
        identity.partner_id = self.partner
        self.assertEqual(self._facts()["unit_id"].to_list(), whose)
        self.assertEqual(self._bytes(), files)
        self.env.cr.execute(rows)
        self.assertEqual(self.env.cr.fetchall(), stored)

    # --- WHOSE ---

    def _land_whatever_leads(self, month):
        """Land events of every way that leads, or does not lead, to somebody.

        Who has an identifier in each scope (nobody, one, another, one in quarantine) ×
        how the event has it (a server's user ID, a page's, the browser's) × whom it is
        stamped for.  Each stands beside identifiers that do not count.

        :return: dict of message id → id of the event
        """
        items = list(
            read_messages(
                [
                    {
                        "type": "track",
                        "event": "Product Added",
                        "messageId": f"{month:%m}/{'-'.join(owners)}/{way}/{stamp}",
                        "receivedAt": month.isoformat(),
                        "userId": {
                            "vouched": "-".join(owners),
                            "told": f"told-{stamp}",
                        }.get(way),
                        "anonymousId": "beside"
                        if way == "vouched"
                        else f"visitor-{'-'.join(owners)}",
                    }
                    for owners in product(("none", "me", "her", "held"), repeat=3)
                    for way in ("vouched", "told", "browser")
                    for stamp in ("none", "me", "her", "held", "gone")
                ],
                fields.Datetime.now(),
                "r",
            )
        )
        for vouched in (True, False):
            self.Event._land(
                self.source,
                [one for one in items if ("/told/" not in one.message_id) == vouched],
                fields.Datetime.now(),
                vouched,
            )
        stamps = {
            name: self._hold(name, "anonymous_id", f"stamp-{name}", "company:0").id
            for name in ("me", "her", "held")
        }
        self.env.cr.execute(
            "UPDATE behavior_event_store SET identity_id = ("
            "  %s::jsonb ->> split_part(message_id, '/', 4))::integer"
            " WHERE message_id LIKE %s RETURNING message_id, id",
            [json.dumps({**stamps, "gone": 10**8}), f"{month:%m}/%"],
        )
        events = dict(self.env.cr.fetchall())
        self.assertEqual(len(events), 4**3 * 3 * 5)
        return events

    def _hold(self, owner, kind, value, scope):
        partner = self.other if owner == "her" else self.partner
        identity = self.env["omni.identity"]._claim(partner, kind, value, scope)
        if owner == "held":
            identity.action_quarantine()
        return identity

    def _name_in_every_scope(self):
        scopes = self.source._identity_scopes()
        for owners in product(("none", "me", "her", "held"), repeat=len(scopes)):
            for owner, scope in zip(owners, scopes, strict=True):
                if owner != "none":
                    name = "-".join(owners)
                    self._hold(owner, "user_id", name, scope)
                    self._hold(owner, "anonymous_id", f"visitor-{name}", scope)
        self._hold("her", "anonymous_id", "beside", scopes[0])
        # who has what a page told is asked of an erasure only
        self._hold("me", "user_id", "told-gone", scopes[1])
        self._hold("her", "user_id", "told-her", scopes[0])
        # another source's and another company's say nothing here
        for scope in (f"source:{self.source.id + 1}", "company:99999", "channel:1"):
            self._hold("me", "user_id", "none-none-none", scope)
            self._hold("me", "user_id", "told-none", scope)

    def _owners_in_lake(self):
        identities = pl.DataFrame(
            self.Part._identity_rows(),
            pl.Schema(lake_people.identity_schema()),
            orient="row",
        )
        found = tool.facts(
            str(self.folder),
            self.Part.search([]).mapped("name"),
            self.source.company_id.id,
            identities,
        )
        return dict(found.select("id", "unit_id").iter_rows())

    def test_view_and_lake_name_the_same(self):
        """An event that is moved keeps its owner, whatever leads to them."""
        events = self._land_whatever_leads(OLD)
        self._name_in_every_scope()
        self.env.flush_all()
        self.env.invalidate_all()
        expected = {
            event.id: event.partner_id.id
            for event in self.Event.browse(events.values())
            if event.partner_id
        }
        self.assertEqual(set(expected.values()), {self.partner.id, self.other.id})
        self.assertLess(len(expected), len(events))
        self._move()
        found = self._owners_in_lake()
        for message_id, event_id in events.items():
            self.assertEqual(found.get(event_id), expected.get(event_id), message_id)

    def test_store_and_lake_erase_the_same(self):
        """The same events lie in both; of both the same ones go."""
        april = datetime(2021, 4, 5)
        self._land_whatever_leads(OLD)
        self._land_whatever_leads(april)
        self._name_in_every_scope()
        self._move()
        self.env.flush_all()
        self.env["governance.erasure"]._erase_person(
            self.partner,
            [("user_id", "told-held"), ("anonymous_id", "visitor-none-none-none")],
        )
        self.env["behavior.lake.erasure"]._work_off()
        self.env.cr.execute(
            "SELECT substr(message_id, 4) FROM behavior_event_store"
            " WHERE message_id LIKE '04/%'"
        )
        stored = {message_id for (message_id,) in self.env.cr.fetchall()}
        read = pl.read_parquet(f"{self.folder}/events/**/*.parquet")["message_id"]
        left = {message_id[3:] for message_id in read if message_id.startswith("03/")}
        self.assertEqual(left, stored)
        # by a stamp, a name, what the request names, and what a page told
        for gone in (
            "none-none-none/vouched/me",
            "held-none-me/vouched/gone",
            "none-none-none/browser/none",
            "none-held-none/told/gone",
            "none-held-none/told/held",
            "me-none-none/told/none",
        ):
            self.assertNotIn(gone, left)
        for kept in (
            "me-me-me/vouched/her",
            "her-me-me/browser/none",
            "none-none-none/vouched/none",
            "none-none-her/told/gone",
            "none-held-none/told/none",
        ):
            self.assertIn(kept, left)

    def test_erased_by_an_address(self):
        """An identification of nobody goes, however the address was written."""
        for number, address in enumerate(
            ("LI@b.example", "Li <li@B.example>", "other@b.example")
        ):
            self.env.cr.execute(
                """
                INSERT INTO behavior_event_store
                    (received_at, source_id, company_id, message_id, type,
                     anonymous_id, "timestamp", properties, context)
                VALUES (%s, %s, %s, %s, 'identify', 'x', %s, %s, '{}')
                """,
                [
                    *(OLD, self.source.id, self.source.company_id.id),
                    *(f"identify-{number}", OLD, json.dumps({"email": address})),
                ],
            )
        self._move()
        self.env["governance.erasure"]._erase_person(
            self.partner, [("email", "li@b.example")]
        )
        self.env["behavior.lake.erasure"]._work_off()
        read = pl.read_parquet(f"{self.folder}/events/**/*.parquet")["message_id"]
        self.assertEqual(
            {one for one in read if one.startswith("identify")}, {"identify-2"}
        )

    def test_one_writes_at_a_time(self):
        """Who comes second waits, before it has read what it is going to write."""
        notes = self.env["behavior.lake.erasure"]
        notes.create({"identities": [], "names": ["nobody"], "emails": []})
        self.env.flush_all()
        # The test's own transaction has not asked for the lock yet.
        with closing(db_connect(self.env.cr.dbname).cursor()) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [LAKE_LOCK])
            for write in (self._run_policy, self._move):
                with (
                    self.subTest(write.__name__),
                    self.assertRaises(LockNotAvailable),
                    mute_logger("odoo.sql_db"),
                    self.env.cr.savepoint(),
                    patch.object(tool.Lake, "files", side_effect=Stop),
                    patch.object(tool.Lake, "replace", side_effect=Stop),
                ):
                    self.env.cr.execute("SET LOCAL lock_timeout = '100ms'")
                    write()
        self.assertTrue(notes.search([]))
        self.assertFalse(self._bytes())
        self._run_policy()
        self.assertFalse(notes.search([]))
        # moved by whoever was quicker
        self.assertFalse(self._move())

    def test_files_without_the_column(self):
        """What a file tells that is older than the column is unvouched."""
        self._track(
            self._message(
                messageId="old",
                userId="boss",
                anonymousId="li",
                receivedAt=OLD.isoformat(),
            )
        )
        self.env["omni.identity"]._claim(
            self.partner, "user_id", "boss", f"source:{self.source.id}"
        )
        mine, hers = self.partner.id, self.other.id
        self._move()
        self.assertEqual(
            sorted(self._owners_in_lake().values()), sorted([mine] * 6 + [hers] * 4)
        )
        for path in self.folder.rglob("part-*.parquet"):
            pq.write_table(pq.read_table(path).drop_columns("vouched"), path)
        self.assertEqual(
            sorted(self._owners_in_lake().values()), sorted([mine] * 5 + [hers] * 5)
        )
        self.env["governance.erasure"]._erase_person(self.other, [])
        self.assertEqual(self.env["behavior.lake.erasure"]._work_off(), 5)
        self.assertEqual(set(self._owners_in_lake().values()), {mine})

    def test_erased(self):
        """Nothing of an erased person in tables, files or the map; others stay."""
        self._land("wang", 1, datetime(2021, 5, 2))
        self._move()
        self.Part._export_identities()
        self.env["governance.erasure"]._erase_person(self.partner, [])
        # Noted in the transaction, done by what the commit wakes.
        note = self.env["behavior.lake.erasure"]
        self.assertTrue(note.search([]))
        self.assertEqual(note._work_off(), 5)
        self.assertFalse(note.search([]))
        self.env.cr.execute(
            "SELECT count(*) FROM behavior_event_store AS event"
            " WHERE event::text LIKE '%wang%'"
        )
        self.assertEqual(self.env.cr.fetchone(), (0,))
        for path in self.folder.rglob("*.parquet"):
            self.assertNotIn("wang", str(pl.read_parquet(path).to_dicts()))
            self.assertNotIn(b"wang", path.read_bytes())
        self.assertEqual(len(self._facts()), 4)
        self.assertEqual(note._work_off(), 0)
