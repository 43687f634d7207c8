"""Coalition values by the persistent programme, against hand-worked cases, scipy, Pyomo and each other."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from hidiff.adapters.coalitions import (
    CoalitionProgramme,
    coalition_costs,
    community,
    grand_coalition,
    savings,
    standalone_costs,
)
from hidiff.adapters.core_check import check_core
from hidiff.adapters.pyomo_home import optimise_home
from hidiff.data.synthetic import synthetic_homes
from hidiff.envs.market.games import is_balanced, is_in_core, largest_excess, members_of, nucleolus, shapley
from hidiff.home import Battery, ElectricCar, Home, Tariff

TIME = pd.date_range("2030-01-07", periods=4, freq="1h", tz="UTC")
FLAT = Tariff.flat(0.30, 0.05, daily_charge=0.0)


def made_up(homes, seed=0, is_alike=False, tariff=None):
    """A day of made-up homes, every second with a battery."""
    traces = synthetic_homes(homes, 1, "2012-11-06", seed=seed)
    rng = np.random.default_rng(seed)
    members = []
    for number in range(homes):
        kwh = rng.uniform(3, 15)
        rate = 0.4 if is_alike else rng.uniform(0.2, 0.6)
        battery = Battery(
            capacity_kwh=kwh,
            charge_max_kw=kwh * rate,
            discharge_max_kw=kwh * 0.4,
            soc_min=0.1,
            standby_kw=0.02,
        )
        members.append(Home(battery=battery if number % 2 else None, tariff=tariff or Tariff.time_of_use()))
    return members, traces


def joined(homes, seed=0, is_alike=False, tariff=None):
    members, traces = made_up(homes, seed, is_alike, tariff)
    return community(members, traces.load_kw, traces.pv_kw, traces.time)


def cost_by_scipy(homes, members):
    """The same least cost, each battery a programme of its own beside the others, no two of them joined."""
    steps, dt_h = len(homes.import_price), homes.dt_h
    batteries = [
        battery for battery, is_in in zip(homes.batteries, members, strict=True) if is_in and battery
    ]
    one, nothing = np.eye(steps), np.zeros((steps, steps))
    cost = [homes.import_price * dt_h, -homes.export_price * dt_h]
    balance, bounds, rows, sides = [one, -one], [(0, None)] * 2 * steps, [], []
    for place, battery in enumerate(batteries):
        cost += [np.zeros(3 * steps)]
        balance += [-one, one, nothing]
        bounds += [(0, battery.charge_max_kw)] * steps + [(0, battery.discharge_max_kw)] * steps
        bounds += [(battery.energy_min_kwh, battery.energy_max_kwh)] * (steps - 1)
        bounds += [(battery.energy_initial_kwh, battery.energy_max_kwh)]
        own = [
            -battery.efficiency_charge * dt_h * one,
            dt_h / battery.efficiency_discharge * one,
            one - np.eye(steps, k=-1),
        ]
        rows.append([nothing] * (2 + 3 * place) + own + [nothing] * 3 * (len(batteries) - place - 1))
        sides.append(np.eye(steps)[0] * battery.energy_initial_kwh)
    found = linprog(
        np.concatenate(cost),
        A_eq=np.block([balance, *rows]),
        b_eq=np.concatenate([members @ homes.net_kw, *sides]),
        bounds=bounds,
    )
    return found.fun + members.sum() * homes.daily_charge * steps * dt_h / 24


def test_a_neighbour_with_sun_to_spare_saves_the_gap_between_the_prices():
    homes = community(
        [Home(battery=None, tariff=FLAT)] * 2,
        np.array([[2.0, 2, 2, 2], [0.0, 0, 0, 0]]),
        np.array([[0.0, 0, 0, 0], [3.0, 3, 0, 1]]),
        TIME,
    )
    costs = coalition_costs(homes)
    np.testing.assert_allclose(costs, [0, 8 * 0.30, -7 * 0.05, 3 * 0.30 - 2 * 0.05], atol=1e-12)
    np.testing.assert_allclose(savings(costs), [0, 0, 0, 5 * 0.25], atol=1e-12)


@pytest.mark.parametrize("is_alike", [False, True])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_coalition_costs_what_a_programme_made_for_it_alone_says(seed, is_alike):
    homes = joined(5, seed, is_alike)
    costs = coalition_costs(homes)
    for place in range(1, 32):
        assert costs[place] == pytest.approx(cost_by_scipy(homes, members_of(place, 5)), rel=1e-8, abs=1e-8)


def test_a_home_alone_costs_what_the_pyomo_model_of_a_home_says():
    members, traces = made_up(4)
    members = [
        replace(home, battery=home.battery and replace(home.battery, standby_kw=0.0)) for home in members
    ]
    alone = standalone_costs(community(members, traces.load_kw, traces.pv_kw, traces.time))
    for place, home in enumerate(members):
        best = optimise_home(home, traces.load_kw[place], traces.pv_kw[place], traces.time)
        assert alone[place] == pytest.approx(best.cost, rel=1e-9)


def test_sharing_never_costs_more_and_the_game_has_a_core():
    for seed in range(3):
        costs = coalition_costs(joined(6, seed))
        for one in range(1, 64):
            others = [other for other in range(1, 64) if not one & other]
            assert (costs[[one | other for other in others]] <= costs[one] + costs[others] + 1e-7).all()
        assert is_balanced(savings(costs))


def test_costs_do_not_depend_on_the_order_of_the_homes_or_of_the_visits():
    homes = joined(6, 3)
    costs = coalition_costs(homes)
    order = np.array([3, 0, 5, 1, 4, 2])
    turned = coalition_costs(homes.select(order.tolist()))
    places = [int((members_of(place, 6) * 2**order).sum()) for place in range(64)]
    np.testing.assert_allclose(turned, costs[places], atol=1e-8)
    programme = CoalitionProgramme(homes)
    for place in np.random.default_rng(0).permutation(np.arange(1, 64)):
        assert programme.cost(members_of(int(place), 6)) == pytest.approx(costs[place], abs=1e-8)


def test_groups_of_homes_play_as_one():
    homes = joined(5, 2)
    costs = coalition_costs(homes)
    groups = np.array([0, 1, 0, 2, 1])
    np.testing.assert_allclose(
        coalition_costs(homes, groups),
        costs[[0, 0b00101, 0b10010, 0b10111, 0b01000, 0b01101, 0b11010, 31]],
        atol=1e-8,
    )


@pytest.mark.parametrize("is_alike", [False, True])
def test_the_schedule_keeps_every_battery_within_its_limits_and_costs_what_it_says(is_alike):
    homes = joined(6, 1, is_alike)
    found = grand_coalition(homes)
    np.testing.assert_allclose(found.import_kw - found.export_kw, found.net_kw.sum(axis=0), atol=1e-9)
    np.testing.assert_allclose(found.net_kw, homes.net_kw + found.battery_kw, atol=1e-9)
    bill = (found.import_kw @ homes.import_price - found.export_kw @ homes.export_price) * homes.dt_h
    assert found.cost == pytest.approx(
        bill + 6 * homes.daily_charge * len(homes.import_price) * homes.dt_h / 24
    )
    for place, battery in enumerate(homes.batteries):
        power_kw, soc = found.battery_kw[place], found.soc[place]
        if battery is None:
            assert not power_kw.any() and not soc.any()
            continue
        charge_kw, discharge_kw = np.maximum(power_kw, 0), np.maximum(-power_kw, 0)
        change = battery.efficiency_charge * charge_kw - discharge_kw / battery.efficiency_discharge
        energy_kwh = battery.energy_initial_kwh + np.cumsum(change) * homes.dt_h
        np.testing.assert_allclose(soc * battery.usable_kwh, energy_kwh, atol=1e-7)
        assert energy_kwh.min() >= battery.energy_min_kwh - 1e-7
        assert energy_kwh.max() <= battery.energy_max_kwh + 1e-7
        assert energy_kwh[-1] >= battery.energy_initial_kwh - 1e-7
        assert charge_kw.max() <= battery.charge_max_kw + 1e-7
        assert discharge_kw.max() <= battery.discharge_max_kw + 1e-7


def test_bills_at_the_internal_price_sum_to_the_cost_and_are_in_the_core():
    for seed in range(4):
        homes = joined(6, seed, is_alike=seed % 2 == 0)
        costs, found = coalition_costs(homes), grand_coalition(homes)
        assert found.internal_bill.sum() == pytest.approx(found.cost)
        payoffs = costs[2 ** np.arange(6)] - found.internal_bill
        assert is_in_core(savings(costs), payoffs)
        low, high = homes.export_price, homes.import_price
        assert ((found.internal_price >= low - 1e-9) & (found.internal_price <= high + 1e-9)).all()


def test_the_search_over_all_coalitions_finds_the_largest_excess():
    homes = joined(5, 1)
    costs = coalition_costs(homes)
    alone, values = costs[2 ** np.arange(5)], savings(costs)
    for payoffs in (shapley(values), np.full(5, values[-1] / 5)):
        excess, coalition = largest_excess(values, payoffs)
        assert excess > 0.01
        found = check_core(homes, alone - payoffs)
        assert found.largest_excess == pytest.approx(excess, abs=1e-5)
        assert found.bound >= excess - 1e-6
        np.testing.assert_array_equal(found.coalition, members_of(coalition, 5))
        assert not found.is_in_core
        assert check_core(homes, alone - payoffs, is_exact=False).bound >= excess - 1e-6
    assert check_core(homes, alone - nucleolus(values)).is_in_core
    assert check_core(homes, grand_coalition(homes).internal_bill, is_exact=False).is_in_core


def test_the_wear_of_batteries_is_paid_for():
    worn = Battery(
        capacity_kwh=10, replacement_cost=5000.0, cycle_fade=5e-5, calendar_fade_per_year=0.015,
        calendar_fade_soc_slope=0.5, state_of_health=0.9,
    )  # fmt: skip
    tariff = Tariff.time_of_use(daily_charge=0.0)
    members, traces = made_up(3, tariff=tariff)
    members[2] = Home(battery=worn, tariff=tariff)
    homes = community(members, traces.load_kw, traces.pv_kw, traces.time)
    found = grand_coalition(homes)
    bill = (found.import_kw @ homes.import_price - found.export_kw @ homes.export_price) * homes.dt_h
    taken_kwh = np.maximum(-found.battery_kw[2], 0).sum() * homes.dt_h / worn.efficiency_discharge
    soc = np.concatenate([[worn.soc_initial], found.soc[2]])
    soc_mean = (soc[1:] + soc[:-1]) / 2
    fade = worn.cycle_fade * taken_kwh / worn.usable_kwh
    fade += (0.015 * (1 + 0.5 * (2 * soc_mean - 1)) * homes.dt_h / 8766).sum()
    wear = worn.replacement_cost / worn.end_of_life_fade * fade
    assert wear > 0.1
    assert found.cost - bill == pytest.approx(wear, rel=1e-9)
    assert found.internal_bill.sum() == pytest.approx(found.cost)
    assert standalone_costs(homes)[2] == pytest.approx(coalition_costs(homes)[4], rel=1e-9)
    check = check_core(homes, found.internal_bill)
    assert check.is_in_core


@pytest.mark.parametrize(("is_curtailable", "expected"), [(True, 0.0), (False, 3 * 0.10)])
def test_sun_that_costs_money_to_export_is_turned_down_where_it_may(is_curtailable, expected):
    tariff = Tariff.flat(0.30, -0.10, daily_charge=0.0)
    member = Home(battery=None, tariff=tariff, pv_curtailable=is_curtailable)
    homes = community(
        [member] * 2,
        np.array([[2.0, 2, 2, 2], [0.0, 0, 0, 0]]),
        np.array([[0.0, 0, 0, 0], [5.0, 2, 2, 2]]),
        TIME,
    )
    costs = coalition_costs(homes)
    assert costs[3] == pytest.approx(expected)
    assert costs[2] == pytest.approx(0.0 if is_curtailable else 11 * 0.10)
    np.testing.assert_allclose(standalone_costs(homes), costs[[1, 2]], atol=1e-12)
    found = grand_coalition(homes)
    assert found.internal_bill.sum() == pytest.approx(expected)
    assert found.export_kw.sum() == pytest.approx(0.0 if is_curtailable else 3.0)
    np.testing.assert_allclose(found.import_kw - found.export_kw, found.net_kw.sum(axis=0), atol=1e-12)
    assert check_core(homes, found.internal_bill).is_in_core


HOME = Home(battery=None, tariff=FLAT)
WITH_BATTERY = Home(battery=Battery(), tariff=FLAT)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([HOME, replace(HOME, tariff=Tariff.flat(0.29))], "home '1' has another tariff than home '0'"),
        ([HOME, replace(HOME, tariff=Tariff.flat(0.30, 0.31))], "another tariff"),
        ([replace(HOME, tariff=Tariff.flat(0.30, 0.31))] * 2, "lower the export price"),
        ([replace(WITH_BATTERY, tariff=Tariff.flat(-0.1, -0.2))] * 2, "raise it to 0"),
        (
            [replace(WITH_BATTERY, tariff=Tariff.flat(0.3, -0.2), pv_curtailable=False)] * 2,
            "set pv_curtailable=True",
        ),
        ([HOME, replace(HOME, export_limit_kw=5.0)], "home '1' has export_limit_kw=5.0"),
        ([HOME, replace(HOME, car=ElectricCar())], "home '1' has car="),
        ([replace(HOME, battery=Battery(soc_loss=0.05)), HOME], "soc_loss=0.05; the programme is linear"),
    ],
)
def test_what_the_programme_does_not_model_is_refused(members, message):
    with pytest.raises(ValueError, match=message):
        community(members, np.ones((2, 4)), np.ones((2, 4)), TIME)


def test_missing_values_and_wrong_shapes_are_refused():
    load_kw = np.ones((2, 4))
    load_kw[1, 2] = np.nan
    with pytest.raises(ValueError, match="load_kw is nan for home 1 at step 2"):
        community([HOME] * 2, load_kw, np.ones((2, 4)), TIME)
    with pytest.raises(ValueError, match=r"pv_kw has shape \(2, 3\); homes and time need \(2, 4\)"):
        community([HOME] * 2, np.ones((2, 4)), np.ones((2, 3)), TIME)
    homes = community([HOME] * 2, np.ones((2, 4)), np.ones((2, 4)), TIME)
    with pytest.raises(ValueError, match="one of 0, 1, 2"):
        coalition_costs(homes, np.array([0, 2]))
    with pytest.raises(ValueError, match="a finite amount for each of 2 homes"):
        check_core(homes, np.ones(3))
    many = community([HOME] * 21, np.ones((21, 4)), np.ones((21, 4)), TIME)
    with pytest.raises(ValueError, match="at most 20 can be listed: use clustered_game"):
        coalition_costs(many)
