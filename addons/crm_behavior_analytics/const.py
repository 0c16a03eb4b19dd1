from .tools.event_names import TECHNICAL_EVENTS as TECHNICAL_EVENTS

#: What a write key may do: append events, nothing else.
SCOPE = "behavior.append"
#: What a key of the model server may do: ask for predictions, nothing else.
PREDICT_SCOPE = "behavior.predict"

#: Features shown first on a customer, in this order.
TOP_FEATURES = (
    "days_since_order",
    "order_gap_mean",
    "orders_365d",
    "amount_365d",
    "amount_change_90d",
    "margin_rate_365d",
    "discount_rate_365d",
    "return_share_365d",
    "amount_overdue",
    "late_share_365d",
    "days_since_visit",
    "active_days_90d",
)
