"""The virtual environments: one for the server and the tests, one for the linters."""

import shutil
import sys
import tempfile
from pathlib import Path

from . import debian
from .console import Failure, run, step
from .layout import LOGS, OCA, ROOT, RUN, VENV, fingerprint, is_done, set_done

REQUIREMENTS = ROOT / "requirements.txt"
TEST_REQUIREMENTS = ROOT / "requirements-test.txt"
LINT_REQUIREMENTS = ROOT / "requirements-lint.txt"
DATA_REQUIREMENTS = ROOT / "requirements-data.txt"
SPARK_REQUIREMENTS = ROOT / "requirements-spark.txt"
OCA_REQUIREMENTS = ROOT / "requirements-oca.txt"
LINT_VENV = RUN / "venv-lint"
SUPPORTED = ((3, 10), (3, 13))


def check_version(version=sys.version_info[:2]):
    low, high = SUPPORTED
    if not low <= tuple(version) <= high:
        raise Failure(
            "Python {}.{} is not supported; Python 3.10 to 3.13 is needed: "
            "make PYTHON=python3.11 …".format(*version)
        )


def prepare_server():
    _install(VENV, REQUIREMENTS, "Python packages of the server")


def prepare_tests():
    prepare_server()
    _install(VENV, TEST_REQUIREMENTS, "Python packages of the tests")
    _install(VENV, DATA_REQUIREMENTS, "Data sets of the tests", "--no-deps")


def prepare_spark():
    """Spark for ``make verify``; without Java its test says so and is skipped."""
    if shutil.which("java"):
        _install(VENV, SPARK_REQUIREMENTS, "Spark")


def prepare_lint():
    _install(LINT_VENV, LINT_REQUIREMENTS, "Linters")


def prepare_oca():
    """The OCA addons, outside the virtual environment: their metadata asks for a
    distribution called ``odoo`` that the package index does not have."""
    mark = fingerprint(OCA_REQUIREMENTS)
    if is_done("oca", mark) and OCA.is_dir():
        return
    with step("OCA addons"):
        shutil.rmtree(OCA, ignore_errors=True)
        run(
            [
                *_pip(VENV),
                "install",
                "--no-deps",
                "--target",
                OCA,
                "--requirement",
                OCA_REQUIREMENTS,
            ],
            log=LOGS / "pip.log",
            hint="The OCA addons could not be installed",
        )
    set_done("oca", mark)


def install_into(folder, *packages):
    """Install ``packages`` alone into ``folder`` (data and binaries, not imports)."""
    run(
        [*_pip(VENV), "install", "--no-deps", "--target", folder, *packages],
        log=LOGS / "pip.log",
        hint=f"{', '.join(packages)} could not be installed",
    )


def download_source(folder, package):
    """The source archive of ``package`` into ``folder``; nothing is installed."""
    run(
        [
            *(*_pip(VENV), "download", "--no-deps", "--no-binary", ":all:"),
            *("--no-build-isolation", "--dest", folder, package),
        ],
        log=LOGS / "pip.log",
        hint=f"{package} could not be downloaded",
    )


def _pip(venv):
    return [venv / "bin/python", "-m", "pip", "--quiet", "--no-input"]


def _install(venv, requirements, title, *options):
    name = f"pip-{requirements.stem}"
    mark = fingerprint(requirements, sys.version, str(venv))
    if is_done(name, mark) and (venv / "bin/python").exists():
        return
    with step(title):
        create_venv(venv)
        run(
            [*_pip(venv), "install", *options, "--requirement", requirements],
            log=LOGS / "pip.log",
            hint=f"{title} could not be installed",
        )
    set_done(name, mark)


def create_venv(venv):
    """A virtual environment with pip, also where Debian's python3-venv is missing."""
    python = venv / "bin/python"
    if not python.exists():
        run(
            [sys.executable, "-m", "venv", "--without-pip", venv],
            log=LOGS / "pip.log",
            hint="The Python environment could not be created",
        )
    if (venv / "bin/pip").exists():
        return
    if _has_ensurepip():
        run(
            [python, "-m", "ensurepip", "--default-pip"],
            log=LOGS / "pip.log",
            hint="pip could not be prepared",
        )
        return
    _pip_from_debian(python)


def _has_ensurepip():
    import importlib.util

    return importlib.util.find_spec("ensurepip") is not None


def _pip_from_debian(python):
    """Debian splits ensurepip off; the same archive has pip as a wheel."""
    if not debian.available():
        raise Failure(
            "Python's pip is missing; install the package python3-venv (or "
            "python3-pip) of this system."
        )
    with tempfile.TemporaryDirectory(dir=RUN) as folder:
        archive = debian.Archive()
        archive.update()
        archive.extract(["python3-pip-whl"], Path(folder))
        wheel = next(Path(folder).glob("usr/share/python-wheels/pip-*.whl"))
        run(
            [python, f"{wheel}/pip", "install", "--no-index", wheel],
            log=LOGS / "pip.log",
            hint="pip could not be prepared",
        )
