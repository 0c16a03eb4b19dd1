"""Which records are one customer: Splink's Fellegi-Sunter model, without labels.

:func:`match` takes a data frame of records and returns pairs with probability and the
weight of each comparison. It learns ``u`` from random pairs and ``m`` by expectation
maximisation over several blocks, both drawn towards the starting figures of
:mod:`match_comparisons` the less data there is, so that few records are judged by sane
figures instead of by chance.

The same seed and records give the same pairs. :func:`settings` is neutral: the same
model runs on Splink's DuckDB and Spark backends.

Source: Linacre et al., Splink (IJPDS 2022), https://moj-analytical-services.github.io/splink
"""

import logging
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from .match_comparisons import BLOCKS, KINDS, LEARN, SAME, SURE
from .match_conditions import Same
from .match_model import (
    DUPLICATES,
    PLACE_RATIO,
    Model,
    base_share,
    digest,
    frequency,
    readings,
)
from .match_records import COLUMNS, PREPARED, is_company_name, prepare

#: pairs below this probability are not returned
FLOOR = 0.5
#: pairs below this probability of Splink's teach nothing
FAINT = 0.01
#: fewer records than this teach nothing
FEWEST = 50
#: the starting figures count as much as so many pairs of each kind
MATCHES_BEFORE = 100
PAIRS_BEFORE = 100_000
#: the starting ratio of two customers of one place counts as so many duplicates
PLACES_BEFORE = 2
#: random pairs that u is estimated from
SAMPLE = 300_000
#: pairs that a block of the learning may have
LEARN_PAIRS = 2_000_000
#: a key that more records share brings nobody together
CROWD = 300
#: a kind of key that would bring together more pairs a record is left out
PAIRS_A_RECORD = 60
#: how many of the true pairs the sure agreements are taken to find
SURE_RECALL = 0.7

# columns beside those of a record
ID, COMPANY, PARENT, FRESH, KIND = (
    "unique_id",
    "company_id",
    "parent_id",
    "fresh",
    "is_company",
)
SCOPE = (
    "l.company_id = r.company_id OR l.company_id = 0 OR r.company_id = 0",
    "l.parent_id <> r.unique_id AND r.parent_id <> l.unique_id",
    "l.fresh OR r.fresh",
)


@dataclass
class Matches:
    """``pairs``: columns ``left``, ``right`` (ids, left < right), ``probability``,
    ``kind``, ``answers`` (lists as in :class:`match_model.Verdict`), ``place``;
    ``models``: by kind."""

    pairs: pd.DataFrame
    models: dict


# --- PREPARE ---


def prepared(records):
    """Return the prepared records of a data frame, by kind.

    :param records: columns of ``match_records.COLUMNS`` (absent ones are empty),
        ``unique_id`` (whole numbers above 0) and, if there, ``company_id`` (0: of all),
        ``parent_id`` (0: none), ``fresh`` (default: all), ``is_company``
        (default: by the legal form of the name)
    :return: ``{kind: data frame}``
    """
    texts = [name for name in COLUMNS if name in records]
    rows = records[texts].astype(object).where(records[texts].notna(), None)
    rows = [dict(zip(texts, row, strict=True)) for row in rows.itertuples(index=False)]
    if KIND in records:
        firms = records[KIND].fillna(False).astype(bool).to_numpy()
    else:
        firms = np.array([is_company_name(row.get("name")) for row in rows], bool)
    found = {}
    for kind, mask in (("person", ~firms), ("company", firms)):
        chosen = np.flatnonzero(mask)
        frame = pd.DataFrame(
            [prepare(rows[number], kind == "company") for number in chosen],
            columns=PREPARED,
            dtype=object,
        )
        frame["year"] = frame["year"].astype("Int32")
        part = records.iloc[chosen].reset_index(drop=True)
        frame[ID] = part[ID].astype("int64")
        for name in (COMPANY, PARENT):
            frame[name] = part[name].fillna(0).astype("int64") if name in part else 0
        frame[FRESH] = part[FRESH].astype(bool) if FRESH in part else True
        found[kind] = frame
    return found


def block_keys(frame, kind):
    """Return the keys under which records meet: columns ``key_0`` … of whole numbers.

    A key of one record only, and one that too many share, is empty; a kind of key that
    would bring together too many pairs is left out. So the pairs grow with the records,
    not with their square.
    """
    keys = {}
    for columns in BLOCKS[kind]:
        known = frame[list(columns)].notna().all(axis=1)
        if not known.any():
            continue
        parts = [frame.loc[known, name].astype(str) for name in columns]
        joined = parts[0].str.cat(parts[1:], sep="\x1f") if parts[1:] else parts[0]
        codes, _values = pd.factorize(joined)
        sizes = np.bincount(codes)
        sizes[(sizes < 2) | (sizes > CROWD)] = 0
        pairs = (sizes.astype(np.int64) * (sizes - 1) // 2).sum()
        if not pairs or pairs > PAIRS_A_RECORD * len(frame):
            continue
        column = pd.Series(pd.NA, index=frame.index, dtype="Int64")
        column[known] = np.where(sizes[codes] > 0, codes, -1)
        keys[f"key_{len(keys)}"] = column.mask(column == -1)
    return pd.DataFrame(keys, index=frame.index)


# --- SETTINGS ---


def settings(model, used, keys=(), dialect="duckdb"):
    """Return a model as Splink's settings, for any of its backends.

    :param model: :class:`Model`
    :param used: codes of the comparisons to make
    :param keys: columns of :func:`block_keys`
    :param str dialect: ``duckdb`` or ``spark``
    """
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name=ID,
        comparisons=[
            _comparison(comparison, model.shares[comparison.code], dialect)
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


def _comparison(comparison, shares, dialect):
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
        if level.rare:
            described["tf_adjustment_column"] = level.rare
            if not any(other.when == Same(level.rare) for other in comparison.levels):
                described["disable_tf_exact_match_detection"] = True
        levels.append(described)
    return {
        "output_column_name": comparison.code,
        "comparison_levels": levels,
    }


def _linker(frame, model, used, keys=()):
    api = DuckDBAPI(duckdb.connect(config={"threads": 2}))
    linker = Linker(
        api.register(frame),
        settings(model, used, keys),
        log_level=logging.ERROR,
        validate_settings=False,
    )
    for name, (_values, table) in _frequencies(frame, model, used).items():
        linker.table_management.register_term_frequency_lookup(
            api.register(table), name
        )
    return linker


def _frequencies(frame, model, used):
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


# --- LEARN ---


def learn(frame, kind, seed=0):
    """Return the :class:`Model` of prepared records.

    :param frame: of :func:`prepared`
    :param int seed: of the random pairs
    """
    model = Model.start(kind, len(frame))
    used = _used(frame, kind)
    if len(frame) >= FEWEST and used:
        _learn_shares(frame, model, used, seed)
    model.counts = {
        name: {digest(value): int(count) for value, count in counts[counts > 2].items()}
        for name, (counts, _table) in _frequencies(frame, model, used).items()
    }
    return model


def _used(frame, kind):
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


def _learn_shares(frame, model, used, seed):
    linker = _linker(frame, model, used)
    all_pairs = len(frame) * (len(frame) - 1) / 2
    sure = _count_sure(frame, model.kind) / SURE_RECALL
    matches = sure + DUPLICATES * len(frame)
    model.prior = min(0.5, matches / all_pairs)
    linker._settings_obj._probability_two_random_records_match = model.prior
    linker.training.estimate_u_using_random_sampling(
        max_pairs=SAMPLE, seed=seed, min_count_per_level=None, num_chunks=1
    )
    sampled = min(SAMPLE, all_pairs)
    random_shares = _shares(linker._settings_obj.core_model_settings.comparisons, "u")
    learned = _learn_matches(frame, model, linker, matches)
    for code, levels in model.shares.items():
        for level, shares in levels.items():
            m, weight = learned.get((code, level), (0.0, 0.0))
            shares[0] = (weight * m + MATCHES_BEFORE * shares[0]) / (
                weight + MATCHES_BEFORE
            )
            if (code, level) in random_shares:
                # random pairs hold the matches too
                seen = random_shares[code, level] - model.prior * shares[0]
                seen = max(0.0, seen) / (1 - model.prior)
                shares[1] = (sampled * seen + PAIRS_BEFORE * shares[1]) / (
                    sampled + PAIRS_BEFORE
                )


def _learn_matches(frame, model, linker, matches):
    """Return ``{(comparison, level): (m, pairs it was learned from)}``.

    A block in which far more matches are found than there can be was told apart by
    something else than being one customer: it is not believed.
    """
    sums = {}
    for column in LEARN[model.kind]:
        sizes = frame[column].value_counts()
        pairs = (sizes * (sizes - 1) // 2).sum()
        if pairs < FEWEST:
            continue
        try:
            train = linker.training.estimate_parameters_using_expectation_maximisation
            session = train(
                block_on(column),
                estimate_without_term_frequencies=True,
                max_pairs=LEARN_PAIRS if pairs > LEARN_PAIRS else None,
            )
        except ValueError:
            # a block without matches: their shares shrink to nothing
            continue
        core = session.core_model_settings
        found = core.probability_two_random_records_match * pairs
        if found > 3 * matches:
            continue
        for key, m in _shares(core.comparisons, "m").items():
            total, weight = sums.get(key, (0.0, 0.0))
            sums[key] = total + m * found, weight + found
    return {
        key: (total / weight if weight else 0.0, weight)
        for key, (total, weight) in sums.items()
    }


def _shares(comparisons, which):
    return {
        (comparison.output_column_name, level.label_for_charts): getattr(
            level, f"{which}_probability"
        )
        for comparison in comparisons
        for level in comparison.comparison_levels
        if not level.is_null_level
    }


def _count_sure(frame, kind):
    """Return how many pairs at least one of the sure agreements finds."""
    found = set()
    for columns in SURE[kind]:
        groups = frame.dropna(subset=list(columns)).groupby(list(columns)).indices
        for rows in groups.values():
            if 2 <= len(rows) <= CROWD:
                left, right = np.triu_indices(len(rows), 1)
                found.update(
                    zip(rows[left].tolist(), rows[right].tolist(), strict=True)
                )
    return len(found)


# --- MATCH ---


def match(records, seed=0, floor=FLOOR, models=None):
    """Return the :class:`Matches` of a data frame of records, see :func:`prepared`.

    Records that are not ``fresh`` are not compared with one another. With the same
    models, the pairs of a run over new records are those of a run over all that have a
    new record.

    :param int seed: of the random pairs
    :param float floor: the least probability of a pair
    :param models: ``{kind: Model}`` to use; a kind that is not there is learned
    """
    parts, used_models = [], {}
    for kind, frame in prepared(records).items():
        model = (models or {}).get(kind)
        if model is None:
            model = learn(frame, kind, seed)
            scored = compare(frame.assign(**{FRESH: True}), model)
            model.ratio = _learn_ratio(scored)
            fresh = set(frame.loc[frame[FRESH], ID])
            scored = scored[
                scored[f"{ID}_l"].isin(fresh) | scored[f"{ID}_r"].isin(fresh)
            ]
        else:
            scored = compare(frame, model)
        used_models[kind] = model
        parts.append(_pairs(scored, model, floor).assign(kind=kind))
    pairs = pd.concat([part for part in parts if len(part)] or parts[:1])
    pairs = pairs.sort_values(
        ["probability", "left", "right"], ascending=[False, True, True]
    )
    return Matches(pairs.reset_index(drop=True), used_models)


def compare(frame, model):
    """Return Splink's answers on the pairs of prepared records that share a key.

    :return: data frame with ``unique_id_l``, ``unique_id_r``, ``match_weight``,
        ``place_weight`` (bits, without the ratio), and the level and weights of each
        comparison
    """
    used = _used(frame, model.kind)
    keys = block_keys(frame, model.kind)
    if not len(keys.columns) or not used:
        return pd.DataFrame(
            columns=[f"{ID}_l", f"{ID}_r", "match_weight", "place_weight"], dtype=float
        )
    linker = _linker(pd.concat([frame, keys], axis=1), model, used, list(keys))
    scored = linker.inference.predict(
        threshold_match_probability=FAINT, warning_mode="never"
    )
    names = [column.unquote().name for column in scored.columns]
    wanted = [f"{ID}_l", f"{ID}_r", "match_weight"]
    wanted += [name for name in names if name.startswith(("gamma_", "mw_"))]
    scored = scored.query_sql(f"SELECT {', '.join(wanted)} FROM {{this}}")
    scored = scored.as_pandas_dataframe()
    place = np.zeros(len(scored))
    for comparison in _compared(scored, model.kind):
        # Splink numbers the levels from the last, 0; -1 is unknown
        bits = [
            0.0
            if level.h is SAME
            else np.log2(model.shares[comparison.code][level.code][0] / level.h)
            for level in reversed(comparison.levels)
        ]
        place += np.array([*bits, 0.0])[scored[f"gamma_{comparison.code}"].to_numpy()]
    return scored.assign(place_weight=place)


def _learn_ratio(scored):
    """Return how many pairs of two customers of one place there are for a duplicate, by
    expectation maximisation over the compared pairs."""
    unrelated = np.exp2(-scored["match_weight"].to_numpy())
    place = np.exp2(-scored["place_weight"].to_numpy())
    ratio = PLACE_RATIO
    for _round in range(30):
        match_share = 1 / (1 + unrelated + ratio * place)
        ratio = ((match_share * ratio * place).sum() + PLACES_BEFORE * PLACE_RATIO) / (
            match_share.sum() + PLACES_BEFORE
        )
    return float(ratio)


def _compared(scored, kind):
    return [item for item in KINDS[kind] if f"gamma_{item.code}" in scored]


def _pairs(scored, model, floor):
    """Weigh the third reading, and name the levels."""
    probability, place = readings(
        scored["match_weight"].to_numpy(),
        scored["place_weight"].to_numpy(),
        model.ratio,
    )
    scored = scored.assign(probability=probability, place=place)
    scored = scored[probability >= floor]
    ends = scored[[f"{ID}_l", f"{ID}_r"]].to_numpy(dtype="int64")
    return pd.DataFrame(
        {
            "left": ends.min(axis=1),
            "right": ends.max(axis=1),
            "probability": scored["probability"].to_numpy(),
            "answers": _answers(scored, _compared(scored, model.kind)),
            "place": scored["place"].to_numpy(),
        }
    )


def _answers(scored, comparisons):
    found = [[] for _row in range(len(scored))]
    for comparison in comparisons:
        names = [level.code for level in reversed(comparison.levels)]
        gammas = scored[f"gamma_{comparison.code}"].tolist()
        weights = scored[f"mw_{comparison.code}"].to_numpy(dtype=float)
        adjusted = f"mw_tf_adj_{comparison.code}"
        if adjusted in scored:
            weights = weights + scored[adjusted].fillna(0.0).to_numpy(dtype=float)
        for row, (gamma, weight) in enumerate(
            zip(gammas, weights.tolist(), strict=True)
        ):
            if gamma >= 0:
                found[row].append([comparison.code, names[gamma], weight])
    return found
