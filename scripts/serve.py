"""``make run``, ``make stop`` and ``make clean``."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from datetime import date
from pathlib import Path

from . import company_load, databases, layout, odoo_command, postgres, prepare
from .console import Failure, say, step
from .layout import LOGS, RUN, SERVED_DATABASE, is_done, preparing, set_done

PID_FILE = RUN / "server.pid"
START_SECONDS = 120
COMPANY_SEED = 1
GREETING = """
  {url}    log-in: admin / admin   (development only)
           中文: zhang / zhang      (开发环境专用)

  What to try first
    1. Omnichannel → Channels: open or make one; import a file, or issue its key.
    2. A contact's pages 360° and Sources: what happened, where each value came from.
    3. Sales Automation → Import a Process, deploy it, start it on an opportunity.
    4. Data Governance → Field Policies: mask a phone, simulate, activate.
    5. Behavior Analytics → Customers by Risk: who may leave, and why.
    6. One customer through all six, in ten steps: docs/guide/en (中文: zh_CN).

  Odoo's command line: .run/odoo shell -d {database}
  Stop with Ctrl-C.
"""


def run():
    # A shell starts background commands with SIGINT ignored; make stop sends SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    port = layout.port()
    workers = layout.workers()
    layout.claim_run_folder()
    _check_port(port)
    prepare.prepare()
    _prepare_database()
    server = _start(port, workers)
    night = None
    try:
        _wait_until_served(server, port)
        say(GREETING.format(url=f"http://127.0.0.1:{port}", database=SERVED_DATABASE))
        if workers:
            say("  With WORKERS live updates need a proxy: see docs/operations.md.\n")
        if is_done("first-night", "due"):
            night = company_load.begin_night(SERVED_DATABASE)
            say("  Duplicates, churn scores and lineage are being worked out now.\n")
        server.wait()
    except KeyboardInterrupt:
        say("\nStopping …")
    finally:
        _end(server)
        if night:
            _end(night)
        postgres.stop()
        PID_FILE.unlink(missing_ok=True)
    return 0


def _check_port(port):
    pid = _running_pid()
    if pid:
        raise Failure(
            f"Already running (process {pid}); stop it with: make stop, or start "
            "another working copy on a port of its own."
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Failure(
                f"Port {port} is used by another program; take another one: "
                f"make run PORT={port + 1}"
            ) from error


def _prepare_database():
    demo = layout.with_demo()
    with preparing():
        mark = layout.fingerprint(*databases._installed_files())
        kind = f"demo={demo}"
        if not databases.exists(SERVED_DATABASE):
            template = databases.suite(demo)
            with step(f"Database “{SERVED_DATABASE}”"):
                databases.copy(template, SERVED_DATABASE)
            if demo:
                _load_company()
            set_done("served-kind", kind)
        elif not is_done("served", mark):
            with step("Database: upgrading the six addons"):
                databases.upgrade(SERVED_DATABASE)
        set_done("served", mark)
        if not is_done("served-kind", kind):
            say(
                "  The database was made with another DEMO setting and is kept; "
                "make clean starts anew."
            )


def _load_company():
    """Two years of the demonstration company, up to yesterday."""
    with step("The demonstration company: two years of its life (about a minute)"):
        try:
            today = date.today().isoformat()
            folder = company_load.prepare("S", COMPANY_SEED, today)
            report = company_load.load_into(SERVED_DATABASE, folder)
        except BaseException:
            # half a company would stay for good: begin anew next time
            databases.drop(SERVED_DATABASE)
            raise
    for line in report.splitlines():
        say(f"    {line}")
    set_done("first-night", "due")


def _start(port, workers):
    arguments = [
        "--database",
        SERVED_DATABASE,
        "--http-interface=127.0.0.1",
        f"--http-port={port}",
        f"--gevent-port={port + 3}",
        f"--workers={workers}",
    ]
    server = subprocess.Popen(
        [str(part) for part in odoo_command.command(*arguments)],
        env=odoo_command.environment(),
        stdin=subprocess.DEVNULL,
        stdout=(LOGS / "odoo.log").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    # Both: should this process be killed, make stop still finds the server.
    PID_FILE.write_text(f"{os.getpid()} {server.pid}")
    return server


def _wait_until_served(server, port):
    url = f"http://127.0.0.1:{port}/web/login"
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise Failure(f"Odoo ended while starting; see {LOGS / 'odoo.log'}")
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    raise Failure(f"Odoo did not answer in time; see {LOGS / 'odoo.log'}")


def _end(process):
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _running_pid():
    """The living process to stop: a ``make run`` of this folder, or its orphan."""
    pids = PID_FILE.read_text().split() if PID_FILE.exists() else ()
    for pid in pids:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"scripts" in command or str(RUN).encode() in command:
            return int(pid)
    return None


def stop():
    layout.claim_run_folder()
    pid = _running_pid()
    if pid:
        os.kill(pid, signal.SIGTERM)
        for _ in range(200):
            if not _running_pid():
                break
            time.sleep(0.1)
        else:
            raise Failure(f"Process {pid} did not stop.")
    postgres.stop()
    say("Stopped.")


def clean():
    """Remove everything that was prepared; sources stay."""
    if not RUN.exists():
        return
    stop()
    sockets = RUN / "postgres-socket"
    if sockets.exists():
        shutil.rmtree(sockets.read_text(), ignore_errors=True)
    shutil.rmtree(RUN)
    say("Removed .run.")
