"""The clock of a service promise: working time that runs, rests and ends.

All moments are naive UTC datetimes, all intervals half open ``[start, stop)``.
Working intervals come from a calendar and are given for the whole span asked
about; a pause may be open (``stop`` is None): it then lasts for ever.
"""

from datetime import datetime, timedelta

ZERO = timedelta(0)


def merged(intervals):
    """Sorted, disjoint, without empty ones.

    :param intervals: iterable of ``(start, stop)``, in any order, may overlap;
        ``stop`` None means no end
    :return: ``list[(start, stop)]``
    """
    result = []
    spans = sorted((start, stop or datetime.max) for start, stop in intervals)
    for start, stop in spans:
        if start >= stop:
            continue
        if result and start <= result[-1][1]:
            if stop > result[-1][1]:
                result[-1] = (result[-1][0], stop)
        else:
            result.append((start, stop))
    return result


def subtract(work, pauses):
    """The working intervals without the pauses.

    :param work: iterable of ``(start, stop)``
    :param pauses: iterable of ``(start, stop or None)``
    :return: ``list[(start, stop)]``, sorted and disjoint
    """
    rests = merged(pauses)
    result = []
    first = 0
    for start, stop in merged(work):
        while first < len(rests) and rests[first][1] <= start:
            first += 1
        at = start
        index = first
        while index < len(rests) and rests[index][0] < stop:
            if rests[index][0] > at:
                result.append((at, rests[index][0]))
            at = max(at, rests[index][1])
            index += 1
        if at < stop:
            result.append((at, stop))
    return result


def elapsed(start, until, work, pauses=()):
    """Working time from ``start`` to ``until``, pauses left out.

    :return: ``timedelta``, zero when ``until`` lies before ``start``
    """
    return sum(
        (
            max(ZERO, min(stop, until) - max(begin, start))
            for begin, stop in subtract(work, pauses)
        ),
        ZERO,
    )


def deadline(start, budget, work, pauses=()):
    """The first moment at which the budget of working time is used up.

    :param datetime start: when the clock starts
    :param timedelta budget: working time promised; zero or less is due at once
    :param work: working intervals, as far as they are known
    :param pauses: what does not count
    :return: ``datetime``, or None when the intervals do not hold enough time
    """
    if budget <= ZERO:
        return start
    left = budget
    for begin, stop in subtract(work, pauses):
        begin = max(begin, start)
        if begin >= stop:
            continue
        if stop - begin >= left:
            return begin + left
        left -= stop - begin
    return None


def remaining(start, now, budget, work, pauses=()):
    """Working time left of the budget at ``now``; negative when overrun.

    :return: ``timedelta``
    """
    return budget - elapsed(start, now, work, pauses)
