"""What holds while a method of the server runs, for the methods that it calls.

A key of the context would reach them too, but the context is the caller's: whoever
calls by RPC writes into it what he likes. This stands beside the transaction, where
only code of the server writes.
"""

from contextlib import contextmanager


@contextmanager
def during(env, key, value):
    """Let ``told(env, key)`` be ``value`` inside the block.

    :param str key: ``<addon>.<name>``
    """
    cache = env.cr.cache
    before = cache.get(key)
    cache[key] = value
    try:
        yield
    finally:
        cache[key] = before


def told(env, key):
    """:return: the value of the innermost :func:`during`; None outside of any"""
    return env.cr.cache.get(key)
