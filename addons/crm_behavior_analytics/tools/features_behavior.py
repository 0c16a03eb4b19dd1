"""Features of what a customer does on websites and in apps.

Table ``events`` (times naive UTC): ``unit_id``, ``known_at`` (received), ``at``
(happened), ``type``, ``event``, ``page``.
"""

from .features import Feature, days_since, within

#: days that are added to the time of watching, so that one early visit is no habit
SETTLING_DAYS = 30


def _views(days, until=0):
    return lambda t, now: t.count(
        where=(t.type == "page") & within(t.at, now, days, until)
    )


def _active_days(days):
    return lambda t, now: t.at.date().nunique(
        where=(t.type != "identify") & within(t.at, now, days)
    )


def _visits_missed(f):
    """Days with a visit that would have come since the last one, by last year's."""
    import ibis

    known_days = ibis.least(f.days_since_first_visit, 365) + SETTLING_DAYS
    return f.days_since_visit * f.active_days_365d / known_days


DEFINITIONS = [
    Feature("page_views_30d", "events", _views(30), 30, 0),
    Feature("page_views_90d", "events", _views(90), 90, 0),
    Feature(
        "page_views_change_30d",
        "events",
        lambda t, now: _views(30)(t, now) - _views(60, until=30)(t, now),
        60,
        0,
        ("page_views_30d",),
    ),
    Feature("active_days_14d", "events", _active_days(14), 14, 0),
    Feature("active_days_30d", "events", _active_days(30), 30, 0),
    Feature("active_days_90d", "events", _active_days(90), 90, 0),
    Feature("active_days_365d", "events", _active_days(365), 365, 0),
    Feature(
        "actions_30d",
        "events",
        lambda t, now: t.count(where=(t.type == "track") & within(t.at, now, 30)),
        30,
        0,
    ),
    Feature(
        "days_since_visit",
        "events",
        lambda t, now: days_since(t.at.max(where=t.type == "page"), now),
    ),
    Feature(
        "days_since_first_visit",
        "events",
        lambda t, now: days_since(t.at.min(where=t.type == "page"), now),
    ),
    Feature(
        "visits_missed",
        None,
        _visits_missed,
        shown_with=("days_since_visit", "active_days_365d", "days_since_first_visit"),
    ),
    Feature(
        "active_days_share",
        None,
        # half a day more on both sides: nothing of nothing is no fall
        lambda f: (f.active_days_30d + 0.5) / (f.active_days_90d + 1.5),
        shown_with=("active_days_30d", "active_days_90d"),
    ),
]
