"""Visits of the shop, and the orders as the analytics addon sees them."""

#: how many messages of visits are landed at once
TRACKED_BATCH = 10_000


def load_events(load):
    """Land the visits, and the orders as the analytics addon sees them."""
    events = load.env.get("behavior.event")
    if events is None or not hasattr(events, "_track"):
        load.left_out.append("No event store is installed: visits are left out.")
        return
    sources = load.env["behavior.source"]
    # a visitor has to agree before anything is collected
    for website in load.env["website"].search([]):
        website.cookies_bar = True
    noted = sources._odoo_source(load.company)
    if not noted:
        noted = sources.sudo()._ensure_odoo_sources(load.company)
    shop = sources.create(
        {
            "name": "网上商城",
            "code": "web-shop",
            "company_id": load.company.id,
            "origins": "https://shop.example.cn",
        }
    )
    users = {
        number: f"partner:{partner_id}" for number, partner_id in load.partners.items()
    }
    known = {("user_id", users[number]): load.partners[number] for number in users}
    for source in (shop, noted):
        events._claim_identities(source, known)
    batch = []
    for row in load.rows("visits"):
        batch.append(_message(row, users[row["customer"]]))
        if len(batch) == TRACKED_BATCH:
            _track(load, events, shop, batch)
            batch = []
    _track(load, events, shop, batch)
    orders = load.env["sale.order"].browse(list(load.orders.values()))
    if hasattr(orders, "_prepare_completed"):
        messages = []
        for order in orders:
            message = order._prepare_completed()
            messages.append({**message, "receivedAt": message["timestamp"]})
        _track(load, events, noted, messages)


def _track(load, events, source, messages):
    verdicts = events._track(source, messages)
    load.counts["events"] += sum(
        verdict["status"] == "accepted" for verdict in verdicts
    )


def _message(row, user):
    """Return a visit's row as a message in Segment's shape."""
    at = row["at"].replace(" ", "T") + "Z"
    message = {
        "type": row["type"],
        "messageId": row["message_id"],
        "anonymousId": row["anonymous_id"],
        "userId": user,
        "timestamp": at,
        "receivedAt": at,
        "context": {"page": {"path": row["url"]}},
        "properties": {"path": row["url"]},
    }
    if row["type"] == "page":
        message["name"] = row["event"]
    else:
        message["event"] = row["event"]
    if row["product"]:
        message["properties"]["sku"] = row["product"]
    return message
