"""``make test`` and ``make verify``.

Two runners: Odoo's own for the tests inside the addons, on a copy of the suite's
template; pytest for what crosses addons and processes (``tests/``). Both are added up
into one closing line, «N passed, N failed».
"""

import os
import re
import socket
import subprocess
import xml.etree.ElementTree as ElementTree

from . import databases, odoo_command, paper, prepare, python_env
from .console import Failure, say, step
from .layout import LOGS, ROOT, RUN, SUITE, VENV, preparing

TESTS = ROOT / "tests"
TEST_ADDONS = TESTS / "addons"
SCREENSHOTS = RUN / "screenshots"
KNOWN_WARNINGS = TESTS / "known_warnings.txt"
KNOWN_FAILURES = TESTS / "known_failures.txt"
KNOWN_FAILURES_HEAD = """\
# Tests of Odoo's and OCA's own suites that fail on the database of make test without
# the six addons (demo data, two languages, the other modules of the foundation).
# Written by: python -m scripts known_failures"""
# Odoo's and OCA's own suites of what the six extend.
EXTENDED = (
    "crm",
    "sale",
    "sale_crm",
    "sale_management",
    "phone_validation",
    "helpdesk_mgmt",
)
# An addon's log line of a level that a clean run does not have.
LOUD = re.compile(r"^\S+ \S+ \d+ (WARNING|ERROR|CRITICAL) (\S+) (\S+): (.*)$")
# Odoo says how many tests ran, and names each one that failed.
RAN = re.compile(r"odoo\.service\.server: (\d+) post-tests in ")
FAILED_TEST = re.compile(
    r" ERROR \S+ odoo\.\S+: (?:FAIL|ERROR): (?:Subtest )?"
    r"([A-Z]\w*\.test\w*|setUpClass \([\w.]+\))"
)


class Tally:
    """What ran, what failed, and the lines that say why."""

    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.reasons = []

    def add(self, passed, failed, skipped=0, reasons=()):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        self.reasons += reasons

    def close(self):
        for reason in self.reasons:
            say(f"    {reason}")
        if not self.passed and not self.failed:
            raise Failure("No test matched.")
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        say(f"\n{self.passed} passed, {self.failed} failed{skipped}")
        return 1 if self.failed else 0


def test():
    chosen, addon = os.environ.get("TEST"), os.environ.get("ADDON")
    if addon and addon not in SUITE:
        raise Failure(f"ADDON must be one of {', '.join(SUITE)}, not “{addon}”.")
    template = _prepare()
    tally = Tally()
    if chosen and chosen.startswith("tests/"):
        _pytest(tally, template, [chosen])
    elif chosen or addon:
        _odoo_tests(tally, template, chosen or f"/{addon}")
    else:
        _odoo_tests(tally, template, _all_tags())
        _pytest(tally, template, [str(TESTS)])
    return tally.close()


def verify():
    """The full sizes, each addon alone, and the suites of what we extend."""
    area = os.environ.get("AREA")
    if area and area not in SUITE:
        raise Failure(f"AREA must be one of {', '.join(SUITE)}, not “{area}”.")
    os.environ["VERIFY"] = "1"
    template = _prepare()
    python_env.prepare_spark()
    tally = Tally()
    for name in [area] if area else SUITE:
        _odoo_tests_alone(tally, name)
    _odoo_tests(tally, template, _all_tags())
    _pytest(tally, template, [str(TESTS)])
    for name in EXTENDED:
        _extended_suite(tally, template, name)
    return tally.close()


def _prepare():
    prepare.prepare(tests=True)
    with preparing():
        return databases.suite()


def test_environment(template):
    """What a test process needs: Odoo's environment and where things are."""
    os.environ["CRM_TEST_ADDONS"] = str(TEST_ADDONS)
    values = odoo_command.environment(
        CRM_TEST_TEMPLATE=template,
        CRM_CHROMIUM=str(paper.prepare_chromium()),
        CRM_SCREENSHOTS=str(SCREENSHOTS),
    )
    values["PYTHONPATH"] = os.pathsep.join([values["PYTHONPATH"], str(ROOT)])
    return values


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# -- Odoo's runner -------------------------------------------------------------


def _test_addons():
    return sorted(path.parent.name for path in TEST_ADDONS.glob("*/__manifest__.py"))


def _all_tags():
    return ",".join(f"/{name}" for name in (*SUITE, *_test_addons()))


def _odoo_tests(tally, template, tags):
    database = databases.copy(template, f"crm_test_run_{os.getpid()}")
    try:
        modules = _test_addons()
        environment = test_environment(template)
        if modules:
            with step(f"Test-only addons: {', '.join(modules)}"):
                _odoo_run(environment, database, "install", "--init", ",".join(modules))
        with step(f"Odoo tests {tags}"):
            log = _odoo_run(environment, database, "odoo", "--test-tags", tags)
        _count(tally, log)
    finally:
        databases.drop(database)


def _odoo_tests_alone(tally, addon):
    """Install one addon with its dependencies only, and run its tests."""
    database = f"crm_test_alone_{os.getpid()}"
    databases.copy(databases.foundation(True), database)
    try:
        with step(f"{addon} alone"):
            databases.install(database, [addon], demo=True)
            log = _odoo_run(
                test_environment(database),
                database,
                f"alone-{addon}",
                "--test-tags",
                f"/{addon}",
            )
        _count(tally, log)
    finally:
        databases.drop(database)


def _extended_suite(tally, template, module):
    """Odoo's own tests of ``module`` with the six installed, against the stored list
    of what fails on the same Odoo without them."""
    title = f"{module}'s own tests with the six installed"
    total, failing = _own_tests(template, module, title)
    failing -= set(_lines(KNOWN_FAILURES))
    tally.add(
        total - len(failing),
        len(failing) + (not total),
        reasons=[f"{module}: {name}" for name in sorted(failing)],
    )


def known_failures():
    """Write down which of those tests fail on this Odoo without the six."""
    prepare.prepare(tests=True)
    with preparing():
        template = databases.foundation(True)
    lines = [KNOWN_FAILURES_HEAD]
    for module in EXTENDED:
        _total, failing = _own_tests(template, module, f"{module}'s own tests alone")
        lines += [f"# {module}", *sorted(failing)]
    KNOWN_FAILURES.write_text("\n".join(lines) + "\n")


def _own_tests(template, module, title):
    """How many of a module's own tests ran, and the names of those that failed."""
    database = databases.copy(template, f"crm_test_ext_{os.getpid()}")
    try:
        with step(title):
            log = _odoo_run(
                test_environment(template),
                database,
                f"extended-{module}",
                "--test-tags",
                f"/{module}",
                launcher=ROOT / "scripts/late_tests.py",
            )
    finally:
        databases.drop(database)
    text = log.read_text(errors="replace")
    return sum(map(int, RAN.findall(text))), set(FAILED_TEST.findall(text))


def _odoo_run(environment, database, name, *arguments, launcher=None):
    """Odoo on ``database`` until it stops; returns the log's path."""
    log = LOGS / f"test-{name}.log"
    SCREENSHOTS.mkdir(exist_ok=True)
    with log.open("wb") as output:
        code = subprocess.run(
            [
                str(part)
                for part in odoo_command.command(
                    "--database",
                    database,
                    "--stop-after-init",
                    "--http-interface=127.0.0.1",
                    f"--http-port={free_port()}",
                    "--workers=0",
                    "--max-cron-threads=0",
                    # One process tests every calculation, each of which has one of
                    # its own in production: their libraries need the address space.
                    "--limit-memory-hard=0",
                    f"--screenshots={SCREENSHOTS}",
                    *arguments,
                    launcher=launcher,
                )
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if code not in (0, 1):
        raise Failure(f"Odoo ended with code {code}; see {log}")
    return log


def _count(tally, log):
    text = log.read_text(errors="replace")
    if not RAN.search(text):
        tally.add(0, 1, reasons=[f"Odoo's tests did not come to an end: {log}"])
        return
    total = sum(map(int, RAN.findall(text)))
    reasons = sorted(set(FAILED_TEST.findall(text)))
    failed = len(reasons)
    loud = list(loud_lines(text, _lines(KNOWN_WARNINGS)))
    if failed:
        reasons.append(f"The whole log: {log}")
    # A warning that nobody knows is a failure of its own.
    tally.add(total - failed, failed + len(loud), reasons=[*reasons, *loud])


def loud_lines(text, known):
    """Log lines of level WARNING and up that are not in the list of known ones.

    While a test fails its own lines are loud too; they tell where to look.
    """
    patterns = [re.compile(line) for line in known]
    for line in text.splitlines():
        match = LOUD.match(line)
        if match and not any(pattern.search(line) for pattern in patterns):
            yield f"log: {match.group(1)} {match.group(3)}: {match.group(4)[:200]}"


def _lines(path):
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


# -- pytest --------------------------------------------------------------------


def _pytest(tally, template, arguments):
    report = LOGS / "pytest.xml"
    report.unlink(missing_ok=True)
    say("  … tests across addons")
    code = subprocess.run(
        [
            VENV / "bin/python",
            "-m",
            "pytest",
            "--quiet",
            # Odoo's runner has them, on a database that has them installed.
            f"--ignore={TEST_ADDONS}",
            f"--junitxml={report}",
            *arguments,
        ],
        cwd=ROOT,
        env=test_environment(template),
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode
    if not report.exists():
        tally.add(0, 1, reasons=[f"pytest ended with code {code}"])
        return
    tally.add(*_junit(report))


def _junit(report):
    failed, skipped, reasons, total = 0, 0, [], 0
    for case in ElementTree.parse(report).iter("testcase"):
        total += 1
        if case.find("skipped") is not None:
            skipped += 1
        elif case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            reasons.append(f"{case.get('classname')}::{case.get('name')}")
    return total - failed - skipped, failed, skipped, reasons
