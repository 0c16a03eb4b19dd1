"""What the codes of service promises mean, in words chosen when they are read."""

from odoo.tools import LazyTranslate

# Lazy: no environment is at hand here; who reads chooses the language.
# pylint: disable=prefer-env-translation
_lt = LazyTranslate(__name__)

#: Why a target has its policy. ``matched`` is a list of criteria.
REASONS = {
    "policy": _lt("“%(policy)s”: %(matched)s."),
    "policy_others": _lt(
        "“%(policy)s”: %(matched)s; more specific than %(others)s other policies."
    ),
}

CRITERIA = {
    "team": _lt("its team"),
    "category": _lt("its category"),
    "tags": _lt("a tag"),
    "priority": _lt("its priority"),
}
EVERY_TICKET = _lt("it holds for every ticket")

#: What ended a target, or why it has no deadline.
OUTCOMES = {
    "replied": _lt("Answered by %(user)s."),
    "closed": _lt("The ticket was closed."),
    "breached": _lt("The time was over."),
    "no_working_time": _lt(
        "The working hours “%(calendar)s” hold too little time: no deadline."
    ),
    "paused": _lt("The clock rests while the ticket waits."),
}
