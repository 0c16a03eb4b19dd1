"""Visits of the demonstration's shops: enough of them for a funnel and a retention."""

import random
from datetime import timedelta

AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/141.0",
    "Mozilla/5.0 (Linux; Android 15; Mobi) Chrome/141.0",
    "Mozilla/5.0 (iPhone; Mobi) MicroMessenger/8.0.60",
)
PRODUCTS = ("C-ESP", "C-GRIND", "C-KETTLE")
DAYS = 170
#: what share goes on to the cart from each kind of client, and to the order
TO_PRODUCT, TO_CART, TO_ORDER = (0.75, 0.7, 0.65), (0.45, 0.3, 0.5), (0.7, 0.5, 0.6)


def shop_visits(now, seed, visitors, names=()):
    """Visits as messages for ``behavior.event._track``, the same for a seed.

    :param datetime now: naive UTC; all lies between one and 170 days before it
    :param int seed: also of the ids of visitors and messages
    :param int visitors: how many of whom nobody knows who they are
    :param names: user IDs of known customers, who come more often
    :return: list of dicts
    """
    rng = random.Random(seed)
    people = [{"userId": name} for name in names]
    people += [{"anonymousId": f"demo-{seed}-{number}"} for number in range(visitors)]
    messages = []
    for person in people:
        client = rng.randrange(len(AGENTS))
        days = rng.uniform(2, DAYS)
        stays = 0.85 if "userId" in person else 0.6
        while days > 1:
            at = now - timedelta(days=days)
            for kind, name in _visit(rng, client):
                at += timedelta(seconds=rng.randrange(20, 400))
                messages.append(_message(person, kind, name, at, rng, client))
            if rng.random() > stays:
                break
            days -= rng.uniform(3, 14)
    for number, message in enumerate(messages):
        message["messageId"] = f"demo-{seed}-{number}"
    return messages


def _visit(rng, client):
    yield "page", "Home"
    for share, name in (
        (TO_PRODUCT, "Product Viewed"),
        (TO_CART, "Product Added"),
        (TO_ORDER, "Order Completed"),
    ):
        if rng.random() > share[client]:
            return
        yield "track", name


def _message(person, kind, name, at, rng, client):
    if kind == "page":
        words = {"name": name, "properties": {"path": rng.choice(("/", "/shop"))}}
    else:
        words = {"event": name, "properties": {"sku": rng.choice(PRODUCTS)}}
    return {
        "type": kind,
        **person,
        **words,
        "timestamp": at.isoformat(),
        "receivedAt": at.isoformat(),
        "context": {"userAgent": AGENTS[client]},
    }
