"""Segment's and RudderStack's own SDKs, unchanged, against the running server.

``make verify`` sends 200,000 messages while the server is killed three times,
``make test`` a small part of that.
"""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from scripts import node_env
from scripts.layout import preparing
from tests.landed import events_of, in_odoo, make_source
from tests.relay import Relay

CLIENTS = ("python", "segment", "rudder")
LIBRARIES = {
    "python": "analytics-python",
    "segment": "@segment/analytics-node",
    "rudder": "analytics-node",
}
SCRIPTS = Path(__file__).parent / "clients"
MESSAGES = 200_001 if os.environ.get("VERIFY") else 3_000
KILLS = 3
# With faults on the way.
FEW = 450
PATIENCE = 20 * 60


@pytest.fixture(scope="session")
def node_modules():
    reason = node_env.missing()
    if reason:
        pytest.skip(reason)
    with preparing():
        return node_env.prepare()


@pytest.fixture
def name(request):
    """A client that can run here."""
    if request.param != "python":
        request.getfixturevalue("node_modules")
    return request.param


def each_client(test):
    return pytest.mark.parametrize("name", CLIENTS, indirect=True)(test)


def run_client(name, script, **order):
    """Let a client's script carry out an order; return what it could not deliver."""
    command = [sys.executable, SCRIPTS / f"{script}.py"]
    if name != "python":
        command = ["node", SCRIPTS / f"{script}.cjs"]
    done = subprocess.run(
        command,
        input=json.dumps({"client": name, **order}),
        env={**os.environ, "NODE_PATH": str(node_env.FOLDER / "node_modules")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])["lost"]


@pytest.fixture
def source(odoo_database):
    return make_source(odoo_database)


def check_tracked(dbname, source_id, numbers, name=None):
    """Each message is there once, with its ids, its context and its properties."""
    found = events_of(dbname, source_id)
    assert sorted(event["properties"]["number"] for event in found) == list(numbers)
    assert len({event["message_id"] for event in found}) == len(numbers)
    for event in found:
        number = event["properties"]["number"]
        assert event["type"] == "track"
        assert event["event"] == "Product Viewed"
        assert event["anonymous_id"] == f"visitor-{number % 50}"
        named = f"user-{number % 50}" if number % 3 == 0 else False
        assert event["user_id"] == named
        assert event["properties"]["text"] == "咖啡 ☕"
        assert event["context"]["ip"] == "203.0.113.7"
        assert event["context"]["app"] == {"name": "shop"}
        if name:
            assert event["context"]["library"]["name"] == LIBRARIES[name]


@each_client
def test_each_call(name, source, odoo_database, odoo_server):
    """Each kind of call of each SDK arrives, with all that it says."""
    source_id, key = source
    assert run_client(name, "calls", host=odoo_server.url, key=key) == []
    found = {event["type"]: event for event in events_of(odoo_database, source_id)}
    assert len(found) == 6
    for kind, event in found.items():
        assert event["user_id"] == "u-1"
        assert event["anonymous_id"] == ("a-1" if kind != "alias" else False)
        assert event["context"]["library"]["name"] == LIBRARIES[name]
    assert found["track"]["event"] == "Cart Viewed"
    assert found["track"]["properties"] == {"total": 9.5}
    # The clock of this machine is both the client's and the server's.
    off = found["track"]["timestamp"] - datetime(2026, 5, 4, 8)
    assert abs(off.total_seconds()) < 10
    assert found["page"]["event"] == "Home"
    assert found["page"]["page"] == "/shop"
    assert found["page"]["properties"]["category"] == "Shop"
    assert found["screen"]["event"] == "Basket"
    assert found["screen"]["properties"]["items"] == 2
    assert found["identify"]["properties"] == {"plan": "pro"}
    assert found["identify"]["context"]["ip"] == "203.0.113.7"
    assert found["group"]["properties"] == {"size": 12, "groupId": "g-1"}
    assert found["alias"]["properties"]["previousId"] == "a-0"


# --- FAULTS ON THE WAY ---


@pytest.mark.parametrize(
    ("name", "gzip"),
    # Segment's for Node.js does not compress.
    [("python", True), ("python", False), ("segment", False), ("rudder", True)],
    indirect=["name"],
)
def test_faults(name, gzip, source, odoo_database, odoo_server):
    """What a client repeats after a fault has landed once."""
    source_id, key = source
    with Relay(odoo_server.port).running() as relay:
        order = {"host": relay.url, "key": key, "first": 0, "count": FEW, "gzip": gzip}
        assert run_client(name, "send", **order) == []
    assert not relay.faults
    assert ("gzip" in relay.encodings) == gzip
    check_tracked(odoo_database, source_id, range(FEW), name)


# --- THE SERVER IS KILLED ---


def test_server_killed(odoo_database, source, start_odoo, request):
    """All three clients at once, and a server that is killed three times: nothing is
    lost, nothing is doubled."""
    source_id, key = source
    names = [name for name in CLIENTS if name == "python" or not node_env.missing()]
    if len(names) > 1:
        request.getfixturevalue("node_modules")
    server = start_odoo(odoo_database, workers=2)
    share = MESSAGES // len(names)

    def landed():
        def count(env):
            env.cr.execute(
                "SELECT count(*) FROM behavior_event_store WHERE source_id = %s",
                [source_id],
            )
            return env.cr.fetchone()[0]

        return in_odoo(odoo_database, count)

    def send(place, name):
        order = {"host": server.url, "key": key, "gzip": True}
        return run_client(name, "send", first=place * share, count=share, **order)

    with ThreadPoolExecutor(len(names)) as pool:
        runs = [pool.submit(send, place, name) for place, name in enumerate(names)]
        for kill in range(1, KILLS + 1):
            until = time.monotonic() + PATIENCE
            while landed() < kill * len(names) * share // (KILLS + 1):
                assert time.monotonic() < until, "nothing lands any more"
                time.sleep(0.05)
            assert not all(run.done() for run in runs), "killed too late"
            server.kill_all()
            server.start()
        assert [run.result() for run in runs] == [[]] * len(names)
    server.stop()
    assert landed() == len(names) * share
    check_totals(odoo_database, source_id, len(names) * share)


def check_totals(dbname, source_id, count):
    """By numbers alone, which the store counts quicker than Python."""

    def look(env):
        env.cr.execute(
            """
            SELECT count(*), count(DISTINCT message_id),
                   count(DISTINCT (properties->>'number')::int),
                   min((properties->>'number')::int), max((properties->>'number')::int)
            FROM behavior_event_store WHERE source_id = %s
            """,
            [source_id],
        )
        assert env.cr.fetchone() == (count, count, count, 0, count - 1)
        source = env["behavior.source"].browse(source_id)
        assert source.accepted_count == count
        assert not source.refused_count

    in_odoo(dbname, look)
