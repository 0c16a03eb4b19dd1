"""Progress lines for people, and the one sentence with which a command gives up."""

import errno
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

_lock = threading.Lock()


class Failure(Exception):
    """A problem that the user can act on: its text is the one sentence shown."""


def say(text=""):
    with _lock:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


@contextmanager
def step(title):
    """Print a line when a long step starts and another when it has ended."""
    say(f"  … {title}")
    started = time.monotonic()
    yield
    say(f"  ✓ {title} ({time.monotonic() - started:.0f} s)")


def run(command, *, log, hint, **options):
    """Run ``command`` with its output in the file ``log``.

    Raises Failure with ``hint``, the last telling line of the output and the log's
    path when the command cannot be started or ends with an error.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        start = output.tell()
        try:
            code = subprocess.run(
                [str(part) for part in command],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
                **options,
            ).returncode
        except FileNotFoundError as error:
            raise Failure(f"{hint}: the tool “{command[0]}” is missing.") from error
    if code:
        text = log.read_bytes()[start:].decode(errors="replace")
        raise Failure(f"{hint}: {_telling_line(text, code)} (whole output: {log})")


def _telling_line(text, code):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        if "No space left on device" in line:
            return "the disk is full."
    marked = [line for line in lines if line.lower().startswith(("error", "e:"))]
    return (marked or lines or [f"it ended with code {code}"])[-1][:300]


def require_tool(name, reason):
    if not shutil.which(name):
        raise Failure(f"The tool “{name}” is needed {reason}; please install it.")


def require_space(folder, gigabytes):
    free = shutil.disk_usage(folder).free / 2**30
    if free < gigabytes:
        raise Failure(
            f"Only {free:.1f} GB are free where {folder} lies; the first "
            f"preparation needs about {gigabytes} GB."
        )


def together(*actions):
    """Run the callables in threads; the first failure is raised when all have ended."""
    failures = []

    def guarded(action):
        try:
            action()
        except Exception as error:  # noqa: BLE001 - handed to the caller below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def main(action):
    """Run ``action`` and turn what a user can cause into one sentence and code 1."""
    try:
        return action() or 0
    except Failure as failure:
        sys.stderr.write(f"\n{failure}\n")
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted.\n")
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write("\nThe disk is full; free some space and start again.\n")
    return 1
