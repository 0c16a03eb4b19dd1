"""Traditional and simplified Chinese.

Source of the tables: OpenCC, configurations ``t2s`` and ``s2t``.
"""

from functools import lru_cache

from opencc import OpenCC

converter = lru_cache(maxsize=None)(OpenCC)


def to_simplified(text):
    """Return a text in simplified signs; what is neither script stays."""
    return text if text.isascii() else converter("t2s").convert(text)


def to_traditional(text):
    """Return a text in traditional signs, words by their usual spelling."""
    return text if text.isascii() else converter("s2t").convert(text)
