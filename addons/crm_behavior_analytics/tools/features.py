"""Features: what is known of each customer as of a moment, written once as Ibis.

A *table* is a frame of facts with the columns ``unit_id`` (whose fact it is) and
``known_at`` (when it became known).  A *definition* is one aggregate over a table; a
*derived* one combines other features.  :func:`compute` shows the definitions only what
was known before ``as_of``: rows of later are left out, and columns that were filled in
later (``LATER``: when an invoice was paid) are empty.  A definition cannot look ahead.

Definitions use filters, joins and one- or two-step aggregates only: Ibis has no window
functions on Polars.  What needs an order of rows (the gap since the previous order) is
a column of the table, computed where the facts are gathered.

Most definitions are made of parts (``feature_parts.py``), which aggregate in two steps:
once over the facts by unit and *age band*, and then over the few bands of each unit.

Units: days for times (whole days since), currency units for amounts (tables hold minor
units as integers, so that sums are equal on every engine), 0/1 for flags.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

#: columns of a table that are filled in after the row became known; a module of
#: definitions may have a ``LATER`` of its own
LATER = {
    "invoices": ("paid_at",),
    "deliveries": ("done_at",),
}
#: the time by which a table's rows fall into windows, where it is not ``known_at``
HAPPENED = {"events": "at"}
#: windows of definitions made of parts, in days; a change looks two windows back
WINDOWS = (7, 30, 90, 365)
#: days before the moment at which one age band ends and the next one begins
EDGES = tuple(sorted({*WINDOWS, *(2 * days for days in WINDOWS)}))
#: column of the age band: 0 is younger than the first edge
BAND = "age_band"
SECONDS_A_DAY = 86400
EPOCH = datetime(1970, 1, 1)


class Words(NamedTuple):
    """What a feature is called, in parts that ``messages.py`` puts into words.

    :param str measure: code of the sentence
    :param str subject: code of what is counted, summed or timed
    :param str key: code of what it is told by (day, category), if anything
    """

    measure: str
    subject: str
    key: str = ""


class Feature(NamedTuple):
    """One definition.

    :param str code: name, unique over all providers of a prediction
    :param table: the table it aggregates, None for a derived one
    :param build: ``build(table, as_of)`` gives an Ibis aggregate; of a derived feature
        ``build(features)`` gives an expression over the other features, of ``+ - * /``
        alone, so that plain numbers do as well
    :param window: days back that it looks, None for all
    :param missing: value for a unit without any row of the table, None for unknown
    :param tuple shown_with: codes of features that its reason names beside it
    :param str category: what it belongs to, see ``CATEGORIES`` of ``messages.py``
    :param str unit: what its value counts, see ``UNITS`` of ``messages.py``
    :param words: :class:`Words`, None when the texts are written by hand
    :param tuple reads: columns of the table that it reads besides ``unit_id`` and
        ``known_at``; empty: any
    :param tuple keys: of two steps: columns that the first one groups by beside the
        unit
    :param dict first: of two steps: name → ``build(table, as_of)`` of the aggregates
        of the first one, which ``build`` then sees as columns. The same name is the
        same aggregate in all definitions of a table.
    :param bool ages: it grows by one with each day on which nothing happens
    :param tuple where: of two steps: the rows that it counts, as of :func:`condition`;
        empty for all
    """

    code: str
    table: "str | None"
    build: Callable[..., Any]
    window: "int | None" = None
    missing: "float | None" = None
    shown_with: tuple = ()
    category: str = ""
    unit: str = ""
    words: "Words | None" = None
    reads: tuple = ()
    keys: tuple = ()
    first: "dict | None" = None
    ages: bool = False
    where: tuple = ()


def condition(table, where):
    """The rows that all of some comparisons hold for.

    :param table: Ibis table
    :param tuple where: (column, operator, value); operators = != not in (the value is
        a tuple), is (a flag is set)
    :return: Ibis boolean, None for all rows
    """
    found = None
    for name, operator, value in where:
        column = table[name]
        if operator == "is":
            one = column
        elif operator == "not in":
            one = column.notin(value)
        else:
            one = column == value if operator == "=" else column != value
        found = one if found is None else found & one
    return found


def within(column, as_of, days, until=0):
    """Whether a time lies in the window of days before a moment.

    :param column: Ibis timestamp
    :param datetime as_of: the moment
    :param int days: length of the window
    :param int until: days before the moment at which it ends
    """
    condition = column >= as_of - timedelta(days=days)
    if until:
        condition &= column < as_of - timedelta(days=until)
    return condition


def days_between(start, end):
    """Whole days between two Ibis timestamps."""
    return _days(end.epoch_seconds() - start.epoch_seconds())


def days_since(column, as_of):
    """Whole days from an Ibis timestamp, in whole seconds, to a moment."""
    # The moment as a number: in an aggregate Polars takes a literal time for a column.
    now = int((as_of - EPOCH).total_seconds())
    return _days(now - column.epoch_seconds())


def _days(seconds):
    return (seconds / SECONDS_A_DAY).floor()


def as_known(table, later, as_of):
    """A table as it was known at a moment.

    :param table: Ibis table
    :param tuple later: columns that are filled in after the row became known
    :param datetime as_of: the moment
    """
    import ibis

    known = table.filter(table.known_at < as_of)
    masked = {
        column: ibis.cases((known[column] < as_of, known[column]), else_=ibis.null())
        for column in later
    }
    return known.mutate(**masked) if masked else known


def compute(connection, units, as_of, definitions, later=None):
    """Compute features as of a moment.

    :param connection: Ibis backend that holds the tables by their names
    :param units: Ibis table with the column ``unit_id``
    :param datetime as_of: naive UTC
    :param list definitions: :class:`Feature`, derived ones after what they need
    :param dict later: table → columns filled in after a row became known; None:
        ``LATER``
    :return: Ibis expression with ``unit_id`` and one float column for each definition,
        in their order
    """
    import ibis

    later = LATER if later is None else later
    aggregates = {}
    for feature in definitions:
        if feature.table:
            place = (feature.table, feature.keys)
            aggregates.setdefault(place, []).append(feature)
    # One chain of joins and one selection: to build an expression takes Ibis longer
    # than Polars to compute it, if each step names a hundred columns again.
    joined = units.select("unit_id")
    # The widest table comes last: each join goes through the columns before it.
    narrow_first = sorted(aggregates.items(), key=lambda one: (len(one[1]), one[0]))
    for number, ((name, keys), features) in enumerate(narrow_first):
        table = as_known(connection.table(name), later.get(name, ()), as_of)
        table = _aggregate(table, name, keys, features, as_of)
        joined = joined.left_join(table, "unit_id", rname=f"{{name}}_{number}")
    result = joined.select(
        "unit_id",
        **{
            feature.code: _or_missing(joined[feature.code], feature.missing)
            for feature in definitions
            if feature.table
        },
    )
    derived = [feature for feature in definitions if not feature.table]
    result = result.mutate(
        **{feature.code: feature.build(result).cast("float64") for feature in derived}
    )
    codes = [feature.code for feature in definitions]
    return result.select("unit_id", *codes).order_by(ibis.asc("unit_id"))


def _aggregate(table, name, keys, features, as_of):
    """The definitions of a table, as it was known, that are grouped in the same way."""
    if BAND in keys:
        table = table.mutate(
            **{BAND: _band(table[HAPPENED.get(name, "known_at")], as_of)}
        )
    if keys:
        table = table.filter(*_counted_rows(table, name, keys, features, as_of))
        first = {}
        for feature in features:
            first |= feature.first
        table = table.group_by("unit_id", *keys).aggregate(
            **{name: build(table, as_of) for name, build in first.items()}
        )
    return table.group_by("unit_id").aggregate(
        **{feature.code: feature.build(table, as_of) for feature in features}
    )


def _counted_rows(table, name, keys, features, as_of):
    """Conditions that leave out the rows that none of the definitions counts.

    Grouping is what takes time, so rows are best left out before it.
    """
    # A row without the key belongs to none of its values.
    yield from (table[key].notnull() for key in keys)
    windows = [feature.window for feature in features]
    if all(windows):
        column = table[HAPPENED.get(name, "known_at")]
        yield within(column, as_of, max(windows))
    subjects = {feature.where for feature in features}
    if len(subjects) == 1 and (where := subjects.pop()):
        yield condition(table, where)


def _band(column, as_of):
    """How many edges a time lies behind."""
    bands = [(column < as_of - timedelta(days=days)).cast("int64") for days in EDGES]
    return sum(bands[1:], bands[0])


def _or_missing(column, missing):
    column = column.cast("float64")
    return column if missing is None else column.fill_null(float(missing))


def polars_connection(frames):
    """An Ibis connection to Polars frames.

    :param dict frames: name → Polars frame
    """
    import ibis

    return ibis.polars.connect(dict(frames))
