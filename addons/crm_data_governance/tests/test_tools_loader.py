import subprocess
import sys
from importlib import import_module
from pathlib import Path

from odoo.tests import BaseCase, tagged

TOOLS = "odoo.addons.crm_data_governance.tools"
ADDON = Path(__file__).resolve().parents[1]

OUTSIDE = """
import sys

class NoOdoo:
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] == "odoo":
            raise ImportError(fullname)

sys.meta_path.insert(0, NoOdoo())
sys.path.insert(0, {folder!r})
import importlib, pkgutil
import tools_loader
tools_loader.install()
finders = len(sys.meta_path)
tools_loader.install([{other!r}])
assert len(sys.meta_path) == finders
import crm_data_governance_tools
names = [part.name for part in pkgutil.iter_modules(crm_data_governance_tools.__path__)]
assert "keys" in names and "lineage" in names, names
for name in names:
    importlib.import_module("crm_data_governance_tools." + name)
try:
    import crm_nowhere_tools
except ModuleNotFoundError:
    pass
else:
    raise AssertionError
assert not [name for name in sys.modules if name.partition(".")[0] == "odoo"]
print("fine")
"""


@tagged("post_install", "-at_install")
class TestToolsLoader(BaseCase):
    def test_same_objects_inside_odoo(self):
        import crm_data_governance_tools.lineage
        from crm_data_governance_tools.keys import NewKey

        lineage = import_module(f"{TOOLS}.lineage")
        keys = import_module(f"{TOOLS}.keys")
        self.assertIs(NewKey, keys.NewKey)
        self.assertIs(crm_data_governance_tools.lineage, lineage)
        self.assertEqual(lineage.__spec__.name, f"{TOOLS}.lineage")

    def test_outside_odoo(self):
        code = OUTSIDE.format(folder=str(ADDON), other=str(ADDON))
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.stdout.strip(), "fine", done.stderr)
