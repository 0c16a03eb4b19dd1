"""The job of a matching run: records in, pairs and models out, as files.

=================  ==========================================================
``records.csv``    in: the columns of ``match_records.COLUMNS``, ``unique_id``,
                   ``company_id``, ``parent_id``, ``is_company``, ``fresh``
``models.json``    in (may be absent): models to use; out: the models used
``pairs.jsonl``    out: one pair a line, see :func:`run`
=================  ==========================================================
"""

import hashlib
import json

import pandas as pd

from .match_model import Model, contradicts

RECORDS, MODELS, PAIRS = "records.csv", "models.json", "pairs.jsonl"
#: how fine the preview of the thresholds is
STEPS = 1000


def run(job, seed, floor, learn):
    """Match the records of a job's folder.

    A line of ``pairs.jsonl`` is ``[left, right, probability, answers, place, sure,
    fingerprint]``: ``sure`` if nothing contradicts, ``fingerprint`` of what was
    compared of both.

    :param int seed: of the random pairs
    :param float floor: the least probability of a pair
    :param bool learn: learn from these records instead of using the models given
    :return: ``{"records", "pairs", "preview", "notes"}``, see :func:`preview` and
        :func:`match_learning.learn`
    """
    # here: the server imports this module for the names of the files
    from . import matcher

    job.progress(0.05, "match_reading")
    records = read(job.folder / RECORDS)
    path = job.folder / MODELS
    models = {}
    if path.is_file() and not learn:
        models = {
            kind: Model.from_json(value)
            for kind, value in json.loads(path.read_text(encoding="utf-8")).items()
        }
    job.progress(0.1, "match_comparing")
    found = matcher.match(records, seed, floor, models)
    job.progress(0.9, "match_writing")
    prints = fingerprints(records, found.pairs)
    lines = []
    for pair in found.pairs.itertuples(index=False):
        sure = not contradicts(pair.answers)
        lines.append(
            [
                pair.left,
                pair.right,
                round(pair.probability, 6),
                [[code, level, round(bits, 2)] for code, level, bits in pair.answers],
                round(pair.place, 2),
                sure,
                prints[pair.left] + prints[pair.right],
            ]
        )
    with (job.folder / PAIRS).open("w", encoding="utf-8") as target:
        target.writelines(json.dumps(line) + "\n" for line in lines)
    path.write_text(
        json.dumps({kind: model.as_json() for kind, model in found.models.items()}),
        encoding="utf-8",
    )
    return {
        "records": len(records),
        "pairs": len(lines),
        "preview": preview([(line[0], line[1], line[2], line[5]) for line in lines]),
        "notes": found.notes,
    }


def read(path):
    """Return the records of a CSV file: texts as they are, empty ones as None."""
    records = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    records = records.astype(object).mask(records == "", None)
    for name in ("unique_id", "company_id", "parent_id"):
        records[name] = records[name].fillna("0").astype("int64")
    for name in ("is_company", "fresh"):
        records[name] = records[name] == "t"
    return records


def fingerprints(records, pairs):
    """Return ``{id: digest}`` of the records of pairs, as they were compared."""
    wanted = records[records["unique_id"].isin({*pairs["left"], *pairs["right"]})]
    values = wanted.drop(columns=["unique_id", "fresh", "company_id", "parent_id"])
    return {
        number: hashlib.blake2b(
            json.dumps(list(row), default=str).encode(), digest_size=8
        ).hexdigest()
        for number, row in zip(
            wanted["unique_id"].tolist(),
            values.itertuples(index=False, name=None),
            strict=True,
        )
    }


def preview(pairs):
    """Return what each threshold would do: ``{"pairs", "sure", "profiles"}``, lists of
    ``[step, how many at it]``, a step being a thousandth of probability.

    ``profiles`` counts the customers that would go: each sure pair that joins two who
    are not one already, from the likeliest down.

    :param pairs: ``(left, right, probability, sure)``, the likeliest first
    """
    counts = {"pairs": {}, "sure": {}, "profiles": {}}
    parents = {}

    def root(number):
        while parents.setdefault(number, number) != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    for left, right, probability, sure in pairs:
        step = int(probability * STEPS)
        names = ["pairs"]
        if sure:
            names.append("sure")
            one, other = root(left), root(right)
            if one != other:
                parents[other] = one
                names.append("profiles")
        for name in names:
            counts[name][step] = counts[name].get(step, 0) + 1
    return {name: sorted(map(list, found.items())) for name, found in counts.items()}


def outcome(steps, upper, lower, merging):
    """Return ``(profiles merged, pairs proposed)`` of two thresholds.

    :param dict steps: of :func:`preview`
    :param bool merging: whether sure pairs above ``upper`` are merged at all
    """

    def at_least(name, threshold):
        first = round(threshold * STEPS)
        return sum(count for step, count in steps.get(name, ()) if step >= first)

    proposed = at_least("pairs", lower)
    if not merging:
        return 0, proposed
    upper = max(upper, lower)
    return at_least("profiles", upper), proposed - at_least("sure", upper)
