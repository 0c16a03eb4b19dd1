"""The token game of BPMN 2.0.2, chapter 13: what can happen in a process.

A marking says which sequence flows hold a token. From the first marking every one is
followed that any answer of any condition could lead to. So it is known before a
process is deployed whether two tokens can meet on one flow (the standard leaves open
what a join then does, and engines differ) and whether it can get stuck.

Activities take a token and give it on; how long they take plays no part. The inclusive
join follows the rule of the standard (13.4.3): it fires when no token elsewhere could
still reach an empty entrance of it without also being able to reach a filled one.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from itertools import combinations

PASS, EXCLUSIVE, PARALLEL, INCLUSIVE = "pass", "exclusive", "parallel", "inclusive"
END, TERMINATE = "end", "terminate"
MAX_MARKINGS = 20_000
#: Ways out of one inclusive gateway that are tried in every combination.
MAX_INCLUSIVE = 10


class TooComplexError(Exception):
    """More markings than are looked at."""


@dataclass
class Net:
    """A scope as a graph.

    :ivar kinds: ``{node: kind}``, kinds as above
    :ivar flows: ``list[(source, target)]``; a flow is known by its place in it
    :ivar start: the node that the first token leaves
    :ivar defaults: ``{gateway: flow}``
    """

    kinds: dict
    flows: list
    start: str
    defaults: dict = field(default_factory=dict)

    def __post_init__(self):
        self.into, self.out_of = defaultdict(list), defaultdict(list)
        self.numbers = defaultdict(list)
        for number, (source, target) in enumerate(self.flows):
            self.out_of[source].append(number)
            self.into[target].append(number)
            self.numbers[source, target].append(number)
        self._leading = {
            node: self._ways_to(node)
            for node, kind in self.kinds.items()
            if kind == INCLUSIVE and len(self.into[node]) > 1
        }

    def _ways_to(self, gateway):
        """For each entrance of a gateway the flows that lead to it, not through it."""
        ways = {}
        for entrance in self.into[gateway]:
            seen, waiting = {entrance}, deque([entrance])
            while waiting:
                source = self.flows[waiting.popleft()][0]
                if source == gateway:
                    continue
                for flow in self.into[source]:
                    if flow not in seen:
                        seen.add(flow)
                        waiting.append(flow)
            ways[entrance] = seen
        return ways

    def first(self):
        """The marking after the start event."""
        return frozenset(self.out_of[self.start])

    def _inclusive_waits(self, node, marking):
        ways = self._leading.get(node)
        if ways is None:
            return False
        entrances = set(self.into[node])
        filled = entrances & marking
        empty = entrances - marking
        return any(
            any(token in ways[way] for way in empty)
            and not any(token in ways[way] for way in filled)
            for token in marking - entrances
        )

    def takes(self, marking):
        """What can fire: ``list[(node, frozenset of the flows it takes from)]``."""
        found = []
        for node in {self.flows[flow][1] for flow in marking}:
            entrances = self.into[node]
            filled = frozenset(marking.intersection(entrances))
            kind = self.kinds[node]
            if kind == PARALLEL:
                if len(filled) == len(entrances):
                    found.append((node, filled))
            elif kind == INCLUSIVE:
                if not self._inclusive_waits(node, marking):
                    found.append((node, filled))
            else:
                found += [(node, frozenset((flow,))) for flow in filled]
        return sorted(found, key=lambda take: (take[0], sorted(take[1])))

    def gives(self, node):
        """The sets of flows that a node may put tokens on, by its conditions."""
        out = self.out_of[node]
        kind = self.kinds[node]
        if kind == EXCLUSIVE:
            return [frozenset((flow,)) for flow in out]
        if kind != INCLUSIVE or len(out) < 2:
            return [frozenset(out)]
        default = self.defaults.get(node)
        chosen = [flow for flow in out if flow != default]
        if len(chosen) > MAX_INCLUSIVE:
            raise TooComplexError
        sets = [
            frozenset(some)
            for size in range(1, len(chosen) + 1)
            for some in combinations(chosen, size)
        ]
        return sets if default is None else [*sets, frozenset((default,))]


def shortened(net):
    """The same net without the nodes that a token merely passes.

    Firing one of them changes nothing for any other, so the markings that differ only
    in such a step need not all be looked at.
    """
    flows = dict(enumerate(net.flows))
    into = {node: list(net.into[node]) for node in net.kinds}
    out_of = {node: list(net.out_of[node]) for node in net.kinds}
    for node, kind in net.kinds.items():
        if kind != PASS or node == net.start:
            continue
        if len(into[node]) != 1 or len(out_of[node]) != 1:
            continue
        (before,), (after,) = into[node], out_of[node]
        if before == after:
            continue
        target = flows.pop(after)[1]
        flows[before] = (flows[before][0], target)
        into[target][into[target].index(after)] = before
        into[node], out_of[node] = [], []
    order = {number: place for place, number in enumerate(flows)}
    return Net(
        net.kinds,
        list(flows.values()),
        net.start,
        {node: order[flow] for node, flow in net.defaults.items() if flow in order},
    )


def unconditional_loops(net):
    """Nodes on ways that come back to themselves past no choice: they never stop.

    :return: sorted ``list`` of nodes
    """
    left = {
        (source, target)
        for source, target in net.flows
        if net.kinds[source] not in (EXCLUSIVE, INCLUSIVE)
        or len(net.out_of[source]) < 2
    }
    while True:
        sources = {source for source, _target in left}
        targets = {target for _source, target in left}
        kept = {(a, b) for a, b in left if a in targets and b in sources}
        if kept == left:
            return sorted(sources)
        left = kept


def problems(net):
    """What can go wrong in a net.

    :param Net net: every flow of it has both ends in ``kinds``
    :return: sorted ``list[(code, node)]``; codes ``met_twice`` (two tokens can be at
        the entrance of the node at once) and ``stuck`` (a join that can wait for ever)
    :raises TooComplexError: when there is too much to look at
    """
    net = shortened(net)
    found = set()
    seen = {net.first()}
    waiting = deque(seen)
    while waiting:
        marking = waiting.popleft()
        takes = net.takes(marking)
        if marking and not takes:
            found.update(("stuck", net.flows[flow][1]) for flow in marking)
        for node, taken in takes:
            if net.kinds[node] == TERMINATE:
                following = [frozenset()]
            else:
                left = marking - taken
                following = []
                for given in net.gives(node):
                    doubled = left & given
                    if doubled:
                        found.update(("met_twice", net.flows[f][1]) for f in doubled)
                    else:
                        following.append(left | given)
            for after in following:
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
        if len(seen) > MAX_MARKINGS:
            raise TooComplexError
    return sorted(found)
