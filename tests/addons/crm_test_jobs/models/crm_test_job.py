import json
import subprocess
import sys

from odoo import api, fields, models
from odoo.exceptions import ConcurrencyError, UserError

LIMITS = """
import json, resource
print(json.dumps([resource.getrlimit(kind)[0]
                  for kind in (resource.RLIMIT_CPU, resource.RLIMIT_AS)]))
"""
_conflicts = set()


class CrmTestJob(models.Model):
    """One row for each time that a job was collected."""

    _name = "crm.test.job"
    _description = "Collected Test Job"

    job_id = fields.Integer()
    spent = fields.Float()
    content = fields.Char()

    @api.model
    def start(self, function, arguments, timeout):
        job = self.env["omni.job"]._start(
            f"crm_test_jobs_tools.work:{function}",
            arguments,
            {"input.txt": b"gathered"},
            timeout,
            collect=(self._name, "_collect"),
        )
        return job.id

    @api.model
    def start_and_fail(self):
        self.start("sleep", {"seconds": 30}, 60)
        raise UserError(self.env._("Rolled back"))

    @api.model
    def start_with_conflict(self, key):
        """Meet a concurrent transaction once, after the job was handed over."""
        job_id = self.start("sleep", {"seconds": 0}, 60)
        if key not in _conflicts:
            _conflicts.add(key)
            raise ConcurrencyError
        return job_id

    @api.model
    def limits_of_a_child(self):
        """Soft limits (processor, memory) that a plain child of this worker has."""
        output = subprocess.run(
            [sys.executable, "-c", LIMITS], capture_output=True, check=True
        )
        return json.loads(output.stdout)

    def _collect(self, job, folder):
        self.create(
            {
                "job_id": job.id,
                "spent": job.result["spent"],
                "content": (folder / "input.txt").read_text(),
            }
        )
