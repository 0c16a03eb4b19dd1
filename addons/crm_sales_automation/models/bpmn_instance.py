import logging
import time
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL, plaintext2html

from odoo.addons.crm_data_governance.db import (
    CONCURRENCY_ERRORS,
    collide,
    take_batches,
)
from odoo.addons.crm_data_governance.during import during, told
from odoo.addons.crm_omnichannel.messages import cause_of

from ..errors import ProcessError
from ..messages import INCIDENTS
from ..tools import engine
from ..tools.engine import EngineError

_logger = logging.getLogger(__name__)

OPEN_STATES = ("running", "waiting", "incident")
#: What one request does by itself; the rest is left to the scheduled action.
STARTS_IN_REQUEST = 10
SERVICES_IN_REQUEST = 20
#: Services that an instance may perform before it must wait for somebody.
MAX_SERVICES = 200
#: Instances that may start one another in a row.
MAX_CHAIN = 5
#: What tells a start how many instances have started one another before it.
CHAIN = "crm_sales_automation.chain"
CRON_SECONDS = 50


class BpmnInstance(models.Model):
    _name = "bpmn.instance"
    _description = "Running Process"
    _order = "id desc"

    process_id = fields.Many2one(
        "bpmn.process", required=True, readonly=True, index=True, ondelete="restrict"
    )
    process_key = fields.Char(related="process_id.key", store=True, index=True)
    company_id = fields.Many2one(related="process_id.company_id", store=True)
    res_model = fields.Char(string="Model", required=True, readonly=True)
    res_id = fields.Many2oneReference(
        string="Record", model_field="res_model", required=True, readonly=True
    )
    lead_id = fields.Many2one(
        "crm.lead",
        string="Opportunity",
        compute="_compute_lead_id",
        store=True,
        index=True,
        ondelete="cascade",
    )
    state = fields.Selection(
        [
            ("running", "Running"),
            ("waiting", "Waiting"),
            ("incident", "Incident"),
            ("done", "Done"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        default="running",
        index=True,
        help="Running: it goes on by itself within a minute. Waiting: somebody has a"
        " task. Incident: a step failed and can be tried again.",
    )
    execution = fields.Json(
        string="Engine State", readonly=True, groups="base.group_system"
    )
    started_at = fields.Datetime(readonly=True, default=fields.Datetime.now)
    ended_at = fields.Datetime(readonly=True)
    started_by_id = fields.Many2one("res.users", string="Started by", readonly=True)
    chain = fields.Integer(
        readonly=True,
        help="How many processes started one another before this one.",
    )
    step_ids = fields.One2many("bpmn.instance.step", "instance_id", string="Steps")
    incident_ids = fields.One2many("bpmn.incident", "instance_id", string="Incidents")
    waiting_for = fields.Char(compute="_compute_waiting_for")

    _running_uniq = models.UniqueIndex(
        "(process_key, company_id, res_model, res_id)"
        " WHERE state IN ('running', 'waiting', 'incident')",
        "This process is running on the record already.",
    )
    _record_idx = models.Index("(res_model, res_id)")
    _queue_idx = models.Index("(id) WHERE state = 'running'")

    # --- COMPUTE ---

    @api.depends("process_id.name", "process_id.version", "res_model", "res_id")
    def _compute_display_name(self):
        for instance in self:
            record = instance._record()
            instance.display_name = self.env._(
                "%(process)s: %(record)s",
                process=instance.process_id.name or "",
                record=record.display_name if record else instance.res_id,
            )

    @api.depends("res_model", "res_id")
    def _compute_lead_id(self):
        for instance in self:
            on_lead = instance.res_model == "crm.lead"
            instance.lead_id = instance.res_id if on_lead else False

    @api.depends("step_ids.state", "step_ids.name")
    def _compute_waiting_for(self):
        for instance in self:
            open_steps = instance.step_ids.filtered(lambda s: s.state == "waiting")
            instance.waiting_for = ", ".join(open_steps.mapped("caption"))

    def _record(self):
        """The record that the instance runs on; empty when it is gone."""
        self.ensure_one()
        return self.env[self.res_model].browse(self.res_id).exists()

    # --- STARTING ---

    @api.model
    def _start(self, process, records):
        """Start a process on records where it, or another version, does not run yet.

        The first ones go on at once, the others within a minute.

        :param process: a deployed version
        :param records: of the model that it runs on
        :return: the new instances
        """
        collide(records)
        taken = {
            instance.res_id
            for instance in self.search_fetch(
                [
                    ("process_key", "=", process.key),
                    ("company_id", "=", process.company_id.id),
                    ("res_model", "=", records._name),
                    ("res_id", "in", records.ids),
                    ("state", "in", OPEN_STATES),
                ],
                ["res_id"],
            )
        }
        chain = told(self.env, CHAIN) or 0
        instances = self.create(
            [
                {
                    "process_id": process.id,
                    "res_model": records._name,
                    "res_id": record.id,
                    "started_by_id": self.env.uid,
                    "chain": chain,
                }
                for record in records
                if record.id not in taken
            ]
        )
        if chain >= MAX_CHAIN:
            for instance in instances:
                instance._open_incident(
                    EngineError("too_many_chained", limit=MAX_CHAIN)
                )
            return instances
        # What a process itself has set off goes on in a transaction of its own.
        at_once = instances[:STARTS_IN_REQUEST] if not chain else self
        at_once._go_on(SERVICES_IN_REQUEST)
        if instances - at_once:
            self._trigger_cron()
        return instances

    # --- GOING ON ---

    def _lock(self):
        """Hold the rows until the end of the transaction: one worker an instance.

        A worker that was quicker makes this fail as every concurrent change does, and
        the request is run again on what is true then.
        """
        self.flush_recordset()
        self.env.cr.execute(
            SQL(
                "SELECT id FROM bpmn_instance WHERE id IN %s ORDER BY id FOR UPDATE",
                tuple(self.ids),
            ),
            log_exceptions=False,
        )
        self.invalidate_recordset()

    def _go_on(self, services=MAX_SERVICES):
        """Let each instance go on until it waits, ends, or fails with an incident.

        :param int services: effects that each may make now; the scheduled action goes
            on from there
        """
        if not self:
            return
        # What the user has written fails as it would without a process.
        self.env.flush_all()
        self._lock()
        for instance in self:
            if instance.state != "running":
                continue
            try:
                with self.env.cr.savepoint():
                    instance._run(services)
            except CONCURRENCY_ERRORS:
                raise
            # Whatever a diagram, a record or another addon does wrong stops this
            # instance alone, neither the user who caused the event nor the others.
            except Exception as error:  # noqa: BLE001
                instance._open_incident(error)

    def _run(self, services):
        """Go on from the stored state; each state reached is stored with its effect.

        A failure that has to do with one shape becomes an incident there and keeps
        what was done before it.
        """
        self.ensure_one()
        xml = self.process_id.xml
        run = engine.load(xml, self.execution) if self.execution else engine.start(xml)
        for number in range(services + 1):
            try:
                self._log_passed(run.advance(self._context_values()))
            except EngineError as error:
                self._open_incident(error)
                return
            self.execution = run.save()
            task = next(
                (t for t in run.waiting() if t.node.kind == engine.SERVICE), None
            )
            if task is None:
                self._settle(run)
                return
            if number == services:
                break
            if not self._attempt(task, self._perform):
                return
            run.complete(task.id)
            self.execution = run.save()
        if services >= MAX_SERVICES:
            self._open_incident(EngineError("too_many_services", limit=MAX_SERVICES))
        else:
            self._trigger_cron()

    def _context_values(self):
        """What conditions read besides the variables of the instance."""
        record = self._record()
        if not record:
            raise ProcessError("record_gone")
        return {
            "record": record._bpmn_snapshot(),
            "today": fields.Date.context_today(
                self.with_context(tz=self.company_id.partner_id.tz or "UTC")
            ),
        }

    def _attempt(self, task, work):
        """Do something for a task in a savepoint of its own.

        :param task: ``engine.Waiting``
        :param work: method of ``self`` that takes the task
        :return: True; False after an incident, when nothing of it is left
        """
        try:
            with self.env.cr.savepoint():
                work(task)
        except CONCURRENCY_ERRORS:
            raise
        # As in _go_on: another addon may refuse the effect in any way it likes.
        except Exception as error:  # noqa: BLE001
            self._open_incident(error, task.node)
            return False
        return True

    def _settle(self, run):
        """The engine has stopped by itself: at tasks of people, or at the end."""
        waiting = {t.id: t for t in run.waiting()}
        steps = self.step_ids.filtered(lambda step: step.state == "waiting")
        steps.filtered(lambda step: step.task_id not in waiting)._cancel()
        known = set(self.step_ids.mapped("task_id"))
        for task in waiting.values():
            if task.id not in known and not self._attempt(task, self._assign):
                return
        if run.finished:
            self._end("done")
        else:
            self.state = "waiting"

    def _log_passed(self, nodes):
        """History rows of what needed nobody."""
        now = fields.Datetime.now()
        self.env["bpmn.instance.step"].create(
            [
                {
                    **self._prepare_step_values(node),
                    "state": "done",
                    "started_at": now,
                    "ended_at": now,
                }
                for node in nodes
            ]
        )

    def _prepare_step_values(self, node):
        return {
            "instance_id": self.id,
            "element_id": node.key,
            "element_type": node.tag,
            "name": node.name,
        }

    # --- TASKS OF PEOPLE ---

    def _assign(self, task):
        """Give a person a task: an activity on the record."""
        step = self.env["bpmn.instance.step"].create(
            {
                **self._prepare_step_values(task.node),
                "task_id": task.id,
                "variable": task.node.extensions.variable,
                "outcomes": [[o.value, o.name] for o in task.node.extensions.outcomes],
            }
        )
        step._schedule(task.node)

    # --- THE PALETTE ---

    def _perform(self, task):
        """Make the effect of a service task, once.

        The row of the step is the key: it is unique for the pass through the shape,
        and stands in the transaction of the effect and of the state after it.
        """
        now = fields.Datetime.now()
        said = task.node.extensions
        step = self.env["bpmn.instance.step"].create(
            {
                **self._prepare_step_values(task.node),
                "task_id": task.id,
                "state": "done",
                "started_at": now,
                "ended_at": now,
            }
        )
        instance = self.with_company(self.company_id)
        record = instance._record()
        if not record:
            raise ProcessError("record_gone")
        do = getattr(instance, f"_do_{said.action}")
        with during(self.env, CHAIN, self.chain + 1):
            step.write(do(record, said.parameters))

    def _do_set_stage(self, record, parameters):
        stage = self._find_stage(parameters["stage"], record.team_id)
        values = {
            "note_code": "stage_kept",
            "note_params": {"stage": stage.id},
        }
        if record.stage_id != stage:
            values["note_code"] = "stage_set"
            values["note_params"]["former"] = record.stage_id.id
            record.stage_id = stage
        return values

    def _do_create_quotation(self, record, parameters):
        template = self.env["sale.order.template"]
        if parameters.get("template"):
            template = self._find_template(parameters["template"], self.company_id)
        order, is_new = record._generate_quotation(
            template=template, fallback=self.process_id.quotation_template_id
        )
        return {
            "note_code": "quotation_made" if is_new else "quotation_kept",
            "note_params": {"order": order.name},
            "result_model": order._name,
            "result_id": order.id,
        }

    def _do_create_activity(self, record, parameters):
        activity = self._schedule_activity(
            record,
            parameters["summary"],
            parameters.get("note", ""),
            parameters,
        )
        return {
            "note_code": "activity_made",
            "note_params": {"summary": parameters["summary"]},
            "result_model": activity._name,
            "result_id": activity.id,
        }

    def _schedule_activity(self, record, summary, note, parameters):
        """Make an activity on the record.

        :param dict parameters: ``days`` until it is due, ``responsible`` (login)
        """
        user = record._bpmn_responsible()
        if parameters.get("responsible"):
            user = self._find_user(parameters["responsible"], self.company_id)
        zone = user.tz or self.company_id.partner_id.tz or "UTC"
        today = fields.Date.context_today(self.with_context(tz=zone))
        return record.activity_schedule(
            "mail.mail_activity_data_todo",
            date_deadline=today + timedelta(days=int(parameters.get("days", 0))),
            summary=summary,
            note=plaintext2html(note) if note else "",
            user_id=user.id or self.started_by_id.id or self.env.uid,
        )

    # --- WHAT A DIAGRAM NAMES ---

    @api.model
    def _check_references(self, said, company):
        """Whether everything that one shape names is there.

        :param said: ``palette.Extensions``
        :raise ProcessError: ``stage_unknown``, ``template_unknown``,
            ``user_unknown``
        """
        if said.parameters.get("stage"):
            self._find_stage(said.parameters["stage"])
        if said.parameters.get("template"):
            self._find_template(said.parameters["template"], company)
        if said.parameters.get("responsible"):
            self._find_user(said.parameters["responsible"], company)

    @api.model
    def _find_stage(self, text, team=None):
        """The stage of a name (in any language) or an xml id.

        :param team: only stages of this team's pipeline; None: any pipeline
        """
        domain = Domain.TRUE
        if team is not None:
            domain = Domain("team_ids", "=", False) | Domain("team_ids", "in", team.ids)
        stages = self.env["crm.stage"].sudo().search(domain)
        found = self._by_xml_id(text, stages) or self._by_name(text, stages)
        if not found:
            raise ProcessError("stage_unknown", stage=text)
        return found

    @api.model
    def _find_template(self, text, company):
        templates = (
            self.env["sale.order.template"]
            .sudo()
            .search(["|", ("company_id", "=", False), ("company_id", "=", company.id)])
        )
        found = self._by_xml_id(text, templates) or self._by_name(text, templates)
        if not found:
            raise ProcessError("template_unknown", template=text)
        return found

    @api.model
    def _find_user(self, login, company):
        user = (
            self.env["res.users"]
            .sudo()
            .search(
                [("login", "=", login), ("company_ids", "in", company.ids)], limit=1
            )
        )
        if not user:
            raise ProcessError("user_unknown", login=login)
        return user

    @api.model
    def _by_xml_id(self, text, records):
        found = self.env["ir.model.data"]._xmlid_to_res_id(text) if "." in text else 0
        return records.filtered(lambda record: record.id == found)

    @api.model
    def _by_name(self, text, records):
        """The first of the records that is called so in some language."""
        wanted = text.strip().casefold()
        codes = [code for code, _name in self.env["res.lang"].get_installed()]
        for record in records:
            names = {record.with_context(lang=code).name for code in codes}
            if wanted in {(name or "").strip().casefold() for name in names}:
                return record
        return records.browse()

    # --- INCIDENTS ---

    def _open_incident(self, error, node=None):
        """Stop here, and say why.

        :param Exception error: what went wrong
        :param node: the shape, if the error does not name it
        """
        self.ensure_one()
        code, params = self._cause(error)
        element_id = getattr(error, "element_id", "") or (node.key if node else "")
        node = node or engine.model(self.process_id.xml).nodes.get(element_id)
        self.env["bpmn.incident"].create(
            {
                "instance_id": self.id,
                "element_id": element_id,
                "element_name": node.name if node else "",
                "code": code,
                "params": params,
            }
        )
        self.state = "incident"

    @api.model
    def _cause(self, error):
        """Code and params of an incident."""
        if isinstance(error, EngineError | ProcessError) and error.code in INCIDENTS:
            return error.code, error.params
        if isinstance(error, UserError):
            code, params = cause_of(error, "refused")
            if code == "refused":
                _logger.info("A step of a process was refused", exc_info=error)
                return code, params
            return "refused", {"refusal": code, "refusal_params": params}
        _logger.error("A step of a process failed", exc_info=error)
        return "failed", {"detail": type(error).__name__}

    # --- QUEUE ---

    @api.model
    def _trigger_cron(self):
        self.env.ref("crm_sales_automation.ir_cron_go_on")._trigger()

    @api.model
    def _cron_go_on(self):
        take_batches(
            self.env.registry,
            self.env.uid,
            ("bpmn_instance", SQL("state = 'running'"), SQL("id"), 10),
            lambda env, ids: env["bpmn.instance"].browse(ids)._go_on(),
            deadline=time.monotonic() + CRON_SECONDS,
        )

    # --- ACTIONS ---

    def _check_may_work(self):
        """:raise AccessError: who may not change the record may not work on it"""
        self.check_access("read")
        for instance in self:
            instance._record().check_access("write")

    def action_cancel(self):
        """End the instance where it stands; what it did stays."""
        self._check_may_work()
        # The rows of instances are written by the process alone.
        instances = self.sudo().filtered(lambda i: i.state in OPEN_STATES)
        instances._end("cancelled")
        return True

    def _end(self, state):
        """End each where it stands.

        :param str state: ``cancelled`` or ``done``
        """
        if not self:
            return
        self.env.flush_all()
        self._lock()
        self.step_ids.filtered(lambda step: step.state == "waiting")._cancel()
        self.incident_ids._resolve()
        self.write({"state": state, "ended_at": fields.Datetime.now()})

    def action_retry(self):
        """Try the open incidents again."""
        return self.incident_ids.filtered(lambda i: i.state == "open").action_retry()

    def action_open_record(self):
        """Open what the process runs on."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "view_mode": "form",
        }
