"""Where things lie, and what is asked for in the environment."""

import fcntl
import hashlib
import os
import re
from contextlib import contextmanager
from pathlib import Path

from .console import Failure, say

ROOT = Path(__file__).resolve().parent.parent
ADDONS = ROOT / "addons"
RUN = ROOT / ".run"
LOGS = RUN / "logs"
VENV = RUN / "venv"
DATA = RUN / "data"
OCA = RUN / "oca"
DEBIAN = RUN / "debian"
ODOO = RUN / "odoo-src"

SUITE = (
    "crm_data_governance",
    "crm_omnichannel",
    "crm_behavior_analytics",
    "crm_sales_automation",
    "crm_personalization",
    "crm_ticket_routing",
)
# What the six stand on (their manifests' dependencies outside the suite).
FOUNDATION = (
    "rpc",
    "crm",
    "sale_management",
    "sale_crm",
    "sale_stock",
    "account",
    "phone_validation",
    "website_sale",
    "mass_mailing",
    "helpdesk_mgmt",
    "hr_skills",
    "resource",
)
SERVED_DATABASE = "crm"


def port():
    value = os.environ.get("PORT") or "8069"
    if not re.fullmatch(r"\d{1,5}", value) or not 0 < int(value) < 65536:
        raise Failure(f"PORT must be a number between 1 and 65535, not “{value}”.")
    return int(value)


def workers():
    value = os.environ.get("WORKERS") or "0"
    if not value.isdigit():
        raise Failure(f"WORKERS must be a whole number, not “{value}”.")
    return int(value)


def with_demo():
    return os.environ.get("DEMO") != "0"


def claim_run_folder():
    """Create ``.run`` for this user, or say whose it is."""
    if RUN.exists() and RUN.stat().st_uid != os.geteuid():
        raise Failure(
            f"The folder {RUN} belongs to another user; remove it as that user "
            "(make clean) or work in a clone of your own."
        )
    try:
        RUN.mkdir(exist_ok=True)
        LOGS.mkdir(exist_ok=True)
    except PermissionError as error:
        raise Failure(f"The folder {ROOT} cannot be written to.") from error


@contextmanager
def preparing():
    """One preparation at a time in this folder."""
    claim_run_folder()
    with (RUN / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  … waiting for another command that is preparing this folder")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fingerprint(*parts):
    """A short hash of strings and of files' contents."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else str(part).encode()
        digest.update(len(content).to_bytes(8, "big"))
        digest.update(content)
    return digest.hexdigest()[:12]


def is_done(name, mark):
    """Whether the step ``name`` was completed for the state ``mark``."""
    stamp = RUN / "done" / name
    return stamp.exists() and stamp.read_text() == mark


def set_done(name, mark):
    stamp = RUN / "done" / name
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(mark)
