"""Funnels and retention by trying everything: slow, short, and no SQL.

Events are dicts with ``unit``, ``at`` (naive UTC) and ``name``; their place in the list
is the order of their arrival.
"""

from datetime import datetime, timedelta
from itertools import combinations

#: Shanghai keeps one time all year
OFFSET = timedelta(hours=8)


def events(rng, units, names, begin, hours, least, most):
    """Some events, many of which share their moment."""
    return [
        {
            "unit": rng.choice(units),
            "name": rng.choice(names),
            "at": begin + timedelta(hours=6 * rng.randrange(hours // 6)),
        }
        for _place in range(rng.randrange(least, most))
    ]


def funnel(found, steps, since, until, window):
    """When each unit reached the steps, at the earliest.

    :param list steps: names of events, in order
    :return: dict of unit → list of moments, one a step that was reached
    """
    reached = {}
    for unit in {event["unit"] for event in found}:
        own = _ordered(found, unit)
        entries = [
            place
            for place, event in enumerate(own)
            if event["name"] == steps[0] and since <= event["at"] < until
        ]
        if not entries:
            continue
        entry = own[entries[0]]["at"]
        later = [one for one in own[entries[0] + 1 :] if one["at"] <= entry + window]
        reached[unit] = [entry]
        for depth in range(1, len(steps)):
            ends = [
                chain[-1]["at"]
                for chain in combinations(later, depth)
                if [one["name"] for one in chain] == steps[1 : depth + 1]
            ]
            if not ends:
                break
            reached[unit].append(min(ends))
    return reached


def retention(found, first, returning, periods):
    """Who came in which period, and was back in which.

    :param list periods: ``(first moment, first moment after it)`` in Shanghai's time
    :return: ``(sizes, returned)``: place → set of units; (place, place) → set of units
    """
    sizes, returned = {}, {}
    for unit in {event["unit"] for event in found}:
        own = _ordered(found, unit)
        places = [place for place, one in enumerate(own) if one["name"] == first]
        if not places:
            continue
        came = _period(own[places[0]], periods)
        if came is None:
            continue
        sizes.setdefault(came, set()).add(unit)
        for event in own[places[0] + 1 :]:
            back = _period(event, periods)
            if event["name"] == returning and back is not None:
                returned.setdefault((came, back), set()).add(unit)
    return sizes, returned


def month_after(first):
    """The first day of the next month."""
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)


def moment(day):
    """The beginning of a day in Shanghai, on Shanghai's clock."""
    return datetime(day.year, day.month, day.day)


def _ordered(found, unit):
    # stable: equal moments stay in the order of arrival
    return sorted(
        (one for one in found if one["unit"] == unit), key=lambda one: one["at"]
    )


def _period(event, periods):
    at = event["at"] + OFFSET
    for place, (begin, end) in enumerate(periods):
        if begin <= at < end:
            return place
    return None
