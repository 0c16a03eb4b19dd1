"""The jobs of a prediction: tables in Parquet files → a model, or scores.

They run in a process of their own (``omni.job``), with a folder and no database.  A
*spec* (plain JSON) says what to do:

* ``providers``: tools modules whose ``DEFINITIONS`` are the features; ``without``:
  codes of features that are left out
* ``tables``: names of the Parquet files in the folder, ``<name>.parquet``
* ``label``: function of a label, ``crm_x_tools.part:function``; ``label_params``,
  ``label_tables`` (what it reads); ``chosen``: whether ``chosen.parquet`` names the
  units that count
* ``as_of``: ISO moment (naive UTC) of "today"; ``horizon_days``, ``gap_days``,
  ``history_days``, ``step_days``
* ``seed``, ``rule`` (feature of the simple rule), ``gate`` (least numbers),
  ``purchases`` (features that BG/NBD reads: frequency, recency, age)

Where the facts stopped coming a while ago, "today" is the moment of the newest one:
that nobody has bought since is no news of the customers.
"""

import importlib
import json
from dataclasses import asdict
from datetime import datetime, timedelta

from . import features, gates, lake, lake_people, training

EPOCH = datetime(1970, 1, 1)
MODEL_FILE = "model.json"
SCORE_FILE = "scores.json"
LAKE_FILE = "lake.json"
#: table of the units that count, one column ``unit_id``
CHOSEN = "chosen"


def as_of_dates(until, first, horizon_days, gap_days, history_days, step_days):
    """The moments at which the past is looked at.

    :param datetime until: now
    :param datetime first: the oldest fact
    :return: list, the oldest first; the outcome of the last one is known at ``until``
    """
    moment = until - timedelta(days=horizon_days + gap_days)
    earliest = max(first, until - timedelta(days=history_days))
    moments = []
    while moment > earliest:
        moments.append(moment)
        moment -= timedelta(days=step_days)
    return moments[::-1]


def load_function(path):
    """The function that ``module:function`` names."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def load_definitions(modules):
    """All definitions of some tools modules, derived ones last.

    :raises ValueError: two have the same code.
    """
    found = [
        definition
        for module in modules
        for definition in importlib.import_module(module).DEFINITIONS
    ]
    codes = [definition.code for definition in found]
    doubled = {code for code in codes if codes.count(code) > 1}
    if doubled:
        raise ValueError(f"Two features are called {', '.join(sorted(doubled))}")
    return sorted(found, key=lambda definition: definition.table is None)


def load_later(modules):
    """Columns that are filled in after a row became known: table → columns."""
    later = dict(features.LATER)
    for module in modules:
        later |= getattr(importlib.import_module(module), "LATER", {})
    return later


def eligible(frames, spec, moment):
    """Who counts at a moment, and what became of them.

    :return: Polars frame ``unit_id``, ``label``, sorted
    """
    found = load_function(spec["label"])(
        frames,
        moment,
        spec["horizon_days"],
        spec["gap_days"],
        **spec["label_params"],
    )
    if spec.get("chosen"):
        found = found.join(frames[CHOSEN], "unit_id", "semi").sort("unit_id")
    return found


def build(frames, spec, moments, definitions):
    """Features and labels of all eligible units at some moments.

    :return: Polars frame with ``unit_id``, ``label``, ``time`` (days since 1970) and
        the features
    """
    import polars as pl

    later = load_later(spec["providers"])
    parts = []
    for moment in moments:
        units = eligible(frames, spec, moment)
        connection = features.polars_connection({**frames, "units": units})
        table = features.compute(
            connection, connection.table("units"), moment, definitions, later
        ).to_polars()
        parts.append(
            table.join(units, "unit_id").with_columns(
                time=pl.lit((moment - EPOCH) / timedelta(days=1))
            )
        )
    return pl.concat(parts).sort("time", "unit_id")


def table_names(files):
    """The names of the tables among the files of a job."""
    return [
        name.removesuffix(".parquet") for name in files if name.endswith(".parquet")
    ]


def read_tables(folder, spec):
    """The Parquet files of a folder as Polars frames.

    The events of the lake come to those of the store, if the folder says where it is.
    """
    import polars as pl

    names = [*spec["tables"], *([CHOSEN] if spec.get("chosen") else [])]
    frames = {name: pl.read_parquet(folder / f"{name}.parquet") for name in names}
    if "events" in frames:
        events = frames["events"]
        if (folder / LAKE_FILE).is_file():
            events = _with_lake(events, folder)
        frames["events"] = lake.visits(events)
    return frames


def _with_lake(events, folder):
    import polars as pl

    spec = json.loads((folder / LAKE_FILE).read_text(encoding="utf-8"))
    identities = pl.DataFrame(
        spec["identities"],
        pl.Schema(lake_people.identity_schema()),
        orient="row",
    )
    old = lake.facts(spec["url"], spec["parts"], spec["company_id"], identities)
    if old is None:
        return events
    return pl.concat([events, old.select(events.columns).cast(events.schema)])


def first_fact(frames):
    """When the oldest row of any table became known, None if all are empty."""
    moments = [
        frame["known_at"].min()
        for name, frame in frames.items()
        if name != CHOSEN and len(frame)
    ]
    return min((moment for moment in moments if moment), default=None)


def end_of_facts(frames, spec):
    """The moment up to which the facts of the label are there.

    :return: (moment, finding or None, whether the finding forbids training)
    """
    now = datetime.fromisoformat(spec["as_of"])
    names = spec.get("label_tables") or spec["tables"]
    moments = [frames[name]["known_at"].max() for name in names if len(frames[name])]
    newest = max((moment for moment in moments if moment), default=None)
    finding, forbids = gates.check_age(
        newest, now, spec["horizon_days"], spec["horizon_days"] + spec["gap_days"]
    )
    if finding:
        now = newest + timedelta(seconds=1)
    return now, finding, forbids


def _moments(frames, spec, now):
    lengths = ("horizon_days", "gap_days", "history_days", "step_days")
    first = first_fact(frames) or now
    return as_of_dates(now, first, *(spec[name] for name in lengths))


def preview(job, spec):
    """Job: how often it happened at each moment of the past, without any training.

    :return: {"moments": [{"as_of", "eligible", "positives"}], "now": how many would be
        scored, "findings"}
    """
    frames = read_tables(job.folder, spec)
    now, finding, _forbids = end_of_facts(frames, spec)
    job.progress(0.1, "features")
    moments = []
    for moment in _moments(frames, spec, now):
        labels = eligible(frames, spec, moment)["label"]
        moments.append(
            {
                "as_of": moment.isoformat(),
                "eligible": len(labels),
                "positives": int(labels.sum()),
            }
        )
    return {
        "moments": moments,
        "now": len(eligible(frames, spec, now)),
        "findings": [asdict(finding)] if finding else [],
    }


def train(job, spec):
    """Job: train, measure, and leave the model in the folder.

    :return: report of ``training.train`` with ``names`` of the features; when there is
        too little data one without a model: ``usable`` False and ``findings``
    """
    frames = read_tables(job.folder, spec)
    definitions = load_definitions(spec["providers"])
    left_out = set(spec.get("without", ()))
    names = [one.code for one in definitions if one.code not in left_out]
    now, stale, forbids = end_of_facts(frames, spec)
    if forbids:
        return _refusal([stale])
    moments = _moments(frames, spec, now)
    reach = spec["horizon_days"] + spec["gap_days"]
    if not moments:
        first = first_fact(frames)
        days = (now - first).days if first else 0
        return _refusal([gates.Finding("no_history", {"found": days})])
    job.progress(0.05, "features")
    data = build(frames, spec, moments, definitions)
    labels, groups = data["label"].to_numpy(), data["unit_id"].to_numpy()
    folds = training.rolling_folds(data["time"].to_numpy(), reach)
    findings = gates.check_data(
        labels, groups, folds, gates.Gate(**spec.get("gate", {}))
    )
    if findings:
        return _refusal(findings)
    job.progress(0.2, "training")
    purchases = spec.get("purchases")
    model, report = training.train(
        data,
        labels,
        names,
        folds,
        groups,
        spec["seed"],
        rule=spec.get("rule"),
        purchases=training.Purchases(*purchases, reach) if purchases else None,
        progress=lambda share: job.progress(0.2 + 0.8 * share, "training"),
    )
    (job.folder / MODEL_FILE).write_text(model.to_text(), encoding="utf-8")
    report["names"] = list(model.names)
    report["moments"] = [moment.isoformat() for moment in moments]
    report["as_of"] = now.isoformat()
    if stale:
        report["findings"].append(asdict(stale))
    return report


def _refusal(findings):
    return {"usable": False, "findings": [asdict(finding) for finding in findings]}


def score(job, spec):
    """Job: score every eligible unit as of now, and leave the scores in the folder.

    ``scores.json`` is a list of ``[unit_id, score, reasons]``; a reason is
    ``{"code": feature, "effect": log-odds, "params": {feature: value}}``.

    :return: {"scored": number of units, "as_of": ISO moment that they stand for}
    """
    frames = read_tables(job.folder, spec)
    definitions = load_definitions(spec["providers"])
    now, _stale, _forbids = end_of_facts(frames, spec)
    text = (job.folder / MODEL_FILE).read_text(encoding="utf-8")
    job.progress(0.1, "features")
    data = build(frames, spec, [now], definitions)
    job.progress(0.5, "scoring")
    rows = score_rows(training.Model.from_text(text), data, definitions)
    (job.folder / SCORE_FILE).write_text(json.dumps(rows), encoding="utf-8")
    return {"scored": len(rows), "as_of": now.isoformat()}


def score_rows(model, data, definitions):
    """Scores with reasons of the rows of a frame.

    :param data: frame with ``unit_id`` and the model's features
    :return: list of ``[unit_id, score, reasons]``, see :func:`score`
    """
    if not len(data):
        return []
    shown_with = {one.code: one.shown_with for one in definitions}
    columns = {
        name: data[name].to_list()
        for name in {*model.names, *(n for one in shown_with.values() for n in one)}
    }
    reasons = training.top_reasons(model.contributions(data), model.names)
    return [
        [
            unit,
            float(score),
            [
                {
                    "code": code,
                    "effect": round(effect, 4),
                    "params": {
                        name: _shown(columns[name][row])
                        for name in (code, *shown_with.get(code, ()))
                    },
                }
                for code, effect in reasons[row]
            ],
        ]
        for row, (unit, score) in enumerate(
            zip(data["unit_id"].to_list(), model.predict(data), strict=True)
        )
    ]


def _shown(value):
    """A value as a reason stores it: None when it is unknown."""
    if value is None or value != value:
        return None
    return round(value, 2)


def read_scores(folder):
    """The rows that :func:`score` left in a folder."""
    return json.loads((folder / SCORE_FILE).read_text(encoding="utf-8"))
