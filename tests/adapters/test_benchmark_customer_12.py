"""The open benchmark of home energy control on Ausgrid's customer 12.

It is pierre-haessig/solarhome-control-bench: thirty days from 2011-11-29 00:00 on the local clock; cost per
day. The published values do not depend on whether the battery has to end as full as it began: the last
sunny days fill it at no cost.
"""

import math
from pathlib import Path
from typing import Literal

import pytest

from hidiff.adapters.pyomo_home import optimise_home, replay
from hidiff.data.traces import Traces
from hidiff.envs import HomeEnv, do_nothing, self_consumption, simulate
from hidiff.home import Battery, Home, Period, Tariff

pytestmark = pytest.mark.real
DAYS = 30
EPISODE = {"home": "12", "start": "2011-11-29"}
TARIFF = Tariff(
    import_price_per_kwh=0.20,
    periods=(Period(price_per_kwh=0.10, start_h=0, end_h=6),),
    export_price_per_kwh=0.0,
)
BATTERY = Battery(
    capacity_kwh=8.0,
    charge_max_kw=math.inf,
    discharge_max_kw=math.inf,
    efficiency_charge=1.0,
    efficiency_discharge=1.0,
    soc_initial=0.5,
)


@pytest.fixture(scope="module")
def customer_12(data_dir: Path) -> Traces:
    from hidiff.data.ausgrid import read_ausgrid_yearly

    return read_ausgrid_yearly(data_dir / "ausgrid_official_layout").select(["12"])


def environment(traces: Traces, battery: Battery | None, pv_capacity_kwp: float = 4.0) -> HomeEnv:
    home = Home(
        battery=battery,
        tariff=TARIFF,
        pv_capacity_kwp=pv_capacity_kwp,
        import_limit_kw=3.0,
        export_limit_kw=0.0,
    )
    return HomeEnv(traces, home, episode_days=DAYS, end_value_per_kwh=0.0)


def test_without_pv_and_battery(customer_12: Traces) -> None:
    run = simulate(environment(customer_12, None, pv_capacity_kwp=0.0), do_nothing, options=EPISODE)
    assert run.cost / DAYS == pytest.approx(3.1405633, abs=1e-6)


def test_pv_alone(customer_12: Traces) -> None:
    run = simulate(environment(customer_12, None), do_nothing, options=EPISODE)
    assert run.cost / DAYS == pytest.approx(1.6247474, abs=1e-6)


def test_the_rule(customer_12: Traces) -> None:
    run = simulate(environment(customer_12, BATTERY), self_consumption, options=EPISODE)
    assert run.cost / DAYS == pytest.approx(0.5633069, abs=1e-6)
    assert run.excess_kw.max() == 0


@pytest.mark.parametrize("end", ["initial", "free"])
def test_the_optimum_and_its_replay(customer_12: Traces, end: Literal["initial", "free"]) -> None:
    env = environment(customer_12, BATTERY)
    env.reset(options=EPISODE)
    schedule = optimise_home(env.home, env.load_kw, env.pv_kw, env.time, end=end)
    assert schedule.cost / DAYS == pytest.approx(0.3537336, abs=1e-6)
    run = replay(schedule, env, options=EPISODE)
    assert run.cost == pytest.approx(schedule.cost, rel=1e-6)
    assert run.excess_kw.max() <= 1e-6
