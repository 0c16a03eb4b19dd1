"""Counts of requests, gathered in memory and written by a cursor of their own.

A request counts itself here; nothing is written in its own cursor, which may be
read only.  A timer thread writes what has gathered at most :data:`FLUSH_SECONDS`
later, and the process writes the rest when it ends.  What may be lost: the counts of
the last :data:`FLUSH_SECONDS` of a process that is killed, and new combinations
beyond :data:`MAX_CELLS` while the database cannot be written.
"""

import atexit
import logging
import os
import threading
import time
from datetime import datetime, timezone

import psycopg2

from odoo import sql_db
from odoo.tools import SQL, config

from .db import read_committed

_logger = logging.getLogger(__name__)

# The timer sleeps a little less than the promise of 5 seconds.
FLUSH_SECONDS = 4
MAX_CELLS = 10_000
COLUMNS = ("requests", "errors_4xx", "errors_5xx", "rate_limited", "bytes_in")


class UsageBuffer:
    """Cells (database, endpoint, credential, hour) of counts, one buffer a process.

    :param bool timer: whether a thread writes the counts (off in Odoo's tests, whose
        one transaction must not be written by another thread)
    """

    def __init__(self, timer=True):
        self.timer = timer
        self._reset()

    def _reset(self):
        """Empty, with fresh locks: also in a forked child, whose parent keeps and
        writes what it has counted and whose timer thread does not exist here."""
        self._lock = threading.Lock()
        self._flush_lock = threading.Lock()
        self._wake = threading.Event()
        self._thread = None
        self._cells = {}
        self._since = {}
        self.dropped = 0

    def add(self, dbname, endpoint, credential_id, status, bytes_in, now=None):
        """Count one answered request.

        :param str dbname:
        :param str endpoint: code of the catalogue
        :param int credential_id: or None
        :param int status: HTTP status of the answer
        :param int bytes_in: decompressed bytes of the body
        :param float now: seconds since the epoch (default: the clock)
        """
        now = time.time() if now is None else now
        hour = int(now // 3600)
        key = (dbname, endpoint, credential_id or None, hour)
        counts = (
            1,
            int(400 <= status < 500),
            int(status >= 500),
            int(status == 429),
            bytes_in,
        )
        with self._lock:
            if key not in self._cells and len(self._cells) >= MAX_CELLS:
                self.dropped += 1
                return
            old = self._cells.get(key)
            self._cells[key] = (
                tuple(a + b for a, b in zip(old[0], counts, strict=True))
                if old
                else counts,
                now,
            )
            self._since.setdefault(dbname, now)
        self._start()

    def _start(self):
        if not self.timer or (self._thread and self._thread.is_alive()):
            return
        with self._lock:
            if self._thread and self._thread.is_alive():
                return
            self._thread = threading.Thread(
                target=self._run, name="crm.usage.flush", daemon=True
            )
            self._thread.start()

    def _run(self):
        while not self._wake.wait(FLUSH_SECONDS):
            self.flush()

    def flush(self, dbname=None):
        """Write what has gathered; counts that cannot be written are kept.

        :param str dbname: only this database (default: all)
        :return: number of cells written
        """
        written = 0
        # One flush at a time; requests go on counting meanwhile.
        with self._flush_lock:
            with self._lock:
                names = [dbname] if dbname else list(self._since)
            for name in names:
                written += self._flush_database(name)
        return written

    def _flush_database(self, dbname):
        with self._lock:
            keys = [key for key in self._cells if key[0] == dbname]
            cells = {key: self._cells.pop(key) for key in keys}
            since = self._since.pop(dbname, None)
        if not cells:
            return 0
        lag = max(0.0, time.time() - since)
        try:
            with read_committed(dbname) as cr:
                write_cells(cr, cells, lag)
        except psycopg2.Error as error:
            if _is_gone(error, dbname):
                return 0
            _logger.warning("Usage counts of %s are written later: %s", dbname, error)
            self._put_back(cells, since)
            return 0
        except BaseException:
            self._put_back(cells, since)
            raise
        return len(cells)

    def _put_back(self, cells, since):
        with self._lock:
            for key, (counts, last) in cells.items():
                newer = self._cells.get(key)
                if newer:
                    counts = tuple(a + b for a, b in zip(newer[0], counts, strict=True))
                    last = max(newer[1], last)
                self._cells[key] = (counts, last)
                self._since[key[0]] = min(since, self._since.get(key[0], since))

    def close(self):
        """Stop the timer and write the rest: at the end of the process."""
        self._wake.set()
        try:
            self.flush()
        except Exception:
            # The process ends whatever happens; what is lost is stated above.
            _logger.exception("The last usage counts could not be written")

    def clear(self):
        """Forget what has gathered."""
        with self._lock:
            self._cells.clear()
            self._since.clear()


def _is_gone(error, dbname):
    """Whether the database or the table is no more: there is nothing to count for."""
    gone = isinstance(error, psycopg2.errors.UndefinedTable)
    gone = gone or f'database "{dbname}" does not exist' in str(error)
    if gone:
        _logger.info("Usage counts of %s are dropped: nothing to write to", dbname)
    return gone


def write_cells(cr, cells, lag):
    """Add counts to the table of ``governance.usage``.

    :param cr: READ COMMITTED cursor
    :param dict cells: ``{(dbname, endpoint, credential id, hour): (counts, last)}``
    :param float lag: seconds that the oldest of them has waited
    """
    # Sorted: all processes take the row locks in the same order.
    rows = [
        SQL(
            "(%s, %s::integer, %s::timestamp, %s, %s, %s, %s, %s, %s::timestamp)",
            endpoint,
            credential_id,
            _utc(hour * 3600),
            *counts,
            _utc(last),
        )
        for (_db, endpoint, credential_id, hour), (counts, last) in sorted(
            cells.items(), key=lambda item: (item[0][1], item[0][2] or 0, item[0][3])
        )
    ]
    # A credential that was deleted meanwhile still leaves its counts behind.
    cr.execute(
        SQL(
            """
            INSERT INTO governance_usage AS u (
                endpoint, credential_id, company_id, hour, requests, errors_4xx,
                errors_5xx, rate_limited, bytes_in, last_at, flush_lag
            )
            SELECT v.endpoint, c.id, c.company_id, v.hour, sum(v.requests),
                   sum(v.errors_4xx), sum(v.errors_5xx), sum(v.rate_limited),
                   sum(v.bytes_in), max(v.last_at), %s
              FROM (VALUES %s) AS v (
                       endpoint, credential_id, hour, requests, errors_4xx,
                       errors_5xx, rate_limited, bytes_in, last_at
                   )
              LEFT JOIN governance_credential c ON c.id = v.credential_id
             GROUP BY v.endpoint, c.id, c.company_id, v.hour
             ORDER BY v.endpoint, COALESCE(c.id, 0), v.hour
            ON CONFLICT (endpoint, hour, COALESCE(credential_id, 0)) DO UPDATE SET
                requests = u.requests + EXCLUDED.requests,
                errors_4xx = u.errors_4xx + EXCLUDED.errors_4xx,
                errors_5xx = u.errors_5xx + EXCLUDED.errors_5xx,
                rate_limited = u.rate_limited + EXCLUDED.rate_limited,
                bytes_in = u.bytes_in + EXCLUDED.bytes_in,
                last_at = GREATEST(u.last_at, EXCLUDED.last_at),
                flush_lag = GREATEST(u.flush_lag, EXCLUDED.flush_lag)
            """,
            lag,
            SQL(", ").join(rows),
        )
    )


def _utc(seconds):
    """:return: naive UTC datetime, as Odoo stores it"""
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)


buffer = UsageBuffer(timer=not config["test_enable"])

os.register_at_fork(after_in_child=buffer._reset)


@atexit.register
def _at_exit():
    # A test's counts belong to its transaction, which is gone by now.
    if buffer.timer:
        buffer.close()
        sql_db.close_all()
