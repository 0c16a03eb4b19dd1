"""Databases, servers and a browser for the tests that cross processes.

Run by ``make test``, which sets the environment (scripts/testing.py).
"""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from odoo.tools import config

from scripts import databases, odoo_command, testing

# The options come from the environment; test modules may import addons afterwards.
config.parse_config([], setup_logging=False)

ROOT = Path(__file__).resolve().parent.parent


class OdooServer:
    """A served Odoo on a database of its own."""

    def __init__(self, database, log, **options):
        self.db = database
        self.port = testing.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self.options = options
        self.process = None

    def start(self, seconds=90):
        options = {
            "database": self.db,
            "http-interface": "127.0.0.1",
            "http-port": self.port,
            "gevent-port": testing.free_port(),
            "max-cron-threads": 0,
            "workers": 0,
            **self.options,
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [str(part) for part in odoo_command.command(*arguments)],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"Odoo ended while starting: {self.log}")
            try:
                with urllib.request.urlopen(f"{self.url}/web/health", timeout=10):
                    return self
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        raise AssertionError(f"Odoo did not answer: {self.log}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        """SIGKILL to the server alone, as the kernel would do it."""
        self.process.kill()
        self.process.wait()

    def kill_all(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def restart(self):
        self.stop()
        return self.start()

    def shell(self, code):
        """Run ``code`` in Odoo's shell; what it passes to ``answer(…)`` comes back."""
        return run_shell(self.db, code)


def run_shell(database, code):
    head = (
        "import json\n"
        "def answer(value):\n"
        "    print('ANSWER:' + json.dumps(value, default=str))\n\n"
    )
    output = databases_shell(database, head + code)
    found = re.findall(r"ANSWER:(.*)", output)
    return json.loads(found[-1]) if found else None


def databases_shell(database, code):
    return odoo_command.shell(database, code, "Odoo's shell failed")


@pytest.fixture(scope="session")
def template():
    return os.environ.get("CRM_TEST_TEMPLATE") or databases.suite()


@pytest.fixture(scope="module")
def odoo_database(template, request):
    """A committed database of this module's own."""
    module = request.module.__name__.rpartition(".")[2]
    name = databases.copy(template, f"crm_test_{module}_{os.getpid()}"[:60])
    yield name
    close_connections()
    databases.drop(name)


@pytest.fixture(scope="module")
def company_database(request):
    """As ``odoo_database``, with two years of the known-truth company in it."""
    module = request.module.__name__.rpartition(".")[2]
    name = databases.copy(databases.company(), f"crm_test_{module}_{os.getpid()}"[:60])
    yield name
    close_connections()
    databases.drop(name)


def close_connections():
    """Let go of the in-process connections that a registry may hold."""
    import sys

    if "odoo.sql_db" in sys.modules:
        sys.modules["odoo.sql_db"].close_all()


@pytest.fixture
def start_odoo(tmp_path):
    """Factory: ``start_odoo(database, **options)`` → a running server."""
    servers = []

    def start(database, **options):
        server = OdooServer(database, tmp_path / "odoo.log", **options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def odoo_server(odoo_database, tmp_path_factory):
    """A threaded server with crons, on the module's database."""
    log = tmp_path_factory.mktemp("odoo") / "odoo.log"
    server = OdooServer(odoo_database, log, **{"max-cron-threads": 1}).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CRM_CHROMIUM") or None,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep a screenshot of every open page when a browser test fails."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed or "browser" not in item.fixturenames:
        return
    folder = Path(os.environ.get("CRM_SCREENSHOTS") or ROOT / ".run/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    pages = [
        page for context in item.funcargs["browser"].contexts for page in context.pages
    ]
    for number, page in enumerate(pages):
        path = folder / f"{re.sub(r'[^A-Za-z0-9_]+', '_', item.name)}_{number}.png"
        page.screenshot(path=path)
        report.sections.append(("screenshot", str(path)))
