"""The process of a detached job: ``python runner.py <folder>``.

Heavy work (training, matching, large assignments) runs here, outside Odoo's
workers: with its own limits, without a database and without Odoo.  The folder is
the only channel between the two sides, and every file in it is replaced atomically:

=================  =========  ====================================================
``job.json``       server →   function, arguments, timeout, memory, addons paths
``process.json``   ← child    pid and key of the process
``heartbeat``      ← child    its modification time is the heartbeat
``progress.json``  ← child    fraction, code, params
``result.json``    ← child    what the function returned
``error.json``     ← child    code, params
``output.log``     ← child    standard output and error
=================  =========  ====================================================

The function is called as ``function(job, **arguments)`` with a :class:`Job` and
returns something that JSON can hold; bulky data goes in and out as files of the
folder.  Taking the folder away ends the process, from whatever host.

This file imports nothing but the standard library: the server reads the folder
through :class:`JobFolder`, the child is started by its path.
"""

import contextlib
import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

HEARTBEAT_SECONDS = 5
PROGRESS_SECONDS = 0.2
# Past the processor limit the child has this long to say so before the kernel ends it.
CPU_GRACE_SECONDS = 5
# Any exit code but 3, which Odoo's prefork server takes for its own worker's.
EXIT_ENDED = 9
# The folder's own files, whose names no file of a job may take.
FILE_NAMES = frozenset(
    {
        "job.json",
        "process.json",
        "heartbeat",
        "progress.json",
        "result.json",
        "error.json",
        "output.log",
    }
)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


# --- PROCESSES ---


def process_key(pid):
    """Name a process for good: a recycled pid has another key.

    :param int pid: process id on this host
    :return: boot id and start time (clock ticks since boot) as text; None when no
        such process lives (one that only waits to be reaped is dead)
    """
    try:
        # The command name, in parentheses, may itself hold blanks and parentheses.
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = _BOOT_ID.read_text().strip()
    except (OSError, ValueError):
        return None
    if stat[0] in ("Z", "X"):
        return None
    return f"{boot}:{stat[19]}"


def end_process(pid, key, wait=5.0):
    """End the group of a process, if it still is that process.

    :param int pid: process id, leader of its group
    :param str key: its :func:`process_key`
    :param float wait: seconds to wait until it is gone
    :return: whether it was alive
    """
    if not pid or process_key(pid) != key:
        return False
    # Ended by itself meanwhile: what was asked for has happened.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    until = time.monotonic() + wait
    while process_key(pid) == key and time.monotonic() < until:
        time.sleep(0.02)
    return True


# --- THE FOLDER ---


def _storable(value):
    """:return: a JSON value whose texts PostgreSQL can hold"""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


class JobFolder:
    """Read and write the files of one job.

    :param path: the folder
    """

    def __init__(self, path):
        self.path = Path(path)

    def put(self, name, value):
        """Replace a JSON file at once: a reader sees the old or the new one."""
        target = self.path / name
        draft = target.with_name(f".{name}.{os.getpid()}.{threading.get_ident()}")
        draft.write_text(json.dumps(value, allow_nan=False), encoding="utf-8")
        draft.replace(target)

    def get(self, name):
        """Read a JSON file.

        :return: its value, without what PostgreSQL cannot hold in a text (U+0000 and
            lone surrogates); None when there is no such file
        :raise ValueError: it is not JSON
        """
        try:
            text = (self.path / name).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _storable(json.loads(text))

    def has(self, name):
        return (self.path / name).is_file()

    def beat(self):
        """Renew the heartbeat.

        :raise FileNotFoundError: the folder was taken away
        """
        heartbeat = self.path / "heartbeat"
        try:
            os.utime(heartbeat)
        except FileNotFoundError:
            heartbeat.touch(0o600)

    def heartbeat(self):
        """Time of the last heartbeat (seconds since the epoch) or None."""
        try:
            return (self.path / "heartbeat").stat().st_mtime
        except (FileNotFoundError, NotADirectoryError):
            return None

    def output_tail(self, size=4096):
        """The last lines that the child printed.

        :param int size: greatest number of bytes
        """
        try:
            with (self.path / "output.log").open("rb") as output:
                length = output.seek(0, os.SEEK_END)
                output.seek(max(0, length - size))
                tail = output.read()
        except (FileNotFoundError, NotADirectoryError):
            return ""
        if length > size:
            # The first line is cut: begin with a whole one, if there is one.
            tail = tail.partition(b"\n")[2] or tail
        # A text column takes no NUL.
        return tail.decode("utf-8", "replace").replace("\0", "").strip()


class Job:
    """What the function of a job is given.

    :ivar folder: :class:`pathlib.Path` of the job's files
    """

    def __init__(self, folder):
        self._files = folder
        self._written = 0.0
        self.folder = folder.path

    def progress(self, fraction, code="", **params):
        """Tell how far the work is.

        Calls in quick succession are thinned out, so it may stand in a loop.

        :param float fraction: share that is done, 0 to 1
        :param str code: what is being done, as a code that the screen renders
        :param params: values for the text of that code
        """
        now = time.monotonic()
        if fraction < 1 and now - self._written < PROGRESS_SECONDS:
            return
        self._written = now
        fraction = min(1.0, max(0.0, float(fraction)))
        self._files.put(
            "progress.json", {"fraction": fraction, "code": code, "params": params}
        )


# --- THE CHILD ---


class Refusal(Exception):
    """The job cannot be carried out.

    :ivar code: what happened, rendered by the server
    :ivar params: values for its text
    """

    def __init__(self, code, **params):
        super().__init__(code)
        self.code = code
        self.params = params


def _cap(kind, value, grace=0):
    """Set a soft limit (and the hard one a little above), never above the hard one."""
    hard = resource.getrlimit(kind)[1]
    unlimited = resource.RLIM_INFINITY
    if hard != unlimited:
        value = min(value, hard)
        top = min(value + grace, hard)
    else:
        top = value + grace
    resource.setrlimit(kind, (value, top))


def _set_limits(timeout, memory):
    """Leave the limits of the worker behind and take the job's own.

    :param int timeout: seconds; each core may be busy that long
    :param int memory: MB of address space, 0 for no limit
    """
    # A worker blocks signals in its threads and leaves soft limits of its own; a
    # child inherits both.
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))
    _cap(resource.RLIMIT_CPU, timeout * (os.cpu_count() or 1), CPU_GRACE_SECONDS)
    if memory:
        _cap(resource.RLIMIT_AS, memory * 2**20)
    # The memory of a job is personal data: it is not dumped.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # People who wait for a page come first, and the job dies first of hunger.
    os.nice(10)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _watch(folder, deadline):
    """Beat; end the process on time-out or when its folder is taken away."""
    next_beat = 0.0
    while True:
        now = time.monotonic()
        try:
            if now >= deadline and not folder.has("result.json"):
                folder.put("error.json", {"code": "timeout", "params": {}})
                break
            if now >= next_beat:
                folder.beat()
                next_beat = now + HEARTBEAT_SECONDS
        except OSError:
            break
        time.sleep(0.5)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _load(spec):
    """Find the function that a job names.

    :param dict spec: content of ``job.json``
    :raise Refusal: there is no such function
    """
    loader_spec = importlib.util.spec_from_file_location("tools_loader", spec["loader"])
    loader = importlib.util.module_from_spec(loader_spec)
    loader_spec.loader.exec_module(loader)
    loader.install(spec["addons_paths"])
    module_name, _, name = spec["function"].partition(":")
    try:
        return getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        traceback.print_exc()
        raise Refusal("function", function=spec["function"]) from error


def _is_params(params):
    """Whether these can be the parameters of an error's text."""
    if not isinstance(params, dict):
        return False
    try:
        json.dumps(params, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _over_cpu(signum, frame):
    raise Refusal("cpu")


def _run(folder, spec):
    """Call the function.

    :return: pair of file name and content to leave in the folder
    """
    try:
        function = _load(spec)
        result = function(Job(folder), **spec["arguments"])
        json.dumps(result, allow_nan=False)
    except Refusal as refusal:
        return "error.json", {"code": refusal.code, "params": refusal.params}
    except MemoryError:
        traceback.print_exc()
        return "error.json", {"code": "memory", "params": {"memory": spec["memory"]}}
    except Exception as error:  # noqa: BLE001  whatever it is, it must be reported
        traceback.print_exc()
        params = {"type": type(error).__name__}
        code = getattr(error, "code", None)
        if isinstance(code, str) and _is_params(getattr(error, "params", None)):
            # An error of the pure code that has a text of its own.
            return "error.json", {"code": code, "params": error.params}
        return "error.json", {"code": "exception", "params": params}
    return "result.json", result


def main(path):
    """Run the job of a folder.

    :param str path: the folder
    :return: exit code
    """
    folder = JobFolder(Path(path).resolve())
    os.umask(0o077)
    # Python put the addon's folder first on the path: its ``models`` or ``tools``
    # must not hide a library.
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [entry for entry in sys.path if str(Path(entry).resolve()) != here]
    folder.put("process.json", {"pid": os.getpid(), "key": process_key(os.getpid())})
    spec = folder.get("job.json")
    _set_limits(spec["timeout"], spec["memory"])
    signal.signal(signal.SIGXCPU, _over_cpu)
    deadline = time.monotonic() + spec["timeout"]
    watch = threading.Thread(target=_watch, args=(folder, deadline), daemon=True)
    watch.start()
    name, content = _run(folder, spec)
    sys.stdout.flush()
    sys.stderr.flush()
    folder.put(name, content)
    # No waiting for threads that a library left behind.
    os._exit(0 if name == "result.json" else EXIT_ENDED)


if __name__ == "__main__":
    main(sys.argv[1])
