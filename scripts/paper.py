"""Programs and fonts that Odoo and the tests call: PDF, Chinese fonts, Chromium.

``WKHTMLTOPDF`` and ``CHROMIUM`` name a program; else the machine's own is taken; else
Debian's package is unpacked below ``.run`` with what it needs.
"""

import os
import shutil
import subprocess
from pathlib import Path

from . import debian
from .console import Failure, run, say, step
from .layout import DEBIAN, LOGS, RUN, VENV, is_done, set_done

PROGRAMS = RUN / "bin"
UNPACKED = DEBIAN / "programs"
FONT_PACKAGE = "fonts-wqy-zenhei"
FONTS_CONF = RUN / "fonts.conf"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def path():
    """The folder to put first on PATH."""
    return str(PROGRAMS) if PROGRAMS.is_dir() else ""


def environment():
    values = {}
    if FONTS_CONF.exists():
        values["FONTCONFIG_FILE"] = str(FONTS_CONF)
    return values


def prepare_pdf():
    """wkhtmltopdf on PATH; without it Odoo shows reports as web pages."""
    given = os.environ.get("WKHTMLTOPDF")
    if given:
        if not os.access(given, os.X_OK):
            raise Failure(f"WKHTMLTOPDF={given} is not a program that can be run.")
        _link("wkhtmltopdf", Path(given))
    elif not _find("wkhtmltopdf") and not _unpack("wkhtmltopdf", "usr/bin/wkhtmltopdf"):
        say("  PDF: no wkhtmltopdf here; give WKHTMLTOPDF=… to print documents.")


def prepare_fonts():
    """A Chinese font, for PDF files and screenshots."""
    listing = shutil.which("fc-list")
    if listing:
        found = subprocess.run(
            [listing, ":lang=zh", "family"], capture_output=True, check=False
        )
        if found.stdout.strip():
            return
    if not debian.available():
        say("  No Chinese font on this machine: install fonts-noto-cjk for PDF files.")
        return
    if FONTS_CONF.exists():
        return
    with step("Chinese fonts"):
        archive = debian.Archive()
        archive.update()
        archive.extract([FONT_PACKAGE, "fonts-dejavu-core"], UNPACKED)
        FONTS_CONF.write_text(
            '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n'
            "<fontconfig>\n"
            f"  <dir>{UNPACKED}/usr/share/fonts</dir>\n"
            "  <dir>/usr/share/fonts</dir>\n"
            '  <dir prefix="xdg">fonts</dir>\n'
            f"  <cachedir>{RUN}/fontcache</cachedir>\n"
            '  <include ignore_missing="yes">/etc/fonts/conf.d</include>\n'
            "</fontconfig>\n"
        )


def prepare_chromium():
    """The browser of the tests."""
    given = os.environ.get("CHROMIUM")
    if given:
        if not os.access(given, os.X_OK):
            raise Failure(f"CHROMIUM={given} is not a program that can be run.")
        return Path(given)
    for name in CHROMIUM_NAMES:
        found = _find(name)
        if found:
            return found
    if _unpack("chromium", "usr/lib/chromium/chromium"):
        return PROGRAMS / "chromium"
    return _from_playwright()


def _from_playwright():
    run(
        [VENV / "bin/python", "-m", "playwright", "install", "chromium"],
        log=LOGS / "chromium.log",
        hint="No Chromium for the browser tests; install it or give CHROMIUM=…",
        env={**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(RUN / "browsers")},
    )
    return next(RUN.glob("browsers/chromium-*/chrome-*/chrome"))


def _find(name):
    found = shutil.which(name, path=os.pathsep.join([path(), os.environ["PATH"]]))
    # Ubuntu's chromium is a stub that asks for a snap.
    if found and b"snap install" in Path(found).resolve().read_bytes()[:4096]:
        return None
    return Path(found) if found else None


def _link(name, target):
    PROGRAMS.mkdir(exist_ok=True)
    link = PROGRAMS / name
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _unpack(package, program):
    """Unpack Debian's ``package`` with its missing dependencies; a wrapper sets the
    library path. False when this machine's archive does not have it."""
    if is_done(package, "missing"):
        return False
    if not debian.available():
        return False
    with step(f"{package} from the Debian archive"):
        archive = debian.Archive()
        archive.update()
        if not archive.has(package):
            set_done(package, "missing")
            return False
        archive.extract(archive.with_dependencies([package]), UNPACKED)
    PROGRAMS.mkdir(exist_ok=True)
    wrapper = PROGRAMS / package
    wrapper.write_text(
        "#!/bin/sh\n"
        f'export LD_LIBRARY_PATH="{debian.library_path(UNPACKED)}"\n'
        f'exec "{UNPACKED}/{program}" "$@"\n'
    )
    wrapper.chmod(0o755)
    return True
