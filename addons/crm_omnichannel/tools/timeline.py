"""The timeline of a customer: many sources, one order, page by page.

Entries are ordered by (``at``, ``key``), the newest first. A key begins with the kind
of its source, so that entries of the same moment have one order whatever source they
come from, and a page can begin exactly behind any of them.
"""

import heapq
from collections.abc import Callable
from datetime import datetime, timezone
from itertools import islice
from typing import NamedTuple


class BadCursor(ValueError):
    """The text is no cursor of a timeline."""


class TimelineSource(NamedTuple):
    """Where entries come from.

    :param str kind: unique, small letters and ``_``; begins the keys, and is what
        readers filter by
    :param str model: Odoo model that the entries open
    :param str title: of the kind, in the reader's language
    :param str icon: Font Awesome class (``fa-…``)
    :param fetch: ``fetch(partners, before, limit)``; ``before`` is a :class:`Cursor` or
        None. Returns the query of at most ``limit`` entries that stand behind
        ``before``, the newest first (``omni.timeline._fetch_events`` makes it). The
        page asks the queries of all sources in one statement.
    :param finish: ``finish(entries)`` completes, in place, those that are shown: dicts
        with ``at`` (datetime, naive UTC), ``key``, ``code``, ``params``, ``res_model``,
        ``res_id`` and, if the time of the day is not known, ``all_day``; None: they
        are complete
    """

    kind: str
    model: str
    title: str
    icon: str
    fetch: Callable
    finish: "Callable | None" = None


class Cursor(NamedTuple):
    """The last entry seen: its moment (naive UTC) and key."""

    at: datetime
    key: str


class Bound(NamedTuple):
    """What of a source stands behind a cursor.

    :param datetime at: entries before this moment do
    :param bool inclusive: those of this very moment do too
    :param rest: else, of this very moment, those whose key has a smaller rest (what
        follows the kind) do; None: none of them
    """

    at: datetime
    inclusive: bool
    rest: "str | None"


def entry_key(kind, number, code):
    """Return the key of an entry; text order is the order of the numbers."""
    return f"{kind}:{number:012d}:{code}"


def format_at(at):
    """Return a naive UTC datetime as ISO text of one width."""
    return at.isoformat(timespec="microseconds") + "Z"


def format_cursor(at, key):
    """Return the cursor of an entry as text."""
    return f"{format_at(at)}|{key}"


def parse_cursor(text):
    """Read a cursor.

    :param text: what ``format_cursor`` made, or nothing
    :return: :class:`Cursor`, or None
    :raise BadCursor: it is something else
    """
    if not text:
        return None
    if not isinstance(text, str):
        raise BadCursor(repr(text)[:80])
    at, bar, key = text.partition("|")
    try:
        # Python 3.10 does not read the Z
        moment = datetime.fromisoformat(at.removesuffix("Z"))
    except ValueError as error:
        raise BadCursor(text[:80]) from error
    if not bar or not key:
        raise BadCursor(text[:80])
    if moment.tzinfo:
        moment = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return Cursor(moment, key)


def split_rest(rest):
    """Return the number and the code of a key's rest.

    :raise BadCursor: it has none
    """
    number, _, code = rest.partition(":")
    if not number.isdecimal() or not code:
        raise BadCursor(rest[:80])
    return int(number), code


def bound(kind, before):
    """Return the :class:`Bound` of a source, or None for its newest entries."""
    if before is None:
        return None
    prefix = f"{kind}:"
    if before.key.startswith(prefix):
        return Bound(before.at, False, before.key.removeprefix(prefix))
    return Bound(before.at, prefix < before.key, None)


def merge(pages, limit):
    """Merge the pages of the sources.

    :param list pages: of each source its entries, the newest first, at least
        ``limit + 1`` where it has as many
    :param int limit: how many to return
    :return: ``(entries, more)``; more tells whether others follow
    """
    merged = list(
        islice(
            heapq.merge(
                *pages, key=lambda entry: (entry["at"], entry["key"]), reverse=True
            ),
            limit + 1,
        )
    )
    return merged[:limit], len(merged) > limit
