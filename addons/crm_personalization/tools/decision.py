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
    :ivar matches: whether the person is in the audience; None when only a decision
        for the person alone can tell, not one for a page that is shared
    :ivar segments: the segments by which the person is in the audience
    :ivar broken: the audience cannot be evaluated
    """

    key: int
    priority: int
    starts: datetime | None
    ends: datetime | None
    matches: bool | None
    segments: tuple = ()
    broken: bool = False


@dataclass(frozen=True)
class Verdict:
    """What happened to one candidate: ``code`` is ``chosen``, ``chosen_segment``,
    ``not_started``, ``ended``, ``broken``, ``audience``, ``later`` or ``outranked``;
    ``params`` is JSON."""

    key: int
    code: str
    params: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """The outcome: ``chosen`` is a key, or None for the default content;
    ``code`` is ``variant``, ``variant_segment``, ``default_empty`` or
    ``default_none_fits``; ``pending``: a variant that comes sooner may fit the
    person."""

    chosen: int | None
    code: str
    verdicts: tuple
    segments: tuple = ()
    pending: bool = False


def decide(candidates, now):
    """Pick the variant of highest priority that is on schedule and fits.

    :param candidates: iterable of :class:`Candidate`
    :param datetime now: the moment of the decision (UTC)
    :return: :class:`Decision`, verdicts in the order of priority
    """
    chosen = None
    pending = False
    verdicts = []
    for candidate in sorted(candidates, key=lambda c: (c.priority, c.key)):
        code, params = _verdict(candidate, now, chosen)
        if code in ("chosen", "chosen_segment"):
            chosen = candidate
        pending = pending or code == "later"
        verdicts.append(Verdict(candidate.key, code, params))
    if chosen is not None:
        outcome = "variant_segment" if chosen.segments else "variant"
    elif verdicts:
        outcome = "default_none_fits"
    else:
        outcome = "default_empty"
    return Decision(
        chosen=chosen.key if chosen else None,
        code=outcome,
        verdicts=tuple(verdicts),
        segments=chosen.segments if chosen else (),
        pending=pending,
    )


def _verdict(candidate, now, chosen):
    """:return: (code, params) of one candidate; ``chosen`` comes before it"""
    if candidate.starts and now < candidate.starts:
        return "not_started", {"at": candidate.starts.isoformat()}
    if candidate.ends and now >= candidate.ends:
        return "ended", {"at": candidate.ends.isoformat()}
    if candidate.broken:
        return "broken", {}
    if candidate.matches is not None and not candidate.matches:
        return "audience", {}
    if chosen is not None:
        return "outranked", {"by": chosen.key}
    if candidate.matches is None:
        return "later", {}
    if candidate.segments:
        return "chosen_segment", {"segments": list(candidate.segments)}
    return "chosen", {}
