"""Which variant of a slot a person sees, and why each other one is not it."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Candidate:
    """A variant as the decision sees it.

    :ivar key: identifier, unique in the slot
    :ivar priority: the smaller, the sooner; equal ones go by ``key``
    :ivar starts: first moment it may show (UTC, inclusive), or None
    :ivar ends: first moment it no longer shows (UTC, exclusive), or None
    :ivar matches: whether the person is in the audience
    """

    key: int
    priority: int
    starts: datetime | None
    ends: datetime | None
    matches: bool


@dataclass(frozen=True)
class Verdict:
    """What happened to one candidate: ``code`` is ``chosen``, ``not_started``,
    ``ended``, ``audience`` or ``outranked``; ``params`` is JSON."""

    key: int
    code: str
    params: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The outcome: ``chosen`` is a key, or None for the default content;
    ``code`` is ``variant``, ``default_empty`` or ``default_none_fits``."""

    chosen: int | None
    code: str
    verdicts: tuple


def decide(candidates, now):
    """Pick the variant of highest priority that is on schedule and fits.

    :param candidates: iterable of :class:`Candidate`
    :param datetime now: the moment of the decision (UTC)
    :return: :class:`Decision`, verdicts in the order of priority
    """
    chosen = None
    verdicts = []
    for candidate in sorted(candidates, key=lambda c: (c.priority, c.key)):
        if candidate.starts and now < candidate.starts:
            code, params = "not_started", {"at": candidate.starts.isoformat()}
        elif candidate.ends and now >= candidate.ends:
            code, params = "ended", {"at": candidate.ends.isoformat()}
        elif not candidate.matches:
            code, params = "audience", {}
        elif chosen is not None:
            code, params = "outranked", {"by": chosen}
        else:
            chosen = candidate.key
            code, params = "chosen", {}
        verdicts.append(Verdict(candidate.key, code, params))
    if chosen is not None:
        outcome = "variant"
    elif verdicts:
        outcome = "default_none_fits"
    else:
        outcome = "default_empty"
    return Decision(chosen, outcome, tuple(verdicts))
