import fcntl
import os
import shutil
import time
from pathlib import Path

from odoo import api, models
from odoo.tools import config

from ..runner import JobFolder, end_process

# A folder without a waiting or running job is left alone so long: the transaction
# that gathers into it may still be open.
ORPHAN_SECONDS = 24 * 3600


class OmniJob(models.Model):
    """The folders of the jobs, and the places for heavy work on a machine."""

    _name = "omni.job"
    _inherit = "omni.job"

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

    # --- PLACES ---

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
