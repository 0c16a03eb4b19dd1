"""What requests for contents say, checked."""

from odoo.http import request

from odoo.addons.crm_data_governance.endpoint import GuardError, add_messages
from odoo.addons.crm_data_governance.messages import render
from odoo.addons.crm_data_governance.tools.language import pick_language

from .. import const
from ..messages import ERRORS

add_messages(ERRORS)


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
    named = all(code and isinstance(code, str) for code in codes)
    if not named or len(set(codes)) != len(codes):
        raise GuardError(400, "bad_slots", limit=const.MAX_SLOTS)
    return dict(zip(codes, entries, strict=True))


def read_lang(value):
    """:return: code of the installed language that a tag like zh-CN names, or None"""
    if not value or not isinstance(value, str):
        return None
    installed = dict(request.env["res.lang"].get_installed())
    return pick_language([(value, 1)], list(installed))


def unknown_slot(code):
    """What an answer says in the place of a slot that there is not."""
    text = render(request.env, ERRORS, "unknown_slot", {"code": code})
    return {"error": {"code": "unknown_slot", "message": text}}
