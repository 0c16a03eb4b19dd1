"""The jobs of a prediction: tables in Parquet files → a model, or scores.

They run in a process of their own (``omni.job``), with a folder and no database.  A
*spec* (plain JSON) says what to do:

* ``providers``: tools modules whose ``DEFINITIONS`` are the features
* ``tables``: names of the Parquet files in the folder, ``<name>.parquet``
* ``label``: function of a label, ``crm_x_tools.part:function``; ``label_params``
* ``as_of``: ISO moment (naive UTC) of "today"; ``horizon_days``, ``gap_days``,
  ``history_days``, ``step_days``
* ``seed``, ``rule`` (feature of the simple rule), ``gate`` (least numbers)
"""

import importlib
import json
from dataclasses import asdict
from datetime import datetime, timedelta

from . import features, lake, training

EPOCH = datetime(1970, 1, 1)
MODEL_FILE = "model.json"
SCORE_FILE = "scores.json"
LAKE_FILE = "lake.json"


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


def build(frames, spec, moments, definitions):
    """Features and labels of all eligible units at some moments.

    :return: Polars frame with ``unit_id``, ``label``, ``time`` (days since 1970) and
        the features
    """
    import polars as pl

    label = load_function(spec["label"])
    parts = []
    for moment in moments:
        eligible = label(
            frames,
            moment,
            spec["horizon_days"],
            spec["gap_days"],
            **spec["label_params"],
        )
        connection = features.polars_connection({**frames, "units": eligible})
        table = features.compute(
            connection, connection.table("units"), moment, definitions
        ).to_polars()
        parts.append(
            table.join(eligible, "unit_id").with_columns(
                time=pl.lit((moment - EPOCH) / timedelta(days=1))
            )
        )
    return pl.concat(parts).sort("time", "unit_id")


def read_tables(folder, names):
    """The Parquet files of a folder as Polars frames.

    The events of the lake come to those of the store, if the folder says where it is.
    """
    import polars as pl

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
        pl.Schema(lake.identity_schema()),
        orient="row",
    )
    old = lake.facts(spec["url"], spec["parts"], spec["company_id"], identities)
    if old is None:
        return events
    return pl.concat([events, old.select(events.columns).cast(events.schema)])


def first_fact(frames):
    """When the oldest row of any table became known, None if all are empty."""
    moments = [frame["known_at"].min() for frame in frames.values() if len(frame)]
    return min((moment for moment in moments if moment), default=None)


def train(job, spec):
    """Job: train, measure, and leave the model in the folder.

    :return: report of ``training.train`` with ``names`` of the features; when there is
        too little data one without a model: ``usable`` False and ``findings``
    """
    frames = read_tables(job.folder, spec["tables"])
    definitions = load_definitions(spec["providers"])
    names = [definition.code for definition in definitions]
    now = datetime.fromisoformat(spec["as_of"])
    first = first_fact(frames)
    moments = as_of_dates(
        now,
        first or now,
        *(
            spec[name]
            for name in ("horizon_days", "gap_days", "history_days", "step_days")
        ),
    )
    reach = spec["horizon_days"] + spec["gap_days"]
    if not moments:
        days = (now - first).days if first else 0
        return _refusal([training.Finding("no_history", {"found": days})])
    job.progress(0.05, "features")
    data = build(frames, spec, moments, definitions)
    labels, groups = data["label"].to_numpy(), data["unit_id"].to_numpy()
    folds = training.rolling_folds(data["time"].to_numpy(), reach)
    findings = training.check_data(
        labels, groups, folds, training.Gate(**spec.get("gate", {}))
    )
    if findings:
        return _refusal(findings)
    job.progress(0.2, "training")
    model, report = training.train(
        data,
        labels,
        names,
        folds,
        groups,
        spec["seed"],
        rule=spec.get("rule"),
        progress=lambda share: job.progress(0.2 + 0.8 * share, "training"),
    )
    (job.folder / MODEL_FILE).write_text(model.to_text(), encoding="utf-8")
    report["names"] = names
    report["moments"] = [moment.isoformat() for moment in moments]
    return report


def _refusal(findings):
    return {"usable": False, "findings": [asdict(finding) for finding in findings]}


def score(job, spec):
    """Job: score every eligible unit as of now, and leave the scores in the folder.

    ``scores.json`` is a list of ``[unit_id, score, reasons]``; a reason is
    ``{"code": feature, "effect": log-odds, "params": {feature: value}}``.

    :return: {"scored": number of units}
    """
    frames = read_tables(job.folder, spec["tables"])
    definitions = load_definitions(spec["providers"])
    now = datetime.fromisoformat(spec["as_of"])
    text = (job.folder / MODEL_FILE).read_text(encoding="utf-8")
    job.progress(0.1, "features")
    data = build(frames, spec, [now], definitions)
    job.progress(0.5, "scoring")
    rows = score_rows(training.Model.from_text(text), data, definitions)
    (job.folder / SCORE_FILE).write_text(json.dumps(rows), encoding="utf-8")
    return {"scored": len(rows)}


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
