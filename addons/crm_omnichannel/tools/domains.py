"""Domains that people write: literal values only."""

import ast

MAX_LENGTH = 20_000


class BadDomain(ValueError):
    """The text is no list of literal values."""


def parse_domain(text):
    """Read a domain without running anything.

    :param text: str or None; nothing means everybody
    :return: list of terms, as Odoo's ``Domain`` takes it
    :raise BadDomain: too long, not Python literals, or no list
    """
    text = (text or "").strip()
    if not text:
        return []
    if len(text) > MAX_LENGTH:
        raise BadDomain(text[:80])
    try:
        found = ast.literal_eval(text)
    # deep nesting ends in one of the last two
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise BadDomain(text[:80]) from error
    if not isinstance(found, list):
        raise BadDomain(text[:80])
    return found
