"""Indicators: known answers, the table, what is absent, and how episodes are compared."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as float_arrays

from hidiff.devices import Appliance
from hidiff.envs.episode import Episode
from hidiff.envs.kpis import KPIS, community_kpis, compare, kpis, kpis_by_home
from hidiff.envs.kpis_battery import count_cycles
from hidiff.envs.kpis_citylearn import citylearn_scores
from hidiff.envs.kpis_community import gini, jain
from hidiff.envs.kpis_devices import power_at_request
from hidiff.home import Battery, Home

DOC = Path(__file__).resolve().parents[2] / "docs" / "kpis.md"


def row(*values: float) -> np.ndarray:
    return np.array(values, float)


KNOWN: dict[str, tuple[dict[str, Any], float]] = {
    "bill": ({"cost": row(1, -0.25, 2)}, 2.75),
    "import_cost": ({"import_kw": row(2, 0, 4), "import_price": row(0.3, 0.5, -0.1), "dt_h": 0.5}, 0.1),
    "export_revenue": ({"export_kw": row(2, 1), "export_price": row(0.1, -0.2), "dt_h": 0.25}, 0.0),
    "other_charges": (
        {
            "cost": row(1.5, 1),
            "import_kw": row(2, 0),
            "import_price": row(0.3, 0.3),
            "export_kw": row(0, 2),
            "export_price": row(0.1, 0.1),
            "dt_h": 1.0,
        },
        2.1,
    ),
    "mean_import_price": ({"import_kw": row(3, 1), "import_price": row(0.2, 0.6)}, 0.3),
    "wear_cost": ({"wear_cost": row(0.1, 0.2)}, 0.3),
    "service_cost": ({"service_cost": row(1, 0.2)}, 1.2),
    "discomfort_cost": ({"discomfort_cost": row(0.5, 0.2)}, 0.7),
    "penalty": ({"penalty": row(5, 0)}, 5),
    "total_cost": ({"cost": row(3, 1), "wear_cost": row(0.5, 0), "penalty": row(0, 2), "end_value": row(0, 1)}, 5.5),
    "regret": ({"total": 7.0, "optimum_total": 5.0}, 2),
    "saving_on_rule": ({"total": 7.0, "rule_total": 9.0}, 2),
    "regret_share": ({"total": 7.0, "optimum_total": 5.0, "rule_total": 9.0}, 0.5),
    "consumption_kwh": (
        {"import_kw": row(3, 0), "export_kw": row(0, 1), "pv_used_kw": row(1, 4), "battery_kw": row(2, -1), "dt_h": 0.5},
        3,
    ),
    "pv_kwh": ({"pv_kw": row(2, 1), "dt_h": 0.5}, 1.5),
    "import_kwh": ({"import_kw": row(2, 1), "dt_h": 0.25}, 0.75),
    "export_kwh": ({"export_kw": row(2, 2), "dt_h": 0.25}, 1),
    "self_consumption": ({"export_kw": row(1, 0), "pv_used_kw": row(3, 1)}, 0.75),
    "self_sufficiency": ({"import_kw": row(1, 0), "export_kw": row(0, 1), "pv_used_kw": row(1, 3)}, 0.75),
    "curtailed_share": ({"curtailed_kw": row(1, 0), "pv_kw": row(4, 1)}, 0.2),
    "co2_kg": ({"import_kw": row(2, 1), "co2_kg_per_kwh": row(0.5, 0.8), "dt_h": 0.5}, 0.9),
    "peak_import_kw": ({"import_kw": row(2, 5, 1)}, 5),
    "peak_export_kw": ({"export_kw": row(2, 0, 1)}, 2),
    "import_p95_kw": ({"import_kw": np.arange(101.0)}, 95),
    "daily_peak_kw": ({"import_kw": row(1, 4, 2, 3, 6), "day": row(1, 1, 2, 2, 2)}, 5),
    "load_factor": ({"import_kw": row(1, 4, 1)}, 0.5),
    "peak_to_average": ({"import_kw": row(1, 4, 1)}, 2),
    "ramp_mean_kw_per_h": ({"import_kw": row(2, 0, 0), "export_kw": row(0, 1, 0), "dt_h": 0.5}, 4),
    "ramp_max_kw_per_h": ({"import_kw": row(2, 0, 0), "export_kw": row(0, 1, 0), "dt_h": 0.5}, 6),
    "zero_import_h": ({"import_kw": row(0, 0.0005, 0.2, 3), "dt_h": 0.5}, 1),
    "excess_kwh": ({"excess_kw": row(0, 2, 1), "dt_h": 0.5}, 1.5),
    "excess_steps": ({"excess_kw": row(0, 2, 1)}, 2),
    "battery_throughput_kwh": ({"battery_kw": row(2, -3), "dt_h": 0.5}, 2.5),
    "battery_cycles": ({"battery_kw": row(2, -3), "usable_kwh": 5.0, "dt_h": 1.0}, 0.5),
    "battery_loss_kwh": (
        {"battery_kw": row(4, -2), "battery_kwh": row(4.6, 2.1), "battery_start_kwh": 1.0, "dt_h": 1.0},
        0.9,
    ),
    "battery_efficiency": (
        {"battery_kw": row(4, -3), "battery_kwh": row(5, 1), "battery_start_kwh": 1.0, "dt_h": 1.0},
        0.75,
    ),
    "mean_soc": ({"battery_kwh": row(4, 6), "usable_kwh": 10.0}, 0.5),
    "battery_empty_h": ({"battery_kwh": row(1, 1.05, 2), "usable_kwh": 10.0, "soc_min": 0.1, "dt_h": 0.5}, 1),
    "battery_full_h": ({"battery_kwh": row(9, 8.5, 8.95), "usable_kwh": 10.0, "soc_max": 0.9, "dt_h": 0.5}, 1),
    # one whole cycle of 0.2, half cycles of 0.8 and 1: (0.2**2 + 0.5 * (0.8**2 + 1)) / (0.2 + 0.5 * 1.8)
    "cycle_depth": ({"battery_kwh": row(2, 6, 4, 8, 10, 0), "usable_kwh": 10.0}, (0.04 + 0.5 * 1.64) / 1.1),
    "deepest_cycle": ({"battery_kwh": row(2, 8, 4, 6, 0), "usable_kwh": 10.0}, 0.8),
    "battery_fade": ({"fade": row(1e-5, 2e-5)}, 3e-5),
    "cut_kwh": ({"requested_kw": row(5, -5), "battery_kw": row(3, -5), "dt_h": 0.5}, 1),
    "cut_share": ({"requested_kw": row(5, -5), "battery_kw": row(3, -5)}, 0.2),
    "car_home_kwh": ({"car_kw": row(7, -2, 1), "dt_h": 0.5}, 4),
    "car_fed_kwh": ({"car_kw": row(7, -2, 1), "dt_h": 0.5}, 1),
    "car_public_kwh": ({"public_kwh": row(0, 3, 0, 1)}, 4),
    "departures_short": ({"public_kwh": row(0, 3, 0, 1)}, 2),
    # 5 kW of PV, 2 kW of other load, car at 4 kW: 3 of it PV, then a step at night
    "car_pv_share": (
        {"car_kw": row(4, 2), "import_kw": row(1, 3), "export_kw": row(0, 0), "pv_used_kw": row(5, 0)},
        0.5,
    ),
    "discomfort_kh": ({"discomfort_kh": row(0.5, 0, 1)}, 1.5),
    "uncomfortable_share": (
        {"air_c": row(19, 22, 26, 21), "low_c": row(20, 9, 9, 21), "high_c": row(25, 25, 25, 25)},
        0.5,
    ),
    "worst_deviation_k": ({"air_c": row(19, 22, 27.5), "low_c": row(20, 20, 20), "high_c": row(25, 25, 25)}, 2.5),
    "heat_pump_kwh": ({"heat_pump_kw": row(2, -1), "dt_h": 0.5}, 1.5),
    "boost_kwh": ({"boost_kwh": row(0.5, 0.25)}, 0.75),
    "appliance_kwh": ({"appliance_kw": row(2, 1), "dt_h": 0.5}, 1.5),
    "appliance_shifted_kwh": (
        {"appliance_kw": row(0, 2, 2, 0), "appliance_at_request_kw": row(2, 2, 0, 0), "dt_h": 0.5},
        1,
    ),
    "gain": ({"cost": row(1, 2), "grid_only_cost": row(2, 1.5)}, 0.5),
}  # fmt: skip

IMPORT, EXPORT = np.array([[4.0, 0], [1, 2]]), np.array([[0.0, 1], [0, 6]])
COST, ALONE = np.array([[1.0, 2], [0, 1]]), np.array([[2.0, 2], [1, 1.5]])
KNOWN_COMMUNITY: dict[str, tuple[dict[str, Any], float]] = {
    "community_bill": ({"cost": COST}, 4),
    "community_import_kwh": ({"import_kw": IMPORT, "export_kw": EXPORT, "dt_h": 0.5}, 1.5),
    "community_co2_kg": (
        {
            "import_kw": IMPORT,
            "export_kw": EXPORT,
            "co2_kg_per_kwh": np.array([[0.4, 0.4], [0.9, 0.9]]),
            "dt_h": 0.5,
        },
        0.6,
    ),
    "community_export_kwh": ({"import_kw": IMPORT, "export_kw": EXPORT, "dt_h": 0.5}, 1.5),
    "community_self_sufficiency": (
        {"import_kw": IMPORT, "export_kw": EXPORT, "pv_used_kw": EXPORT + 0.5, "dt_h": 0.5},
        1 - 3 / 9,
    ),
    "community_self_consumption": (
        {"import_kw": IMPORT, "export_kw": EXPORT, "pv_used_kw": EXPORT + 0.5, "dt_h": 0.5},
        1 - 3 / 9,
    ),
    "community_peak_kw": ({"import_kw": IMPORT, "export_kw": EXPORT}, 3),
    "community_ramp_kw_per_h": ({"import_kw": IMPORT, "export_kw": EXPORT, "dt_h": 0.5}, 12),
    "coincidence_factor": ({"import_kw": IMPORT}, 4 / 6),
    "traded_kwh": ({"bought_kw": np.array([[1.0, 0], [1, 2]]), "dt_h": 0.5}, 2),
    "local_share": ({"bought_kw": np.array([[1.0, 0], [1, 1.5]]), "import_kw": IMPORT}, 0.5),
    "community_gain": ({"cost": COST, "grid_only_cost": ALONE}, 2.5),
    "least_gain": ({"cost": COST, "grid_only_cost": ALONE}, 0.5),
    "gain_jain": ({"cost": COST, "grid_only_cost": ALONE}, 2.5**2 / (2 * 4.25)),
    "bill_gini": ({"cost": COST}, 0.25),
    "bill_jain": ({"cost": COST}, 16 / 20),
}


@pytest.mark.parametrize(
    ("name", "inputs", "answer"), [(n, *c) for n, c in (KNOWN | KNOWN_COMMUNITY).items()]
)
def test_each_indicator_gives_the_known_answer(name: str, inputs: dict[str, Any], answer: float) -> None:
    assert KPIS[name].value(inputs) == pytest.approx(answer, rel=1e-12, abs=1e-12)


def test_every_indicator_has_a_known_answer_of_its_own_scope() -> None:
    assert {name for name, one in KPIS.items() if one.scope != "community"} == set(KNOWN)
    assert {name for name, one in KPIS.items() if one.scope == "community"} == set(KNOWN_COMMUNITY)


@pytest.mark.parametrize("name", list(KPIS))
def test_an_indicator_is_absent_as_soon_as_one_of_its_inputs_is(name: str) -> None:
    inputs = (KNOWN | KNOWN_COMMUNITY)[name][0]
    for needed in KPIS[name].needs:
        assert KPIS[name].value({key: value for key, value in inputs.items() if key != needed}) is None


def test_the_page_lists_every_indicator_with_its_unit_direction_and_definition() -> None:
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in DOC.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and line.count(" | ") == 3
    ]
    listed = {name.strip("`"): (unit, better, definition) for name, unit, better, definition in cells}
    assert listed == {
        name: (one.unit, one.better, one.definition.replace("``", "`")) for name, one in KPIS.items()
    }


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert math.isnan(KPIS["curtailed_share"].value({"curtailed_kw": row(0), "pv_kw": row(0)}) or 0)
    assert math.isnan(gini(row(-1, 2)))
    assert math.isnan(jain(row(0, 0)))


@pytest.mark.parametrize(("eta", "stored"), [(0.9, 0.0), (0.81, 3.0), (0.64, -2.0)])
def test_efficiency_is_the_batterys_whatever_is_left_in_it(eta: float, stored: float) -> None:
    one_way = math.sqrt(eta)
    given = (5 * one_way - stored) * one_way
    inputs = {
        "battery_kw": row(5, -given),
        "battery_kwh": row(9, 4 + stored),
        "battery_start_kwh": 4.0,
        "dt_h": 1.0,
    }
    assert KPIS["battery_efficiency"].value(inputs) == pytest.approx(eta)


def test_rainflow_finds_the_cycles_of_the_standards_example() -> None:
    """ASTM E1049-85, figure 6: -2, 1, -3, 5, -1, 3, -4, 4, -2."""
    cycles = count_cycles(row(-2, 1, -3, 5, -1, 3, -4, 4, -2))
    found = sorted(zip(cycles.depth, cycles.number, strict=True))
    assert found == [(3, 0.5), (4, 0.5), (4, 1.0), (6, 0.5), (8, 0.5), (8, 0.5), (9, 0.5)]


@settings(max_examples=50, deadline=None)
@given(float_arrays(float, st.integers(2, 12), elements=st.floats(0.01, 100)), st.floats(0.1, 10))
def test_fairness_is_bounded_and_does_not_depend_on_the_currency(values: np.ndarray, rate: float) -> None:
    n = len(values)
    pairs = np.abs(values[:, None] - values).sum() / (2 * n * values.sum())
    assert gini(values) == pytest.approx(pairs, abs=1e-9)
    assert 1 / n - 1e-9 <= jain(values) <= 1 + 1e-9
    assert gini(values * rate) == pytest.approx(gini(values), abs=1e-9)
    assert jain(values * rate) == pytest.approx(jain(values))


def test_appliances_at_request_keep_their_energy_at_any_step_length() -> None:
    machine = Appliance(power_kw=0.8, duration_h=1.25)
    for dt_h in (0.25, 0.5, 1.0):
        request = np.zeros(round(24 / dt_h))
        request[round(6 / dt_h)] = 1
        power_kw = power_at_request([request], [machine], dt_h=dt_h)
        assert power_kw.sum() * dt_h == pytest.approx(1.0)
        assert power_kw[: round(6 / dt_h)].sum() == 0
    with pytest.raises(ValueError, match="0 series of requests and 1 appliances"):
        power_at_request([], [machine], dt_h=0.5)


Make = Callable[..., Episode]


@pytest.fixture
def make() -> Make:
    """Two local days of half-hours at given costs, one home or two."""

    def episode(cost: float = 1.0, homes: tuple[str, ...] = ("a",), **arrays: np.ndarray) -> Episode:
        time = pd.date_range("2030-01-01", periods=96, freq="30min", tz="Australia/Sydney").tz_convert("UTC")
        shape = (96, len(homes)) if len(homes) > 1 else (96,)
        flows = {
            "import_kw": np.ones(shape),
            "export_kw": np.zeros(shape),
            "pv_used_kw": np.ones(shape),
            "cost": np.full(shape, cost / 96),
        }
        return Episode(time=time, time_zone="Australia/Sydney", dt_h=0.5, arrays=flows | arrays, homes=homes)

    return episode


def test_regret_is_measured_against_the_optimum_and_saving_against_the_rule(make: Make) -> None:
    table = compare({"rule": make(9.0), "agent": make(7.0), "optimum": make(5.0)})
    assert table.loc["regret"].tolist() == pytest.approx([4, 2, 0])
    assert table.loc["saving_on_rule"].tolist() == pytest.approx([0, 2, 4])
    assert table.loc["regret_share", "agent"] == pytest.approx(0.5)
    assert "regret" not in compare({"rule": make(9.0), "agent": make(7.0)}).index
    assert "battery_cycles" not in table.index


def test_the_optimum_counts_as_total_cost_not_as_a_bill(make: Make) -> None:
    optimum = make(5.0, end_value=np.full(96, 1 / 96))
    assert kpis(make(5.0), optimum=optimum)["regret"] == pytest.approx(1)


def test_the_daily_peak_is_of_days_on_the_homes_clock(make: Make) -> None:
    import_kw = np.zeros(96)
    import_kw[[0, 47, 48]] = 2, 4, 1
    assert kpis(make(import_kw=import_kw))["daily_peak_kw"] == pytest.approx((4 + 1) / 2)


def test_the_homes_configuration_gives_capacity_and_start_unless_the_episode_knows_better(make: Make) -> None:
    home = Home(battery=Battery(capacity_kwh=10, soc_initial=0.5))
    episode = make(battery_kw=np.zeros(96), battery_kwh=np.full(96, 5.0))
    assert "mean_soc" not in kpis(episode)
    assert kpis(episode, home)["mean_soc"] == pytest.approx(0.5)
    assert kpis(episode, home)["battery_loss_kwh"] == pytest.approx(0)
    began_fuller = Episode(
        time=episode.time, time_zone=episode.time_zone, dt_h=0.5, arrays=episode.arrays, start={"battery_kwh": 5.4}
    )  # fmt: skip
    assert kpis(began_fuller, home)["battery_loss_kwh"] == pytest.approx(0.4)


def test_a_device_that_the_home_lacks_has_no_indicators_though_the_record_has_zeros(make: Make) -> None:
    zeros = {
        name: np.zeros(96) for name in ("car_kw", "public_kwh", "boost_kwh", "battery_kw", "service_cost")
    }
    assert {"car_home_kwh", "boost_kwh", "service_cost"} <= set(kpis(make(**zeros)).index)
    found = kpis(make(**zeros), Home()).index
    assert "battery_throughput_kwh" in found
    assert not {"car_home_kwh", "departures_short", "boost_kwh", "service_cost"} & set(found)
    assert "battery_throughput_kwh" not in kpis(make(**zeros), Home(battery=None)).index


def test_emissions_need_an_intensity_of_as_many_steps(make: Make) -> None:
    assert kpis(make(), co2_kg_per_kwh=np.full(96, 0.5))["co2_kg"] == pytest.approx(24)
    assert "co2_kg" not in kpis(make())
    with pytest.raises(ValueError, match="has shape"):
        kpis(make(), co2_kg_per_kwh=np.ones(4))


def test_a_community_has_indicators_of_its_own_and_of_each_home(make: Make) -> None:
    battery_kw = np.column_stack([np.ones(96), np.full(96, np.nan)])
    episode = make(homes=("a", "b"), battery_kw=battery_kw, import_price=np.full(96, 0.3))
    homes = kpis_by_home(episode)
    assert homes.loc["a", "battery_throughput_kwh"] == pytest.approx(48)
    assert math.isnan(homes.loc["b", "battery_throughput_kwh"])
    assert homes["import_cost"].tolist() == pytest.approx([14.4, 14.4])
    assert community_kpis(episode)["community_bill"] == pytest.approx(2)
    assert community_kpis(episode)["community_self_sufficiency"] == pytest.approx(1 - 96 / 144)
    assert list(compare({"x": episode, "y": episode}).columns) == ["x", "y"]
    assert compare({"x": make(5.0, ("a", "b")), "optimum": make(3.0, ("a", "b"))}).loc[
        "regret", "x"
    ] == pytest.approx(4)
    assert community_kpis(episode, co2_kg_per_kwh=np.full(96, 0.5))["community_co2_kg"] == pytest.approx(48)
    with pytest.raises(ValueError, match="use kpis_by_home"):
        kpis(episode)
    with pytest.raises(ValueError, match="use kpis"):
        community_kpis(make())


def test_only_the_same_episode_is_compared(make: Make) -> None:
    with pytest.raises(ValueError, match="on the same episode"):
        compare({"a": make(), "b": make().between(0, 48)})
    with pytest.raises(ValueError, match="no episode"):
        compare({})


@settings(max_examples=30, deadline=None)
@given(float_arrays(float, (2, 96), elements=st.floats(0, 10)))
def test_shares_and_energies_do_not_depend_on_the_step_length(flows: np.ndarray) -> None:
    """Each half-hour cut into two quarter-hours of the same power is the same episode."""
    time = pd.date_range("2030-01-01", periods=96, freq="30min", tz="UTC")
    names = {"import_kw": flows[0], "pv_used_kw": flows[1], "pv_kw": flows[1], "export_kw": 0.5 * flows[1]}
    finer = {name: np.repeat(values, 2) for name, values in names.items()}
    coarse = kpis(Episode(time=time, time_zone="UTC", dt_h=0.5, arrays=names))
    fine = kpis(
        Episode(time=pd.date_range(time[0], periods=192, freq="15min"), time_zone="UTC", dt_h=0.25, arrays=finer)
    )  # fmt: skip
    for name in (
        "import_kwh",
        "self_consumption",
        "self_sufficiency",
        "peak_import_kw",
        "load_factor",
        "zero_import_h",
    ):
        np.testing.assert_allclose(fine[name], coarse[name], rtol=1e-9)


def test_citylearn_scores_are_one_against_oneself_and_follow_its_formulas(make: Make) -> None:
    night_kw, price = [1.0] * 24, np.full(96, 0.3)
    episode = make(import_kw=row(*(night_kw + [2.0] * 24) * 2), import_price=price)
    baseline = make(import_kw=row(*(night_kw + [3.0] * 24) * 2), import_price=price)
    assert citylearn_scores(episode, episode).tolist() == pytest.approx([1.0] * 8)
    scores = citylearn_scores(episode, baseline, co2_kg_per_kwh=np.ones(96))
    same = ("electricity_consumption_total", "carbon_emissions_total", "cost_total", "zero_net_energy")
    assert [scores[name] for name in same] == pytest.approx([0.75] * 4)
    assert scores["ramping_average"] == pytest.approx(0.5)
    assert scores["daily_one_minus_load_factor_average"] == pytest.approx((1 - 1.5 / 2) / (1 - 2 / 3))
    assert scores["daily_peak_average"] == scores["all_time_peak_average"] == pytest.approx(2 / 3)
    idle = make(import_kw=np.zeros(96), import_price=price)
    assert citylearn_scores(idle, idle).dropna().eq(1).all()
    assert math.isnan(citylearn_scores(episode, idle)["cost_total"])
