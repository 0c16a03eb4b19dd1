"""What the codes of verdicts, findings and reasons say, in the reader's language."""

from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance import messages as governance
from odoo.addons.crm_omnichannel.messages import MESSAGES as LANDING_MESSAGES

from .feature_messages import FeatureText

_lt = LazyTranslate(__name__)

MESSAGES = {
    # why a message is refused (tools/tracking.py), besides the landing's reasons
    "bad_context": _lt("The context is not an object."),
    "bad_event": _lt("The name of the event is too long or not a text."),
    "bad_id": _lt("A user ID or an anonymous ID is too long or not a text."),
    "bad_message_id": _lt("The message ID is too long or not a text."),
    "bad_properties": _lt("The properties or traits are not an object."),
    "bad_timestamp": _lt("The time is not readable."),
    "no_event": _lt("The event has no name."),
    "no_identity": _lt("The message has neither a user ID nor an anonymous ID."),
    "no_consent": _lt("The customer has refused analytics."),
    "timestamp_out_of_range": _lt("The time is before 2000 or in the future."),
    "unknown_type": _lt("The type of the message is unknown."),
    # why a prediction in use was not scored
    "not_scored": _lt("The scores could not be renewed: %(detail)s"),
    # why a body is refused as a whole
    "bad_request": _lt("The request is no JSON object, or has no list “batch”."),
    "too_many_messages": _lt("A batch has more than 2,500 messages."),
    # what the live stream says besides
    "known_message": _lt("A message with the ID %(message)s has arrived before."),
    "requests_refused": _lt(
        "%(refused)s requests of the last two hours were refused as a whole,"
        " %(limited)s of them because there were too many at once. Verify the origin of"
        " the page, and what is sent."
    ),
    # why there is no model, or why it is not put to use (tools/training.py)
    "all_negative": _lt(
        "What is to be foretold has never happened among %(found)s customers: there is"
        " nothing to learn from."
    ),
    "all_positive": _lt(
        "What is to be foretold has happened to all %(found)s customers: there is"
        " nothing to tell apart."
    ),
    "leak_suspected": _lt(
        "“%(feature)s” alone tells the outcome almost without fail (AUC %(auc)s): it"
        " seems to be filled in afterwards. Leave it out and train again."
    ),
    "no_signal": _lt(
        "Nothing that is known tells who it will be better than chance does"
        " (AUC %(auc)s)."
    ),
    "stale_data": _lt(
        "The newest facts are %(days)s days old: what has happened since is not looked"
        " at. Import the newer data, then train again."
    ),
    "too_stale": _lt(
        "The newest facts are %(days)s days old, older than the %(horizon)s days that"
        " are to be foretold. Import the newer data, then train again."
    ),
    "few_units": _lt(
        "There are data of %(found)s customers only; at least %(needed)s are needed."
    ),
    "few_positives": _lt(
        "What is to be foretold has happened to %(found)s only; at least %(needed)s are"
        " needed to learn from."
    ),
    "few_negatives": _lt(
        "What is to be foretold has spared %(found)s only; at least %(needed)s are"
        " needed to learn from."
    ),
    "no_history": _lt(
        "The data go back %(found)s days: too short for the horizon. Shorten the"
        " horizon or wait."
    ),
    "short_history": _lt(
        "The data do not go back far enough to test a model on a time that it has not"
        " seen. Shorten the horizon or wait."
    ),
    "worse_than_rule": _lt(
        "No model ranks clearly better than the simple rule “%(rule)s” (AUC %(auc)s"
        " against %(rule_auc)s): the rule is enough."
    ),
}


def render(env, code, params=None):
    """Return the text of a code in the language of the environment."""
    table = MESSAGES if code in MESSAGES else LANDING_MESSAGES
    return governance.render(env, table, code, params)


#: texts of features that say more than the parts of their definition do
FEATURES = {
    "orders_365d": FeatureText(
        _lt("Orders, 365 days"),
        _lt("Confirmed orders in the last 365 days."),
        _lt("Orders in a year: %(orders_365d)s, customer for %(tenure_days)s days"),
    ),
    "orders_change_90d": FeatureText(
        _lt("Change of orders, 90 days"),
        _lt("Orders in the last 90 days less those in the 90 days before."),
        _lt(
            "Orders in 90 days: %(orders_90d)s, change against the 90 days before:"
            " %(orders_change_90d)s"
        ),
    ),
    "days_since_order": FeatureText(
        _lt("Days since the last order"),
        _lt("Days since the last confirmed order."),
        _lt("No order for %(days_since_order)s days, usual gap %(order_gap_mean)s"),
        # there is a gap from the second order on
        _lt("No order for %(days_since_order)s days since the first one"),
    ),
    "orders_repeat": FeatureText(
        _lt("Repeat orders"),
        _lt("Confirmed orders after the first one."),
        _lt("Ordered again %(orders_repeat)s times"),
    ),
    "order_span_days": FeatureText(
        _lt("Days from the first order to the last"),
        _lt("Days between the first confirmed order and the last one."),
        _lt(
            "Customer for %(tenure_days)s days, the last order %(days_since_order)s"
            " days ago"
        ),
    ),
    "orders_missed": FeatureText(
        _lt("Orders missed"),
        _lt(
            "How many orders would have come since the last one at the customer's own"
            " pace."
        ),
        _lt(
            "No order for %(days_since_order)s days: at the usual pace"
            " %(orders_missed)s would have come"
        ),
    ),
    "tenure_days": FeatureText(
        _lt("Days as a customer"),
        _lt("Days since the first confirmed order."),
        _lt("Customer for %(tenure_days)s days"),
    ),
    "order_gap_mean": FeatureText(
        _lt("Usual gap"),
        _lt("Mean number of days between two orders."),
        _lt("Orders every %(order_gap_mean)s days"),
    ),
    "order_gap_last": FeatureText(
        _lt("Last gap"),
        _lt("Days between the last two orders."),
        _lt(
            "The last order came after %(order_gap_last)s days, usually after"
            " %(order_gap_mean)s"
        ),
    ),
    "order_gap_ratio": FeatureText(
        _lt("Days since the last order, in usual gaps"),
        _lt("Days since the last order, divided by the usual gap."),
        _lt("No order for %(days_since_order)s days, usual gap %(order_gap_mean)s"),
    ),
    "invoices_overdue": FeatureText(
        _lt("Overdue invoices"),
        _lt("Invoices that were due and not paid."),
        _lt("Overdue invoices: %(invoices_overdue)s, amount %(amount_overdue)s"),
    ),
    "late_payments_90d": FeatureText(
        _lt("Late payments, 90 days"),
        _lt(
            "Invoices that fell due in the last 90 days and were not paid within two"
            " weeks."
        ),
        _lt("Invoices not paid for two weeks and more: %(late_payments_90d)s"),
    ),
    "payment_delay_365d": FeatureText(
        _lt("Delay of payments"),
        _lt("Mean days from due date to payment, of the last year's invoices."),
        _lt("Pays %(payment_delay_365d)s days after the due date"),
    ),
    "days_since_late_delivery": FeatureText(
        _lt("Days since a late delivery"),
        _lt("Days since the last delivery that was not done in time."),
        _lt("A delivery was late %(days_since_late_delivery)s days ago"),
    ),
    "page_views_change_30d": FeatureText(
        _lt("Change of page views, 30 days"),
        _lt("Pages seen in the last 30 days less those in the 30 days before."),
        _lt(
            "Page views in 30 days: %(page_views_30d)s, change against the 30 days"
            " before: %(page_views_change_30d)s"
        ),
    ),
    "active_days_share": FeatureText(
        _lt("Recent share of active days"),
        _lt("Active days of the last 30 days as a share of those of the last 90."),
        _lt(
            "Active days in 30 days: %(active_days_30d)s, in 90 days:"
            " %(active_days_90d)s"
        ),
    ),
    "visits_missed": FeatureText(
        _lt("Visits missed"),
        _lt(
            "How many visits would have come since the last one at the visitor's own"
            " pace."
        ),
        _lt(
            "No visit for %(days_since_visit)s days: at the usual pace"
            " %(visits_missed)s would have come"
        ),
    ),
    "days_since_visit": FeatureText(
        _lt("Days since the last visit"),
        _lt("Days since the last page view."),
        _lt("No visit for %(days_since_visit)s days"),
    ),
}
