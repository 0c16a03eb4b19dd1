"""Which service promise holds for a ticket: the most specific one wins.

A policy names some of team, category, tags and priority; what it leaves empty
it does not ask for. Of the policies that fit, the one that asks for more wins;
among those that ask for the same number, the one whose category lies deeper in
the tree, then the smaller sequence, then the older one.
"""

from dataclasses import dataclass, field

CRITERIA = ("team", "category", "tags", "priority")


@dataclass(frozen=True)
class Policy:
    """A policy; ids or None for "any".

    :ivar tags: frozenset of ids; one of them on the ticket is enough
    :ivar category_depth: ancestors of the category, 0 at the root
    :ivar minutes: ``{kind: working minutes}``, only kinds that it promises
    """

    key: int
    sequence: int = 10
    team: int | None = None
    category: int | None = None
    category_depth: int = 0
    tags: frozenset = frozenset()
    priority: str | None = None
    minutes: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What is known of a ticket.

    :ivar categories: its category and all ancestors of it
    """

    team: int | None = None
    categories: frozenset = frozenset()
    tags: frozenset = frozenset()
    priority: str | None = None


def matched_criteria(policy, facts):
    """The criteria that the policy asks for and the ticket meets.

    :return: ``list[str]`` out of :data:`CRITERIA`, or None if one is not met
    """
    asked = (
        ("team", policy.team, policy.team == facts.team),
        ("category", policy.category, policy.category in facts.categories),
        ("tags", policy.tags, bool(policy.tags & facts.tags)),
        ("priority", policy.priority, policy.priority == facts.priority),
    )
    if not all(met for _name, wanted, met in asked if wanted):
        return None
    return [name for name, wanted, _met in asked if wanted]


def choose(policies, facts, kind):
    """The policy that holds for one kind of promise.

    :param policies: iterable of :class:`Policy`
    :param Facts facts: of the ticket
    :param str kind: a key of ``Policy.minutes``
    :return: ``(policy, params)`` or ``(None, None)``; ``params`` has
        ``matched`` (criteria) and ``others`` (how many fitting ones it beat)
    """
    fitting = []
    for policy in policies:
        if kind not in policy.minutes:
            continue
        matched = matched_criteria(policy, facts)
        if matched is not None:
            fitting.append((policy, matched))
    if not fitting:
        return None, None
    best, matched = min(
        fitting,
        key=lambda pair: (
            -len(pair[1]),
            -(pair[0].category_depth if pair[0].category else -1),
            pair[0].sequence,
            pair[0].key,
        ),
    )
    return best, {"matched": matched, "others": len(fitting) - 1}
