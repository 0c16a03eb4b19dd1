"""What funnels and retention are made of, once the database has counted: calendar
periods, rates, and the triangle of cohorts.

Who reached what is found by SQL (``models/behavior_funnel.py``,
``models/behavior_retention.py``); here is the arithmetic on its counts.
"""

from datetime import date, datetime, time, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

GRANULARITIES = ("day", "week", "month")
#: states of a cell of the triangle
DONE, OPEN, FUTURE = "done", "open", "future"


class Count(NamedTuple):
    """How many, and how many of them are known customers."""

    count: int
    known: int


NOBODY = Count(0, 0)


def local_day(moment, zone):
    """The day of a moment on a clock.

    :param datetime moment: naive UTC
    :param str zone: name of a time zone
    """
    return moment.replace(tzinfo=timezone.utc).astimezone(ZoneInfo(zone)).date()


def midnight(day, zone):
    """When a day begins on a clock, as naive UTC."""
    begin = datetime.combine(day, time(), ZoneInfo(zone))
    return begin.astimezone(timezone.utc).replace(tzinfo=None)


def period_of(day, granularity):
    """The first day of the period of a day; weeks begin on Monday (ISO 8601).

    :param str granularity: one of ``GRANULARITIES``
    """
    if granularity == "week":
        return day - timedelta(days=day.weekday())
    if granularity == "month":
        return day.replace(day=1)
    return day


def shift(first, granularity, periods):
    """The first day of the period so many periods later.

    :param date first: first day of a period
    """
    if granularity == "month":
        months = first.year * 12 + first.month - 1 + periods
        return date(months // 12, months % 12 + 1, 1)
    return first + timedelta(days=periods * (7 if granularity == "week" else 1))


def rate(part, whole):
    """A share between 0 and 1; None of nothing."""
    return part / whole if whole else None


def describe_steps(counts):
    """What became of people from step to step.

    :param list counts: a :class:`Count` for each step, in order
    :return: list of dicts: ``count``, ``known``, ``of_first`` and ``of_previous``
        (shares; None where there is nobody), ``lost`` and ``lost_known`` (who did not
        get to the next step; None at the last one)
    """
    described = []
    for place, found in enumerate(counts):
        following = counts[place + 1] if place + 1 < len(counts) else None
        described.append(
            {
                "count": found.count,
                "known": found.known,
                "of_first": rate(found.count, counts[0].count),
                "of_previous": rate(found.count, counts[max(place - 1, 0)].count),
                "lost": following and found.count - following.count,
                "lost_known": following and found.known - following.known,
            }
        )
    return described


def cohort_table(starts, sizes, returned, today, granularity):
    """The triangle of a retention.

    :param list starts: first days of the cohorts, in order and without a gap
    :param dict sizes: start → :class:`Count`, those who came in that period
    :param dict returned: (start, first day of a period) → :class:`Count`, those of
        the cohort who were back in that period
    :param date today: the period that it lies in is not over yet
    :return: ``{"cohorts": [{"start", "count", "known", "cells": [{"count", "known",
        "rate", "state"}]}], "average": [{"rate", "count", "of"}]}``; a cell a period
        since the start, 0 the first. An average is weighted by the cohorts' sizes and
        counts finished periods only; its rate is None where there is none
    """
    current = period_of(today, granularity)
    cohorts = []
    for start in starts:
        size = sizes.get(start, NOBODY)
        cells = []
        for number in range(len(starts)):
            period = shift(start, granularity, number)
            back = returned.get((start, period), NOBODY)
            state = FUTURE if period > current else OPEN if period == current else DONE
            cells.append(
                {
                    "count": back.count,
                    "known": back.known,
                    "rate": rate(back.count, size.count),
                    "state": state,
                }
            )
        cohorts.append(
            {"start": start, "count": size.count, "known": size.known, "cells": cells}
        )
    return {
        "cohorts": cohorts,
        "average": [_average(cohorts, number) for number in range(len(starts))],
    }


def _average(cohorts, number):
    done = [cohort for cohort in cohorts if cohort["cells"][number]["state"] == DONE]
    count = sum(cohort["cells"][number]["count"] for cohort in done)
    whole = sum(cohort["count"] for cohort in done)
    return {"count": count, "of": whole, "rate": rate(count, whole)}
