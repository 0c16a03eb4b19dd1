from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.linking import (
    KINDS,
    Claim,
    New,
    link,
    sort_keys,
    strong_links,
)


def ext(value, channel="c"):
    return ("external_id", value, f"channel:{channel}")


def mail(value):
    return ("email", value, "company:0")


def phone(value):
    return ("phone", value, "company:0")


@tagged("post_install", "-at_install")
class TestLinking(BaseCase):
    def people(self, claims, known=None, names=None, taken=()):
        return [
            found.person for found in link(claims, known or {}, names or {}, set(taken))
        ]

    def test_new_people_of_a_batch_find_each_other(self):
        first, second, third = self.people(
            [
                Claim([ext("1"), mail("a@x")], "a", "c"),
                Claim([mail("a@x"), phone("+1")], "a", "d"),
                Claim([phone("+1")], "a", "e"),
            ]
        )
        self.assertIsInstance(first, New)
        self.assertIs(first, second)
        self.assertIs(first, third)

    def test_same_external_id_is_one(self):
        first, second = self.people(
            [Claim([ext("1")], "a", "c"), Claim([ext("1")], "b", "c")]
        )
        self.assertIs(first, second)

    def test_nobody_is_linked_by_nothing(self):
        first, second = self.people([Claim([], "a", "c"), Claim([], "a", "c")])
        self.assertIsNot(first, second)

    def test_stronger_identifier_wins(self):
        known = {ext("1"): 10, mail("a@x"): 20, phone("+1"): 30}
        claim = Claim([phone("+1"), mail("a@x"), ext("1")], "a", "c")
        [found] = link([claim], known, {}, set())
        self.assertEqual(found.person, 10)
        self.assertEqual(found.keys, [ext("1")])
        self.assertEqual(found.conflicts, [mail("a@x"), phone("+1")])
        [found] = link([Claim([phone("+1"), mail("a@x")])], known, {}, set())
        self.assertEqual(found.person, 20)

    def test_shared_telephone_of_two_people_of_one_channel(self):
        claims = [
            Claim([ext("1"), phone("+1")], "ada", "c"),
            Claim([ext("2"), phone("+1")], "bob", "c"),
            Claim([ext("3"), phone("+1")], "ada", "c"),
        ]
        ada, bob, again = self.people(claims)
        self.assertIsNot(ada, bob)
        # the same name under a second number is the same person
        self.assertIs(ada, again)
        # another channel says nothing against it
        claims[1] = Claim([ext("2", "d"), phone("+1")], "bob", "d")
        ada, bob, again = self.people(claims)
        self.assertIs(ada, bob)

    def test_shared_telephone_of_a_known_person(self):
        claim = Claim([ext("2"), phone("+1")], "bob", "c")
        names = {10: "ada"}
        [person] = self.people([claim], {phone("+1"): 10}, names, {(10, "c")})
        self.assertIsInstance(person, New)
        [person] = self.people([claim], {phone("+1"): 10}, names)
        self.assertEqual(person, 10)

    def test_a_device_leads_to_nobody(self):
        device = ("device", "ipad", "company:0")
        first, second = self.people(
            [Claim([ext("1"), device], "a", "c"), Claim([device], "b", "d")]
        )
        self.assertIsNot(first, second)

    def test_inputs_stay(self):
        known, names, taken = {ext("1"): 1}, {1: "a"}, set()
        link([Claim([ext("1"), mail("m")], "a", "c")], known, names, taken)
        self.assertEqual((known, names, taken), ({ext("1"): 1}, {1: "a"}, set()))

    def test_order(self):
        keys = [("device", "d", "s"), phone("1"), mail("m"), ext("1")]
        self.assertEqual(
            [key[0] for key in sort_keys(keys)],
            [
                "external_id",
                "email",
                "phone",
                "device",
            ],
        )


def union(value):
    return ("unionid", value, "company:0")


def user(value):
    return ("user_id", value, "company:0")


def opened(value):
    return ("openid", value, "company:0")


@tagged("post_install", "-at_install")
class TestStrongLinks(BaseCase):
    def test_one_record_names_two_known_people(self):
        known = {ext("1"): 20, union("u"): 10}
        found = strong_links([Claim([union("u"), ext("1")])], known)
        # whose identifier is the strongest comes first
        self.assertEqual(found.groups, [[20, 10]])
        self.assertEqual(found.kinds, [["external_id", "unionid"]])

    def test_through_records_that_have_one_in_common_in_any_order(self):
        known = {union("u"): 10, opened("o"): 20, opened("p"): 30}
        claims = [
            Claim([opened("o"), ext("1")]),
            Claim([ext("1"), union("u")]),
            Claim([opened("p"), user("x")]),
            Claim([user("x"), opened("o")]),
        ]
        for order in (claims, claims[::-1]):
            self.assertEqual(strong_links(order, known).groups, [[10, 20, 30]])

    def test_new_people_are_one_through_a_later_record(self):
        claims = [
            Claim([ext("1")], "a", "c"),
            Claim([union("u")], "b", "c"),
            Claim([ext("1"), union("u")], "c", "c"),
        ]
        roots = strong_links(claims, {}).roots
        first, second, third = (
            one.person for one in link(claims, {}, {}, set(), roots=roots)
        )
        self.assertIs(first, second)
        self.assertIs(first, third)

    def test_shared_and_weak_kinds_merge_nobody(self):
        device = ("device", "ipad", "company:0")
        known = {mail("m"): 1, phone("p"): 2, device: 3, union("u"): 4}
        claim = Claim([mail("m"), phone("p"), device, union("u")])
        self.assertEqual(strong_links([claim], known).groups, [])
        # as the set-up says
        kinds = KINDS | {"email": KINDS["openid"]}
        self.assertEqual(strong_links([claim], known, kinds).groups, [[4, 1]])

    def test_two_values_of_a_kind_of_one_keep_them_apart(self):
        known = {user("1"): 1, opened("o"): 2}
        held = {
            1: {("user_id", "company:0"): {"1"}},
            2: {("user_id", "company:0"): {"2"}},
        }
        claims = [Claim([user("1"), opened("o")])]
        self.assertEqual(strong_links(claims, known, held=held).groups, [])
        # in another scope it is another system's
        held[2] = {("user_id", "company:9"): {"2"}}
        self.assertEqual(strong_links(claims, known, held=held).groups, [[2, 1]])

    def test_a_quarantined_value_leads_to_nobody(self):
        known = {opened("test"): 1, union("u"): 2, phone("p"): 3}
        claim = Claim([opened("test"), union("u")], "a")
        self.assertEqual(
            strong_links([claim], known, quarantined={opened("test")}).groups, []
        )
        [found] = link(
            [Claim([phone("p")], "a")], known, {}, set(), quarantined={phone("p")}
        )
        self.assertIsInstance(found.person, New)
        self.assertEqual(found.conflicts, [phone("p")])
