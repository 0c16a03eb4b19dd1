"""The tier of a customer, with its reason."""

from typing import NamedTuple

#: the lowest first
TIERS = ("standard", "silver", "gold", "vip")


class Adjustment(NamedTuple):
    """What another fact than turnover does to the tier.

    :param int steps: up (positive) or down
    :param str code: of the reason
    :param dict params: of the reason, JSON values
    """

    steps: int
    code: str
    params: dict


def by_turnover(turnover, thresholds):
    """Return the tier that a turnover gives.

    :param float turnover: in the currency of the thresholds
    :param thresholds: the turnovers from which silver, gold and vip begin, ascending
    """
    reached = sum(turnover >= threshold for threshold in thresholds)
    return TIERS[reached]


def decide(turnover, thresholds, manual=None, adjustments=()):
    """Return ``(tier, reason)``.

    What a person set stands; else turnover decides, and adjustments move the tier.

    :param float turnover: of the last twelve months
    :param thresholds: as for ``by_turnover``
    :param manual: tier that a person set, or None
    :param adjustments: :class:`Adjustment` of other facts
    :return: the reason is ``{"code", "params", "also": [{"code", "params"}]}``
    """
    if manual:
        return manual, {"code": "manual", "params": {}, "also": []}
    level = TIERS.index(by_turnover(turnover, thresholds))
    also = []
    for adjustment in adjustments:
        moved = max(0, min(len(TIERS) - 1, level + adjustment.steps))
        if moved != level:
            also.append({"code": adjustment.code, "params": adjustment.params})
        level = moved
    reason = {
        "code": "turnover" if turnover else "no_turnover",
        "params": {"amount": turnover} if turnover else {},
        "also": also,
    }
    return TIERS[level], reason
