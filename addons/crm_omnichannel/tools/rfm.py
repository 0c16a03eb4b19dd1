"""How recent, how frequent and how large the purchases of a customer are.

Each side is scored from 1 to 5. Fixed bands, not quintiles of all customers: a customer
keeps the class when others change, and one customer can be scored alone.

Source: Hughes, Strategic Database Marketing (1994), ch. 5; the classes are those that
shop systems use.
"""

from typing import NamedTuple

#: scored 5, 4, 3 and 2 up to these days; more: 1
RECENCY_DAYS = (30, 90, 180, 365)
#: orders of twelve months from which 2, 3, 4 and 5 are scored
FREQUENCY_ORDERS = (2, 3, 6, 12)
CLASSES = ("champion", "loyal", "new", "promising", "at_risk", "dormant", "lost")


class Rfm(NamedTuple):
    """The class, and the three scores it comes from."""

    code: str
    recency: int
    frequency: int
    monetary: int


def classify(days, orders, turnover, thresholds):
    """Return the :class:`Rfm` of a customer, or None if they never ordered.

    :param days: since the last order, or None
    :param int orders: of the last twelve months
    :param float turnover: of the last twelve months
    :param thresholds: three ascending turnovers, from which 3, 4 and 5 are scored; less
        than the first scores 2, nothing 1
    """
    if days is None:
        return None
    recency = 5 - sum(days > limit for limit in RECENCY_DAYS)
    frequency = 1 + sum(orders >= limit for limit in FREQUENCY_ORDERS)
    monetary = 1 + (turnover > 0) + sum(turnover >= limit for limit in thresholds)
    return Rfm(_code(recency, frequency, monetary), recency, frequency, monetary)


def _code(recency, frequency, monetary):
    weight = max(frequency, monetary)
    if recency >= 4:
        if frequency >= 4 and monetary >= 4:
            return "champion"
        if weight >= 3:
            return "loyal"
        return "new" if frequency == 1 else "promising"
    if recency == 3:
        return "loyal" if weight >= 3 else "promising"
    if recency == 2:
        return "at_risk" if weight >= 3 else "dormant"
    return "lost"
