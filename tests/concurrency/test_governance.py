"""The shared mechanisms of crm_data_governance under eight processes."""

import random
import time
import urllib.error
import urllib.request
from collections import Counter

import psycopg2
import pytest
from forked import ChildError, forked

from odoo import api
from odoo.modules.registry import Registry
from odoo.tools import SQL

from odoo.addons.crm_data_governance import rates, usage
from odoo.addons.crm_data_governance.db import claim, read_committed, take_batches
from odoo.addons.crm_data_governance.tools import sealing

PROCESSES = 8


def run_sql(dbname, query, *params):
    with Registry(dbname).cursor() as cr:
        cr.execute(SQL(query, *params))
        return cr.fetchall() if cr.description else None


def new_credential(dbname, **values):
    with Registry(dbname).cursor() as cr:
        env = api.Environment(cr, api.SUPERUSER_ID, {})
        credential, key = env["governance.credential"]._issue(
            {"name": "Eight", "scopes": "metrics", **values}
        )
        return credential.id, key


@pytest.fixture
def wide_window(monkeypatch):
    """A rate window that does not end during the test."""
    monkeypatch.setattr(rates, "WINDOW_SECONDS", 3600)
    left = 3600 - time.time() % 3600
    if left < 60:
        time.sleep(left + 1)


@pytest.fixture
def queue(odoo_database):
    run_sql(
        odoo_database,
        "CREATE TABLE concurrency_queue (id integer PRIMARY KEY, done boolean,"
        " worker integer, times integer DEFAULT 0)",
    )
    run_sql(
        odoo_database,
        "INSERT INTO concurrency_queue SELECT n FROM generate_series(1, 2000) n",
    )
    yield odoo_database
    run_sql(odoo_database, "DROP TABLE concurrency_queue")


# --- HARNESS ---


def test_forked_gives_results_in_order(odoo_database):
    def child(index, dbname):
        return index, run_sql(dbname, "SELECT current_database()")[0][0]

    assert forked(3, child, odoo_database) == [(n, odoo_database) for n in range(3)]


def test_forked_raises_what_a_child_raised(odoo_database):
    def child(index, dbname):
        if index == 1:
            raise ZeroDivisionError("in the child")
        return index

    with pytest.raises(ChildError, match=r"(?s)process 1: .*in the child"):
        forked(3, child, odoo_database)


# --- READ COMMITTED ---


@pytest.mark.parametrize("processes", [4, PROCESSES])
def test_counter_is_exact(odoo_database, processes):
    run_sql(odoo_database, "CREATE TABLE concurrency_counter (n integer)")
    run_sql(odoo_database, "INSERT INTO concurrency_counter VALUES (0)")

    def child(index, dbname):
        for _turn in range(100):
            with read_committed(dbname) as cr:
                cr.execute("UPDATE concurrency_counter SET n = n + 1")

    try:
        forked(processes, child, odoo_database)
        [(count,)] = run_sql(odoo_database, "SELECT n FROM concurrency_counter")
        assert count == processes * 100
    finally:
        run_sql(odoo_database, "DROP TABLE concurrency_counter")


def test_plain_cursor_would_not_do(odoo_database):
    """The control: the same with Odoo's own cursor loses updates."""
    run_sql(odoo_database, "CREATE TABLE concurrency_counter (n integer)")
    run_sql(odoo_database, "INSERT INTO concurrency_counter VALUES (0)")

    def child(index, dbname):
        failures = 0
        for _turn in range(100):
            try:
                with Registry(dbname).cursor() as cr:
                    cr.execute(
                        "UPDATE concurrency_counter SET n = n + 1", log_exceptions=False
                    )
            except psycopg2.errors.SerializationFailure:
                failures += 1
        return failures

    try:
        failures = sum(forked(PROCESSES, child, odoo_database))
        [(count,)] = run_sql(odoo_database, "SELECT n FROM concurrency_counter")
        assert failures
        assert count == PROCESSES * 100 - failures
    finally:
        run_sql(odoo_database, "DROP TABLE concurrency_counter")


# --- QUEUE ---


def test_queue_gives_each_row_once(queue):
    waiting = ("concurrency_queue", SQL("done IS NOT TRUE"), SQL("id"), 7)

    def child(index, dbname):
        def work(env, ids):
            env.cr.execute(
                SQL(
                    "UPDATE concurrency_queue SET done = true, worker = %s,"
                    " times = times + 1 WHERE id IN %s",
                    index,
                    tuple(ids),
                )
            )
            batches.append(ids)

        batches = []
        count = take_batches(Registry(dbname), api.SUPERUSER_ID, waiting, work)
        return count, batches

    counts = [count for count, _batches in forked(PROCESSES, child, queue)]
    assert sum(counts) == 2000
    rows = run_sql(
        queue, "SELECT done, times, count(*) FROM concurrency_queue GROUP BY 1, 2"
    )
    assert rows == [(True, 1, 2000)]
    by_worker = dict(
        run_sql(queue, "SELECT worker, count(*) FROM concurrency_queue GROUP BY 1")
    )
    assert by_worker == {n: count for n, count in enumerate(counts) if count}
    # Else the test has not tried what it is about.
    assert len(by_worker) > 1


def test_queue_whose_work_conflicts(queue):
    """All batches write one common row: nothing is lost, nothing surfaces."""
    run_sql(queue, "CREATE TABLE concurrency_total (n integer)")
    run_sql(queue, "INSERT INTO concurrency_total VALUES (0)")
    run_sql(queue, "DELETE FROM concurrency_queue WHERE id > 400")
    waiting = ("concurrency_queue", SQL("done IS NOT TRUE"), SQL("id"), 10)

    def child(index, dbname):
        def work(env, ids):
            env.cr.execute(
                SQL(
                    "UPDATE concurrency_queue SET done = true, times = times + 1"
                    " WHERE id IN %s",
                    tuple(ids),
                )
            )
            env.cr.execute(
                SQL("UPDATE concurrency_total SET n = n + %s", len(ids)),
                log_exceptions=False,
            )

        return take_batches(Registry(dbname), api.SUPERUSER_ID, waiting, work)

    try:
        counts = forked(PROCESSES, child, queue)
        # A worker that met too many conflicts leaves the rest to the next run.
        if sum(counts) < 400:
            counts.append(child(0, queue))
        assert sum(counts) == 400
        assert run_sql(queue, "SELECT n FROM concurrency_total") == [(400,)]
        rows = run_sql(
            queue, "SELECT times, count(*) FROM concurrency_queue GROUP BY 1"
        )
        assert rows == [(1, 400)]
    finally:
        run_sql(queue, "DROP TABLE concurrency_total")


def test_claims_never_overlap(queue):
    def child(index, dbname):
        claimed = []
        for _turn in range(60):
            with Registry(dbname).cursor() as cr:
                ids = claim(
                    cr, "concurrency_queue", SQL("done IS NOT TRUE"), SQL("id"), 5
                )
                if ids:
                    cr.execute(
                        SQL(
                            "UPDATE concurrency_queue SET done = true WHERE id IN %s",
                            tuple(ids),
                        )
                    )
            claimed += ids
        return claimed

    claimed = Counter()
    for ids in forked(PROCESSES, child, queue):
        claimed.update(ids)
    assert claimed
    assert set(claimed.values()) == {1}
    [(done,)] = run_sql(queue, "SELECT count(*) FROM concurrency_queue WHERE done")
    assert done == len(claimed)


# --- RATE LIMIT ---


@pytest.mark.parametrize("rate", [1, 7, 100, 600])
def test_rate_is_exact(odoo_database, wide_window, rate):
    credential_id, _key = new_credential(odoo_database, rate=rate)

    def child(index, dbname):
        allowed = denied = 0
        random.seed(index)
        with Registry(dbname).cursor() as cr:
            env = api.Environment(cr, api.SUPERUSER_ID, {})
            while denied < 5:
                wait = rates.take(env, credential_id, rate)
                if wait is None:
                    allowed += 1
                else:
                    denied += 1
                    assert 1 <= wait <= 3600
                time.sleep(random.uniform(0, 0.001))
        return allowed

    allowed = forked(PROCESSES, child, odoo_database)
    assert sum(allowed) == rate
    [(used,)] = run_sql(
        odoo_database,
        "SELECT used FROM governance_rate WHERE credential_id = %s",
        credential_id,
    )
    assert used == rate


def test_rate_starts_again_in_the_next_window(odoo_database, monkeypatch):
    """Short windows: never more than the rate in each, and each gives its tokens."""
    monkeypatch.setattr(rates, "WINDOW_SECONDS", 2)
    credential_id, _key = new_credential(odoo_database, rate=20)

    def child(index, dbname):
        granted = Counter()
        end = time.monotonic() + 7
        while time.monotonic() < end:
            with read_committed(dbname) as cr:
                count, _remaining = rates.reserve(cr, credential_id, 20)
                cr.execute(
                    SQL(
                        "SELECT window_no FROM governance_rate"
                        " WHERE credential_id = %s",
                        credential_id,
                    )
                )
                granted[cr.fetchone()[0]] += count
            time.sleep(0.005)
        return granted

    total = Counter()
    for granted in forked(PROCESSES, child, odoo_database):
        total.update(granted)
    assert len(total) >= 4
    assert set(total.values()) == {20}


def test_child_does_not_spend_its_parents_tokens(odoo_database, wide_window):
    credential_id, _key = new_credential(odoo_database, rate=160)
    with Registry(odoo_database).cursor() as cr:
        env = api.Environment(cr, api.SUPERUSER_ID, {})
        assert rates.take(env, credential_id, 160) is None

    def child(index, dbname):
        return len(rates._pockets)

    assert forked(2, child, odoo_database) == [0, 0]


# --- USAGE ---


def test_usage_counts_are_exact(odoo_database):
    run_sql(
        odoo_database,
        "DELETE FROM governance_usage WHERE endpoint LIKE 'concurrency.%%'",
    )
    first, _key = new_credential(odoo_database)
    second, _key = new_credential(odoo_database)
    now = time.time()

    def child(index, dbname):
        for turn in range(400):
            usage.buffer.add(
                dbname,
                f"concurrency.{turn % 5}",
                (first, second, None)[turn % 3],
                (200, 404, 500, 429)[turn % 4],
                turn % 7,
                now,
            )
            if turn % 50 == index:
                usage.buffer.flush()
        usage.buffer.close()

    forked(PROCESSES, child, odoo_database)
    rows = run_sql(
        odoo_database,
        "SELECT endpoint, credential_id, requests, errors_4xx, errors_5xx,"
        " rate_limited, bytes_in::integer FROM governance_usage"
        " WHERE endpoint LIKE 'concurrency.%%'",
    )
    expected = {}
    for turn in range(400):
        key = (f"concurrency.{turn % 5}", (first, second, None)[turn % 3])
        status = (200, 404, 500, 429)[turn % 4]
        cell = expected.setdefault(key, Counter())
        cell.update(
            {
                "requests": PROCESSES,
                "errors_4xx": PROCESSES * (status in (404, 429)),
                "errors_5xx": PROCESSES * (status == 500),
                "rate_limited": PROCESSES * (status == 429),
                "bytes_in": PROCESSES * (turn % 7),
            }
        )
    assert {
        (endpoint, credential): {
            "requests": counts[0],
            "errors_4xx": counts[1],
            "errors_5xx": counts[2],
            "rate_limited": counts[3],
            "bytes_in": counts[4],
        }
        for endpoint, credential, *counts in rows
    } == {key: dict(cell) for key, cell in expected.items()}


def test_usage_is_written_within_five_seconds(odoo_database):
    def child(index, dbname):
        usage.buffer.add(dbname, "concurrency.timer", None, 200, 0)
        end = time.monotonic() + 5
        query = "SELECT requests FROM governance_usage WHERE endpoint = %s"
        while time.monotonic() < end:
            if rows := run_sql(dbname, query, "concurrency.timer"):
                return rows[0][0]
            time.sleep(0.1)
        return None

    assert forked(1, child, odoo_database) == [1]


# --- SEALING ---


def test_processes_agree_on_one_sealing_key(odoo_database, tmp_path):
    def child(index, dbname):
        return sealing.ensure_key({}, tmp_path)

    keys = forked(PROCESSES, child, odoo_database)
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [sealing.FILE_NAME]
    assert (tmp_path / sealing.FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_rate_and_usage_of_a_read_only_request(odoo_database, start_odoo):
    """Rates and counts go their own way when the request's cursor cannot write."""
    credential_id, key = new_credential(odoo_database, rate=5)
    server = start_odoo(odoo_database, dev="replica")
    left = 60 - time.time() % 60
    if left < 20:
        time.sleep(left + 1)

    def ask():
        request = urllib.request.Request(
            f"{server.url}/metrics", headers={"Authorization": f"Bearer {key}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    assert [ask() for _turn in range(7)] == [200] * 5 + [429] * 2
    query = "SELECT sum(requests), sum(rate_limited) FROM governance_usage"
    query += " WHERE credential_id = %s"
    end = time.monotonic() + 6
    counts = None
    while counts != (7, 2) and time.monotonic() < end:
        time.sleep(0.2)
        [counts] = run_sql(odoo_database, query, credential_id)
    assert counts == (7, 2)
    server.stop()
    log = server.log.read_text()
    assert "retrying with a read/write cursor" not in log
    assert "Traceback" not in log
