"""Events landed by eight senders at once, and by clients whose server is killed."""

import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from forked import forked, loud_lines

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tools import SQL

from odoo.addons.crm_data_governance.db import read_committed

PROCESSES = 8
BATCH = 50
# Sent by everybody, and by each process alone.
SHARED = 400
OWN = 200
CUSTOMERS = 20
# Over HTTP, where each client sends its own messages and the shared ones.
CLIENT_SHARED = 200
CLIENT_OWN = 100
# While the server is killed: small batches, so that many are under way.
KILLED_BATCH = 10
KILLED_OWN = 200
# A month that nobody has made a partition for: all want to make it at once.
HISTORY = "2019-03-0{day}T08:00:00+00:00"


def run(dbname, function):
    """Call ``function(env)`` in a transaction of its own and commit."""
    with Registry(dbname).cursor() as cr:
        return function(api.Environment(cr, SUPERUSER_ID, {}))


@pytest.fixture
def source(odoo_database):
    """A server's source, with its key: ``(id, key)``."""

    def create(env):
        source = env["behavior.source"].create(
            {
                "name": "Eight",
                "code": f"eight-{env['behavior.source'].search_count([])}",
                "type": "server",
            }
        )
        return source.id, source.issue_key()

    return run(odoo_database, create)


def messages(prefix, count):
    return [
        {
            "type": "track",
            "event": "Product Viewed",
            "messageId": f"{prefix}-{number}",
            "anonymousId": f"visitor-{number % CUSTOMERS}",
            "properties": {"number": number},
        }
        for number in range(count)
    ]


def batches(items, size, seed):
    """The messages in another order for each seed, in batches."""
    items = list(items)
    random.Random(seed).shuffle(items)
    return [items[n : n + size] for n in range(0, len(items), size)]


def check_totals(dbname, source_id, ids, sent=None):
    """Each message is there once, and the log of the landing says the same.

    :param ids: message ids that must be there
    :param int sent: messages that were sent, with repeats; None: unknown
    """

    def look(env):
        source = env["behavior.source"].browse(source_id)
        events = env["behavior.event"].search_fetch(
            [("source_id", "=", source_id)], ["message_id"]
        )
        assert sorted(events.mapped("message_id")) == sorted(ids)
        env.cr.execute(
            SQL("SELECT count(*) FROM behavior_message WHERE source_id = %s", source_id)
        )
        assert env.cr.fetchone() == (len(ids),)
        assert source.accepted_count == len(ids)
        assert not source.refused_count
        if sent is not None:
            assert source.duplicate_count == sent - len(ids)

    run(dbname, look)


def test_the_same_and_other_messages(odoo_database, source):
    """Eight senders: what all send lands once, what one sends lands, none fails."""
    source_id, _key = source

    def customers(env):
        return (
            env["res.partner"]
            .create(
                [
                    {"name": f"Visitor {n}", "email": f"visitor{n}@eight.example"}
                    for n in range(CUSTOMERS)
                ]
            )
            .ids
        )

    partner_ids = run(odoo_database, customers)
    shared = messages("shared", SHARED)
    for number, message in enumerate(shared):
        if number % 2:
            message["receivedAt"] = HISTORY.format(day=1 + number % 9)
    shared += [
        {
            "type": "identify",
            "messageId": f"identify-{number}",
            "anonymousId": f"visitor-{number}",
            "traits": {"email": f"visitor{number}@eight.example"},
        }
        for number in range(CUSTOMERS)
    ]

    def send(index, dbname):
        accepted = 0
        with loud_lines() as lines:
            own = messages(f"own-{index}", OWN)
            for batch in batches(shared + own, BATCH, index):
                # A transaction for each, as the controller has it.
                with read_committed(dbname) as cr:
                    env = api.Environment(cr, SUPERUSER_ID, {})
                    verdicts = env["behavior.event"]._track(
                        env["behavior.source"].browse(source_id), batch
                    )
                accepted += sum(v["status"] == "accepted" for v in verdicts)
        return accepted, lines

    results = forked(PROCESSES, send, odoo_database)
    assert [lines for _accepted, lines in results if lines] == []
    ids = [m["messageId"] for m in shared]
    ids += [m["messageId"] for n in range(PROCESSES) for m in messages(f"own-{n}", OWN)]
    assert sum(accepted for accepted, _lines in results) == len(ids)
    # Else the test has not tried what it is about.
    assert len([accepted for accepted, _lines in results if accepted > OWN]) > 1
    sent = PROCESSES * (len(shared) + OWN)
    check_totals(odoo_database, source_id, ids, sent)

    def look(env):
        identities = env["omni.identity"].search(
            [("kind", "=", "anonymous_id"), ("scope", "=", f"source:{source_id}")]
        )
        assert len(identities) == CUSTOMERS
        assert sorted(identities.partner_id.ids) == sorted(partner_ids)
        env.cr.execute("SELECT count(*) FROM behavior_event_store_2019_03")
        assert env.cr.fetchone() == (SHARED // 2,)
        env.cr.execute("SELECT count(*) FROM behavior_event_store_default")
        assert env.cr.fetchone() == (0,)

    run(odoo_database, look)


# --- OVER HTTP ---


def post(server, key, batch):
    """:return: verdicts of a batch that was answered with 200"""
    request = urllib.request.Request(
        f"{server.url}/v1/batch",
        json.dumps({"batch": batch}).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        return [verdict["status"] for verdict in json.load(response)["verdicts"]]


def check_log(server):
    log = server.log.read_text()
    assert "Traceback" not in log
    assert " ERROR " not in log


def test_batches_over_http(odoo_database, source, start_odoo):
    """Eight clients of a prefork server, no request of theirs is refused."""
    source_id, key = source
    server = start_odoo(odoo_database, workers=2)
    shared = messages("shared", CLIENT_SHARED)

    def send(index):
        own = messages(f"own-{index}", CLIENT_OWN)
        statuses = []
        for batch in batches(shared + own, BATCH, index):
            statuses += post(server, key, batch)
        return statuses

    with ThreadPoolExecutor(PROCESSES) as clients:
        statuses = [s for part in clients.map(send, range(PROCESSES)) for s in part]
    server.stop()
    check_log(server)
    # Senders of the same messages have waited for each other, not failed and come back.
    assert "tries left" not in server.log.read_text()
    ids = [m["messageId"] for m in shared]
    for index in range(PROCESSES):
        ids += [m["messageId"] for m in messages(f"own-{index}", CLIENT_OWN)]
    assert len(statuses) == PROCESSES * (CLIENT_SHARED + CLIENT_OWN)
    assert statuses.count("accepted") == len(ids)
    assert statuses.count("duplicate") == len(statuses) - len(ids)
    check_totals(odoo_database, source_id, ids, len(statuses))


def test_server_killed_among_retries(odoo_database, source, start_odoo):
    """Clients that repeat what was not answered lose nothing, and double nothing."""
    source_id, key = source
    server = start_odoo(odoo_database, workers=2)
    under_way = threading.Semaphore(0)

    def send(index):
        answered = broken = 0
        items = messages(f"own-{index}", KILLED_OWN)
        for batch in batches(items, KILLED_BATCH, index):
            end = time.monotonic() + 60
            while True:
                try:
                    statuses = post(server, key, batch)
                # The end of a server has many faces; an answer with an error has not.
                except urllib.error.HTTPError:
                    raise
                except (OSError, http.client.HTTPException):
                    assert time.monotonic() < end
                    broken += 1
                    time.sleep(0.1)
                else:
                    assert set(statuses) <= {"accepted", "duplicate"}
                    answered += statuses.count("accepted")
                    under_way.release()
                    break
        return answered, broken

    with ThreadPoolExecutor(PROCESSES) as clients:
        results = [clients.submit(send, index) for index in range(PROCESSES)]
        total = PROCESSES * KILLED_OWN // KILLED_BATCH
        for _answer in range(total // 3):
            assert under_way.acquire(timeout=30)
        server.kill_all()
        server.start()
        results = [result.result() for result in results]
    server.stop()
    check_log(server)
    # Else nobody was interrupted.
    assert any(broken for _answered, broken in results)
    ids = [
        message["messageId"]
        for index in range(PROCESSES)
        for message in messages(f"own-{index}", KILLED_OWN)
    ]
    # What had landed when its answer was lost is a duplicate of the repetition.
    assert sum(answered for answered, _broken in results) <= len(ids)
    check_totals(odoo_database, source_id, ids)
