"""Cars in a scenario set: lazy, the same for any subset, zero where there is none."""

import numpy as np
import pandas as pd
import pytest

from hidiff.scenarios import ScenarioSet
from hidiff.scenarios.ev_scenarios import NAMES, with_electric_cars
from hidiff.scenarios.ev_trips import EvConfig

from .conftest import make_set


@pytest.fixture
def bare() -> ScenarioSet:
    return make_set(scenarios=3, homes=4, days=14).select(channels=["load_kw", "pv_kw"])


def test_homes_without_a_car_have_zeros_and_others_have_what_any_subset_gives(bare: ScenarioSet) -> None:
    cars = with_electric_cars(bare, homes=["h0", "h2"], seed=7)
    assert cars.homes["has_ev"].to_list() == [True, False, True, False]
    for name in NAMES:
        values = cars[name]
        assert values.shape == cars.shape and values.dtype == np.float32
        assert not values[:, [1, 3]].any()
        np.testing.assert_array_equal(cars.read(name, scenario=2, homes=[2, 0]), values[2, [2, 0]])
    one = with_electric_cars(bare.select(homes=["h2"], scenarios=[1]), homes=["h2"], seed=7)
    np.testing.assert_array_equal(one["ev_kw"][0, 0], cars["ev_kw"][1, 2])


def test_scenarios_are_other_days_of_the_same_owner(bare: ScenarioSet) -> None:
    cars = with_electric_cars(bare, seed=7)
    assert not np.array_equal(cars["ev_kw"][0], cars["ev_kw"][1])
    again = with_electric_cars(bare, seed=7)
    np.testing.assert_array_equal(cars["ev_kw"], again["ev_kw"])


def test_energy_is_kept_by_resample_and_aggregate(bare: ScenarioSet) -> None:
    cars = with_electric_cars(bare, seed=7)
    total = cars["ev_kw"].sum(dtype=np.float64) * cars.dt_h
    assert total == pytest.approx(cars["ev_need_kwh"].sum(dtype=np.float64), rel=1e-6)
    for other in (cars.resample("15min"), cars.resample("1h"), cars.aggregate()):
        assert other["ev_kw"].sum(dtype=np.float64) * other.dt_h == pytest.approx(total, rel=1e-6)
        assert other["ev_need_kwh"].sum(dtype=np.float64) == pytest.approx(total, rel=1e-6)


def test_the_homes_table_says_who_has_a_car(bare: ScenarioSet) -> None:
    from dataclasses import replace

    marked = replace(bare, homes=bare.homes.assign(has_ev=[False, True, False, False]))
    cars = with_electric_cars(marked, seed=1, config=EvConfig(load_link=0.0))
    assert cars["ev_is_home"].any(axis=(0, 2)).tolist() == [False, True, False, False]
    assert cars.provenance["electric_cars"]["config"]["load_link"] == 0.0


def test_an_unknown_home_and_a_second_car_are_refused(bare: ScenarioSet) -> None:
    with pytest.raises(ValueError, match="unknown home 'h9'"):
        with_electric_cars(bare, homes=["h9"], seed=1)
    with pytest.raises(ValueError, match="has 'ev_kw' already"):
        with_electric_cars(with_electric_cars(bare, seed=1), seed=1)


def test_a_saved_set_keeps_its_cars(bare: ScenarioSet, tmp_path: object) -> None:
    from hidiff.scenarios import open_scenarios

    cars = with_electric_cars(bare, seed=7)
    folder = pd.io.common.stringify_path(tmp_path) + "/set"
    cars.save(folder)
    np.testing.assert_array_equal(open_scenarios(folder)["ev_kw"], cars["ev_kw"])
