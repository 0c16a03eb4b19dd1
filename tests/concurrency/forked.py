"""Run a function in several forked processes on one database, started together."""

import logging
import os
import pickle
import signal
import sys
import time
import traceback
from contextlib import contextmanager
from multiprocessing import get_context

from odoo import sql_db
from odoo.modules.registry import Registry

START_TIMEOUT = 60


@contextmanager
def loud_lines():
    """Collect what is logged at WARNING and above.

    :return: context manager that gives a list of texts
    """
    lines = []

    class Listener(logging.Handler):
        def emit(self, record):
            lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")

    listener = Listener(logging.WARNING)
    logging.getLogger().addHandler(listener)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(listener)


class ChildError(AssertionError):
    """A child failed; the message has its trace."""


def forked(count, function, dbname, timeout=180):
    """Run ``function(index, dbname)`` in ``count`` forked children at once.

    The registry is loaded once, in the parent, and no connection is open when the
    children are forked; each starts with empty pools.  They begin together.

    :param int count: number of processes
    :param callable function: ``function(index, dbname)``, its result picklable
    :param str dbname: a database that the test may write
    :param float timeout: seconds for all of them
    :raise ChildError: when a child raised, died or was too slow
    :return: list of results, by index
    """
    Registry(dbname)
    sql_db.close_all()
    sys.stdout.flush()
    sys.stderr.flush()
    barrier = get_context("fork").Barrier(count)
    children = [_start(index, function, dbname, barrier) for index in range(count)]
    deadline = time.monotonic() + timeout
    results, failures = [], []
    for index, (pid, handle) in enumerate(children):
        try:
            succeeded, value = _collect(handle, deadline)
        except (EOFError, TimeoutError, pickle.UnpicklingError) as error:
            succeeded, value = False, f"no result: {error!r}"
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if succeeded:
            results.append(value)
        else:
            failures.append(f"process {index}: {value}")
            # The others may wait for this one for ever.
            barrier.abort()
    if failures:
        raise ChildError("\n".join(failures))
    return results


def _start(index, function, dbname, barrier):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    # The child: whatever happens, it never returns into the test.
    status = 1
    try:
        os.close(reader)
        sql_db.close_all()
        try:
            barrier.wait(START_TIMEOUT)
            outcome = (True, function(index, dbname))
        except BaseException:  # noqa: BLE001 (raised again in the parent)
            outcome = (False, traceback.format_exc())
        with os.fdopen(writer, "wb") as file:
            pickle.dump(outcome, file)
        sql_db.close_all()
        status = 0
    finally:
        os._exit(status)


def _collect(handle, deadline):
    os.set_blocking(handle, False)
    data = bytearray()
    with os.fdopen(handle, "rb", buffering=0) as file:
        while True:
            chunk = file.read(65536)
            if chunk is None:
                if time.monotonic() > deadline:
                    raise TimeoutError
                time.sleep(0.01)
            elif chunk:
                data += chunk
            else:
                return pickle.loads(bytes(data))
