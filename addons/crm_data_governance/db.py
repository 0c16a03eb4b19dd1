"""Transactions that hold under load.

Odoo's cursors are REPEATABLE READ: a counter or a token updated by several
processes ends in serialization failures.  Two recipes, for everything in the suite
that several processes write: a short READ COMMITTED cursor of its own
(:func:`read_committed`), a request whose own cursor is such a one
(:func:`begin_read_committed`) and a queue batch (:func:`claim`, :func:`take_batches`).
:func:`collide` is for what may be done once to a record.
"""

import logging
import random
import time
from contextlib import contextmanager

from psycopg2 import errors

from odoo import api
from odoo.exceptions import ConcurrencyError
from odoo.modules.registry import Registry
from odoo.sql_db import Cursor
from odoo.tools import SQL

_logger = logging.getLogger(__name__)

# What a concurrent transaction may do to ours; the work is repeated, nothing is lost.
# Code that finds a conflict itself raises Odoo's ConcurrencyError: a request is then
# repeated too, which an error of psycopg2 made by hand is not (it has no pgcode).
CONCURRENCY_ERRORS = (
    ConcurrencyError,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
)
# Conflicts in a row after which a loop leaves the queue to the next run.
MAX_CONFLICTS = 50


@contextmanager
def read_committed(env_or_dbname):
    """A short cursor of its own in isolation level READ COMMITTED.

    Commits at the end, rolls back when the block raises.  Each statement sees what
    others have committed, so a contended ``UPDATE`` waits instead of failing.

    :param env_or_dbname: an environment or the name of a database
    :return: context manager that gives the cursor
    """
    if isinstance(env_or_dbname, str):
        registry = Registry(env_or_dbname)
    else:
        registry = env_or_dbname.registry
    with registry.cursor() as cr:
        begin_read_committed(cr)
        yield cr


def begin_read_committed(cr):
    """Let a cursor begin its transaction in isolation level READ COMMITTED.

    :param cr: cursor that has written nothing yet
    """
    # A test's cursor lives in the one transaction of the test, whose level is fixed
    # since its first statement.
    if isinstance(cr, Cursor):
        cr.rollback()
        cr.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def collide(records):
    """Let one transaction at a time do what may be done once to each of the records.

    A lock alone would not do: who has waited for it goes on with a snapshot that does
    not show what the first one did.  An update of the rows, even to the same values,
    makes the second one fail as every concurrent change does: Odoo repeats it, and it
    sees what is there then.

    :param records: of a model with a table; held until the transaction ends
    :raise psycopg2.errors: of :data:`CONCURRENCY_ERRORS`
    """
    if records:
        records.env.cr.execute(
            SQL(
                "UPDATE %s SET id = id WHERE id IN %s",
                SQL.identifier(records._table),
                tuple(records.ids),
            ),
            log_exceptions=False,
        )


def claim(cr, table, where, order, limit):
    """Lock a batch of a queue table for the running transaction.

    It must be the first statement of a fresh transaction: only then does its
    snapshot know what other workers have committed.

    :param cr: a fresh cursor
    :param str table: name of the table
    :param SQL where: condition that a waiting row meets
    :param SQL order: order of the queue
    :param int limit: greatest number of rows
    :return: ids of the locked rows; empty (after a rollback) when another worker
        was quicker: take the next batch
    """
    return _claim(cr, table, where, order, limit)[0]


def _claim(cr, table, where, order, limit):
    """As :func:`claim`; the second value tells a conflict from an empty queue."""
    query = SQL(
        "SELECT id FROM %s WHERE %s ORDER BY %s LIMIT %s FOR UPDATE SKIP LOCKED",
        SQL.identifier(table),
        where,
        order,
        limit,
    )
    try:
        # SKIP LOCKED skips rows that are locked, but raises on rows that were
        # changed and committed after the snapshot.
        cr.execute(query, log_exceptions=False)
    except CONCURRENCY_ERRORS:
        cr.rollback()
        return [], True
    return [row[0] for row in cr.fetchall()], False


def take_batches(registry, uid, claim_args, work, deadline=None, context=None):
    """Empty a queue batch by batch, each in a transaction of its own.

    ``work(env, ids)`` must make its rows leave the condition (done, parked …) and
    be safe to run again: when its transaction meets a concurrent one, it is rolled
    back and the rows are taken again later, by this worker or another.  Any other
    exception of ``work`` is the caller's: its batch is rolled back and it is raised.

    :param registry: an Odoo registry
    :param int uid: user of the environment given to ``work``
    :param tuple claim_args: ``(table, where, order, limit)`` of :func:`claim`
    :param callable work: ``work(env, ids)``
    :param float deadline: value of ``time.monotonic()`` after which no new batch is
        taken (None: until the queue is empty)
    :param dict context: context of the environment
    :return: number of rows worked on and committed
    """
    done = 0
    conflicts = 0
    seen = set()
    while deadline is None or time.monotonic() < deadline:
        try:
            with registry.cursor() as cr:
                ids, conflict = _claim(cr, *claim_args)
                if ids and seen.issuperset(ids):
                    _logger.warning(
                        "Queue %s: %d rows are still waiting after they were worked"
                        " on; left to the next run",
                        claim_args[0],
                        len(ids),
                    )
                    return done
                if ids:
                    work(api.Environment(cr, uid, context or {}), ids)
        except CONCURRENCY_ERRORS:
            ids, conflict = [], True
        if conflict:
            conflicts += 1
            if conflicts >= MAX_CONFLICTS:
                _logger.info("Queue %s: too busy, left to others", claim_args[0])
                return done
            # A short random pause takes two equal workers out of step.
            time.sleep(random.uniform(0, 0.002 * min(conflicts, 10)))
        elif not ids:
            return done
        else:
            seen.update(ids)
            done += len(ids)
            conflicts = 0
    return done
