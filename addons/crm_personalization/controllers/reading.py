"""What requests for contents say, checked."""

import json

from odoo.http import request

from odoo.addons.crm_data_governance.endpoint import GuardError, add_messages
from odoo.addons.crm_data_governance.messages import render
from odoo.addons.crm_data_governance.tools.language import pick_language

from .. import const
from ..messages import ERRORS

# A Segment anonymousId or userId is shorter.
MAX_ID = 200

add_messages(ERRORS)


def read_json():
    """The body of the request.

    :return: dict
    :raise GuardError: it is no JSON object
    """
    try:
        data = json.loads(request.guard.body)
    except (ValueError, RecursionError):
        raise GuardError(400, "bad_request") from None
    if not isinstance(data, dict):
        raise GuardError(400, "bad_request")
    return data


def read_slots(data, code_of):
    """The slots that are asked for.

    :param dict data: the body
    :param callable code_of: gives the code of an entry, or None
    :return: ``{code: entry}``
    """
    entries = data.get("slots")
    if not isinstance(entries, list) or not 0 < len(entries) <= const.MAX_SLOTS:
        raise GuardError(400, "bad_slots", limit=const.MAX_SLOTS)
    codes = [code_of(entry) for entry in entries]
    if not all(map(_is_text, codes)) or len(set(codes)) != len(codes):
        raise GuardError(400, "bad_slots", limit=const.MAX_SLOTS)
    return dict(zip(codes, entries, strict=True))


def read_id(data, name):
    """An identifier in the body: a text, or "" for none and for what cannot be one."""
    value = data.get(name)
    return value if _is_text(value) else ""


def read_lang(value):
    """:return: code of the installed language that a tag like zh-CN names, or None"""
    if not _is_text(value):
        return None
    installed = dict(request.env["res.lang"].get_installed())
    return pick_language([(value, 1)], list(installed))


def unknown_slot(code):
    """What an answer says in the place of a slot that there is not."""
    text = render(request.env, ERRORS, "unknown_slot", {"code": code})
    return {"error": {"code": "unknown_slot", "message": text}}


def _is_text(value):
    # NUL: no text of the database holds it; lone surrogates cannot be encoded.
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_ID
        and "\0" not in value
        and not any("\ud800" <= char <= "\udfff" for char in value)
    )
