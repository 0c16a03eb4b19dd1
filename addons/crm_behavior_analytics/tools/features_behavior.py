"""Features of what a customer does on websites and in apps.

Table ``events`` (times naive UTC): ``unit_id``, ``known_at`` (received), ``at``
(happened), ``type``, ``event``, ``page``.
"""

from .features import Feature, days_since, within


def _views(days, until=0):
    return lambda t, now: t.count(
        where=(t.type == "page") & within(t.at, now, days, until)
    )


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
    Feature(
        "active_days_30d",
        "events",
        lambda t, now: t.at.date().nunique(
            where=(t.type != "identify") & within(t.at, now, 30)
        ),
        30,
        0,
    ),
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
]
