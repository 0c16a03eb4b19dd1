"""BG/NBD against the published figures of the CDNOW sample.

Fader, Hardie and Lee (2005): 2,357 customers, 39 weeks; r 0.243, α 4.414, a 0.793,
b 2.426, log-likelihood −9,582.4. The expected number of purchases in 39 weeks of a
customer with two repeat purchases, the last in week 30.43, seen for 38.86 weeks: 1.226.
"""

import numpy as np
import pytest

from scripts.company_churn import load_tools
from tests.public_data import (
    CDNOW_END,
    CDNOW_HELD_OUT_DAYS,
    buys_after,
    cdnow,
    purchases,
)

load_tools()

from crm_behavior_analytics_tools import bgnbd, training  # noqa: E402


@pytest.fixture(scope="module")
def days():
    return cdnow()


@pytest.fixture(scope="module")
def rows(days):
    """Frequency, recency and age in weeks."""
    figures = np.array([row[1:] for row in purchases(days, CDNOW_END)], float)
    return figures[:, 0], figures[:, 1] / 7, figures[:, 2] / 7


def test_published_parameters(rows):
    assert len(rows[0]) == 2_357
    found = bgnbd.fit(*rows)
    published = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    for name, value in published.items():
        assert getattr(found, name) == pytest.approx(value, abs=0.001), name
    assert found.log_likelihood(*rows).sum() == pytest.approx(-9582.4, abs=0.05)


def test_published_expectation():
    model = bgnbd.BGNBD(0.243, 4.414, 0.793, 2.426)
    assert model.expected(2, 30.43, 38.86, 39) == pytest.approx(1.226, abs=0.001)


def test_days_instead_of_weeks(rows):
    """Another unit of time, the same model: only α is in it."""
    weeks = bgnbd.fit(*rows)
    in_days = bgnbd.fit(rows[0], rows[1] * 7, rows[2] * 7)
    assert in_days.alpha / 7 == pytest.approx(weeks.alpha, rel=1e-3)
    expected = weeks.expected(*rows, 39)
    assert np.allclose(
        in_days.expected(rows[0], rows[1] * 7, rows[2] * 7, 39 * 7), expected, rtol=1e-3
    )


def test_expectation_by_simulation():
    """The mean of a simulated world: customers who buy and drop out by the law."""
    rng = np.random.default_rng(1)
    model = bgnbd.BGNBD(0.8, 6.0, 0.8, 2.5)
    n, age, length = 150_000, 40.0, 30.0
    rate = rng.gamma(model.r, 1 / model.alpha, n)
    leaves = rng.beta(model.a, model.b, n)
    now, last, alive = np.zeros(n), np.zeros(n), np.ones(n, bool)
    frequency, later = np.zeros(n, int), np.zeros(n, int)
    while alive.any():
        now = now + rng.exponential(1 / rate)
        buys = alive & (now < age + length)
        early = buys & (now < age)
        frequency += early
        last = np.where(early, now, last)
        later += buys & ~early
        alive = buys & (rng.random(n) >= leaves)
    expected = model.expected(frequency, last, np.full(n, age), length)
    for part in (frequency == 0, frequency == 1, frequency > 3):
        spread = later[part].std() / np.sqrt(part.sum())
        assert abs(later[part].mean() - expected[part].mean()) < 4 * spread


def test_contributions_add_up(days):
    """What the three figures add is the margin, less the same for everybody."""
    rows = np.array([row[1:] for row in purchases(days, CDNOW_END)], float)
    frame = dict(zip("xta", rows.T, strict=True))
    customers = [row[0] for row in purchases(days, CDNOW_END)]
    buyers = buys_after(days, CDNOW_END, CDNOW_HELD_OUT_DAYS)
    labels = np.array([int(one in buyers) for one in customers])
    model = training.fit_purchases(
        frame, labels, training.Purchases("x", "t", "a", 273.0), np.arange(len(rows))
    )
    parts = model.contributions(frame)
    assert np.ptp(model.margin(frame) - parts.sum(axis=1)) < 1e-9
    again = training.Model.from_text(model.to_text())
    assert np.array_equal(again.predict(frame), model.predict(frame))
