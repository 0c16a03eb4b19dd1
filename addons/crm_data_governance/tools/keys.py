"""API keys: making, reading and comparing them.

A key is ``<kind>_<prefix>_<random>``, all lower-case ASCII: ``gsk`` (secret) or
``gpk`` (public), 12 hexadecimal digits by which the row is found, and 64
hexadecimal digits (256 bits) from the system's random source.

Why a plain SHA-256 and no slow password hash: a slow hash makes guessing a *human*
secret expensive.  256 random bits cannot be guessed at any speed (2**255 tries on
average), so a stolen table of hashes gives no key, while a slow hash would cost each
request many milliseconds and hand a stranger a way to burn our processor time.
(NIST SP 800-63B 5.1.2.2 asks for slow hashing below 112 bits only.)
"""

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

KINDS = {"secret": "gsk", "public": "gpk"}
_KIND_OF_MARK = {mark: kind for kind, mark in KINDS.items()}
_KEY = re.compile(r"(gsk|gpk)_([0-9a-f]{12})_([0-9a-f]{64})", re.ASCII)
# Longer input is not even looked at.
MAX_KEY_LENGTH = 128


class NewKey(NamedTuple):
    """A key just made: ``key`` is for its owner, the rest is stored."""

    key: str
    prefix: str
    hash: str


def key_hash(key):
    """:return: SHA-256 of the whole key, 64 hexadecimal digits"""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key(kind):
    """Make a key from the system's random source.

    :param str kind: ``secret`` or ``public``
    :raise KeyError: unknown kind
    :return: :class:`NewKey`
    """
    prefix = secrets.token_hex(6)
    key = f"{KINDS[kind]}_{prefix}_{secrets.token_hex(32)}"
    return NewKey(key, prefix, key_hash(key))


def read_prefix(key):
    """The prefix by which a key's row is found.

    :param key: what a client sent; out of JSON it may be anything
    :return: ``(kind, prefix)``, or None if this cannot be a key of ours
    """
    if not isinstance(key, str) or len(key) > MAX_KEY_LENGTH:
        return None
    match = _KEY.fullmatch(key)
    return (_KIND_OF_MARK[match[1]], match[2]) if match else None


def same_key(key, stored_hash):
    """Compare in constant time.

    :param str key: what a client sent
    :param str stored_hash: SHA-256 on file; empty if the row has no key
    :return: bool
    """
    # Compared with something of equal length also when there is no row, so that
    # the time does not tell whether a prefix exists.
    expected = stored_hash or "0" * 64
    return hmac.compare_digest(key_hash(key), expected) and bool(stored_hash)
