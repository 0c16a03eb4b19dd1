import os
import re
import shutil
import socket
from datetime import timedelta
from pathlib import Path

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.modules.module import get_module_path
from odoo.tools import LazyTranslate
from odoo.tools.constants import GC_UNLINK_LIMIT

import odoo.addons
from odoo.addons.crm_data_governance.messages import render

from ..runner import FILE_NAMES, JobFolder

_lt = LazyTranslate(__name__)

_FUNCTION = re.compile(r"crm_[a-z0-9_]+_tools(\.\w+)*:\w+\Z")
_FILE_NAME = re.compile(r"\w[\w.-]*\Z")
KEEP_DAYS = 90
# What ended a job.
ERROR_TEXTS = {
    "collect": _lt("The result could not be stored (%(type)s)."),
    "cpu": _lt("The calculation used up its processor time."),
    "exception": _lt("The calculation stopped with an error (%(type)s)."),
    "function": _lt("There is no calculation %(function)s."),
    "lost": _lt(
        "The process ended without a result: it was stopped from outside, ran"
        " out of memory or its machine was restarted."
    ),
    "memory": _lt("The calculation needed more than its %(memory)s MB of memory."),
    "start": _lt("The process could not be started (%(reason)s)."),
    "timeout": _lt("The calculation took longer than its time limit."),
    "unreadable": _lt("The result could not be read."),
}


class OmniJob(models.Model):
    """Heavy work in a process of its own.

    Whoever has heavy work gathers its input into files and calls :meth:`_start`.
    After the commit ``runner.py`` is started on the job's folder; the scheduled
    action (or a person's click) later collects its result or ends it.  Any process
    of any host may do that: what it needs to know is in the row and in the folder.
    """

    _name = "omni.job"
    _description = "Background Job"
    _order = "id desc"

    name = fields.Char(required=True, readonly=True)
    function = fields.Char(
        required=True,
        readonly=True,
        help="The calculation, as module:function.",
    )
    arguments = fields.Json(readonly=True)
    has_files = fields.Boolean(
        string="With Files",
        readonly=True,
        help="The job was given files. They are deleted with its folder when it"
        " ends, so it cannot be repeated from here: start it again where it came"
        " from.",
    )
    collect_model = fields.Char(readonly=True)
    collect_method = fields.Char(readonly=True)
    state = fields.Selection(
        [
            ("waiting", "Waiting"),
            ("running", "Running"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
        ],
        "Status",
        default="waiting",
        required=True,
        readonly=True,
        index=True,
    )
    user_id = fields.Many2one(
        "res.users",
        string="Started by",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
        default=lambda self: self.env.user,
    )
    company_id = fields.Many2one(
        "res.company",
        readonly=True,
        index=True,
        default=lambda self: self.env.company,
    )

    # Process
    folder = fields.Char(compute="_compute_folder")
    host = fields.Char(readonly=True, help="The machine that holds the job's files.")
    pid = fields.Integer(string="Process ID", readonly=True, aggregator=None)
    process_key = fields.Char(
        readonly=True,
        help="Start of the process, which tells it from a later one of the same ID.",
    )
    timeout = fields.Integer(
        string="Time Limit (s)", required=True, readonly=True, aggregator=None
    )
    memory = fields.Integer(
        string="Memory Limit (MB)", required=True, readonly=True, aggregator=None
    )
    started_at = fields.Datetime(string="Started", readonly=True)
    deadline_at = fields.Datetime(string="Deadline", readonly=True)
    heartbeat_at = fields.Datetime(string="Last Sign of Life", readonly=True)
    ended_at = fields.Datetime(string="Ended", readonly=True)
    duration = fields.Float(
        string="Duration (h)", compute="_compute_duration", aggregator=None
    )
    cancel_requested = fields.Boolean(readonly=True)

    # Outcome
    progress = fields.Float(readonly=True, aggregator=None)
    progress_code = fields.Char(readonly=True)
    progress_params = fields.Json(readonly=True)
    progress_text = fields.Char(string="Step", compute="_compute_progress_text")
    result = fields.Json(readonly=True)
    error_code = fields.Char(readonly=True)
    error_params = fields.Json(readonly=True)
    error = fields.Char(compute="_compute_error")
    output = fields.Text(
        string="Last Output",
        readonly=True,
        groups="crm_omnichannel.group_omnichannel_manager",
        help="The last lines that the process printed.",
    )

    # --- COMPUTES ---

    def _compute_folder(self):
        for job in self:
            job.folder = str(job._folder_path()) if job.id else False

    @api.depends("started_at", "ended_at")
    def _compute_duration(self):
        now = fields.Datetime.now()
        for job in self:
            span = (job.ended_at or now) - job.started_at if job.started_at else None
            job.duration = span.total_seconds() / 3600 if span else 0.0

    @api.depends("progress_code", "progress_params")
    @api.depends_context("lang")
    def _compute_progress_text(self):
        for job in self:
            job.progress_text = (
                render(
                    self.env,
                    self._progress_texts(),
                    job.progress_code,
                    job.progress_params,
                )
                or False
            )

    @api.depends("error_code", "error_params")
    @api.depends_context("lang")
    def _compute_error(self):
        for job in self:
            job.error = (
                render(self.env, self._error_texts(), job.error_code, job.error_params)
                or False
            )

    @api.model
    def _progress_texts(self):
        """Texts of the steps that jobs report, by code.

        An addon with jobs of its own adds its steps here.

        :return: ``{code: lazy text}``, params as placeholders
        """
        return {}

    @api.model
    def _error_texts(self):
        """Texts of the errors that end a job, by code; extended as the steps are.

        :return: ``{code: lazy text}``, params as placeholders
        """
        return ERROR_TEXTS

    # --- CRUD ---

    @api.model
    def _has_field_access(self, field, operation):
        # A row says which code runs with all rights: only code writes it.
        return super()._has_field_access(field, operation) and (
            operation == "read" or self.env.su
        )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_active(self):
        if any(job.state in ("waiting", "running") for job in self):
            raise UserError(self.env._("Cancel a job before you delete it."))

    # --- ACTIONS ---

    def action_cancel(self):
        """Give up waiting and running jobs."""
        self.check_access("read")
        # Whoever sees a job may cancel it; the fields are nobody's to write.
        jobs_sudo = self.sudo().filtered(
            lambda job: job.state in ("waiting", "running")
        )
        jobs_sudo.cancel_requested = True
        job_ids = jobs_sudo.ids
        self._after_commit(lambda: self._tick(job_ids))
        return True

    def action_refresh(self):
        """Look after the jobs now instead of at the next tick."""
        self.check_access("read")
        job_ids = self.ids
        self._after_commit(lambda: self._tick(job_ids))
        return True

    def action_retry(self):
        """Start a job again with the same arguments.

        :return: action that opens the new job
        """
        self.ensure_one()
        self.check_access("read")
        # What a person may see and has started from a button once, may be repeated.
        job_sudo = self.sudo()
        if job_sudo.state not in ("failed", "cancelled"):
            raise UserError(self.env._("Only a job that failed can be repeated."))
        if job_sudo.has_files:
            raise UserError(
                self.env._(
                    "The files of this job were deleted when it ended. Start it again"
                    " where it came from."
                )
            )
        job = self._start(
            job_sudo.function,
            job_sudo.arguments or {},
            {},
            job_sudo.timeout,
            collect=(job_sudo.collect_model, job_sudo.collect_method),
            name=job_sudo.name,
            memory=job_sudo.memory,
        )
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": job.id,
            "views": [(False, "form")],
        }

    # --- START ---

    @api.model
    def _start(
        self,
        function,
        arguments,
        files,
        timeout,
        collect=("omni.job", "_collect_nothing"),
        name=None,
        memory=4096,
    ):
        """Hand heavy work over to a process of its own.

        It is started once this transaction has been committed; when that never
        happens, nothing is started and nothing is left.

        :param str function: ``crm_x_tools.part:function``, called as
            ``function(job, **arguments)`` (see ``runner.py``)
        :param dict arguments: what JSON can hold
        :param dict files: name in the job's folder → bytes, the path of a file to
            move there, or a callable that writes to the path it is given
        :param int timeout: seconds after which the job is ended
        :param tuple collect: (model, method): ``env[model].method(job, folder)``
            is called once with the finished job (``job.result``) and its folder, in
            one transaction with the end of the job, as the user who started it with
            all rights
        :param str name: what the user sees (default: the function)
        :param int memory: limit of address space in MB, 0 for none
        :return: the job
        """
        if not _FUNCTION.match(function):
            raise ValueError(f"Not a function of a tools package: {function}")
        for file_name in files:
            if not _FILE_NAME.match(file_name) or file_name in FILE_NAMES:
                raise ValueError(f"Not a name for a file of a job: {file_name!r}")
        collect_model, collect_method = collect
        # Nobody may write jobs by hand; code starts them for every user.
        job = self.sudo().create(
            {
                "name": name or function,
                "function": function,
                "arguments": arguments,
                "has_files": bool(files),
                "collect_model": collect_model,
                "collect_method": collect_method,
                "user_id": self.env.uid,
                "company_id": self.env.company.id,
                "host": self._host(),
                "timeout": timeout,
                "memory": memory,
            }
        )
        path = job._folder_path()
        self.env.cr.postrollback.add(lambda: self._remove_folder(path))
        self._make_folder(path)
        for file_name, content in files.items():
            target = path / file_name
            if isinstance(content, bytes):
                target.write_bytes(content)
            elif callable(content):
                content(target)
            else:
                shutil.move(os.fspath(content), target)
        JobFolder(path).put(
            "job.json",
            {
                "function": function,
                "arguments": arguments,
                "timeout": timeout,
                "memory": memory,
                "loader": str(
                    Path(get_module_path("crm_data_governance"), "tools_loader.py")
                ),
                "addons_paths": self._addons_paths(),
            },
        )
        self._after_commit(self._launch_waiting)
        return job.with_env(self.env)

    @api.model
    def _addons_paths(self):
        return list(odoo.addons.__path__)

    @api.model
    def _host(self):
        return socket.gethostname()

    @api.model
    def _collect_nothing(self, job, folder):
        """Collector of a job whose result is what it shows."""

    # --- END ---

    def _notify(self):
        """Tell the user, if a person, what has become of the job."""
        self.ensure_one()
        user = self.user_id
        if not user.active:
            # Scheduled actions run as the root user, which is nobody to tell.
            return
        job = self.with_context(lang=user.lang)
        messages = {
            "done": ("success", job.env._("%(job)s: done.", job=job.name)),
            "failed": (
                "danger",
                job.env._("%(job)s failed. %(error)s", job=job.name, error=job.error),
            ),
            "cancelled": ("info", job.env._("%(job)s: cancelled.", job=job.name)),
        }
        kind, message = messages[job.state]
        user._bus_send(
            "simple_notification",
            {"type": kind, "message": message, "sticky": job.state == "failed"},
        )

    @api.autovacuum
    def _gc_jobs(self):
        """Forget jobs that ended long ago."""
        before = fields.Datetime.now() - timedelta(days=KEEP_DAYS)
        old = self.search([("ended_at", "<", before)], limit=GC_UNLINK_LIMIT)
        old.unlink()
        return len(old), len(old) == GC_UNLINK_LIMIT
