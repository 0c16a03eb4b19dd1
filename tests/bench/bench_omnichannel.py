"""Landing over HTTP, processing, and what a salesperson feels meanwhile."""

import http.client
import io
import json
import os
import statistics
import sys
import threading
import time
from pathlib import Path

import psycopg2
import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from figures import figure, percentile

from scripts import databases
from tests.conftest import OdooServer, run_shell
from tests.febrl import people

ROWS = int(os.environ.get("BENCH_ROWS", 50_000))
BATCH = 1_000
LOGS = Path(os.environ["ODOO_DATA_DIR"]).parent / "logs"
CHANNEL = """
mapping = env.ref("crm_omnichannel.omni_mapping_people")
channel = env["omni.channel"].create({
    "name": "Bench", "code": "bench", "type": "http", "mapping_id": mapping.id,
})
key = channel.issue_key()
channel.credential_id.sudo().rate = 0
env.cr.commit()
answer(key)
"""
LOOP = """
import time
rows = {rows}
partners = env["res.partner"]
started = time.monotonic()
{work}
env.flush_all()
seconds = time.monotonic() - started
env.cr.rollback()
answer(seconds)
"""
ONE_BY_ONE = """
for row in rows:
    partners.create(row)
"""
BATCHED = """
partners.create(rows)
"""
PROCESS = """
import time
started = time.monotonic()
from odoo.addons.crm_data_governance.db import take_batches
from odoo.tools import SQL
take_batches(
    env.registry, 1,
    ("omni_record", SQL("state = 'received'"), SQL("id"), 500),
    lambda env, ids: env["omni.record"]._process_batch(ids),
)
seconds = time.monotonic() - started
env.cr.rollback()
# Worked on: done, or parked (some people of the data set have no name at all).
answer([seconds, env["omni.record"].search_count([("state", "!=", "received")])])
"""


def as_partner(row):
    """The same customer for a plain ``create``."""
    name = f"{row.get('given_name', '')} {row.get('surname', '')}".strip()
    return {
        "name": name or row["id"],
        "phone": row["phone"],
        "email": row["email"],
        "street": row.get("street") or False,
        "city": row.get("city") or False,
        "zip": row.get("postcode") or False,
    }


def post(server, key, rows):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    for start in range(0, len(rows), BATCH):
        body = json.dumps(rows[start : start + BATCH])
        connection.request(
            "POST",
            "/omni/v1/records/bench",
            body,
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        assert not content["refused"], content
    connection.close()


def land(server, key, rows):
    """Two senders, as two workers serve them."""
    half = len(rows) // 2
    threads = [
        threading.Thread(target=post, args=(server, key, part))
        for part in (rows[:half], rows[half:])
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(rows) / (time.monotonic() - started)


def raw_copy(database, rows):
    """COPY into a staging table, then INSERT … ON CONFLICT, in batches."""
    with psycopg2.connect(dbname=database) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE bench_record (LIKE omni_record INCLUDING ALL)")
        cursor.execute(
            "CREATE TEMPORARY TABLE staging (key text, external_id text, payload bytea)"
        )
        connection.commit()
        started = time.monotonic()
        for start in range(0, len(rows), BATCH):
            buffer = io.StringIO()
            for row in rows[start : start + BATCH]:
                payload = json.dumps(row).encode().hex()
                buffer.write(f"{row['id']}\t{row['id']}\t\\\\x{payload}\n")
            buffer.seek(0)
            cursor.execute("TRUNCATE staging")
            cursor.copy_expert("COPY staging FROM STDIN", buffer)
            cursor.execute(
                "INSERT INTO bench_record (channel_id, idempotency_key, external_id,"
                " payload, state, received_at) SELECT 1, key, external_id, payload,"
                " 'received', now() FROM staging ON CONFLICT DO NOTHING"
            )
            connection.commit()
        seconds = time.monotonic() - started
        cursor.execute("DROP TABLE bench_record")
    return len(rows) / seconds


class Salesperson:
    """Opens the opportunity list again and again."""

    def __init__(self, server):
        self.url = server.url
        self.session = requests.Session()
        self._call(
            "/web/session/authenticate",
            {"db": server.db, "login": "admin", "password": "admin"},
        )

    def _call(self, route, params):
        answer = self.session.post(
            self.url + route,
            json={"jsonrpc": "2.0", "method": "call", "params": params},
            timeout=60,
        ).json()
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def open_list(self):
        started = time.monotonic()
        self._call(
            "/web/dataset/call_kw/crm.lead/web_search_read",
            {
                "model": "crm.lead",
                "method": "web_search_read",
                "args": [],
                "kwargs": {
                    "domain": [["type", "=", "opportunity"]],
                    "specification": {
                        "name": {},
                        "partner_id": {"fields": {"display_name": {}}},
                        "email_from": {},
                        "phone": {},
                        "user_id": {"fields": {"display_name": {}}},
                        "expected_revenue": {},
                        "stage_id": {"fields": {"display_name": {}}},
                    },
                    "limit": 80,
                },
            },
        )
        return time.monotonic() - started

    def measure(self, until):
        """Seconds of each opening, five a second, while ``until()`` is false."""
        times = []
        while not until():
            times.append(self.open_list())
            time.sleep(0.2)
        return times


def main():
    database = databases.copy(os.environ["CRM_TEST_TEMPLATE"], "crm_test_bench")
    server = OdooServer(
        database, LOGS / "bench.log", workers=2, **{"max-cron-threads": 0}
    )
    try:
        rows = people(ROWS)
        key = run_shell(database, CHANNEL)
        baseline = raw_copy(database, rows)
        server.start()
        figure(
            "landing over HTTP",
            land(server, key, rows),
            "records/s",
            "COPY and INSERT … ON CONFLICT",
            baseline,
        )
        sales = Salesperson(server)
        sales.measure(_after(5))
        idle = sales.measure(_after(20))
        done = threading.Event()
        result = []

        def process():
            result.extend(run_shell(database, PROCESS))
            done.set()

        threading.Thread(target=process).start()
        # The shell loads its registry first.
        time.sleep(8)
        busy = sales.measure(done.is_set)
        figure(
            "opportunity list while records are processed, p95",
            percentile(busy, 0.95),
            "s",
            "idle",
            percentile(idle, 0.95),
        )
        seconds, processed = result
        assert processed >= ROWS, f"{processed} of {ROWS} were processed"
        sample = [as_partner(row) for row in rows[:2_000]]
        loop = run_shell(database, LOOP.format(rows=repr(sample), work=ONE_BY_ONE))
        batched = run_shell(database, LOOP.format(rows=repr(sample), work=BATCHED))
        figure(
            "processing landed records",
            processed / seconds,
            "records/s",
            "loop of res.partner.create",
            len(sample) / loop,
        )
        figure(
            "batched res.partner.create",
            len(sample) / batched,
            "records/s",
            "loop of res.partner.create",
            len(sample) / loop,
        )
        figure(
            "opportunity list, median while processed",
            statistics.median(busy),
            "s",
            "idle",
            statistics.median(idle),
        )
    finally:
        server.stop()
        databases.drop(database)


def _after(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


if __name__ == "__main__":
    main()
