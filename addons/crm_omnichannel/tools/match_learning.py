"""Learn a model from records without labels.

``u`` comes from random pairs, ``m`` from expectation maximisation over several blocks;
both are drawn towards the starting figures of :mod:`match_comparisons` the less data
there is, so that few records are judged by sane figures instead of by chance.

Source: Linacre et al., Splink (IJPDS 2022); Winkler, Using the EM Algorithm for Weight
Computation in the Fellegi-Sunter Model (1988).
"""

import logging

import numpy as np
from splink import block_on
from splink.internals.exceptions import SplinkException

from .match_comparisons import LEARN, SURE
from .match_frames import CROWD
from .match_model import DUPLICATES, PLACE_RATIO, Model, digest
from .match_splink import frequencies, linker_of, used_comparisons

_logger = logging.getLogger(__name__)

#: fewer records than this teach nothing
FEWEST = 50
#: the starting figures count as much as so many pairs of each kind
MATCHES_BEFORE = 100
PAIRS_BEFORE = 60_000
#: the starting ratio of two customers of one place counts as so many duplicates
PLACES_BEFORE = 2
#: random pairs that u is estimated from
SAMPLE = 200_000
#: pairs that a block of the learning may have
LEARN_PAIRS = 2_000_000
#: how many of the true pairs the sure agreements are taken to find
SURE_RECALL = 0.7


def learn(frame, kind, seed=0):
    """Return ``(the Model of prepared records, notes)``.

    :param frame: of :func:`prepared`
    :param int seed: of the random pairs
    :return: a note is ``[code, params]``: what could not be learned, and why
    """
    model = Model.start(kind, len(frame))
    used = used_comparisons(frame, kind)
    notes = []
    if len(frame) >= FEWEST and used:
        notes = _learn_shares(frame, model, used, seed)
    elif len(frame):
        notes = [["match_few", {"kind": kind, "fewest": FEWEST}]]
    model.counts = {
        name: {digest(value): int(count) for value, count in counts[counts > 2].items()}
        for name, (counts, _table) in frequencies(frame, model, used).items()
    }
    return model, notes


def _learn_shares(frame, model, used, seed):
    linker = linker_of(frame, model, used)
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
    learned, notes = _learn_matches(frame, model, linker, matches)
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
    return notes


def _learn_matches(frame, model, linker, matches):
    """Return ``({(comparison, level): (m, pairs it was learned from)}, notes)``.

    A block in which far more matches are found than there can be was told apart by
    something else than being one customer: it is not believed.
    """
    sums, notes = {}, []
    for column in LEARN[model.kind]:
        sizes = frame[column].value_counts()
        pairs = int((sizes * (sizes - 1) // 2).sum())
        if pairs < FEWEST:
            continue
        block = {"kind": model.kind, "column": column, "pairs": pairs}
        try:
            train = linker.training.estimate_parameters_using_expectation_maximisation
            session = train(
                block_on(column),
                estimate_without_term_frequencies=True,
                max_pairs=LEARN_PAIRS if pairs > LEARN_PAIRS else None,
            )
        except (ValueError, SplinkException):
            # a block without matches, or with nothing else to compare
            _logger.warning("Splink refuses to learn from %s", block, exc_info=True)
            notes.append(["match_refused", block])
            continue
        core = session.core_model_settings
        found = core.probability_two_random_records_match * pairs
        if found > 3 * matches:
            notes.append(["match_disbelieved", {**block, "matches": round(found)}])
            continue
        for key, m in _shares(core.comparisons, "m").items():
            total, weight = sums.get(key, (0.0, 0.0))
            sums[key] = total + m * found, weight + found
    learned = {
        key: (total / weight if weight else 0.0, weight)
        for key, (total, weight) in sums.items()
    }
    return learned, notes


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


def learn_ratio(scored):
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
