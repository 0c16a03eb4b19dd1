"""What features are called, put together from the parts of their definitions.

A definition (``tools/feature_parts.py``) says what it measures of what; the sentences
of the measures and the names of the subjects make its name, its description and its
reason in every language. Whoever has more to say writes a text of its own
(``FEATURES`` of ``messages.py``).
"""

from typing import NamedTuple

from odoo.tools import LazyTranslate

_lt = LazyTranslate(__name__)


class FeatureText(NamedTuple):
    """What a feature is called, what it says, and how a reason tells its value.

    :param str alone: the reason when what it names beside the value is unknown
    """

    name: str
    description: str
    reason: str
    alone: str = ""


class Noun(NamedTuple):
    """What is counted, summed or timed: many of them, and one."""

    many: str
    one: str


#: what a feature belongs to
CATEGORIES = {
    "orders": _lt("Orders"),
    "basket": _lt("Basket"),
    "price": _lt("Price"),
    "margin": _lt("Margin"),
    "returns": _lt("Returns"),
    "payment": _lt("Payment"),
    "delivery": _lt("Delivery"),
    "behavior": _lt("Pages and actions"),
    "shop": _lt("Shop"),
    "rhythm": _lt("Rhythm"),
    "channel": _lt("Channels"),
    "service": _lt("Service"),
}
#: what a value counts
UNITS = {
    "times": _lt("Number"),
    "days": _lt("Days"),
    "money": _lt("Amount"),
    "share": _lt("Share"),
    "ratio": _lt("Ratio"),
    "bits": _lt("Bits"),
}
MEASURES = {
    "count": FeatureText(
        _lt("%(many)s, %(window)s days"),
        _lt("Number of %(many)s in the last %(window)s days."),
        _lt("%(many)s in %(window)s days: %(value)s"),
    ),
    "count_ever": FeatureText(
        _lt("%(many)s, ever"),
        _lt("Number of %(many)s since the first day."),
        _lt("%(many)s since the first day: %(value)s"),
    ),
    "days": FeatureText(
        _lt("Days with %(many)s, %(window)s days"),
        _lt("On how many of the last %(window)s days there were %(many)s."),
        _lt("Days with %(many)s in %(window)s days: %(value)s"),
    ),
    "change": FeatureText(
        _lt("Change of %(many)s, %(window)s days"),
        _lt("%(many)s of the last %(window)s days less those of the same time before."),
        _lt("%(many)s in %(window)s days against the same time before: %(value)s"),
    ),
    "total": FeatureText(
        _lt("Total of %(many)s, %(window)s days"),
        _lt("Sum of %(many)s over the last %(window)s days."),
        _lt("Total of %(many)s in %(window)s days: %(value)s"),
    ),
    "average": FeatureText(
        _lt("Mean of %(many)s, %(window)s days"),
        _lt("Mean of %(many)s over the last %(window)s days."),
        _lt("Mean of %(many)s in %(window)s days: %(value)s"),
    ),
    "average_ever": FeatureText(
        _lt("Mean of %(many)s"),
        _lt("Mean of %(many)s since the first day."),
        _lt("Mean of %(many)s: %(value)s"),
    ),
    "share": FeatureText(
        _lt("Share of %(many)s, %(window)s days"),
        _lt("Share of %(many)s over the last %(window)s days, between 0 and 1."),
        _lt("Share of %(many)s in %(window)s days: %(value)s"),
    ),
    "distinct": FeatureText(
        _lt("Different %(key)s, %(window)s days"),
        _lt("How many different %(key)s there were in the last %(window)s days."),
        _lt("Different %(key)s in %(window)s days: %(value)s"),
    ),
    "entropy": FeatureText(
        _lt("Spread over %(key)s, %(window)s days"),
        _lt(
            "How evenly the %(many)s of the last %(window)s days are spread over"
            " %(key)s; 0: all on one."
        ),
        _lt("Spread over %(key)s in %(window)s days: %(value)s bits"),
    ),
    "top_share": FeatureText(
        _lt("Share of the first of the %(key)s, %(window)s days"),
        _lt(
            "What share of the last %(window)s days the strongest of the %(key)s has,"
            " between 0 and 1."
        ),
        _lt("Share of the first of the %(key)s in %(window)s days: %(value)s"),
    ),
    "top_total": FeatureText(
        _lt("Amount in the first of the %(key)s, %(window)s days"),
        _lt("Amount of the last %(window)s days in the strongest of the %(key)s."),
        _lt("Amount in the first of the %(key)s in %(window)s days: %(value)s"),
    ),
    "since_last": FeatureText(
        _lt("Days since the last %(one)s"),
        _lt("Whole days since the last %(one)s."),
        _lt("No %(one)s for %(value)s days"),
    ),
    "since_first": FeatureText(
        _lt("Days since the first %(one)s"),
        _lt("Whole days since the first %(one)s."),
        _lt("First %(one)s %(value)s days ago"),
    ),
    # The nouns say it all.
    "plain": FeatureText("%(many)s", "%(one)s", _lt("%(many)s: %(value)s")),
}
NOUNS = {
    # --- subjects ---
    "page_views": Noun(_lt("page views"), _lt("page view")),
    "actions": Noun(_lt("actions"), _lt("action")),
    "active": Noun(_lt("activity"), _lt("activity")),
    "visits": Noun(_lt("visits"), _lt("visit")),
    "product_views": Noun(_lt("product views"), _lt("product view")),
    "cart_adds": Noun(_lt("additions to the cart"), _lt("addition to the cart")),
    "cart_removals": Noun(_lt("removals from the cart"), _lt("removal from the cart")),
    "checkouts": Noun(_lt("checkouts"), _lt("checkout")),
    "searches": Noun(_lt("product searches"), _lt("product search")),
    "channel_web": Noun(_lt("events on a computer"), _lt("event on a computer")),
    "channel_mobile": Noun(
        _lt("events in a mobile browser"), _lt("event in a mobile browser")
    ),
    "channel_wechat": Noun(_lt("events in WeChat"), _lt("event in WeChat")),
    "channel_app": Noun(_lt("events in an app"), _lt("event in an app")),
    "channel_server": Noun(_lt("events from servers"), _lt("event from a server")),
    "orders": Noun(_lt("orders"), _lt("order")),
    "lines": Noun(_lt("order lines"), _lt("order line")),
    "reduced_lines": Noun(
        _lt("order lines at a discount"), _lt("order line at a discount")
    ),
    "goods": Noun(_lt("deliveries of products"), _lt("delivery of a product")),
    "returns": Noun(_lt("returned products"), _lt("return of a product")),
    "invoices": Noun(_lt("invoices"), _lt("invoice")),
    "deliveries": Noun(_lt("promised deliveries"), _lt("promised delivery")),
    "late_deliveries": Noun(_lt("late deliveries"), _lt("late delivery")),
    # --- sums and means ---
    "amount": Noun(_lt("order amounts"), _lt("order amount")),
    "amount_mean": Noun(_lt("order amounts"), _lt("order amount")),
    "cart_amount": Noun(_lt("amounts put into the cart"), _lt("amount of the cart")),
    "discount": Noun(_lt("discounts"), _lt("discount")),
    "margin": Noun(_lt("margins of delivered products"), _lt("margin")),
    "returned": Noun(_lt("amounts of returned products"), _lt("returned amount")),
    "invoiced": Noun(_lt("invoiced amounts"), _lt("invoiced amount")),
    "order_gap_mean": Noun(_lt("days between two orders"), _lt("gap between orders")),
    "visit_gap_mean": Noun(_lt("days between two visits"), _lt("gap between visits")),
    "order_lines": Noun(_lt("lines of an order"), _lt("line of an order")),
    "order_quantity": Noun(_lt("quantities of an order"), _lt("quantity of an order")),
    # --- shares ---
    "channel_web_share": Noun(_lt("events on a computer"), _lt("event on a computer")),
    "channel_mobile_share": Noun(
        _lt("events in a mobile browser"), _lt("event in a mobile browser")
    ),
    "channel_wechat_share": Noun(_lt("events in WeChat"), _lt("event in WeChat")),
    "channel_app_share": Noun(_lt("events in an app"), _lt("event in an app")),
    "channel_server_share": Noun(
        _lt("events from servers"), _lt("event from a server")
    ),
    "repeat_share": Noun(
        _lt("order lines of products bought before"), _lt("product bought before")
    ),
    "reduced_share": Noun(
        _lt("order lines at a discount"), _lt("order line at a discount")
    ),
    "discount_rate": Noun(_lt("discounts in the full price"), _lt("discount")),
    "margin_rate": Noun(_lt("margin in the price"), _lt("margin")),
    "return_share": Noun(
        _lt("returns among the moved products"), _lt("return of a product")
    ),
    "late_share": Noun(_lt("late deliveries"), _lt("late delivery")),
    "paid_late_share": Noun(_lt("invoices paid late"), _lt("invoice paid late")),
    # --- what they are told by ---
    "pages": Noun(_lt("pages"), _lt("page")),
    "events": Noun(_lt("kinds of actions"), _lt("kind of action")),
    "channels": Noun(_lt("channels"), _lt("channel")),
    "viewed_categories": Noun(_lt("viewed categories"), _lt("viewed category")),
    "viewed_category_entropy": Noun(_lt("viewed categories"), _lt("viewed category")),
    "viewed_category_top": Noun(_lt("viewed categories"), _lt("viewed category")),
    "categories_bought": Noun(_lt("categories bought"), _lt("category bought")),
    "category_entropy": Noun(_lt("categories bought"), _lt("category bought")),
    "category_top": Noun(_lt("categories bought"), _lt("category bought")),
    "category_top_amount": Noun(_lt("categories bought"), _lt("category bought")),
    "products_bought": Noun(_lt("products bought"), _lt("product bought")),
    "hour_of_week_entropy": Noun(_lt("hours of the week"), _lt("hour of the week")),
    "hour_of_week_top": Noun(_lt("hours of the week"), _lt("hour of the week")),
    # --- whole names, and what they say ---
    "amount_max": Noun(_lt("greatest order"), _lt("Amount of the greatest order.")),
    "amount_overdue": Noun(
        _lt("overdue amount"),
        _lt("Amount of the invoices that were due and not paid."),
    ),
    "delivery_delay_365d": Noun(
        _lt("delay of late deliveries"),
        _lt("Mean days after the promised one, of the last year's late deliveries."),
    ),
    "order_gap_max": Noun(
        _lt("longest gap between orders"),
        _lt("Greatest number of days between two orders."),
    ),
    "order_gap_spread": Noun(
        _lt("spread of the gaps between orders"),
        _lt("Standard deviation of the days between two orders."),
    ),
    "order_irregularity": Noun(
        _lt("irregularity of orders"),
        _lt("Standard deviation of the gaps between orders, divided by their mean."),
    ),
    "overdue_days": Noun(
        _lt("days overdue"), _lt("Days since the oldest unpaid invoice was due.")
    ),
    "visit_gap_max": Noun(
        _lt("longest gap between visits"),
        _lt("Greatest number of days between two visits."),
    ),
    "visit_gap_ratio": Noun(
        _lt("days since the last visit, in usual gaps"),
        _lt("Days since the last page view, divided by the usual gap of visits."),
    ),
    "visit_gap_spread": Noun(
        _lt("spread of the gaps between visits"),
        _lt("Standard deviation of the days between two visits."),
    ),
    "visit_irregularity": Noun(
        _lt("irregularity of visits"),
        _lt("Standard deviation of the gaps between visits, divided by their mean."),
    ),
}


def describe(env, definition):
    """The texts of a definition in the language of the environment.

    :param definition: ``Feature`` with words (``tools/features.py``)
    :return: :class:`FeatureText`; its reason has one placeholder, the feature's code
    """
    words = definition.words
    subject = NOUNS[words.subject]
    key = NOUNS[words.key].many if words.key else ""
    window = definition.window or 0
    values = {
        "many": env._(subject.many),
        "one": env._(subject.one),
        "key": env._(key) if key else "",
        # A change looks back twice as far as it says.
        "window": window // 2 if words.measure == "change" else window,
        "value": f"%({definition.code})s",
    }
    templates = map(env._, MEASURES[words.measure])
    texts = [template % values for template in templates]
    return FeatureText(*(text[:1].upper() + text[1:] for text in texts))
