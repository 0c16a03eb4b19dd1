"""A model as Splink's settings, and a linker that carries them out."""

import logging
import os

import duckdb
import pandas as pd
import pyarrow as pa
from splink import DuckDBAPI, Linker, SettingsCreator

from .match_comparisons import KINDS
from .match_conditions import Same
from .match_frames import ID
from .match_model import base_share, frequency
from .match_records import PREPARED

# customers of one company or of none, no company with its contacts, one of them new
SCOPE = (
    "l.company_id = r.company_id OR l.company_id = 0 OR r.company_id = 0",
    "l.parent_id <> r.unique_id AND r.parent_id <> l.unique_id",
    "l.fresh OR r.fresh",
)
#: DuckDB's threads; each takes address space, which a job has not without end
MOST_THREADS = 8


def settings(model, used, keys=(), dialect="duckdb"):
    """Return a model as Splink's settings, for any of its backends.

    :param model: :class:`Model`
    :param used: codes of the comparisons to make
    :param keys: columns of :func:`block_keys`; without any the settings are for
        learning, which asks for no frequencies
    :param str dialect: ``duckdb`` or ``spark``
    """
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name=ID,
        comparisons=[
            _comparison(comparison, model.shares[comparison.code], dialect, bool(keys))
            for comparison in KINDS[model.kind]
            if comparison.code in used
        ],
        blocking_rules_to_generate_predictions=[
            {
                "blocking_rule": " AND ".join(
                    [f"l.{key} = r.{key}", *(f"({term})" for term in SCOPE)]
                )
            }
            for key in keys
        ],
        probability_two_random_records_match=model.prior,
        retain_matching_columns=True,
        retain_intermediate_calculation_columns=True,
        max_iterations=15,
    )


def _comparison(comparison, shares, dialect, adjusted):
    levels = [
        {
            "sql_condition": comparison.unknown.sql(dialect),
            "label_for_charts": "unknown",
            "is_null_level": True,
        }
    ]
    for level in comparison.levels:
        m, u = shares[level.code]
        described = {
            "sql_condition": "ELSE" if level.when is None else level.when.sql(dialect),
            "label_for_charts": level.code,
            "m_probability": m,
            "u_probability": u,
        }
        if level.rare and adjusted:
            described["tf_adjustment_column"] = level.rare
            if not any(other.when == Same(level.rare) for other in comparison.levels):
                described["disable_tf_exact_match_detection"] = True
        levels.append(described)
    return {
        "output_column_name": comparison.code,
        "comparison_levels": levels,
    }


def linker_of(frame, model, used, keys=()):
    """Return Splink's linker of prepared records, in a DuckDB of its own.

    :param frame: data frame as ``match_frames.prepared`` makes it
    :param model: ``match_model.Model`` with the weights
    :param used: codes of the comparisons that are made
    :param keys: names of the columns of keys under which records meet
    """
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    api = DuckDBAPI(duckdb.connect(config={"threads": threads}))
    linker = Linker(
        api.register(arrow_table(frame)),
        settings(model, used, keys),
        log_level=logging.ERROR,
        validate_settings=False,
    )
    if keys:
        for name, (_values, table) in frequencies(frame, model, used).items():
            linker.table_management.register_term_frequency_lookup(
                api.register(arrow_table(table)), name
            )
    return linker


def arrow_table(frame):
    """Return a data frame as an Arrow table, its objects as texts.

    DuckDB reads Arrow as it stands; columns of pandas are converted each time they are
    read, and one without any value would be taken for one of whole numbers.
    """
    return pa.table(
        {
            name: pa.array(
                column,
                type=pa.string() if column.dtype == object else None,
                from_pandas=True,
            )
            for name, column in frame.items()
        }
    )


def frequencies(frame, model, used):
    """Return ``{column: (counts, table of Splink)}`` of the values' frequencies."""
    found = {}
    for comparison in KINDS[model.kind]:
        for level in comparison.levels:
            if comparison.code not in used or not level.rare or level.rare in found:
                continue
            counts = frame[level.rare].value_counts()
            base = base_share(comparison, level, model.shares[comparison.code])
            share = frequency(counts.to_numpy(), len(frame), base)
            table = pd.DataFrame({level.rare: counts.index, f"tf_{level.rare}": share})
            found[level.rare] = counts, table
    return found


def used_comparisons(frame, kind):
    """Return the codes of the comparisons of which two records know something."""
    return [
        comparison.code
        for comparison in KINDS[kind]
        if (frame[list(_asked(comparison))].notna().sum() > 1).any()
    ]


def _asked(comparison):
    return {
        name for name in PREPARED if f"{name}_l" in comparison.unknown.sql("duckdb")
    }
