"""Diversity: each of the ways of not being the real homes is caught by the number made for it."""

import numpy as np
import pandas as pd
import pytest

from hidiff.metrics import diversity
from hidiff.metrics.diversity import Manifold, manifold


def weeks(homes: int, seed: int, count: int = 10) -> np.ndarray:
    """Weeks near to one another within a home, (home, week, feature)."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(homes, 1, 3)) + 0.3 * rng.normal(size=(homes, count, 3))


def names(homes: int, side: str) -> list[str]:
    return [f"{side}{number}" for number in range(homes)]


REAL = weeks(30, 0)
REAL_NAMES = names(30, "real")


def against_real(generated: np.ndarray) -> Manifold:
    return manifold(generated, REAL, names(len(generated), "made"), REAL_NAMES)


def real_like() -> Manifold:
    """Other homes of the same population."""
    return against_real(weeks(30, 99))


def test_windows_of_the_own_home_do_not_count() -> None:
    itself = manifold(REAL, REAL, REAL_NAMES, REAL_NAMES)
    renamed = against_real(REAL)
    assert renamed.precision == 1
    assert itself.precision < 0.97
    assert renamed.density > 1.5 * itself.density


def test_known_answer_on_a_line() -> None:
    # real at 0, 1, 3: with k = 1 their balls reach 1, 1 and 2; generated at 0.5 and 9 reach 8.5
    real, made = np.array([0.0, 1.0, 3.0]).reshape(3, 1, 1), np.array([0.5, 9.0]).reshape(2, 1, 1)
    found = manifold(made, real, ["x", "y"], ["a", "b", "c"], neighbours=1)
    assert found.precision == 0.5  # 9 is in no ball
    assert found.density == 1.0  # 0.5 is in two balls, 9 in none; the ball of 3 ends at 1
    assert found.coverage == pytest.approx(2 / 3)
    assert found.recall == 1.0  # 0, 1 and 3 are within 8.5 of 0.5


def test_collapse_to_one_mode_keeps_precision_and_loses_recall_and_coverage() -> None:
    ideal = real_like()
    mode = REAL.reshape(-1, 3)[np.argmin((REAL.reshape(-1, 3) ** 2).sum(axis=1))]
    collapsed = against_real(mode + 0.01 * np.random.default_rng(0).normal(size=REAL.shape))
    assert collapsed.precision > 0.95
    assert collapsed.recall < 0.1 * ideal.recall
    assert collapsed.coverage < 0.5 * ideal.coverage


def test_weeks_that_no_home_has_lose_precision_and_density_and_keep_recall() -> None:
    ideal = real_like()
    wild = weeks(30, 1).copy()
    wild[::2] *= 6
    found = against_real(wild)
    assert found.precision < ideal.precision - 0.2
    assert found.density < 0.8 * ideal.density
    assert found.recall > ideal.recall - 0.1


def test_beside_real_other_homes_score_alike_and_equal_sides_equally() -> None:
    found, real = diversity.manifold_beside_real(
        weeks(40, 5), REAL, names(40, "made"), REAL_NAMES, np.random.default_rng(0)
    )
    for number in ("precision", "recall", "coverage"):
        assert getattr(found, number) == pytest.approx(getattr(real, number), abs=0.1)
    assert found.density == pytest.approx(real.density, rel=0.25)
    same, same_real = diversity.manifold_beside_real(
        REAL, REAL, REAL_NAMES, REAL_NAMES, np.random.default_rng(0)
    )
    assert same == same_real


def test_beside_real_copies_under_other_names_score_above_real_homes() -> None:
    copies, real = diversity.manifold_beside_real(
        REAL + 1e-6, REAL, names(30, "made"), REAL_NAMES, np.random.default_rng(0)
    )
    assert copies.density > 1.1 * real.density
    assert copies.precision > real.precision


def test_beside_real_three_homes_are_too_few() -> None:
    few = weeks(3, 0)
    with pytest.raises(ValueError, match="at least 4 a side"):
        diversity.manifold_beside_real(few, REAL, names(3, "made"), REAL_NAMES, np.random.default_rng(0))


def test_more_neighbours_than_there_are_weeks_of_other_homes_are_refused() -> None:
    two = weeks(2, 0, count=4)
    with pytest.raises(ValueError, match=r"outside 1\.\.4"):
        manifold(two, two, ["a", "b"], ["a", "b"])


DATES = pd.date_range("2012-07-01", periods=365)


def moments(values: np.ndarray) -> np.ndarray:
    return diversity.moments_by_condition(values, diversity.conditions(DATES))


def days(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.lognormal(2, 0.4, (40, 1)) * rng.gamma(9, 1 / 9, (40, len(DATES)))


def test_conditions_are_months_and_day_types() -> None:
    labels = diversity.conditions(DATES)
    assert labels[0] == 13  # Sunday 1 July
    assert labels[1] == 12
    assert sorted(np.unique(labels)) == list(range(24))


def test_spread_of_a_scaled_side_is_the_logarithm_of_the_scale() -> None:
    energy_kwh = days(0)
    for of_a_home in (False, True):
        same = diversity.spread_log_ratio(moments(energy_kwh), moments(energy_kwh), of_a_home=of_a_home)
        assert same == pytest.approx([0], abs=1e-12)
        half = diversity.spread_log_ratio(moments(energy_kwh / 2), moments(energy_kwh), of_a_home=of_a_home)
        assert half == pytest.approx([np.log(2)])


def test_spread_over_homes_and_days_is_the_plain_standard_deviation() -> None:
    energy_kwh, labels = days(0), diversity.conditions(DATES)
    other = days(1)
    expected = [
        abs(np.log(energy_kwh[:, labels == c].std() / other[:, labels == c].std())) for c in range(24)
    ]
    found = diversity.spread_log_ratio(moments(energy_kwh), moments(other))
    assert found == pytest.approx([np.mean(expected)])
    shares = np.zeros((1, 40))
    shares[0, :2] = 0.5
    two = diversity.spread_log_ratio(moments(energy_kwh), moments(other), shares)
    assert two == pytest.approx(diversity.spread_log_ratio(moments(energy_kwh[:2]), moments(other)))


def test_days_that_are_the_mean_of_their_condition_are_caught_within_a_home_and_equal_homes_between() -> None:
    energy_kwh, labels = days(0), diversity.conditions(DATES)
    smooth = energy_kwh.copy()
    for c in range(24):
        noise = 0.9 * (energy_kwh[:, labels == c].mean(axis=1, keepdims=True) - energy_kwh[:, labels == c])
        smooth[:, labels == c] += noise
    one_home = np.repeat(energy_kwh[:1], 40, axis=0)
    of_days = [
        diversity.spread_log_ratio(moments(x), moments(energy_kwh), of_a_home=True)[0] for x in (smooth,)
    ]
    assert of_days[0] == pytest.approx(np.log(10))
    over_homes = diversity.spread_log_ratio(moments(one_home), moments(energy_kwh))[0]
    assert over_homes > 0.2


def test_sides_of_other_months_are_refused() -> None:
    july, january = DATES[:31], DATES[184:215]
    sides = [
        diversity.moments_by_condition(days(0)[:, :31], diversity.conditions(d)) for d in (july, january)
    ]
    with pytest.raises(ValueError, match="share no condition"):
        diversity.spread_log_ratio(*sides)
