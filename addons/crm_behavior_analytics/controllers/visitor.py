from odoo import fields
from odoo.http import Controller, request
from odoo.tools import LazyTranslate

from odoo.addons.crm_data_governance.endpoint import guarded

from ..models.website import Choice
from .reading import read_id, read_json

_lt = LazyTranslate(__name__)


class BehaviorVisitor(Controller):
    @guarded(
        "/behavior/visitor",
        code="behavior.visitor",
        title=_lt("A visitor of this website has logged in, or has chosen"),
        methods=["POST"],
        auth="open",
        max_bytes=4096,
    )
    def visitor(self):
        """Note a login and the choice of the cookies bar; said by pages of this host.

        Who is logged in the session tells, not the page.  ``agreed`` is a choice that
        was made this moment, before its cookie is set.
        """
        request.guard.check_same_site()
        data = read_json()
        anonymous_id = read_id(data, "anonymousId")
        agreed = data.get("agreed")
        choice = None
        if isinstance(agreed, bool):
            choice = Choice(agreed, fields.Datetime.now())
        website = request.env["website"].get_current_website()
        partner = website._visiting_user().partner_id
        website._meet_visitor(partner, anonymous_id, choice)
        return {"success": True}
