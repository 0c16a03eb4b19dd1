"""What the codes of ``tools/`` mean, in words chosen when somebody reads them."""

from odoo.tools import LazyTranslate

# Lazy: no environment is at hand here; who reads chooses the language.
# pylint: disable=prefer-env-translation
_lt = LazyTranslate(__name__)

#: Why a variant is shown or not (``tools/decision.py``).
VERDICTS = {
    "chosen": _lt("Shown: on schedule, the customer is in its audience."),
    "chosen_segment": _lt("Shown: on schedule, the customer is in %(segments)s."),
    "not_started": _lt("Not shown: it starts on %(at)s."),
    "ended": _lt("Not shown: it ended on %(at)s."),
    "broken": _lt("Not shown: its audience cannot be evaluated."),
    "audience": _lt("Not shown: the customer is not in its audience."),
    "later": _lt("Not in the page: decided for the person after the page has loaded."),
    "outranked": _lt("Not shown: “%(by)s” fits too and comes first."),
}

#: Why a content is shown (``tools/decision.py``).
OUTCOMES = {
    "variant": _lt("“%(variant)s” is shown."),
    "variant_segment": _lt("“%(variant)s” is shown: the visitor is in %(segments)s."),
    "default_empty": _lt("The default content is shown: the slot has no variant."),
    "default_none_fits": _lt("The default content is shown: no variant fits."),
    "default_error": _lt(
        "The default content is shown: the content of “%(variant)s” failed (%(error)s)."
    ),
}

#: What is wrong with merge fields (``tools/merge.py``).
MERGE_PROBLEMS = {
    "unknown": _lt("“%(field)s” is no merge field. These can be used: %(known)s."),
    "attribute": _lt(
        "A merge field stands in the attribute “%(attribute)s”. It may stand in text"
        " only, so that a customer's data can never become an address or a command."
    ),
}

#: Errors of the public interfaces.
ERRORS = {
    "unknown_slot": _lt("There is no slot “%(code)s” here."),
    "bad_slots": _lt(
        "“slots” must be a list of 1 to %(limit)s codes of slots, each one once."
    ),
}
