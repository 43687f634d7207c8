"""Households that are drawn once and live several lives, and the weather that they live under."""

import numpy as np
import pandas as pd
import pytest

from hidiff.diffusion.hierarchy import HiDiff

START = "2030-01-01"


def test_drawn_households_live_as_they_would_have_and_another_life_with_another_seed(
    tiny_model: HiDiff,
) -> None:
    people = tiny_model.households(3, seed=1)
    own = tiny_model.sample(people, start=START, seed=1)
    straight = tiny_model.sample(3, start=START, seed=1)
    np.testing.assert_array_equal(own.load_kw, straight.load_kw)
    other = tiny_model.sample(people[1:], start=START, seed=2)
    assert other.names == straight.names[1:]
    assert not np.allclose(other.load_kw, straight.load_kw[1:])
    assert (other.homes["pv_capacity_kwp"] == straight.homes["pv_capacity_kwp"][1:]).all()


def test_each_home_may_have_a_size_of_its_own(tiny_model: HiDiff) -> None:
    asked, sizes = [3000.0, None, 9000.0], [0.0, 4.0, None]
    people = tiny_model.households(3, 1, annual_kwh=asked, pv_kwp=sizes)
    traces = tiny_model.sample(people, start=START, seed=5)
    np.testing.assert_allclose(traces.load_kwh[[0, 2]], [3000, 9000], rtol=1e-5)
    assert traces.homes["pv_capacity_kwp"].iloc[0] == 0 and traces.homes["pv_capacity_kwp"].iloc[1] == 4
    alone = tiny_model.sample(1, start=START, seed=1, annual_kwh=3000.0, pv_kwp=0.0)
    np.testing.assert_array_equal(alone.load_kw, tiny_model.sample(people[:1], start=START, seed=1).load_kw)


def test_what_households_have_is_not_asked_of_them_again(tiny_model: HiDiff) -> None:
    people = tiny_model.households(1, seed=1)
    with pytest.raises(ValueError, match=r"ask mode, readings and sizes of households\(\)"):
        tiny_model.sample(people, annual_kwh=5000.0)
    with pytest.raises(ValueError, match="annual_kwh has 2 entries for 3 homes"):
        tiny_model.households(3, 1, annual_kwh=[1000.0, 2000.0])
    with pytest.raises(ValueError, match=r"pv_kwp=2000 lies outside 0\.\.1000"):
        tiny_model.households(2, 1, pv_kwp=[1.0, 2000.0])


def test_the_weather_of_a_call_can_be_had_and_given_back(tiny_model: HiDiff) -> None:
    weather = tiny_model.daily_weather(start=START, seed=4)
    assert weather.index[0] == pd.Timestamp("2029-12-31")  # local midnight is 23:00 standard time
    assert weather.index[-1] == pd.Timestamp("2030-12-31") and len(weather) == 366
    given = tiny_model.daily_weather(start=START, seed=9, weather=weather)
    pd.testing.assert_frame_equal(given, weather)
