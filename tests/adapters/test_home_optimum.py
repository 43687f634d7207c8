"""Direct and Pyomo optimum are one, the environment's core charges what they say, and every field reaches both."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.adapters.highs_home import direct_model
from hidiff.adapters.highs_run import run_highs
from hidiff.adapters.home_optimum import optimise_home, solve_home
from hidiff.adapters.home_problem import HomeProblem
from hidiff.adapters.pyomo_highs import solve_model
from hidiff.adapters.pyomo_home import home_model, variable_values
from hidiff.adapters.require import require
from hidiff.errors import InfeasibleError, NotConverged
from hidiff.home import Appliance, Battery, ElectricCar, HeatPump, Home, HotWaterTank
from hidiff.tariff import Block, DemandCharge, Period, Tariff

sys.path.insert(0, str(Path(__file__).parent))
from random_homes import DEVICES, TARIFFS, random_problem, run_in_core

HOURS = pd.date_range("2030-01-01", periods=4, freq="1h", tz="UTC")


def some_devices(choice: int) -> tuple[str, ...]:
    return tuple(name for place, name in enumerate(DEVICES) if choice >> place & 1)


@pytest.mark.parametrize("tariff", TARIFFS)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), choice=st.integers(0, 31))
def test_both_paths_find_one_optimum_and_the_core_charges_it(tariff: str, seed: int, choice: int) -> None:
    # the core's inverter looks at prices alone, so where they fall below 0 the aim must not hold more
    aim = {"co2_price_per_kg": 0.0} if tariff == "spot" else {}
    problem = random_problem(seed, some_devices(choice), tariff, **aim)
    direct = solve_home(problem, relative_gap=0.0)
    pyomo = solve_home(problem, model="pyomo", relative_gap=0.0)
    assert direct.objective == pytest.approx(pyomo.objective, rel=1e-9, abs=1e-9)
    run = run_in_core(problem, dict(direct.actions_kw))
    for item, amount in run["totals"].items():
        assert direct.costs[item] == pytest.approx(amount, rel=1e-6, abs=1e-6), item
    for name, values in direct.record.items():
        if name not in ("pv_used_kw", "curtailed_kw", "export_kw"):  # at a price of 0 more than one is right
            assert np.allclose(values, run["record"][name], atol=1e-5), name


@pytest.mark.parametrize("tariff", TARIFFS)
def test_each_answer_satisfies_the_other_model(tariff: str) -> None:
    problem = random_problem(11, DEVICES, tariff)
    steps = np.array([3, 20])
    one_way = dict.fromkeys(("grid", "battery", "car", "heat_pump", "boost"), steps) | {
        "public": np.array([0])
    }
    programme, model = direct_model(problem, one_way), home_model(problem, one_way=one_way)
    matrices = programme.matrices()
    found = run_highs(matrices, time_limit_s=None, relative_gap=0.0)
    solve_model(model, relative_gap=0.0)
    theirs = variable_values(model)

    x = np.concatenate([theirs[name] for name in programme.columns])
    rows = require("scipy.sparse").csr_matrix((matrices.coefficients, matrices.indices, matrices.starts)) @ x
    assert (rows >= matrices.row_lower - 1e-6).all()
    assert (rows <= matrices.row_upper + 1e-6).all()
    assert ((x >= matrices.lower - 1e-6) & (x <= matrices.upper + 1e-6)).all()
    assert matrices.cost @ x + matrices.constant == pytest.approx(found.objective, rel=1e-9)

    pyo = require("pyomo.environ")
    for name, ours in programme.split(found.values).items():
        for item, number in zip(getattr(model, name).values(), ours, strict=True):
            item.set_value(float(number), skip_validation=True)
    for row in model.component_data_objects(pyo.Constraint, active=True):
        assert row.slack() >= -1e-6, row.name
    for item in model.component_data_objects(pyo.Var):
        assert item.lb is None or item.value >= item.lb - 1e-6, item.name
        assert item.ub is None or item.value <= item.ub + 1e-6, item.name
    assert pyo.value(model.cost) == pytest.approx(found.objective, rel=1e-9)


# What shapes the episode's arrays, or is a label, and so cannot move the optimum of arrays that are given.
UPSTREAM = {
    ("HeatPump", "efficiency"): "in heating_cop and cooling_cop",
    ("HeatPump", "low_c"): "in low_c",
    ("HeatPump", "high_c"): "in high_c",
    ("HeatPump", "night_set_back_k"): "in low_c",
    ("House", "solar_aperture_m2"): "in heat_gain_kw",
    ("House", "load_as_heat"): "in heat_gain_kw",
    ("House", "people_kw"): "in heat_gain_kw",
    ("HotWaterTank", "use_kwh_per_day"): "in hot_water_kw",
    ("HotWaterTank", "cold_water_c"): "the zero that heat is counted from; hot_water_kw is heat",
    ("Appliance", "name"): "a label",
    ("Appliance", "probability"): "in appliance_request",
    ("Home", "pv_capacity_kwp"): "in pv_kw",
    ("DemandCharge", "months_back"): "looks back beyond an episode that touches one month",
}
CHANGED: dict[str, Any] = {
    "days": "weekend", "months": (5,), "is_cooling": False, "pv_curtailable": True, "start_h": 16.0,
    "import_limit_kw": 1.5,
    "export_limit_kw": 0.0, "loss_per_kw": 0.01, "soc_loss": 0.05, "months_back": 2, "interval_h": 3.0,
    "wholesale_multiplier": 0.5, "wholesale_export_multiplier": 0.5, "cycle_fade": 4e-4, "earliest_h": 19.5,
}  # fmt: skip


def whole_home(*, pv_curtailable: bool) -> HomeProblem:
    """All devices work; with PV that must run, all charges are reached."""
    base = random_problem(3, DEVICES)
    ageing = {"cycle_fade": 2e-4, "calendar_fade_per_year": 0.02, "calendar_fade_soc_slope": 0.5}
    tariff = replace(
        Tariff.time_of_use(0.60, 0.31, 0.15, -0.02),
        periods=(
            Period(price_per_kwh=0.5, start_h=5, end_h=7, days="weekday"),
            *Tariff.time_of_use(0.60, 0.31).periods,
        ),
        blocks=(Block(above_kwh_per_month=4.0, extra_per_kwh=0.05),),
        demand=(DemandCharge(price_per_kw=0.3, start_h=7, end_h=21, minimum_kw=0.2, interval_h=1.0),),
        export_allowance_kwh_per_month=1.0,
    )
    battery = Battery(capacity_kwh=3.0, charge_max_kw=1.2, discharge_max_kw=0.4, soc_min=0.1, soc_max=0.9,
                      replacement_cost=500.0, state_of_health=0.9, **ageing)  # fmt: skip
    car = Battery(capacity_kwh=20.0, charge_max_kw=3.0, discharge_max_kw=2.0, soc_min=0.1, soc_max=0.9,
                  soc_initial=0.3, replacement_cost=500.0, **ageing)  # fmt: skip
    home = replace(
        base.home,
        battery=battery,
        car=ElectricCar(battery=car, public_price_per_kwh=0.8),
        heat_pump=HeatPump(power_max_kw=0.25, discomfort_price_per_kh=0.4, initial_c=25.0),
        tank=HotWaterTank(volume_l=80.0, power_max_kw=2.0),
        appliances=(Appliance(latest_h=21.5), *base.home.appliances[1:]),
        tariff=tariff,
        import_limit_kw=None,
        export_limit_kw=None,
        pv_curtailable=pv_curtailable,
    )
    random = np.random.default_rng(0)
    steps = base.steps
    hour = np.asarray(base.time.hour + 11 + base.time.minute / 60) % 24
    given = dict(base.exogenous)
    given["load_kw"] = random.gamma(1.5, 0.5, steps)
    given["pv_kw"] = np.maximum(np.sin((hour - 6) / 12 * np.pi), 0) * 7
    given["outdoor_c"] = 31 + 8 * np.sin((hour - 9) / 12 * np.pi)
    given["hot_water_kw"] = np.where(np.isin(hour, [7, 19]), 6.0, 0.0)
    given["car_trip_kwh"] = np.where(given["car_trip_kwh"] > 0, 18.0, 0.0)
    return replace(
        base, home=home, exogenous=given, end="free", car_end="free", tank_end="free", end_value_per_kwh=0.1,
        wholesale_per_kwh=0.1 * np.sin(hour),
    )  # fmt: skip


def relaxed_optimum(problem: HomeProblem) -> float:
    matrices = direct_model(problem, {}).matrices()
    relaxed = replace(matrices, is_integer=np.zeros_like(matrices.is_integer))
    return run_highs(relaxed, time_limit_s=None, relative_gap=0.0).objective


def variants(config: Any, path: str = "Home") -> Iterator[tuple[str, str, Any]]:
    """Every field of a configuration and of those within it: its class, its name, the configuration changed there."""
    kind = type(config).__name__
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            for inner_kind, name, changed in variants(value):
                yield inner_kind, name, replace(config, **{entry.name: changed})
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for inner_kind, name, changed in variants(value[0]):
                yield inner_kind, name, replace(config, **{entry.name: (changed, *value[1:])})
            yield kind, entry.name, replace(config, **{entry.name: ()})
        elif entry.name in CHANGED:
            yield kind, entry.name, replace(config, **{entry.name: CHANGED[entry.name]})
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            shares = ("soc_max", "state_of_health", "efficiency_charge", "efficiency_discharge")
            step = 0.9 if entry.name in shares else 1.1
            yield kind, entry.name, replace(config, **{entry.name: value * step if value else 0.05})


def test_every_field_of_a_home_and_its_tariff_reaches_both_paths_or_raises() -> None:
    seen: set[tuple[str, str]] = set()
    reaching: set[tuple[str, str]] = set(UPSTREAM)
    for pv_curtailable in (True, False):
        problem = whole_home(pv_curtailable=pv_curtailable)
        usual = relaxed_optimum(problem)
        for kind, name, home in variants(problem.home):
            seen.add((kind, name))
            if (kind, name) in UPSTREAM:
                continue
            given = dict(problem.exogenous)
            if not home.appliances:
                del given["appliance_request"]
            try:
                changed = replace(problem, home=home, exogenous=given)
            except ValueError as error:
                assert name in str(error) or "export_allowance" in str(error), (kind, name)
                reaching.add((kind, name))
                continue
            direct = relaxed_optimum(changed)
            if direct != pytest.approx(usual, rel=1e-9):
                reaching.add((kind, name))
            if pv_curtailable:
                continue  # Pyomo is slow, one of the homes is enough to see that both models have the field
            pyomo = home_model(changed)
            require("pyomo.environ").TransformationFactory("core.relax_integer_vars").apply_to(pyomo)
            assert solve_model(pyomo).objective == pytest.approx(direct, rel=1e-9), (kind, name)
    assert seen - reaching == set()
    classes = (Home, Battery, ElectricCar, HeatPump, HotWaterTank, Appliance, Tariff, Block, DemandCharge)
    missed = {(kind.__name__, entry.name) for kind in classes for entry in fields(kind)} - seen
    nested = {("Home", name) for name in ("battery", "car", "heat_pump", "tank", "tariff")}
    nested |= {("ElectricCar", "battery"), ("HeatPump", "house")}
    labels = {("Appliance", "name"), ("Home", "pv_capacity_kwp")}
    assert missed <= nested | labels | {("Tariff", "export_periods")}, missed - nested - labels


def test_a_car_charges_before_its_trip_in_the_cheapest_hour() -> None:
    # 10 kWh go on the trip at hour 2, 4 kWh are above the least: 6 / 0.9 kWh are charged, in the cheap hour
    battery = Battery(capacity_kwh=20.0, charge_max_kw=7.0, discharge_max_kw=0.0, efficiency_charge=0.9, soc_min=0.1,
                      soc_max=1.0, soc_initial=0.3)  # fmt: skip
    home = Home(battery=None, car=ElectricCar(battery=battery))
    given = {
        "car_is_home": np.array([1.0, 1, 0, 1]), "car_trip_kwh": np.array([0.0, 0, 10, 0]),
        "import_price": np.array([0.3, 0.2, 0.1, 0.4]),
    }  # fmt: skip
    keywords = {"exogenous": given, "time_zone": "UTC", "car_end": "free"}
    best = optimise_home(home, np.zeros(4), np.zeros(4), HOURS, **keywords)
    assert best.record["car_kw"] == pytest.approx([0.0, 6 / 0.9, 0.0, 0.0], abs=1e-9)
    assert best.cost == pytest.approx(0.2 * 6 / 0.9 + 0.90 * 4 / 24)
    with pytest.raises(InfeasibleError, match=r"the car ends with at most 8.30 kWh.*car_end='initial'"):
        optimise_home(
            replace(home, car=ElectricCar(battery=replace(battery, soc_initial=0.5))), np.zeros(4), np.zeros(4), HOURS,
            exogenous=given | {"car_trip_kwh": np.array([0.0, 0, 18, 0])}, time_zone="UTC",
        )  # fmt: skip


def test_public_charge_is_bought_only_for_what_a_trip_lacks() -> None:
    # public energy is cheaper than energy at home, but no one may fill up with it
    battery = Battery(capacity_kwh=20.0, charge_max_kw=7.0, discharge_max_kw=7.0, efficiency_charge=1.0,
                      efficiency_discharge=1.0, soc_min=0.1, soc_max=1.0, soc_initial=0.1)  # fmt: skip
    home = Home(
        battery=None, car=ElectricCar(battery=battery, public_price_per_kwh=0.1), tariff=Tariff.flat(0.5)
    )
    given = {"car_is_home": np.array([0.0, 1, 1, 1]), "car_trip_kwh": np.array([6.0, 0, 0, 0])}
    best = optimise_home(home, np.ones(4), np.zeros(4), HOURS, exogenous=given, time_zone="UTC")
    assert best.record["public_kwh"] == pytest.approx([6, 0, 0, 0])
    assert best.costs["service_cost"] == pytest.approx(0.6)
    assert best.import_kw.sum() == pytest.approx(4)


def test_a_machine_runs_in_the_cheapest_window_without_a_break() -> None:
    machine = Appliance(power_kw=2.0, duration_h=1.5, earliest_h=0, latest_h=4)
    home = Home(battery=None, appliances=(machine,))
    request = np.array([[1.0], [0], [0], [0]])
    given = {"appliance_request": request, "import_price": np.array([0.1, 0.5, 0.2, 0.2])}
    best = optimise_home(home, np.zeros(4), np.zeros(4), HOURS, exogenous=given, time_zone="UTC")
    assert best.actions_kw["appliance_0"] == pytest.approx([0, 0, 2, 1])
    with pytest.raises(ValueError, match="leave more time between"):
        optimise_home(home, np.zeros(4), np.zeros(4), HOURS, time_zone="UTC",
                      exogenous={"appliance_request": np.array([[1.0], [1], [0], [0]])})  # fmt: skip


def test_a_battery_shaves_the_peak_that_a_demand_charge_bills() -> None:
    battery = Battery(capacity_kwh=4.0, efficiency_charge=1.0, efficiency_discharge=1.0)
    tariff = Tariff(import_price_per_kwh=0.2, demand=(DemandCharge(price_per_kw=10.0),))
    best = optimise_home(Home(battery=battery, tariff=tariff), np.array([0.0, 5, 0, 3]), np.zeros(4), HOURS,
                         time_zone="UTC")  # fmt: skip
    assert best.import_kw == pytest.approx(np.full(4, 2.0))  # 8 kWh in four hours
    assert best.cost == pytest.approx(0.2 * 8 + 20.0)


def test_a_reserve_is_kept() -> None:
    best = optimise_home(Home(), np.full(4, 3.0), np.zeros(4), HOURS, end="free", reserve_kwh=5.0)
    assert best.record["battery_kwh"].min() == pytest.approx(5.0)
    with pytest.raises(InfeasibleError, match=r"reserve_kwh=13.0 cannot be kept"):
        optimise_home(Home(), np.zeros(4), np.zeros(4), HOURS, reserve_kwh=13.0)


def test_emissions_and_self_sufficiency_move_the_schedule() -> None:
    co2 = np.array([900.0, 100, 100, 900])
    home = Home(tariff=Tariff.flat())
    plain, green = (
        optimise_home(home, np.array([3.0, 0, 0, 3]), np.zeros(4), HOURS, exogenous={"co2_g_per_kwh": co2},
                      co2_price_per_kg=price)
        for price in (0.0, 5.0)
    )  # fmt: skip
    assert green.import_kw @ co2 < plain.import_kw @ co2 - 100
    assert green.costs["aim_cost"] == pytest.approx(5.0 * green.import_kw @ co2 / 1000)
    dear_export = Home(tariff=Tariff.flat(0.30, 0.50), export_limit_kw=5.0)
    seller, keeper = (
        optimise_home(dear_export, np.ones(4), np.array([0.0, 4, 0, 0]), HOURS, import_weight_per_kwh=weight)
        for weight in (0.0, 5.0)
    )
    assert keeper.import_kw.sum() < seller.import_kw.sum() - 1


def test_a_soft_limit_is_exceeded_only_by_what_cannot_give_way() -> None:
    load_kw = np.array([1.0, 1, 9, 1])
    home = Home(import_limit_kw=2.0)
    best = optimise_home(home, load_kw, np.zeros(4), HOURS, limits="soft", limit_penalty_per_kwh=3.0)
    assert best.record["excess_kw"] == pytest.approx([0, 0, 4.3, 0], abs=1e-6)
    assert best.costs["penalty"] == pytest.approx(3.0 * 4.3)
    assert best.objective == pytest.approx(best.cost + best.costs["penalty"])


def test_users_extend_the_pyomo_model() -> None:
    pyo = require("pyomo.environ")
    load_kw = np.array([0.0, 5, 0, 3])
    free = optimise_home(Home(), load_kw, np.zeros(4), HOURS, model="pyomo")

    def rest_and_pump(m: Any, problem: HomeProblem) -> None:
        m.rest = pyo.Constraint(range(2), rule=lambda m, t: m.discharge_kw[t] <= 1.0)
        m.pool_kw = pyo.Var(range(problem.steps), bounds=(0, 1))
        m.pool_runs = pyo.Constraint(expr=sum(m.pool_kw[t] for t in range(problem.steps)) >= 2)
        for t in range(problem.steps):
            m.extra_kw[t].set_value(m.pool_kw[t])
        m.extra_cost.set_value(7.0)

    own = optimise_home(Home(), load_kw, np.zeros(4), HOURS, model="pyomo", extend=rest_and_pump)
    assert own.battery_kw[1] >= -1.0 - 1e-9
    assert own.record["demand_kw"].sum() - own.battery_kw.sum() == pytest.approx(8 + 2)
    assert own.objective > free.objective + 7.0
    with pytest.raises(ValueError, match="add model='pyomo'"):
        optimise_home(Home(), load_kw, np.zeros(4), HOURS, extend=rest_and_pump)

    def impossible(m: Any, problem: HomeProblem) -> None:
        m.never = pyo.Constraint(expr=m.import_kw[1] >= 99.0)

    with pytest.raises(InfeasibleError, match="constraints that were added exclude every schedule"):
        optimise_home(Home(), load_kw, np.zeros(4), HOURS, model="pyomo", extend=impossible)


def test_a_search_that_stops_early_says_how_far_it_is() -> None:
    problem = random_problem(5, DEVICES)
    assert solve_home(problem, relative_gap=0.9).gap > 0
    assert solve_home(problem, relative_gap=0.0).gap == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(NotConverged, match=r"raise time_limit_s=0.0"):
        solve_home(problem, time_limit_s=0.0)


def test_bad_problems_are_refused() -> None:
    four = np.ones(4)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"home": Home(battery=Battery(loss_per_kw=0.01))}, r"battery.loss_per_kw is 0.01.*loss_per_kw=0"),
        ({"home": Home(battery=Battery(soc_loss=0.05))}, r"battery.soc_loss is 0.05"),
        ({"exogenous": {"import_price": np.ones(3)}}, r"import_price has shape \(3,\); time has 4 steps"),
        ({"exogenous": {"import_price": np.array([1, np.nan, 1, 1])}}, "import_price is nan at step 1"),
        ({"exogenous": {"hot_water": four}}, "'hot_water', which this home does not use"),
        ({"home": Home(tank=HotWaterTank())}, "exogenous lacks 'hot_water_kw'"),
        ({"time": HOURS.tz_localize(None)}, "time has no zone"),
        ({"time": HOURS.tz_convert("Europe/London")}, "time is in Europe/London.*time_zone='Australia/Sydney'"),
        ({"time_zone": "Europe/Lnodon"}, "time_zone 'Europe/Lnodon' is unknown"),
        ({"load_kw": pd.Series(four, HOURS.tz_convert("Europe/London") + pd.Timedelta("1h"))}, "the same instants"),
        ({"load_kw": pd.Series(four, HOURS.tz_localize(None))}, "without zone-aware stamps"),
        ({"end": "full"}, "end is 'full'"),
        ({"limits": "none"}, "limits is 'none'"),
        ({"reserve_kwh": 20.0}, "reserve_kwh is 20.0; the battery holds at most 13.5 kWh"),
        ({"model": "gurobi"}, "model is 'gurobi'"),
        ({"home": Home(tariff=Tariff(blocks=(Block(above_kwh_per_month=1, extra_per_kwh=-0.1),)))}, "gets cheaper"),
        ({"home": Home(tariff=Tariff.wholesale())}, "no wholesale price is given"),
        (
            {"home": Home(tariff=replace(Tariff.wholesale(), export_allowance_kwh_per_month=1.0)),
             "wholesale_per_kwh": np.array([-0.1, -0.2, 0.1, 0.1])},
            "one charge a month",
        ),
        (
            {"home": Home(tariff=Tariff.with_demand()), "exogenous": {"import_price": four}},
            "give periods or wholesale_per_kwh",
        ),
    ]  # fmt: skip
    for changes, message in cases:
        keywords: dict[str, Any] = {"home": Home(), "load_kw": four, "pv_kw": four, "time": HOURS} | changes
        with pytest.raises(ValueError, match=message):
            optimise_home(**keywords)
    car = ElectricCar()
    away = {"car_is_home": four, "car_trip_kwh": np.array([0.0, 5, 0, 0])}
    with pytest.raises(ValueError, match="a trip begins on a step when the car is not at home"):
        optimise_home(Home(car=car), four, four, HOURS, exogenous=away)
    with pytest.raises(ValueError, match=r"car_is_home is 0.5 at step 0; it must be 0 or 1"):
        optimise_home(Home(car=car), four, four, HOURS, exogenous=away | {"car_is_home": four / 2})
