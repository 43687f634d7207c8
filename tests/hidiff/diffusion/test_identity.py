"""What is read off a household, the prior over households, and the reader of a few weeks."""

import numpy as np
import pandas as pd
import pytest
import torch

from hidiff.data.calendars import day_grid
from hidiff.data.prepare import CLEARNESS, PEAK, Prepared, day_energy_ratio, prepare
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces
from hidiff.diffusion import identity
from hidiff.diffusion.identity import (
    FEATURES,
    LEARNED,
    PLACE,
    STATISTICS,
    Prior,
    StyleEncoder,
    WindowReader,
)


def mild(days: int) -> np.ndarray:
    """Weather that asks for neither heating nor cooling."""
    return np.tile(np.array([22.0, 15.0, 0.6], dtype=np.float32), (days, 1))


def shaped(load_kw: np.ndarray, first: str = "2012-07-02") -> Prepared:
    """One home of the given days ``(day, 48)`` in standard time, a Monday first."""
    grid = day_grid(pd.Timestamp(first), len(load_kw), "Australia/Sydney")
    homes = pd.DataFrame({"pv_capacity_kwp": [1.0]}, index=pd.Index(["h"], name="home"))
    return prepare(Traces(load_kw.reshape(1, -1), np.zeros((1, load_kw.size)), grid.time, homes))


def noisy_days(days: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.8, 1.2, (days, 48))


@pytest.fixture(scope="module")
def year() -> Prepared:
    return prepare(synthetic_homes(8, 400, start="2011-11-01"))


@pytest.fixture(scope="module")
def year_statistics(year: Prepared) -> np.ndarray:
    weather = mild(len(year.grid))
    return np.stack(
        [
            identity.home_statistics(year, home, np.flatnonzero(known), weather)
            for home, known in enumerate(year.is_known)
        ]
    )


# ---------------------------------------------------------------- statistics


def test_there_is_a_name_for_every_statistic(year_statistics: np.ndarray) -> None:
    assert year_statistics.shape == (8, len(STATISTICS)) and len(STATISTICS) == 26
    assert np.isfinite(year_statistics).all()


def test_level_mean_tokens_and_capacity_are_read_off(year: Prepared, year_statistics: np.ndarray) -> None:
    assert np.exp(year_statistics[:, PLACE["log_mean_load"]]) == pytest.approx(year.scale_kw, rel=1e-5)
    assert np.exp(year_statistics[:, PLACE["log_capacity"]]) == pytest.approx(year.capacity_kwp, rel=1e-5)
    mean, spread = identity.token_scale(year_statistics)
    known = year.is_known[3]
    assert mean[3] == pytest.approx(year.tokens[3, known].mean(0), rel=1e-4)
    assert spread[3] == pytest.approx(year.tokens[3, known].std(0), rel=1e-3)


def test_a_weekend_effect_is_seen() -> None:
    load = noisy_days(140)
    load[np.arange(140) % 7 >= 5] *= 1.5
    prepared = shaped(load)
    found = identity.home_statistics(prepared, 0, np.arange(140), mild(140))
    assert found[PLACE["weekend_effect"]] == pytest.approx(np.log(1.5), abs=0.02)
    plain = identity.home_statistics(shaped(noisy_days(140)), 0, np.arange(140), mild(140))
    assert abs(plain[PLACE["weekend_effect"]]) < 0.02


def test_cooling_is_a_slope_over_hot_days_and_heating_over_cold_nights() -> None:
    weather = mild(140)
    weather[:, 0] += np.random.default_rng(1).uniform(0, 14, 140)  # up to 36
    hot = np.maximum(weather[:, 0] - 26, 0)
    load = noisy_days(140) * np.exp(0.06 * hot)[:, None]
    found = identity.home_statistics(shaped(load), 0, np.arange(140), weather)
    assert found[PLACE["cooling_slope"]] == pytest.approx(0.06, abs=0.006)
    assert abs(found[PLACE["heating_slope"]]) < 1e-6


def test_days_that_follow_their_neighbours_are_persistent_and_empty_days_are_counted() -> None:
    load = noisy_days(140) * np.repeat([1.0, 1.6], 10)[np.arange(140) % 20][:, None]
    found = identity.home_statistics(shaped(load), 0, np.arange(140), mild(140))
    alternating = noisy_days(140) * np.array([1.0, 1.6])[np.arange(140) % 2][:, None]
    other = identity.home_statistics(shaped(alternating), 0, np.arange(140), mild(140))
    assert found[PLACE["day_persistence"]] > 0.6 > -0.6 > other[PLACE["day_persistence"]]
    away = noisy_days(100)
    away[:10] *= 0.2
    assert identity.home_statistics(shaped(away), 0, np.arange(100), mild(100))[
        PLACE["low_day_share"]
    ] == pytest.approx(0.1)


def test_style_features_have_their_length_and_stand_on_the_clock(year: Prepared) -> None:
    summer, winter = np.arange(30, 60), np.arange(220, 250)
    for days in (summer, winter, np.arange(1, 15)):
        features = identity.style_features(year, 0, days)
        assert features.shape == (FEATURES,) and np.isfinite(features).all()
    load = np.full((28, 48), 0.3)
    load[:, 38] = 3.0  # 19:00 standard time
    for first, slot in (("2012-07-02", 38), ("2012-12-03", 40)):  # 19:00 and 20:00 on the wall
        profile = identity.style_features(shaped(load, first), 0, np.arange(28))[:48]
        assert profile.argmax() == slot


def test_the_encoder_is_steady_when_it_is_judged_and_noisy_when_it_learns() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder().eval()
    features, noise = torch.randn(5, FEATURES), torch.randn(5, LEARNED)
    style = encoder(features)
    assert style.shape == (5, LEARNED)
    torch.testing.assert_close(style, encoder(features))
    torch.testing.assert_close(encoder(features, noise) - style, 0.3 * noise, atol=1e-5, rtol=1e-4)
    assert style.std(dim=1, correction=0).tolist() == pytest.approx([1] * 5, rel=1e-2)


# ---------------------------------------------------------------- prior


@pytest.fixture(scope="module")
def population() -> np.ndarray:
    """150 homes: two linked values, one skewed, one the same everywhere, one alone."""
    rng = np.random.default_rng(0)
    first = rng.standard_normal(150)
    second = 0.8 * first + 0.6 * rng.standard_normal(150)
    return np.column_stack(
        [first, -second, np.exp(rng.standard_normal(150)), np.full(150, 5.0), rng.standard_normal(150)]
    )


@pytest.fixture(scope="module")
def drawn(population: np.ndarray) -> np.ndarray:
    prior, rng = Prior.fit(population), np.random.default_rng(1)
    return np.stack([prior.sample(rng) for _ in range(3000)])


def test_margins_of_new_homes_are_those_observed(population: np.ndarray, drawn: np.ndarray) -> None:
    assert (drawn >= population.min(0) - 1e-6).all() and (drawn <= population.max(0) + 1e-6).all()
    for place in (0, 1, 2, 4):
        shares = [0.1, 0.5, 0.9]
        np.testing.assert_allclose(
            np.quantile(drawn[:, place], shares),
            np.quantile(population[:, place], shares),
            atol=0.15 * population[:, place].std(),
        )
    assert (drawn[:, 3] == 5).all()


def test_dependence_keeps_its_sign_and_is_shrunk_not_lost(population: np.ndarray, drawn: np.ndarray) -> None:
    true, found = np.corrcoef(population[:, :2].T)[0, 1], np.corrcoef(drawn[:, :2].T)[0, 1]
    assert -1 < true < -0.7
    assert found < -0.5
    assert abs(found) <= abs(true) + 0.03
    assert abs(np.corrcoef(drawn[:, [0, 4]].T)[0, 1]) < 0.25


def test_an_asked_value_comes_back_and_pulls_the_others(population: np.ndarray) -> None:
    prior, rng = Prior.fit(population), np.random.default_rng(2)
    high = np.stack([prior.sample(rng, {0: 1.5}) for _ in range(300)])
    low = np.stack([prior.sample(rng, {0: -1.5}) for _ in range(300)])
    assert high[:, 0] == pytest.approx(1.5) and low[:, 0] == pytest.approx(-1.5)
    assert high[:, 1].mean() < -0.8 and low[:, 1].mean() > 0.8
    far = prior.sample(rng, {0: 50.0, 2: 3.0})
    assert far[0] == 50 and far[2] == 3
    assert np.isfinite(far).all()


def test_scores_rise_with_the_value_beyond_both_ends(population: np.ndarray) -> None:
    prior = Prior.fit(population)
    scores = [prior.scores({0: value})[0] for value in (-4.0, -2.5, 0.0, 2.5, 4.0, 1e9)]
    assert scores == sorted(scores)
    assert scores[0] < -2.4 and scores[-1] == 3.5
    assert prior.scores({0: float(np.median(population[:, 0]))})[0] == pytest.approx(0, abs=0.05)


def test_fewer_homes_than_values_still_make_a_prior() -> None:
    values = np.random.default_rng(0).standard_normal((5, 42))
    prior = Prior.fit(values)
    assert np.linalg.eigvalsh(prior.correlation.astype(np.float64)).min() > 0
    sample = prior.sample(np.random.default_rng(1), {3: 0.5})
    assert np.isfinite(sample).all() and sample[3] == 0.5


# ---------------------------------------------------------------- reader


def test_four_weeks_tell_a_homes_level_better_than_the_population_does(
    year: Prepared, year_statistics: np.ndarray
) -> None:
    weather = mild(len(year.grid))
    reader = WindowReader.fit(year, weather, year_statistics, (2, 4, 26), np.random.default_rng(0))
    assert reader.trust.shape == (3, 26)
    assert (reader.trust >= 0).all() and (reader.trust <= 1).all()
    read, blind = [], []
    place = PLACE["log_mean_load"]
    for home in range(8):
        for start in (20, 130, 240, 330):
            guess = reader.read(year, home, np.arange(start, start + 28), weather)
            assert np.isfinite(guess).all()
            read.append(guess[place] - year_statistics[home, place])
            blind.append(reader.population[place] - year_statistics[home, place])
    assert np.abs(read).mean() < 0.5 * np.abs(blind).mean()


def test_season_is_taken_out_of_a_summer_reading(year: Prepared, year_statistics: np.ndarray) -> None:
    """These homes use more in winter; weeks of either season must not say so of the whole year."""
    weather = mild(len(year.grid))
    reader = WindowReader.fit(year, weather, year_statistics, (4,), np.random.default_rng(0))
    place = PLACE["log_mean_load"]
    for days in (np.arange(60, 88), np.arange(240, 268)):  # January, July
        raw = [reader.raw(year, home, days, weather)[place] for home in range(8)]
        own = np.log(day_energy_ratio(year.tokens[:, days]).mean(1) * year.scale_kw)
        season = np.abs((own - year_statistics[:, place]).mean())
        left = np.abs((np.array(raw) - year_statistics[:, place]).mean())
        assert left < max(0.5 * season, 0.04)  # a quarter of it is left on purpose


def test_a_whole_year_is_read_as_it_is(year: Prepared, year_statistics: np.ndarray) -> None:
    weather = mild(len(year.grid))
    reader = WindowReader.fit(year, weather, year_statistics, (4, 52), np.random.default_rng(0))
    days = np.flatnonzero(year.is_known[2])
    mean, spread = identity.token_scale(reader.raw(year, 2, days, weather))
    true_mean, true_spread = identity.token_scale(year_statistics[2])
    assert mean == pytest.approx(true_mean, abs=0.05)
    irregular = [PEAK, CLEARNESS]  # a home that keeps no season is given the population's in its blocks
    assert spread[irregular] == pytest.approx(true_spread[irregular], rel=0.15)


def test_capacity_is_taken_from_the_home_and_not_from_the_population(
    year: Prepared, year_statistics: np.ndarray
) -> None:
    weather = mild(len(year.grid))
    reader = WindowReader.fit(year, weather, year_statistics, (4,), np.random.default_rng(0))
    guess = reader.read(year, 5, np.arange(40, 68), weather)
    assert np.exp(guess[PLACE["log_capacity"]]) == pytest.approx(year.capacity_kwp[5], rel=1e-5)
    assert identity.roof_of(guess).gain > 0
