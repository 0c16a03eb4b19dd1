from odoo.http import Controller, request, route


class BehaviorLogin(Controller):
    @route("/behavior/login", type="jsonrpc", auth="user", website=True)
    def login(self, anonymous_id):
        """Let what a browser has done be its customer's, now that they are logged in.

        Called by the tracking script of an Odoo website, after consent. Who it is
        comes from the session; a page can only say which browser it is in.
        """
        partner = request.env.user.partner_id
        website = request.website
        refusing = (
            # sudo: a customer may not read consents; it is their own.
            request.env["omni.consent"]
            .sudo()
            .with_company(website.sudo().company_id)
            ._refusing({partner.sudo()}, "analytics", "web")
        )
        known = isinstance(anonymous_id, str) and 0 < len(anonymous_id) <= 255
        if known and not refusing and request.env.user.share:
            # sudo: a customer may not read sources; it is their own browser.
            request.env["behavior.event"].sudo()._claim_login(
                website.sudo(), partner.sudo(), anonymous_id
            )
        return True
