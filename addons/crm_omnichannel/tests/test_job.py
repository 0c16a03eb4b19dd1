import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import psutil
from psycopg2 import errors

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import BaseCase, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from odoo.addons.crm_data_governance.messages import render

from ..models import omni_job, omni_job_folder, omni_job_supervision
from ..runner import Job, JobFolder, end_process, process_key

# What the jobs of these tests do: a tools package of its own, known to nobody else.
FUNCTIONS = """
import os, resource, signal, sys, time

class Known(Exception):
    code = "too_little"
    params = {"rows": 3}

def add(job, a, b):
    data = (job.folder / "data.bin").read_bytes()
    (job.folder / "out.bin").write_bytes(data[::-1])
    job.progress(1.0, "adding", rows=a + b)
    return {"sum": a + b}

def fail(job):
    print("a last word", file=sys.stderr)
    raise ValueError("broken")

def refuse(job):
    raise Known

def sleep(job, seconds=60):
    job.progress(0.25, "sleeping", seconds=seconds)
    time.sleep(seconds)
    return "woken"

def hog(job):
    return len(bytearray(2**30))

def burn(job):
    while True:
        pass

def die(job):
    os.kill(os.getpid(), signal.SIGKILL)

class Odd(Exception):
    code = "too\\0little"
    params = {"name": "a\\0b", "half": "\\ud800", "list": ["\\0"]}

def odd_refusal(job):
    raise Odd

def unwritable(job):
    error = Odd()
    error.params = {"what": object()}
    raise error

def odd(job):
    job.progress(1.0, "step\\0", name="\\0\\udfff")
    return {"a\\0": "b\\0\\ud800", "deep": [{"x": "\\0"}]}

def scribble(job):
    (job.folder / "progress.json").write_text("[1]")
    (job.folder / "error.json").write_text("[1]")
    os._exit(1)

def unstorable(job):
    return float("nan")

def facts(job):
    return {
        "environment": dict(os.environ),
        "modules": sorted(sys.modules),
        "path": sys.path,
        "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "as": resource.getrlimit(resource.RLIMIT_AS),
        "cpu": resource.getrlimit(resource.RLIMIT_CPU),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "leader": os.getsid(0) == os.getpid(),
        "umask": os.umask(0o077),
    }
"""


class JobCase:
    """Temporary data and addons folders for jobs."""

    def _prepare_folders(self):
        self.base = Path(tempfile.mkdtemp(prefix="crm_job_test_"))
        self.addCleanup(shutil.rmtree, self.base, ignore_errors=True)
        tools = self.base / "addons" / "crm_jobtest" / "tools"
        tools.mkdir(parents=True)
        (tools / "__init__.py").touch()
        (tools / "part.py").write_text(FUNCTIONS)

    def _wait(self, condition, seconds=20):
        until = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), until, "waited too long")
            time.sleep(0.05)


@tagged("post_install", "-at_install")
class TestJob(JobCase, TransactionCase):
    def setUp(self):
        super().setUp()
        self._prepare_folders()
        OmniJob = type(self.env["omni.job"])
        root = self.base / "crm_jobs" / self.env.cr.dbname
        addons = [
            str(self.base / "addons"),
            str(Path(omni_job.get_module_path("crm_omnichannel")).parent),
        ]
        self.startPatcher(patch.object(OmniJob, "_root_path", lambda self: root))
        self.startPatcher(patch.object(OmniJob, "_addons_paths", lambda self: addons))
        self.Job = self.env["omni.job"]
        # Jobs of a served database are none of ours.
        self.Job.search([]).write({"state": "cancelled"})
        self.addCleanup(self._end_processes, root)

    def _end_processes(self, root):
        for path in root.glob("*/process.json"):
            process = json.loads(path.read_text())
            end_process(process["pid"], process["key"])

    def _start(self, function, arguments=None, files=None, timeout=60, **kwargs):
        function = f"crm_jobtest_tools.part:{function}"
        job = self.Job._start(function, arguments or {}, files or {}, timeout, **kwargs)
        self.env.flush_all()
        return job

    def _launch(self):
        with self.enter_registry_test_mode():
            self.Job._launch_waiting()

    def _tick(self):
        with self.enter_registry_test_mode():
            self.Job._cron_tick()

    def _finish(self, job, seconds=30):
        """Tick until the job has ended."""
        until = time.monotonic() + seconds
        self._tick()
        while job.state in ("waiting", "running"):
            self.assertLess(time.monotonic(), until, "the job does not end")
            time.sleep(0.1)
            self._tick()

    def _run(self, function, arguments=None, files=None, timeout=60, **kwargs):
        job = self._start(function, arguments, files, timeout, **kwargs)
        self._finish(job)
        return job

    def test_result(self):
        """A job gives back its result and its files, once, and leaves no folder."""
        calls = []

        def collect(records, job, folder):
            output = (folder / "out.bin").read_bytes()
            calls.append((records.env.uid, job.result, output))

        user = new_test_user(self.env, "job_owner", groups="base.group_user")
        source = self.base / "big"
        source.write_bytes(b"moved")
        files = {
            "data.bin": b"abc",
            "moved.bin": source,
            "called.bin": lambda path: path.write_bytes(b"called"),
        }
        OmniJob = type(self.Job)
        with patch.object(OmniJob, "_collect_nothing", collect):
            job = self.Job.with_user(user)._start(
                "crm_jobtest_tools.part:add", {"a": 2, "b": 3}, files, 60
            )
            self.assertEqual(job.state, "waiting")
            folder = job._folder_path()
            self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
            self.assertEqual((folder / "moved.bin").read_bytes(), b"moved")
            self.assertEqual((folder / "called.bin").read_bytes(), b"called")
            self.assertFalse(source.exists())
            self._finish(job)
            self._tick()
        self.assertEqual(calls, [(user.id, {"sum": 5}, b"cba")])
        values = {
            "state": "done",
            "result": {"sum": 5},
            "progress": 100,
            "error": False,
        }
        self.assertRecordValues(job, [values])
        self.assertFalse(folder.exists())

    def test_nothing_starts_before_the_commit(self):
        job = self._start("sleep")
        self.assertFalse(job.pid)
        self.assertTrue(self.env.cr.postcommit._funcs)
        with self.enter_registry_test_mode():
            self.env.cr.postcommit.run()
        self.assertEqual(job.state, "running")
        self.assertEqual(process_key(job.pid), job.process_key)

    def test_rolled_back(self):
        """Of a transaction that failed nothing is left and nothing starts."""
        job = self._start("sleep")
        folder = job._folder_path()
        self.assertTrue(folder.is_dir())
        self.env.cr.postrollback.run()
        self.assertFalse(folder.exists())

    def test_savepoint_rolled_back(self):
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            job = self._start("sleep")
            raise ZeroDivisionError
        self._launch()
        self.assertFalse(job.exists())
        self.assertFalse(JobFolder(job._folder_path()).has("process.json"))

    def test_failure(self):
        job = self._run("fail")
        self.assertRecordValues(
            job,
            [
                {
                    "state": "failed",
                    "error_code": "exception",
                    "error_params": {"type": "ValueError"},
                }
            ],
        )
        self.assertIn("ValueError", job.error)
        self.assertIn("a last word", job.output)
        self.assertIn("ValueError: broken", job.output)
        self.assertFalse(job._folder_path().exists())

    def test_failure_in_the_readers_language(self):
        job = self._run("refuse")
        self.assertEqual(job.error_code, "too_little")
        self.assertEqual(job.error, "too_little")
        texts = {"too_little": "Only %(rows)s rows"}
        with patch.object(type(job), "_error_texts", lambda self: texts):
            job.invalidate_recordset(["error"])
            self.assertEqual(job.error, "Only 3 rows")
        # Parameters of another version: the code, not a trace.
        with patch.object(type(job), "_error_texts", lambda s: {"too_little": "%(x)s"}):
            job.invalidate_recordset(["error"])
            self.assertEqual(job.error, "too_little")

    def test_every_error_text_has_its_parameters(self):
        params = {"type": "T", "function": "F", "memory": 1, "reason": "R"}
        for code, text in self.Job._error_texts().items():
            rendered = render(self.env, {code: text}, code, params)
            self.assertNotIn("%(", rendered)
            self.assertNotEqual(rendered, code)

    def test_memory(self):
        job = self._run("hog", memory=512)
        self.assertEqual(job.error_code, "memory", job.output)
        self.assertIn("512", job.error)

    def test_killed(self):
        job = self._run("die")
        self.assertEqual((job.state, job.error_code), ("failed", "lost"))
        self.assertFalse(job._folder_path().exists())

    def test_unstorable_result(self):
        job = self._run("unstorable")
        self.assertEqual((job.state, job.error_code), ("failed", "exception"))

    def test_unknown_function(self):
        job = self._run("nowhere")
        self.assertEqual(job.error_code, "function")
        self.assertIn("crm_jobtest_tools.part:nowhere", job.error)
        with self.assertRaises(ValueError):
            self.Job._start("os:abort", {}, {}, 60)

    def test_progress(self):
        job = self._start("sleep")
        self._launch()
        self._wait(lambda: JobFolder(job._folder_path()).has("progress.json"))
        self._tick()
        self.assertRecordValues(
            job,
            [
                {
                    "state": "running",
                    "progress": 25,
                    "progress_code": "sleeping",
                    "progress_params": {"seconds": 60},
                }
            ],
        )
        self.assertTrue(job.heartbeat_at)
        with patch.object(
            type(job), "_progress_texts", lambda s: {"sleeping": "%(seconds)s s"}
        ):
            job.invalidate_recordset(["progress_text"])
            self.assertEqual(job.progress_text, "60 s")

    def test_cancel(self):
        job = self._start("sleep")
        self._launch()
        self._wait(lambda: JobFolder(job._folder_path()).has("progress.json"))
        pid, key = job.pid, job.process_key
        self.assertEqual(process_key(pid), key)
        job.action_cancel()
        with self.enter_registry_test_mode():
            self.env.cr.postcommit.run()
        self.assertEqual(job.state, "cancelled")
        self.assertNotEqual(process_key(pid), key)
        self.assertFalse(job._folder_path().exists())

    def test_cancel_waiting(self):
        job = self._start("sleep")
        job.action_cancel()
        self._tick()
        self.assertEqual(job.state, "cancelled")
        self.assertFalse(job.pid)
        self.assertFalse(job._folder_path().exists())

    def test_cancelled_after_the_end(self):
        """Who cancels does not get the result, even of a job that was quicker."""
        job = self._start("facts")
        self._launch()
        self._wait(lambda: JobFolder(job._folder_path()).has("result.json"))
        job.action_cancel()
        self._tick()
        self.assertEqual((job.state, job.result), ("cancelled", False))

    def test_timeout_by_the_child(self):
        job = self._run("burn", timeout=1)
        self.assertEqual((job.state, job.error_code), ("failed", "timeout"))
        self.assertFalse(job._folder_path().exists())

    def test_timeout_by_the_tick(self):
        """A process too busy to look at the clock is ended from outside."""
        job = self._start("sleep")
        self._launch()
        pid, key = job.pid, job.process_key
        os.kill(pid, signal.SIGSTOP)
        job.deadline_at = fields.Datetime.now() - timedelta(seconds=1)
        self._tick()
        self.assertEqual((job.state, job.error_code), ("failed", "timeout"))
        self.assertNotEqual(process_key(pid), key)

    def test_no_heartbeat(self):
        job = self._start("sleep")
        self._launch()
        folder = JobFolder(job._folder_path())
        self._wait(lambda: folder.has("progress.json") and folder.heartbeat())
        os.kill(job.pid, signal.SIGSTOP)
        old = time.time() - omni_job_supervision.HEARTBEAT_TIMEOUT - 60
        os.utime(folder.path / "heartbeat", (old, old))
        self._tick()
        self.assertEqual(job.state, "running", "the row has a newer sign of life")
        job.heartbeat_at = fields.Datetime.now() - timedelta(
            seconds=omni_job_supervision.HEARTBEAT_TIMEOUT + 60
        )
        self._tick()
        self.assertEqual((job.state, job.error_code), ("failed", "lost"))
        self.assertFalse(process_key(job.pid))

    def test_recycled_pid(self):
        """A process that only has the pid of the job is left in peace."""
        bystander = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"],
            start_new_session=True,
        )
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        job = self._start("sleep")
        self._launch()
        end_process(job.pid, job.process_key)
        # An earlier process of the same pid: all that differs is when it started.
        boot, _, started = process_key(bystander.pid).partition(":")
        job.write({"pid": bystander.pid, "process_key": f"{boot}:{int(started) - 1}"})
        job.cancel_requested = True
        self._tick()
        self.assertEqual(job.state, "cancelled")
        self.assertIsNone(bystander.poll())

        job = self._start("sleep")
        self._launch()
        end_process(job.pid, job.process_key)
        job.pid = bystander.pid
        self._tick()
        self.assertEqual((job.state, job.error_code), ("failed", "lost"))
        self.assertIsNone(bystander.poll())

    def test_copied_database(self):
        """The row of a copy names the original's process, which is not its own."""
        job = self._start("sleep")
        self._launch()
        pid, key = job.pid, job.process_key
        root = self.base / "crm_jobs" / "copy"
        with patch.object(type(job), "_root_path", lambda self: root):
            self._tick()
        self.assertEqual((job.state, job.error_code), ("failed", "lost"))
        self.assertEqual(process_key(pid), key)
        self._end_processes(self.base / "crm_jobs" / self.env.cr.dbname)

    def test_server_died_while_starting(self):
        """Claimed and started, but the server could not note the process."""
        job = self._start("sleep")
        self._launch()
        folder = JobFolder(job._folder_path())
        self._wait(lambda: folder.has("progress.json"))
        pid, key = job.pid, job.process_key
        job.write({"pid": 0, "process_key": False})
        self._tick()
        self.assertRecordValues(
            job, [{"state": "running", "pid": pid, "process_key": key}]
        )
        # Claimed, but nothing started.
        end_process(pid, key)
        (folder.path / "process.json").unlink()
        job.write({"pid": 0, "process_key": False})
        self._tick()
        self.assertEqual(job.state, "running")
        job.started_at -= timedelta(seconds=omni_job_supervision.START_TIMEOUT + 1)
        self._tick()
        self.assertEqual((job.state, job.error_code), ("failed", "lost"))

    def test_other_host(self):
        """A job of another machine is given up on missing heartbeat only."""
        job = self._start("sleep")
        self._launch()
        end_process(job.pid, job.process_key)
        job.host = "elsewhere"
        self._tick()
        self.assertEqual(job.state, "running")
        old = fields.Datetime.now() - timedelta(
            seconds=omni_job_supervision.HEARTBEAT_TIMEOUT + 9
        )
        job.heartbeat_at = old
        os.utime(job._folder_path(), None)
        shutil.rmtree(job._folder_path())
        self._tick()
        self.assertEqual((job.state, job.error_code), ("failed", "lost"))

    def test_other_host_ended(self):
        """On a shared data folder any machine collects."""
        job = self._start("facts")
        self._launch()
        self._wait(lambda: JobFolder(job._folder_path()).has("result.json"))
        job.host = "elsewhere"
        self._tick()
        self.assertEqual(job.state, "done")

    def test_folder_taken_away(self):
        """The process ends itself when its folder is gone."""
        job = self._start("sleep")
        self._launch()
        folder = JobFolder(job._folder_path())
        self._wait(lambda: folder.has("progress.json") and folder.heartbeat())
        shutil.rmtree(folder.path)
        self._wait(lambda: process_key(job.pid) != job.process_key, seconds=15)

    def test_places(self):
        """One heavy job at a time; the next one starts when it has ended."""
        first, second = self._start("sleep"), self._start("sleep")
        self._launch()
        self._wait(lambda: JobFolder(first._folder_path()).has("progress.json"))
        self._launch()
        self.assertEqual((first.state, second.state), ("running", "waiting"))
        first.cancel_requested = True
        self._tick()
        self.assertEqual((first.state, second.state), ("cancelled", "running"))
        third = self._start("sleep")
        self.env["ir.config_parameter"].set_param("crm_omnichannel.jobs_per_host", "2")
        self._launch()
        self.assertEqual(third.state, "running")

    def test_child(self):
        """The child has no secret, no Odoo, no limit of the worker."""
        secrets = {
            "CRM_SECRET_KEY": "s3cret",
            "PGPASSWORD": "s3cret",
            "OTHER": "s3cret",
        }
        with patch.dict(os.environ, secrets):
            facts = self._run("facts", timeout=50, memory=3000).result
        self.assertNotIn("s3cret", str(facts["environment"]))
        added = {"HOME", "TMPDIR", "PYTHONUNBUFFERED", "LC_CTYPE"}
        self.assertLessEqual(
            set(facts["environment"]), {*omni_job_supervision.CHILD_ENVIRONMENT, *added}
        )
        self.assertNotIn("odoo", facts["modules"])
        self.assertNotIn("psycopg2", facts["modules"])
        addon = omni_job.get_module_path("crm_omnichannel")
        self.assertNotIn(addon, facts["path"])
        self.assertEqual(facts["as"], [3000 * 2**20] * 2)
        self.assertEqual(facts["cpu"][0], 50 * os.cpu_count())
        self.assertEqual(facts["core"], [0, 0])
        self.assertEqual(facts["blocked"], 0)
        self.assertTrue(facts["leader"])
        self.assertEqual(facts["umask"], 0o077)

    def test_collector_fails(self):
        def collect(records, job, folder):
            job.name = "half done"
            raise ZeroDivisionError

        with (
            patch.object(type(self.Job), "_collect_nothing", collect),
            mute_logger("odoo.addons.crm_omnichannel.models.omni_job_supervision"),
        ):
            job = self._run("facts", name="whole")
        self.assertRecordValues(
            job, [{"state": "failed", "error_code": "collect", "name": "whole"}]
        )
        self.assertFalse(job._folder_path().exists())

    def test_collector_meets_a_conflict(self):
        tries = []

        def collect(records, job, folder):
            tries.append(job.id)
            if len(tries) < 3:
                raise errors.SerializationFailure

        with patch.object(type(self.Job), "_collect_nothing", collect):
            job = self._run("facts")
        self.assertEqual(job.state, "done")
        self.assertEqual(len(tries), 3)

    def test_unreadable_result(self):
        job = self._start("sleep")
        self._launch()
        (job._folder_path() / "error.json").write_text("{")
        self._tick()
        self.assertEqual((job.state, job.error_code), ("failed", "unreadable"))

    def test_cannot_start(self):
        job = self._start("facts")
        with (
            patch.object(omni_job_supervision.sys, "executable", "/nonexistent/python"),
            mute_logger("odoo.addons.crm_omnichannel.models.omni_job_supervision"),
        ):
            self._launch()
        self.assertEqual((job.state, job.error_code), ("failed", "start"))
        self.assertFalse(job._folder_path().exists())

    def test_retry(self):
        job = self._run("fail", name="Training")
        action = job.action_retry()
        again = self.Job.browse(action["res_id"])
        self.assertEqual((again.name, again.state), ("Training", "waiting"))
        with self.assertRaises(UserError):
            again.action_retry()
        job = self._run("fail", files={"x": b""})
        with self.assertRaises(UserError):
            job.action_retry()

    def test_rights(self):
        owner = new_test_user(self.env, "job_owner", groups="base.group_user")
        other = new_test_user(self.env, "job_other", groups="base.group_user")
        manager = new_test_user(
            self.env, "job_manager", groups="crm_omnichannel.group_omnichannel_manager"
        )
        job = self.Job.with_user(owner)._start(
            "crm_jobtest_tools.part:fail", {}, {}, 60
        )
        self._finish(job)
        self.assertEqual(job.user_id, owner)
        self.assertTrue(job.with_user(owner).error)
        self.assertFalse(self.Job.with_user(other).search([("id", "=", job.id)]))
        for method in ("action_cancel", "action_refresh", "action_retry"):
            with self.assertRaises(AccessError):
                getattr(job.with_user(other), method)()
        self.assertIn("a last word", job.with_user(manager).output)
        with self.assertRaises(AccessError):
            job.with_user(owner).read(["output"])
        for user in (owner, other, manager):
            with self.assertRaises(AccessError):
                job.with_user(user).write({"function": "x"})
            with self.assertRaises(AccessError):
                self.Job.with_user(user).create({"name": "x", "function": "x"})
        other_company = self.env["res.company"].create({"name": "Other"})
        job.sudo().company_id = other_company
        self.assertFalse(self.Job.with_user(manager).search([("id", "=", job.id)]))

    def test_delete(self):
        job = self._start("sleep")
        with self.assertRaises(UserError):
            job.unlink()
        job.state = "cancelled"
        job.unlink()

    def test_notified(self):
        owner = new_test_user(self.env, "job_owner", groups="base.group_user")
        for name, kind in (("facts", "success"), ("fail", "danger")):
            with patch.object(type(owner), "_bus_send") as bus_send:
                self._finish(
                    self.Job.with_user(owner)._start(
                        f"crm_jobtest_tools.part:{name}", {}, {}, 60, name="Work"
                    )
                )
            (_, message), _ = bus_send.call_args
            self.assertEqual(message["type"], kind)
            self.assertIn("Work", message["message"])

    def test_orphan_folders(self):
        """What a killed server leaves behind is deleted, with its process."""
        job = self._start("sleep")
        self._launch()
        self._wait(lambda: JobFolder(job._folder_path()).has("progress.json"))
        orphan = job._folder_path().with_name("999999999")
        young = job._folder_path().with_name("999999998")
        for path in (orphan, young):
            path.mkdir()
        old = time.time() - omni_job_folder.ORPHAN_SECONDS - 1
        os.utime(orphan, (old, old))
        self.Job._gc_folders()
        self.assertFalse(orphan.exists())
        self.assertTrue(young.exists())
        self.assertTrue(job._folder_path().exists())
        job.state = "failed"
        self.Job._gc_folders()
        self.assertFalse(job._folder_path().exists())
        self.assertNotEqual(process_key(job.pid), job.process_key)

    def test_old_jobs(self):
        job = self._run("facts")
        self.Job._gc_jobs()
        self.assertTrue(job.exists())
        job.ended_at -= timedelta(days=omni_job.KEEP_DAYS + 1)
        self.Job._gc_jobs()
        self.assertFalse(job.exists())

    def test_uninstall(self):
        job = self._start("sleep")
        self._launch()
        self._wait(lambda: JobFolder(job._folder_path()).has("process.json"))
        self.Job._remove_all_folders()
        self.assertFalse(self.Job._root_path().parent.exists())
        self.assertNotEqual(process_key(job.pid), job.process_key)

    def test_texts_that_no_column_holds(self):
        job = self._run("odd")
        self.assertEqual(job.state, "done")
        self.assertEqual(job.result, {"a": "b?", "deep": [{"x": ""}]})
        job = self._run("odd_refusal")
        self.assertRecordValues(
            job,
            [
                {
                    "state": "failed",
                    "error_code": "toolittle",
                    "error_params": {"name": "ab", "half": "?", "list": [""]},
                }
            ],
        )

    def test_parameters_that_json_cannot_hold(self):
        job = self._run("unwritable")
        self.assertEqual((job.state, job.error_code), ("failed", "exception"))

    def test_files_of_another_shape(self):
        job = self._run("scribble")
        self.assertEqual((job.state, job.error_code), ("failed", "unreadable"))

    def test_one_job_does_not_hold_up_the_others(self):
        bad = self._start("odd")
        good = self._start("odd")
        OmniJob = type(self.Job)
        examine = OmniJob._examine

        def broken(job):
            if job.id == bad.id:
                raise ValueError("unforeseen")
            return examine(job)

        with (
            patch.object(OmniJob, "_examine", broken),
            mute_logger("odoo.addons.crm_omnichannel.models.omni_job_supervision"),
        ):
            self._finish(good)
        self.assertEqual(good.state, "done")

    def test_names_of_files(self):
        for name in (
            "../x",
            "/tmp/x",
            "..",
            ".",
            "",
            "a/b",
            "a\0",
            "job.json",
            "result.json",
            "error.json",
            "process.json",
            "progress.json",
            "output.log",
            "heartbeat",
        ):
            with self.assertRaises(ValueError, msg=name):
                self._start("odd", files={name: b"x"})
        self.assertFalse((self.base / "crm_jobs").exists())


@tagged("post_install", "-at_install")
class TestJobFolder(JobCase, BaseCase):
    def setUp(self):
        super().setUp()
        self._prepare_folders()
        self.folder = JobFolder(self.base)

    def test_json(self):
        self.assertIsNone(self.folder.get("x.json"))
        self.folder.put("x.json", {"a": ["ü", None]})
        self.assertEqual(self.folder.get("x.json"), {"a": ["ü", None]})
        self.assertEqual([p.name for p in self.base.glob("*x.json*")], ["x.json"])
        with self.assertRaises(ValueError):
            self.folder.put("x.json", float("inf"))

    def test_output_tail(self):
        self.assertEqual(self.folder.output_tail(), "")
        output = self.base / "output.log"
        output.write_bytes(b"first\nsecond\0\nth\xffird\n")
        self.assertEqual(self.folder.output_tail(), "first\nsecond\nth\ufffdird")
        self.assertEqual(self.folder.output_tail(size=9), "th\ufffdird")

    def test_progress_is_thinned_out(self):
        job = Job(self.folder)
        with patch.object(JobFolder, "put") as put:
            for step in range(1000):
                job.progress(step / 1000)
            self.assertLess(put.call_count, 10)
            job.progress(7)
            self.assertEqual(put.call_args.args[1]["fraction"], 1.0)

    def test_process_key(self):
        """Compared with what psutil says."""
        ticks = os.sysconf("SC_CLK_TCK")
        started = int(process_key(os.getpid()).partition(":")[2]) / ticks
        self.assertAlmostEqual(
            psutil.boot_time() + started, psutil.Process().create_time(), delta=1
        )
        child = subprocess.Popen([sys.executable, "-c", ""])
        self._wait(lambda: process_key(child.pid) is None)
        self.assertIsNone(process_key(child.pid), "it waits to be reaped")
        child.wait()
        self.assertIsNone(process_key(child.pid))
