"""How Odoo is started here: one environment for serving, tests and ``.run/odoo``."""

import os
import subprocess

from . import odoo_source, paper, postgres
from .console import Failure, run
from .layout import ADDONS, DATA, LOGS, OCA, ROOT, RUN, VENV

WRAPPER = RUN / "odoo"


def environment(**more):
    """The variables that Odoo reads (its options' ``ODOO_…`` names and libpq's)."""
    source = odoo_source.prepared()
    addons = [ADDONS, *source.addons, OCA / "odoo/addons"]
    # The tests' own addons, while tests run.
    addons += [folder for folder in [os.environ.get("CRM_TEST_ADDONS")] if folder]
    values = {
        **os.environ,
        **postgres.connection(),
        **paper.environment(),
        "PYTHONPATH": str(source.package),
        "PYTHONUNBUFFERED": "1",
        "ODOO_RC": str(ROOT / "odoo.conf"),
        "ODOO_ADDONS_PATH": ",".join(str(folder) for folder in addons),
        "ODOO_DATA_DIR": str(DATA),
        **more,
    }
    # A clone's odoo/addons is found through the package itself.
    values["PATH"] = os.pathsep.join([paper.path(), values["PATH"]]).strip(os.pathsep)
    return values


def command(*arguments, launcher=None):
    launcher = launcher or odoo_source.prepared().launcher
    return [VENV / "bin/python", launcher, *arguments]


def run_odoo(*arguments, log, hint, **more):
    run(command(*arguments), log=LOGS / log, hint=hint, env=environment(**more))


def shell(database, code, hint):
    """Run ``code`` in Odoo's shell on ``database``; what it commits stays."""
    done = subprocess.run(
        [
            str(part)
            for part in command(
                "shell", "--database", database, "--no-http", "--log-level=warn"
            )
        ],
        input=code,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    if done.returncode or "Traceback" in done.stderr:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Failure(f"{hint}: {last}")
    return done.stdout


def write_wrapper():
    """``.run/odoo``: Odoo's command line with the right environment."""
    WRAPPER.write_text(
        "#!/bin/sh\n"
        "# Odoo's command line in this working copy's environment.\n"
        f'PYTHONPATH="{ROOT}" exec "{VENV}/bin/python" -m scripts odoo "$@"\n'
    )
    WRAPPER.chmod(0o755)


def execute(arguments):
    """Become Odoo's command line."""
    if not odoo_source.prepared():
        raise Failure("Nothing is prepared yet; start with: make run")
    postgres.start()
    call = [str(part) for part in command(*arguments)]
    os.execve(call[0], call, environment())
