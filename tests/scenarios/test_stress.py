import numpy as np
import pandas as pd
import pytest

from hidiff.scenarios import Channel
from hidiff.scenarios.stress import (
    add_device,
    add_temperature,
    add_to_load,
    add_weather,
    choose_homes,
    remove_heating,
    scale,
    temperature_load,
    without_pv,
)

from .conftest import make_set


def test_scaling_changes_energy_and_what_the_table_says_of_it(scenario_set):
    grown = scale(scenario_set, {"load_kw": 1.5, "pv_kw": 2.0})
    np.testing.assert_allclose(grown["load_kw"], scenario_set["load_kw"] * 1.5, rtol=1e-6)
    np.testing.assert_allclose(grown.homes["pv_capacity_kwp"], scenario_set.homes["pv_capacity_kwp"] * 2)
    with pytest.raises(ValueError, match="at least 0"):
        scale(scenario_set, {"load_kw": -1.0})
    with pytest.raises(ValueError, match="did you mean 'load_kw'"):
        scale(scenario_set, {"load_kwh": 1.0})


def test_shares_nest_and_do_not_depend_on_company():
    homes = [f"h{i}" for i in range(2000)]
    few, many = (choose_homes(homes, share, 1, "ev") for share in (0.2, 0.5))
    assert not (few & ~many).any()
    assert many.mean() == pytest.approx(0.5, abs=0.04)
    np.testing.assert_array_equal(choose_homes(homes[::-7], 0.5, 1, "ev"), many[::-7])
    assert (choose_homes(homes, 0.5, 1, "heat_pump") != many).any()
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        choose_homes(homes, 1.2, 1, "ev")


def test_a_device_added_to_load_brings_its_energy_to_its_homes_alone(scenario_set):
    channel = Channel(read=lambda row, rows: np.ones((len(rows), 96), dtype=np.float32))
    with_cars = add_device(scenario_set, "ev", {"ev_kw": channel}, share=0.5, seed=2)
    has = with_cars.homes["has_ev"].to_numpy()
    assert 0 < has.sum() < len(has)
    together = add_to_load(with_cars, ["ev_kw"])
    assert "ev_kw" not in together.channels
    expected = scenario_set["load_kw"] + has[None, :, None]
    np.testing.assert_allclose(together["load_kw"], expected, rtol=1e-6)
    np.testing.assert_allclose(together.select(homes=[2])["load_kw"], expected[:, [2]], rtol=1e-6)
    with pytest.raises(ValueError, match="no power"):
        add_to_load(scenario_set, ["import_price_per_kwh"])


def test_homes_without_pv_generate_nothing(scenario_set):
    part = without_pv(scenario_set, share=0.5, seed=3)
    has = part.homes["has_pv"].to_numpy()
    assert 0 < has.sum() < len(has)
    assert part["pv_kw"][:, ~has].sum() == 0
    assert (part.homes["pv_capacity_kwp"] > 0).tolist() == has.tolist()


def test_heating_that_follows_the_weather_is_found_and_taken_out():
    days = 120
    cold = 18 - np.random.default_rng(1).uniform(0, 10, days)
    outdoor = np.repeat(cold, 48)
    evening = np.tile((np.arange(48) >= 36) * 0.1, days)
    heating = evening * (18 - outdoor)
    found = temperature_load(np.stack([0.3 + heating, np.full(48 * days, 0.3)]), outdoor, dt_h=0.5)
    np.testing.assert_allclose(found[0], heating, atol=1e-5)
    np.testing.assert_allclose(found[1], 0, atol=1e-5)
    with pytest.raises(ValueError, match="at least 28"):
        temperature_load(np.ones((1, 48)), np.ones(48), dt_h=0.5)


def test_only_named_homes_lose_their_heating_and_no_load_turns_negative():
    base = make_set(scenarios=2, homes=3, days=60)
    base = add_temperature(base, np.repeat(np.random.default_rng(2).uniform(5, 30, 60), 48))
    left = remove_heating(base, homes=["h1"])
    np.testing.assert_array_equal(left["load_kw"][:, [0, 2]], base["load_kw"][:, [0, 2]])
    assert left["load_kw"][:, 1].sum() < base["load_kw"][:, 1].sum()
    assert left["load_kw"].min() >= 0
    np.testing.assert_allclose(left.select(homes=["h1"])["load_kw"][:, 0], left["load_kw"][:, 1], atol=1e-6)


def test_daily_weather_becomes_one_temperature_for_all_scenarios(scenario_set):
    weather = pd.DataFrame(
        {"temperature_max_c": 30.0, "temperature_min_c": 20.0}, index=pd.date_range("2030-01-06", periods=5)
    )
    temperature = add_weather(scenario_set, weather)["temperature_c"]
    assert temperature.shape == (4, 96)
    assert (temperature.min(), temperature.max()) == (20.0, 30.0)
    with pytest.raises(ValueError, match="shape"):
        add_temperature(scenario_set, np.zeros(5))
