"""WeCom: how fast callbacks are answered, and how fast customers are fetched."""

import http.client
import json
import os
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from figures import figure, percentile

from scripts import databases
from tests.conftest import OdooServer, run_shell
from tests.servers import wecom

CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", 10_000))
CALLBACKS = 300
#: what the platform is promised, in seconds
TARGET = 0.2
LOGS = Path(os.environ["ODOO_DATA_DIR"]).parent / "logs"
CHANNEL = """
channel = env["omni.channel"].create({{
    "name": "Bench", "code": "bench", "type": "wecom", "company_id": False,
    "platform_url": {url!r}, "platform_app_id": {corp!r}, "platform_secret": {secret!r},
    "callback_token": {token!r}, "callback_aes_key": {key!r},
    "connected_at": "2026-01-01",
}})
env.cr.commit()
answer(channel.id)
"""
SYNC = """
import time
sync = env["omni.sync"]
channel = env["omni.channel"].search([("code", "=", "bench")])
sync._request(channel, "full")
env.cr.commit()
started = time.monotonic()
while sync.search_count(sync._due_domain()):
    sync._cron_sync()
    env.invalidate_all()
seconds = time.monotonic() - started
answer([seconds, env["omni.record"].search_count([("channel_id", "=", channel.id)])])
"""


def deliver(server):
    """Return the seconds of each answer."""
    url = f"{server.url}/omni/callback/wecom/bench"
    times = []
    for number in range(CALLBACKS):
        message = wecom.event(
            "edit_external_contact", number, ExternalUserID=f"wm{number:06}"
        )
        started = time.monotonic()
        status, _body = wecom.post_callback(url, message)
        times.append(time.monotonic() - started)
        assert status == 200, status
    return times


def fetch_alone(platform):
    """Ask for the same pages and throw them away; return the seconds."""
    connection = http.client.HTTPConnection(urlsplit(platform.url).netloc)

    def call(method, path, body=None):
        connection.request(method, path, body and json.dumps(body))
        return json.loads(connection.getresponse().read())

    query = f"corpid={wecom.CORP}&corpsecret={wecom.SECRET}"
    token = call("GET", f"/cgi-bin/gettoken?{query}")["access_token"]
    path = f"/cgi-bin/externalcontact/batch/get_by_user?access_token={token}"
    body = {"userid_list": platform.members, "cursor": "", "limit": 100}
    started = time.monotonic()
    while True:
        page = call("POST", path, body)
        if not page["next_cursor"]:
            return time.monotonic() - started
        body["cursor"] = page["next_cursor"]


def main():
    database = databases.copy(os.environ["CRM_TEST_TEMPLATE"], "crm_test_bench_wecom")
    server = OdooServer(
        database, LOGS / "bench.log", workers=2, **{"max-cron-threads": 0}
    )
    try:
        with wecom.WeCom(members=20, customers=CUSTOMERS, groups=0) as platform:
            run_shell(
                database,
                CHANNEL.format(
                    url=platform.url,
                    corp=wecom.CORP,
                    secret=wecom.SECRET,
                    token=wecom.CALLBACK_TOKEN,
                    key=wecom.AES_KEY,
                ),
            )
            seconds, count = run_shell(database, SYNC)
            pairs = len(platform.follows)
            assert count == pairs, f"{count} of {pairs} landed"
            figure(
                "WeCom customers fetched and landed",
                pairs / seconds,
                "records/s",
                "the same pages fetched and thrown away",
                pairs / fetch_alone(platform),
            )
            server.start()
            deliver(server)
            times = deliver(server)
            median = statistics.median(times)
            figure("callback answered, median", median, "s", "promised", TARGET)
            figure(
                "callback answered, p95", percentile(times, 0.95), "s", "median", median
            )
    finally:
        server.stop()
        databases.drop(database)


if __name__ == "__main__":
    main()
