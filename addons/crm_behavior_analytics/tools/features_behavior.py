"""Features of what a customer does on websites and in apps.

Table ``events`` (times naive UTC), a row an event:

* ``unit_id``, ``known_at`` (received), ``at`` (happened), ``type``, ``event``, ``page``
* ``channel`` (see ``CHANNELS``), ``category`` (of the product, as the event names it),
  ``amount`` (minor units, of what was put into the cart or bought)
* ``day`` (days since 1970), ``hour_of_week`` (0 is Monday before one o'clock): of the
  company's calendar and clock
* ``starts_visit``: the customer's previous event was received half an hour before, or
  there is none; ``gap_days``: days since that one, only where a visit starts
"""

from .event_names import TECHNICAL_EVENTS
from .feature_parts import (
    Subject,
    aggregate,
    average,
    change,
    count,
    counts,
    days,
    distinct,
    entropy,
    share,
    since_first,
    since_last,
    top_share,
    total,
)
from .features import WINDOWS, Feature, Words

#: what a customer came through
CHANNELS = ("web", "mobile", "wechat", "app", "server")

#: days that are added to the time of watching, so that one early visit is no habit
SETTLING_DAYS = 30


def _subject(code, *where, category="behavior"):
    return Subject(code, "events", where, category)


def _tracked(code, event):
    return _subject(code, ("event", "=", event), category="shop")


ACTIVE = _subject("active", ("type", "!=", "identify"))
PAGES = _subject("page_views", ("type", "=", "page"))
# what a customer did, without what the tracking script tells by itself
ACTIONS = _subject(
    "actions", ("type", "=", "track"), ("event", "not in", TECHNICAL_EVENTS)
)
VISITS = _subject("visits", ("starts_visit", "is", True), category="rhythm")
# Segment's names of the events of a shop
PRODUCTS = _tracked("product_views", "Product Viewed")
CARTS = _tracked("cart_adds", "Product Added")
REMOVALS = _tracked("cart_removals", "Product Removed")
CHECKOUTS = _tracked("checkouts", "Checkout Started")
SEARCHES = _tracked("searches", "Products Searched")
CHANNEL = {
    code: _subject(f"channel_{code}", ("channel", "=", code), category="channel")
    for code in CHANNELS
}


def _visits_missed(f):
    """Visits that would have come since the last one, at the visitor's own pace."""
    return f.days_since_visit * f.visits / (f.days_since_first_visit + SETTLING_DAYS)


DEFINITIONS = [
    *counts(PAGES, WINDOWS),
    change(PAGES, 30, shown_with=("page_views_30d",)),
    change(PAGES, 90, shown_with=("page_views_90d",)),
    *counts(ACTIONS, WINDOWS),
    change(ACTIONS, 30, shown_with=("actions_30d",)),
    change(ACTIONS, 90, shown_with=("actions_90d",)),
    *(days(ACTIVE, window) for window in (*WINDOWS, 14)),
    *(days(PAGES, window) for window in (30, 90)),
    since_last(PAGES, "days_since_visit"),
    since_last(ACTIONS, "days_since_action"),
    since_first(ACTIVE, "days_since_first_visit"),
    distinct(PAGES, "pages", "page", 90),
    distinct(ACTIONS, "events", "event", 90),
    # --- the shop ---
    *counts(PRODUCTS, WINDOWS),
    change(PRODUCTS, 30, shown_with=("product_views_30d",)),
    days(PRODUCTS, 90),
    since_last(PRODUCTS, "days_since_product_view"),
    distinct(PRODUCTS, "viewed_categories", "category", 90),
    entropy(PRODUCTS, "viewed_category_entropy", "category", 365),
    top_share(PRODUCTS, "viewed_category_top", "category", 365),
    *counts(CARTS, WINDOWS),
    change(CARTS, 30, shown_with=("cart_adds_30d",)),
    total(CARTS, "cart_amount", "amount", 30),
    total(CARTS, "cart_amount", "amount", 90),
    since_last(CARTS, "days_since_cart"),
    count(REMOVALS, 90),
    *counts(SEARCHES, (30, 90)),
    *counts(CHECKOUTS, (30, 90, 365)),
    since_last(CHECKOUTS, "days_since_checkout"),
    # --- the rhythm ---
    *counts(VISITS, (*WINDOWS, 0)),
    change(VISITS, 30, shown_with=("visits_30d",)),
    change(VISITS, 90, shown_with=("visits_90d",)),
    average(VISITS, "visit_gap_mean", "gap_days", unit="days"),
    average(VISITS, "visit_gap_mean", "gap_days", 90, unit="days"),
    aggregate(
        "events",
        "visit_gap_max",
        lambda t, now: t.gap_days.max(),
        "rhythm",
        "days",
        reads=("gap_days",),
    ),
    aggregate(
        "events",
        "visit_gap_spread",
        lambda t, now: t.gap_days.std(),
        "rhythm",
        "days",
        reads=("gap_days",),
    ),
    Feature(
        "visit_irregularity",
        None,
        lambda f: f.visit_gap_spread / (f.visit_gap_mean + 1),
        shown_with=("visit_gap_mean", "visit_gap_spread"),
        category="rhythm",
        unit="ratio",
        words=Words("plain", "visit_irregularity"),
    ),
    Feature(
        "visit_gap_ratio",
        None,
        lambda f: f.days_since_visit / (f.visit_gap_mean + 1),
        shown_with=("days_since_visit", "visit_gap_mean"),
        category="rhythm",
        unit="ratio",
        words=Words("plain", "visit_gap_ratio"),
    ),
    Feature(
        "visits_missed",
        None,
        _visits_missed,
        shown_with=("days_since_visit", "visits", "days_since_first_visit"),
        category="rhythm",
        unit="times",
    ),
    Feature(
        "active_days_share",
        None,
        # half a day more on both sides: nothing of nothing is no fall
        lambda f: (f.active_days_30d + 0.5) / (f.active_days_90d + 1.5),
        shown_with=("active_days_30d", "active_days_90d"),
        category="rhythm",
        unit="share",
    ),
    entropy(ACTIVE, "hour_of_week_entropy", "hour_of_week", 90),
    entropy(ACTIVE, "hour_of_week_entropy", "hour_of_week", 365),
    top_share(ACTIVE, "hour_of_week_top", "hour_of_week", 365),
    # --- channels ---
    *(count(subject, window) for subject in CHANNEL.values() for window in (30, 365)),
    *(
        share(ACTIVE, subject, f"{subject.code}_share", 90)
        for subject in CHANNEL.values()
    ),
    *(days(CHANNEL[code], 90) for code in ("web", "mobile", "wechat", "app")),
    distinct(ACTIVE, "channels", "channel", 365),
]
