"""Totals that a fleet keeps are the indicators of the same episodes, home by home."""

from typing import Any

import numpy as np
import pytest
import torch

from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import Episode, Fleet, HomeEnv, do_nothing, simulate
from hidiff.envs.kpis import KPIS, kpis
from hidiff.envs.variants import FULL
from hidiff.home import Battery, ElectricCar, Home, HotWaterTank
from hidiff.market import Market

TRACES = synthetic_homes(4, 12)
MIXED = [
    FULL,
    Home(battery=None),
    Home(tank=HotWaterTank(), import_limit_kw=1.0),
    Home(battery=Battery(cycle_fade=1e-4, replacement_cost=9000), export_limit_kw=0.5),
]
OURS_ALONE = {"pv_used_kwh", "curtailed_kwh", "bought_kwh", "sold_kwh"}
"""Sums that are no indicators of a home; checked as sums of their power."""


def numbers(value: Any) -> np.ndarray:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, float)


def rolled(fleet: Fleet, steps: int, seed: int = 0) -> dict[str, np.ndarray]:
    """What happened in so many steps of random actions, ``(step, env, home)`` by name."""
    random, kept = np.random.default_rng(seed), []
    shape = fleet.envs, fleet.homes_per_env
    for _ in range(steps):
        action = fleet.like(random.uniform(-1, 1, (*shape, len(fleet.action_names))))
        moved = fleet.step(action)
        known = moved.happened._asdict() | {"cost": moved.cost, "penalty": moved.penalty}
        known |= {"end_value": moved.end_value, "load_kw": moved.load_kw, "pv_kw": moved.pv_kw}
        if moved.trade is not None:
            known |= {"bought_kw": moved.trade.bought_kw, "sold_kw": moved.trade.sold_kw}
        kept.append({name: np.broadcast_to(numbers(value), shape) for name, value in known.items()})
    return {name: np.stack([step[name] for step in kept]) for name in kept[0]}


@pytest.mark.parametrize("device", [None, "cpu"])
@pytest.mark.parametrize("market", [None, Market(rule="mid_market_rate")])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-9), ("float32", 1e-5)])
def test_totals_are_the_indicators_of_each_home(
    device: str | None, market: Market | None, dtype: str, tolerance: float
) -> None:
    fleet = Fleet(
        TRACES, MIXED, envs=3, homes_per_env=4, episode_days=3, market=market, device=device, dtype=dtype, track=True
    )  # fmt: skip
    fleet.reset(np.random.default_rng(1))
    happened = rolled(fleet, fleet.steps)
    totals = {name: numbers(value) for name, value in fleet.totals().items()}
    assert ("bought_kwh" in totals) == (market is not None)
    assert set(totals) - OURS_ALONE <= set(KPIS)
    for env, home in np.ndindex(3, 4):
        first = int(fleet.first[env])
        own = {name: values[:, env, home] for name, values in happened.items()}
        episode = Episode(
            time=TRACES.time[first : first + fleet.steps], time_zone=TRACES.time_zone, dt_h=0.5, arrays=own
        )
        expected = kpis(episode)  # devices that the home lacks are zeros here, as in the totals
        for name, values in totals.items():
            if name in OURS_ALONE:
                answer = own[name.replace("_kwh", "_kw")].sum() * 0.5
            else:
                answer = expected[name]
            assert values[env, home] == pytest.approx(answer, rel=tolerance, abs=tolerance), name
    assert (totals["excess_kwh"] > 0).any() and (totals["battery_throughput_kwh"] > 0).any()


def test_totals_are_those_of_a_single_home() -> None:
    run = simulate(
        HomeEnv(TRACES, FULL, episode_days=3), do_nothing, options={"home": TRACES.names[2], "start": TRACES.time[0]}
    )  # fmt: skip
    fleet = Fleet(TRACES, FULL, episode_days=3, dtype="float64", track=True)
    fleet.reset(np.random.default_rng(0), rows=np.array([[2]]), first=np.array([0]))
    env = HomeEnv(TRACES, FULL, episode_days=3)
    env.reset(options={"home": TRACES.names[2], "start": TRACES.time[0]})
    random = np.random.default_rng(0)
    for _ in range(fleet.steps):
        share = random.uniform(-1, 1, len(env.action_names))
        fleet.step(share[None, None])
        env.step(share)
    expected = kpis(env.episode, FULL)
    for name, value in fleet.totals().items():
        if name not in OURS_ALONE:
            assert value.item() == pytest.approx(expected[name], rel=1e-9, abs=1e-9), name
    assert expected["bill"] != pytest.approx(kpis(run.episode, FULL)["bill"])  # actions matter


@pytest.mark.parametrize("device", [None, "cpu"])
def test_totals_begin_anew_with_each_environment_and_rest_with_it(device: str | None) -> None:
    fleet = Fleet(TRACES, envs=2, homes_per_env=2, episode_days=1, device=device, track=True)
    random = np.random.default_rng(0)
    fleet.reset(random)
    rolled(fleet, 10)
    before = numbers(fleet.totals()["import_kwh"])
    assert (before > 0).all()
    fleet.reset(random, np.array([True, False]))
    after = fleet.totals()
    for name, value in after.items():
        assert (numbers(value)[0] == 0).all(), name
    assert np.array_equal(numbers(after["import_kwh"])[1], before[1])
    fleet.step(fleet.like(np.zeros((2, 2, 1))), active=np.array([True, False]))
    now = numbers(fleet.totals()["import_kwh"])
    assert np.array_equal(now[1], before[1])
    assert (now[0] > 0).any()
    fleet.reset(random)
    assert (numbers(fleet.totals()["bill"]) == 0).all()


def test_the_bill_of_an_episode_can_be_differentiated() -> None:
    fleet = Fleet(TRACES, envs=2, episode_days=1, device="cpu", dtype="float64", grad=True, track=True)
    fleet.reset(np.random.default_rng(0))
    share = torch.zeros((2, 1, 1), dtype=torch.float64, requires_grad=True)
    for _ in range(fleet.steps):
        fleet.step(share)
    (slope,) = torch.autograd.grad(fleet.totals()["bill"].sum(), share)
    assert (slope != 0).all()
    fleet.detach()
    assert not fleet.totals()["bill"].requires_grad


def test_totals_that_are_not_kept_are_asked_for_in_vain() -> None:
    fleet = Fleet(TRACES, episode_days=1)
    fleet.reset(np.random.default_rng(0))
    with pytest.raises(RuntimeError, match="track=True"):
        fleet.totals()


def test_wear_of_a_car_counts_where_there_is_no_battery() -> None:
    car = ElectricCar(battery=Battery(capacity_kwh=40, calendar_fade_per_year=0.02, replacement_cost=9000))
    home = Home(battery=None, car=car)
    run = simulate(HomeEnv(TRACES, home, episode_days=3), do_nothing, seed=0)
    assert kpis(run.episode, home)["wear_cost"] > 0
    assert kpis(run.episode, home)["total_cost"] == pytest.approx(-run.reward.sum())
