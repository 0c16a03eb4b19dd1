"""Features of what a customer buys, pays and gets: orders, invoices, deliveries.

Tables (times naive UTC, amounts integers in minor units of the company's currency):

* ``orders``: ``unit_id``, ``known_at`` (confirmed), ``amount`` (untaxed), ``gap_days``
  (days since the customer's previous order, empty for the first)
* ``invoices``: ``unit_id``, ``known_at`` (invoice date), ``due_at``, ``paid_at``,
  ``amount``
* ``deliveries``: ``unit_id``, ``known_at`` (promised for), ``done_at``
"""

from datetime import timedelta

from .features import Feature, days_between, days_since, within

MINOR = 100
#: a payment that comes so many days after the due date is no oversight any more
TOLERATED_DAYS = 14
#: days that are added to the time as a customer, so that one early order is no rhythm
SETTLING_DAYS = 30


def _orders(days, until=0):
    return lambda t, now: t.count(where=within(t.known_at, now, days, until))


def _amount(days):
    return lambda t, now: (
        t.amount.sum(where=within(t.known_at, now, days)).fill_null(0) / MINOR
    )


def _late(t):
    """Promised for a moment that has passed, and not done by then."""
    return t.done_at.isnull() | (t.done_at > t.known_at)


def _overdue(t, now):
    return (t.due_at < now) & t.paid_at.isnull()


def _late_payment(t, now):
    """Fell due and was not paid within the tolerated days."""
    limit = t.due_at + timedelta(days=TOLERATED_DAYS)
    return (limit < now) & (t.paid_at.isnull() | (t.paid_at >= limit))


DEFINITIONS = [
    Feature("orders_30d", "orders", _orders(30), 30, 0),
    Feature("orders_90d", "orders", _orders(90), 90, 0),
    Feature("orders_180d", "orders", _orders(180), 180, 0),
    Feature("orders_365d", "orders", _orders(365), 365, 0, ("tenure_days",)),
    Feature(
        "orders_change_90d",
        "orders",
        lambda t, now: (
            t.count(where=within(t.known_at, now, 90))
            - t.count(where=within(t.known_at, now, 180, until=90))
        ),
        180,
        0,
        ("orders_90d",),
    ),
    Feature("amount_90d", "orders", _amount(90), 90, 0),
    Feature("amount_365d", "orders", _amount(365), 365, 0),
    Feature("amount_mean", "orders", lambda t, now: t.amount.mean() / MINOR),
    Feature(
        "days_since_order",
        "orders",
        lambda t, now: days_since(t.known_at.max(), now),
        shown_with=("order_gap_mean",),
    ),
    Feature("orders_repeat", "orders", lambda t, now: t.count() - 1),
    Feature("tenure_days", "orders", lambda t, now: days_since(t.known_at.min(), now)),
    Feature("order_gap_mean", "orders", lambda t, now: t.gap_days.mean()),
    Feature("order_gap_max", "orders", lambda t, now: t.gap_days.max()),
    Feature("order_gap_std", "orders", lambda t, now: t.gap_days.std()),
    Feature(
        "order_gap_last",
        "orders",
        lambda t, now: t.gap_days.argmax(t.known_at),
        shown_with=("order_gap_mean",),
    ),
    Feature(
        "order_span_days",
        None,
        lambda f: f.tenure_days - f.days_since_order,
        shown_with=("tenure_days", "days_since_order"),
    ),
    Feature(
        "orders_missed",
        None,
        lambda f: (
            f.days_since_order * (f.orders_repeat + 1) / (f.tenure_days + SETTLING_DAYS)
        ),
        shown_with=("days_since_order", "orders_repeat", "tenure_days"),
    ),
    Feature(
        "order_gap_ratio",
        None,
        lambda f: f.days_since_order / (f.order_gap_mean + 1),
        shown_with=("days_since_order", "order_gap_mean"),
    ),
    Feature(
        "invoices_overdue",
        "invoices",
        lambda t, now: t.count(where=_overdue(t, now)),
        missing=0,
        shown_with=("amount_overdue",),
    ),
    Feature(
        "amount_overdue",
        "invoices",
        lambda t, now: t.amount.sum(where=_overdue(t, now)).fill_null(0) / MINOR,
        missing=0,
    ),
    Feature(
        "overdue_days_max",
        "invoices",
        lambda t, now: days_since(t.due_at.min(where=_overdue(t, now)), now),
        shown_with=("amount_overdue",),
    ),
    Feature(
        "late_payments_90d",
        "invoices",
        lambda t, now: t.count(where=_late_payment(t, now) & within(t.due_at, now, 90)),
        90,
        0,
    ),
    Feature(
        "payment_delay_365d",
        "invoices",
        lambda t, now: days_between(t.due_at, t.paid_at).mean(
            where=t.paid_at.notnull() & within(t.known_at, now, 365)
        ),
        365,
    ),
    Feature(
        "late_deliveries_30d",
        "deliveries",
        lambda t, now: t.count(where=_late(t) & within(t.known_at, now, 30)),
        30,
        0,
    ),
    Feature(
        "late_deliveries_90d",
        "deliveries",
        lambda t, now: t.count(where=_late(t) & within(t.known_at, now, 90)),
        90,
        0,
    ),
    Feature(
        "days_since_late_delivery",
        "deliveries",
        lambda t, now: days_since(t.known_at.max(where=_late(t)), now),
    ),
    Feature(
        "late_share_365d",
        "deliveries",
        lambda t, now: _late(t)
        .cast("float64")
        .mean(where=within(t.known_at, now, 365)),
        365,
    ),
]
