"""Marginal distances: known answers, and what they must and must not see."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hidiff.metrics import marginals

CLOCK = pd.date_range("2012-07-01", "2013-07-01", freq="30min", inclusive="left", tz="Australia/Sydney")


def homes(count: int, seed: int) -> np.ndarray:
    """Evening peaks of different size with noise, (home, step) [kW]."""
    rng = np.random.default_rng(seed)
    hour = np.asarray(CLOCK.hour + CLOCK.minute / 60)
    shape = 0.3 + np.exp(-((hour - 19) ** 2) / 8)
    return shape * rng.lognormal(0, 0.2, (count, 1)) * rng.gamma(4, 0.25, (count, len(CLOCK)))


def test_wasserstein_of_shifted_values_is_the_shift() -> None:
    values = np.random.default_rng(0).normal(size=(3, 50))
    assert marginals.wasserstein(values, values + 0.7) == pytest.approx(0.7)


def test_wasserstein_equals_scipy_for_sides_of_different_size() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.gamma(2, size=(3, 40)), rng.gamma(3, size=(5, 31))
    assert marginals.wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a.ravel(), b.ravel()))


def test_equal_sides_have_no_distance() -> None:
    a = homes(3, 0)
    assert marginals.wasserstein_month_hour(a, a, CLOCK, CLOCK) == pytest.approx(0, abs=1e-12)
    assert marginals.quantiles(a) == pytest.approx(marginals.quantiles(a[::-1].copy()))


def test_scaling_by_a_fifth_costs_a_fifth_of_the_mean_in_kw() -> None:
    a = homes(3, 0)
    assert marginals.wasserstein_month_hour(1.2 * a, a, CLOCK, CLOCK) == pytest.approx(
        0.2 * a.mean(), rel=0.01
    )


def test_a_clock_shift_of_two_hours_is_caught_by_month_and_hour_only() -> None:
    a, b = homes(4, 0), homes(4, 0)
    shifted = np.roll(b, 4, axis=1)
    assert marginals.wasserstein(shifted, a) == pytest.approx(0, abs=1e-9)
    assert marginals.wasserstein_month_hour(shifted, a, CLOCK, CLOCK) > 0.15


def test_weights_on_one_home_equal_that_home_alone() -> None:
    a, b = homes(3, 0)[:, :960], homes(2, 1)[:, :960]
    cells = np.arange(960) % 48
    weights = np.array([[0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    found = marginals.wasserstein_by_cell(a, b, cells, cells, weights)
    assert found[0] == pytest.approx(marginals.wasserstein_by_cell(a[1:2], b, cells, cells)[0])
    assert found[1] == pytest.approx(marginals.wasserstein_by_cell(a, b, cells, cells)[0])
    quantiles = marginals.quantiles(a, weights=weights)
    assert quantiles[0] == pytest.approx(marginals.quantiles(a[1:2])[0])


def test_quantiles_equal_those_of_numpy() -> None:
    a = homes(2, 3)[:, :5000]
    expected = np.quantile(a, marginals.QUANTILE_LEVELS, method="inverted_cdf")
    assert marginals.quantiles(a)[0] == pytest.approx(expected)


def test_half_a_year_is_refused() -> None:
    a = homes(2, 0)
    with pytest.raises(ValueError, match="compare whole years"):
        marginals.wasserstein_month_hour(a[:, :8000], a, CLOCK[:8000], CLOCK)


def test_share_within_counts_zeros_of_either_sign() -> None:
    power_kw = np.array([[0.0, -0.04, 0.06, 1.0]])
    assert marginals.share_within(power_kw, 0.05) == pytest.approx([0.5])
