"""BG/NBD: how often a customer will buy again, from three figures of the past.

Fader, Hardie and Lee, "Counting Your Customers" the Easy Way: An Alternative to the
Pareto/NBD Model, Marketing Science 24 (2005): buying is Poisson with a rate that is
gamma distributed among customers (``r``, ``alpha``); after each purchase a customer
drops out with a chance that is beta distributed (``a``, ``b``).

``frequency``: repeat purchases; ``recency``: time from the first purchase to the last
one; ``age``: time from the first purchase to now. All in one unit of time.
"""

from dataclasses import dataclass

import numpy as np

#: log parameters are kept in this range: beyond it the likelihood is flat
_LOG_RANGE = (-8.0, 12.0)


@dataclass(frozen=True)
class BGNBD:
    """Parameters of the model; ``alpha`` is in the unit of time."""

    r: float
    alpha: float
    a: float
    b: float

    def expected(self, frequency, recency, age, length):
        """Purchases that are expected in the time to come (equation 10).

        :param float length: of that time
        :return: shape (customers,)
        """
        from scipy.special import hyp2f1

        x, t_x, total = _arrays(frequency, recency, age)
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x = np.broadcast_to(x, np.broadcast(x, t_x, total).shape)
        z = length / (alpha + total + length)
        grown = hyp2f1(r + x, b + x, a + b + x - 1, z)
        shrunk = ((alpha + total) / (alpha + total + length)) ** (r + x)
        top = (a + b + x - 1) / (a - 1) * (1 - shrunk * grown)
        gone = np.where(
            x > 0,
            a
            / (b + np.maximum(x, 1) - 1)
            * ((alpha + total) / (alpha + t_x)) ** (r + x),
            0.0,
        )
        return top / (1 + gone)

    def log_likelihood(self, frequency, recency, age):
        """Log-likelihood of each customer (equation 6), shape (customers,)."""
        from scipy.special import betaln, gammaln

        x, t_x, total = _arrays(frequency, recency, age)
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        begin = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        stays = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + total)
        leaves = np.where(
            x > 0,
            betaln(a + 1, b + np.maximum(x, 1) - 1)
            - betaln(a, b)
            - (r + x) * np.log(alpha + t_x),
            -np.inf,
        )
        return begin + np.logaddexp(stays, leaves)


def _arrays(*values):
    return tuple(np.asarray(value, dtype=np.float64) for value in values)


def fit(frequency, recency, age):
    """Most likely parameters.

    :return: :class:`BGNBD`
    """
    from scipy.optimize import minimize

    frequency, recency, age = _arrays(frequency, recency, age)
    # Of order one, so that one starting point serves days as well as weeks.
    unit = max(float(np.mean(age)), 1e-9) / 10

    def loss(logs):
        model = BGNBD(*np.exp(logs))
        return -np.mean(model.log_likelihood(frequency, recency / unit, age / unit))

    found = minimize(
        loss, np.zeros(4), method="L-BFGS-B", bounds=[_LOG_RANGE] * 4, tol=1e-12
    )
    r, alpha, a, b = np.exp(found.x).tolist()
    # The expectation has a pole at a = 1.
    return BGNBD(r, alpha * unit, a if abs(a - 1) > 1e-6 else 1 + 1e-6, b)
