"""What it costs that an agent takes a ticket, and what it costs that it waits.

Each term is a weight times a plain quantity and is told by itself, so that a screen
can say why somebody was chosen and why somebody else was not.
"""

from dataclasses import dataclass, field
from math import inf

from .assignment import scaled
from .skills import fit

#: The terms of a cost, in the order in which they are told.
TERMS = ("optional", "language", "surplus", "continuity", "load")
#: Why somebody cannot take a ticket, in the order in which it is told.
BLOCKS = ("missing_skill", "leave", "off_hours", "full")
TIERS = ("standard", "silver", "gold", "vip")


@dataclass(frozen=True)
class Weights:
    """What counts how much, from 0; ``vip`` is at least 1, ``age`` more than 0.

    :ivar optional: an optional skill that is missing
    :ivar language: the customer's language, if it is optional and missing
    :ivar surplus: a whole level (100 %) more than is asked: experts are kept free
    :ivar continuity: another agent than the one whom the customer had last
    :ivar load: an agent whose places are all taken, against an idle one
    :ivar vip: how many times as urgent a customer of the highest tier is
    :ivar sla: how many times more urgent a ticket becomes towards its deadline
    :ivar age: how many times more urgent a ticket becomes for each day of waiting
    """

    optional: float = 2.0
    language: float = 2.0
    surplus: float = 0.5
    continuity: float = 1.0
    load: float = 3.0
    vip: float = 3.0
    sla: float = 4.0
    age: float = 1.0


@dataclass(frozen=True)
class Agent:
    """Somebody who may be given tickets.

    :ivar skills: ``{skill: level}``
    :ivar load: tickets open on this agent
    :ivar capacity: tickets that may be open
    :ivar known: False if nothing is known of the skills (no employee)
    :ivar away: None, ``leave`` or ``off_hours``
    """

    key: int
    skills: dict = field(default_factory=dict)
    load: int = 0
    capacity: int = 1
    known: bool = True
    away: str | None = None

    def seats(self, weights):
        """The costs of the free places: rising with how full the agent is.

        :return: ``list[float]``, empty when no place is free
        """
        return [
            weights.load * taken / self.capacity
            for taken in range(self.load, self.capacity)
        ]


@dataclass(frozen=True)
class Ticket:
    """A ticket that asks for an agent.

    :ivar requirements: of :func:`skills.strictest`
    :ivar former: the agent whom the customer had last, or None
    :ivar priority: from 0
    :ivar slack_hours: hours to the next deadline, negative after it, None without one
    :ivar age_hours: since the ticket came
    """

    key: int
    requirements: tuple = ()
    former: int | None = None
    tier: str = "standard"
    priority: int = 0
    slack_hours: float | None = None
    age_hours: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """An agent, considered for a ticket.

    :ivar blocks: why the agent cannot take it: some of :data:`BLOCKS`
    :ivar terms: ``{name: weighted cost}`` with the names of :data:`TERMS`
    :ivar fit: :class:`skills.Fit`
    """

    agent: Agent
    blocks: tuple
    terms: dict
    fit: object

    @property
    def cost(self):
        """What it costs that this agent takes the ticket next."""
        return sum(self.terms.values())

    @property
    def own_cost(self):
        """The cost without the place, or infinity if the agent cannot take it."""
        if self.blocks:
            return inf
        return sum(cost for name, cost in self.terms.items() if name != "load")


def urgency(ticket, weights):
    """How urgent a ticket is: the product of its factors.

    It grows without bound while a ticket waits and everything else is bounded, so
    each ticket is at last more urgent than any new one: nobody starves.

    :param Ticket ticket: what is known of it
    :param Weights weights: of the team
    :return: ``(urgency, {"tier", "priority", "sla", "age": factor})``, each from 1
    """
    step = TIERS.index(ticket.tier) / (len(TIERS) - 1)
    factors = {
        "tier": 1 + (weights.vip - 1) * step,
        "priority": 1.0 + ticket.priority,
        "sla": 1.0
        if ticket.slack_hours is None
        else 1 + weights.sla / (1 + max(0.0, ticket.slack_hours)),
        "age": 1 + weights.age * max(0.0, ticket.age_hours) / 24,
    }
    product = 1.0
    for factor in factors.values():
        product *= factor
    return product, factors


def consider(ticket, agent, weights):
    """An agent for a ticket.

    :return: :class:`Candidate`
    """
    fitting = fit(agent.skills, ticket.requirements)
    blocks = []
    if not fitting.qualified:
        blocks.append("missing_skill")
    if agent.away:
        blocks.append(agent.away)
    if agent.load >= agent.capacity:
        blocks.append("full")
    changes = ticket.former is not None and ticket.former != agent.key
    terms = {
        "optional": weights.optional * fitting.shortfall,
        "language": weights.language * fitting.language_shortfall,
        "surplus": weights.surplus * fitting.surplus / 100,
        "continuity": weights.continuity * changes,
        "load": weights.load * agent.load / max(agent.capacity, 1),
    }
    return Candidate(agent, tuple(blocks), terms, fitting)


def rank(candidates):
    """Candidates in the order in which a screen shows them.

    Who can take the ticket comes first, the least cost first; then who could if
    there were less in the way.

    :return: ``list[Candidate]``
    """
    return sorted(
        candidates,
        key=lambda c: (
            len(c.blocks),
            len(c.fit.missing),
            scaled(c.own_cost) + scaled(c.terms["load"]) if not c.blocks else 0,
            round(c.cost, 6),
            c.agent.key,
        ),
    )


def why_nobody(candidates):
    """Why a ticket waits, told from everybody who was considered.

    :param candidates: list of :class:`Candidate`
    :return: ``nobody``, ``nobody_has_skill``, ``nobody_available``, ``nobody_free``,
        or ``more_urgent`` when somebody could take it, but others came first
    """
    if not candidates:
        return "nobody"
    for block, code in (
        (("missing_skill",), "nobody_has_skill"),
        (("leave", "off_hours"), "nobody_available"),
        (("full",), "nobody_free"),
    ):
        candidates = [c for c in candidates if not set(block) & set(c.blocks)]
        if not candidates:
            return code
    return "more_urgent"


def why_this_one(ticket, chosen, candidates):
    """What speaks for the agent who was chosen.

    :param Candidate chosen: one of ``candidates``
    :param candidates: list of :class:`Candidate`
    :return: list of codes: ``only_one``, ``skills``, ``continuity``, ``language``,
        ``least_load``
    """
    able = [c for c in candidates if not c.blocks]
    because = []
    if len(able) == 1:
        because.append("only_one")
    if (
        any(not r.language for r in ticket.requirements)
        and not chosen.terms["optional"]
    ):
        because.append("skills")
    if ticket.former == chosen.agent.key:
        because.append("continuity")
    if any(r.language for r in ticket.requirements) and not any(
        r.skill
        in {gap[0] for gap in (*chosen.fit.missing, *chosen.fit.optional_missing)}
        for r in ticket.requirements
        if r.language
    ):
        because.append("language")
    # Shares of places taken, compared without a division.
    others = [
        c.agent.load * chosen.agent.capacity - chosen.agent.load * c.agent.capacity
        for c in able
    ]
    if min(others) >= 0 and max(others) > 0:
        because.append("least_load")
    return because
