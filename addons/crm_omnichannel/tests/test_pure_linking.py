from odoo.tests import BaseCase, tagged

from odoo.addons.crm_omnichannel.tools.linking import Claim, New, link, sort_keys


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
