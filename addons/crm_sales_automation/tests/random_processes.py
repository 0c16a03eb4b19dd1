"""Random processes of every element that can be run, and what they must do.

:class:`Structured` nests blocks; :func:`tangled` throws flows at random, and the lint
says which of those graphs may be deployed. :class:`Game` plays the token game of the
standard: an engine of its own, without SpiffWorkflow and without a tree of tasks.
"""

from ..tools import bpmn, tokens
from .diagrams import flow, node, process

WAITING = ("userTask", "manualTask", "serviceTask")
ACTION = (
    '<bpmn:extensionElements><crm:action xmlns:crm="urn:crm-suite:bpmn:1"'
    ' name="create_quotation"/></bpmn:extensionElements>'
)
TERMINATE = "<bpmn:terminateEventDefinition/>"


def activity(rng, key):
    tag = rng.choice(("task", *WAITING))
    return node(tag, key, ACTION if tag == "serviceTask" else "")


class Structured:
    """A process of nested blocks, with its flows in ``parts``."""

    def __init__(self, rng, depth=3):
        self.rng = rng
        self.count = 0
        self.conditions = []
        self.xml = process(*self.scope(depth))

    def key(self, stem):
        self.count += 1
        return f"{stem}{self.count}"

    def condition(self):
        self.conditions.append(f"c{len(self.conditions)}")
        return self.conditions[-1]

    def scope(self, depth):
        start, end = self.key("s"), self.key("e")
        parts, first, last = self.block(depth)
        return [
            node("startEvent", start),
            node("endEvent", end),
            flow(start, first),
            flow(last, end),
            *parts,
        ]

    def block(self, depth):
        """Parts, the first node and the last node of a block."""
        kinds = ["activity"]
        if depth:
            kinds += ["sequence", "exclusive", "parallel", "inclusive", "loop"]
            kinds += ["sub", "aside", "sequence"]
        return getattr(self, self.rng.choice(kinds))(depth - 1)

    def activity(self, _depth):
        key = self.key("t")
        return [activity(self.rng, key)], key, key

    def sequence(self, depth):
        one, first, middle = self.block(depth)
        two, second, last = self.block(depth)
        return [*one, *two, flow(middle, second)], first, last

    def _split(self, tag, depth, decides):
        opening, closing = self.key("g"), self.key("g")
        default = self.key("d") if decides else ""
        parts = []
        for number in range(self.rng.randint(2, 3)):
            inside, first, last = self.block(depth)
            if decides and not number:
                parts.append(flow(opening, first, key=default))
            else:
                parts.append(flow(opening, first, self.condition() if decides else ""))
            parts += [*inside, flow(last, closing)]
        attributes = {"default_": default} if decides else {}
        parts += [node(tag, opening, **attributes), node(tag, closing)]
        return parts, opening, closing

    def exclusive(self, depth):
        return self._split("exclusiveGateway", depth, True)

    def parallel(self, depth):
        return self._split("parallelGateway", depth, False)

    def inclusive(self, depth):
        return self._split("inclusiveGateway", depth, True)

    def loop(self, depth):
        opening, closing, default = self.key("g"), self.key("g"), self.key("d")
        inside, first, last = self.block(depth)
        wait = self.key("t")
        parts = [
            node("exclusiveGateway", opening),
            node("exclusiveGateway", closing, default_=default),
            # A loop that waits for nobody would run until it is stopped.
            node("userTask", wait),
            *inside,
            flow(opening, first),
            flow(last, closing),
            flow(closing, wait, self.condition()),
            flow(wait, opening),
        ]
        after = self.key("t")
        parts += [activity(self.rng, after), flow(closing, after, key=default)]
        return parts, opening, after

    def sub(self, depth):
        key = self.key("p")
        return [node("subProcess", key, "".join(self.scope(depth)))], key, key

    def aside(self, depth):
        """A parallel branch that ends by itself, sometimes with everything."""
        opening, end = self.key("g"), self.key("e")
        one, first, last = self.block(depth)
        two, second, stop = self.block(depth)
        ending = TERMINATE if self.rng.random() < 0.4 else ""
        parts = [
            *one,
            *two,
            node("parallelGateway", opening),
            node("endEvent", end, ending),
            flow(opening, first),
            flow(opening, second),
            flow(stop, end),
        ]
        return parts, opening, last


def tangled(rng):
    """A process of random flows: its text and its conditions."""
    keys = [f"n{n}" for n in range(rng.randint(3, 9))]
    targets = {key: [] for key in ["s", *keys]}
    tags = {}
    for key in keys:
        tags[key] = rng.choice(
            (
                "parallelGateway",
                "parallelGateway",
                "inclusiveGateway",
                "exclusiveGateway",
                "exclusiveGateway",
                "userTask",
                "task",
            )
        )
    ends = ["e1", "e2"]
    for key in ["s", *keys]:
        wanted = 1
        if tags.get(key, "").endswith("Gateway"):
            wanted = rng.choice((1, 1, 2, 2, 3))
        later = [k for k in keys if k > key or key == "s" or rng.random() < 0.15]
        pool = [k for k in later if k != key] + ends[: rng.randint(1, 2)]
        targets[key] = rng.sample(pool, min(wanted, len(pool)))
    edges = [(key, target) for key, some in targets.items() for target in some]
    used = bpmn.reachable(["s"], edges)
    targets = {key: some for key, some in targets.items() if key in used}
    tags = {key: tag for key, tag in tags.items() if key in used}
    conditions, parts = [], [node("startEvent", "s")]
    parts += [
        node("endEvent", end, TERMINATE if rng.random() < 0.1 else "")
        for end in ends
        if end in used
    ]
    for key, some in targets.items():
        decides = tags.get(key) in ("exclusiveGateway", "inclusiveGateway")
        attributes = {}
        for number, target in enumerate(some):
            condition = ""
            name = f"f_{key}_{target}"
            if decides and len(some) > 1:
                if number:
                    conditions.append(f"c{len(conditions)}")
                    condition = conditions[-1]
                else:
                    attributes["default_"] = name
            parts.append(flow(key, target, condition, key=name))
        if key in tags:
            parts.append(node(tags[key], key, **attributes))
    return process(*parts), conditions


class Game:
    """The token game on one scope; tokens stand on the flows before a waiting task."""

    def __init__(self, scopes, key=""):
        self.scopes = scopes
        self.scope = scopes[key]
        self.net = bpmn.net(self.scope)
        self.marking = self.net.first()
        self.inner = {}

    def advance(self, context):
        """Fire what fires by itself until nothing does; False when it never stops."""
        for _step in range(1_000):
            for name, taken in self.net.takes(self.marking):
                tag = bpmn.tag_of(self.scope.nodes[name])
                if tag in WAITING:
                    continue
                if tag == "subProcess":
                    (place,) = taken
                    game = self.inner.setdefault(place, Game(self.scopes, name))
                    game.advance(context)
                    if game.marking:
                        continue
                    del self.inner[place]
                self.fire(name, taken, context)
                break
            else:
                return True
        return False

    def fire(self, name, taken, context):
        if self.net.kinds[name] == tokens.TERMINATE:
            self.marking, self.inner = frozenset(), {}
            return
        self.marking = (self.marking - taken) | self.chosen(name, context)

    def chosen(self, name, context):
        """The ways out that get a token, by the words of the standard."""
        out = self.net.out_of[name]
        kind = self.net.kinds[name]
        if kind not in (tokens.EXCLUSIVE, tokens.INCLUSIVE) or len(out) < 2:
            return set(out)
        default = self.net.defaults[name]
        true = [
            flow
            for flow in out
            if flow != default and context[bpmn.condition_of(self.scope.flows[flow])]
        ]
        if kind == tokens.EXCLUSIVE:
            true = true[:1]
        return set(true or [default])

    def waiting(self):
        """``(key, place)`` of each task that waits, inner ones too."""
        found = []
        for token in self.marking:
            name = self.net.flows[token][1]
            if bpmn.tag_of(self.scope.nodes[name]) in WAITING:
                found.append((name, (token,)))
            elif token in self.inner:
                found += [
                    (key, (token, *place)) for key, place in self.inner[token].waiting()
                ]
        return sorted(found)

    def complete(self, key, place, context):
        token, *rest = place
        if rest:
            self.inner[token].complete(key, rest, context)
        else:
            self.fire(key, frozenset((token,)), context)
