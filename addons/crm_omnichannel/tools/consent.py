"""What a person has agreed to, from the history of their answers.

An answer is a dict with ``subject`` (any hashable: the customer, or one of the
identifiers under which the person answered), ``purpose``, ``channel`` (None: every
channel), ``state`` (granted, denied, revoked), ``at`` and ``id``; the order of (``at``,
``id``) is the order of the answers.
"""

GRANTED = "granted"


def _order(answer):
    return answer["at"], answer["id"]


def newest(answers):
    """Return ``{(subject, purpose, channel): answer}``: each one's last word."""
    standing = {}
    for answer in sorted(answers, key=_order):
        key = (answer["subject"], answer["purpose"], answer["channel"])
        standing[key] = answer
    return standing


def allowed(answers, purpose, channel=None):
    """Tell whether a person agrees to a purpose on a channel.

    Without an answer: no. A subject's word about the channel counts before the one
    about every channel, but for a later no to everything. Where the subjects of one
    person differ (two cookies, a merged customer), the stricter answer wins.

    :param answers: iterable of answers of one person, any order
    :param str purpose: code
    :param channel: code; None asks for every channel at once
    """
    verdicts = _verdicts(answers, purpose, channel)
    return bool(verdicts) and all(verdicts)


def refused(answers, purpose, channel=None):
    """Tell whether a person has said no, which is more than not to have said yes.

    The parameters and rules are those of :func:`allowed`; without an answer: no.
    """
    return not all(_verdicts(answers, purpose, channel))


def _verdicts(answers, purpose, channel):
    """Return whether each subject that has answered agrees."""
    standing = newest(answer for answer in answers if answer["purpose"] == purpose)
    subjects = {subject for subject, _purpose, _channel in standing}
    verdicts = []
    for subject in subjects:
        general = standing.get((subject, purpose, None))
        special = standing.get((subject, purpose, channel)) if channel else None
        words = [special] if special else [general]
        if (
            special
            and general
            and general["state"] != GRANTED
            and _order(general) > _order(special)
        ):
            words = [general]
        verdicts += [word["state"] == GRANTED for word in words if word]
    return verdicts


def current(answers):
    """Return what stands now, one answer for each purpose and channel.

    The strictest of the subjects, the newest of those; in the order of purpose and
    channel, every channel first.
    """
    found = {}
    for (_subject, purpose, channel), answer in newest(answers).items():
        other = found.get((purpose, channel))
        if other is None or _strictness(answer) > _strictness(other):
            found[purpose, channel] = answer
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1] or ""))]


def _strictness(answer):
    return (answer["state"] != GRANTED, *_order(answer))
