"""The optimal schedule is feasible, the best, and costs in the environment what the solver says."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.adapters.pyomo_highs import solve
from hidiff.adapters.pyomo_home import Schedule, optimise_home, replay
from hidiff.adapters.require import require
from hidiff.data.traces import Traces
from hidiff.envs import HomeEnv, Simulation, do_nothing, self_consumption, simulate
from hidiff.errors import InfeasibleError
from hidiff.home import Battery, Home, Period, Tariff

SPONGE = Period(price_per_kwh=-0.2, start_h=11, end_h=13)
CHEAP_HOUR = Period(price_per_kwh=0.05, start_h=3, end_h=4)


def random_traces(seed: int, days: int = 2) -> Traces:
    random = np.random.default_rng(seed)
    first = pd.Timestamp("2030-03-29", tz="Australia/Sydney").tz_convert("UTC")
    time = pd.date_range(first, periods=48 * days, freq="30min")
    hour = np.arange(48 * days) / 2 % 24
    load_kw = random.gamma(1.2, 0.7, (1, 48 * days))
    pv_kw = np.maximum(np.sin((hour - 6) / 12 * np.pi), 0) * random.uniform(0, 5, (1, 48 * days))
    homes = pd.DataFrame({"pv_capacity_kwp": [5.0]}, index=pd.Index(["x"], name="home"))
    return Traces(load_kw, pv_kw, time, homes)


def both(home: Home, traces: Traces, **keywords: float) -> tuple[Schedule, Simulation, HomeEnv]:
    env = HomeEnv(traces, home, episode_days=len(traces.time) / 48, end_value_per_kwh=0.0)
    env.reset()
    schedule = optimise_home(home, env.load_kw, env.pv_kw, env.time, **keywords)  # type: ignore[arg-type]
    return schedule, replay(schedule, env), env


HOMES = {
    "default": Home(),
    "flat tariff, lossy": Home(
        battery=Battery(efficiency_charge=0.8, efficiency_discharge=0.85),
        tariff=Tariff.flat(),
        pv_capacity_kwp=8,
    ),
    "tight limits": Home(
        battery=Battery(soc_min=0.1, soc_max=0.8, charge_max_kw=4), import_limit_kw=4, export_limit_kw=1
    ),
    "no export, no power limit": Home(
        battery=Battery(charge_max_kw=math.inf, discharge_max_kw=math.inf), export_limit_kw=0
    ),
    "pv that must run": Home(pv_curtailable=False, tariff=Tariff(export_price_per_kwh=-0.03)),
    "no battery": Home(battery=None, export_limit_kw=2),
    "paid to import, small battery": Home(
        battery=Battery(capacity_kwh=4), tariff=Tariff(periods=(SPONGE,)), import_limit_kw=9
    ),
    "export earns more than an hour costs": Home(
        tariff=Tariff(periods=(CHEAP_HOUR,), export_price_per_kwh=0.1), export_limit_kw=5
    ),
    "both prices negative at noon": Home(
        battery=Battery(capacity_kwh=4), tariff=Tariff(periods=(SPONGE,), export_price_per_kwh=-0.05)
    ),
}


@pytest.mark.parametrize("name", HOMES)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_replayed_schedule_costs_the_objective(name: str, seed: int) -> None:
    home = HOMES[name]
    schedule, run, env = both(home, random_traces(seed))
    assert run.cost == pytest.approx(schedule.cost, rel=1e-6)
    assert np.allclose(run.battery_kw, schedule.battery_kw, atol=1e-6)
    assert np.allclose(run.import_kw, schedule.import_kw, atol=1e-6)
    assert run.excess_kw.max() <= 1e-6
    if home.battery is not None:
        assert np.allclose(run.energy_kwh, schedule.soc * home.battery.capacity_kwh, atol=1e-5)
        assert schedule.soc[-1] >= home.battery.soc_initial - 1e-9
    idle = simulate(env, do_nothing)
    assert idle.excess_kw.max() > 1e-6 or schedule.cost <= idle.cost + 1e-9


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    capacity_kwh=st.floats(1, 20),
    efficiency=st.floats(0.7, 1.0),
    charge_max_kw=st.floats(0.5, 8),
    peak=st.floats(0.1, 0.8),
    off_peak=st.floats(0.1, 0.4),
    export=st.floats(-0.1, 0.1),
    export_limit_kw=st.one_of(st.none(), st.floats(0, 5)),
)
def test_random_homes_cost_the_objective(
    seed: int,
    capacity_kwh: float,
    efficiency: float,
    charge_max_kw: float,
    peak: float,
    off_peak: float,
    export: float,
    export_limit_kw: float | None,
) -> None:
    home = Home(
        battery=Battery(
            capacity_kwh=capacity_kwh,
            charge_max_kw=charge_max_kw,
            efficiency_charge=efficiency,
            efficiency_discharge=efficiency,
        ),
        tariff=Tariff.time_of_use(peak, 0.3, off_peak, export, daily_charge=1.0),
        export_limit_kw=export_limit_kw,
    )
    schedule, run, _ = both(home, random_traces(seed, days=1))
    assert run.cost == pytest.approx(schedule.cost, rel=1e-6, abs=1e-7)


def test_binaries_appear_only_where_the_relaxation_cheats() -> None:
    plain, _, _ = both(HOMES["tight limits"], random_traces(0))
    burning, _, _ = both(HOMES["paid to import, small battery"], random_traces(0))
    trading, _, _ = both(HOMES["export earns more than an hour costs"], random_traces(0))
    assert plain.binary_steps == 0
    assert 0 < burning.binary_steps < 96
    assert trading.binary_steps > 0


def test_a_hand_made_day_has_the_known_optimum() -> None:
    # 1 kW for 2 h; the dear hour is served from the cheap one through a battery that returns 81 %
    time = pd.date_range("2030-01-01", periods=2, freq="1h", tz="UTC")
    dear = Period(price_per_kwh=1.0, start_h=1, end_h=2)
    home = Home(
        battery=Battery(
            capacity_kwh=4,
            charge_max_kw=9,
            discharge_max_kw=9,
            efficiency_charge=0.9,
            efficiency_discharge=0.9,
        ),
        tariff=Tariff(import_price_per_kwh=0.1, periods=(dear,), export_price_per_kwh=0.0),
    )
    schedule = optimise_home(home, np.ones(2), np.zeros(2), time, time_zone="UTC")
    assert schedule.cost == pytest.approx(0.1 * (1 + 1 / 0.81))
    assert schedule.battery_kw == pytest.approx([1 / 0.81, -1.0])
    free = optimise_home(home, np.ones(2), np.zeros(2), time, time_zone="UTC", end="free")
    assert free.cost == pytest.approx(0.1 * 0.2)  # the 2 kWh in store serve 1.8 kWh


def test_the_end_value_decides_how_full_the_battery_ends() -> None:
    traces = random_traces(3, days=1)
    ends = [both(Home(), traces, end="free", end_value_per_kwh=worth)[0].soc[-1] for worth in (0.0, 9.0)]  # type: ignore[arg-type]
    assert ends == pytest.approx([0.0, 1.0], abs=1e-6)


def test_an_infeasible_problem_says_which_limit_and_where() -> None:
    time = pd.date_range("2030-01-01", periods=4, freq="1h", tz="UTC")
    load_kw = np.array([1.0, 1.0, 9.0, 1.0])
    with pytest.raises(
        InfeasibleError, match=r"import_limit_kw=2.0 cannot be kept in 1 steps.*step 2 .*lacks 4.30 kW"
    ):
        optimise_home(Home(import_limit_kw=2.0), load_kw, np.zeros(4), time)
    with pytest.raises(InfeasibleError, match=r"in 4 steps.*all of them 16.00 kWh"):
        optimise_home(Home(import_limit_kw=2.0), np.full(4, 6.0), np.zeros(4), time)
    with pytest.raises(InfeasibleError, match=r"export_limit_kw=1.0 .* pv_curtailable=True"):
        optimise_home(Home(export_limit_kw=1.0, pv_curtailable=False), np.zeros(4), load_kw, time)


def test_bad_arrays_are_refused() -> None:
    time = pd.date_range("2030-01-01", periods=4, freq="1h", tz="UTC")
    with pytest.raises(ValueError, match=r"load_kw is nan at step 1"):
        optimise_home(Home(), np.array([1, np.nan, 1, 1]), np.zeros(4), time)
    with pytest.raises(ValueError, match=r"pv_kw has shape \(3,\)"):
        optimise_home(Home(), np.ones(4), np.zeros(3), time)


def test_a_schedule_of_another_episode_is_not_replayed() -> None:
    schedule, _, _ = both(Home(), random_traces(0, days=1))
    with pytest.raises(ValueError, match="match episode_days"):
        replay(schedule, HomeEnv(random_traces(0, days=3), episode_days=3))


def test_the_solver_takes_a_model_of_ones_own() -> None:
    pyo = require("pyomo.environ")
    model = pyo.ConcreteModel()
    model.x = pyo.Var(bounds=(0, None))
    model.y = pyo.Var(domain=pyo.Binary)
    model.range = pyo.Constraint(expr=(1, model.x + 2 * model.y, 4.5))
    model.gain = pyo.Objective(expr=model.x + 3 * model.y + 10, sense=pyo.maximize)
    assert solve(model) == pytest.approx(15.5)
    assert (model.x.value, model.y.value) == pytest.approx((2.5, 1.0))
    model.more = pyo.Constraint(expr=model.x >= 5)
    with pytest.raises(InfeasibleError, match="Infeasible"):
        solve(model)


def test_the_optimum_is_never_above_the_rule() -> None:
    for seed in range(3):
        schedule, _, env = both(Home(), random_traces(seed), end="free")  # type: ignore[arg-type]
        assert schedule.cost <= simulate(env, self_consumption).cost + 1e-9
