"""Features: what is known of each customer as of a moment, written once as Ibis.

A *table* is a frame of facts with the columns ``unit_id`` (whose fact it is) and
``known_at`` (when it became known).  A *definition* is one aggregate over a table; a
*derived* one combines other features.  :func:`compute` shows the definitions only what
was known before ``as_of``: rows of later are left out, and columns that were filled in
later (``LATER``: when an invoice was paid) are empty.  A definition cannot look ahead.

Definitions use filters, joins and aggregates only: Ibis has no window functions on
Polars.  What needs an order of rows (the gap since the previous order) is a column of
the table, computed where the facts are gathered.

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
SECONDS_A_DAY = 86400
EPOCH = datetime(1970, 1, 1)


class Feature(NamedTuple):
    """One definition.

    :param str code: name, unique over all providers of a prediction
    :param table: the table it aggregates, None for a derived one
    :param build: ``build(table, as_of)`` gives an Ibis aggregate; of a derived feature
        ``build(features)`` gives an expression over the other features
    :param window: days back that it looks, None for all
    :param missing: value for a unit without any row of the table, None for unknown
    :param tuple shown_with: codes of features that its reason names beside it
    """

    code: str
    table: "str | None"
    build: Callable[..., Any]
    window: "int | None" = None
    missing: "float | None" = None
    shown_with: tuple = ()


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
    """Whole days from an Ibis timestamp to a moment."""
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
    result = units.select("unit_id")
    tables = {}
    for feature in definitions:
        if feature.table:
            tables.setdefault(feature.table, []).append(feature)
    for name, features in sorted(tables.items()):
        table = as_known(connection.table(name), later.get(name, ()), as_of)
        aggregated = table.group_by("unit_id").aggregate(
            **{feature.code: feature.build(table, as_of) for feature in features}
        )
        result = result.left_join(aggregated, "unit_id").drop("unit_id_right")
        result = result.mutate(
            **{
                feature.code: _or_missing(result[feature.code], feature.missing)
                for feature in features
            }
        )
    for feature in definitions:
        if not feature.table:
            result = result.mutate(
                **{feature.code: feature.build(result).cast("float64")}
            )
    codes = [feature.code for feature in definitions]
    return result.select("unit_id", *codes).order_by(ibis.asc("unit_id"))


def _or_missing(column, missing):
    column = column.cast("float64")
    return column if missing is None else column.fill_null(float(missing))


def polars_connection(frames):
    """An Ibis connection to Polars frames.

    :param dict frames: name → Polars frame
    """
    import ibis

    return ibis.polars.connect(dict(frames))
