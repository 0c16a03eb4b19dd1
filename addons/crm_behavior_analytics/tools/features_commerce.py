"""Features of what a customer buys, pays, gets and sends back.

Tables (times naive UTC, amounts integers in minor units of the company's currency):

* ``orders``: ``unit_id``, ``known_at`` (confirmed), ``amount`` (untaxed), ``gap_days``
  (days since the customer's previous order, empty for the first), ``lines``,
  ``quantity``, ``day`` (of the company's calendar, days since 1970)
* ``lines``: ``unit_id``, ``known_at`` (of the order), ``category`` (the product's
  uppermost category), ``product``, ``amount`` (untaxed), ``discount`` (what it has
  taken off), ``full`` (amount and discount), ``reduced`` (it has a discount),
  ``bought_before`` (the customer has ordered the product before)
* ``goods``: ``unit_id``, ``known_at`` (moved), ``returned``, ``amount`` (their price),
  ``margin`` (price less cost): what was delivered, and what came back
* ``invoices``: ``unit_id``, ``known_at`` (invoice date), ``due_at``, ``paid_at``,
  ``amount``
* ``deliveries``: ``unit_id``, ``known_at`` (promised for), ``done_at``
"""

from datetime import timedelta

from .feature_parts import (
    MINOR,
    Subject,
    aggregate,
    average,
    change,
    counts,
    days,
    distinct,
    entropy,
    share,
    since_first,
    since_last,
    top_share,
    top_total,
    total_change,
    total_share,
    totals,
)
from .features import WINDOWS, Feature, Words, days_between, days_since, within

ORDERS = Subject("orders", "orders", category="orders")
LINES = Subject("lines", "lines", category="basket")
REDUCED = Subject("reduced_lines", "lines", (("reduced", "is", True),), "price")
PRICES = Subject("lines", "lines", category="price")
REPEATED = Subject(
    "repeated_lines", "lines", (("bought_before", "is", True),), "basket"
)
DELIVERED = Subject("goods", "goods", (("returned", "=", False),), "margin")
RETURNED = Subject("returns", "goods", (("returned", "is", True),), "returns")
MOVED = Subject("moved", "goods", category="returns")
INVOICES = Subject("invoices", "invoices", category="payment")
DELIVERIES = Subject("deliveries", "deliveries", category="delivery")
#: a payment that comes so many days after the due date is no oversight any more
TOLERATED_DAYS = 14
#: days that are added to the time as a customer, so that one early order is no rhythm
SETTLING_DAYS = 30


def _late(t):
    """Promised for a moment that has passed, and not done by then."""
    return t.done_at.isnull() | (t.done_at > t.known_at)


def _overdue(t, now):
    return (t.due_at < now) & t.paid_at.isnull()


def _late_payment(t, now):
    """Fell due and was not paid within the tolerated days."""
    limit = t.due_at + timedelta(days=TOLERATED_DAYS)
    return (limit < now) & (t.paid_at.isnull() | (t.paid_at >= limit))


def _late_deliveries(window):
    return Feature(
        f"late_deliveries_{window}d",
        "deliveries",
        lambda t, now: t.count(where=_late(t) & within(t.known_at, now, window)),
        window,
        0,
        category="delivery",
        unit="times",
        words=Words("count", "late_deliveries"),
        reads=("known_at", "done_at"),
    )


def _late_share(window):
    return Feature(
        f"late_share_{window}d",
        "deliveries",
        lambda t, now: _late(t)
        .cast("float64")
        .mean(where=within(t.known_at, now, window)),
        window,
        category="delivery",
        unit="share",
        words=Words("share", "late_share"),
        reads=("known_at", "done_at"),
    )


DEFINITIONS = [
    *counts(ORDERS, (7, 30, 90)),
    Feature(
        "orders_180d",
        "orders",
        lambda t, now: t.count(where=within(t.known_at, now, 180)),
        180,
        0,
        category="orders",
        unit="times",
        words=Words("count", "orders"),
    ),
    counts(ORDERS, (365,))[0]._replace(shown_with=("tenure_days",)),
    change(ORDERS, 30, shown_with=("orders_30d",)),
    change(ORDERS, 90, shown_with=("orders_90d",)),
    change(ORDERS, 365, shown_with=("orders_365d",)),
    days(ORDERS, 365),
    *totals(ORDERS, "amount", "amount", WINDOWS),
    total_change(ORDERS, "amount", "amount", 30),
    total_change(ORDERS, "amount", "amount", 90),
    total_change(ORDERS, "amount", "amount", 365),
    average(ORDERS, "amount_mean", "amount", unit="money"),
    average(ORDERS, "amount_mean", "amount", 90, unit="money"),
    aggregate(
        "orders",
        "amount_max",
        lambda t, now: t.amount.max() / MINOR,
        "orders",
        "money",
        reads=("amount",),
    ),
    since_last(ORDERS, "days_since_order", shown_with=("order_gap_mean",)),
    since_first(ORDERS, "tenure_days"),
    average(ORDERS, "order_gap_mean", "gap_days", unit="days"),
    aggregate(
        "orders",
        "order_gap_max",
        lambda t, now: t.gap_days.max(),
        "orders",
        "days",
        reads=("gap_days",),
    ),
    aggregate(
        "orders",
        "order_gap_spread",
        lambda t, now: t.gap_days.std(),
        "orders",
        "days",
        reads=("gap_days",),
    ),
    Feature(
        "order_gap_last",
        "orders",
        lambda t, now: t.gap_days.argmax(t.known_at),
        shown_with=("order_gap_mean",),
        category="orders",
        unit="days",
        reads=("known_at", "gap_days"),
    ),
    Feature(
        "orders_repeat",
        "orders",
        lambda t, now: t.count() - 1,
        category="orders",
        unit="times",
    ),
    Feature(
        "order_span_days",
        None,
        lambda f: f.tenure_days - f.days_since_order,
        shown_with=("tenure_days", "days_since_order"),
        category="orders",
        unit="days",
    ),
    Feature(
        "orders_missed",
        None,
        lambda f: (
            f.days_since_order * (f.orders_repeat + 1) / (f.tenure_days + SETTLING_DAYS)
        ),
        shown_with=("days_since_order", "orders_repeat", "tenure_days"),
        category="orders",
        unit="times",
    ),
    Feature(
        "order_gap_ratio",
        None,
        lambda f: f.days_since_order / (f.order_gap_mean + 1),
        shown_with=("days_since_order", "order_gap_mean"),
        category="orders",
        unit="ratio",
    ),
    Feature(
        "order_irregularity",
        None,
        lambda f: f.order_gap_spread / (f.order_gap_mean + 1),
        shown_with=("order_gap_mean", "order_gap_spread"),
        category="orders",
        unit="ratio",
        words=Words("plain", "order_irregularity"),
    ),
    # --- the basket ---
    average(
        ORDERS._replace(category="basket"), "order_lines", "lines", 365, unit="times"
    ),
    average(
        ORDERS._replace(category="basket"),
        "order_quantity",
        "quantity",
        365,
        unit="times",
    ),
    *(distinct(LINES, "categories_bought", "category", window) for window in (90, 365)),
    distinct(LINES, "products_bought", "product", 365),
    entropy(LINES, "category_entropy", "category", 365),
    top_share(LINES, "category_top", "category", 365, "amount"),
    *(
        top_total(LINES, "category_top_amount", "category", window, "amount")
        for window in WINDOWS
    ),
    share(LINES, REPEATED, "repeat_share", 365),
    # --- the price ---
    *counts(REDUCED, (90, 365)),
    share(PRICES, REDUCED, "reduced_share", 365),
    *totals(PRICES, "discount", "discount", (90, 365)),
    total_share(PRICES, "discount_rate", "discount", "full", 90),
    total_share(PRICES, "discount_rate", "discount", "full", 365),
    # --- the margin ---
    *totals(DELIVERED, "margin", "margin", WINDOWS),
    total_change(DELIVERED, "margin", "margin", 90),
    total_share(DELIVERED, "margin_rate", "margin", "amount", 90),
    total_share(DELIVERED, "margin_rate", "margin", "amount", 365),
    # --- what comes back ---
    *counts(RETURNED, (30, 90, 365)),
    *totals(RETURNED, "returned", "amount", (90, 365)),
    share(MOVED, RETURNED, "return_share", 365),
    since_last(RETURNED, "days_since_return"),
    # --- payment ---
    *counts(INVOICES, (90, 365)),
    *totals(INVOICES, "invoiced", "amount", (90, 365)),
    Feature(
        "invoices_overdue",
        "invoices",
        lambda t, now: t.count(where=_overdue(t, now)),
        missing=0,
        shown_with=("amount_overdue",),
        category="payment",
        unit="times",
        reads=("due_at", "paid_at"),
    ),
    Feature(
        "amount_overdue",
        "invoices",
        lambda t, now: t.amount.sum(where=_overdue(t, now)).fill_null(0) / MINOR,
        missing=0,
        category="payment",
        unit="money",
        words=Words("plain", "amount_overdue"),
        reads=("due_at", "paid_at", "amount"),
    ),
    Feature(
        "overdue_days",
        "invoices",
        lambda t, now: days_since(t.due_at.min(where=_overdue(t, now)), now),
        category="payment",
        unit="days",
        words=Words("plain", "overdue_days"),
        reads=("due_at", "paid_at"),
        ages=True,
    ),
    Feature(
        "late_payments_90d",
        "invoices",
        lambda t, now: t.count(where=_late_payment(t, now) & within(t.due_at, now, 90)),
        90,
        0,
        category="payment",
        unit="times",
        reads=("due_at", "paid_at"),
    ),
    Feature(
        "payment_delay_365d",
        "invoices",
        lambda t, now: days_between(t.due_at, t.paid_at).mean(
            where=t.paid_at.notnull() & within(t.known_at, now, 365)
        ),
        365,
        category="payment",
        unit="days",
        reads=("known_at", "due_at", "paid_at"),
    ),
    Feature(
        "paid_late_share_365d",
        "invoices",
        lambda t, now: (t.paid_at > t.due_at)
        .cast("float64")
        .mean(where=t.paid_at.notnull() & within(t.known_at, now, 365)),
        365,
        category="payment",
        unit="share",
        words=Words("share", "paid_late_share"),
        reads=("known_at", "due_at", "paid_at"),
    ),
    # --- delivery ---
    *counts(DELIVERIES, (30, 90, 365)),
    *(_late_deliveries(window) for window in (30, 90, 365)),
    Feature(
        "days_since_late_delivery",
        "deliveries",
        lambda t, now: days_since(t.known_at.max(where=_late(t)), now),
        category="delivery",
        unit="days",
        reads=("known_at", "done_at"),
        ages=True,
    ),
    _late_share(90),
    _late_share(365),
    Feature(
        "delivery_delay_365d",
        "deliveries",
        lambda t, now: days_between(t.known_at, t.done_at).mean(
            where=(t.done_at > t.known_at) & within(t.known_at, now, 365)
        ),
        365,
        category="delivery",
        unit="days",
        words=Words("plain", "delivery_delay_365d"),
        reads=("known_at", "done_at"),
    ),
]
