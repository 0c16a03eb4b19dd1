"""Background jobs where they are at risk: in a prefork server with its limits.

Small size by default, the full one (200 processor seconds under Odoo's default
limits) with ``VERIFY=1``.
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg2
import pytest
import requests
from forked import forked

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry

from scripts import odoo_command

FULL = os.environ.get("VERIFY") == "1"
CPU_SECONDS = 200 if FULL else 75
LIMIT_TIME_CPU = 60 if FULL else 20
# As Odoo has them by default, but for the processor time of the small size.
LIMITS = {
    "workers": 2,
    "limit-time-cpu": LIMIT_TIME_CPU,
    "limit-time-real": 120,
    "limit-memory-soft": 2048 * 2**20,
    "limit-memory-hard": 2560 * 2**20,
}
ACTIVE = ["waiting", "running"]
ENDED = ("done", "failed", "cancelled")


@pytest.fixture(scope="module")
def database(odoo_database):
    """The module's database with the addon that starts jobs."""
    command = odoo_command.command(
        "--database",
        odoo_database,
        "--init=crm_test_jobs",
        "--stop-after-init",
        "--no-http",
        "--max-cron-threads=0",
    )
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    yield odoo_database
    root = JobRow(odoo_database, 0).folder.parent
    shutil.rmtree(root, ignore_errors=True)


def rows(database, statement, *parameters):
    connection = psycopg2.connect(dbname=database)
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


class Client:
    """The web client's calls, as the administrator."""

    def __init__(self, server):
        self.server = server
        self.session = requests.Session()
        answer = self._post(
            "/web/session/authenticate",
            {"db": server.db, "login": "admin", "password": "admin"},
        )
        assert answer["result"]["uid"]

    def _post(self, path, params):
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        answer = self.session.post(self.server.url + path, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def try_call(self, model, method, *args):
        params = {"model": model, "method": method, "args": args, "kwargs": {}}
        return self._post(f"/web/dataset/call_kw/{model}/{method}", params)

    def refresh(self):
        """Look after all jobs now, as a click on a job's button does."""
        job_ids = self.call("omni.job", "search", [["state", "in", ACTIVE]])
        self.call("omni.job", "action_refresh", job_ids)

    def call(self, model, method, *args):
        answer = self.try_call(model, method, *args)
        assert "error" not in answer, answer["error"]
        return answer["result"]


class JobRow:
    """A job as PostgreSQL and the kernel know it."""

    def __init__(self, database, job_id):
        self.database = database
        self.id = job_id

    def __getattr__(self, name):
        query = f"SELECT {name} FROM omni_job WHERE id = %s"  # columns of this file
        return rows(self.database, query, self.id)[0][0]

    def wait(self, states, seconds, nudge=None):
        end = time.monotonic() + seconds
        while self.state not in states:
            assert time.monotonic() < end, f"still {self.state} after {seconds} s"
            time.sleep(1)
            if nudge:
                nudge()
        return self.state

    @property
    def collected(self):
        return rows(
            self.database,
            "SELECT spent, content FROM crm_test_job WHERE job_id = %s",
            self.id,
        )

    @property
    def folder(self):
        data_dir = Path(os.environ["ODOO_DATA_DIR"])
        return data_dir / "crm_jobs" / self.database / str(self.id)


def is_alive(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(autouse=True)
def _no_job_is_left(database):
    yield
    pids = rows(database, "SELECT pid FROM omni_job WHERE state = 'running'")
    rows(database, "UPDATE omni_job SET state = 'cancelled' WHERE ended_at IS NULL")
    for (pid,) in pids:
        if pid and is_alive(pid):
            os.kill(pid, 9)


def test_long_job_under_production_limits(database, start_odoo):
    """Started by a request, collected by the scheduled action, past every limit."""
    server = start_odoo(database, **LIMITS, **{"max-cron-threads": 1})
    client = Client(server)
    limit_cpu, limit_memory = client.call("crm.test.job", "limits_of_a_child")
    assert 0 < limit_cpu < CPU_SECONDS, "the workers of this server have no limit"
    assert limit_memory == LIMITS["limit-memory-hard"]

    asked = time.monotonic()
    arguments = {"seconds": CPU_SECONDS}
    job_id = client.call("crm.test.job", "start", "burn", arguments, 1200)
    assert time.monotonic() - asked < 10, "the request waited for the job"
    job = JobRow(database, job_id)
    job.wait(("running",), 30)
    folder, pid = job.folder, job.pid
    assert folder.stat().st_mode & 0o777 == 0o700
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"PGHOST" not in environment
    assert b"ODOO_" not in environment
    assert os.getsid(pid) == pid

    assert job.wait(ENDED, 8 * CPU_SECONDS + 180) == "done", job.output
    [(spent, content)] = job.collected
    assert spent >= CPU_SECONDS
    assert content == "gathered"
    assert job.progress == 100
    assert not folder.exists()
    assert not is_alive(pid)


def test_server_killed(database, start_odoo):
    """The job outlives its server; the next one finds and collects it."""
    server = start_odoo(database, **LIMITS)
    arguments = {"seconds": 12}
    job_id = Client(server).call("crm.test.job", "start", "burn", arguments, 600)
    job = JobRow(database, job_id)
    job.wait(("running",), 30)
    pid = job.pid
    server.kill_all()
    assert is_alive(pid)
    assert job.state == "running"
    server.start()
    assert job.pid == pid
    client = Client(server)
    assert job.wait(ENDED, 120, client.refresh) == "done", job.output
    assert len(job.collected) == 1
    assert not job.folder.exists()
    assert not is_alive(pid)


def test_server_killed_and_runaway(database, start_odoo):
    """A job past its time is ended by the server that comes after."""
    server = start_odoo(database, **LIMITS)
    job_id = Client(server).call("crm.test.job", "start", "sleep", {"seconds": 900}, 5)
    job = JobRow(database, job_id)
    job.wait(("running",), 30)
    pid = job.pid
    # Stopped, it cannot end itself.
    os.kill(pid, 19)
    server.kill_all()
    time.sleep(6)
    assert is_alive(pid)
    server.start()
    client = Client(server)
    assert job.wait(ENDED, 60, client.refresh) == "failed"
    assert job.error_code == "timeout"
    assert not is_alive(pid)
    assert not job.folder.exists()
    assert not job.collected


def test_only_committed_requests_start(database, start_odoo):
    """A failed request starts nothing, a repeated one starts one job."""
    server = start_odoo(database, **LIMITS)
    client = Client(server)
    root = JobRow(database, 0).folder.parent

    def folders():
        return set(root.iterdir()) if root.exists() else set()

    # the addons' own nightly work may have begun
    known = folders()
    before = rows(database, "SELECT count(*) FROM omni_job")
    answer = client.try_call("crm.test.job", "start_and_fail")
    assert "Rolled back" in str(answer["error"])
    assert rows(database, "SELECT count(*) FROM omni_job") == before
    assert folders() <= known

    job_id = client.call("crm.test.job", "start_with_conflict", "once")
    after = rows(database, "SELECT count(*) FROM omni_job")
    assert after[0][0] == before[0][0] + 1
    job = JobRow(database, job_id)
    assert job.wait(ENDED, 60, client.refresh) == "done", job.output
    assert len(job.collected) == 1
    assert folders() <= known


def test_eight_processes_collect_once(database, start_odoo):
    """Eight processes look after the same finished job at the same moment."""
    server = start_odoo(database, **LIMITS)
    client = Client(server)
    job_ids = []
    for _round in range(5):
        job_id = client.call("crm.test.job", "start", "sleep", {"seconds": 0}, 60)
        job = JobRow(database, job_id)
        job.wait(("running",), 30, client.refresh)
        end = time.monotonic() + 30
        while not (job.folder / "result.json").exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        job_ids.append(job_id)
        # Its place is free again once the process has ended.
        while is_alive(job.pid):
            time.sleep(0.05)
    server.stop()

    def look_after(index, dbname):
        with Registry(dbname).cursor() as cr:
            api.Environment(cr, SUPERUSER_ID, {})["omni.job"]._tick(job_ids)

    forked(8, look_after, database)
    for job_id in job_ids:
        job = JobRow(database, job_id)
        assert job.state == "done"
        assert len(job.collected) == 1
        assert not job.folder.exists()
