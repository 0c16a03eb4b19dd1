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
