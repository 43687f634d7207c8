"""Population metrics: limits of coincidence, correlations, clouds that pass all homes or each its own."""

import numpy as np
import pandas as pd
import pytest

from hidiff.metrics import population

TIME = pd.date_range("2012-06-30 14:00", periods=60 * 48, freq="30min", tz="UTC")
CLOCK = TIME.tz_convert("Australia/Sydney")


def sunny(homes: int, *, shared: bool, seed: int = 0) -> np.ndarray:
    """PV with passing clouds, the same for all homes or not, (home, step) [kW]."""
    rng = np.random.default_rng(seed)
    hour = np.asarray(CLOCK.hour + CLOCK.minute / 60)
    sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None)
    clouds = rng.uniform(0.3, 1, (1 if shared else homes, len(TIME)))
    return 3 * sun * clouds * rng.uniform(0.5, 1.5, (homes, 1))


def test_identical_homes_coincide_and_homes_that_take_turns_do_not() -> None:
    rng = np.random.default_rng(0)
    same = np.repeat(rng.uniform(size=(1, 100)), 5, axis=0)
    assert population.coincidence_factor(same, 5, rng) == pytest.approx(1)
    assert population.coincidence_factor(np.eye(4), 4, rng) == pytest.approx(0.25)
    with pytest.raises(ValueError, match=r"outside 1\.\.4"):
        population.coincidence_factor(np.eye(4), 5, rng)


def test_coincidence_of_independent_homes_falls_with_their_number() -> None:
    power_kw = np.random.default_rng(0).gamma(0.5, size=(20, 2000))
    factors = [population.coincidence_factor(power_kw, n, np.random.default_rng(1)) for n in (1, 2, 5, 20)]
    assert factors[0] == pytest.approx(1)
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] < 0.5


def test_correlation_matrix_equals_numpy_and_leaves_nan_out() -> None:
    values = np.random.default_rng(0).normal(size=(4, 300))
    values[1] += values[0]
    assert population.correlation_matrix(values) == pytest.approx(np.corrcoef(values))
    gaps = values.copy()
    gaps[0, :50] = np.nan
    assert population.correlation_matrix(gaps)[0, 1] == pytest.approx(np.corrcoef(values[:2, 50:])[0, 1])


def test_mean_of_pairs_makes_no_pair_of_a_home_drawn_twice() -> None:
    matrix = np.array([[1.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.0]])
    assert population.mean_of_pairs(matrix)[0] == pytest.approx(0.3)
    assert population.mean_of_pairs(matrix, np.array([[2 / 3, 1 / 3, 0.0]]))[0] == pytest.approx(0.5)
    assert np.isnan(population.mean_of_pairs(matrix, np.array([[1.0, 0.0, 0.0]]))).all()


def test_neighbours_with_shuffled_days_are_caught() -> None:
    rng = np.random.default_rng(3)
    neighbours = sunny(6, shared=True) * np.repeat(rng.uniform(0.1, 1, 60), 48)
    shuffled = np.stack([row.reshape(60, 48)[rng.permutation(60)].ravel() for row in neighbours])
    assert population.pairwise_correlation(neighbours) == pytest.approx(1)
    assert population.pairwise_correlation(shuffled) < 0.8


def test_clouds_within_the_day_are_told_from_weather_between_days() -> None:
    shared = population.clearness_anomaly(sunny(5, shared=True), TIME, CLOCK)
    own = population.clearness_anomaly(sunny(5, shared=False), TIME, CLOCK)
    assert population.pairwise_correlation(shared) == pytest.approx(1)
    assert abs(population.pairwise_correlation(own)) < 0.1
    # one cloudiness a day, the same for all, leaves nothing within the day
    days = np.repeat(np.random.default_rng(1).uniform(0.2, 1, 60), 48)
    own_and_days = population.clearness_anomaly(sunny(5, shared=False) * days, TIME, CLOCK)
    assert abs(population.pairwise_correlation(own_and_days)) < 0.1


def test_the_anomaly_is_unknown_at_night() -> None:
    anomaly = population.clearness_anomaly(sunny(2, shared=True), TIME, CLOCK)
    assert np.isnan(anomaly[:, np.asarray(CLOCK.hour) == 0]).all()
    assert np.isfinite(anomaly[:, np.asarray(CLOCK.hour) == 12]).all()
