"""Labels: what a prediction is to foretell, as of a moment.

A label function takes the tables of the feature providers and a moment, and says who
is eligible then and what became of them.  It is named as ``crm_x_tools.part:function``.
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
        sorted; the label is meaningless before ``as_of + gap + horizon``
    """
    import polars as pl

    orders = frames["orders"]
    start = as_of + timedelta(days=gap_days)
    end = start + timedelta(days=horizon_days)
    at = pl.col("known_at")
    return (
        orders.group_by("unit_id")
        .agg(
            before=(at < as_of).sum(),
            last=at.filter(at < as_of).max(),
            stays=((at >= start) & (at < end)).any(),
        )
        .filter(
            (pl.col("before") >= min_acts)
            & (pl.col("last") >= as_of - timedelta(days=active_days))
        )
        .select("unit_id", label=(~pl.col("stays")).cast(pl.Int8))
        .sort("unit_id")
    )
