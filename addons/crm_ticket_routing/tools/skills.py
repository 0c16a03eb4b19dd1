"""What an agent can do, against the skills that a ticket asks for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """A skill asked for; ``level`` from 0 to 100 is the least that will do.

    :ivar language: asked for because the customer speaks it
    """

    skill: int
    level: int
    required: bool = True
    language: bool = False


@dataclass(frozen=True)
class Fit:
    """How somebody stands to the requirements.

    :ivar qualified: each required skill is there at its level
    :ivar missing: ``((skill, asked, has or None), …)`` of the required ones
    :ivar optional_missing: the same of the optional ones
    :ivar shortfall: of the optional ones that are no languages, summed: 1 for a
        skill that is not there, else the share of the level that is missing
    :ivar language_shortfall: the same of the optional languages
    :ivar surplus: levels above what is asked, from 0 to 100, summed over what is met
    """

    qualified: bool
    missing: tuple
    optional_missing: tuple
    shortfall: float
    language_shortfall: float
    surplus: int


def strictest(requirements):
    """One requirement a skill: the highest level, required before optional.

    Categories inherit from their parents, so a skill may be asked for twice; one that
    the category asks for as well is not asked for the language alone.
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
            known.language and requirement.language,
        )
    return sorted(best.values(), key=lambda r: r.skill)


def fit(skills, requirements):
    """How somebody fits.

    :param dict skills: ``{skill: level}``
    :param requirements: of :func:`strictest`
    :return: :class:`Fit`
    """
    missing, optional, surplus = [], [], 0
    shortfall = {True: 0.0, False: 0.0}
    for requirement in requirements:
        has = skills.get(requirement.skill)
        if has is not None and has >= requirement.level:
            surplus += has - requirement.level
            continue
        gap = (requirement.skill, requirement.level, has)
        if requirement.required:
            missing.append(gap)
            continue
        optional.append(gap)
        # Never zero: at level 0 the skill itself is what is missing.
        shortfall[requirement.language] += (
            1.0 if has is None else (requirement.level - has) / 100
        )
    return Fit(
        not missing,
        tuple(missing),
        tuple(optional),
        shortfall[False],
        shortfall[True],
        surplus,
    )
