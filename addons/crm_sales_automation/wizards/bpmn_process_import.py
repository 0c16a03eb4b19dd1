import base64
import binascii

from odoo import fields, models
from odoo.exceptions import UserError
from odoo.tools import file_open


class BpmnProcessImport(models.TransientModel):
    _name = "bpmn.process.import"
    _description = "Import a Sales Process"

    origin = fields.Selection(
        [("file", "A BPMN file"), ("ready", "A ready-made process")],
        required=True,
        default="file",
    )
    file = fields.Binary(string="BPMN File", attachment=False)
    file_name = fields.Char()
    ready = fields.Selection(
        [
            (
                "sales_quotation",
                "Requirements, confirmation of the offer, quotation",
            )
        ],
        string="Process",
        default="sales_quotation",
    )
    language = fields.Selection(
        [("en", "English"), ("zh", "Chinese")],
        string="Captions in",
        required=True,
        default=lambda self: self._default_language(),
    )

    def _default_language(self):
        return "zh" if (self.env.lang or "").startswith("zh") else "en"

    def _diagram(self):
        """The bytes of the file chosen."""
        if self.origin == "ready":
            name = f"{self.ready}.{self.language}.bpmn"
            with file_open(f"crm_sales_automation/data/bpmn/{name}", "rb") as stream:
                return stream.read()
        if not self.file:
            raise UserError(self.env._("Choose a file first."))
        try:
            return base64.b64decode(self.file, validate=True)
        except binascii.Error as error:
            raise UserError(self.env._("The file arrived damaged.")) from error

    def action_import(self):
        """Make a draft of the file and open it."""
        self.ensure_one()
        return self.env["bpmn.process"]._import(self._diagram())._action_open()
