"""Which of the values that the channels gave for a field stands on the customer.

The channel that comes first wins; between equal channels the newer value; an older
value never replaces a newer one of the same channel. A value typed in Odoo counts as
one of its own channel, with the time of its last change. All values stay in the
history, newest first.
"""

MAX_ENTRIES = 20
#: the channel id of a value typed in Odoo, and its place among the channels
TYPED = 0
DEFAULT_PRIORITY = 10


def _strength(entry, priorities):
    priority = priorities.get(entry["channel_id"] or TYPED, DEFAULT_PRIORITY)
    return -priority, entry["at"], entry["record_id"] or 0


def winner(history, priorities):
    """Return the entry that stands, or None.

    :param list history: entries ``{value, channel_id, record_id, at}``, ``at`` an ISO
        text of equal form (so that texts compare as times)
    :param dict priorities: channel id -> sequence, lower comes first
    """
    if not history:
        return None
    return max(history, key=lambda entry: _strength(entry, priorities))


def settle(history, current, current_at, candidates, priorities):
    """Return ``(value, history)`` of a field after new candidates.

    :param list history: entries so far, newest first (not changed)
    :param current: the value on the customer now; False or None if there is none
    :param str current_at: when the customer was last changed, ISO text
    :param list candidates: new entries in the order they came
    :param dict priorities: channel id -> sequence

    The value is ``current`` where no entry wins over it.
    """
    entries = [dict(entry) for entry in history]
    standing = winner(entries, priorities)
    if current and (standing is None or standing["value"] != current):
        # changed by hand since: the hand is a source too
        entries.insert(
            0,
            {"value": current, "channel_id": TYPED, "record_id": 0, "at": current_at},
        )
    for candidate in candidates:
        _add(entries, dict(candidate))
    best = winner(entries, priorities)
    entries.sort(key=lambda entry: (entry["at"], entry["record_id"] or 0), reverse=True)
    kept = entries[:MAX_ENTRIES]
    if best is not None and best not in kept:
        kept[-1] = best
    return (best["value"] if best else current), kept


def _add(entries, candidate):
    """Add an entry; the same value again from the same channel only renews its time."""
    for entry in entries:
        if entry["channel_id"] != candidate["channel_id"]:
            continue
        if entry["value"] == candidate["value"]:
            if (candidate["at"], candidate["record_id"] or 0) >= (
                entry["at"],
                entry["record_id"] or 0,
            ):
                entry.update(candidate)
            return
    entries.append(candidate)


def unite(target, source, priorities):
    """Return ``(value, history)`` of a field when two customers become one.

    :param target: ``(history, current, current_at)`` of the survivor, as for
        :func:`settle`
    :param source: the same of the other
    :param dict priorities: channel id -> sequence
    """
    history, current, current_at = source
    entries = [dict(entry) for entry in reversed(history)]
    standing = winner(entries, priorities)
    if current and (standing is None or standing["value"] != current):
        entries.append(
            {"value": current, "channel_id": TYPED, "record_id": 0, "at": current_at}
        )
    return settle(*target, entries, priorities)
