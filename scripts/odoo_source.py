"""Odoo 19: given, prepared before, from Debian's archive, or cloned."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from . import debian, python_env
from .console import Failure, require_tool, run, say, step
from .layout import LOGS, ODOO, RUN

PUBLIC_REPOSITORY = "https://github.com/odoo/odoo.git"
BRANCH = "19.0"
DEBIAN_SUITE = "unstable"
DEBIAN_PACKAGE = "odoo-19"
# What the package's relative links point to.
LINKED_PACKAGES = (
    "fonts-inconsolata",
    "fonts-montserrat",
    "fonts-ocr-b",
    "fonts-roboto-unhinted",
    "libjs-jquery",
    "libjs-jquery-form",
    "libjs-underscore",
)
# The style sheets name Font Awesome 4's files; Debian's package has moved on.
FONT_AWESOME = "XStatic-Font-Awesome==4.7.0.0"
SEGMENTATION = "@mediapipe/selfie_segmentation@0.1.1675465747"
SEGMENTATION_FILE = "mail/static/lib/selfie_segmentation/selfie_segmentation.js"
# Discuss' background blur needs a library that Debian leaves out. Without the file
# every page bundle logs an error; with this one only the blur itself is refused.
SEGMENTATION_STAND_IN = """\
window.SelfieSegmentation = class {
    constructor() {
        throw new Error("Background blur is not part of this Odoo build.");
    }
};
"""


class Source:
    """A readable Odoo 19 tree: ``package`` holds odoo/, ``launcher`` starts it."""

    def __init__(self, home):
        self.home = Path(home).resolve()
        found = self._find()
        if not found:
            raise Failure(
                f"No Odoo 19 was found in {home} (looked for odoo/release.py)."
            )
        self.package, self.launcher = found
        self.version = self._version()
        if not self.version.startswith("19.0"):
            raise Failure(f"{home} holds Odoo {self.version}; Odoo 19.0 is needed.")

    def _find(self):
        for package, launcher in (
            (self.home, self.home / "odoo-bin"),
            (
                self.home / "usr/lib/python3/dist-packages",
                self.home / "usr/bin/odoo",
            ),
        ):
            if (package / "odoo/release.py").exists() and launcher.exists():
                return package, launcher
        return None

    def _version(self):
        text = (self.package / "odoo/release.py").read_text()
        match = re.search(r"^version_info = \((\d+), (\d+)", text, flags=re.M)
        return ".".join(match.groups()) if match else "?"

    @property
    def addons(self):
        """Odoo's addons folders (a clone has two)."""
        folders = [self.package / "odoo/addons", self.home / "addons"]
        return [folder for folder in folders if folder.is_dir()]


def prepared():
    """The Odoo to use, without fetching anything; None when there is none yet."""
    if os.environ.get("ODOO_HOME"):
        return Source(os.environ["ODOO_HOME"])
    if (ODOO / ".complete").exists():
        return Source(ODOO)
    return None


def prepare():
    source = prepared()
    if source:
        return source
    shutil.rmtree(ODOO, ignore_errors=True)
    version = from_debian(ODOO) if debian.available() else from_git(ODOO)
    (ODOO / ".complete").write_text(version)
    source = Source(ODOO)
    say(f"  ✓ Odoo {source.version}, {version}")
    return source


def from_git(target):
    """A shallow clone of the public branch (``ODOO_GIT``: another repository)."""
    require_tool("git", "to fetch Odoo")
    repository = os.environ.get("ODOO_GIT") or PUBLIC_REPOSITORY
    with step(f"Odoo {BRANCH}: cloning {repository}"):
        run(
            ["git", "clone", "--depth=1", f"--branch={BRANCH}", repository, target],
            log=LOGS / "odoo.log",
            hint="Odoo could not be cloned",
        )
    return f"branch {BRANCH}"


def from_debian(target):
    archive = debian.Archive(DEBIAN_SUITE)
    try:
        archive.update()
    except Failure as failure:
        say(f"  {failure}\n  Cloning Odoo instead.")
        return from_git(target)
    version = archive.version(DEBIAN_PACKAGE)
    if not version or not re.match(r"(\d+:)?19\.0", version):
        say(f"  The Debian mirror has no Odoo 19.0 ({version}); cloning instead.")
        return from_git(target)
    with step(f"Odoo: the Debian package {DEBIAN_PACKAGE} {version} (about 120 MB)"):
        packages = [name for name in LINKED_PACKAGES if archive.has(name)]
        archive.extract([DEBIAN_PACKAGE, *packages], target)
        _mend_font_awesome(target)
        _mend_segmentation(target)
    return f"Debian {version}"


def _mend_font_awesome(target):
    folder = RUN / "font-awesome"
    python_env.create_venv(python_env.VENV)
    python_env.install_into(folder, FONT_AWESOME)
    fonts = target / "usr/share/fonts-font-awesome/fonts"
    shutil.rmtree(fonts, ignore_errors=True)
    shutil.copytree(folder / "xstatic/pkg/font_awesome/data/fonts", fonts)
    shutil.rmtree(folder)


def _mend_segmentation(target):
    addons = Source(target).package / "odoo/addons"
    path = addons / SEGMENTATION_FILE
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if shutil.which("npm") and _segmentation_from_npm(path):
        return
    path.write_text(SEGMENTATION_STAND_IN)


def _segmentation_from_npm(path):
    folder = RUN / "npm"
    folder.mkdir(exist_ok=True)
    packed = subprocess.run(
        ["npm", "pack", "--silent", SEGMENTATION],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    archives = list(folder.glob("*.tgz"))
    if packed.returncode == 0 and archives:
        shutil.unpack_archive(archives[0], folder)
        shutil.copy(folder / "package" / path.name, path)
    shutil.rmtree(folder)
    return path.exists()
