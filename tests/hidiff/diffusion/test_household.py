"""Households that are asked for: sizes written in, names and keys."""

import numpy as np
import pytest

from hidiff import rng as random
from hidiff.diffusion.habit import HABIT, MODES, HabitPrior
from hidiff.diffusion.household import Household, asked, new_household
from hidiff.diffusion.identity import LEARNED, PLACE, STATISTICS, STYLE, Prior

HABITS = HabitPrior.fit(np.random.default_rng(1).normal(0, 1, (60, HABIT)).astype(np.float32))


@pytest.fixture(scope="module")
def prior() -> Prior:
    values = np.random.default_rng(0).normal(0, 0.3, (60, len(STATISTICS) + LEARNED + MODES))
    values[:, PLACE["tilt"]] = 20 + 10 * values[:, PLACE["tilt"]]
    return Prior.fit(values)


def make(
    prior: Prior, place: int = 0, annual_kwh: float | None = None, pv_kwp: float | None = None
) -> Household:
    rng = random.generator(1, "household", place)
    return new_household(prior, HABITS, rng, place, annual_kwh, pv_kwp)


def test_a_new_home_has_all_its_parts(prior: Prior) -> None:
    home = make(prior, 12)
    assert home.name == home.key == "new-000012" and home.mode == "new"
    assert home.statistics.shape == (26,) and home.style.shape == (STYLE,)
    assert home.capacity_kwp == pytest.approx(np.exp(home.statistics[PLACE["log_capacity"]]))
    assert home.roof.gain == pytest.approx(np.exp(home.statistics[PLACE["log_gain"]]))


def test_asked_sizes_are_what_the_home_has(prior: Prior) -> None:
    home = make(prior, 0, 8766.0, 4.0)
    assert home.mean_load_kw == pytest.approx(1.0)
    assert home.capacity_kwp == 4.0 and home.annual_kwh == 8766
    assert np.exp(home.statistics[PLACE["log_capacity"]]) == pytest.approx(4.0)


def test_no_panels_are_no_capacity_and_still_a_number_for_the_network(prior: Prior) -> None:
    home = make(prior, 0, None, 0.0)
    assert home.capacity_kwp == 0
    assert np.isfinite(home.statistics).all()


def test_asking_leaves_the_given_statistics_alone() -> None:
    statistics = np.zeros(26, dtype=np.float32)
    result, capacity = asked(statistics, 1000.0, None)
    assert not statistics.any()
    assert capacity == pytest.approx(1.0)
    assert result[PLACE["log_mean_load"]] == pytest.approx(np.log(1000 / 8766))


def test_homes_differ_and_each_is_the_same_again(prior: Prior) -> None:
    assert not np.allclose(make(prior, 0).statistics, make(prior, 1).statistics)
    np.testing.assert_array_equal(make(prior, 3).statistics, make(prior, 3).statistics)
