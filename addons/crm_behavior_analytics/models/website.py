from odoo import models, tools


class Website(models.Model):
    _inherit = "website"

    @tools.ormcache("self.id", cache="templates")
    def _behavior_key(self):
        """Return the write key whose script the pages of this website carry, or None.

        The same for every visitor, as pages are cached for all of them.
        """
        # sudo: a public key stands in the pages; the visitor reads nothing else.
        source_sudo = (
            self.env["behavior.source"]
            .sudo()
            .search([("website_id", "=", self.id), ("on_website", "=", True)], limit=1)
        )
        return source_sudo.public_key if source_sudo.state == "active" else None
