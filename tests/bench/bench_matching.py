"""Identity on FEBRL 4 without the social-security number, beside plain Splink.

The product's own way: two channels land the two files over HTTP, the records are
processed, a matching run over all is gathered, carried out by the runner in a process
of its own and collected; the pairs are what then stands in ``omni.match``. Plain Splink
gets the two files with their columns as they are, links the one to the other and takes
its pairs from a probability of .95 on.
"""

import importlib.util
import json
import logging
import os
import sys
import time
import urllib.request
from pathlib import Path

import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from figures import figure, percentile

from scripts import databases
from tests.conftest import OdooServer, run_shell
from tests.febrl import dataset

_spec = importlib.util.spec_from_file_location(
    "tools_loader",
    Path(__file__).resolve().parents[2] / "addons/crm_data_governance/tools_loader.py",
)
_loader = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_loader)
_loader.install([str(Path(__file__).resolve().parents[2] / "addons")])

from crm_omnichannel_tools import matcher  # noqa: E402

LOGS = Path(os.environ["ODOO_DATA_DIR"]).parent / "logs"
FILES = ("dataset4a", "dataset4b")
TRUE_PAIRS = 5_000
PLAIN_FROM = 0.95
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


def person_of(record_id):
    """The number of the person in a FEBRL id such as ``rec-1070-org``."""
    return record_id.split("-")[1]


def quality(pairs):
    """Return ``(F1, precision, recall)`` of pairs of FEBRL ids."""
    right = sum(person_of(one) == person_of(other) for one, other in pairs)
    precision, recall = right / len(pairs), right / TRUE_PAIRS
    return 2 * precision * recall / (precision + recall), precision, recall


def plain_splink(frames):
    """Return ``(pairs, seconds)`` of Splink as its guide shows it."""
    started = time.monotonic()
    api = DuckDBAPI()
    names = ("given_name", "surname", "date_of_birth", "postcode")
    linker = Linker(
        [api.register(frame) for frame in frames],
        SettingsCreator(
            link_type="link_only",
            unique_id_column_name="rec_id",
            blocking_rules_to_generate_predictions=[block_on(name) for name in names],
            comparisons=[
                cl.NameComparison("given_name").configure(
                    term_frequency_adjustments=True
                ),
                cl.NameComparison("surname").configure(term_frequency_adjustments=True),
                cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
                cl.JaroWinklerAtThresholds("address_1", [0.9]),
                cl.LevenshteinAtThresholds("postcode", [1, 2]),
                cl.JaroWinklerAtThresholds("suburb", [0.9]),
                cl.ExactMatch("street_number"),
                cl.ExactMatch("state"),
            ],
        ),
        log_level=logging.ERROR,
    )
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on("given_name", "surname", "date_of_birth")], recall=0.6
    )
    training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for name in ("date_of_birth", "postcode"):
        training.estimate_parameters_using_expectation_maximisation(block_on(name))
    found = linker.inference.predict(threshold_match_probability=PLAIN_FROM)
    found = found.as_pandas_dataframe()
    pairs = list(zip(found["rec_id_l"], found["rec_id_r"], strict=True))
    return pairs, time.monotonic() - started


def matcher_alone(rows):
    """Return ``(pairs, seconds)`` of the addon's matcher on the same records, from a
    data frame to pairs as plain Splink is timed."""
    names = {"birthday": "birthdate", "postcode": "zip"}
    sent = pd.DataFrame([as_sent(row) for row in rows]).replace("", None)
    records = sent.rename(columns=names).assign(
        name=(sent["given_name"].fillna("") + " " + sent["surname"].fillna("")),
        unique_id=range(1, len(sent) + 1),
        is_company=False,
    )
    started = time.monotonic()
    found = matcher.match(records).pairs
    seconds = time.monotonic() - started
    ids = sent["id"].to_numpy()
    return list(
        zip(ids[found["left"] - 1], ids[found["right"] - 1], strict=True)
    ), seconds


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


def as_sent(row):
    """A FEBRL row as a shop would send it, without the social-security number."""
    return {
        "id": row["rec_id"],
        "given_name": row["given_name"],
        "surname": row["surname"],
        "street": f"{row['street_number']} {row['address_1']}".strip(),
        "street2": row["address_2"],
        "city": row["suburb"],
        "postcode": row["postcode"],
        "state": row["state"],
        "birthday": _date(row["date_of_birth"]),
    }


def _date(text):
    """19320231 is no date: the set has such errors, a shop's form does not."""
    try:
        return time.strftime("%Y-%m-%d", time.strptime(text, "%Y%m%d"))
    except ValueError:
        return ""


def main():
    rows = {name: list(dataset(name)) for name in FILES}
    frames = [
        pd.DataFrame(rows[name]).replace("", None).drop(columns="soc_sec_id")
        for name in FILES
    ]
    plain_pairs, plain_seconds = plain_splink(frames)
    plain = quality(plain_pairs)
    alone_pairs, alone_seconds = matcher_alone(
        [row for name in FILES for row in rows[name]]
    )
    figure(
        "matcher alone on FEBRL 4, F1 from its default threshold",
        quality(alone_pairs)[0],
        "",
        f"plain Splink from {PLAIN_FROM}",
        plain[0],
    )
    figure(
        "matcher alone on FEBRL 4, learning included",
        alone_seconds,
        "s",
        "plain Splink",
        plain_seconds,
    )
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
    sys.stderr.write(f"{done} records were processed\n")
    ours = quality([pair[:2] for pair in found])
    for name, mine, theirs in zip(
        ("F1", "precision", "recall"), ours, plain, strict=True
    ):
        figure(
            f"identity on FEBRL 4, {name} of the pairs merged or proposed",
            mine,
            "",
            f"plain Splink from {PLAIN_FROM}",
            theirs,
        )
    figure(
        "identity on FEBRL 4, F1 from .95",
        quality([pair[:2] for pair in found if pair[2] >= PLAIN_FROM])[0],
        "",
        f"plain Splink from {PLAIN_FROM}",
        plain[0],
    )
    figure(
        "pairs merged unasked, precision",
        quality([pair[:2] for pair in found if pair[3]])[1],
        "",
        "pairs merged unasked",
        sum(pair[3] for pair in found),
    )
    figure(
        "matching run, from the button to the queue",
        seconds,
        "s",
        "plain Splink",
        plain_seconds,
    )
    figure("hint at entry, median", percentile(hints, 0.5), "s", "the target", 0.05)


if __name__ == "__main__":
    main()
