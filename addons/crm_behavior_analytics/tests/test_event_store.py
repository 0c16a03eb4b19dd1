from datetime import datetime, timedelta
from itertools import product

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import new_test_user, tagged
from odoo.tools import SQL

from .. import store
from ..tools.tracking import read_messages
from .common import EventCase


@tagged("post_install", "-at_install")
class TestEventStore(EventCase):
    def test_once(self):
        """A message lands once, whatever is repeated, in a batch or later."""
        message = self._message(messageId="m1", properties={"sku": "王\t\\N\n"})
        other = self._message(messageId="m2")
        self.assertEqual(
            self._track(message, message, other), ["accepted", "duplicate", "accepted"]
        )
        self.assertEqual(self._track(message, other), ["duplicate", "duplicate"])
        events = self._events()
        self.assertEqual(len(events), 2)
        self.assertEqual(
            events.filtered(lambda e: e.message_id == "m1").properties,
            {"sku": "王\t\\N\n"},
        )
        self.assertEqual(
            (self.source.accepted_count, self.source.duplicate_count), (2, 3)
        )

    def test_refused_stand_beside_accepted(self):
        verdicts = self.Event._track(
            self.source, [self._message(), {"type": "track", "event": "A"}]
        )
        self.assertEqual(verdicts[0]["status"], "accepted")
        self.assertEqual(
            verdicts[1], {"index": 1, "status": "refused", "error": "no_identity"}
        )
        landing = self.source.landing_ids.filtered("code")
        self.assertEqual((landing.outcome, landing.messages), ("refused", 1))
        self.assertIn("user ID", landing.reason)
        self.assertIn(
            "用户 ID", landing.with_context(lang="zh_CN").reason, "in both languages"
        )

    def test_months(self):
        """Each event lies in the partition of the month in which it was received."""
        self._track(
            self._message(messageId="old", receivedAt="2019-02-28T23:59:59"),
            self._message(messageId="new"),
        )
        self.env.cr.execute(
            "SELECT message_id, tableoid::regclass::text FROM behavior_event_store"
            " WHERE source_id = %s",
            [self.source.id],
        )
        now = fields.Datetime.now()
        self.assertEqual(
            dict(self.env.cr.fetchall()),
            {
                "old": "behavior_event_store_2019_02",
                "new": f"behavior_event_store_{now:%Y_%m}",
            },
        )

    def test_default_partition_moves_over(self):
        self.env.cr.execute(
            """
            INSERT INTO behavior_event_store
                (received_at, source_id, company_id, message_id, type, "timestamp",
                 properties, context, anonymous_id)
            VALUES ('2007-03-05', %s, %s, 'lost', 'page', '2007-03-05', '{}', '{}', 'x')
            """,
            [self.source.id, self.source.company_id.id],
        )
        self.assertEqual(self._events().message_id, "lost")
        march = datetime(2007, 3, 5)
        self.assertEqual(store.ensure_partitions(self.env.cr, [march.date()]), 1)
        self.assertEqual(store.ensure_partitions(self.env.cr, [march.date()]), 0)
        self.env.cr.execute("SELECT message_id FROM behavior_event_store_2007_03")
        self.assertEqual(self.env.cr.fetchall(), [("lost",)])

    def test_coming_months_are_there(self):
        self.Event._cron_maintain()
        months = store.months_from(fields.Date.today(), 1 + store.MONTHS_AHEAD)
        self.assertEqual(store.ensure_partitions(self.env.cr, months), 0)
        self.assertEqual(
            store.months_from(datetime(2026, 11, 30).date(), 3),
            [datetime(2026, 11, 1).date(), datetime(2026, 12, 1).date()]
            + [datetime(2027, 1, 1).date()],
        )

    def test_old_message_ids_are_forgotten(self):
        old = (fields.Datetime.now() - timedelta(days=120)).isoformat()
        message = self._message(messageId="m1", receivedAt=old)
        odoo = self.env["behavior.source"]._odoo_source(self.env.company)
        self._track(message)
        self._track(message, source=odoo)
        self.Event._forget_messages()
        self.assertEqual(self._track(message), ["accepted"])
        self.assertEqual(self._track(message, source=odoo), ["duplicate"])

    def test_dropped_store_leaves_nothing(self):
        store.drop_store(self.env.cr)
        self.env.cr.execute(
            "SELECT relname FROM pg_class WHERE relname LIKE 'behavior\\_event%'"
            " OR relname LIKE 'behavior\\_message%'"
        )
        left = {name for (name,) in self.env.cr.fetchall()} - {"behavior_event_landing"}
        self.assertFalse(left)

    def test_many_messages(self):
        """The number of queries does not grow with the messages."""

        def batch(size, name):
            return [
                self._message(messageId=f"{name}-{number}", userId=f"user-{number % 9}")
                for number in range(size)
            ]

        self._track(*batch(1, "warm"))
        with self.assertQueryCount(8):
            self._track(*batch(1, "one"))
        with self.assertQueryCount(8):
            self._track(*batch(5000, "many"))

    # --- WHO ---

    def test_identify(self):
        """Earlier events follow the person, and come back when it is undone."""
        self._track(self._message("page", messageId="p1"))
        self.assertFalse(self._events().partner_id)
        self._track(
            self._message("identify", traits={"email": "wang.wei@EVENTS.example"})
        )
        self.assertEqual(self._events().partner_id, self.partner)
        identity = self.env["omni.identity"].search(
            [("value", "=", "visitor-1"), ("kind", "=", "anonymous_id")]
        )
        self.assertEqual(identity.scope, f"source:{self.source.id}")
        self._track(self._message("page", messageId="p2"))
        later = self._events(("message_id", "=", "p2"))
        self.assertEqual(later.identity_id, identity, "stamped when it lands")
        found = self._events(("partner_id", "=", self.partner.id))
        self.assertEqual(len(found), 3)
        self.assertEqual(self.partner.behavior_event_count, 3)
        # a merge moves the identity and touches no event
        winner = self.env["res.partner"].create({"name": "Winner"})
        identity.partner_id = winner
        self.env.invalidate_all()
        self.assertEqual(self._events().partner_id, winner)
        identity.unlink()
        self.env.invalidate_all()
        self.assertFalse(self._events().partner_id)
        self.assertFalse(self._events(("partner_id", "=", self.partner.id)))

    def test_user_id_is_stronger_than_the_device(self):
        other = self.env["res.partner"].create(
            {"name": "Li Na", "email": "lina@events.example"}
        )
        self._track(
            self._message(
                "identify",
                userId="wang",
                traits={"email": "wang.wei@events.example"},
            ),
            self._message(
                "identify", userId="lina", traits={"email": "lina@events.example"}
            ),
        )
        self._track(
            self._message("page", messageId="p1", userId="lina"),
            self._message("page", messageId="p2", userId="wang", anonymousId="v-2"),
            self._message("page", messageId="p3", userId="stranger"),
            self._message("page", messageId="p4"),
        )
        people = {
            event.message_id: event.partner_id
            for event in self._events(("type", "=", "page"))
        }
        self.assertEqual(people["p1"], other)
        self.assertEqual(people["p2"], self.partner)
        self.assertFalse(people["p3"], "an unknown user is not the device's owner")
        self.assertEqual(people["p4"], self.partner, "the device stays the first one's")

    def test_a_page_names_nobody(self):
        """Whoever knows a user ID is not the customer; a trusted way names the browser,
        and the server is believed."""
        own = f"source:{self.source.id}"
        identities = self.env["omni.identity"]
        identities._claim(self.partner, "user_id", "wang", own)
        thief = self.env["res.partner"].create({"name": "Thief"})

        def land(vouched, **values):
            items = read_messages(
                [self._message("page", **values)], fields.Datetime.now(), "r"
            )
            self.Event._land(self.source, items, fields.Datetime.now(), vouched)
            [event] = self._events(("message_id", "=", values["messageId"]))
            return event

        told = land(False, userId="wang", messageId="1")
        self.assertFalse(told.partner_id)
        self.assertEqual((told.user_id, told.vouched), ("wang", False))
        nobody = land(False, userId="wang", anonymousId=None, messageId="2")
        self.assertFalse(nobody.partner_id)
        vouched = land(True, userId="wang", anonymousId="server", messageId="3")
        self.assertEqual(vouched.partner_id, self.partner)
        # the browser's own customer, whatever the page says
        identities._claim(thief, "anonymous_id", "visitor-1", own)
        again = land(False, userId="wang", messageId="4")
        self.assertEqual((again | told).partner_id, thief)
        found = self._events(("partner_id", "=", self.partner.id))
        self.assertEqual(found.mapped("message_id"), ["3"])
        found = self._events(("partner_id", "=", thief.id))
        self.assertEqual(found, again | told)
        # what is nobody's goes with the person whom it names
        land(False, userId="li", anonymousId="visitor-2", messageId="5")
        self.env["governance.erasure"]._erase_person(self.partner, [("user_id", "li")])
        self.assertEqual(self._events(), again | told)

    def test_erasure_reaches_what_a_page_told_in_the_company(self):
        """Also where the identity itself belongs to no company."""
        scope = f"company:{self.source.company_id.id}"
        identity = self.env["omni.identity"]._claim(
            self.partner, "user_id", "wang", scope
        )
        identity.company_id = False
        now = fields.Datetime.now()
        for number, user in enumerate(("wang", "somebody")):
            message = self._message("page", userId=user, messageId=str(number))
            items = read_messages([message], now, "r")
            self.Event._land(self.source, items, now, False)
        self.env["governance.erasure"]._erase_person(self.partner, [])
        self.assertEqual(self._events().mapped("message_id"), ["1"])

    def test_view_and_code_name_the_same(self):
        """Each event is of whom ``omni.identity`` names, in every scope."""
        other = self.env["res.partner"].create({"name": "Li Na"})
        company = self.source.company_id
        scopes = self.source._identity_scopes()
        self.assertEqual(len(scopes), 3)
        wanted = {}
        for number, owners in enumerate(
            product((None, self.partner, other), repeat=len(scopes))
        ):
            name = f"n-{number}"
            self._track(
                self._message("page", anonymousId=name, messageId=f"{name}-a"),
                self._message("page", userId=name, messageId=f"{name}-u"),
            )
            for kind in ("anonymous_id", "user_id"):
                for partner, scope in zip(owners, scopes, strict=True):
                    if partner:
                        self.env["omni.identity"]._claim(partner, kind, name, scope)
            wanted[name] = next(filter(None, owners), other.browse())
        # another company's and another source's say nothing here
        for scope in (f"company:{company.id + 1}", f"source:{self.source.id + 1}"):
            self.env["omni.identity"]._claim(other, "user_id", "n-0", scope)
        resolved = self.env["omni.identity"]._resolve_many(
            [("user_id", name) for name in wanted], scopes
        )
        for event in self._events():
            name = event.user_id or event.anonymous_id
            self.assertEqual(event.partner_id, wanted[name], event.message_id)
            self.assertEqual(resolved.get(("user_id", name), False), wanted[name].id)

    def test_one_spelling_of_an_address(self):
        """Stored, searched and erased as identities hold it."""
        self.env["omni.identity"]._claim(
            self.partner, "email", "wei@firm.example", "company:0"
        )
        for number, address in enumerate(
            ("WEI@firm.example", "Wei <wei@Firm.example>", "ｗｅｉ＠firm.example")
        ):
            identify = self._message(
                "identify", anonymousId=f"v-{number}", traits={"email": address}
            )
            self._track(identify)
        self.assertEqual(self._events().partner_id, self.partner)
        self.assertEqual(
            {event.properties["email"] for event in self._events()},
            {"wei@firm.example"},
        )
        self._track(
            self._message(
                "identify", anonymousId="new", traits={"email": "Li <LI@b.example>"}
            )
        )
        self.env["governance.erasure"]._erase_person(
            self.partner, [("email", "li@b.example")]
        )
        self.assertFalse(self._events())

    def test_request_of_an_unusual_spelling(self):
        """It erases what the normal spelling names."""
        self._track(
            self._message("identify", traits={"email": "zhao@events.example"}),
            self._message("identify", traits={"email": "qian@events.example"}),
        )
        person = self.env["res.partner"].create(
            {"name": "Zhao", "email": "ＺＨＡＯ＠Events.example"}
        )
        self.env.user.group_ids += self.env.ref(
            "crm_data_governance.group_privacy_officer"
        )
        self.env["governance.privacy.request"].create(
            {"partner_id": person.id}
        ).action_erase()
        [left] = self._events()
        self.assertEqual(left.properties["email"], "qian@events.example")

    def test_shared_address_names_nobody(self):
        self.env["res.partner"].create(
            {"name": "Twin", "email": "wang.wei@events.example"}
        )
        self._track(
            self._message("identify", traits={"email": "wang.wei@events.example"})
        )
        self.assertFalse(self._events().partner_id)

    def test_search_by_customer(self):
        """The quick search finds what the plain one finds."""
        self._track(self._message("identify", traits={"email": self.partner.email}))
        self._track(self._message("page", anonymousId="somebody"))
        for domain in (
            [("partner_id", "=", self.partner.id)],
            [("partner_id", "in", [self.partner.id, self.env.user.partner_id.id])],
            [("partner_id", "!=", self.partner.id)],
            [("partner_id", "=", False)],
            [("partner_id", "!=", False)],
            [("partner_id.name", "=", "Wang Wei")],
            [("partner_id", "child_of", self.partner.id)],
            [("partner_id", "ilike", "wang wei")],
        ):
            with self.subTest(domain=domain):
                events = self._events()
                self.assertEqual(self._events(*domain), events.filtered_domain(domain))

    def test_customer_search_uses_the_indexes(self):
        self._track(self._message("identify", traits={"email": self.partner.email}))
        query = self.Event._search([("partner_id", "=", self.partner.id)])
        self.env.cr.execute("SET LOCAL enable_seqscan = off")
        self.env.cr.execute(SQL("EXPLAIN %s", query.select()))
        plan = "\n".join(line for (line,) in self.env.cr.fetchall())
        self.assertRegex(plan, r"Bitmap Index Scan on behavior_event_store_\w+")
        self.assertNotIn("Seq Scan on behavior_event_store", plan)

    def test_consent(self):
        """Who has refused analytics is not tracked; who has not answered is asked."""
        self._track(self._message("identify", traits={"email": self.partner.email}))
        consents = self.env["omni.consent"]
        later = fields.Datetime.now()
        for minutes, state, status in (
            (3, "revoked", "refused"),
            (2, "granted", "accepted"),
            (1, "denied", "refused"),
        ):
            consents._record(
                self.partner, "analytics", state, at=later - timedelta(minutes=minutes)
            )
            with self.subTest(state=state):
                self.assertEqual(self._track(self._message("page")), [status])
        self.assertEqual(self._track(self._message(anonymousId="v2")), ["accepted"])
        odoo = self.env["behavior.source"]._odoo_source(self.env.company)
        self.Event._claim_identities(odoo, {("user_id", "me"): self.partner.id})
        self.assertEqual(
            self._track(self._message(userId="me"), source=odoo), ["accepted"]
        )
        self.assertIn("no_consent", self.source.landing_ids.mapped("code"))

    def test_a_no_before_being_known(self):
        """Who said no as a visitor is not tracked, and not made known by it."""
        consents = self.env["omni.consent"]
        scope = f"source:{self.source.id}"
        consents._record(("anonymous_id", "visitor-1", scope), "analytics", "denied")
        identify = self._message("identify", traits={"email": self.partner.email})
        self.assertEqual(
            self._track(self._message("page"), identify, {**identify, "userId": "w"}),
            ["refused"] * 3,
        )
        self.assertFalse(
            self.env["omni.identity"].search([("value", "in", ("visitor-1", "w"))])
        )
        # the same name elsewhere is somebody else
        other = self.source.copy({"code": "elsewhere"})
        self.assertEqual(self._track(self._message("page"), source=other), ["accepted"])
        # nor is a customer who has said no linked to one more browser
        consents._record(self.partner, "analytics", "denied")
        self.assertEqual(
            self._track({**identify, "anonymousId": "visitor-2"}), ["refused"]
        )
        self.assertFalse(
            self.env["omni.identity"].search([("value", "=", "visitor-2")])
        )

    def test_a_newer_yes_for_the_web(self):
        """It counts before the older no to everything, as everywhere."""
        self._track(self._message("identify", traits={"email": self.partner.email}))
        now = fields.Datetime.now()
        for minutes, state, channel, status in (
            (3, "denied", None, "refused"),
            (2, "granted", "web", "accepted"),
            (1, "denied", "email", "accepted"),
            (0, "denied", None, "refused"),
        ):
            self.env["omni.consent"]._record(
                self.partner,
                "analytics",
                state,
                channel,
                at=now - timedelta(minutes=minutes),
            )
            with self.subTest(state=state, channel=channel):
                self.assertEqual(self._track(self._message("page")), [status])

    def test_timeline(self):
        """What the customer did stands on the timeline, newest first, once."""
        odoo = self.env["behavior.source"]._odoo_source(self.env.company)
        self.Event._claim_identities(odoo, {("user_id", "me"): self.partner.id})
        self._track(self._message(userId="me"), source=odoo)
        now = fields.Datetime.now()
        self._track(
            self._message("identify", traits={"email": self.partner.email}),
            self._message(
                "page",
                timestamp=(now - timedelta(hours=2)).isoformat(),
                properties={"path": "/shop"},
            ),
            self._message(timestamp=(now - timedelta(hours=1)).isoformat()),
        )
        timeline = self.partner.customer_360(sections=["timeline"])["timeline"]
        entries = [entry for entry in timeline if entry["kind"] == "event"]
        self.assertEqual(
            [entry["text"] for entry in entries],
            ["Product Viewed on Shop", "Saw /shop on Shop"],
        )
        chinese = self.partner.with_context(lang="zh_CN")
        texts = [
            entry["text"]
            for entry in chinese.customer_360(sections=["timeline"])["timeline"]
        ]
        self.assertIn("在 Shop 上浏览了 /shop", texts)

    def test_timeline_under_a_field_policy(self):
        user = new_test_user(
            self.env, "event_bound", "crm_behavior_analytics.group_behavior_user"
        )
        group = self.env["res.groups"].create(
            {"name": "Bound", "user_ids": [(4, user.id)]}
        )
        self._track(
            self._message("identify", traits={"email": self.partner.email}),
            self._message("page", properties={"path": "/secret"}),
            self._message(event="Secret Seen"),
        )

        def texts():
            found = self.partner.with_user(user).customer_360(["timeline"])
            return " ".join(str(entry) for entry in found["timeline"])

        self.assertIn("/secret", texts())
        self.assertIn("Secret Seen", texts())
        names = self.env["ir.model.fields"].search(
            [("model", "=", "behavior.event"), ("name", "=", "page")]
        )
        for access in ("masked", "hidden"):
            policy = self.env["governance.field.policy"].create(
                {
                    "name": "Test",
                    "model_id": self.env["ir.model"]._get_id("behavior.event"),
                    "field_ids": [(6, 0, names.ids)],
                    "group_ids": [(6, 0, group.ids)],
                    "access": access,
                    "mask": "constant" if access == "masked" else False,
                    "active": True,
                }
            )
            with self.subTest(access=access):
                self.assertNotIn("/secret", texts())
                self.assertIn("Secret Seen", texts())
            policy.unlink()

    # --- RIGHTS ---

    def test_rights(self):
        self._track(self._message())
        user = new_test_user(
            self.env, "event_reader", "crm_behavior_analytics.group_behavior_user"
        )
        stranger = new_test_user(self.env, "event_stranger", "base.group_user")
        self.assertEqual(len(self._events().with_user(user).mapped("event")), 1)
        with self.assertRaises(AccessError):
            self.Event.with_user(stranger).search([])
        for write in (
            lambda events: events.write({"event": "x"}),
            lambda events: events.unlink(),
            lambda events: events.create({"event": "x"}),
        ):
            with self.assertRaises(AccessError):
                write(self._events().with_user(user))

    def test_companies(self):
        self._track(self._message())
        company = self.env["res.company"].create({"name": "Elsewhere"})
        user = new_test_user(
            self.env,
            "event_elsewhere",
            "crm_behavior_analytics.group_behavior_manager",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        self.assertFalse(
            self.Event.with_user(user).search([("source_id", "=", self.source.id)])
        )
        self.assertTrue(self.env["behavior.source"]._odoo_source(company))

    # --- SOURCES ---

    def test_a_source_with_events_stays(self):
        self._track(self._message())
        with self.assertRaises(UserError):
            self.source.unlink()
        with self.assertRaises(ValidationError):
            self.source.type = "server"

    def test_server_source(self):
        """A server's key is secret and works from everywhere."""
        source = self.env["behavior.source"].create(
            {"name": "Shop back end", "code": "back-end", "type": "server"}
        )
        action = source.action_issue_key()
        self.assertTrue(action["context"]["default_key"])
        self.assertFalse(source.public_key)
        self.assertEqual(source.credential_id.kind, "secret")
        with self.assertRaises(UserError):
            self.env["behavior.source"]._odoo_source(self.env.company).issue_key()

    # --- HOOKS ---

    def test_erasure(self):
        self._track(
            self._message("page", messageId="mine"),
            self._message("identify", traits={"email": "wang.wei@events.example"}),
            self._message("page", messageId="other", anonymousId="other"),
            self._message(
                "identify",
                messageId="unknown",
                anonymousId="u2",
                traits={"email": "second@events.example"},
            ),
            self._message("page", messageId="device", anonymousId="device-9"),
        )
        report = self.env["governance.erasure"]._erase_person(
            self.partner,
            [("email", "second@events.example"), ("anonymous_id", "device-9")],
        )
        self.assertIn(
            {
                "model": "behavior.event",
                "count": 4,
                "action": "erased",
                "reason": "person_erased",
            },
            report,
        )
        self.assertEqual(self._events().mapped("message_id"), ["other"])
        self.env.cr.execute(
            "SELECT message_id FROM behavior_message WHERE source_id = %s",
            [self.source.id],
        )
        self.assertEqual(self.env.cr.fetchall(), [("other",)])

    def test_erasure_of_odoos_visitors(self):
        """What Odoo notes of the pages that somebody sees goes too."""
        theirs, other = self.env["website.visitor"].create(
            [
                {
                    # Odoo knows by the token whose it is
                    "access_token": token,
                    "website_id": self.env["website"].search([], limit=1).id,
                    "website_track_ids": [(0, 0, {"url": "/shop"})],
                }
                for token in (str(self.partner.id), "0" * 32)
            ]
        )
        self.assertEqual(theirs.partner_id, self.partner)
        track = theirs.website_track_ids
        self.env["governance.erasure"]._erase_person(self.partner, [])
        self.assertEqual((theirs | other).exists(), other)
        self.assertFalse(track.exists())
        self.assertTrue(other.website_track_ids)

    def test_erasure_leaves_others_of_the_same_name(self):
        other = self.source.copy({"code": "elsewhere"})
        identities = self.env["omni.identity"]
        identities._claim(self.partner, "user_id", "42", f"source:{self.source.id}")
        for source in (self.source, other):
            self._track(self._message("page", userId="42"), source=source)
        self.env["governance.erasure"]._erase_person(self.partner, [("user_id", "42")])
        left = self.Event.search([("user_id", "=", "42")])
        self.assertEqual(left.source_id, other)

    def test_metrics(self):
        self._track(self._message(messageId="m1"), {"type": "x"})
        families = {
            family.name: family
            for family in self.env["governance.metrics"]._metric_families()
        }
        counted = {
            tuple(sample.labels.values()): sample.value
            for sample in families["crm_behavior_events"].samples
        }
        company = str(self.source.company_id.id)
        self.assertEqual(counted[company, "shop-events", "accepted"], 1)
        self.assertEqual(counted[company, "shop-events", "refused"], 1)
        (watched,) = families["crm_behavior_default_partition_events"].samples
        self.assertEqual(watched.value, 0)

    def test_old_landings_are_added_up(self):
        past = fields.Datetime.now() - timedelta(days=30)
        for number in range(3):
            self.Event._log_landing(
                self.source, past, [{"status": "accepted", "index": number}]
            )
        self.env["behavior.landing"]._gc_landing()
        landing = self.source.landing_ids
        self.assertEqual((len(landing), landing.messages), (1, 3))
