"""What can go wrong on a stranger's machine gets one clear sentence."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import (
    console,
    debian,
    layout,
    odoo_source,
    postgres,
    python_env,
    testing,
)

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments, cwd):
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
        cwd=cwd,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def bare_repository(tmp_path):
    """A bare repository with a branch 19.0 that looks like Odoo."""
    work = tmp_path / "work"
    (work / "odoo").mkdir(parents=True)
    (work / "odoo/release.py").write_text("version_info = (19, 0, 0, 'final', 0, '')\n")
    (work / "odoo-bin").write_text("#!/usr/bin/env python3\n")
    (work / "addons").mkdir()
    git("init", "--initial-branch=19.0", cwd=work)
    git("add", ".", cwd=work)
    git("commit", "--message=Odoo", cwd=work)
    bare = tmp_path / "odoo.git"
    git("clone", "--bare", str(work), str(bare), cwd=tmp_path)
    return bare


def test_odoo_is_cloned_where_there_is_no_debian_archive(
    bare_repository, tmp_path, monkeypatch
):
    monkeypatch.delenv("ODOO_HOME", raising=False)
    monkeypatch.setenv("ODOO_GIT", f"file://{bare_repository}")
    monkeypatch.setattr(debian, "available", lambda: False)
    monkeypatch.setattr(odoo_source, "ODOO", tmp_path / "odoo-src")
    source = odoo_source.prepare()
    assert source.version == "19.0"
    assert source.launcher == (tmp_path / "odoo-src/odoo-bin").resolve()
    assert odoo_source.prepared().home == source.home, "prepared once"


def test_a_missing_branch_is_one_sentence(bare_repository, tmp_path, monkeypatch):
    monkeypatch.setenv("ODOO_GIT", f"file://{tmp_path}/nothing.git")
    with pytest.raises(console.Failure, match="Odoo could not be cloned"):
        odoo_source.from_git(tmp_path / "target")


def test_another_odoo_version_is_refused(tmp_path, monkeypatch):
    (tmp_path / "odoo").mkdir()
    (tmp_path / "odoo/release.py").write_text("version_info = (18, 0, 0, 'final')\n")
    (tmp_path / "odoo-bin").touch()
    monkeypatch.setenv("ODOO_HOME", str(tmp_path))
    with pytest.raises(console.Failure, match=r"holds Odoo 18\.0"):
        odoo_source.prepared()


def test_odoo_home_without_odoo(tmp_path, monkeypatch):
    monkeypatch.setenv("ODOO_HOME", str(tmp_path))
    with pytest.raises(console.Failure, match="No Odoo 19 was found"):
        odoo_source.prepared()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "debian.sources",
            "Types: deb\nURIs: http://mirror.test/debian\n"
            "Suites: trixie trixie-updates\nComponents: main\n",
            ("http://mirror.test/debian", "trixie"),
        ),
        (
            "debian.sources",
            "Types: deb\nURIs: http://mirror.test/debian-security\n"
            "Suites: bookworm-security\n\n"
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\n",
            ("http://mirror.test/debian", "bookworm"),
        ),
        (
            "debian.sources",
            "Enabled: no\nTypes: deb\nURIs: http://mirror.test/debian\nSuites: sid\n",
            None,
        ),
        (
            "old.list",
            "# deb http://gone.test/debian sid main\n"
            "deb [arch=amd64] http://mirror.test/debian bookworm main\n",
            ("http://mirror.test/debian", "bookworm"),
        ),
        ("ubuntu.list", "deb http://mirror.test/ubuntu noble main\n", None),
    ],
)
def test_the_debian_mirror_is_read_from_the_machine(tmp_path, name, text, expected):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / name).write_text(text)
    assert debian.mirror(tmp_path) == expected


def test_a_busy_port_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "scripts", "run"],
            cwd=ROOT,
            env={**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0
    assert f"Port {port} is used by another program" in done.stderr


@pytest.mark.parametrize("value", ["0", "70000", "http", "-1"])
def test_a_wrong_port_is_one_sentence(monkeypatch, value):
    monkeypatch.setenv("PORT", value)
    with pytest.raises(console.Failure, match="PORT must be a number"):
        layout.port()


def test_a_run_folder_of_another_user_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "RUN", tmp_path / ".run")
    (tmp_path / ".run").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path.stat().st_uid) + 1)
    with pytest.raises(console.Failure, match="belongs to another user"):
        layout.claim_run_folder()


@pytest.mark.parametrize("version", [(3, 9), (3, 14), (2, 7)])
def test_an_unsupported_python_is_named(version):
    with pytest.raises(console.Failure, match=r"Python \d\.\d+ is not supported"):
        python_env.check_version(version)


def test_supported_pythons():
    for minor in range(10, 14):
        python_env.check_version((3, minor))


def test_too_little_room_is_said_before_the_work(tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 2**30})
    monkeypatch.setattr(console.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(console.Failure, match=r"Only 1\.0 GB are free"):
        console.require_space(tmp_path, 5)


def test_a_disk_that_fills_up(capsys):
    def action():
        raise OSError(errno.ENOSPC, "No space left on device")

    assert console.main(action) == 1
    assert "The disk is full" in capsys.readouterr().err


def test_a_failed_step_tells_its_last_telling_line(tmp_path):
    script = "echo working; echo 'E: Failed to fetch the list'; echo tidying; exit 100"
    with pytest.raises(console.Failure) as caught:
        console.run(["sh", "-c", script], log=tmp_path / "log", hint="The mirror")
    assert "The mirror: E: Failed to fetch the list" in str(caught.value)
    assert str(tmp_path / "log") in str(caught.value)


def test_a_missing_tool_is_named(tmp_path):
    with pytest.raises(console.Failure, match="the tool “no-such-tool” is missing"):
        console.run(["no-such-tool"], log=tmp_path / "log", hint="This step")


def test_a_failure_in_a_parallel_step_is_raised():
    seen = []

    def failing():
        raise console.Failure("first")

    with pytest.raises(console.Failure, match="first"):
        console.together(failing, lambda: seen.append(1))
    assert seen == [1], "the others come to their end"


def test_a_given_database_server(monkeypatch):
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://crm:p%40ss@db.test:5433")
    assert postgres.connection() == {
        "PGHOST": "db.test",
        "PGPORT": "5433",
        "PGUSER": "crm",
        "PGPASSWORD": "p@ss",
    }
    assert postgres.is_given()


def test_a_long_path_gets_a_socket_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(postgres, "CLUSTER", tmp_path / ("x" * 120))
    monkeypatch.setattr(postgres, "RUN", tmp_path)
    folder = postgres.socket_folder()
    assert len(os.fsencode(folder)) <= postgres.LONGEST_SOCKET_FOLDER
    assert postgres.socket_folder() == folder, "the same each time"
    folder.rmdir()


def test_failed_tests_are_read_from_odoos_log():
    """Names of failed tests, and nothing that merely looks like one."""
    log = "\n".join(
        (
            'ERROR: null value in column "horizon_days" violates a constraint',
            "2026-11-24 20:44:28,445 16840 ERROR db odoo.addons.crm.test_crm_lead:"
            " ERROR: TestCRMLead.test_alias",
            "2026-11-24 20:44:28,445 16840 ERROR db odoo.addons.crm.test_crm_lead:"
            " FAIL: Subtest TestCRMLead.test_sync (login='user_sales_manager')",
            "2026-11-24 20:44:30,120 16840 ERROR db odoo.tests.suite: ERROR:"
            " setUpClass (odoo.addons.crm.tests.test_crm_lead.TestTracking)",
        )
    )
    assert testing.FAILED_TEST.findall(log) == [
        "TestCRMLead.test_alias",
        "TestCRMLead.test_sync",
        "setUpClass (odoo.addons.crm.tests.test_crm_lead.TestTracking)",
    ]
