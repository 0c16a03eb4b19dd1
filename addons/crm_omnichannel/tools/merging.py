"""What a merge wrote, and how it is taken back.

Values are texts as PostgreSQL prints them (``None``: NULL), so that they are put back
exactly. A cell is a list ``[key, old, new]``; ``key`` is the id of the row, or the row
itself as ``{column: text}`` where the table has none.
"""

import json

MISSING = object()


def compress(cells):
    """Return one cell a row: the value before the first and after the last change.

    :param list cells: ``[key, old, new]`` in the order in which they were written
    :return: list of cells whose value differs, in the order of their first change
    """
    found = {}
    for key, old, new in cells:
        name = json.dumps(key, sort_keys=True)
        if name in found:
            found[name][2] = new
        else:
            found[name] = [key, old, new]
    return [cell for cell in found.values() if cell[1] != cell[2]]


def put_back(old, new, current, structured=False):
    """Take a change back where it still stands.

    A three-way merge with ``new`` as the base: what changed between ``new`` and
    ``current`` is later work and stays. Objects are taken apart by their keys and
    lists by their items, so that a later change of one key does not hold the others.

    :param old: text before the merge
    :param new: text that the merge wrote
    :param current: text now
    :param bool structured: whether the texts are JSON
    :return: ``(value, open)``: the text to store, and whether something was changed
        since that somebody has to decide about
    """
    if current == new:
        return old, False
    if current == old:
        return current, False
    if not structured:
        return current, True
    value, undecided = _put_back(*map(_parse, (old, new, current)))
    text = None if value is MISSING or value == {} and old is None else _dump(value)
    return text, undecided


def _parse(text):
    return MISSING if text is None else json.loads(text)


def _dump(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _put_back(old, new, current):
    if current == new:
        return old, False
    if current == old or old == new:
        return current, False
    if _all(dict, new, current) and (old is MISSING or isinstance(old, dict)):
        before = {} if old is MISSING else old
        result, undecided = {}, False
        for key in {**current, **before}:
            value, is_open = _put_back(
                *(side.get(key, MISSING) for side in (before, new, current))
            )
            undecided = undecided or is_open
            if value is not MISSING:
                result[key] = value
        return result, undecided
    if _all(list, new, current) and (old is MISSING or isinstance(old, list)):
        before = [] if old is MISSING else old
        kept = [item for item in current if item not in new or item in before]
        return kept + [
            item for item in before if item not in new and item not in kept
        ], False
    return current, True


def _all(kind, *values):
    return all(isinstance(value, kind) for value in values)


def splice(cells, replaced):
    """Tell a later merge's cells what stood there without an earlier one.

    :param list cells: of the later merge
    :param dict replaced: key as JSON text → ``(written, old)`` of the earlier merge
    :return: ``(cells, keys that were found)``
    """
    result, found = [], set()
    for key, old, new in cells:
        name = json.dumps(key, sort_keys=True)
        if name in replaced and replaced[name][0] == old:
            found.add(name)
            old = replaced[name][1]
        result.append([key, old, new])
    return result, found
