"""Batteries and purchases: energy and money are conserved, and what is known to be best is chosen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hidiff.data.traces import Traces
from hidiff.envs import HomeEnv, self_consumption, simulate
from hidiff.home import Battery, Home, Period, Tariff
from hidiff.metrics import decisions
from hidiff.metrics.decisions import BatteryChoice, ImbalancePrices

ZONE = "Australia/Sydney"
TIME = pd.date_range("2012-06-30 14:00", periods=48 * 20, freq="30min", tz="UTC")
CLOCK = TIME.tz_convert(ZONE)
BATTERY = Battery(soc_min=0.1, soc_max=0.9, soc_initial=0.2, efficiency_charge=0.9, efficiency_discharge=0.95)


def homes(seed: int = 0, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Load and PV, (home, step) [kW]."""
    rng = np.random.default_rng(seed)
    load_kw = rng.gamma(2, 0.3, (count, len(TIME)))
    pv_kw = 3 * np.clip(np.sin((np.asarray(CLOCK.hour) - 6) / 12 * np.pi), 0, None)
    return load_kw, pv_kw * rng.uniform(0.2, 1, load_kw.shape)


def test_every_battery_keeps_its_energy_its_power_and_its_window() -> None:
    load_kw, pv_kw = homes()
    sizes = np.array([0.0, 1.0, 5.0, 14.0])
    power, left = decisions.battery_power(load_kw - pv_kw, sizes, BATTERY, dt_h=0.5)
    assert power.shape == (len(TIME), 3, 4)
    into, out_of = np.maximum(power, 0) * 0.5 * 0.9, np.maximum(-power, 0) * 0.5 / 0.95
    energy = 0.2 * sizes + np.cumsum(into - out_of, axis=0)
    np.testing.assert_allclose(energy[-1], left, atol=1e-9)
    assert (energy >= 0.1 * sizes - 1e-9).all()
    assert (energy <= 0.9 * sizes + 1e-9).all()
    assert (np.abs(power) <= 5 / 13.5 * sizes + 1e-12).all()
    assert (power[:, :, 0] == 0).all()
    assert np.abs(power[:, :, 3]).max() > 1
    surplus = (pv_kw - load_kw).T[:, :, None]
    assert (power * surplus >= 0).all()  # never charged from the grid, never discharged into it
    assert (np.abs(power) <= np.abs(surplus) + 1e-12).all()


EVENING = Period(price_per_kwh=0.15, start_h=16, end_h=21)


@pytest.mark.parametrize("tariff", [Tariff.time_of_use(), Tariff(export_periods=(EVENING,))])
def test_the_cost_is_that_of_the_environment_under_the_same_rule(tariff: Tariff) -> None:
    load_kw, pv_kw = homes()
    battery = replace(BATTERY, capacity_kwh=6.0, charge_max_kw=1.5, discharge_max_kw=2.0)
    choice = BatteryChoice(sizes_kwh=(0, 6), battery=battery, annual_cost_per_kwh=0, tariff=tariff)
    cost = decisions.yearly_cost(load_kw, pv_kw, CLOCK, choice, dt_h=0.5)
    table = pd.DataFrame({"pv_capacity_kwp": [3.0] * 3}, index=pd.Index(list("abc"), name="home"))
    traces = Traces(load_kw, pv_kw, TIME, table, ZONE)
    for column, device in enumerate((None, battery)):
        home = Home(battery=device, tariff=choice.tariff)
        env = HomeEnv(traces, home, episode_days=20, end_value_per_kwh=0.0)
        for row, name in enumerate(traces.names):
            run = simulate(env, self_consumption, options={"home": name, "start": TIME[0]})
            assert cost[row, column] == pytest.approx(run.cost * 365.25 / 20, rel=1e-9)


def test_a_home_without_pv_buys_no_battery_and_one_with_much_surplus_does() -> None:
    load_kw, pv_kw = homes()
    choice = BatteryChoice(tariff=Tariff.flat())
    without = decisions.yearly_cost(load_kw, 0 * pv_kw, CLOCK, choice, dt_h=0.5)
    with_pv = decisions.yearly_cost(load_kw, pv_kw, CLOCK, choice, dt_h=0.5)
    every = [np.array([row]) for row in range(3)]
    assert decisions.chosen_size(without, every).tolist() == [0, 0, 0]
    assert (decisions.chosen_size(with_pv, every) > 0).all()
    np.testing.assert_allclose(np.diff(without, axis=1), 40.0)
    free = decisions.yearly_cost(load_kw, pv_kw, CLOCK, replace(choice, annual_cost_per_kwh=0), dt_h=0.5)
    assert (np.diff(free, axis=1) <= 1e-9).all()


def test_homes_that_decide_together_take_the_size_of_least_mean_cost() -> None:
    cost = np.array([[5.0, 1.0, 4.0], [2.0, 9.0, 2.5]])
    assert decisions.chosen_size(cost, [np.array([0]), np.array([1])]).tolist() == [1, 0]
    assert decisions.chosen_size(cost, [np.array([0, 1])]).tolist() == [2]


def test_more_homes_than_run_at_once_cost_what_each_costs_alone() -> None:
    load_kw, pv_kw = homes(count=decisions.HOMES_AT_ONCE + 1)
    choice = BatteryChoice(sizes_kwh=(0, 4))
    together = decisions.yearly_cost(load_kw, pv_kw, CLOCK, choice, dt_h=0.5)
    alone = decisions.yearly_cost(load_kw[-1:], pv_kw[-1:], CLOCK, choice, dt_h=0.5)
    np.testing.assert_allclose(together[-1:], alone)


def test_batteries_without_a_power_limit_are_possible_in_every_size() -> None:
    free = Battery(charge_max_kw=np.inf, discharge_max_kw=np.inf, soc_initial=0)
    power, _ = decisions.battery_power(np.array([[-8.0, 8.0]]), np.array([0.0, 100.0]), free, dt_h=0.5)
    assert power[:, 0].tolist() == [[0, 8], [0, pytest.approx(-8 * 0.9)]]


def test_hours_are_told_apart_by_month_free_day_and_clock() -> None:
    clock = pd.DatetimeIndex(
        ["2012-12-24 13:00", "2012-12-25 13:30", "2012-12-22 00:00", "2012-01-03 23:00"], tz=ZONE
    )
    december, january = 11 * 48, 0
    expected = [december + 13, december + 24 + 13, december + 24, january + 23]
    assert decisions.hour_cells(clock).tolist() == expected


def test_hourly_net_keeps_energy() -> None:
    load_kw, pv_kw = homes()
    net_kw, hours = decisions.hourly_net(load_kw, pv_kw, CLOCK, dt_h=0.5)
    assert net_kw.shape == (3, len(TIME) // 2)
    np.testing.assert_allclose(net_kw.sum(axis=1), (load_kw - pv_kw).sum(axis=1) * 0.5)
    assert hours.equals(CLOCK[::2])


def test_the_commitment_is_the_best_there_is_and_its_cost_is_known_by_hand() -> None:
    prices = ImbalancePrices(shortfall_per_kwh=0.3, surplus_per_kwh=0.1)
    assert prices.quantile == pytest.approx(0.75)
    cells = np.zeros(4, dtype=np.int64)
    net_kw = np.array([[1.0, 2.0, 3.0, 4.0]])
    committed = decisions.commitment(net_kw, cells, prices)
    assert committed[0] == 3
    assert np.isnan(committed[1:]).all()
    # 0.1 for 2 and 1 kWh too many, 0.3 for 1 kWh too few, over four hours
    expected = (0.1 * 3 + 0.3) / 4 * 24 * 365.25
    assert decisions.imbalance_cost(net_kw, cells, committed, prices) == pytest.approx([expected])
    levels = np.arange(1.0, 101.0)[None]
    assert decisions.commitment(levels, np.zeros(100, dtype=np.int64), ImbalancePrices())[0] == 80
    random = np.random.default_rng(0).normal(size=(2, 400))
    cells = np.repeat([5, 100], 200)
    best = decisions.commitment(random, cells, prices)
    least = decisions.imbalance_cost(random, cells, best, prices).mean()
    for shift in (-0.3, -0.01, 0.01, 0.3):
        assert decisions.imbalance_cost(random, cells, best + shift, prices).mean() > least


def test_what_cannot_be_decided_is_refused() -> None:
    load_kw, pv_kw = homes()
    with pytest.raises(ValueError, match=r"lowest import price 0\.22"):
        BatteryChoice(tariff=Tariff.time_of_use(export_price_per_kwh=0.3))
    with pytest.raises(ValueError, match=r"export_price_per_kwh is 0\.15; .* lowest import price 0\.1"):
        BatteryChoice(tariff=Tariff(import_price_per_kwh=0.1, export_periods=(EVENING,)))
    with pytest.raises(ValueError, match=r"BatteryChoice counts .* has demand="):
        BatteryChoice(tariff=Tariff.with_demand())
    with pytest.raises(ValueError, match="which BatteryChoice does not have"):
        BatteryChoice(tariff=Tariff.wholesale())
    with pytest.raises(ValueError, match="sizes_kwh"):
        BatteryChoice(sizes_kwh=(0.0, float("nan")))
    with pytest.raises(ValueError, match="annual_cost_per_kwh is nan"):
        BatteryChoice(annual_cost_per_kwh=float("nan"))
    with pytest.raises(ValueError, match="surplus_per_kwh is 0"):
        ImbalancePrices(surplus_per_kwh=0)
    load_kw[0, 0] = np.nan
    with pytest.raises(ValueError, match="1 steps have no value"):
        decisions.yearly_cost(load_kw, pv_kw, CLOCK, BatteryChoice(), dt_h=0.5)
    with pytest.raises(ValueError, match="do not fit"):
        decisions.hourly_net(load_kw, pv_kw[:, 1:], CLOCK, dt_h=0.5)
    with pytest.raises(ValueError, match="not on the hour"):
        decisions.hourly_net(pv_kw[:, 1:], pv_kw[:, 1:], CLOCK[1:], dt_h=0.5)
    cells = np.array([0, 11 * 48 + 24 + 5])
    committed = decisions.commitment(np.ones((1, 1)), cells[:1], ImbalancePrices())
    with pytest.raises(ValueError, match="hour 5 of a free day in month 12"):
        decisions.imbalance_cost(np.ones((1, 2)), cells, committed, ImbalancePrices())
