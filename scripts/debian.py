"""Debian packages without root: apt's own signature check, then ``dpkg-deb -x``.

The private apt configuration takes the mirror from the machine's configured sources
and leaves the system's configuration and package state untouched.
"""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from .console import Failure, run
from .layout import DEBIAN, LOGS

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
SUITES = {"bookworm", "trixie", "forky", "sid", "stable", "testing", "unstable"}
SOURCES = Path("/etc/apt")


def keyring():
    return next((path for path in KEYRINGS if path.exists()), None)


def mirror(sources=SOURCES):
    """``(uri, suite)`` of the Debian archive that the machine uses, or None.

    Reads one-line (``deb …``) and deb822 sources (sources.list(5)).
    """
    for path in [sources / "sources.list", *sorted(sources.glob("sources.list.d/*"))]:
        if not path.is_file():
            continue
        for uri, suite in _entries(path):
            if suite in SUITES:
                return uri, suite
    return None


def _entries(path):
    text = path.read_text(errors="replace")
    if path.suffix == ".sources":
        for stanza in re.split(r"\n\s*\n", text):
            fields = dict(
                (key.lower(), value.split())
                for key, value in re.findall(
                    r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, flags=re.M
                )
            )
            if "deb" in fields.get("types", ()) and fields.get("enabled") != ["no"]:
                for uri in fields.get("uris", ()):
                    for suite in fields.get("suites", ()):
                        yield uri, suite
        return
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
        if match:
            yield match.groups()


def available():
    """Whether packages can be fetched here with a signature check."""
    return bool(
        shutil.which("apt-get") and shutil.which("dpkg-deb") and keyring() and mirror()
    )


class Archive:
    """One suite of the machine's Debian mirror, read through a private apt."""

    def __init__(self, suite=None):
        uri, own = mirror()
        self.suite = suite or own
        self.folder = DEBIAN / "apt" / self.suite
        self._log = LOGS / "debian.log"
        for part in ("lists/partial", "archives/partial", "none"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        # For another suite than the machine's own no package counts as installed.
        status = "/var/lib/dpkg/status"
        if suite:
            status = self.folder / "status"
            status.touch()
        (self.folder / "sources.list").write_text(
            f"deb [signed-by={keyring()}] {uri} {self.suite} main\n"
        )
        config = self.folder / "apt.conf"
        config.write_text(
            f'Dir::State "{self.folder}";\n'
            f'Dir::State::lists "{self.folder}/lists";\n'
            f'Dir::State::status "{status}";\n'
            f'Dir::Cache "{self.folder}";\n'
            f'Dir::Cache::archives "{self.folder}/archives";\n'
            f'Dir::Etc::sourcelist "{self.folder}/sources.list";\n'
            f'Dir::Etc::sourceparts "{self.folder}/none";\n'
            f'Dir::Etc::preferencesparts "{self.folder}/none";\n'
            'Acquire::Languages "none";\n'
            'Acquire::Retries "3";\n'
            'APT::Install-Recommends "false";\n'
            # As root apt would drop to a user that may not reach this folder.
            'APT::Sandbox::User "root";\n'
        )
        self._environment = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C"}

    def update(self):
        run(
            ["apt-get", "update", "-q"],
            log=self._log,
            hint="The Debian mirror could not be read",
            env=self._environment,
        )

    def _output(self, command):
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False
        ).stdout

    def has(self, package):
        found = self._output(["apt-cache", "policy", package])
        return bool(re.search(r"Candidate: (?!\(none\))", found))

    def version(self, package):
        found = re.search(
            r"Candidate: (\S+)", self._output(["apt-cache", "policy", package])
        )
        return found.group(1) if found else None

    def with_dependencies(self, packages):
        """``packages`` and what they need beyond what the machine has installed."""
        plan = self._output(
            ["apt-get", "install", "--simulate", "--no-install-recommends", *packages]
        )
        names = re.findall(r"^Inst (\S+)", plan, flags=re.M)
        if not names and not all(self._is_installed(name) for name in packages):
            raise Failure(
                f"The Debian mirror has no installable {', '.join(packages)}."
            )
        return names

    def _is_installed(self, package):
        found = self._output(["apt-cache", "policy", package])
        return "Installed: (none)" not in found and "Installed:" in found

    def extract(self, packages, target):
        """Download ``packages`` (checked by apt) and unpack them below ``target``."""
        target.mkdir(parents=True, exist_ok=True)
        archives = self.folder / "archives"
        run(
            ["apt-get", "download", "-q", *packages],
            log=self._log,
            hint=f"The download of {', '.join(packages)[:80]} failed",
            cwd=archives,
            env=self._environment,
        )
        for package in archives.glob("*.deb"):
            run(
                ["dpkg-deb", "-x", package, target],
                log=self._log,
                hint=f"{package.name} could not be unpacked",
            )
            package.unlink()


def library_path(target):
    """``LD_LIBRARY_PATH`` for programs unpacked below ``target``."""
    triplet = f"{platform.machine()}-linux-gnu"
    folders = [
        target / "usr/lib" / triplet,
        target / "lib" / triplet,
        target / "usr/lib",
    ]
    folders += sorted((target / "usr/lib" / triplet).glob("*/"))
    return ":".join(str(folder) for folder in folders if folder.is_dir())
