"""Databases from templates: the foundation (Odoo and OCA), then the suite on top.

A template is named by a hash of what went into it, so that an unchanged one is used
again; a database is a copy by PostgreSQL plus a filestore of hard links.
"""

import os
import shutil
import subprocess

from . import company_load, odoo_command, odoo_source, postgres
from .console import Failure, step
from .layout import (
    ADDONS,
    DATA,
    FOUNDATION,
    ROOT,
    SUITE,
    VENV,
    fingerprint,
    is_done,
    set_done,
)

KEPT_TEMPLATES = 2
# The day on which the company of the tests stands.
COMPANY_AS_OF = "2026-10-01"
FILESTORE = DATA / "filestore"
# One statement a call, outside a transaction (CREATE DATABASE asks for that).
SQL_RUNNER = """
import json, sys, psycopg2
connection = psycopg2.connect(dbname=sys.argv[1])
connection.autocommit = True
cursor = connection.cursor()
cursor.execute(sys.argv[2], json.loads(sys.argv[3]))
print(json.dumps(cursor.fetchall() if cursor.description else []))
"""
# The last language loaded becomes everybody's; English is the source.
ENGLISH_FIRST = """
env["res.users"].with_context(active_test=False).search([]).lang = "en_US"
env["res.partner"].with_context(active_test=False).search([]).lang = "en_US"
env["website"].search([]).default_lang_id = env.ref("base.lang_en")
env.cr.commit()
"""
# What the first page needs is built once, in the template.
WARM_UP = """
env["ir.qweb"]._pregenerate_assets_bundles()
env.cr.commit()
"""


def sql(statement, *parameters, database="postgres"):
    import json

    done = subprocess.run(
        [
            VENV / "bin/python",
            "-c",
            SQL_RUNNER,
            database,
            statement,
            json.dumps(parameters),
        ],
        env={**os.environ, **postgres.connection()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failure(f"PostgreSQL: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def exists(name):
    return bool(sql("SELECT 1 FROM pg_database WHERE datname = %s", name))


def names(prefix):
    """Databases whose names begin with ``prefix``, oldest first."""
    rows = sql(
        "SELECT datname FROM pg_database WHERE left(datname, %s) = %s ORDER BY oid",
        len(prefix),
        prefix,
    )
    return [row[0] for row in rows]


def drop(name):
    if exists(name):
        sql(f'DROP DATABASE "{name}" WITH (FORCE)')
    shutil.rmtree(FILESTORE / name, ignore_errors=True)


def copy(source, target):
    """``target`` as a copy of ``source`` with an identity of its own."""
    drop(target)
    sql(f'CREATE DATABASE "{target}" TEMPLATE "{source}" {_copy_strategy()}')
    if (FILESTORE / source).is_dir():
        shutil.copytree(FILESTORE / source, FILESTORE / target, copy_function=os.link)
    sql(
        "UPDATE ir_config_parameter SET value = gen_random_uuid()::text "
        "WHERE key = 'database.uuid'",
        database=target,
    )
    return target


def _copy_strategy():
    version = int(sql("SHOW server_version_num")[0][0])
    # By file from 15 on: a copy through the log writes a template's size to it.
    return "STRATEGY = FILE_COPY" if version >= 150000 else ""


def foundation(demo):
    """The template with Odoo's and OCA's modules that the suite stands on."""
    source = odoo_source.prepared()
    mark = fingerprint(
        source.version,
        ROOT / "requirements-oca.txt",
        ROOT / "requirements.txt",
        *FOUNDATION,
        ENGLISH_FIRST,
    )
    kind = "base" if demo else "base_nodemo"
    title = "the foundation: Odoo's CRM, sales, shop, helpdesk (about 3 minutes)"
    return _template(kind, mark, title, _install_foundation, demo)


def suite(demo=True):
    """The template with the six addons installed, ready to copy."""
    base = foundation(demo)
    mark = fingerprint(base, *_installed_files())
    kind = "suite" if demo else "suite_nodemo"

    def build(name, demo):
        copy(base, name)
        install(name, SUITE, demo)
        odoo_command.shell(name, WARM_UP, "The page bundles could not be built")

    return _template(kind, mark, "the six addons", build, demo)


def company(size="S", seed=1, as_of=COMPANY_AS_OF):
    """The suite's template with the known-truth company in it, ready to copy.

    For tests that want it; made when the first one asks. Its truth lies in
    ``company_load.prepare(size, seed, as_of)``.
    """
    base = suite()
    parts = sorted((ROOT / "scripts").glob("company*.py"))
    for part in ("causes", "loading"):
        parts += sorted((ROOT / "scripts" / part).glob("*.py"))
    mark = fingerprint(base, size, seed, as_of, *parts)

    def build(name, _demo):
        folder = company_load.prepare(size, seed, as_of)
        copy(base, name)
        company_load.load_into(name, folder)

    title = f"the known-truth company, size {size} (about a minute)"
    return _template("company", mark, title, build, True)


def _installed_files():
    """Every file of the addons that leaves a trace in a database."""
    for path in sorted(ADDONS.glob("crm_*/**/*")):
        parts = path.relative_to(ADDONS).parts
        inert = {"tests", "tools", "__pycache__", "lib"} & set(parts)
        if path.is_file() and not inert and path.suffix not in (".pyc", ".md", ".pot"):
            yield str(path.relative_to(ADDONS))
            yield path


def _template(kind, mark, title, build, demo):
    name = f"crm_test_{kind}_{mark}"
    if is_done(f"db-{kind}-{mark}", name) and exists(name):
        return name
    with step(f"Database: {title}"):
        drop(name)
        build(name, demo)
    set_done(f"db-{kind}-{mark}", name)
    for old in names(f"crm_test_{kind}_")[:-KEPT_TEMPLATES]:
        if len(old) == len(name):
            drop(old)
    return name


def _install_foundation(name, demo):
    sql(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    install(name, FOUNDATION, demo, "--load-language=en_US,zh_CN")
    odoo_command.shell(name, ENGLISH_FIRST, "The languages could not be set")


def install(name, modules, demo, *options):
    odoo_command.run_odoo(
        "--database",
        name,
        "--init",
        ",".join(modules),
        "--with-demo" if demo else "--without-demo",
        "--stop-after-init",
        "--no-http",
        "--max-cron-threads=0",
        *options,
        log=f"install-{name}.log",
        hint=f"The modules could not be installed in {name}",
    )


def upgrade(name, modules=SUITE):
    odoo_command.run_odoo(
        "--database",
        name,
        "--update",
        ",".join(modules),
        "--stop-after-init",
        "--no-http",
        "--max-cron-threads=0",
        log=f"upgrade-{name}.log",
        hint=f"The addons could not be upgraded in {name}",
    )
