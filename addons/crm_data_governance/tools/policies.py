"""Field policies: which access a person has to a field.

A policy binds a person if it names no group or one of the person's groups, and names no
company or one of the person's companies.  Of the policies that bind a person for one
field:

1. the more specific one displaces the less specific one: a policy for groups displaces
   one for everybody; a policy whose groups imply the groups of the other (an
   administrator's group implies the user's group) displaces it; between policies for
   the same groups the one for a company displaces the one for all;
2. of those that are left the strictest wins, hidden before masked before readonly
   before editable; between two masks the one that reveals less.

No policy gives more than Odoo's own rights; ``editable`` only lifts other policies.
"""

from typing import NamedTuple

# Strictest first.
ACCESSES = ("hidden", "masked", "readonly", "editable")
# What reveals less first.
MASKS = (
    "constant",
    "hash",
    "name",
    "phone",
    "email",
    "identity",
    "card",
    "band",
)
# Nobody reads the value itself with these.
CLOSED = frozenset({"hidden", "masked"})


class Policy(NamedTuple):
    """A policy as plain data.

    :param key: what identifies it, sortable
    :param fields: iterable of ``(model, field)``
    :param frozenset groups: ids; empty = everybody
    :param company: id, or False for all companies
    :param str access: one of :data:`ACCESSES`
    :param mask: one of :data:`MASKS`, if ``access`` is ``masked``
    """

    key: object
    fields: tuple
    groups: frozenset
    company: object
    access: str
    mask: object = False


class Rule(NamedTuple):
    """What holds for one person and one field.

    :param str access: one of :data:`ACCESSES`
    :param mask: one of :data:`MASKS`, or False
    :param key: the policy that decides
    """

    access: str
    mask: object
    key: object

    @property
    def closed(self):
        """The value itself is not shown."""
        return self.access in CLOSED


def binds(policy, groups, companies):
    """:return: whether ``policy`` binds a person in ``groups`` and ``companies``"""
    return (not policy.groups or not policy.groups.isdisjoint(groups)) and (
        not policy.company or policy.company in companies
    )


def displaces(one, other, groups, implied):
    """Whether ``one`` is more specific than ``other`` for a person in ``groups``.

    :param dict implied: group → ids of all groups it implies
    """
    mine, theirs = one.groups & groups, other.groups & groups
    if mine == theirs:
        return bool(one.company) and not other.company
    if not theirs:
        return True
    return bool(mine) and all(
        any(
            group in implied.get(above, ()) and above not in implied.get(group, ())
            for above in mine
        )
        for group in theirs
    )


def strictness(policy):
    """Sort key, strictest first; the same policies in any order give one answer."""
    mask = MASKS.index(policy.mask) if policy.access == "masked" else 0
    return ACCESSES.index(policy.access), mask, policy.key


def resolve(policies, groups, companies=frozenset(), implied=None):
    """What the policies mean for one person.

    :param policies: iterable of :class:`Policy`
    :param groups: ids of all groups of the person, the implied ones too
    :param companies: ids of the companies the person may work in
    :param dict implied: group → ids of all groups it implies
    :return: dict ``{model: {field: Rule}}``; what is ``editable`` is left out
    """
    groups, implied = frozenset(groups), implied or {}
    bound = {}
    for policy in policies:
        if binds(policy, groups, companies):
            for field in policy.fields:
                bound.setdefault(field, []).append(policy)
    rules = {}
    for (model, field), candidates in bound.items():
        left = [
            one
            for one in candidates
            if not any(displaces(other, one, groups, implied) for other in candidates)
        ]
        winner = min(left, key=strictness)
        if winner.access != "editable":
            mask = winner.mask if winner.access == "masked" else False
            rules.setdefault(model, {})[field] = Rule(winner.access, mask, winner.key)
    return rules
