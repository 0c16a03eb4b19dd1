"""Labels: what a prediction is to foretell, as of a moment.

A label function takes the tables of the feature providers and a moment, and says who
is eligible then and what became of them.  It is named as ``crm_x_tools.part:function``.

Who is eligible is told by rows before the moment alone, what became of them by rows of
the horizon alone: from ``as_of + gap`` on, for ``horizon`` days. The label is
meaningless as long as that time is not over.
"""

from datetime import timedelta


def no_order(frames, as_of, horizon_days, gap_days, min_acts, active_days):
    """Churn: an active customer who does not order within the horizon.

    :param dict frames: Polars frames; needs ``orders``
    :param datetime as_of: naive UTC
    :param int horizon_days: length of the time in which an order counts as staying
    :param int gap_days: days between ``as_of`` and the horizon, in which one can act
    :param int min_acts: orders that an eligible customer has before ``as_of``
    :param int active_days: days before ``as_of`` in which the last of them lies
    :return: Polars frame ``unit_id``, ``label`` (1: no order), of the eligible ones,
        sorted
    """
    import polars as pl

    orders = frames["orders"]
    known = _eligible(orders, orders, as_of, min_acts, active_days)
    acts = _acts(orders, as_of, horizon_days, gap_days)
    return _label(known, acts, ~pl.col("acts"))


def order(frames, as_of, horizon_days, gap_days, min_acts, active_days):
    """Repeat purchase: an active customer who orders within the horizon.

    As :func:`no_order`, with 1 for an order.
    """
    import polars as pl

    orders = frames["orders"]
    known = _eligible(orders, orders, as_of, min_acts, active_days)
    acts = _acts(orders, as_of, horizon_days, gap_days)
    return _label(known, acts, pl.col("acts"))


def no_activity(frames, as_of, horizon_days, gap_days, min_acts, active_days):
    """Silence: an active customer who neither orders nor shows up within the horizon.

    As :func:`no_order`, but what a customer does on a website or in an app counts as
    an order does, for staying and for having been active; needs ``events`` too.
    """
    import polars as pl

    orders = frames["orders"]
    both = pl.concat(
        [
            orders.select("unit_id", "known_at"),
            frames["events"]
            .filter(pl.col("type") != "identify")
            .select("unit_id", "known_at"),
        ]
    )
    known = _eligible(orders, both, as_of, min_acts, active_days)
    acts = _acts(both, as_of, horizon_days, gap_days)
    return _label(known, acts, ~pl.col("acts"))


def _eligible(orders, acts, as_of, min_acts, active_days):
    import polars as pl

    at = pl.col("known_at")
    buyers = (
        orders.filter(at < as_of)
        .group_by("unit_id")
        .len()
        .filter(pl.col("len") >= min_acts)
    )
    recent = acts.filter((at < as_of) & (at >= as_of - timedelta(days=active_days)))
    return buyers.join(recent, "unit_id", "semi").select("unit_id")


def _acts(rows, as_of, horizon_days, gap_days):
    import polars as pl

    start = as_of + timedelta(days=gap_days)
    end = start + timedelta(days=horizon_days)
    at = pl.col("known_at")
    return rows.filter((at >= start) & (at < end)).select("unit_id").unique()


def _label(known, acts, positive):
    import polars as pl

    return (
        known.join(acts.with_columns(acts=True), "unit_id", "left")
        .with_columns(acts=pl.col("acts").fill_null(False))
        .select("unit_id", label=positive.cast(pl.Int8))
        .sort("unit_id")
    )
