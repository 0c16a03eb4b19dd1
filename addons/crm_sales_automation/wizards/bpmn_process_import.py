import base64
import binascii

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import LazyTranslate, file_open

from ..errors import ProcessError
from ..tools import bpmn, palette

# Lazy: each is written in every language that is installed.
# pylint: disable=prefer-env-translation
_lt = LazyTranslate(__name__)

#: Stages that the ready-made processes name, in the languages of their files.
STAGES = (_lt("Requirements analysis"), _lt("Offer confirmation"))


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

    create_stages = fields.Boolean(
        string="Create missing stages",
        default=True,
        help="Stages that the diagram names and that no pipeline has are created for"
        " all pipelines.",
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

    @api.model
    def _create_missing_stages(self, document):
        """Create the stages that a diagram names and that do not exist."""
        instances = self.env["bpmn.instance"]
        for _key, scope in bpmn.runnable_scopes(document):
            for node in scope.nodes.values():
                name = palette.read(node).parameters.get("stage")
                if not name:
                    continue
                try:
                    instances._find_stage(name)
                except ProcessError:
                    self._create_stage(name)

    @api.model
    def _create_stage(self, name):
        """A stage for all pipelines, before the won ones, in each language."""
        codes = [code for code, _name in self.env["res.lang"].get_installed()]
        names = dict.fromkeys(codes, name)
        for known in STAGES:
            written = {
                code: self.with_context(lang=code).env._(known) for code in codes
            }
            if name in {str(known), *written.values()}:
                names = {**written, "en_US": str(known)}
        # A designer names stages in diagrams and need not manage pipelines.
        stages = self.env["crm.stage"].sudo().with_context(lang="en_US")
        last = stages.search([("is_won", "=", False)], order="sequence desc", limit=1)
        stage = stages.create(
            {"name": names.get("en_US", name), "sequence": last.sequence}
        )
        for code, text in names.items():
            stage.with_context(lang=code).name = text

    def action_import(self):
        """Make a draft of the file and open it."""
        self.ensure_one()
        data = self._diagram()
        processes = self.env["bpmn.process"]
        processes.check_access("create")
        if self.create_stages:
            self._create_missing_stages(processes._parse(data))
        return processes._import(data)._action_open()
