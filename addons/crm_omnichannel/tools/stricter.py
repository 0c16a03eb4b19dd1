"""The answers that a merged customer needs so that no refusal is lost."""

from .consent import GRANTED, allowed, newest


def missing_refusals(target, source):
    """Return the answers to add when two people's answers become one person's.

    As two people, the stricter answer counts; as one, the newest would. Wherever the
    one would agree and the two would not, the refusal is given once more.

    :param list target: answers of the survivor, as ``tools/consent.py`` tells
    :param list source: answers of the other
    :return: list of ``{"purpose", "channel", "state", "at"}``; ``at`` is that of the
        newest answer, so that a later one counts again
    """
    apart = [
        {**answer, "subject": side}
        for side, answers in enumerate((target, source))
        for answer in answers
    ]
    together = [{**answer, "subject": 0} for answer in apart]
    added = []
    slots = {(answer["purpose"], answer["channel"]) for answer in apart}
    slots |= {(purpose, None) for purpose, _channel in slots}
    # the general word first: it may settle the special ones
    for purpose, channel in sorted(slots, key=lambda slot: (slot[0], slot[1] or "")):
        if allowed(together + _answers(added), purpose, channel) and not allowed(
            apart, purpose, channel
        ):
            added.append(_refusal(apart, purpose, channel))
    return added


def _answers(added):
    return [{**answer, "subject": 0, "id": float("inf")} for answer in added]


def _refusal(answers, purpose, channel):
    about = [answer for answer in answers if answer["purpose"] == purpose]
    states = [
        answer["state"]
        for key, answer in newest(about).items()
        if answer["state"] != GRANTED and key[2] in (channel, None)
    ]
    return {
        "purpose": purpose,
        "channel": channel,
        "state": "revoked" if "revoked" in states else "denied",
        "at": max(answer["at"] for answer in about),
    }
