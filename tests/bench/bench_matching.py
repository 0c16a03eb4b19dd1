"""Identity beside plain Splink: held-out sets, and FEBRL 4 the product's own way.

The product's own way: two channels land the two files over HTTP, the records are
processed, a matching run over all is gathered, carried out by the runner in a process
of its own and collected; the pairs are what then stands in ``omni.match``.

Times are compared like with like. *The matcher alone*: from a data frame to pairs, on
both sides in this process. *The run*: from the button (records in the database) to the
queue in the database, its process included, beside a process of plain Splink from its
start, with the files on disk, to a file of pairs.

None of the social-security numbers of FEBRL is used on either side.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from figures import figure, percentile

from scripts import databases
from tests import matching_sets, plain_splink
from tests.conftest import OdooServer, run_shell
from tests.febrl import dataset
from tests.matching_sets import as_sent, quality

_spec = importlib.util.spec_from_file_location(
    "tools_loader",
    Path(__file__).resolve().parents[2] / "addons/crm_data_governance/tools_loader.py",
)
_loader = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_loader)
_loader.install([str(Path(__file__).resolve().parents[2] / "addons")])

from crm_omnichannel_tools import match_model, matcher  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
LOGS = Path(os.environ["ODOO_DATA_DIR"]).parent / "logs"
FILES = ("dataset4a", "dataset4b")
#: the default thresholds of the addon
MERGE_FROM = 0.95
PLAIN = f"plain Splink from {plain_splink.PROBABILITY}"
CHANNELS = f"""
mapping = env.ref("crm_omnichannel.omni_mapping_people").copy({{"name": "FEBRL"}})
keys = {{}}
for name in {FILES!r}:
    channel = env["omni.channel"].create({{
        "name": name, "code": name, "type": "http", "company_id": False,
        "country_id": env.ref("base.au").id, "mapping_id": mapping.id,
    }})
    keys[name] = channel.issue_key()
    channel.credential_id.sudo().rate = 0
# nobody else is looked at
env["res.partner"].search([
    ("partner_share", "=", True), ("user_ids", "=", False)
]).active = False
env.cr.commit()
answer(keys)
"""
PROCESS = """
from odoo.addons.crm_data_governance.db import take_batches
from odoo.tools import SQL
take_batches(
    env.registry, 1,
    ("omni_record", SQL("state = 'received'"), SQL("id"), 500),
    lambda env, ids: env["omni.record"]._process_batch(ids),
)
env.cr.rollback()
answer(env["omni.record"].search_count([("state", "=", "done")]))
"""
MATCH = """
import time
started = time.monotonic()
run = env["omni.match.run"]._start("full")
env.cr.commit()
while run.job_state in ("waiting", "running"):
    time.sleep(0.1)
    run.job_id._tick(run.job_id.ids)
    env.cr.rollback()
    env.invalidate_all()
assert run.done, (run.job_state, run.job_id.error, run.job_id.output)
seconds = time.monotonic() - started
people = {
    record.partner_id.id: record.external_id
    for record in env["omni.record"].search([("state", "=", "done")])
}
matches = env["omni.match"].search([])
answer([seconds, [
    [people[match.left_id.id], people[match.right_id.id], match.probability, match.sure]
    for match in matches
]])
"""
HINT = """
import time
times = []
for match in env["omni.match"].search([], limit=200):
    env.invalidate_all()
    partner = match.left_id
    partner.name
    started = time.perf_counter()
    partner._match_candidates()
    times.append(time.perf_counter() - started)
answer(times)
"""


def compare(known):
    """The matcher alone and plain Splink on one set, from a data frame to pairs."""
    plain_pairs, plain_seconds = plain_splink.timed(known.plain, known.settings)
    started = time.monotonic()
    found = matcher.match(known.records).pairs
    seconds = time.monotonic() - started
    proposed, unasked, likely = set(), set(), set()
    for pair in found.itertuples():
        ends = pair.left, pair.right
        proposed.add(ends)
        if pair.probability >= MERGE_FROM:
            likely.add(ends)
            if not match_model.contradicts(pair.answers):
                unasked.add(ends)
    plain = quality(plain_pairs, known.truth)
    for what, pairs in (
        ("merged or proposed", proposed),
        (f"of a probability from {MERGE_FROM}", likely),
        ("merged unasked", unasked),
    ):
        mine = quality(pairs, known.truth)
        for name, value, theirs in zip(
            ("F1", "precision", "recall"), mine, plain, strict=True
        ):
            figure(f"{known.name}, {name} {what}", value, "", PLAIN, theirs)
    figure(
        f"{known.name}, the matcher alone, learning included",
        seconds,
        "s",
        "plain Splink",
        plain_seconds,
    )
    return plain


def plain_process(known):
    """Return the seconds of a process of plain Splink, from files to a file."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        for number, frame in enumerate(known.plain):
            frame.to_csv(folder / f"{number}.csv", index=False)
        (folder / "settings.json").write_text(json.dumps(known.settings))
        started = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "tests.plain_splink", path], cwd=ROOT, check=True
        )
        return time.monotonic() - started


def land(server, keys, rows):
    for name, key in keys.items():
        lines = [json.dumps(row) for row in rows[name]]
        request = urllib.request.Request(
            f"{server.url}/omni/v1/records/{name}",
            "\n".join(lines).encode(),
            {
                "Authorization": f"Bearer {key}",
                "Content-Type": "application/x-ndjson",
            },
        )
        with urllib.request.urlopen(request, timeout=300) as response:
            answer = json.load(response)
        assert answer["accepted"] == len(lines), answer


def main():
    for known in matching_sets.held_out():
        compare(known)
    known = matching_sets.febrl("FEBRL 4", *FILES)
    plain = compare(known)
    rows = {name: list(dataset(name)) for name in FILES}
    number = {}
    for row in (row for name in FILES for row in rows[name]):
        number[row["rec_id"]] = len(number) + 1
    database = databases.copy(os.environ["CRM_TEST_TEMPLATE"], "crm_test_bench")
    server = OdooServer(
        database, LOGS / "bench.log", workers=2, **{"max-cron-threads": 0}
    )
    try:
        keys = run_shell(database, CHANNELS)
        server.start()
        land(server, keys, {name: map(as_sent, rows[name]) for name in FILES})
        server.stop()
        done = run_shell(database, PROCESS)
        seconds, found = run_shell(database, MATCH)
        hints = run_shell(database, HINT)
    finally:
        server.stop()
        databases.drop(database)
    plain_seconds = plain_process(known)
    sys.stderr.write(f"{done} records were processed\n")

    def stored(least=0.0, unasked=False):
        return {
            tuple(sorted((number[one], number[other])))
            for one, other, probability, sure in found
            if probability >= least and (sure or not unasked)
        }

    for what, pairs in (
        ("merged or proposed", stored()),
        (f"of a probability from {MERGE_FROM}", stored(MERGE_FROM)),
        ("merged unasked", stored(unasked=True)),
    ):
        for name, mine, theirs in zip(
            ("F1", "precision", "recall"),
            quality(pairs, known.truth),
            plain,
            strict=True,
        ):
            figure(f"identity on FEBRL 4, {name} {what}", mine, "", PLAIN, theirs)
    figure(
        "matching run, from the button to the queue",
        seconds,
        "s",
        "a process of plain Splink",
        plain_seconds,
    )
    figure("hint at entry, median", percentile(hints, 0.5), "s", "the target", 0.05)


if __name__ == "__main__":
    main()
