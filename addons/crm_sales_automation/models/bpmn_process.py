import base64
import re

from odoo import api, fields, models, tools
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Command

from ..errors import ProcessError
from ..messages import REFUSALS, render
from ..tools import bpmn, palette
from ..tools.bpmn import BpmnError, Finding

#: Findings that the refusal of a deployment lists; the rest is on the screen.
SHOWN_FINDINGS = 10
#: What a version is made of: fixed from its first deployment on.
FIXED = {
    "xml",
    "company_id",
    "res_model",
    "start",
    "start_stage_id",
    "quotation_template_id",
}


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
    res_model = fields.Selection(
        [("crm.lead", "Opportunity")],
        string="Runs on",
        required=True,
        default="crm.lead",
    )
    start = fields.Selection(
        [
            ("manual", "Started by hand"),
            ("created", "An opportunity is created"),
            ("stage", "An opportunity enters a stage"),
        ],
        string="Begins when",
        required=True,
        default="manual",
        help="Whatever is chosen, a process in use can be started by hand as well.",
    )
    start_stage_id = fields.Many2one(
        "crm.stage", string="Stage", ondelete="restrict", index="btree_not_null"
    )
    quotation_template_id = fields.Many2one(
        "sale.order.template",
        ondelete="restrict",
        index="btree_not_null",
        domain="['|', ('company_id', '=', False), ('company_id', '=', company_id)]",
        help="Template of the quotations that this process makes, when neither the"
        " step in the diagram nor the opportunity names one. Without it the default"
        " template of the company is taken.",
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
    instance_ids = fields.One2many("bpmn.instance", "process_id", string="Instances")
    instance_count = fields.Integer(
        string="Number of Instances", compute="_compute_instance_counts"
    )
    incident_count = fields.Integer(
        string="Open Incidents", compute="_compute_instance_counts"
    )
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

    def _compute_instance_counts(self):
        counts = dict(
            self.env["bpmn.instance"]._read_group(
                [("process_id", "in", self.ids)], ["process_id"], ["__count"]
            )
        )
        incidents = dict(
            self.env["bpmn.incident"]._read_group(
                [("process_id", "in", self.ids), ("state", "=", "open")],
                ["process_id"],
                ["__count"],
            )
        )
        for process in self:
            process.instance_count = counts.get(process, 0)
            process.incident_count = incidents.get(process, 0)

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
        return render(self.env, REFUSALS, error.code, error.params)

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
    def _prepare_diagram_values(self, data, res_model, company):
        """Values that a diagram gives to its record: text, key, findings."""
        document = self._parse(data)
        key, _name = bpmn.main_process(document)
        found = bpmn.lint(document, self.env[res_model]._bpmn_readable())
        found += self._lint_references(document, company)
        rank = {"error": 0, "warning": 1, "info": 2}
        found.sort(key=lambda finding: rank[finding.severity])
        findings = self.env["bpmn.finding"]
        return {
            "xml": document.text,
            # A file without a process is kept too: it is a draft to be mended.
            "key": (key or "unnamed")[:250],
            "finding_ids": [Command.clear()]
            + [
                Command.create(findings._prepare_values(number, finding))
                for number, finding in enumerate(found)
            ],
        }

    @api.model
    def _lint_references(self, document, company):
        """Findings on what the diagram names and this database must have."""
        findings = []
        instances = self.env["bpmn.instance"]
        for _key, scope in bpmn.runnable_scopes(document):
            for key, node in scope.nodes.items():
                said = palette.read(node)
                try:
                    instances._check_references(said, company)
                except ProcessError as error:
                    findings.append(
                        Finding(
                            error.code,
                            "error",
                            key,
                            bpmn.tag_of(node),
                            node.get("name", "").strip(),
                            error.params,
                        )
                    )
        return findings

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
            company = self.env["res.company"].browse(
                vals.setdefault("company_id", self.env.company.id)
            )
            vals.update(
                self._prepare_diagram_values(
                    vals.get("xml") or "",
                    vals.setdefault("res_model", "crm.lead"),
                    company,
                )
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
        if {"state", "active"} & vals.keys():
            self.env.registry.clear_cache()
        if vals.keys() & FIXED:
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
            company = self.env["res.company"].browse(
                changed.get("company_id", process.company_id.id)
            )
            if "xml" in vals:
                changed.update(
                    self._prepare_diagram_values(
                        vals["xml"] or "",
                        vals.get("res_model", process.res_model),
                        company,
                    )
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

    @api.ondelete(at_uninstall=False)
    def _unlink_except_with_instances(self):
        for process in self:
            if process.sudo().instance_ids:
                raise UserError(
                    self.env._(
                        "“%(process)s” has run: its instances would lose their"
                        " diagram. Archive it instead.",
                        process=process.display_name,
                    )
                )

    @api.constrains("start", "start_stage_id")
    def _check_start_stage(self):
        for process in self:
            if process.start == "stage" and not process.start_stage_id:
                raise ValidationError(
                    self.env._("Choose the stage whose entry starts the process.")
                )

    @api.constrains("quotation_template_id", "company_id")
    def _check_quotation_template(self):
        for process in self:
            company = process.quotation_template_id.company_id
            if company and company != process.company_id:
                raise ValidationError(
                    self.env._(
                        "The quotation template “%(template)s” belongs to another"
                        " company.",
                        template=process.quotation_template_id.name,
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
            values = self._prepare_diagram_values(
                process.xml, process.res_model, process.company_id
            )
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

    def action_view_instances(self):
        """Open the instances of this version."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "crm_sales_automation.bpmn_instance_action"
        )
        action["domain"] = [("process_id", "=", self.id)]
        action["context"] = {}
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

    # --- STARTING ---

    @api.model
    @tools.ormcache()
    def _starts(self):
        """What starts by itself: ``tuple`` of (process, model, company, kind, stage).

        Asked with each record that is created or moved, so it is kept; changing the
        state of a process forgets it.
        """
        deployed = self.sudo().search_fetch(
            [("state", "=", "deployed"), ("start", "!=", "manual")],
            ["res_model", "company_id", "start", "start_stage_id"],
            order="id",
        )
        return tuple(
            (p.id, p.res_model, p.company_id.id, p.start, p.start_stage_id.id)
            for p in deployed
        )

    @api.model
    def _start_for(self, records, kind):
        """Start what is bound to an event of some records.

        Never raises for what a process does: that becomes an incident.

        :param records: of one model, as the event has left them
        :param str kind: ``created`` or ``stage``
        """
        for process_id, res_model, company_id, start, stage_id in self._starts():
            if (start, res_model) != (kind, records._name):
                continue
            # As the process, not as the user: who may write the record starts what
            # a designer has bound to it.
            process_sudo = self.sudo().browse(process_id)
            concerned = records.sudo().filtered(
                lambda record, company_id=company_id, stage_id=stage_id: (
                    record._bpmn_company().id == company_id
                    and (kind != "stage" or record.stage_id.id == stage_id)
                )
            )
            if concerned:
                self.env["bpmn.instance"].sudo()._start(process_sudo, concerned)

    def _action_open(self):
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
        }
