"""``make lint``: style, Odoo's rules, translations, layers, vendored licences."""

import ast
import hashlib
import re
import subprocess

from . import python_env
from .console import Failure, say, step
from .layout import ADDONS, LOGS, ROOT, SUITE, preparing

# Who may import whom (ARCHITECTURE, section 2): each addon and what lies below it.
BELOW = {
    "crm_data_governance": set(),
    "crm_omnichannel": {"crm_data_governance"},
    "crm_behavior_analytics": {"crm_data_governance", "crm_omnichannel"},
}
BELOW |= {
    name: {"crm_data_governance", "crm_omnichannel", "crm_behavior_analytics"}
    for name in ("crm_sales_automation", "crm_personalization", "crm_ticket_routing")
}
PYTHON_FOLDERS = ("addons", "scripts", "tests")
# Entries that are the same in both languages, one a line.
SAME_IN_CHINESE = ROOT / "scripts/same_in_chinese.txt"
LIBRARY_ROW = re.compile(r"^\|\s*`([^`]+)`.*\b([0-9a-f]{64})\b", flags=re.M)


def main():
    with preparing():
        python_env.create_venv(python_env.LINT_VENV)
        python_env.prepare_lint()
    failed = []
    for title, check in (
        ("ruff", _ruff),
        ("ruff format", _ruff_format),
        ("pylint-odoo", _pylint),
        ("oca-checks", _oca_checks),
        ("layers", lambda: list(layer_findings())),
        ("translations", lambda: list(translation_findings())),
        ("vendored libraries", lambda: list(library_findings())),
    ):
        with step(title):
            findings = check()
        for finding in findings:
            say(f"    {finding}")
        if findings:
            failed.append(title)
    if failed:
        raise Failure(f"make lint: findings in {', '.join(failed)}.")
    say("lint: no findings")


def _tool(name, *arguments):
    done = subprocess.run(
        [python_env.LINT_VENV / "bin" / name, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.returncode:
        return []
    output = (done.stdout + done.stderr).strip()
    return output.splitlines() or [f"{name} ended with code {done.returncode}"]


def _ruff():
    return _tool("ruff", "check", "--output-format=concise", *PYTHON_FOLDERS)


def _ruff_format():
    return _tool("ruff", "format", "--check", *PYTHON_FOLDERS)


def _pylint():
    addons = [f"addons/{name}" for name in SUITE]
    return _tool("pylint", "--rcfile=pyproject.toml", *addons)


def _oca_checks():
    config = LOGS / "oca-checks.cfg"
    config.write_text(
        "[MESSAGES_CONTROL]\n"
        # po-pretty-format is msgcat's line width; `make i18n` writes Odoo's.
        "disable=po-pretty-format,po-requires-module,xml-deprecated-tree-attribute\n"
    )
    found = []
    for name in SUITE:
        found += _tool("oca-checks-odoo-module", f"--config={config}", f"addons/{name}")
    return found


# -- layers --------------------------------------------------------------------


def imported_modules(path):
    """``(line, dotted name)`` of every import in a Python file."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def layer_findings(addons=ADDONS):
    for path in sorted(addons.glob("crm_*/**/*.py")):
        parts = path.relative_to(addons).parts
        addon, in_tools = parts[0], "tools" in parts[1:-1]
        for line, name in imported_modules(path):
            where = f"{path.relative_to(addons.parent)}:{line}"
            if in_tools and name.split(".")[0] == "odoo":
                yield f"{where}: tools/ must not import Odoo ({name})"
            target = _suite_addon(name)
            if target and target != addon and target not in BELOW[addon]:
                yield f"{where}: {addon} must not import from {target}"
    for addon in SUITE:
        manifest = addons / addon / "__manifest__.py"
        if not manifest.exists():
            yield f"{addon}: no manifest"
            continue
        for dependency in ast.literal_eval(manifest.read_text())["depends"]:
            if dependency in SUITE and dependency not in BELOW[addon]:
                yield f"{addon}: the manifest must not depend on {dependency}"
    for path in _lgpl_sources(addons):
        if re.search(r"env\[[\"']helpdesk\.", path.read_text()):
            yield f"{path}: only the AGPL addon may name a helpdesk model"


def _suite_addon(name):
    parts = name.split(".")
    if parts[:2] == ["odoo", "addons"] and len(parts) > 2:
        return parts[2] if parts[2] in SUITE else None
    if parts[0].endswith("_tools") and parts[0][: -len("_tools")] in SUITE:
        return parts[0][: -len("_tools")]
    return None


def _lgpl_sources(addons):
    for addon in SUITE:
        if addon != "crm_ticket_routing":
            yield from (addons / addon).glob("**/*.py")


# -- translations --------------------------------------------------------------


def translation_findings(addons=ADDONS):
    """Entries of zh_CN.po that are missing, fuzzy, empty or plain English."""
    done = subprocess.run(
        [
            python_env.LINT_VENV / "bin/python",
            "-c",
            PO_READER,
            str(SAME_IN_CHINESE),
            *[str(addons / name) for name in SUITE],
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        yield done.stderr.strip() or "the translations could not be read"
    yield from done.stdout.splitlines()


PO_READER = r"""
import pathlib, re, sys, polib
same = set(pathlib.Path(sys.argv[1]).read_text().splitlines())
for folder in map(pathlib.Path, sys.argv[2:]):
    pot, po = (folder / "i18n" / name for name in (folder.name + ".pot", "zh_CN.po"))
    if not pot.exists() or not po.exists():
        print(f"{folder.name}: i18n/ lacks {pot.name} or {po.name}")
        continue
    translated = {entry.msgid: entry for entry in polib.pofile(str(po))}
    for source in polib.pofile(str(pot)):
        entry = translated.get(source.msgid)
        short = source.msgid[:60].replace("\n", " ")
        if entry is None or not entry.msgstr.strip():
            print(f"{folder.name}: not translated: {short}")
        elif entry.fuzzy:
            print(f"{folder.name}: fuzzy: {short}")
        elif (
            entry.msgstr == source.msgid
            and re.search(r"[A-Za-z]{2}", source.msgid)
            and source.msgid not in same
        ):
            print(f"{folder.name}: English in Chinese: {short}")
"""


# -- vendored libraries --------------------------------------------------------


def library_findings(addons=ADDONS):
    """Each file in static/lib stands in its README with its SHA-256 and licence."""
    for folder in sorted(addons.glob("crm_*/static/lib")):
        readme = folder / "README.md"
        text = readme.read_text() if readme.exists() else ""
        listed = dict(LIBRARY_ROW.findall(text))
        for path in sorted(folder.glob("**/*")):
            if not path.is_file() or path == readme:
                continue
            name = str(path.relative_to(folder))
            if "LICENSE" in path.name.upper():
                continue
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if listed.get(name) != digest:
                yield f"{folder}/{name}: not in README.md with its SHA-256"
            if not list(path.parent.glob("*LICENSE*")):
                yield f"{folder}/{name}: no licence beside it"
