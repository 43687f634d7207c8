"""What devices meet is the same at any step length, replays, and means what was asked."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.data.synthetic import synthetic_homes
from hidiff.envs.exogenous import climate_c, device_exogenous, hot_water_kw
from hidiff.envs.exogenous_car import needs_at_departure
from hidiff.envs.sources import Window
from hidiff.envs.sources_given import ArraySource
from hidiff.home import Appliance, ElectricCar, HeatPump, Home, HotWaterTank

EVERYTHING = Home(
    car=ElectricCar(), heat_pump=HeatPump(), tank=HotWaterTank(),
    appliances=(Appliance(), Appliance(name="washing machine", earliest_h=8.0, latest_h=16.0, probability=0.4)),
)  # fmt: skip
STEPS_MIN = (5, 15, 30, 60)


def window_of(minutes: int, days: int = 14, start: str = "2030-03-30", home: str = "a") -> Window:
    """Steps of ``minutes`` across the end of summer time."""
    first = pd.Timestamp(start, tz="Australia/Sydney").tz_convert("UTC")
    time = pd.date_range(first, periods=days * 24 * 60 // minutes, freq=f"{minutes}min")
    ones = np.ones(len(time))
    return ArraySource({"load_kw": ones, "pv_kw": 2 * ones}, time=time, home=home, pv_capacity_kwp=4.0).draw(
        np.random.default_rng(0)
    )


def hourly(values: np.ndarray, minutes: int, *, is_sum: bool) -> np.ndarray:
    parts = values.reshape(-1, 60 // minutes, *values.shape[1:])
    return parts.sum(axis=1) if is_sum else parts.mean(axis=1)


@pytest.mark.parametrize("minutes", [5, 15, 30])
def test_events_and_energy_are_the_same_at_any_step_length(minutes: int) -> None:
    fine, coarse = (device_exogenous(EVERYTHING, window_of(length)) for length in (minutes, 60))
    for name in ("hot_water_kw", "outdoor_c", "low_c", "high_c", "heat_gain_kw"):
        np.testing.assert_allclose(hourly(fine[name], minutes, is_sum=False), coarse[name], atol=1e-9)
    assert np.array_equal(
        hourly(fine["appliance_request"], minutes, is_sum=True), coarse["appliance_request"]
    )
    assert coarse["car_trip_kwh"].sum() > 5
    assert fine["car_trip_kwh"].sum() == pytest.approx(coarse["car_trip_kwh"].sum())
    trips = [np.flatnonzero(one["car_trip_kwh"]) * length for one, length in ((fine, minutes), (coarse, 60))]
    assert np.abs(trips[0] - trips[1]).max() <= 60
    away_h = [(1 - one["car_is_home"]).sum() * length / 60 for one, length in ((fine, minutes), (coarse, 60))]
    assert abs(away_h[0] - away_h[1]) <= len(trips[0])


def test_the_same_life_has_the_same_days_in_any_window_and_others_differ() -> None:
    long, late = window_of(30, days=14), window_of(30, days=7, start="2030-04-06")
    whole, part = (device_exogenous(EVERYTHING, window) for window in (long, late))
    shift = int((late.time[0] - long.time[0]) / pd.Timedelta(minutes=30))
    for name in ("hot_water_kw", "appliance_request", "outdoor_c"):
        assert np.array_equal(whole[name][shift : shift + late.steps - 2], part[name][:-2])
    other = device_exogenous(EVERYTHING, window_of(30, home="b"))
    for name in ("hot_water_kw", "appliance_request", "car_trip_kwh"):
        assert not np.array_equal(whole[name], other[name])


def test_names_follow_the_devices() -> None:
    window = window_of(30)
    assert device_exogenous(Home(), window) == {}
    assert set(device_exogenous(Home(tank=HotWaterTank()), window)) == {"hot_water_kw"}
    assert set(device_exogenous(EVERYTHING, window)) == {
        "outdoor_c", "heating_cop", "cooling_cop", "low_c", "high_c", "heat_gain_kw", "hot_water_kw", "car_is_home",
        "car_trip_kwh", "appliance_request",
    }  # fmt: skip


def test_hot_water_machines_and_nights_are_on_average_what_the_home_says() -> None:
    home = Home(
        tank=HotWaterTank(use_kwh_per_day=5.0), heat_pump=HeatPump(), appliances=(Appliance(probability=0.3),)
    )
    draws, requests = [], []
    for number in range(10):
        series = device_exogenous(home, window_of(30, days=360, home=f"home {number}"))
        draws.append(series["hot_water_kw"].sum() * 0.5 / 360)
        requests.append(series["appliance_request"].sum() / 360)
    assert np.mean(draws) == pytest.approx(5.0, rel=0.02)
    assert np.mean(requests) == pytest.approx(0.3, rel=0.1)
    assert (series["low_c"] < 20).mean() == pytest.approx(8 / 24, abs=0.001)
    local = window_of(30, days=360).time.tz_convert("Australia/Sydney")
    asked = local[series["appliance_request"][:, 0] > 0]
    assert set(zip(asked.hour, asked.minute, strict=True)) == {(19, 0)}
    assert set(local[series["low_c"] < 20].hour) == {22, 23, 0, 1, 2, 3, 4, 5}


def test_the_house_is_warmed_by_load_people_and_sun() -> None:
    series = device_exogenous(Home(heat_pump=HeatPump()), window_of(30))
    assert series["heat_gain_kw"] == pytest.approx(0.5 * 1.0 + 0.1 + 4.0 * 2.0 / 4.0)
    dark = replace(window_of(30), pv_capacity_kwp=0.0)
    assert device_exogenous(Home(heat_pump=HeatPump()), dark)["heat_gain_kw"] == pytest.approx(0.6)


def test_the_climate_is_that_of_the_normals() -> None:
    time = pd.date_range("2030-01-01", periods=365 * 48, freq="30min", tz="Australia/Sydney").tz_convert(
        "UTC"
    )
    outdoor = pd.Series(climate_c(time, "Australia/Sydney", 0.5), index=time.tz_convert("Etc/GMT-10"))
    daily = outdoor.resample("D").agg(["max", "min"])[3:-3]
    monthly = daily.groupby(daily.index.month).mean()
    assert monthly["max"][1] == pytest.approx(26.0, abs=0.3)
    assert monthly["min"][7] == pytest.approx(8.1, abs=0.5)
    assert 14 <= outdoor.groupby(outdoor.index.hour).mean().idxmax() <= 15


def test_what_is_given_is_taken_and_drives_the_rest() -> None:
    window = window_of(30)
    cold = replace(window, given={"outdoor_c": np.full(window.steps, -5.0)})
    series = device_exogenous(EVERYTHING, cold)
    assert (series["outdoor_c"] == -5).all()
    assert (series["heating_cop"] < device_exogenous(EVERYTHING, window)["heating_cop"]).all()
    needs = replace(
        window, given={"car_is_home": np.ones(window.steps), "trip_need_kwh": np.ones(window.steps)}
    )
    assert device_exogenous(EVERYTHING, needs)["car_trip_kwh"] == pytest.approx(0.9)
    with pytest.raises(ValueError, match="says too little of a car"):
        device_exogenous(EVERYTHING, replace(window, given={"car_is_home": np.ones(window.steps)}))
    with pytest.raises(ValueError, match="has 1 columns; the home has 2 appliances"):
        device_exogenous(EVERYTHING, replace(window, given={"appliance_request": np.ones((window.steps, 1))}))


def test_needs_go_back_to_the_departure_before_the_plug_in() -> None:
    is_home = np.array([0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 0])
    need_kwh = np.array([0, 0, 9, 0, 0, 0, 0, 5, 0, 3, 0, 0])
    # the first absence began before the record; at step 9 the steps show no absence
    assert needs_at_departure(is_home, need_kwh).tolist() == [0, 0, 0, 0, 5, 0, 0, 0, 0, 3, 0, 0]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_needs_are_moved_not_made(steps: list[tuple[bool, int]]) -> None:
    is_home = np.array([1.0 if home else 0.0 for home, _ in steps])
    need_kwh = np.array([need if home else 0.0 for home, need in steps])
    moved = needs_at_departure(is_home, need_kwh)
    began_home = np.flatnonzero(is_home < 0.5)
    first_return = 0 if is_home[0] else int(np.argmax(is_home > 0.5))
    assert moved.sum() == pytest.approx(need_kwh[max(first_return, 0) + 1 :].sum())
    assert set(np.flatnonzero(moved)) <= set(began_home) | set(np.flatnonzero(need_kwh))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 47), st.floats(0, 12))
def test_hot_water_scales_with_use_and_windows_may_begin_at_any_step(first: int, use: float) -> None:
    whole = window_of(30)
    part = replace(whole, first=first, steps=whole.steps - first)
    tank = HotWaterTank(use_kwh_per_day=use)
    assert hot_water_kw(tank, part) == pytest.approx(hot_water_kw(tank, whole)[first:])
    assert hot_water_kw(tank, whole) == pytest.approx(
        hot_water_kw(HotWaterTank(use_kwh_per_day=1.0), whole) * use
    )


def test_real_lengths_of_a_synthetic_year_need_no_download() -> None:
    traces = synthetic_homes(1, 8, "2030-10-01")
    window = ArraySource({"load_kw": traces.load_kw[0], "pv_kw": traces.pv_kw[0]}, time=traces.time).draw(
        np.random.default_rng(0)
    )
    series = device_exogenous(EVERYTHING, window)
    assert all(np.isfinite(values).all() and len(values) == window.steps for values in series.values())
