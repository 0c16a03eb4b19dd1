from odoo import api, models


class WebsitePage(models.Model):
    _inherit = "website.page"

    @api.model
    def _get_cache_key(self, request):
        """A page is cached once for each segment of its website."""
        return (
            *super()._get_cache_key(request),
            *request.website._personalization_page_key(),
        )

    @api.model
    def _allow_cache_insertion(self, layout):
        """What failed once may work the next time."""
        return ' data-failed="1"' not in layout and super()._allow_cache_insertion(
            layout
        )
