"""Who can take a ticket: agents against the skills that its category asks for."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Requirement:
    """A skill asked for; ``level`` from 0 to 100 is the least that will do."""

    skill: int
    level: int
    required: bool = True


@dataclass(frozen=True)
class Agent:
    """A member of the team.

    :ivar skills: ``{skill: level}``
    :ivar load: tickets open on this agent
    :ivar known: False if nothing is known of the agent's skills (no employee)
    """

    key: int
    skills: dict = field(default_factory=dict)
    load: int = 0
    known: bool = True


@dataclass(frozen=True)
class Fit:
    """How an agent stands to the requirements.

    :ivar qualified: each required skill is there at its level
    :ivar missing: ``((skill, asked, has or None), …)`` of the required ones
    :ivar optional_missing: the same of the optional ones
    :ivar surplus: levels above what is asked, summed over what is met
    """

    agent: Agent
    qualified: bool
    missing: tuple
    optional_missing: tuple
    surplus: int


def strictest(requirements):
    """One requirement a skill: the highest level, required before optional.

    Categories inherit from their parents, so a skill may be asked for twice.
    """
    best = {}
    for requirement in requirements:
        known = best.get(requirement.skill)
        if known is None:
            best[requirement.skill] = requirement
            continue
        best[requirement.skill] = Requirement(
            requirement.skill,
            max(known.level, requirement.level),
            known.required or requirement.required,
        )
    return sorted(best.values(), key=lambda r: r.skill)


def fit(agent, requirements):
    """How one agent fits.

    :param requirements: of :func:`strictest`
    :return: :class:`Fit`
    """
    missing, optional, surplus = [], [], 0
    for requirement in requirements:
        has = agent.skills.get(requirement.skill)
        if has is not None and has >= requirement.level:
            surplus += has - requirement.level
            continue
        gap = (requirement.skill, requirement.level, has)
        (missing if requirement.required else optional).append(gap)
    return Fit(agent, not missing, tuple(missing), tuple(optional), surplus)


def rank(agents, requirements):
    """All agents, the best first.

    Qualified ones first; then fewer required skills missing, fewer optional
    ones missing, less work at hand, more level to spare, the older account.

    :return: ``list[Fit]``
    """
    asked = strictest(requirements)
    return sorted(
        (fit(agent, asked) for agent in agents),
        key=lambda f: (
            not f.qualified,
            len(f.missing),
            len(f.optional_missing),
            f.agent.load,
            -f.surplus,
            f.agent.key,
        ),
    )
