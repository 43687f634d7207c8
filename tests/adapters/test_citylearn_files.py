import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hidiff.adapters.citylearn_files import car_schedule, write_citylearn
from hidiff.scenarios import ScenarioSet

from .export_sets import make_export_set
from .reader_environments import read


@pytest.mark.slow
def test_citylearn_opens_a_data_set_and_sees_our_energies(tmp_path):
    scenario_set = make_export_set()
    folder = write_citylearn(scenario_set, tmp_path / "out")
    seen = read("citylearn", folder / "scenario-s1" / "schema.json")
    assert seen["version"] == "3.0.2"
    assert (seen["steps"], seen["seconds_per_time_step"], seen["ratio"]) == (95, 1800, 1)
    load_kw = scenario_set.read("load_kw", 1) + scenario_set.read("heat_kw", 1)
    pv_kw = scenario_set.read("pv_kw", 1)
    price = scenario_set.read("import_price_per_kwh", 1)
    for number, home in enumerate(scenario_set.home_names):
        building = seen["buildings"][home]
        np.testing.assert_allclose(building["load_kwh"], load_kw[number] * 0.5, rtol=1e-6)
        np.testing.assert_allclose(building["pv_kwh"], pv_kw[number, :95] * 0.5, atol=1e-6)
        np.testing.assert_allclose(building["price"], price, rtol=1e-6)
        assert building["battery_kwh"] == 13.5
    # Batteries and cars do nothing in that run, so the exchange is load less PV, in kWh a step.
    idle = seen["buildings"]["h2"]["net_kwh"]
    np.testing.assert_allclose(idle[:95], (load_kw - pv_kw)[2, :95] * 0.5, atol=1e-5)
    assert seen["buildings"]["h0"]["hour"][:3] == [1, 1, 2]
    # At a tenth of 5 kW for half an hour the battery takes in 0.25 kWh, and stores it at the root of 90 %.
    assert seen["charged_kwh"] == pytest.approx(0.25, rel=1e-4)
    assert max(seen["soc"]) == pytest.approx(0.5 + 0.25 * 0.9**0.5 / 13.5, rel=1e-4)
    states, leaves, soc = seen["buildings"]["h0"]["cars"]["charger-h0"]
    assert states[15:17] == [1, 2] and states[35:37] == [2, 1]
    assert leaves[:2] == [16, 15]
    need_kwh = scenario_set.read("ev_need_kwh", 1)[0]
    assert soc[35] == pytest.approx(1 - need_kwh[36] / 60, abs=1e-4)
    assert not seen["buildings"]["h1"]["cars"]


def test_quarter_hours_are_a_quarter_of_the_power(tmp_path):
    scenario_set = make_export_set(
        days=1, step="15min", channels=("load_kw", "pv_kw", "import_price_per_kwh")
    )
    own = write_citylearn(scenario_set, tmp_path / "out") / "scenario-s0"
    assert json.loads((own / "schema.json").read_text())["seconds_per_time_step"] == 900
    table = pd.read_csv(own / "h0.csv")
    np.testing.assert_allclose(table["non_shiftable_load"], scenario_set.read("load_kw", 0)[0] / 4, rtol=1e-6)
    np.testing.assert_allclose(
        table["solar_generation"], scenario_set.read("pv_kw", 0)[0] / 4 * 1000, rtol=1e-5
    )


def test_the_clock_changes_on_the_night_that_sydney_changes_it(tmp_path):
    scenario_set = make_export_set(start="2030-04-07", days=1, channels=("load_kw", "import_price_per_kwh"))
    table = pd.read_csv(write_citylearn(scenario_set, tmp_path / "out") / "scenario-s0" / "h0.csv")
    assert table["hour"].tolist()[3:9] == [2, 3, 3, 3, 3, 4]
    assert table["daylight_savings_status"].tolist()[3:9] == [1, 1, 1, 0, 0, 0]


def test_batteries_are_those_of_the_table_of_homes(tmp_path):
    scenario_set = make_export_set(days=1, channels=("load_kw", "import_price_per_kwh"))
    marked = replace(scenario_set, homes=scenario_set.homes.assign(battery_kwh=[0.0, 7.0, 0.0]))
    schema = json.loads(
        (write_citylearn(marked, tmp_path / "out") / "scenario-s0" / "schema.json").read_text()
    )
    capacity = {
        home: building.get("electrical_storage", {"attributes": {"capacity": 0}})["attributes"]["capacity"]
        for home, building in schema["buildings"].items()
    }
    assert capacity == {"h0": 0, "h1": 7, "h2": 0}


def test_a_car_that_never_returns_is_away_and_one_at_home_leaves_full():
    schedule = car_schedule(np.array([1, 1, 0, 0]), np.array([3.0, 0, 0, 0]), 60.0)
    assert schedule["electric_vehicle_charger_state"].tolist() == [1, 1, 3, 3]
    assert schedule["electric_vehicle_departure_time"].tolist() == ["2", "1", "", ""]
    assert schedule["electric_vehicle_required_soc_departure"].tolist() == ["100", "100", "", ""]


def test_a_car_that_is_at_home_from_the_start_lacks_what_it_needs(tmp_path):
    time = pd.date_range("2030-01-07", periods=4, freq="30min", tz="Australia/Sydney")
    scenario_set = ScenarioSet.from_arrays(
        {
            "load_kw": np.ones((1, 1, 4)), "import_price_per_kwh": np.ones((1, 4)),
            "ev_is_home": [[[1, 1, 0, 1]]], "ev_need_kwh": [[[15.0, 0, 0, 30.0]]],
        },
        time=time, homes=["h"],
    )  # fmt: skip
    schema = json.loads(
        (write_citylearn(scenario_set, tmp_path / "out") / "scenario-s0" / "schema.json").read_text()
    )
    assert schema["electric_vehicles_def"]["car-h"]["battery"]["attributes"]["initial_soc"] == 0.75


def test_what_citylearn_cannot_carry_is_refused(tmp_path):
    scenario_set = make_export_set()
    with pytest.raises(ValueError, match="more than ev_battery_kwh=4"):
        write_citylearn(scenario_set, tmp_path / "out", ev_battery_kwh=4)
    with pytest.raises(ValueError, match="needs the channel import_price_per_kwh"):
        write_citylearn(make_export_set(channels=("load_kw",)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
