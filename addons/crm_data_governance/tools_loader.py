"""One name for the pure code of every addon: ``crm_x_tools``.

``tools/`` folders import no Odoo.  Job children, benches and pure tests must
reach them without loading Odoo (``import odoo.addons.crm_x.tools.part`` pulls in
hundreds of modules first), and an addon's ``tools/`` may import those of a lower
layer.  A finder on ``sys.meta_path`` maps ``crm_x_tools[.part]``

* inside Odoo to the very module object ``odoo.addons.crm_x.tools[.part]``, so that
  a class has one identity whichever name it was imported by;
* elsewhere to the files in ``<addons path>/crm_x/tools``.

This file imports nothing but the standard library.
"""

import importlib
import importlib.abc
import importlib.util
import re
import sys
from pathlib import Path

_NAME = re.compile(r"^(crm_[a-z0-9_]+)_tools((?:\.[A-Za-z_]\w*)*)$")


class _AliasLoader(importlib.abc.Loader):
    """Hand out a module that is known under another name."""

    def __init__(self, real_name):
        self.real_name = real_name

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        # The import system returns what stands in sys.modules afterwards; putting
        # the real module there keeps its __spec__ and its single identity.
        sys.modules[module.__name__] = importlib.import_module(self.real_name)


class ToolsFinder(importlib.abc.MetaPathFinder):
    """Find ``crm_x_tools`` packages below some addons folders.

    :param addons_paths: folders that contain addons, as :class:`pathlib.Path`
    """

    def __init__(self, addons_paths):
        self.addons_paths = list(addons_paths)

    def find_spec(self, fullname, path=None, target=None):
        match = _NAME.match(fullname)
        if not match:
            return None
        addon, part = match.groups()
        folder = self._folder(addon)
        if folder is None:
            return None
        if f"odoo.addons.{addon}" in sys.modules:
            loader = _AliasLoader(f"odoo.addons.{addon}.tools{part}")
            return importlib.util.spec_from_loader(fullname, loader)
        return self._spec_from_path(fullname, folder.joinpath(*part.split(".")[1:]))

    def _folder(self, addon):
        for addons_path in self.addons_paths:
            folder = addons_path / addon / "tools"
            if (folder / "__init__.py").is_file():
                return folder
        return None

    @staticmethod
    def _spec_from_path(fullname, target):
        package = target / "__init__.py"
        if package.is_file():
            return importlib.util.spec_from_file_location(
                fullname, package, submodule_search_locations=[str(target)]
            )
        module = target.with_suffix(".py")
        if module.is_file():
            return importlib.util.spec_from_file_location(fullname, module)
        return None


def install(addons_paths=None):
    """Put the finder on ``sys.meta_path``; a second call adds its folders to it.

    :param addons_paths: folders that contain addons (default: the one this addon
        stands in)
    :return: the finder
    """
    paths = [Path(path).resolve() for path in addons_paths or ()]
    paths = paths or [Path(__file__).resolve().parents[1]]
    for finder in sys.meta_path:
        # Compared by name: this file may be loaded as an Odoo module and by path.
        if type(finder).__name__ == ToolsFinder.__name__:
            finder.addons_paths.extend(
                path for path in paths if path not in finder.addons_paths
            )
            return finder
    finder = ToolsFinder(paths)
    # First: the file finder would else load a second copy of a submodule.
    sys.meta_path.insert(0, finder)
    return finder
