"""Install, upgrade and uninstall of all six leave nothing behind."""

import os
import re

import pytest

from scripts import databases, odoo_command
from scripts.layout import ADDONS, DATA, SUITE
from scripts.testing import LOUD

# What tells one database's structure and configuration from another's. The keys are
# names, not ids: an uninstalled addon may leave gaps in sequences, nothing else.
INVENTORY = {
    "tables": """
        SELECT n.nspname || '.' || c.relname || ' ' || c.relkind::text
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'v', 'm', 'p', 'S')
          AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
          AND n.nspname NOT LIKE 'pg_temp%%' AND n.nspname NOT LIKE 'pg_toast%%'
    """,
    "columns": """
        SELECT table_name || '.' || column_name || ' ' || udt_name
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "indexes": "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": """
        SELECT conrelid::regclass::text || ' ' || conname FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    """,
    # Those of foreign keys are named by number; the keys stand above.
    "triggers": """
        SELECT tgrelid::regclass::text || ' ' || tgname FROM pg_trigger
        WHERE NOT tgisinternal
    """,
    "functions": """
        SELECT proname FROM pg_proc
        WHERE pronamespace NOT IN
            ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    """,
    "schemas": "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_t%%'",
    "roles": "SELECT rolname FROM pg_roles",
    "models": "SELECT model FROM ir_model",
    "fields": "SELECT model || '.' || name FROM ir_model_fields",
    "crons": "SELECT cron_name FROM ir_cron",
    "views": "SELECT coalesce(key, name) || ' ' || coalesce(model, '') FROM ir_ui_view",
    "actions": "SELECT type || ' ' || (name->>'en_US') FROM ir_actions",
    "menus": "SELECT name->>'en_US' FROM ir_ui_menu",
    "groups": "SELECT name->>'en_US' FROM res_groups",
    "rules": "SELECT name FROM ir_rule",
    "parameters": "SELECT key FROM ir_config_parameter",
    "sequences": "SELECT coalesce(code, name) FROM ir_sequence",
    "external ids": "SELECT module || '.' || name FROM ir_model_data",
    "attachments": """
        SELECT coalesce(res_model, '') || ' ' || coalesce(res_field, '') || ' ' || name
        FROM ir_attachment WHERE url IS NULL OR url NOT LIKE '/web/assets/%%'
    """,
}
# Odoo's own list of modules, and the names that its modules keep of what was in the
# threads and activities of a model that is gone.
ODOO_TRACES = re.compile(
    r"base\.module_|\w+\.model_inherit__\w+__mail_|mail\.selection__\w+__activity_"
)
# An upgrade alone loads fewer modules before ours: notes about the fields that those
# add to every mail thread, and about who inherits it, go (what they are about stays).
ODOO_NOTES = re.compile(
    r"crm_\w+\.(field_|model_inherit__)"
    # The fields themselves of threads that were installed after sms, rating and
    # website: Odoo notes them under the thread's addon, which an upgrade loads before
    # those three (its own fleet loses the same three rows; nothing reads them).
    r"|governance\.[\w.]+\.(message_has_sms_error|rating_ids|website_message_ids)$"
)


def inventory(database):
    found = {}
    for kind, query in INVENTORY.items():
        rows = databases.sql(query, database=database)
        found[kind] = sorted(row[0] for row in rows if row[0])
    found["folders"] = sorted(
        path.parent.name
        for path in DATA.glob(f"*/{database}")
        if path.parent.name != "filestore"
    )
    return found


def differences(before, after):
    for kind in before:
        old, new = list(before[kind]), list(after[kind])
        for item in old:
            if item in new:
                new.remove(item)
            elif not ODOO_NOTES.match(item):
                yield f"{kind}: gone: {item}"
        for item in new:
            if not ODOO_TRACES.match(item):
                yield f"{kind}: left behind: {item}"


def loud(log):
    text = log.read_text(errors="replace")
    return [line for line in text.splitlines() if LOUD.match(line)]


@pytest.fixture
def production_database():
    """The six as a company installs them: a demonstration company that has been at
    work has accounts and stock, which Odoo lets nobody delete."""
    name = databases.copy(databases.suite(False), f"crm_test_uninstall_{os.getpid()}")
    yield name
    databases.drop(name)


def test_uninstall_leaves_nothing(production_database):
    before = inventory(databases.foundation(False))
    installed = inventory(production_database)
    assert list(differences(before, installed)), "the six are installed"
    odoo_command.run_odoo(
        *("module", "uninstall", "--database", production_database, "--", SUITE[0]),
        log=f"uninstall-{os.getpid()}.log",
        hint="The uninstallation failed",
    )
    states = databases.sql(
        "SELECT name, state FROM ir_module_module WHERE name = ANY(%s)",
        list(SUITE),
        database=production_database,
    )
    assert {state for _name, state in states} == {"uninstalled"}, states
    left = list(differences(before, inventory(production_database)))
    assert not left, "\n".join(left)


def test_upgrade_changes_nothing_and_says_nothing(template, tmp_path):
    database = databases.copy(template, f"crm_test_upgrade_{os.getpid()}")
    try:
        before = inventory(database)
        databases.upgrade(database)
        log = odoo_command.LOGS / f"upgrade-{database}.log"
        assert not loud(log), "\n".join(loud(log))
        changed = list(differences(before, inventory(database)))
        assert not changed, "\n".join(changed)
    finally:
        databases.drop(database)


def test_install_says_nothing(template):
    logs = sorted(
        odoo_command.LOGS.glob(f"install-{template}.log"),
        key=lambda path: path.stat().st_mtime,
    )
    assert logs, "the template was built here"
    assert not loud(logs[-1]), "\n".join(loud(logs[-1]))


def test_uninstalling_an_upper_addon_leaves_the_lower_ones_whole(template):
    database = databases.copy(template, f"crm_test_upper_{os.getpid()}")
    upper = "crm_personalization"
    try:
        odoo_command.run_odoo(
            *("module", "uninstall", "--database", database, "--", upper),
            log=f"uninstall-{os.getpid()}.log",
            hint="The uninstallation failed",
        )
        states = dict(
            databases.sql(
                "SELECT name, state FROM ir_module_module WHERE name = ANY(%s)",
                list(SUITE),
                database=database,
            )
        )
        assert states.pop(upper) == "uninstalled"
        assert set(states.values()) == {"installed"}
    finally:
        databases.drop(database)


@pytest.mark.parametrize("addon", SUITE)
def test_each_addon_is_complete(addon):
    folder = ADDONS / addon
    for name in ("README.md", "static/description/icon.png", "i18n/zh_CN.po"):
        assert (folder / name).is_file(), name
