import re

from odoo import models
from odoo.http import request

from .. import const

CODE = re.compile(const.CODE)


class IrQweb(models.AbstractModel):
    _inherit = "ir.qweb"

    def _get_template(self, template):
        """Let the server fill ``data-personalization-slot`` blocks of pages.

        What stands in the block (the editor saves what it has seen) never shows.
        """
        element, document, ref = super()._get_template(template)
        if self.env.context.get("website_id"):
            for block in element.iterfind(".//*[@data-personalization-slot]"):
                code = block.get("data-personalization-slot")
                if CODE.fullmatch(code) and "t-out" not in block.attrib:
                    block[:] = []
                    block.text = None
                    block.set(
                        "t-out",
                        f"personalization_slot and personalization_slot({code!r})",
                    )
        return element, document, ref

    def _prepare_frontend_environment(self, values):
        ir_qweb = super()._prepare_frontend_environment(values)
        website = request.website.with_context(lang=ir_qweb.env.lang)
        values["personalization_slot"] = website._personalization_block
        return ir_qweb
