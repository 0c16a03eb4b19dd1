"""The algorithms of each addon load and run without Odoo."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.layout import SUITE

ROOT = Path(__file__).resolve().parent.parent
LOADER = ROOT / "addons/crm_data_governance/tools_loader.py"
# A child with Odoo blocked: the loader by its path, then every part of the package.
CHILD = """
import importlib, importlib.util, pkgutil, sys

class NoOdoo:
    def find_spec(self, name, path=None, target=None):
        if name == "odoo" or name.startswith("odoo."):
            raise ImportError("tools/ must not need Odoo: " + name)

sys.meta_path.insert(0, NoOdoo())
spec = importlib.util.spec_from_file_location("tools_loader", sys.argv[1])
loader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(loader)
loader.install([sys.argv[2]])
package = importlib.import_module(sys.argv[3] + "_tools")
names = [part.name for part in pkgutil.walk_packages(package.__path__)]
for name in names:
    importlib.import_module(f"{sys.argv[3]}_tools.{name}")
assert "odoo" not in sys.modules
print(len(names))
"""


@pytest.mark.parametrize("addon", SUITE)
def test_tools_load_with_odoo_blocked(addon):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(LOADER), str(ROOT / "addons"), addon],
        capture_output=True,
        text=True,
        env={"PATH": ""},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0, "an empty tools/ proves nothing"


def test_every_public_function_says_what_it_takes():
    """A docstring on each public function and class of tools/."""
    import ast

    bare = []
    for path in sorted((ROOT / "addons").glob("crm_*/tools/**/*.py")):
        for node in ast.parse(path.read_text()).body:
            named = isinstance(node, (ast.FunctionDef, ast.ClassDef))
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                bare.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not bare, "\n".join(bare)


# A child in which only what requirements.txt brings can be imported: the tests' own
# packages hide what a company that installs the addons would miss.
BARE = """
import importlib, json, sys

hidden = set(json.loads(sys.argv[4]))

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
""" + CHILD.replace(
    "assert", "import ibis, lightgbm, splink\nibis.polars.connect({})\nassert", 1
)


def _brought_by(requirements):
    """Names of the distributions that a requirements file installs, theirs included."""
    waiting = [
        Requirement(line)
        for line in requirements.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    found = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in found:
            continue
        found.add(key)
        try:
            needs = metadata.requires(wanted.name) or ()
        except metadata.PackageNotFoundError:
            # for another platform or another Python
            continue
        for need in map(Requirement, needs):
            extras = wanted.extras or {""}
            if not need.marker or any(
                need.marker.evaluate({"extra": extra}) for extra in extras
            ):
                waiting.append(need)
    return {name for name, _extras in found}


@pytest.mark.parametrize("addon", SUITE)
def test_tools_load_with_what_the_product_installs(addon):
    brought = _brought_by(ROOT / "requirements.txt")
    hidden = [
        module
        for module, names in metadata.packages_distributions().items()
        if not {canonicalize_name(name) for name in names} & brought
    ]
    assert {"pytest", "playwright"} <= set(hidden), "the tests' own are hidden"
    done = subprocess.run(
        [
            *(sys.executable, "-c", BARE, str(LOADER), str(ROOT / "addons"), addon),
            json.dumps(hidden),
        ],
        capture_output=True,
        text=True,
        env={"PATH": ""},
    )
    assert done.returncode == 0, done.stderr
