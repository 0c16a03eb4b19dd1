import base64
import re

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command

from ..messages import REFUSALS
from ..tools import bpmn
from ..tools.bpmn import BpmnError

#: Findings that the refusal of a deployment lists; the rest is on the screen.
SHOWN_FINDINGS = 10


class BpmnProcess(models.Model):
    _name = "bpmn.process"
    _description = "Sales Process"
    _inherit = ["mail.thread"]
    _order = "name, key, version desc, id desc"

    name = fields.Char(required=True, tracking=True)
    key = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        help="The identifier of the executable process in the diagram. Versions of one"
        " process have the same key.",
    )
    version = fields.Integer(default=1, readonly=True, copy=False)
    company_id = fields.Many2one(
        "res.company",
        required=True,
        index=True,
        default=lambda self: self._default_company_id(),
    )
    active = fields.Boolean(default=True, tracking=True)
    state = fields.Selection(
        [("draft", "Draft"), ("deployed", "Deployed"), ("retired", "Retired")],
        required=True,
        readonly=True,
        copy=False,
        default="draft",
        tracking=True,
    )
    xml = fields.Text(
        string="Diagram (XML)",
        required=True,
        help="The process in BPMN 2.0, as any BPMN modeller writes it.",
    )
    deployed_at = fields.Datetime(string="Deployed on", readonly=True, copy=False)
    deployed_by_id = fields.Many2one(
        "res.users", string="Deployed by", readonly=True, copy=False
    )
    finding_ids = fields.One2many(
        "bpmn.finding", "process_id", string="Findings", readonly=True
    )
    error_count = fields.Integer(
        string="Errors", compute="_compute_finding_counts", store=True
    )
    warning_count = fields.Integer(
        string="Warnings", compute="_compute_finding_counts", store=True
    )
    version_count = fields.Integer(string="Versions", compute="_compute_version_count")
    file = fields.Binary(
        string="BPMN File", compute="_compute_file", compute_sudo=False
    )
    file_name = fields.Char(compute="_compute_file_name")

    _version_uniq = models.Constraint(
        "UNIQUE(company_id, key, version)",
        "This version of the process exists already.",
    )
    _deployed_uniq = models.UniqueIndex(
        "(company_id, key) WHERE state = 'deployed'",
        "Another version of this process is deployed.",
    )

    @api.model
    def _default_company_id(self):
        return self.env.company

    # --- COMPUTE ---

    @api.depends("name", "version")
    def _compute_display_name(self):
        for process in self:
            process.display_name = self.env._(
                "%(name)s, version %(version)s",
                name=process.name or "",
                version=process.version,
            )

    @api.depends("finding_ids.severity")
    def _compute_finding_counts(self):
        for process in self:
            severities = process.finding_ids.mapped("severity")
            process.error_count = severities.count("error")
            process.warning_count = severities.count("warning")

    def _compute_version_count(self):
        counts = {
            (company.id, key): count
            for company, key, count in self.with_context(active_test=False)._read_group(
                [("key", "in", self.mapped("key"))],
                ["company_id", "key"],
                ["__count"],
            )
        }
        for process in self:
            process.version_count = counts.get((process.company_id.id, process.key), 0)

    @api.depends("xml")
    def _compute_file(self):
        for process in self:
            process.file = base64.b64encode((process.xml or "").encode())

    @api.depends("key", "version")
    def _compute_file_name(self):
        for process in self:
            stem = re.sub(r"[^\w-]+", "_", process.key or "") or "process"
            process.file_name = f"{stem}.v{process.version}.bpmn"

    # --- READING A DIAGRAM ---

    @api.model
    def _refusal_message(self, error):
        """Why a file is refused, in the reader's language.

        :param BpmnError error:
        """
        return str(self.env._(REFUSALS[error.code])) % error.params

    @api.model
    def _parse(self, data):
        """Read a diagram.

        :param data: bytes or str
        :return: ``tools.bpmn.Document``
        :raise UserError: why it cannot be read
        """
        try:
            return bpmn.parse(data)
        except BpmnError as error:
            raise UserError(self._refusal_message(error)) from error

    @api.model
    def _prepare_diagram_values(self, data):
        """Values that a diagram gives to its record: text, key, findings."""
        document = self._parse(data)
        key, _name = bpmn.main_process(document)
        findings = self.env["bpmn.finding"]
        return {
            "xml": document.text,
            # A file without a process is kept too: it is a draft to be mended.
            "key": (key or "unnamed")[:250],
            "finding_ids": [Command.clear()]
            + [
                Command.create(findings._prepare_values(number, finding))
                for number, finding in enumerate(bpmn.lint(document))
            ],
        }

    @api.model
    def _next_version(self, company, key):
        """The version after the highest one there is."""
        latest = self.with_context(active_test=False).search_fetch(
            [("company_id", "=", company.id), ("key", "=", key)],
            ["version"],
            order="version desc",
            limit=1,
        )
        return latest.version + 1

    @api.model
    def _import(self, data, company=None):
        """Make a draft of a file: a new process, or the next version of a known one.

        :param bytes data: of the file
        :param company: owner; the user's company if not given
        :return: the draft
        """
        document = self._parse(data)
        key, name = bpmn.main_process(document)
        return self.create(
            {
                "name": name or key or self.env._("Imported process"),
                "xml": document.text,
                "company_id": (company or self.env.company).id,
            }
        )

    # --- CRUD ---

    @api.model_create_multi
    def create(self, vals_list):
        taken = {}
        vals_list = [dict(vals) for vals in vals_list]
        for vals in vals_list:
            vals.update(self._prepare_diagram_values(vals.get("xml") or ""))
            company = self.env["res.company"].browse(
                vals.setdefault("company_id", self.env.company.id)
            )
            pair = (company.id, vals["key"])
            if pair not in taken:
                taken[pair] = self._next_version(company, vals["key"])
            vals["version"] = taken[pair]
            taken[pair] += 1
            # A process comes into use through action_deploy only.
            vals["state"] = "draft"
        return super().create(vals_list)

    def write(self, vals):
        if {"xml", "company_id"} & vals.keys():
            for process in self:
                if process.state != "draft":
                    raise UserError(
                        self.env._(
                            "“%(process)s” is no draft any more. Make a new version of"
                            " it to change it.",
                            process=process.display_name,
                        )
                    )
        if "xml" not in vals and "company_id" not in vals:
            return super().write(vals)
        for process in self:
            changed = dict(vals)
            if "xml" in vals:
                changed.update(self._prepare_diagram_values(vals["xml"] or ""))
            company = self.env["res.company"].browse(
                changed.get("company_id", process.company_id.id)
            )
            key = changed.get("key", process.key)
            if (company, key) != (process.company_id, process.key):
                changed["version"] = self._next_version(company, key)
            super(BpmnProcess, process).write(changed)
        return True

    @api.ondelete(at_uninstall=False)
    def _unlink_except_deployed(self):
        for process in self:
            if process.state == "deployed":
                raise UserError(
                    self.env._(
                        "“%(process)s” is deployed. Retire it before you delete it.",
                        process=process.display_name,
                    )
                )

    @api.constrains("active", "state")
    def _check_active(self):
        for process in self:
            if process.state == "deployed" and not process.active:
                raise ValidationError(
                    self.env._(
                        "“%(process)s” is deployed. Retire it before you archive it.",
                        process=process.display_name,
                    )
                )

    # --- LIFE ---

    def action_check_diagram(self):
        """Look at the diagram again, with what this version knows."""
        self.check_access("write")
        for process in self:
            values = self._prepare_diagram_values(process.xml)
            super(BpmnProcess, process).write({"finding_ids": values["finding_ids"]})
        return True

    def action_deploy(self):
        """Put this version to use; the one in use before is retired."""
        for process in self:
            if process.state == "deployed":
                continue
            process.action_check_diagram()
            process._raise_if_refused()
            former = self.search(
                [
                    ("company_id", "=", process.company_id.id),
                    ("key", "=", process.key),
                    ("state", "=", "deployed"),
                ]
            )
            former.state = "retired"
            # The unique index sees one statement after the other.
            former.flush_recordset(["state"])
            process.write(
                {
                    "state": "deployed",
                    "active": True,
                    "deployed_at": fields.Datetime.now(),
                    "deployed_by_id": self.env.uid,
                }
            )
            if former:
                process._message_log(
                    body=self.env._(
                        "Takes the place of version %(version)s.",
                        version=former.version,
                    )
                )
        return True

    def _raise_if_refused(self):
        """:raise UserError: with what stands against a deployment, in words"""
        errors = self.finding_ids.filtered(lambda f: f.severity == "error")
        if not errors:
            return
        lines = [f"• {message}" for message in errors.mapped("message")]
        if len(lines) > SHOWN_FINDINGS:
            more = len(lines) - SHOWN_FINDINGS
            lines = lines[:SHOWN_FINDINGS]
            lines.append(self.env._("… and %(count)s more.", count=more))
        raise UserError(
            self.env._(
                "“%(process)s” cannot be deployed:\n%(findings)s",
                process=self.display_name,
                findings="\n".join(lines),
            )
        )

    def action_retire(self):
        """Take this version out of use."""
        self.filtered(lambda p: p.state == "deployed").write({"state": "retired"})
        return True

    def action_new_version(self):
        """Make a draft of the next version and open it."""
        self.ensure_one()
        draft = self.copy({"name": self.name})
        return draft._action_open()

    def action_view_versions(self):
        """Open all versions of this process."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_sales_automation.bpmn_process_action"
        )
        action["domain"] = [
            ("key", "=", self.key),
            ("company_id", "=", self.company_id.id),
        ]
        action["context"] = {"active_test": False}
        return action

    def action_export(self):
        """Download the diagram as a .bpmn file."""
        self.ensure_one()
        self.check_access("read")
        return {
            "type": "ir.actions.act_url",
            "url": f"/web/content/bpmn.process/{self.id}/file/{self.file_name}"
            "?download=true",
            "target": "download",
        }

    def _action_open(self):
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
        }
