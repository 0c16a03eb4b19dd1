import fcntl
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.modules.module import get_module_path
from odoo.tools import LazyTranslate, config
from odoo.tools.constants import GC_UNLINK_LIMIT

import odoo.addons
from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS
from odoo.addons.crm_data_governance.messages import render

from ..runner import FILE_NAMES, JobFolder, end_process, process_key

_logger = logging.getLogger(__name__)
_lt = LazyTranslate(__name__)

_FUNCTION = re.compile(r"crm_[a-z0-9_]+_tools(\.\w+)*:\w+\Z")
_FILE_NAME = re.compile(r"\w[\w.-]*\Z")
# Of the server's environment the child gets these and nothing else: no password of
# the database, no key.
CHILD_ENVIRONMENT = (
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "PATH",
    "POLARS_MAX_THREADS",
    "PYTHONPATH",
    "TZ",
)
# A process that does not beat for so long is given up (seconds).
HEARTBEAT_TIMEOUT = 900
# A claimed job whose process has not shown up after this time never started.
START_TIMEOUT = 60
# Conflicts in a row after which a job is left to the next tick.
MAX_TRIES = 8
# A folder without a waiting or running job is left alone so long: the transaction
# that gathers into it may still be open.
ORPHAN_SECONDS = 24 * 3600
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

# Processes that this one started, kept until they are reaped.
_children = {}


def _reap_children():
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


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

    # --- FOLDERS ---

    @api.model
    def _root_path(self):
        return Path(config["data_dir"], "crm_jobs", self.env.cr.dbname)

    def _folder_path(self):
        # Built from the id, never read from the row: what is deleted is ours.
        return self._root_path() / str(self.id)

    @api.model
    def _make_folder(self, path):
        root = path.parent
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Input of a dropped database of the same name may stand here.
        self._remove_folder(path)
        path.mkdir(mode=0o700)

    @api.model
    def _remove_folder(self, path):
        """End what still runs in a folder and delete it."""
        folder = JobFolder(path)
        pid, key = self._folder_process(folder)
        end_process(pid, key)
        shutil.rmtree(path, ignore_errors=True)
        if path.is_dir():
            # A file written while the tree was deleted: once more.
            shutil.rmtree(path, ignore_errors=True)

    @api.model
    def _folder_process(self, folder):
        """The process that says it works in a folder.

        :param JobFolder folder: the folder
        :return: (pid, key), both None when there is none on this machine
        """
        try:
            process = folder.get("process.json") or {}
        except ValueError:
            process = {}
        return process.get("pid"), process.get("key")

    # --- LAUNCH ---

    @api.model
    def _take_slot(self, places):
        """Take one of the places for heavy work on this machine.

        A place is a locked file.  The child inherits the lock and holds it until it
        ends, however it ends; no count can go wrong.

        :param int places: how many places the machine has
        :return: descriptor of the locked file; None when all places are taken
        """
        folder = self._root_path().parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for place in range(places):
            # All databases of the machine share its places.
            slot = os.open(
                folder / f".{self._host()}.{place}.lock", os.O_RDWR | os.O_CREAT, 0o600
            )
            try:
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(slot)
            else:
                return slot
        return None

    @api.model
    def _launch_waiting(self):
        """Start the oldest waiting jobs while there is a place for them."""
        with self._fresh_env() as env:
            waiting = env["omni.job"].search(
                [("state", "=", "waiting"), ("cancel_requested", "=", False)],
                order="id",
            )
            waiting_ids = waiting.filtered(lambda job: job._folder_path().is_dir()).ids
            places = env["ir.config_parameter"].get_param(
                "crm_omnichannel.jobs_per_host", "1"
            )
            places = max(1, int(places)) if places.isdigit() else 1
        for job_id in waiting_ids:
            slot = self._take_slot(places)
            if slot is None:
                return
            try:
                self._launch(job_id, slot)
            finally:
                os.close(slot)

    @api.model
    def _launch(self, job_id, slot):
        """Start the process of a job, at most once.

        The claim is committed before the process is started: a server that dies in
        between leaves a job that is given up, never one that runs twice.
        """

        def claim(job):
            now = fields.Datetime.now()
            job.write(
                {
                    "state": "running",
                    "host": self._host(),
                    "started_at": now,
                    "heartbeat_at": now,
                    "deadline_at": now + timedelta(seconds=job.timeout),
                }
            )
            return job._folder_path()

        path = self._transact(job_id, "waiting", claim)
        if path is None:
            return
        _reap_children()
        try:
            child = self._spawn(path, slot)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            _logger.exception("Job %s could not be started", job_id)
            self._end(job_id, "failed", "start", {"reason": reason})
            return
        _children[child.pid] = child
        values = {"pid": child.pid, "process_key": process_key(child.pid)}
        self._transact(job_id, "running", lambda job: job.write(values))

    @api.model
    def _spawn(self, path, slot):
        environment = {
            name: os.environ[name] for name in CHILD_ENVIRONMENT if name in os.environ
        }
        # What libraries cache goes with the folder.
        environment.update(HOME=str(path), TMPDIR=str(path), PYTHONUNBUFFERED="1")
        runner = Path(get_module_path("crm_omnichannel"), "runner.py")
        with (path / "output.log").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, str(runner), str(path)],
                cwd=path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(slot,),
            )

    # --- TICK ---

    @api.model
    def _cron_tick(self):
        """Look after all jobs: collect, end, start."""
        self._tick()

    @api.model
    def _tick(self, job_ids=None):
        """Look after jobs, each in a transaction of its own.

        :param list job_ids: only these (default: all that wait or run)
        """
        _reap_children()
        with self._fresh_env() as env:
            domain = [("state", "in", ("waiting", "running"))]
            if job_ids is not None:
                domain.append(("id", "in", job_ids))
            active_ids = env["omni.job"].search(domain, order="id").ids
        for job_id in active_ids:
            try:
                self._tick_job(job_id)
            except Exception:
                # Whatever is wrong with one job must not hold up the others.
                _logger.exception("Job %s: left to the next tick", job_id)
        self._launch_waiting()

    @api.model
    def _tick_job(self, job_id):
        """Decide about one job and act."""
        with self._fresh_env() as env:
            job = env["omni.job"].browse(job_id).exists()
            verdict, values = job._examine() if job else (None, {})
        if verdict == "collect":
            self._collect(job_id)
        elif verdict in ("failed", "cancelled"):
            self._end(job_id, verdict, values.get("code"), values.get("params"))
        elif verdict == "alive":
            self._transact(job_id, "running", lambda job: job._write_changed(values))

    def _examine(self):
        """What has become of a job, as the folder and the process tell.

        :return: verdict (None, ``collect``, ``failed``, ``cancelled`` or ``alive``)
            and its values
        """
        folder = JobFolder(self._folder_path())
        here = self.host == self._host()
        if self.cancel_requested:
            return "cancelled", {}
        if self.state == "waiting":
            if here and not folder.path.is_dir():
                return "failed", {"code": "lost"}
            return None, {}
        if self.state != "running":
            return None, {}
        # Looked at first: what a process writes last is then not missed.
        alive = here and self._process_alive(folder)
        try:
            if folder.has("result.json"):
                return "collect", {}
            error = folder.get("error.json")
        except ValueError:
            return "failed", {"code": "unreadable"}
        if error is not None:
            readable = isinstance(error, dict)
            return "failed", error if readable else {"code": "unreadable"}
        now = fields.Datetime.now()
        if now > self.deadline_at:
            return "failed", {"code": "timeout"}
        if here and not alive and not self._process_starting(folder, now):
            return "failed", {"code": "lost"}
        beat = folder.heartbeat()
        beat_at = None
        if beat:
            # As the column has it: UTC, naive, in seconds.
            beat_at = datetime.fromtimestamp(beat, timezone.utc)
            beat_at = beat_at.replace(tzinfo=None, microsecond=0)
        if beat_at is None or beat_at < self.heartbeat_at:
            beat_at = self.heartbeat_at
        if now > beat_at + timedelta(seconds=HEARTBEAT_TIMEOUT):
            return "failed", {"code": "lost"}
        return "alive", self._prepare_progress_values(folder, beat_at)

    def _process_alive(self, folder):
        """Whether the process of this job lives on this machine."""
        pid, key = self._process(folder)
        return bool(pid and key) and process_key(pid) == key

    def _process(self, folder):
        """The process of this job.

        :return: (pid, key), both None when there is none
        """
        if not folder.path.is_dir():
            # In a copy of the database the row names the original's process, but
            # the folder is the original's alone.
            return None, None
        if self.pid:
            return self.pid, self.process_key
        # The server died before it could note the process it had started.
        return self._folder_process(folder)

    def _process_starting(self, folder, now):
        """Whether the process may still show up (Python takes a moment)."""
        return (
            not self.pid
            and not folder.has("process.json")
            and now < self.started_at + timedelta(seconds=START_TIMEOUT)
        )

    def _prepare_progress_values(self, folder, beat_at):
        values = {"heartbeat_at": beat_at}
        try:
            progress = folder.get("progress.json")
        except ValueError:
            progress = None
        if isinstance(progress, dict):
            values.update(
                progress=round(100 * progress["fraction"], 1),
                progress_code=progress["code"],
                progress_params=progress["params"],
            )
        if not self.pid:
            pid, key = self._folder_process(folder)
            if pid:
                values.update(pid=pid, process_key=key)
        return values

    def _write_changed(self, values):
        self.write(
            {name: value for name, value in values.items() if self[name] != value}
        )

    # --- END ---

    @api.model
    def _collect(self, job_id):
        """Take in the result of a finished job, exactly once.

        The collector and the end of the job are one transaction on the locked row:
        of any number of processes one succeeds, and it is repeated when it meets a
        concurrent transaction.
        """

        def collect(job):
            folder = job._folder_path()
            job.write(
                {
                    "state": "done",
                    "progress": 100,
                    "result": JobFolder(folder).get("result.json"),
                    "output": JobFolder(folder).output_tail(),
                    "ended_at": fields.Datetime.now(),
                }
            )
            collector = (
                job.env[job.collect_model]
                .with_user(job.user_id)
                .with_company(job.company_id)
                .with_context(lang=job.user_id.lang)
                # The user has asked for the result, whatever tables it goes to.
                .sudo()
            )
            getattr(collector, job.collect_method)(job.with_env(collector.env), folder)
            job._notify()
            return True

        try:
            collected = self._transact(job_id, "running", collect)
        except CONCURRENCY_ERRORS:
            _logger.info(
                "Job %s: too much going on, collected at the next tick", job_id
            )
            return
        except Exception as error:
            # The collector is another addon's code: whatever it raises must end the
            # job, or it would be tried every minute for ever.
            _logger.exception("The result of job %s could not be stored", job_id)
            self._end(job_id, "failed", "collect", {"type": type(error).__name__})
            return
        if collected:
            self._remove_folder(self.browse(job_id)._folder_path())

    @api.model
    def _end(self, job_id, state, code=None, params=None):
        """End a job without a result: process, row and folder."""
        path = self.browse(job_id)._folder_path()

        def end(job):
            if job.host == self._host():
                end_process(*job._process(JobFolder(path)))
            job.write(
                {
                    "state": state,
                    "error_code": code,
                    "error_params": params,
                    "output": JobFolder(path).output_tail(),
                    "ended_at": fields.Datetime.now(),
                }
            )
            job._notify()
            return True

        if self._transact(job_id, ("waiting", "running"), end):
            # A process on another machine ends when it finds its folder gone.
            self._remove_folder(path)

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

    # --- TRANSACTIONS ---

    @api.model
    def _after_commit(self, work):
        """Do something after the commit, which no longer can fail the request."""

        def guarded_work():
            try:
                work()
            except (OSError, psycopg2.Error):
                _logger.exception("Background jobs: left to the next tick")

        self.env.cr.postcommit.add(guarded_work)

    @api.model
    def _fresh_env(self):
        return _FreshEnvironment(self.env.registry)

    @api.model
    def _transact(self, job_id, states, work):
        """Do something with one job in a short transaction of its own.

        :param int job_id: the job
        :param states: state or states in which it must (still) be
        :param callable work: ``work(job)``, repeated when it meets a concurrent
            transaction
        :return: what ``work`` returned; None when another process has the job or was
            quicker
        """
        states = (states,) if isinstance(states, str) else states
        for attempt in range(1, MAX_TRIES + 1):
            try:
                with self._fresh_env() as env:
                    # First statement of the transaction, so that its snapshot knows
                    # what others have committed.
                    env.cr.execute(
                        "SELECT state FROM omni_job WHERE id = %s"
                        " FOR NO KEY UPDATE SKIP LOCKED",
                        [job_id],
                        log_exceptions=False,
                    )
                    row = env.cr.fetchone()
                    if not row or row[0] not in states:
                        return None
                    return work(env["omni.job"].browse(job_id))
            except CONCURRENCY_ERRORS:
                if attempt == MAX_TRIES:
                    raise
                time.sleep(0.05 * attempt)
        return None

    # --- HOUSEKEEPING ---

    @api.autovacuum
    def _gc_folders(self):
        """Delete folders that no job owns: what a killed server may leave behind."""
        root = self._root_path()
        if not root.is_dir():
            return
        paths = {int(path.name): path for path in root.iterdir() if path.name.isdigit()}
        known = self.browse(paths).exists()
        ended = known.filtered(lambda job: job.state not in ("waiting", "running"))
        for job_id, path in paths.items():
            age = time.time() - path.stat().st_mtime
            if job_id in ended._ids or (
                job_id not in known._ids and age > ORPHAN_SECONDS
            ):
                self._remove_folder(path)

    @api.autovacuum
    def _gc_jobs(self):
        """Forget jobs that ended long ago."""
        before = fields.Datetime.now() - timedelta(days=KEEP_DAYS)
        old = self.search([("ended_at", "<", before)], limit=GC_UNLINK_LIMIT)
        old.unlink()
        return len(old), len(old) == GC_UNLINK_LIMIT

    @api.model
    def _remove_all_folders(self):
        """End all processes and delete all folders of this database (uninstall)."""
        root = self._root_path()
        if root.is_dir():
            for path in root.iterdir():
                self._remove_folder(path)
            shutil.rmtree(root, ignore_errors=True)
        places = root.parent
        if places.is_dir() and not any(path.is_dir() for path in places.iterdir()):
            # The last database with jobs: the locks go too.
            shutil.rmtree(places, ignore_errors=True)


class _FreshEnvironment:
    """Superuser's environment on a cursor of its own, committed at the end.

    :param registry: an Odoo registry
    """

    def __init__(self, registry):
        self._cursor = registry.cursor()

    def __enter__(self):
        cr = self._cursor.__enter__()
        return api.Environment(cr, api.SUPERUSER_ID, {})

    def __exit__(self, *exception):
        return self._cursor.__exit__(*exception)
