"""The few keys by which the cached pages of a website differ.

A page is cached once for each key, so there must be few: the segments that the
website's variants use most, and 0 for everybody else.  A page also changes when a
variant starts or ends; the *epoch* counts those moments.
"""

from bisect import bisect_right

#: Greatest number of keys of a website, the default one included.
MAX_KEYS = 16
#: The key of a visitor who is in none of the segments, or whom nobody knows.
DEFAULT = 0


def rank_segments(uses, limit=MAX_KEYS - 1):
    """The segments that get a key of their own.

    The segments of the variants that come first in their slots come first, then
    those of more variants.

    :param uses: iterable of (segment id, priority of a variant that uses it)
    :param int limit: greatest number of segments
    :return: ``tuple`` of ids, the first one decides for a visitor who is in several
    """
    best, count = {}, {}
    for segment, priority in uses:
        best[segment] = min(priority, best.get(segment, priority))
        count[segment] = count.get(segment, 0) + 1
    ranked = sorted(best, key=lambda s: (best[s], -count[s], s))
    return tuple(ranked[:limit])


def key_of(members, ranked):
    """The key of a visitor.

    :param members: ids of the segments that the visitor is in
    :param ranked: of :func:`rank_segments`
    :return: id of one segment, or :data:`DEFAULT`
    """
    return next((segment for segment in ranked if segment in members), DEFAULT)


def epoch(moments, now):
    """How many of the moments have come.

    :param moments: sorted; a variant starts or ends at each
    :param now: of the same type
    :return: int; equal as long as no variant starts or ends
    """
    return bisect_right(moments, now)
