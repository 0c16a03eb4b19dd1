"""The kinds of models that the trainer knows, from the simplest to the most able.

Each works on one array of features, shape (rows, features), NaN for unknown:
``margin(body, data)`` gives log-odds before calibration, ``contributions(body, data)``
what each feature adds to them against the average.  A *body* is what JSON can hold.

Contributions are exact Shapley values: LightGBM's TreeSHAP (Lundberg et al. 2020), for
the linear model weight times distance from the mean, for BG/NBD the sum over all
orders of its three figures.
"""

from dataclasses import asdict
from functools import lru_cache
from itertools import combinations
from math import factorial

import numpy as np

from . import bgnbd
from .quality import auc

ROUNDS = 600
PATIENCE = 30


class _OneFigure:
    """The simple rule: one feature, the more (or the less) the likelier."""

    @staticmethod
    def fit(data, labels):
        """:param data: shape (rows, 1)
        :return: body
        """
        values = data[:, 0]
        known = values[~np.isnan(values)]
        default = float(np.median(known)) if len(known) else 0.0
        filled = np.where(np.isnan(values), default, values)
        return {
            "sign": 1 if auc(labels, filled) >= 0.5 else -1,
            "default": default,
            "mean": float(np.mean(filled)),
            "scale": float(np.std(filled)) or 1.0,
        }

    @staticmethod
    def margin(body, data, rounds=None):
        values = np.where(np.isnan(data[:, 0]), body["default"], data[:, 0])
        return body["sign"] * (values - body["mean"]) / body["scale"]

    @classmethod
    def contributions(cls, body, data):
        return cls.margin(body, data).reshape(-1, 1)


class _BuyTillYouDie:
    """BG/NBD: the logarithm of the number of purchases expected in the horizon."""

    @staticmethod
    def fit(data, labels, length):
        """:param data: shape (rows, 3): frequency, recency, age; a row a customer
        :return: body
        """
        frequency, recency, age = data.T
        body = {
            "parameters": asdict(bgnbd.fit(frequency, recency, age)),
            "length": length,
            "reference": np.median(data, axis=0).tolist(),
            "sign": 1,
        }
        if auc(labels, _BuyTillYouDie.margin(body, data)) < 0.5:
            body["sign"] = -1
        return body

    @staticmethod
    def margin(body, data, rounds=None):
        model = bgnbd.BGNBD(**body["parameters"])
        frequency, recency, age = np.where(np.isnan(data), body["reference"], data).T
        expected = model.expected(frequency, recency, age, body["length"])
        return body["sign"] * np.log(np.maximum(expected, 1e-9))

    @classmethod
    def contributions(cls, body, data):
        players = range(data.shape[1])
        reference = np.tile(body["reference"], (len(data), 1))
        worth = {}
        for size in range(len(players) + 1):
            for known in combinations(players, size):
                mixed = reference.copy()
                mixed[:, known] = data[:, known]
                worth[frozenset(known)] = cls.margin(body, mixed)
        result = np.zeros_like(data)
        for player in players:
            for known in worth:
                if player in known:
                    continue
                weight = (
                    factorial(len(known))
                    * factorial(len(players) - len(known) - 1)
                    / factorial(len(players))
                )
                gain = worth[known | {player}] - worth[known]
                result[:, player] += weight * gain
        return result


class _Trees:
    """LightGBM."""

    @staticmethod
    def fit(data, labels, valid, seed, threads, rounds=None):
        """:return: (body, best number of rounds)"""
        import lightgbm

        smaller = int(min(np.sum(labels), len(labels) - np.sum(labels)))
        params = {
            "objective": "binary",
            "learning_rate": 0.04,
            "num_leaves": 15,
            "min_data_in_leaf": int(np.clip(smaller // 10, 5, 40)),
            "lambda_l2": 1.0,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "seed": seed,
            "verbosity": -1,
        }
        train = lightgbm.Dataset(data, labels)
        sets, callbacks = [], []
        if valid:
            sets = [lightgbm.Dataset(*valid, reference=train)]
            callbacks = [lightgbm.early_stopping(PATIENCE, verbose=False)]
        booster = lightgbm.train(
            params,
            train,
            num_boost_round=rounds or ROUNDS,
            valid_sets=sets,
            callbacks=callbacks,
        )
        return booster.model_to_string(num_iteration=-1), booster.best_iteration

    @staticmethod
    def margin(body, data, rounds=None):
        return _booster(body).predict(
            data, raw_score=True, num_iteration=rounds, num_threads=1
        )

    @staticmethod
    def contributions(body, data):
        return _booster(body).predict(data, pred_contrib=True, num_threads=1)[:, :-1]


@lru_cache(maxsize=8)
def _booster(body):
    import lightgbm

    return lightgbm.Booster(model_str=body)


class _Linear:
    """Logistic regression on standardised columns; unknown values are the median, and
    a column of their own says so."""

    @staticmethod
    def fit(data, labels, valid, seed, threads, rounds=None):
        """:return: (body, None)"""
        from sklearn.linear_model import LogisticRegression

        unknown = np.isnan(data)
        medians = [
            float(np.median(column[~gaps])) if not gaps.all() else 0.0
            for column, gaps in zip(data.T, unknown.T, strict=True)
        ]
        body = {
            "medians": medians,
            "flagged": np.flatnonzero(unknown.any(axis=0)).tolist(),
            "features": data.shape[1],
        }
        full = _Linear._expand(body, data)
        scale = full.std(axis=0)
        body["means"] = full.mean(axis=0).tolist()
        body["scales"] = np.where(scale > 0, scale, 1.0).tolist()
        fitted = LogisticRegression(max_iter=2000).fit(
            _Linear._standard(body, full), labels
        )
        body["weights"] = fitted.coef_[0].tolist()
        body["intercept"] = float(fitted.intercept_[0])
        return body, None

    @staticmethod
    def _expand(body, data):
        unknown = np.isnan(data)
        filled = np.where(unknown, np.asarray(body["medians"]), data)
        return np.hstack([filled, unknown[:, body["flagged"]].astype(np.float64)])

    @staticmethod
    def _standard(body, full):
        return (full - np.asarray(body["means"])) / np.asarray(body["scales"])

    @classmethod
    def margin(cls, body, data, rounds=None):
        full = cls._standard(body, cls._expand(body, data))
        return full @ np.asarray(body["weights"]) + body["intercept"]

    @classmethod
    def contributions(cls, body, data):
        full = cls._standard(body, cls._expand(body, data))
        parts = full * np.asarray(body["weights"])
        result = parts[:, : body["features"]].copy()
        # what "unknown" says counts with the feature that is unknown
        for place, column in enumerate(body["flagged"]):
            result[:, column] += parts[:, body["features"] + place]
        return result


#: from the simplest on
KINDS = {
    "rule": _OneFigure,
    "bgnbd": _BuyTillYouDie,
    "logistic": _Linear,
    "lightgbm": _Trees,
}
