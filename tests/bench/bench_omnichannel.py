"""Landing over HTTP, processing and what a salesperson feels meanwhile, the profile
of a customer with a long history, and a segment of many.

BENCH_ROWS: records landed; BENCH_PARTNERS: customers the segment chooses from;
BENCH_FIGURES: some of landing, processing, profile, segment (default: all).
"""

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
PARTNERS = int(os.environ.get("BENCH_PARTNERS", 200_000))
FIGURES = os.environ.get("BENCH_FIGURES", "landing,processing,profile,segment")
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
PROFILE = """
import statistics, time
from odoo import fields
from odoo.tools import SQL

def clone(record, count, **columns):
    # rows of one table are enough: the timeline reads no others of an entry
    env.flush_all()
    table = SQL.identifier(record._table)
    new = SQL(", ").join(
        SQL("%s, %s", name, value) for name, value in columns.items()
    )
    env.cr.execute(SQL(
        "INSERT INTO %s SELECT new.* FROM %s AS one, generate_series(1, %s) AS n,"
        " LATERAL jsonb_populate_record(NULL::%s, to_jsonb(one) ||"
        " jsonb_build_object('id', nextval(%s::regclass), %s)) AS new"
        " WHERE one.id = %s",
        table, table, count, table, record._table + "_id_seq", new, record.id,
    ))

def customer(entries):
    partner = env["res.partner"].create({"name": "Bench", "is_company": True})
    at = SQL("to_jsonb(now() AT TIME ZONE 'UTC' - n * interval '1 hour')")
    share = entries // 10
    channel = env["omni.channel"].search([("code", "=", "bench-360")]) or (
        env["omni.channel"].create({"name": "Bench", "code": "bench-360"})
    )
    record = env["omni.record"].create({
        "channel_id": channel.id, "idempotency_key": str(partner.id), "state": "done",
        "partner_id": partner.id, "received_at": fields.Datetime.now(),
    })
    clone(record, 3 * share, received_at=at,
          idempotency_key=SQL("%s || ':' || n", str(partner.id)))
    lead = env["crm.lead"].create({"name": "Lead", "partner_id": partner.id})
    clone(lead, 2 * share, create_date=at)
    order = env["sale.order"].create({"partner_id": partner.id})
    order.state = "sale"
    clone(order, share, create_date=at, date_order=at)
    message = partner.message_post(body="Hello", message_type="comment")
    clone(message, 3 * share, date=at, message_id=SQL("n::text"))
    return partner

def measure(partner):
    env = partner.env
    seconds, queries = [], []
    for _round in range(21):
        env.flush_all()
        env.invalidate_all()
        before, started = env.cr.sql_log_count, time.monotonic()
        found = partner.customer_360()
        seconds.append(time.monotonic() - started)
        queries.append(env.cr.sql_log_count - before)
    assert len(found["timeline"]) >= 50, len(found["timeline"])
    return {"seconds": statistics.median(seconds), "queries": queries[-1]}

# a user as others are: the superuser passes by the rules
reader = env["res.users"].with_context(no_reset_password=True).create({
    "name": "Reader", "login": "bench-reader", "group_ids": [
        (4, env.ref(group).id) for group in (
            "crm_omnichannel.group_omnichannel_manager",
            "sales_team.group_sale_manager", "stock.group_stock_user",
            "account.group_account_invoice", "helpdesk_mgmt.group_helpdesk_manager",
        )
    ],
})
partners = [customer(10_000), customer(50)]
env.cr.execute("ANALYZE")
found = [measure(partner.with_user(reader)) for partner in partners]
env.cr.rollback()
answer(found)
"""
SEGMENT = """
import statistics, time
partner = env["res.partner"].create({{"name": "Bench", "ref": "bench"}})
env.flush_all()
# rolled back with the rest: checks and word indexes of rows that are never kept
env.cr.execute(
    "SELECT format('ALTER TABLE res_partner DROP CONSTRAINT %I', conname)"
    " FROM pg_constraint WHERE conrelid = 'res_partner'::regclass AND contype = 'f'"
    " UNION ALL SELECT format('DROP INDEX %s', index.indexrelid::regclass)"
    " FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid"
    " JOIN pg_am AS method ON method.oid = class.relam"
    " WHERE index.indrelid = 'res_partner'::regclass AND method.amname = 'gin'"
)
for [statement] in env.cr.fetchall():
    env.cr.execute(statement)
env.cr.execute(
    "INSERT INTO res_partner SELECT new.*"
    " FROM res_partner AS one, generate_series(1, %s) AS n,"
    " LATERAL jsonb_populate_record(NULL::res_partner, to_jsonb(one) ||"
    " jsonb_build_object('id', nextval('res_partner_id_seq'), 'color', n %% 10)) AS new"
    " WHERE one.id = %s",
    [{partners}, partner.id],
)
env.cr.execute("ANALYZE res_partner")
segment = env["omni.segment"].create(
    {{"name": "Bench", "code": "bench", "domain": "[('id', '=', 0)]"}}
)
domain = "[('ref', '=', 'bench'), ('color', '<', 3)]"
segment.domain = domain
env.flush_all()
env.cr.execute("DELETE FROM omni_segment_member")

def timed(work):
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result

def count():
    env.cr.execute(
        "SELECT count(*) FROM res_partner WHERE active AND ref = 'bench' AND color < 3"
        " AND (company_id IS NULL OR company_id = %s)", [env.company.id],
    )
    return env.cr.fetchone()[0]

counts = [timed(count) for _round in range(5)]
seconds, change = timed(segment._refresh)
again = [timed(segment._refresh)[0] for _round in range(5)]
assert len(change[segment].entered) == counts[0][1] > {partners} // 4
env.cr.rollback()
answer([
    seconds, statistics.median(again),
    statistics.median(found for found, _number in counts),
])
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


def warm_up(server, key):
    """Both workers have loaded what a landing needs, as COPY has its connection."""
    rows = [{"id": f"warm-{number}", "name": "Warm Up"} for number in range(20)]
    for row in rows:
        land(server, key, [row, {**row, "id": f"{row['id']}-2"}])


def landing(server, rows, key):
    warm_up(server, key)
    baseline = raw_copy(server.db, rows)
    figure(
        "landing over HTTP",
        land(server, key, rows),
        "records/s",
        "COPY and INSERT … ON CONFLICT",
        baseline,
    )


def processing(server, rows):
    sales = Salesperson(server)
    sales.measure(_after(5))
    idle = sales.measure(_after(20))
    done = threading.Event()
    result = []

    def process():
        result.extend(run_shell(server.db, PROCESS))
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
    assert processed >= len(rows), f"{processed} of {len(rows)} were processed"
    sample = [as_partner(row) for row in rows[:2_000]]
    loop = run_shell(server.db, LOOP.format(rows=repr(sample), work=ONE_BY_ONE))
    batched = run_shell(server.db, LOOP.format(rows=repr(sample), work=BATCHED))
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


def profile(database):
    long, short = run_shell(database, PROFILE)
    figure(
        "360 of a customer with 10,000 entries, first page",
        long["seconds"],
        "s",
        "customer with 50 entries",
        short["seconds"],
    )
    figure(
        "queries of that page",
        long["queries"],
        "queries",
        "customer with 50 entries",
        short["queries"],
    )


def segment(database):
    seconds, again, count = run_shell(database, SEGMENT.format(partners=PARTNERS))
    for name, value in (
        (f"segment over {PARTNERS:,} customers, first refresh", seconds),
        (f"segment over {PARTNERS:,} customers, refresh", again),
    ):
        figure(name, value, "s", "SQL count", count)


def main():
    wanted = set(FIGURES.split(","))
    database = databases.copy(os.environ["CRM_TEST_TEMPLATE"], "crm_test_bench")
    server = OdooServer(
        database, LOGS / "bench.log", workers=2, **{"max-cron-threads": 0}
    )
    try:
        if wanted & {"landing", "processing"}:
            rows = people(ROWS)
            key = run_shell(database, CHANNEL)
            server.start()
            landing(server, rows, key)
            if "processing" in wanted:
                processing(server, rows)
            server.stop()
        if "profile" in wanted:
            profile(database)
        if "segment" in wanted:
            segment(database)
    finally:
        server.stop()
        databases.drop(database)


def _after(seconds):
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


if __name__ == "__main__":
    main()
