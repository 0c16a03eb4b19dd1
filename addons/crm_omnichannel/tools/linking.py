"""Which customer a record belongs to, by exact identifiers.

The records of a batch are taken in their order; each finds its customer through the
strongest identifier that is known, or opens a new one whose identifiers the following
records find. Customers are never merged here: where two identifiers point to two
customers, the stronger wins and the other stays as it is, with a note.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

#: the strongest first; the others follow in the order of the record
KIND_ORDER = (
    "external_id",
    "unionid",
    "external_userid",
    "openid",
    "open_id",
    "user_id",
    "email",
    "phone",
)
#: kinds that several people can share: a family's telephone, an office's e-mail
SHARED_KINDS = frozenset({"email", "phone"})
#: kinds that name a device or a visit, not a person: kept, never followed
WEAK_KINDS = frozenset({"anonymous_id", "device"})
_RANK = {kind: rank for rank, kind in enumerate(KIND_ORDER)}


class IdentityClaim(NamedTuple):
    """An identifier and whose it is said to be; ids of records, or None."""

    kind: str
    value: str
    scope: str
    partner_id: int
    channel_id: "int | None" = None
    record_id: "int | None" = None
    company_id: "int | None" = None


class Found(NamedTuple):
    """An identifier that is known: the identity, and whose it is."""

    identity_id: int
    partner_id: int


@dataclass
class Claim:
    """What a record brings: ``keys`` are ``(kind, value, scope)`` tuples, ``name`` is
    folded, ``channel`` is any hashable."""

    keys: list
    name: str = ""
    channel: object = None


@dataclass
class Link:
    """Where a record went.

    ``person`` is a known person or a ``New``; ``keys`` those of the record that now
    belong to the person, ``conflicts`` those that belong to somebody else.
    """

    person: object
    keys: list = field(default_factory=list)
    conflicts: list = field(default_factory=list)


class New:
    """A customer that the batch has to create."""

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name


def sort_keys(keys):
    """Return the keys, the strongest first."""
    return sorted(keys, key=lambda key: _RANK.get(key[0], len(_RANK)))


def link(claims, known, names, taken):
    """Return one :class:`Link` for each claim.

    :param list claims: :class:`Claim` in the order of the records
    :param dict known: key -> person, of all keys of the claims that are known
    :param dict names: person -> folded name
    :param taken: set of ``(person, channel)`` that have an external id of the channel

    A shared kind does not lead to a person who has another external id of the same
    channel and another name: the sender says that these are two.
    """
    known, names, taken = dict(known), dict(names), set(taken)
    links = []
    for claim in claims:
        keys = sort_keys(claim.keys)
        person = _find(claim, keys, known, names, taken)
        if person is None:
            person = New(claim.name)
            names[person] = claim.name
        result = Link(person)
        for key in keys:
            owner = known.setdefault(key, person)
            (result.keys if owner == person else result.conflicts).append(key)
            if key[0] == "external_id" and owner == person:
                taken.add((person, claim.channel))
        links.append(result)
    return links


def breadth(scope):
    """How many people a scope spans: 0 one channel or source, 1 a company, 2 all."""
    if scope == "company:0":
        return 2
    return 1 if scope.startswith("company:") else 0


def resolve(rows):
    """Return whom each identifier names, of all that is known of it.

    The narrowest scope that knows it decides; where several of one breadth name
    different people, it names nobody.

    :param rows: iterable of ``(kind, value, scope, identity id, partner id)``
    :return: ``{(kind, value): Found}``
    """
    nearest = {}
    for kind, value, scope, identity_id, partner_id in rows:
        width = breadth(scope)
        known = nearest.setdefault((kind, value), (width, []))
        if width < known[0]:
            known = nearest[kind, value] = (width, [])
        if width == known[0]:
            known[1].append(Found(identity_id, partner_id))
    return {
        key: min(found)
        for key, (_width, found) in nearest.items()
        if len({one.partner_id for one in found}) == 1
    }


def _find(claim, keys, known, names, taken):
    has_external = any(key[0] == "external_id" for key in keys)
    for key in keys:
        person = known.get(key)
        if person is None or key[0] in WEAK_KINDS:
            continue
        two_people = (
            key[0] in SHARED_KINDS
            and has_external
            and (person, claim.channel) in taken
            and names.get(person) != claim.name
        )
        if not two_people:
            return person
    return None
