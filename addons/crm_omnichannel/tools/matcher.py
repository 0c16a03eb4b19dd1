"""Which records are one customer: Splink's Fellegi-Sunter model, without labels.

:func:`match` takes a data frame of records and returns pairs with probability and the
weight of each comparison. The same seed and records give the same pairs. The settings
(``match_splink.py``) are neutral: the same model runs on Splink's DuckDB and Spark
backends.

Source: Linacre et al., Splink (IJPDS 2022), https://moj-analytical-services.github.io/splink
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .match_comparisons import KINDS, SAME
from .match_frames import FRESH, ID, block_keys, prepared
from .match_learning import learn, learn_ratio
from .match_model import readings
from .match_splink import linker_of, used_comparisons

#: pairs below this probability are not returned
FLOOR = 0.5
#: pairs below this probability of Splink's teach nothing
FAINT = 0.01


@dataclass
class Matches:
    """``pairs``: columns ``left``, ``right`` (ids, left < right), ``probability``,
    ``kind``, ``answers`` (lists as in :class:`match_model.Verdict`), ``place``;
    ``models``: by kind; ``notes``: of :func:`match_learning.learn`."""

    pairs: pd.DataFrame
    models: dict
    notes: list


def match(records, seed=0, floor=FLOOR, models=None):
    """Return the :class:`Matches` of a data frame of records, see :func:`prepared`.

    Records that are not ``fresh`` are not compared with one another. With the same
    models, the pairs of a run over new records are those of a run over all that have a
    new record.

    :param int seed: of the random pairs
    :param float floor: the least probability of a pair
    :param models: ``{kind: Model}`` to use; a kind that is not there is learned
    """
    parts, used_models, notes = [], {}, []
    for kind, frame in prepared(records).items():
        model = (models or {}).get(kind)
        if model is None:
            model, found = learn(frame, kind, seed)
            notes += found
            scored = compare(frame.assign(**{FRESH: True}), model)
            model.ratio = learn_ratio(scored)
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
    return Matches(pairs.reset_index(drop=True), used_models, notes)


def compare(frame, model):
    """Return Splink's answers on the pairs of prepared records that share a key.

    :return: data frame with ``unique_id_l``, ``unique_id_r``, ``match_weight``,
        ``place_weight`` (bits, without the ratio), and the level and weights of each
        comparison
    """
    used = used_comparisons(frame, model.kind)
    keys = block_keys(frame, model.kind)
    if not len(keys.columns) or not used:
        return pd.DataFrame(
            columns=[f"{ID}_l", f"{ID}_r", "match_weight", "place_weight"], dtype=float
        )
    linker = linker_of(pd.concat([frame, keys], axis=1), model, used, list(keys))
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
