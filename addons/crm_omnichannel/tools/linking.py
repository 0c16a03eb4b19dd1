"""Which customer a record belongs to, by exact identifiers.

The records of a batch are taken in their order; each finds its customer through the
strongest identifier that is known, or opens a new one whose identifiers the following
records find. Where two identifiers point to two customers, the stronger wins and the
other stays as it is, with a note; unless both are of kinds that name one person each:
then the two are one (:func:`strong_links`).
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

#: the scope of no company
EVERYWHERE = "company:0"
STRONG = "strong"
SHARED = "shared"
WEAK = "weak"


class Kind(NamedTuple):
    """How far an identifier of a kind is trusted.

    ``rank``: the lower goes first. ``strength``: ``strong`` names one person,
    ``shared`` may be a family's or an office's, ``weak`` names a device or a visit and
    is never followed. ``value_limit``: how many values of it, in one scope, one person
    may have after a merge; 0: any number.
    """

    rank: int
    strength: str
    value_limit: int = 0


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
#: what holds until somebody changes it
KINDS = MappingProxyType(
    {
        "external_id": Kind(0, STRONG, 5),
        "unionid": Kind(1, STRONG, 1),
        "external_userid": Kind(2, STRONG, 5),
        "openid": Kind(3, STRONG, 5),
        "open_id": Kind(4, STRONG, 5),
        "user_id": Kind(5, STRONG, 1),
        "email": Kind(6, SHARED),
        "phone": Kind(7, SHARED),
        "anonymous_id": Kind(8, WEAK),
        "device": Kind(9, WEAK),
    }
)
_UNKNOWN = Kind(len(KINDS), SHARED)


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


class Strong(NamedTuple):
    """What the strong identifiers of a batch say.

    ``groups``: lists of known persons who are one, the one with the strongest
    identifier first; ``roots``: strong key → a key that stands for all that name the
    same person; ``kinds``: for each group the kinds that name it.
    """

    groups: list
    roots: dict
    kinds: list


def sort_keys(keys, kinds=KINDS):
    """Return the keys, the strongest first."""
    return sorted(keys, key=lambda key: kinds.get(key[0], _UNKNOWN).rank)


def strong_links(claims, known, kinds=KINDS, held=None, quarantined=()):
    """Find who is one person by the strong identifiers that records carry together.

    Identifiers of one record name one person, and so do those of two records that have
    one in common; in whatever order the records came. Two known persons stay two where
    together they would have more values of a kind than its limit.

    :param list claims: :class:`Claim`
    :param dict known: key → person, of all keys of the claims that are known
    :param dict kinds: kind → :class:`Kind`
    :param dict held: person → ``{(kind, scope): set of values}`` that they have
    :param quarantined: set of keys that name nobody
    :return: :class:`Strong`
    """
    sets = _Sets(known, kinds, held or {})
    for claim in claims:
        strong = [
            key
            for key in sort_keys(claim.keys, kinds)
            if kinds.get(key[0], _UNKNOWN).strength == STRONG and key not in quarantined
        ]
        for key in strong:
            sets.add(key)
        for key in strong[1:]:
            sets.join(strong[0], key)
    roots = {key: sets.find(key) for key in sets.parents}
    groups, names = [], []
    for root in dict.fromkeys(roots.values()):
        persons = sets.persons[root]
        if len(persons) > 1:
            best = sorted(persons, key=lambda person: (persons[person], person))
            groups.append(best)
            names.append(sorted({key[0] for key in roots if roots[key] == root}))
    return Strong(groups, roots, names)


class _Sets:
    """Keys that name the same person: a union-find, with what each set holds."""

    def __init__(self, known, kinds, held):
        self.known = known
        self.kinds = kinds
        self.held = held
        self.parents = {}
        self.persons = {}
        self.values = {}
        self.by_person = {}

    def add(self, key):
        if key in self.parents:
            return
        self.parents[key] = key
        kind, value, scope = key
        self.values[key] = {(kind, scope): {value}}
        person = self.known.get(key)
        self.persons[key] = {}
        if person is not None:
            self.persons[key][person] = self.kinds.get(kind, _UNKNOWN).rank
            for place, values in self.held.get(person, {}).items():
                self.values[key].setdefault(place, set()).update(values)
            other = self.by_person.setdefault(person, key)
            self._unite(self.find(other), key)

    def find(self, key):
        while self.parents[key] != key:
            self.parents[key] = self.parents[self.parents[key]]
            key = self.parents[key]
        return key

    def join(self, one, other):
        one, other = self.find(one), self.find(other)
        if one != other and self._fits(one, other):
            self._unite(one, other)

    def _fits(self, one, other):
        if not self.persons[one] or not self.persons[other]:
            return True
        for (kind, scope), values in self.values[one].items():
            limit = self.kinds.get(kind, _UNKNOWN).value_limit
            both = values | self.values[other].get((kind, scope), set())
            # who has too many already is not split by that
            if limit and len(both) > max(limit, len(values)):
                return False
        return True

    def _unite(self, one, other):
        if one == other:
            return
        self.parents[other] = one
        for person, rank in self.persons.pop(other).items():
            self.persons[one][person] = min(rank, self.persons[one].get(person, rank))
        for place, values in self.values.pop(other).items():
            self.values[one].setdefault(place, set()).update(values)


def link(claims, known, names, taken, kinds=KINDS, quarantined=(), roots=None):
    """Return one :class:`Link` for each claim.

    :param list claims: :class:`Claim` in the order of the records
    :param dict known: key -> person, of all keys of the claims that are known
    :param dict names: person -> folded name
    :param taken: set of ``(person, channel)`` that have an external id of the channel
    :param dict kinds: kind → :class:`Kind`
    :param quarantined: set of keys that lead to nobody
    :param dict roots: as :func:`strong_links` returns

    A shared kind does not lead to a person who has another external id of the same
    channel and another name: the sender says that these are two.
    """
    known, names, taken = dict(known), dict(names), set(taken)
    roots = roots or {}
    by_root = {roots[key]: person for key, person in known.items() if key in roots}
    links = []
    for claim in claims:
        keys = sort_keys(claim.keys, kinds)
        followed = [
            key
            for key in keys
            if kinds.get(key[0], _UNKNOWN).strength != WEAK and key not in quarantined
        ]
        person = _find(claim, followed, known, names, taken, kinds, by_root, roots)
        if person is None:
            person = New(claim.name)
            names[person] = claim.name
        result = Link(person)
        for key in keys:
            owner = known.setdefault(key, person)
            (result.keys if owner == person else result.conflicts).append(key)
            if owner == person:
                by_root.setdefault(roots.get(key), person)
            if key[0] == "external_id" and owner == person:
                taken.add((person, claim.channel))
        links.append(result)
    return links


def breadth(scope):
    """How many people a scope spans: 0 one channel or source, 1 a company, 2 all."""
    if scope == EVERYWHERE:
        return 2
    return 1 if scope.startswith("company:") else 0


def places(scope):
    """Where an identifier of a scope may be known: what no company has, all may use."""
    return (scope, EVERYWHERE) if breadth(scope) == 1 else (scope,)


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


def _find(claim, keys, known, names, taken, kinds, by_root, roots):
    has_external = any(key[0] == "external_id" for key in keys)
    for key in keys:
        person = known.get(key)
        if person is None and key in roots:
            person = by_root.get(roots[key])
        if person is None:
            continue
        two_people = (
            kinds.get(key[0], _UNKNOWN).strength == SHARED
            and has_external
            and (person, claim.channel) in taken
            and names.get(person) != claim.name
        )
        if not two_people:
            return person
    return None
