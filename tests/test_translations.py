"""The checked-in templates hold what a fresh export finds: no string is forgotten."""

import re

import polib
import pytest

from scripts import databases, i18n, odoo_command
from scripts.layout import ADDONS, SUITE


@pytest.fixture(scope="module")
def exported(template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("i18n")
    entries = {}
    for name in SUITE:
        path = folder / f"{name}.pot"
        odoo_command.run_odoo(
            *("i18n", "export", "--database", template),
            *("--output", str(path), name, "--languages", "pot"),
            log="i18n.log",
            hint="The export failed",
        )
        entries[name] = {entry.msgid for entry in polib.pofile(str(path))}
        entries[name] |= {text for text, _ in i18n.manifest_texts()[str(ADDONS / name)]}
    return entries


@pytest.mark.parametrize("addon", SUITE)
def test_template_is_current(exported, addon):
    path = ADDONS / addon / "i18n" / f"{addon}.pot"
    checked_in = {entry.msgid for entry in polib.pofile(str(path))}
    assert exported[addon] == checked_in, "run: make i18n"


def test_apps_speak_chinese(template):
    """Name and summary of each addon, as Apps shows them."""
    names = databases.sql(
        "SELECT name, shortdesc->>'zh_CN', summary->>'zh_CN' FROM ir_module_module"
        " WHERE name LIKE 'crm\\_%%' AND state = 'installed'",
        database=template,
    )
    texts = {name: values for name, *values in names if name in SUITE}
    assert set(texts) == set(SUITE)
    for name, values in texts.items():
        for value in values:
            assert re.search("[\u4e00-\u9fff]", value or ""), f"{name}: {value}"
