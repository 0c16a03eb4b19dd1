"""Features of how a customer is served: tickets, ratings, promises not kept.

Tables (times naive UTC):

* ``tickets``: ``unit_id``, ``known_at`` (opened), ``closed_at``
* ``ratings``: ``unit_id``, ``known_at`` (given), ``rating`` (1 to 5)
* ``promises``: ``unit_id``, ``known_at`` (the moment at which a service target failed)
"""

from datetime import timedelta

from crm_behavior_analytics_tools.features import (
    Feature,
    days_between,
    days_since,
    within,
)

LATER = {"tickets": ("closed_at",)}
#: a ticket that is open for longer was left lying
SLOW_DAYS = 14
#: what Odoo calls dissatisfied is below it
CONTENT = 3


def _count(days):
    return lambda t, now: t.count(where=within(t.known_at, now, days))


def _slow(t, now):
    limit = t.known_at + timedelta(days=SLOW_DAYS)
    return (limit < now) & (t.closed_at.isnull() | (t.closed_at > limit))


def _bad(days):
    return lambda t, now: t.count(
        where=(t.rating < CONTENT) & within(t.known_at, now, days)
    )


DEFINITIONS = [
    *(
        Feature(
            f"tickets_{days}d",
            "tickets",
            _count(days),
            days,
            0,
            category="service",
            unit="times",
            reads=("known_at",),
        )
        for days in (30, 90, 365)
    ),
    Feature(
        "tickets_open",
        "tickets",
        lambda t, now: t.count(where=t.closed_at.isnull()),
        missing=0,
        category="service",
        unit="times",
        reads=("closed_at",),
    ),
    Feature(
        "ticket_open_days_max",
        "tickets",
        lambda t, now: days_since(t.known_at.min(where=t.closed_at.isnull()), now),
        shown_with=("tickets_open",),
        category="service",
        unit="days",
        reads=("known_at", "closed_at"),
        ages=True,
    ),
    Feature(
        "slow_tickets_90d",
        "tickets",
        lambda t, now: t.count(where=_slow(t, now) & within(t.known_at, now, 90)),
        90,
        0,
        category="service",
        unit="times",
        reads=("known_at", "closed_at"),
    ),
    Feature(
        "ticket_days_mean_365d",
        "tickets",
        lambda t, now: days_between(t.known_at, t.closed_at).mean(
            where=t.closed_at.notnull() & within(t.known_at, now, 365)
        ),
        365,
        category="service",
        unit="days",
        reads=("known_at", "closed_at"),
    ),
    *(
        Feature(
            f"bad_ratings_{days}d",
            "ratings",
            _bad(days),
            days,
            0,
            category="service",
            unit="times",
            reads=("known_at", "rating"),
        )
        for days in (30, 90)
    ),
    Feature(
        "rating_mean_365d",
        "ratings",
        lambda t, now: t.rating.mean(where=within(t.known_at, now, 365)),
        365,
        category="service",
        unit="ratio",
        reads=("known_at", "rating"),
    ),
    Feature(
        "days_since_bad_rating",
        "ratings",
        lambda t, now: days_since(t.known_at.max(where=t.rating < CONTENT), now),
        category="service",
        unit="days",
        reads=("known_at", "rating"),
        ages=True,
    ),
    Feature(
        "promises_missed_90d",
        "promises",
        _count(90),
        90,
        0,
        category="service",
        unit="times",
        reads=("known_at",),
    ),
]
