"""The checked-in templates hold what a fresh export finds: no string is forgotten."""

import polib
import pytest

from scripts import odoo_command
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
    return entries


@pytest.mark.parametrize("addon", SUITE)
def test_template_is_current(exported, addon):
    path = ADDONS / addon / "i18n" / f"{addon}.pot"
    checked_in = {entry.msgid for entry in polib.pofile(str(path))}
    assert exported[addon] == checked_in, "run: make i18n"
