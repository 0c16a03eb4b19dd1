"""Splink as its guide shows it: the baseline of the matcher, also as a process.

``python -m tests.plain_splink FOLDER`` reads ``*.csv`` (one a table) and
``settings.json`` (name of a function below) and writes ``pairs.json``.
"""

import contextlib
import json
import logging
import sys
import time
from pathlib import Path

import pandas as pd
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

PROBABILITY = 0.95


def people():
    """People with address and date of birth."""
    return {
        "keys": ("given_name", "surname", "date_of_birth", "postcode"),
        "learn": ("date_of_birth", "postcode"),
        "sure": ("given_name", "surname", "date_of_birth"),
        "comparisons": [
            cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("surname").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
            cl.JaroWinklerAtThresholds("address_1", [0.9]),
            cl.LevenshteinAtThresholds("postcode", [1, 2]),
            cl.JaroWinklerAtThresholds("suburb", [0.9]),
            cl.ExactMatch("street_number"),
            cl.ExactMatch("state"),
        ],
    }


def contacts():
    """People or firms with telephone and e-mail."""
    return {
        "keys": ("name", "phone", "email", "street"),
        "learn": ("phone", "email"),
        "sure": ("phone", "email"),
        "comparisons": [
            cl.JaroWinklerAtThresholds("name", [0.92, 0.8]).configure(
                term_frequency_adjustments=True
            ),
            cl.LevenshteinAtThresholds("phone", [1, 2]),
            cl.EmailComparison("email"),
            cl.JaroWinklerAtThresholds("street", [0.9]),
            cl.ExactMatch("city").configure(term_frequency_adjustments=True),
            cl.ExactMatch("zip"),
        ],
    }


SETTINGS = {"people": people, "contacts": contacts}


def match(frames, name):
    """Return the pairs of ids, the lower first, from a probability of .95 on.

    :param frames: one table to find duplicates in, or two to link
    :param str name: of :data:`SETTINGS`
    """
    settings = SETTINGS[name]()
    api = DuckDBAPI()
    linker = Linker(
        [api.register(frame) for frame in frames],
        SettingsCreator(
            link_type="dedupe_only" if len(frames) == 1 else "link_only",
            blocking_rules_to_generate_predictions=[
                block_on(name) for name in settings["keys"]
            ],
            comparisons=settings["comparisons"],
        ),
        log_level=logging.ERROR,
    )
    training = linker.training
    training.estimate_probability_two_random_records_match(
        [block_on(*settings["sure"])], recall=0.6
    )
    training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for name in settings["learn"]:
        # a block that Splink refuses is left out, as anybody would do
        with contextlib.suppress(ValueError):
            training.estimate_parameters_using_expectation_maximisation(block_on(name))
    found = linker.inference.predict(threshold_match_probability=PROBABILITY)
    found = found.as_pandas_dataframe()
    return {
        tuple(sorted(pair))
        for pair in zip(
            found["unique_id_l"].tolist(), found["unique_id_r"].tolist(), strict=True
        )
    }


def timed(frames, name):
    """Return ``(pairs, seconds)``, from data frames to pairs."""
    started = time.monotonic()
    pairs = match(frames, name)
    return pairs, time.monotonic() - started


def main(folder):
    frames = [
        pd.read_csv(path, dtype=str).astype({"unique_id": int})
        for path in sorted(folder.glob("*.csv"))
    ]
    pairs = match(frames, json.loads((folder / "settings.json").read_text()))
    (folder / "pairs.json").write_text(json.dumps(sorted(pairs)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
