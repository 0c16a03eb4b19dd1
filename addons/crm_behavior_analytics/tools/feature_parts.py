"""Definitions made of parts: a subject, a measure, a window.

A *subject* is some rows of a table, told by a condition: the page views, the orders.
A *measure* is what is asked of them: how many, on how many days, when the last one.
Each function here makes one definition, with its code, its unit and the parts of its
words, so that a hundred of them are a short list (``features_*.py``).

Sums over windows go through the *age bands* of ``features.py``: the facts are read
once, whatever the number of windows, and each window is a sum over a unit's bands.
"""

from datetime import timedelta
from typing import NamedTuple

from .features import BAND, EDGES, HAPPENED, Feature, Words, condition, days_since

MINOR = 100


class Subject(NamedTuple):
    """Rows that are looked at.

    :param str code: begins the codes of its features
    :param str table: where they are
    :param tuple where: as of :func:`features.condition`
    :param str category: of its features
    """

    code: str
    table: str
    where: tuple = ()
    category: str = ""


def window_code(days):
    """How a window ends a code."""
    return f"_{days}d" if days else ""


# --- COUNTS AND SUMS ---


def count(subject, days, **values):
    """How many, in a window of days (0: ever)."""
    name, first = _counted(subject)
    return _summed(
        subject,
        f"{subject.code}{window_code(days)}",
        "count",
        days,
        name,
        first,
        **values,
    )


def counts(subject, windows):
    """:func:`count` for each of some windows."""
    return [count(subject, days) for days in windows]


def change(subject, days, **values):
    """How many more than in the window before."""
    name, first = _counted(subject)
    return _changed(
        subject, f"{subject.code}_change_{days}d", "change", days, name, first, **values
    )


def total(subject, code, column, days, unit="money", **values):
    """Sum of a column in a window of days.

    :param str code: what the sum is called, begins the code of the feature
    :param str unit: ``money``: the column holds minor units
    """
    name, first = _totalled(subject, column)
    return _summed(
        subject,
        f"{code}{window_code(days)}",
        "total",
        days,
        name,
        first,
        words=Words("total" if days else "total_ever", code),
        unit=unit,
        reads=(column,),
        **values,
    )


def totals(subject, code, column, windows, unit="money"):
    """:func:`total` for each of some windows."""
    return [total(subject, code, column, days, unit) for days in windows]


def total_change(subject, code, column, days, unit="money"):
    """How much more than in the window before."""
    name, first = _totalled(subject, column)
    return _changed(
        subject,
        f"{code}_change_{days}d",
        "change",
        days,
        name,
        first,
        words=Words("change", code),
        unit=unit,
        reads=(column,),
    )


def _summed(subject, code, measure, days, name, first, unit="", **values):
    reads = _reads(subject, *values.pop("reads", ()))
    words = values.pop(
        "words", Words(measure if days else f"{measure}_ever", subject.code)
    )
    divisor = _divisor(unit)
    return Feature(
        code,
        subject.table,
        lambda t, now: _in_bands(t, name, days) / divisor,
        days or None,
        0,
        values.pop("shown_with", ()),
        subject.category,
        unit or "times",
        words,
        reads,
        (BAND,),
        {name: first},
        **values,
    )


def _changed(subject, code, measure, days, name, first, unit="", **values):
    reads = _reads(subject, *values.pop("reads", ()))
    words = values.pop("words", Words(measure, subject.code))
    divisor = _divisor(unit)

    def build(t, now):
        recent = _in_bands(t, name, days)
        # both windows less twice the recent one: the earlier one alone
        return (2 * recent - _in_bands(t, name, 2 * days)) / divisor

    return Feature(
        code,
        subject.table,
        build,
        2 * days,
        0,
        values.pop("shown_with", ()),
        subject.category,
        unit or "times",
        words,
        reads,
        (BAND,),
        {name: first},
        **values,
    )


def _in_bands(table, name, days):
    """Sum over the bands of a window."""
    import ibis

    if not days:
        return table[name].sum().fill_null(0)
    inside = table[BAND] <= EDGES.index(days)
    return ibis.ifelse(inside, table[name], 0).sum().fill_null(0)


def _divisor(unit):
    return MINOR if unit == "money" else 1


# --- DAYS AND OTHER KEYS ---


def days(subject, window, **values):
    """On how many days (of the company's calendar) in a window."""
    return _distinct(
        subject, f"{subject.code}_days_{window}d", "days", "day", window, **values
    )


def distinct(subject, code, key, window):
    """How many different values of a column in a window."""
    return _distinct(
        subject, f"{code}{window_code(window)}", "distinct", key, window, code
    )


def _distinct(subject, code, measure, key, window, key_word="", **values):
    name, first = _latest(subject)
    return Feature(
        code,
        subject.table,
        lambda t, now: _count_from(t, t[name], now, window),
        window,
        0,
        category=subject.category,
        unit="days" if measure == "days" else "times",
        words=Words(measure, subject.code, key_word),
        reads=_reads(subject, key),
        keys=(key,),
        first={name: first},
        where=subject.where,
        **values,
    )


def _count_from(table, latest, now, window):
    # A key counts when its latest row lies in the window: no distinct count is needed.
    return table.count(where=latest >= now - timedelta(days=window))


def entropy(subject, code, key, window):
    """How evenly the rows of a window are spread over the values of a column, in bits.

    Shannon's entropy: 0 when all have the same value.
    """
    name, first = _recent(subject, window)

    def build(t, now):
        import ibis

        n = t[name].cast("float64")
        # n log n is 0 where n is 0
        spread = (n * ibis.greatest(n, 1.0).log2()).sum()
        whole = n.sum()
        return ibis.ifelse(
            whole > 0,
            ibis.greatest(whole, 1.0).log2() - spread / ibis.greatest(whole, 1.0),
            None,
        )

    return _by_key(subject, code, "entropy", key, window, name, first, build, "bits")


def top_share(subject, code, key, window, column=None):
    """Share of the most frequent value of a column among the rows of a window.

    :param column: sum this column instead of counting rows
    """
    name, first = _recent(subject, window, column)

    def build(t, now):
        n = t[name].cast("float64")
        return n.max() / n.sum().nullif(0)

    return _by_key(subject, code, "top_share", key, window, name, first, build, "share")


def top_total(subject, code, key, window, column):
    """Greatest sum of a column (minor units) over the values of another."""
    name, first = _recent(subject, window, column)
    return _by_key(
        subject,
        code,
        "top_total",
        key,
        window,
        name,
        first,
        lambda t, now: t[name].max() / MINOR,
        "money",
        0,
    )


def _by_key(
    subject, code, measure, key, window, name, first, build, unit, missing=None
):
    return Feature(
        f"{code}_{window}d",
        subject.table,
        build,
        window,
        missing,
        category=subject.category,
        unit=unit,
        words=Words(measure, subject.code, code),
        reads=_reads(subject, key),
        keys=(key,),
        first={name: first},
        where=subject.where,
    )


# --- TIMES ---


def since_last(subject, code, **values):
    """Whole days since the last one."""
    name, first = _latest(subject)
    return Feature(
        code,
        subject.table,
        lambda t, now: days_since(t[name].max(), now),
        category=subject.category,
        unit="days",
        words=values.pop("words", Words("since_last", subject.code)),
        reads=_reads(subject),
        keys=(BAND,),
        first={name: first},
        ages=True,
        **values,
    )


def since_first(subject, code, **values):
    """Whole days since the first one."""
    name, first = _earliest(subject)
    return Feature(
        code,
        subject.table,
        lambda t, now: days_since(t[name].min(), now),
        category=subject.category,
        unit="days",
        words=Words("since_first", subject.code),
        reads=_reads(subject),
        keys=(BAND,),
        first={name: first},
        ages=True,
        **values,
    )


# --- VALUES OF A COLUMN ---


def average(subject, code, column, days=0, unit="", **values):
    """Mean of a column over the rows of a window (0: ever) that have it."""
    name, first = _totalled(subject, column)
    known, counted = _with_value(subject, column)
    divisor = _divisor(unit)

    def build(t, now):
        number = _in_bands(t, known, days)
        return _in_bands(t, name, days) / (number.nullif(0) * divisor)

    return Feature(
        f"{code}{window_code(days)}",
        subject.table,
        build,
        days or None,
        category=subject.category,
        unit=unit,
        words=Words("average" if days else "average_ever", code),
        reads=_reads(subject, column),
        keys=(BAND,),
        first={name: first, known: counted},
        **values,
    )


def share(subject, part, code, days, missing=None):
    """Share of the rows of a subject that are a narrower subject too.

    :param part: :class:`Subject` of the same table
    """
    name, first = _counted(subject)
    part_name, part_first = _counted(part)

    def build(t, now):
        return _in_bands(t, part_name, days) / _in_bands(t, name, days).nullif(0)

    return Feature(
        f"{code}_{days}d",
        subject.table,
        build,
        days,
        missing,
        category=subject.category,
        unit="share",
        words=Words("share", code),
        reads=_reads(part),
        keys=(BAND,),
        first={name: first, part_name: part_first},
    )


def total_share(subject, code, column, of_column, days):
    """Sum of one column divided by the sum of another, over a window."""
    name, first = _totalled(subject, column)
    whole, whole_first = _totalled(subject, of_column)

    def build(t, now):
        return _in_bands(t, name, days) / _in_bands(t, whole, days).nullif(0)

    return Feature(
        f"{code}_{days}d",
        subject.table,
        build,
        days,
        category=subject.category,
        unit="share",
        words=Words("share", code),
        reads=_reads(subject, column, of_column),
        keys=(BAND,),
        first={name: first, whole: whole_first},
    )


def aggregate(table, code, build, category, unit, measure="plain", **values):
    """A definition written as an Ibis aggregate, with words of its own code."""
    return Feature(
        code,
        table,
        build,
        category=category,
        unit=unit,
        words=Words(measure, code),
        **values,
    )


# --- FIRST STEPS ---
# The name says what it is: the same name is the same aggregate.


def _masked(subject, table, value, otherwise):
    import ibis

    own = condition(table, subject.where)
    return value if own is None else ibis.ifelse(own, value, otherwise)


def _counted(subject):
    return f"n_{subject.code}", lambda t, now: t.count(
        where=condition(t, subject.where)
    )


def _totalled(subject, column):
    return f"sum_{column}_{subject.code}", lambda t, now: _masked(
        subject, t, t[column], None
    ).sum()


def _with_value(subject, column):
    def build(t, now):
        known = t[column].notnull()
        own = condition(t, subject.where)
        return t.count(where=known if own is None else known & own)

    return f"n_{column}_{subject.code}", build


def _latest(subject):
    return f"last_{subject.code}", lambda t, now: _masked(
        subject, t, _time(subject, t), None
    ).max()


def _earliest(subject):
    return f"first_{subject.code}", lambda t, now: _masked(
        subject, t, _time(subject, t), None
    ).min()


def _recent(subject, window, column=None):
    """Rows (or a sum) of the last days, for definitions that group by a key."""

    def build(t, now):
        import ibis

        inside = _time(subject, t) >= now - timedelta(days=window)
        own = condition(t, subject.where)
        inside = inside if own is None else inside & own
        if column is None:
            return t.count(where=inside)
        return ibis.ifelse(inside, t[column], None).sum()

    return f"recent_{window}_{column or 'n'}_{subject.code}", build


def _time(subject, table):
    return table[HAPPENED.get(subject.table, "known_at")]


def _reads(subject, *columns):
    """The columns that a definition reads, its condition's too."""
    of_condition = (column for column, _operator, _value in subject.where)
    own = (HAPPENED.get(subject.table, "known_at"), *of_condition, *columns)
    return tuple(dict.fromkeys(own))
