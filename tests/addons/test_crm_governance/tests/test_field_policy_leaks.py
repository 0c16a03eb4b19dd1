"""Every listed way to a value × how the field is made × hidden and masked."""

from odoo.exceptions import AccessError
from odoo.tests import TransactionCase, new_test_user, tagged

from .common_policy import PolicyMixin

PERSON, CARD, MEMBER = (
    "test_governance.person",
    "test_governance.card",
    "test_governance.member",
)
PHONE, MASK = "13812341234", "138****1234"
# Where the value of the field stands, and how it got there.
PLACES = (
    (PERSON, "phone", "stored"),
    (PERSON, "shout", "computed"),
    (CARD, "sudo_phone", "related"),
    (CARD, "own_phone", "related as reader"),
    (CARD, "kept_phone", "stored related"),
    (MEMBER, "phone", "inherited"),
)


@tagged("post_install", "-at_install")
class TestFieldPolicyLeaks(PolicyMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.secrets = (PHONE, "81234123")
        cls.user = new_test_user(
            cls.env, "leak_user", "base.group_user,base.group_allow_export"
        )
        cls.free = new_test_user(cls.env, "leak_free", "base.group_user")
        cls.member = cls.env[MEMBER].create(
            {"name": "王伟", "phone": PHONE, "salary": 12345, "number": 7}
        )
        cls.person = cls.member.person_id
        cls.card = cls.env[CARD].create({"name": "A", "person_id": cls.person.id})
        cls.records = {PERSON: cls.person, CARD: cls.card, MEMBER: cls.member}
        cls.env.flush_all()
        cls.group = cls.env["res.groups"].create(
            {"name": "Bound", "user_ids": [(4, cls.user.id)]}
        )

    def _policy(self, access, mask=False, names=("phone",)):
        return self.make_policy(
            PERSON, names, access, mask, group_ids=[(6, 0, self.group.ids)]
        )

    def _refused(self, model, method, *args, **kwargs):
        with self.assertRaises(AccessError, msg=(model, method, args)) as caught:
            self.rpc(self.user, model, method, *args, **kwargs)
        self.assertClosed(str(caught.exception), method)
        return str(caught.exception)

    def test_places_are_found(self):
        policy = self._policy("hidden")
        covered = {(one.model, one.name) for one in policy.covered_ids}
        for model, name, how in PLACES[1:]:
            self.assertIn((model, name), covered, how)
        self.assertIn((MEMBER, "shout"), covered)
        self.assertNotIn((PERSON, "doubled"), covered)

    def test_asking_is_refused(self):
        for access, mask in (("hidden", False), ("masked", "phone")):
            policy = self._policy(access, mask)
            for model, name, how in PLACES:
                with self.subTest(access=access, how=how):
                    self._check_asking(model, name)
            policy.unlink()

    def _check_asking(self, model, name):
        for operator, value in (
            ("=", PHONE),
            ("ilike", "138"),
            ("in", [PHONE]),
            ("!=", False),
            (">", "1"),
        ):
            domain = [(name, operator, value)]
            for method in ("search", "search_count", "search_read"):
                self._refused(model, method, domain)
            self._refused(model, "search", ["|", ("id", "=", 0), "!", *domain])
            self._refused(model, "web_search_read", domain, {"display_name": {}})
            self._refused(model, "name_search", "", domain)
            self._refused(model, "formatted_read_group", domain, [], ["__count"])
        for order in (name, f"{name} desc", f"id, {name} desc nulls first"):
            self._refused(model, "search", [], order=order)
            self._refused(model, "web_search_read", [], {"id": {}}, order=order)
        self._refused(model, "formatted_read_group", [], [name], ["__count"])
        self._refused(model, "web_read_group", [], [name], ["__count"])
        for function in ("max", "min", "array_agg", "count_distinct"):
            aggregate = [f"{name}:{function}"]
            self._refused(model, "formatted_read_group", [], [], aggregate)
            self._refused(
                model, "formatted_read_group", [], ["id"], [], order=aggregate[0]
            )
        self._refused(
            model, "read_progress_bar", [], "id", {"field": name, "colors": {}}
        )

    def test_asking_through_a_relation_is_refused(self):
        for access, mask in (("hidden", False), ("masked", "phone")):
            policy = self._policy(access, mask)
            for path in ("person_id.phone", "person_id.shout"):
                for model in (CARD, MEMBER):
                    for operator, value in (("=", PHONE), ("ilike", "138")):
                        self._refused(model, "search", [(path, operator, value)])
                        self._refused(
                            model,
                            "search",
                            [("person_id", "any", [(path[10:], operator, value)])],
                        )
            domain = [("card_ids.kept_phone", "=", PHONE)]
            self._refused(PERSON, "search", domain)
            self._refused(CARD, "export_data", [self.card.id], ["person_id/phone"]) if (
                access == "hidden"
            ) else self._exported(CARD, self.card, "person_id/phone")
            policy.unlink()

    def _exported(self, model, record, path):
        data = self.rpc(self.user, model, "export_data", record.ids, ["id", path])
        self.assertEqual(data["datas"][0][1], MASK)

    def test_reading_masked(self):
        self._policy("masked", "phone")
        for model, name, how in PLACES:
            with self.subTest(how=how):
                record = self.records[model]
                for row in (
                    self.rpc(self.user, model, "read", record.ids, [name])[0],
                    self.rpc(self.user, model, "search_read", [], [name])[0],
                    self.rpc(self.user, model, "web_read", record.ids, {name: {}})[0],
                    self.rpc(self.user, model, "web_search_read", [], {name: {}})[
                        "records"
                    ][0],
                    self.rpc(self.user, model, "read", record.ids)[0],
                ):
                    self.assertEqual(row[name], MASK)
                self._exported(model, record, name)

    def test_reading_hidden(self):
        self._policy("hidden")
        for model, name, how in PLACES:
            with self.subTest(how=how):
                record = self.records[model]
                self._refused(model, "read", record.ids, [name])
                self._refused(model, "search_read", [], [name])
                self._refused(model, "export_data", record.ids, [name])
                # The web client's own calls go on, empty.
                for row in (
                    self.rpc(self.user, model, "web_read", record.ids, {name: {}})[0],
                    self.rpc(self.user, model, "web_search_read", [], {name: {}})[
                        "records"
                    ][0],
                ):
                    self.assertIs(row[name], False)
                self.assertNotIn(
                    name, self.rpc(self.user, model, "read", record.ids)[0]
                )
                self.assertNotIn(name, self.rpc(self.user, model, "fields_get"))

    def test_nested_reading(self):
        spec = {"person_id": {"fields": {"phone": {}, "display_name": {}, "shout": {}}}}
        lines = {"card_ids": {"fields": {"kept_phone": {}, "sudo_phone": {}}}}
        for access, mask, shown in (
            ("hidden", False, False),
            ("masked", "phone", MASK),
        ):
            policy = self._policy(access, mask)
            row = self.rpc(self.user, CARD, "web_read", self.card.ids, spec)[0]
            self.assertEqual(row["person_id"]["phone"], shown)
            self.assertEqual(row["person_id"]["display_name"], "王伟")
            row = self.rpc(self.user, PERSON, "web_read", self.person.ids, lines)[0]
            self.assertEqual(row["card_ids"][0]["kept_phone"], shown)
            policy.unlink()

    def test_fields_get_masked(self):
        self._policy("masked", "phone", ["phone", "salary"])
        described = self.rpc(self.user, PERSON, "fields_get")
        for name in ("phone", "salary"):
            for attribute in ("sortable", "searchable", "groupable"):
                self.assertFalse(described[name][attribute], (name, attribute))
            self.assertTrue(described[name]["readonly"])
            self.assertNotIn("aggregator", described[name])
        free = self.rpc(self.free, PERSON, "fields_get")
        self.assertTrue(free["phone"]["sortable"])

    def test_numbers(self):
        self.secrets = ("12345", "24690")
        policy = self._policy("masked", "band", ["salary"])
        self.assertIn("doubled", policy.covered_ids.mapped("name"))
        row = self.rpc(
            self.user, PERSON, "read", self.person.ids, ["salary", "doubled"]
        )
        self.assertEqual((row[0]["salary"], row[0]["doubled"]), (10000, 20000))
        for aggregate in ("salary:sum", "doubled:max", "salary:sum_currency"):
            self._refused(PERSON, "formatted_read_group", [], [], [aggregate])
        row = self.rpc(self.user, MEMBER, "web_read", self.member.ids, {"salary": {}})
        self.assertEqual(row[0]["salary"], 10000)

    def test_other_kinds_hidden(self):
        tag = self.env["test_governance.tag"].create({"name": "VIP"})
        self.person.write(
            {"born": "1990-01-02", "tag_ids": [(4, tag.id)], "photo": b"UEhPVE8="}
        )
        self.env.flush_all()
        self.secrets = ("1990", "VIP", "UEhPVE8")
        names = ("born", "tag_ids", "photo")
        self._policy("hidden", False, names)
        spec = {"born": {}, "tag_ids": {"fields": {"display_name": {}}}, "photo": {}}
        row = self.rpc(self.user, PERSON, "web_read", self.person.ids, spec)[0]
        self.assertEqual([row[name] for name in names], [False, [], False])
        self._refused(PERSON, "search", [("tag_ids.name", "=", "VIP")])
        self._refused(PERSON, "search", [("born", ">", "1980-01-01")])
        self._refused(PERSON, "formatted_read_group", [], ["born:year"], ["__count"])
        self._refused(PERSON, "formatted_read_group", [], ["tag_ids"], ["__count"])
        person = self.person.with_user(self.user)
        with self.assertRaises(AccessError):
            self.env["ir.binary"].with_user(self.user)._get_stream_from(person, "photo")

    def test_copying_gives_nothing_away(self):
        for access, mask in (("hidden", False), ("masked", "phone")):
            policy = self._policy(access, mask)
            data = self.rpc(self.user, PERSON, "copy_data", self.person.ids)
            self.assertNotIn("phone", data[0])
            [copy_id] = self.rpc(self.user, PERSON, "copy", self.person.ids)
            self.assertFalse(self.env[PERSON].browse(copy_id).phone)
            policy.unlink()

    def test_onchange_shows_masks_and_takes_none(self):
        policy = self._policy("masked", "phone")
        spec = {"name": {}, "phone": {}, "shout": {}}
        values = {"name": "X", "phone": MASK, "shout": MASK}
        result = self.rpc(
            self.user, PERSON, "onchange", self.person.ids, values, ["name"], spec
        )
        self.assertNotIn(MASK + "!", str(result))
        card = {"person_id": {}, "sudo_phone": {}, "name": {}}
        result = self.rpc(
            self.user,
            CARD,
            "onchange",
            [],
            {"person_id": self.person.id, "sudo_phone": False, "name": "B"},
            ["person_id"],
            card,
        )
        self.assertEqual(result["value"]["sudo_phone"], MASK)
        policy.access = "hidden"
        result = self.rpc(
            self.user,
            CARD,
            "onchange",
            [],
            {"person_id": self.person.id, "sudo_phone": False, "name": "B"},
            ["person_id"],
            card,
        )
        self.assertFalse(result["value"].get("sudo_phone"))

    # --- WRITING ---

    def test_a_mask_is_never_written(self):
        self._policy("masked", "phone")
        for value in (MASK, "139****9999"):
            self.rpc(
                self.user,
                PERSON,
                "write",
                self.person.ids,
                {"phone": value, "name": "N"},
            )
            self.assertEqual((self.person.phone, self.person.name), (PHONE, "N"))
        self.rpc(self.user, MEMBER, "write", self.member.ids, {"phone": MASK})
        self.assertEqual(self.person.phone, PHONE)
        for method, args in (
            ("write", [self.person.ids, {"phone": "13900001111"}]),
            ("write", [self.person.ids, {"phone": False}]),
            ("web_save", [self.person.ids, {"phone": "1"}, {"name": {}}]),
        ):
            self._refused(PERSON, method, *args)
        self._refused(MEMBER, "write", self.member.ids, {"phone": "1"})

    def test_creating(self):
        self._policy("masked", "phone")
        for values, kept in (
            ({"name": "B", "phone": MASK}, False),
            ({"name": "B", "phone": "13900001111"}, "13900001111"),
        ):
            new = self.rpc(self.user, PERSON, "create", values)
            self.assertEqual(self.env[PERSON].browse(new).phone, kept)
        new = self.rpc(
            self.user,
            PERSON,
            "create",
            {"name": "B"},
            context={"default_phone": MASK},
        )
        self.assertFalse(self.env[PERSON].browse(new).phone)

    def test_masked_number_unchanged(self):
        self._policy("masked", "band", ["salary"])
        self.rpc(self.user, PERSON, "write", self.person.ids, {"salary": 10000.0})
        self.assertEqual(self.person.salary, 12345)
        self._refused(PERSON, "write", self.person.ids, {"salary": 1.0})

    def test_readonly(self):
        self.secrets = ()
        self._policy("readonly")
        row = self.rpc(self.user, PERSON, "read", self.person.ids, ["phone"])
        self.assertEqual(row[0]["phone"], PHONE)
        self.assertTrue(self.rpc(self.user, PERSON, "search", [("phone", "=", PHONE)]))
        self.assertTrue(self.rpc(self.user, PERSON, "fields_get")["phone"]["readonly"])
        self._refused(PERSON, "write", self.person.ids, {"phone": "1"})
        self._refused(PERSON, "create", {"name": "X", "phone": "1"})
        self._refused(MEMBER, "write", self.member.ids, {"phone": "1"})

    # --- WHO ---

    def test_others_and_superuser_see_it(self):
        self._policy("hidden")
        person = self.person.with_user(self.free)
        self.assertEqual(person.read(["phone"])[0]["phone"], PHONE)
        self.assertEqual(
            self.person.with_user(self.user).sudo().read(["phone"])[0]["phone"], PHONE
        )
        # Code that works for the person goes on with the true value.
        self.assertEqual(self.person.with_user(self.user).phone, PHONE)
        self.assertEqual(self.person.with_user(self.user).shout, f"{PHONE}!")

    def test_group_is_left(self):
        self._policy("hidden")
        self._refused(PERSON, "read", self.person.ids, ["phone"])
        self.group.user_ids = [(3, self.user.id)]
        self.secrets = ()
        row = self.rpc(self.user, PERSON, "read", self.person.ids, ["phone"])
        self.assertEqual(row[0]["phone"], PHONE)

    def test_removed_copy_is_not_covered(self):
        policy = self._policy("hidden")
        policy.covered_ids -= policy.covered_ids.filtered(
            lambda one: one.name == "kept_phone"
        )
        self.secrets = ()
        row = self.rpc(self.user, CARD, "read", self.card.ids, ["kept_phone"])
        self.assertEqual(row[0]["kept_phone"], PHONE)
        # As the source stays closed, so does the way over it.
        self._refused(CARD, "search", [("person_id.phone", "=", PHONE)])
