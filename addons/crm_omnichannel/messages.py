"""What the codes of verdicts, errors and notes say, in the reader's language."""

from collections import defaultdict

from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance import messages as governance

from .messages_merge import MESSAGES as MERGE_MESSAGES

_lt = LazyTranslate(__name__)

MESSAGES = {
    # refused at the door (tools/landing.py)
    "bad_encoding": _lt("The bytes are not UTF-8 text."),
    "bad_key": _lt("The external ID is too long or unreadable."),
    "bad_number": _lt("A number is too large or not a number (NaN, Infinity)."),
    "lone_surrogate": _lt("The text holds half a character (a lone surrogate)."),
    "not_an_object": _lt("The item is not a record with named values."),
    "nul_character": _lt("The text holds a NUL character."),
    "too_big": _lt("The record is too large."),
    "too_deep": _lt("The record is nested too deeply."),
    "too_many_cells": _lt("The line has more cells than the header has names."),
    "trailing_data": _lt("There is something behind the end of the list."),
    "unreadable": _lt("The line cannot be read."),
    # a file as a whole (tools/readers.py)
    "empty_file": _lt("The file is empty."),
    "bad_file_encoding": _lt(
        "The file is not written in %(encoding)s: byte %(position)s does not fit."
    ),
    "no_header": _lt("The first line must hold the names of the columns."),
    "empty_column": _lt("Column %(column)s has no name in the first line."),
    "double_column": _lt("The column name “%(name)s” stands twice in the first line."),
    "not_a_workbook": _lt("The file is not an Excel workbook (.xlsx)."),
    # a value (tools/normalisers.py)
    "ambiguous_date": _lt(
        "“%(value)s” can be read in several ways: set ymd, dmy or mdy as the argument"
        " of the line."
    ),
    "bad_amount": _lt("“%(value)s” is not an amount."),
    "bad_date": _lt("“%(value)s” is not a date."),
    "bad_email": _lt("“%(value)s” is not an e-mail address."),
    "bad_gender": _lt("“%(value)s” is not a gender that is known here."),
    "bad_phone": _lt("“%(value)s” is not a telephone number."),
    "bad_website": _lt("“%(value)s” is not a web address."),
    "bad_source": _lt("The expression “%(source)s” cannot be evaluated."),
    "not_text": _lt(
        "A list or an object stands where one value is expected: %(value)s"
    ),
    "too_long": _lt("The text is longer than %(limit)s characters: %(value)s"),
    "unknown_country": _lt("“%(value)s” is not a country."),
    "unknown_currency": _lt("“%(value)s” is not a currency."),
    "unknown_place": _lt("“%(value)s” names no province or city of the mainland."),
    "unknown_language": _lt("“%(value)s” is not a language."),
    # a record (processing.py)
    "no_mapping": _lt("The channel has no mapping."),
    "required_missing": _lt("There is no value for “%(target)s”, which is required."),
    "not_saved": _lt(
        "The customer could not be saved (%(detail)s): the log of the server tells why."
    ),
    # a segment (models/omni_segment.py)
    "unknown_field": _lt("Customers have no field “%(name)s” any more."),
    "not_refreshed": _lt(
        "Something unexpected happened (%(detail)s): the log of the server tells what."
    ),
    # two customers who may be one (models/omni_match.py)
    "not_merged": _lt(
        "They could not be merged (%(detail)s): the log of the server tells why."
    ),
    # notes on a record that went through
    "language_not_installed": _lt("The language %(value)s is not installed."),
    "unknown_state": _lt("“%(value)s” is not a state of the country; it was left out."),
    "held_by_other": _lt(
        "The %(kind)s %(value)s belongs to another customer (%(partner)s), who was left"
        " as is."
    ),
    "protected_customer": _lt(
        "The customer has a user account: %(fields)s was not changed."
    ),
    # a platform (tools/wecom.py, platform_client.py, models/omni_token.py)
    "address_not_allowed": _lt(
        "The platform does not accept calls from the address %(address)s: add it to the"
        " trusted addresses of the app (%(number)s)."
    ),
    "bad_agent": _lt("The platform does not know the app (%(number)s)."),
    "bad_answer": _lt("The platform's answer could not be read."),
    "bad_app_id": _lt("The platform does not know the corp ID (%(number)s)."),
    "bad_external_id": _lt(
        "The platform does not know the customer's ID here (%(number)s)."
    ),
    "bad_secret": _lt(
        "The secret is wrong (%(number)s). The channel stopped, because the platform"
        " bans an address that goes on trying: enter the secret and connect again."
    ),
    "bad_status": _lt("The platform answered with the HTTP status %(status)s."),
    "group_dismissed": _lt("The group no longer exists (%(number)s)."),
    "no_permission": _lt("The app has no permission for this (%(number)s)."),
    "no_relation": _lt(
        "Nobody in the company has this customer any more (%(number)s)."
    ),
    "no_secret": _lt("Corp ID and secret are missing."),
    "not_in_range": _lt("Outside of what the app may see (%(number)s)."),
    "platform_busy": _lt("The platform was busy at four tries (%(number)s)."),
    "platform_refused": _lt("The platform refused the call (%(number)s)."),
    "rate_exceeded": _lt(
        "Too many calls in the platform's time window (%(number)s); the channel waits."
    ),
    "secret_lost": _lt("The secret was sealed with another key: enter it again."),
    "token_refused": _lt(
        "The platform refused a token that it had just given (%(number)s)."
    ),
    "too_many_at_once": _lt(
        "Too many calls at once for the platform (%(number)s); the channel waits."
    ),
    "unreachable": _lt("The platform could not be reached (%(reason)s)."),
    "waiting": _lt("The platform asked to wait; the channel goes on by itself."),
}


def cause_of(error, other):
    """Return the ``(code, params)`` under which an exception is kept.

    What somebody else's exception says is in one language, and may tell of a person:
    it belongs into the log.

    :param Exception error: one of ours has a ``code`` and ``params``
    :param str other: the code for one that has none, whose ``detail`` is its kind
    """
    code = getattr(error, "code", None)
    if isinstance(code, str) and code in MESSAGES | MERGE_MESSAGES:
        return code, getattr(error, "params", None) or {}
    return other, {"detail": type(error).__name__}


def outlines(env):
    """What each code says with “…” for its parameters, to group and filter by.

    :return: list of ``(code, text)``
    """
    dots = defaultdict(lambda: "…")
    texts = {code: env._(message) for code, message in MESSAGES.items()}
    return [(code, text % dots) for code, text in texts.items()]


def render(env, code, params=None):
    """Return the text of a code in the language of the environment."""
    params = dict(params or {})
    if "target" in params:
        labels = dict(
            env["omni.mapping.line"]._fields["target"]._description_selection(env)
        )
        params["target"] = labels.get(params["target"], params["target"])
    return governance.render(env, MESSAGES | MERGE_MESSAGES, code, params)
