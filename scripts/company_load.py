"""Bring the known-truth company (``company.py``) into an Odoo database.

:func:`load_into` is called from outside and runs :func:`load` inside Odoo's shell.

Every kind of record is made once through the ORM, inside a savepoint; the rows that the
ORM wrote are read, the savepoint is rolled back, and the thousands are cloned from them
by COPY with new ids, names, dates and amounts. So whatever a column holds, it is what
the ORM would have written. Stock is moved by Odoo's own primitives, documents of the
channels go through crm_omnichannel's landing, visits through
``behavior.event._track``. The truth is not read here.
"""

from datetime import datetime

from .loading.campaigns import load_campaigns
from .loading.clones import Clones
from .loading.customers import land_documents, load_customers
from .loading.load import Load
from .loading.opportunities import load_opportunities
from .loading.orders import load_orders
from .loading.staff import load_products, load_staff
from .loading.tickets import load_tickets
from .loading.visits import load_events

#: external ids of what is loaded: __company__.order_17 and the like
MODULE = "__company__"
SHELL = """
import logging, sys
sys.path.insert(0, {root!r})
from scripts import company_load

class Loud(logging.Handler):
    def emit(self, record):
        print(record.levelname, record.name, record.getMessage())

logging.getLogger().addHandler(Loud(logging.WARNING))
loading = company_load.load(env, {folder!r})
env.cr.commit()
company_load.after_commit(env)
print(loading.report())
"""
NIGHT = """
import sys
sys.path.insert(0, {root!r})
from scripts.layout import set_done
from scripts.loading import first_night

left = first_night.work(env)
print(*left, sep="\\n")
if not left:
    set_done("first-night", "done")
"""


def prepare(size, seed, as_of):
    """Return the folder with a company's tables and truth, generated if need be."""
    from .console import run
    from .layout import LOGS, ROOT, RUN, VENV

    folder = RUN / f"company/{size}-{seed}-{as_of}"
    if not (folder / "truth/optimum.json").exists():
        run(
            [
                *(VENV / "bin/python", "-m", "scripts.company", "--no-optimum"),
                *("--size", size, "--seed", seed, "--as-of", as_of, "--out", folder),
            ],
            log=LOGS / "company.log",
            hint="The demonstration company could not be generated",
            cwd=ROOT,
        )
    return folder


def load_into(database, folder):
    """Load the tables in ``folder`` into ``database``; raise Failure if it fails.

    :return: what was loaded, and each warning that Odoo logged, a line each
    """
    from . import odoo_command
    from .layout import ROOT

    code = SHELL.format(root=str(ROOT), folder=str(folder))
    return odoo_command.shell(
        database, code, "The demonstration company could not be loaded"
    )


def begin_night(database):
    """Let the addons do now, beside the server, what they do at night.

    :return: the process; what is not done when it is ended, is done next time
    """
    import subprocess

    from . import odoo_command
    from .layout import LOGS, ROOT

    command = odoo_command.command("shell", "--database", database, "--no-http")
    with (LOGS / "first-night.log").open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            env=odoo_command.environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    with process.stdin as code:
        code.write(NIGHT.format(root=str(ROOT)))
    return process


def load(env, folder):
    """Load the tables in ``folder`` inside Odoo; the caller commits."""
    loading = Load(env, folder)
    # in the order of their references
    load_staff(loading)
    load_products(loading)
    land_documents(loading)
    load_customers(loading)
    load_orders(loading)
    load_opportunities(loading)
    load_tickets(loading)
    load_campaigns(loading)
    _external_ids(loading)
    env.invalidate_all()
    load_events(loading)
    return loading


def after_commit(env):
    """What Odoo does in batches with commits of its own, and what queries need."""
    env["crm.lead"]._cron_update_automated_probabilities()
    env.cr.execute("ANALYZE")
    env.cr.commit()


def _external_ids(load):
    clones = Clones(
        load.cr,
        "ir_model_data",
        {"module": MODULE, "noupdate": True},
        "name model res_id create_date write_date",
    )
    now = datetime.utcnow()
    for name, model, record_id in load.external:
        clones.add(name, model, record_id, now, now)
    clones.write()
