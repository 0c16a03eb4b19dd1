"""What requests of browsers and servers say, checked."""

from odoo.http import request

from odoo.addons.crm_data_governance.endpoint import GuardError
from odoo.addons.crm_omnichannel.tools.landing import (
    Verdict,
    canonical,
    parse_item,
    scalar_key,
)


def read_json():
    """The body of the request.

    :return: dict
    :raise GuardError: it is no JSON object
    """
    try:
        data = parse_item(request.guard.body.decode())
        # half a character, written as an escape, cannot be stored or searched
        canonical(data)
    except ValueError:
        raise GuardError(400, "bad_request") from None
    return data


def read_id(data, name):
    """An identifier in the body, as all of the suite read it; "" for none."""
    try:
        return scalar_key(data.get(name)) or ""
    except Verdict:
        return ""
