"""Tracking over HTTP beside COPY of the same rows, and what the script costs a page."""

import http.client
import io
import json
import os
import statistics
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from figures import figure
from playwright.sync_api import sync_playwright

from scripts import databases, sdk
from tests.conftest import OdooServer, run_shell

EVENTS = int(os.environ.get("BENCH_EVENTS", 40_000))
BATCH = 100
BASELINE_BATCH = 1_000
SENDERS = 4
VISITORS = 2_000
LOADS = 15
LOGS = Path(os.environ["ODOO_DATA_DIR"]).parent / "logs"
SOURCE = """
source = env["behavior.source"].create({
    "name": "Bench", "code": "bench", "type": "server",
})
key = source.issue_key()
source.credential_id.sudo().rate = 0
env.cr.commit()
answer([source.id, key])
"""
COLUMNS = (
    "received_at, source_id, company_id, message_id, type, event, anonymous_id,"
    ' user_id, identity_id, "timestamp", page, properties, context'
)


def message(number):
    """What a shop sends when somebody looks at a product."""
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"bench-{number}",
        "anonymousId": f"visitor-{number % VISITORS}",
        "timestamp": f"2026-05-04T08:{number // 60 % 60:02}:{number % 60:02}.000Z",
        "properties": {
            "product_id": f"P-{number % 500}",
            "sku": f"C-{number % 500:04}",
            "name": "Espresso machine",
            "price": 4999.0,
            "currency": "CNY",
        },
        "context": {
            "library": {"name": "behavior.js", "version": "2.0.0"},
            "page": {
                "path": f"/shop/{number % 500}",
                "url": f"https://shop.example.com/shop/{number % 500}",
                "title": "Espresso machine",
            },
            "locale": "zh-CN",
            "timezone": "Asia/Shanghai",
        },
    }


# --- TRACKING ---


def post(server, key, path, bodies):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for body in bodies:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        statuses = {verdict["status"] for verdict in content.get("verdicts", ())}
        assert statuses <= {"accepted"}
    connection.close()


def send(server, key, path, bodies):
    """Requests a second, over several connections to two workers."""
    threads = [
        threading.Thread(target=post, args=(server, key, path, bodies[place::SENDERS]))
        for place in range(SENDERS)
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(bodies) / (time.monotonic() - started)


def batches(messages):
    return [
        json.dumps({"batch": messages[start : start + BATCH]}).encode()
        for start in range(0, len(messages), BATCH)
    ]


def raw_copy(database, messages):
    """The same rows by COPY and ON CONFLICT, into tables with the same indexes."""
    with psycopg2.connect(dbname=database) as connection:
        cursor = connection.cursor()
        cursor.execute(
            f"""
            CREATE TABLE bench_store (LIKE behavior_event_store INCLUDING ALL);
            CREATE TABLE bench_message (LIKE behavior_message INCLUDING ALL);
            CREATE TEMPORARY TABLE staging AS
                SELECT {COLUMNS} FROM behavior_event_store LIMIT 0
            """
        )
        connection.commit()
        rows = [
            "\t".join(
                (
                    "2026-05-04 08:00:00",
                    "1",
                    "1",
                    one["messageId"],
                    one["type"],
                    one["event"],
                    one["anonymousId"],
                    "\\N",
                    "\\N",
                    one["timestamp"],
                    one["context"]["page"]["path"],
                    json.dumps(one["properties"]),
                    json.dumps(one["context"]),
                )
            )
            for one in messages
        ]
        started = time.monotonic()
        for start in range(0, len(rows), BASELINE_BATCH):
            buffer = io.StringIO("\n".join(rows[start : start + BASELINE_BATCH]) + "\n")
            cursor.execute("TRUNCATE staging")
            cursor.copy_expert("COPY staging FROM STDIN", buffer)
            cursor.execute(
                f"""
                WITH fresh AS (
                    INSERT INTO bench_message
                    SELECT source_id, message_id, received_at FROM staging
                    ON CONFLICT DO NOTHING RETURNING message_id
                )
                INSERT INTO bench_store ({COLUMNS})
                SELECT {COLUMNS} FROM staging JOIN fresh USING (message_id)
                """
            )
            connection.commit()
        seconds = time.monotonic() - started
        cursor.execute("DROP TABLE bench_store, bench_message")
    return len(rows) / seconds


def bench_tracking(template):
    database = databases.copy(template, f"crm_test_bench_behavior_{os.getpid()}")
    server = OdooServer(database, LOGS / "bench-behavior.log", workers=2)
    try:
        _source, key = run_shell(database, SOURCE)
        messages = [message(number) for number in range(EVENTS)]
        server.start()
        # A worker that has answered nothing yet is slow once.
        for number in range(1, 9):
            post(server, key, "/v1/batch", batches([message(-number)]))
        rates, baselines, limits = [], [], []
        half = len(messages) // 2
        # In turns, so that both meet the same machine.
        for part in (messages[:half], messages[half:]):
            bodies = batches(part)
            baselines.append(raw_copy(database, part))
            rates.append(BATCH * send(server, key, "/v1/batch", bodies))
            limits.append(
                BATCH * send(server, key, "/behavior/check", [b"{}"] * len(bodies))
            )
        figure(
            "tracking over HTTP in batches of 100, two workers",
            statistics.mean(rates),
            "events/s",
            "COPY and ON CONFLICT in batches of 1,000",
            statistics.mean(baselines),
        )
        # What the server, Odoo and the check of the key leave to the landing.
        figure(
            "as many requests that only have their key checked, times 100",
            statistics.mean(limits),
            "events/s",
            "COPY and ON CONFLICT in batches of 1,000",
            statistics.mean(baselines),
        )
    finally:
        server.stop()
        databases.drop(database)


# --- THE SCRIPT ---


class Pages(BaseHTTPRequestHandler):
    """A page whose deferred scripts run one after the other, once all have come."""

    SCRIPTS = ("before", "script", "after")

    def do_GET(self):
        tags = "".join(
            f'<script defer src="/{name}.js?{self.path[1:]}" data-key="k"></script>'
            for name in self.SCRIPTS
        )
        content, kind = f"<!doctype html><title>a</title>{tags}", "text/html"
        path, _question, which = self.path.partition("?")
        if path.endswith(".js"):
            kind = "text/javascript"
            content = {
                "/before.js": "window.before = performance.now()",
                "/script.js": sdk.BUILT.read_text() if which == "with" else "void 0",
                "/after.js": "window.after = performance.now()",
            }[path]
            if path == "/before.js":
                time.sleep(0.15)
        body = content.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Nothing to the terminal."""


def script_milliseconds(browser, url):
    """From the end of the script before it to the beginning of the one after it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, wait_until="load")
    milliseconds = page.evaluate("window.after - window.before")
    context.close()
    return milliseconds


def bench_script():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CRM_CHROMIUM") or None,
                args=["--no-sandbox", "--disable-gpu"],
            )
            times = {"/with": [], "/without": []}
            for _load in range(LOADS):
                for path, measured in times.items():
                    measured.append(script_milliseconds(browser, url + path))
            browser.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    medians = {path: statistics.median(measured) for path, measured in times.items()}
    figure(
        "main thread at load, tracking script",
        medians["/with"],
        "ms",
        "a script that does nothing",
        medians["/without"],
    )


def main():
    bench_script()
    bench_tracking(os.environ["CRM_TEST_TEMPLATE"])


if __name__ == "__main__":
    main()
