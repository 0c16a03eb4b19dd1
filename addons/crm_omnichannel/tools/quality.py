"""How good the records of a channel are, field by field.

Completeness is the share of records that have a value, validity the share of those
values that can be read, uniqueness the share of different ones among those read.

Source: ISO/IEC 25012 (completeness, accuracy), DAMA-DMBOK 2, ch. 13.
"""

import json

from .blocked import is_blocked
from .mapping import compile_path, map_line
from .normalisers import BadValue


class Tally:
    """Counts of one field over many records."""

    __slots__ = ("filled", "seen", "valid")

    def __init__(self):
        self.filled = 0
        self.valid = 0
        self.seen = set()

    @property
    def distinct(self):
        return len(self.seen)

    def add(self, filled, value):
        """Count a record: whether it has something there, and what could be read."""
        self.filled += filled
        if value is not None:
            self.valid += 1
            self.seen.add(hash(json.dumps(value, sort_keys=True)))


def tally(payloads, lines, default_country=None, tallies=None):
    """Count the fields of records.

    :param payloads: iterable of dict, one a person
    :param lines: list of ``mapping.Line`` in their order
    :param default_country: as for ``apply_mapping``
    :param tallies: what an earlier call returned, to go on with
    :return: ``{target: Tally}``
    """
    by_target = {}
    for line in lines:
        by_target.setdefault(line.target, []).append(line)
    tallies = {target: Tally() for target in by_target} if tallies is None else tallies
    for payload in payloads:
        for target, alternatives in by_target.items():
            tallies[target].add(*_look(payload, alternatives, default_country))
    return tallies


def _look(payload, lines, country):
    """Return ``(filled, value)``: the first line with a readable value counts."""
    filled = False
    for line in lines:
        try:
            value = map_line(payload, line, country)[1]
        except BadValue:
            filled = True
            continue
        if value is not None:
            return True, value
        # a placeholder such as "null" is nothing; a blocked telephone is a bad one
        filled = filled or _is_something(payload, line)
    return filled, None


def _is_something(payload, line):
    try:
        raw = compile_path(line.source)(payload)
    except BadValue:
        return False
    if raw is None or raw == [] or raw == {}:
        return False
    return not is_blocked(raw) if isinstance(raw, str) else raw not in (0, False)
