"""``make i18n``: export the six .pot and merge each zh_CN.po."""

import ast
import json
import subprocess

from . import databases, odoo_command, prepare
from .console import Failure, say, step
from .layout import ADDONS, SUITE, VENV, preparing

# In the server's environment, which has polib. Keeps translations, drops what the
# sources no longer have, and leaves a file alone when only its date would change.
MERGE = r"""
import json, pathlib, sys, polib
for folder, facts in json.loads(sys.argv[1]).items():
    folder = pathlib.Path(folder)
    pot = polib.pofile(str(folder / "i18n" / (folder.name + ".pot")))
    # Odoo exports the names that Apps shows with its own modules only.
    for text, place in facts:
        entry = pot.find(text) or polib.POEntry(
            msgid=text, comment=f"module: {folder.name}"
        )
        if entry not in pot:
            pot.append(entry)
        if (place, "") not in entry.occurrences:
            entry.occurrences.append((place, ""))
    pot.save()
    path = folder / "i18n" / "zh_CN.po"
    po = polib.pofile(str(path)) if path.exists() else polib.POFile()
    before = {entry.msgid: entry.msgstr for entry in po}
    po.metadata = {**pot.metadata, **po.metadata, "Language": "zh_CN"}
    po.metadata.setdefault("Plural-Forms", "nplurals=1; plural=0;")
    po.merge(pot)
    for entry in po.obsolete_entries():
        po.remove(entry)
    po.save(str(path))
    missing = [entry.msgid for entry in po if not entry.msgstr or entry.fuzzy]
    print(f"{folder.name}: {len(po)} entries, {len(missing)} to translate")
    for text in missing:
        print(f"    {text[:100]!r}")
"""


def main():
    prepare.prepare()
    with preparing():
        template = databases.suite()
    with step("Exporting the templates"):
        export(template)
    merged = subprocess.run(
        [VENV / "bin/python", "-c", MERGE, json.dumps(manifest_texts())],
        capture_output=True,
        text=True,
        check=False,
    )
    if merged.returncode:
        raise Failure(merged.stderr.strip())
    say(merged.stdout.rstrip())


def manifest_texts():
    """``{addon's folder: [(text, where Apps shows it), …]}`` of the manifests."""
    texts = {}
    for name in SUITE:
        manifest = ast.literal_eval((ADDONS / name / "__manifest__.py").read_text())
        texts[str(ADDONS / name)] = [
            (manifest[key], f"model:ir.module.module,{field}:base.module_{name}")
            for key, field in (("name", "shortdesc"), ("summary", "summary"))
        ]
    return texts


def export(database):
    """Write each addon's ``i18n/<addon>.pot`` from ``database``."""
    for name in SUITE:
        (ADDONS / name / "i18n").mkdir(exist_ok=True)
    odoo_command.run_odoo(
        "i18n",
        "export",
        "--database",
        database,
        *SUITE,
        "--languages",
        "pot",
        log="i18n.log",
        hint="The translation templates could not be exported",
    )
