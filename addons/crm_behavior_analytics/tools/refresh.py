"""The daily refresh: features of all customers, or of those that may have changed.

A stored feature is as of the midnight at which it was computed.  It is still right at a
later one, unless

* a fact of the customer was written meanwhile, or
* a moment of one of their facts, or that moment and the length of a window, lies
  between the two: the fact has become known, or fallen due, or left a window.

Features that *age* are right as well once the days are added, and derived ones once
they are derived again: :func:`advance` does both when they are read.  So nothing is
computed or written for a customer about whom there is nothing new.
"""

import json
from datetime import datetime
from types import SimpleNamespace

from . import features, prediction

FIGURES_FILE = "figures.jsonl"
UNITS_FILE = "units.json"


def edges():
    """Days after a moment of a fact at which a feature may change; 0: at the moment."""
    return (0, *features.EDGES)


def refresh(job, spec):
    """Job: compute features, and leave them in the folder as lines of JSON.

    ``figures.jsonl``: a line ``[unit_id, {code: value}]`` a unit; what is unknown is
    left out.

    :param dict spec: ``providers`` (tools modules), ``tables``, ``as_of`` (ISO, naive
        UTC); the file ``units.json`` is a list of units, null for all that have facts
    :return: {"computed": number of units}
    """
    frames = prediction.read_tables(job.folder, spec)
    definitions = prediction.load_definitions(spec["providers"])
    wanted = json.loads((job.folder / UNITS_FILE).read_text(encoding="utf-8"))
    job.progress(0.1, "features")
    later = prediction.load_later(spec["providers"])
    as_of = datetime.fromisoformat(spec["as_of"])
    table = compute(frames, as_of, definitions, wanted, later)
    job.progress(0.8, "features")
    with (job.folder / FIGURES_FILE).open("w", encoding="utf-8") as file:
        for row in table.iter_rows(named=True):
            unit = row.pop("unit_id")
            file.write(json.dumps([unit, figures_of(row)]) + "\n")
    return {"computed": len(table)}


def compute(frames, as_of, definitions, wanted=None, later=None):
    """Features of the units that have facts.

    :param dict frames: name → Polars frame
    :param datetime as_of: naive UTC
    :param wanted: of these units only
    :param later: see :func:`features.compute`
    :return: Polars frame, sorted by ``unit_id``
    """
    import polars as pl

    known = [
        frame.filter(pl.col("known_at") < as_of).select("unit_id").unique()
        for frame in frames.values()
    ]
    units = pl.concat(known).unique()
    if wanted is not None:
        units = units.filter(pl.col("unit_id").is_in(wanted))
    connection = features.polars_connection({**frames, "units": units})
    expression = features.compute(
        connection, connection.table("units"), as_of, definitions, later
    )
    return expression.to_polars()


def figures_of(row):
    """What is stored of a row: no unknown values, whole numbers as such."""
    return {
        code: int(value) if value == int(value) else value
        for code, value in row.items()
        if value is not None and value == value and abs(value) != float("inf")
    }


def advance(figures, definitions, days):
    """Stored features as of some days later, on which nothing happened.

    :param dict figures: code → value, unknown ones left out
    :param list definitions: :class:`features.Feature`, derived ones last
    :param int days: whole days
    :return: dict of code → value
    """
    result = dict(figures)
    for definition in definitions:
        code = definition.code
        if definition.ages and code in result:
            result[code] += days
        elif not definition.table:
            result.pop(code, None)
            value = _derive(definition, result)
            if value is not None:
                result[code] = value
    return result


def _derive(definition, figures):
    try:
        return definition.build(SimpleNamespace(**figures))
    except (AttributeError, ZeroDivisionError):
        # Something that it needs is unknown, so it is unknown as well.
        return None


def read_figures(folder):
    """The lines that :func:`refresh` left in a folder, as ``(unit_id, text)``.

    The text is the JSON object of the figures as the database takes it.
    """
    with (folder / FIGURES_FILE).open(encoding="utf-8") as file:
        for line in file:
            unit, figures = json.loads(line)
            yield unit, json.dumps(figures)
