"""``make bench``: one JSON line a figure, each beside a baseline of the same run."""

import os
import subprocess

from . import databases, prepare, testing
from .console import Failure, say
from .layout import ROOT, VENV, preparing


def main():
    prepare.prepare(tests=True)
    with preparing():
        template = databases.suite()
    environment = testing.test_environment(template)
    failed = []
    for path in sorted((ROOT / "tests/bench").glob("bench_*.py")):
        area = os.environ.get("AREA")
        if area and area not in path.stem:
            continue
        say(f"# {path.stem}")
        code = subprocess.run(
            [VENV / "bin/python", path], env=environment, cwd=ROOT, check=False
        ).returncode
        if code:
            failed.append(path.stem)
    if failed:
        raise Failure(f"make bench: {', '.join(failed)} did not come to an end.")
