from odoo import http

from odoo.addons.website.controllers.main import WebsiteSession

from .. import const


class PersonalizationSession(WebsiteSession):
    @http.route()
    def logout(self, *args, **kw):
        """Who logs out wants to be forgotten here, by segment too."""
        response = super().logout(*args, **kw)
        response.set_cookie(const.COOKIE, "", max_age=0)
        return response
