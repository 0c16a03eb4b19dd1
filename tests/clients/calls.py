"""One call of each kind by Segment's Python SDK: ``{"host", "key"}`` comes in."""

import json
import sys
from datetime import datetime, timezone

from segment.analytics.client import Client

order = json.load(sys.stdin)
lost = []
client = Client(
    order["key"],
    host=order["host"],
    on_error=lambda error, items: lost.append(f"{len(items)}: {error}"),
)
at = datetime(2026, 5, 4, 8, 0, tzinfo=timezone.utc)
both = {"user_id": "u-1", "anonymous_id": "a-1"}
client.track(event="Cart Viewed", properties={"total": 9.5}, timestamp=at, **both)
client.page(category="Shop", name="Home", properties={"path": "/shop"}, **both)
client.screen(category="Shop", name="Basket", properties={"items": 2}, **both)
client.identify(traits={"plan": "pro"}, context={"ip": "203.0.113.7"}, **both)
client.group(group_id="g-1", traits={"size": 12}, **both)
client.alias(previous_id="a-0", user_id="u-1")
client.flush()
client.join()
json.dump({"lost": lost}, sys.stdout)
