import logging
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2

from odoo import api, fields, models
from odoo.modules.module import get_module_path

from odoo.addons.crm_data_governance.db import CONCURRENCY_ERRORS

from ..runner import JobFolder, end_process, process_key

_logger = logging.getLogger(__name__)

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

# Processes that this one started, kept until they are reaped.
_children = {}


def _reap_children():
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


class OmniJob(models.Model):
    """Starts the jobs, looks after them, and takes in what they bring."""

    _name = "omni.job"
    _inherit = "omni.job"

    # --- LAUNCH ---

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
