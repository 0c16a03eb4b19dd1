"""Rate limits: tokens reserved in blocks and spent from memory.

The shared counter is the table of ``governance.rate`` (one row a credential, or a
client of an open route), written through a READ COMMITTED cursor only, never in the
request's own one.
"""

import math
import os
import threading
import time

from odoo.tools import SQL

from .db import read_committed
from .tools.rate import BLOCK_MAX, BLOCK_PART, Pocket

WINDOW_SECONDS = 60
# Pockets kept in one process; beyond it the ones that are over are dropped.
MAX_POCKETS = 20_000

_pockets = {}
_lock = threading.Lock()


def _forget():
    """A forked child must not spend the tokens of its parent a second time."""
    global _lock
    _lock = threading.Lock()
    _pockets.clear()


os.register_at_fork(after_in_child=_forget)


def reserve(cr, caller, rate):
    """Reserve a block of tokens for the running window of the server's clock.

    :param cr: READ COMMITTED cursor
    :param caller: id of a credential, or the text that stands for a client
    :param int rate: tokens in a window, more than 0
    :return: ``(granted, remaining)``: tokens, 0 if the window is empty; seconds
        until the window ends
    """
    # The clock is the database server's: one for all hosts.  It is read before the
    # wait for the row's lock, so a later window may stand there already: GREATEST.
    # The block's size is the formula of tools/rate.py.
    cr.execute(
        SQL(
            """
            INSERT INTO governance_rate AS r
                (credential_id, client, window_no, used, granted)
            VALUES (
                %(credential)s, %(client)s,
                floor(extract(epoch FROM clock_timestamp()) / %(seconds)s),
                %(first)s, %(first)s
            )
            ON CONFLICT (COALESCE(credential_id, 0), COALESCE(client, ''))
            DO UPDATE SET
                window_no = GREATEST(r.window_no, EXCLUDED.window_no),
                used = CASE
                    WHEN r.window_no < EXCLUDED.window_no THEN %(first)s
                    ELSE r.used + LEAST(
                        GREATEST(%(rate)s - r.used, 0),
                        GREATEST(1, LEAST(%(max)s, (%(rate)s - r.used) / %(part)s))
                    )
                END,
                granted = CASE
                    WHEN r.window_no < EXCLUDED.window_no THEN %(first)s
                    ELSE LEAST(
                        GREATEST(%(rate)s - r.used, 0),
                        GREATEST(1, LEAST(%(max)s, (%(rate)s - r.used) / %(part)s))
                    )
                END
            RETURNING
                granted,
                (window_no + 1) * %(seconds)s
                    - extract(epoch FROM clock_timestamp())::float
            """,
            credential=None if isinstance(caller, str) else caller,
            client=caller if isinstance(caller, str) else None,
            seconds=WINDOW_SECONDS,
            rate=rate,
            first=max(1, min(BLOCK_MAX, rate // BLOCK_PART)),
            max=BLOCK_MAX,
            part=BLOCK_PART,
        )
    )
    granted, remaining = cr.fetchone()
    return granted, max(0.0, float(remaining))


def take(env, caller, rate):
    """Spend a token of the caller's limit.

    :param env: environment; only its registry is used, its cursor is not touched
    :param caller: as for :func:`reserve`
    :param int rate: requests a minute; 0 or less is no limit
    :return: None if the request may go on, else the seconds to wait
    """
    if rate <= 0:
        return None
    # A changed rate takes effect at once: it is part of the key.
    key = (env.cr.dbname, caller, rate)
    now = time.monotonic()
    with _lock:
        pocket = _pockets.get(key)
        verdict = pocket.take(now) if pocket else None
        if verdict is False:
            return max(1, math.ceil(pocket.expires_at - now))
    if verdict:
        return None
    with read_committed(env) as cr:
        granted, remaining = reserve(cr, caller, rate)
    # ``now`` was read before the statement: the pocket ends a little before the
    # window, never after it.  One token of the block is this request's.
    with _lock:
        _put(key, max(0, granted - 1), now + remaining, exhausted=not granted)
    return None if granted else max(1, math.ceil(remaining))


def _put(key, tokens, expires_at, exhausted):
    """Store a block (the lock is held); tokens that a sister thread got are kept."""
    now = time.monotonic()
    old = _pockets.get(key)
    held = old.tokens if old and now < old.expires_at else 0
    # More than a second apart, the two belong to different windows.
    if held > 0 and abs(old.expires_at - expires_at) < 1:
        pocket = Pocket(held + tokens, min(old.expires_at, expires_at))
    else:
        pocket = Pocket.empty(expires_at) if exhausted else Pocket(tokens, expires_at)
    _pockets[key] = pocket
    if len(_pockets) > MAX_POCKETS:
        for other in [k for k, p in _pockets.items() if now >= p.expires_at]:
            del _pockets[other]


def forget():
    """Drop the tokens held in this process (they are lost to the window)."""
    with _lock:
        _pockets.clear()
