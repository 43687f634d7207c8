"""The regional weather path: its key, its margins, its memory, and what a user gives."""

import numpy as np
import pandas as pd
import pytest

from hidiff.data.prepare import CLEARNESS, TOKENS
from hidiff.data.weather import COLUMNS
from hidiff.diffusion.regional import (
    LOAD_PER_CLEARNESS,
    RegionalWeather,
    add_level,
    clearness_level,
    resolve,
)


@pytest.fixture(scope="module")
def observed() -> pd.DataFrame:
    """Three years with a season, spells of some days, and less clearness on cool days."""
    dates = pd.date_range("2010-07-01", periods=1096)
    rng = np.random.default_rng(0)
    spells = np.zeros((1096, 3))
    for day in range(1, 1096):
        spells[day] = 0.6 * spells[day - 1] + 0.8 * rng.standard_normal(3)
    warm = np.cos(2 * np.pi * (dates.day_of_year.to_numpy() - 20) / 365.25)
    highest = 22 + 5 * warm + 3 * spells[:, 0]
    return pd.DataFrame(
        {
            "temperature_max_c": highest,
            "temperature_min_c": highest - 9 - np.abs(spells[:, 1]),
            "clearness": np.clip(0.65 + 0.12 * spells[:, 0] + 0.1 * spells[:, 2], 0.05, 1.1),
        },
        index=dates,
    )


@pytest.fixture(scope="module")
def regional(observed: pd.DataFrame) -> RegionalWeather:
    return RegionalWeather.fit(observed)


@pytest.fixture(scope="module")
def decade(regional: RegionalWeather) -> pd.DataFrame:
    return regional.sample(pd.date_range("2030-01-01", periods=3653), seed=1)


def test_a_longer_path_begins_with_the_days_of_a_shorter_one(regional: RegionalWeather) -> None:
    short, long = (regional.sample(pd.date_range("2030-01-01", periods=days), seed=5) for days in (40, 800))
    np.testing.assert_allclose(long.iloc[:40], short, atol=1e-4)


def test_the_path_is_its_seed(regional: RegionalWeather) -> None:
    dates = pd.date_range("2030-01-01", periods=30)
    pd.testing.assert_frame_equal(regional.sample(dates, 1), regional.sample(dates, 1))
    assert (regional.sample(dates, 1) - regional.sample(dates, 2)).abs().max().min() > 0.1


def test_margins_and_seasons_are_those_observed(observed: pd.DataFrame, decade: pd.DataFrame) -> None:
    assert list(decade.columns) == COLUMNS
    for name in COLUMNS:
        shares = [0.05, 0.25, 0.5, 0.75, 0.95]
        spread = observed[name].std()
        np.testing.assert_allclose(
            decade[name].quantile(shares), observed[name].quantile(shares), atol=0.25 * spread
        )
        for month in (1, 7):
            there, here = (frame[name][frame.index.month == month].mean() for frame in (observed, decade))
            assert abs(there - here) < 0.4 * spread


def test_weather_comes_in_spells_and_its_parts_hang_together(
    observed: pd.DataFrame, decade: pd.DataFrame
) -> None:
    for name in COLUMNS:
        assert decade[name].autocorr(1) == pytest.approx(observed[name].autocorr(1), abs=0.15)
    pair = ["temperature_max_c", "clearness"]
    assert decade[pair].corr().iloc[0, 1] == pytest.approx(observed[pair].corr().iloc[0, 1], abs=0.15)


def test_paths_stay_in_physical_bounds(decade: pd.DataFrame) -> None:
    assert decade["clearness"].between(0.03, 1.1).all()
    assert (decade["temperature_min_c"] <= decade["temperature_max_c"]).all()


def test_columns_that_never_change_do_no_harm() -> None:
    dates = pd.date_range("2012-01-01", periods=500)
    flat = pd.DataFrame(dict.fromkeys(COLUMNS, 20.0), index=dates)
    flat["clearness"] = np.random.default_rng(0).uniform(0.2, 1.0, 500)
    path = RegionalWeather.fit(flat).sample(dates, 0)
    np.testing.assert_allclose(path["temperature_max_c"], 20, atol=1e-2)
    assert 0.15 < path["clearness"].std() < 0.35


def test_climatology_is_the_mean_of_the_season(regional: RegionalWeather, observed: pd.DataFrame) -> None:
    mean = regional.climatology(observed.index)
    np.testing.assert_allclose(mean.mean(), observed.mean(), rtol=0.02)
    assert mean["temperature_max_c"]["2011-01-15"] > mean["temperature_max_c"]["2011-07-15"] + 6


def test_what_is_given_stays_and_the_rest_is_generated(regional: RegionalWeather) -> None:
    dates = pd.date_range("2030-01-01", periods=20)
    given = pd.DataFrame({"temperature_max_c": 44.0, "rain_mm": 3.0}, index=dates[:10])
    path = resolve(regional, dates, 3, given)
    alone = resolve(regional, dates, 3)
    assert list(path.columns) == COLUMNS
    assert (path["temperature_max_c"].iloc[:10] == 44).all()
    pd.testing.assert_frame_equal(path.iloc[10:], alone.iloc[10:])
    pd.testing.assert_series_equal(path["clearness"], alone["clearness"])


def test_a_given_minimum_is_not_cut_by_a_generated_maximum(regional: RegionalWeather) -> None:
    dates = pd.date_range("2030-07-01", periods=20)
    path = resolve(regional, dates, 3, pd.DataFrame({"temperature_min_c": 33.0}, index=dates))
    assert (path["temperature_min_c"] == 33).all()
    assert (path["temperature_max_c"] >= 33).all()


def test_the_level_of_clearness_is_what_an_edit_of_a_whole_year_moves(regional: RegionalWeather) -> None:
    dates = pd.date_range("2030-07-01", periods=756)
    path = regional.climatology(dates)
    assert clearness_level(regional, path, 392, 364) == pytest.approx(0, abs=1e-6)
    dull = path.assign(clearness=path["clearness"] - 0.2)
    assert clearness_level(regional, dull, 392, 364) == pytest.approx(-0.2, abs=1e-6)
    one_day = path.copy()
    one_day.loc[dates[100], "clearness"] -= 0.61  # the weather of a day is no level
    assert np.abs(clearness_level(regional, one_day, 392, 364)).max() == pytest.approx(0.01, abs=1e-6)


def test_the_level_of_a_longer_path_begins_with_that_of_a_shorter_one(regional: RegionalWeather) -> None:
    short, long = (regional.sample(pd.date_range("2030-01-01", periods=days), 2) for days in (392, 756))
    levels = [clearness_level(regional, path, 392, 364) for path in (short, long)]
    np.testing.assert_allclose(levels[1][:392], levels[0], atol=1e-4)
    assert levels[1][392:].std() > 0.01


def test_a_level_moves_own_clearness_one_to_one_and_load_by_its_response() -> None:
    tokens = np.zeros((2, 3, TOKENS), dtype=np.float32)
    moved = add_level(tokens, np.array([0.0, -0.2, 0.1], dtype=np.float32))
    assert moved[:, :, CLEARNESS] == pytest.approx(np.tile([0, -0.2, 0.1], (2, 1)))
    assert moved[0, 1, :CLEARNESS] == pytest.approx(-0.2 * LOAD_PER_CLEARNESS)
    assert (moved[:, 0] == 0).all() and (tokens == 0).all()
