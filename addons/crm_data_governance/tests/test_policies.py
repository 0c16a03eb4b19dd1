import itertools
import random

from odoo.tests import BaseCase, tagged

from ..tools.policies import ACCESSES, MASKS, Policy, Rule, displaces, resolve

FIELD = ("res.partner", "phone")
USER, SELLER, MANAGER, OTHER = 1, 2, 3, 4
# The manager's group implies the seller's, that the user's.
IMPLIED = {
    USER: {USER},
    SELLER: {SELLER, USER},
    MANAGER: {MANAGER, SELLER, USER},
    OTHER: {OTHER, USER},
}


def policy(key, access, *groups, company=False, mask=False, fields=(FIELD,)):
    return Policy(key, tuple(fields), frozenset(groups), company, access, mask)


@tagged("post_install", "-at_install")
class TestPolicies(BaseCase):
    def access(self, policies, *groups, companies=()):
        rules = resolve(policies, groups, frozenset(companies), IMPLIED)
        rule = rules.get(FIELD[0], {}).get(FIELD[1])
        return rule.access if rule else "editable"

    def test_who_is_bound(self):
        everybody = policy(1, "hidden")
        sellers = policy(2, "hidden", SELLER)
        self.assertEqual(self.access([everybody], USER), "hidden")
        self.assertEqual(self.access([sellers], USER), "editable")
        self.assertEqual(self.access([sellers], USER, SELLER), "hidden")
        here = policy(3, "hidden", company=7)
        self.assertEqual(self.access([here], USER, companies=[8]), "editable")
        self.assertEqual(self.access([here], USER, companies=[7, 8]), "hidden")
        self.assertEqual(resolve([], [USER]), {})

    def test_more_specific_displaces(self):
        for one, other, groups, expected in (
            # Groups before everybody, in both directions of strictness.
            (
                policy(1, "hidden"),
                policy(2, "readonly", SELLER),
                (USER, SELLER),
                "readonly",
            ),
            (
                policy(1, "readonly"),
                policy(2, "hidden", SELLER),
                (USER, SELLER),
                "hidden",
            ),
            # Who is above is excepted.
            (
                policy(1, "hidden", SELLER),
                policy(2, "editable", MANAGER),
                (USER, SELLER, MANAGER),
                "editable",
            ),
            (
                policy(1, "hidden", SELLER),
                policy(2, "editable", MANAGER),
                (USER, SELLER),
                "hidden",
            ),
            # Neither is above the other: deny wins.
            (
                policy(1, "hidden", SELLER),
                policy(2, "editable", OTHER),
                (USER, SELLER, OTHER),
                "hidden",
            ),
            # One group of two is above: not all.
            (
                policy(1, "masked", SELLER, OTHER, mask="phone"),
                policy(2, "editable", MANAGER),
                (USER, SELLER, MANAGER, OTHER),
                "masked",
            ),
        ):
            for order in ((one, other), (other, one)):
                self.assertEqual(self.access(order, *groups), expected, order)

    def test_company_displaces(self):
        both = policy(1, "hidden", SELLER)
        here = policy(2, "readonly", SELLER, company=7)
        groups = (USER, SELLER)
        self.assertEqual(self.access([both, here], *groups, companies=[7]), "readonly")
        self.assertEqual(self.access([both, here], *groups, companies=[8]), "hidden")
        # The groups come first.
        everybody = policy(3, "editable", company=7)
        self.assertEqual(
            self.access([both, everybody], *groups, companies=[7]), "hidden"
        )

    def test_strictest_wins(self):
        policies = [
            policy(key, access, mask=MASKS[0]) for key, access in enumerate(ACCESSES)
        ]
        for count in range(1, 5):
            for chosen in itertools.combinations(policies, count):
                strictest = min(ACCESSES.index(one.access) for one in chosen)
                self.assertEqual(self.access(chosen, USER), ACCESSES[strictest])
        masked = [policy(1, "masked", mask="phone"), policy(2, "masked", mask="hash")]
        self.assertEqual(
            resolve(masked, [USER])[FIELD[0]][FIELD[1]], Rule("masked", "hash", 2)
        )

    def test_order_does_not_matter(self):
        rng = random.Random(5)
        for _ in range(200):
            policies = [
                policy(
                    key,
                    rng.choice(ACCESSES),
                    *rng.sample((USER, SELLER, MANAGER, OTHER), rng.randint(0, 3)),
                    company=rng.choice((False, 7)),
                    mask=rng.choice(MASKS),
                    fields=rng.sample([("a", "x"), ("a", "y"), ("b", "x")], 2),
                )
                for key in range(rng.randint(1, 6))
            ]
            groups = {USER, *rng.sample((SELLER, MANAGER, OTHER), rng.randint(0, 3))}
            expected = resolve(policies, groups, {7}, IMPLIED)
            rng.shuffle(policies)
            self.assertEqual(resolve(policies, groups, {7}, IMPLIED), expected)
            # Nobody is without an answer because all displaced each other.
            for one, other in itertools.permutations(policies, 2):
                self.assertFalse(
                    displaces(one, other, groups, IMPLIED)
                    and displaces(other, one, groups, IMPLIED)
                )

    def test_editable_is_no_rule(self):
        self.assertEqual(resolve([policy(1, "editable")], [USER]), {})
        rule = resolve([policy(1, "readonly")], [USER])[FIELD[0]][FIELD[1]]
        self.assertFalse(rule.closed)
