"""Segment's Python SDK as an application uses it.

Reads ``{"host", "key", "first", "count", "gzip"}`` from standard input, tracks that
many messages, and writes what the SDK could not deliver to standard output.
"""

import json
import sys

from segment.analytics.client import Client

order = json.load(sys.stdin)
lost = []
client = Client(
    order["key"],
    host=order["host"],
    gzip=order["gzip"],
    max_queue_size=order["count"] + 1,
    # The server may be away for a while.
    max_retries=1000,
    on_error=lambda error, items: lost.append(f"{len(items)}: {error}"),
)
for number in range(order["first"], order["first"] + order["count"]):
    who = {"anonymous_id": f"visitor-{number % 50}"}
    if number % 3 == 0:
        who["user_id"] = f"user-{number % 50}"
    client.track(
        event="Product Viewed",
        properties={"number": number, "sku": "C-ESP", "text": "咖啡 ☕"},
        context={"ip": "203.0.113.7", "app": {"name": "shop"}},
        **who,
    )
client.flush()
client.join()
json.dump({"lost": lost}, sys.stdout)
