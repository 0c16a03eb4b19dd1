"""What runs on Node.js: the tracking script's builder and the clients of the tests.

Node.js itself is taken from the machine; where there is none, or too old a one, what
needs it is left out.
"""

import re
import shutil
import subprocess

from .console import run, step
from .layout import LOGS, ROOT, RUN, fingerprint, is_done, set_done

PACKAGES = (ROOT / "package.json", ROOT / "package-lock.json")
FOLDER = RUN / "node"
OLDEST = 20


def missing():
    """Why nothing can run on Node.js here, as one sentence; None if it can."""
    if not shutil.which("node") or not shutil.which("npm"):
        return f"Node.js {OLDEST} or newer with npm is not on this machine."
    version = subprocess.run(
        ["node", "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()
    found = re.match(r"v(\d+)", version)
    if not found or int(found.group(1)) < OLDEST:
        return f"Node.js {OLDEST} or newer is needed; this machine has {version}."
    return None


def prepare():
    """Install the packages of ``package-lock.json``; return their folder."""
    mark = fingerprint(*PACKAGES)
    if not is_done("node", mark) or not (FOLDER / "node_modules").is_dir():
        with step("Node.js packages"):
            FOLDER.mkdir(exist_ok=True)
            for path in PACKAGES:
                shutil.copy(path, FOLDER)
            # Their install scripts are not needed: esbuild comes as a package a system.
            run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                log=LOGS / "npm.log",
                hint="The Node.js packages could not be installed",
                cwd=FOLDER,
            )
        set_done("node", mark)
    return FOLDER / "node_modules"
