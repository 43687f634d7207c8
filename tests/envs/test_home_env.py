"""``HomeEnv`` keeps Gymnasium's contract, its energy account and its bill."""

import math
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import hidiff.envs
from hidiff.data.traces import Traces
from hidiff.envs import HomeEnv, HomeState, TraceSource, bill, do_nothing, self_consumption, simulate
from hidiff.home import Battery, Home, Tariff

TIGHT = Home(
    battery=Battery(capacity_kwh=3, charge_max_kw=2, discharge_max_kw=1.5, soc_min=0.1, soc_max=0.9),
    tariff=Tariff.time_of_use(),
    import_limit_kw=1.5,
    export_limit_kw=0.5,
)


def noisy(state: HomeState) -> float:
    """A rule without sense, to shake the accounts."""
    return 9 * math.sin(37 * state.load_kw)


@pytest.mark.parametrize("home", [None, TIGHT, Home(battery=None)])
def test_check_env_passes_with_warnings_as_errors(traces: Traces, home: Home | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make("hidiff/Home-v0", traces=traces, home=home, episode_days=2)
        check_env(env.unwrapped)
        warnings.filterwarnings("ignore", message=".*not having a spec")  # only a registered env has one
        check_env(HomeEnv(traces, home, episode_days=2))


def test_the_registered_env_needs_no_arguments_and_no_data() -> None:
    pytest.importorskip("hidiff.data.synthetic")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("hidiff/Home-v0").unwrapped)
    assert hidiff.envs.HomeEnv is HomeEnv


@pytest.mark.parametrize(
    "home", [Home(), TIGHT, Home(battery=None), Home(export_limit_kw=0, pv_curtailable=False)]
)
def test_every_step_balances_and_the_steps_sum_to_the_bill(traces: Traces, home: Home) -> None:
    env = HomeEnv(traces, home, episode_days=3)
    run = simulate(env, noisy, options={"home": "a", "start": "2030-01-02"})
    drawn_kw = env.load_kw + run.battery_kw + run.export_kw
    assert np.allclose(drawn_kw, run.import_kw + run.pv_used_kw, atol=1e-12)
    assert run.cost == pytest.approx(
        bill(run.import_kw, run.export_kw, home.tariff, env.time, traces.time_zone).total, rel=1e-12
    )
    if home.battery is not None:
        assert run.energy_kwh.min() >= home.battery.energy_min_kwh
        assert run.energy_kwh.max() <= home.battery.energy_max_kwh
        gain, drain = home.battery.efficiency_charge, home.battery.efficiency_discharge
        stored_kw = np.where(run.battery_kw > 0, run.battery_kw * gain, run.battery_kw / drain)
        start_kwh = home.battery.soc_initial * home.battery.capacity_kwh
        assert np.allclose(run.energy_kwh, start_kwh + np.cumsum(stored_kw) * 0.5)


def test_the_battery_never_pushes_the_home_over_a_limit(traces: Traces) -> None:
    env = HomeEnv(traces, TIGHT, episode_days=3)
    run = simulate(env, noisy, options={"home": "a"}, seed=3)
    is_over = run.excess_kw > 1e-12
    assert is_over.any()  # the load alone does, at times
    assert (run.battery_kw[is_over] <= 0).all()
    assert np.allclose(run.penalty, 10.0 * run.excess_kw * 0.5)
    assert (run.export_kw <= 0.5 + 1e-12).all()


def test_the_reward_is_minus_the_bill_and_penalty_and_the_end_counts(traces: Traces) -> None:
    options = {"home": "a", "start": "2030-01-02"}
    for end_value, worth in ((0.0, 0.0), (0.25, 0.25)):
        env = HomeEnv(traces, Home(), episode_days=1, end_value_per_kwh=end_value)
        run = simulate(env, self_consumption, options=options)
        gained = worth * (run.energy_kwh[-1] - 13.5 / 2)
        assert run.reward.sum() == pytest.approx(gained - run.cost - run.penalty.sum())
    emptied = simulate(
        HomeEnv(traces, Home(tariff=Tariff.flat()), episode_days=1), lambda state: -5.0, options=options
    )
    idle = simulate(HomeEnv(traces, Home(tariff=Tariff.flat()), episode_days=1), do_nothing, options=options)
    assert (
        emptied.reward.sum() < idle.reward.sum()
    )  # selling the charge to the grid earns less than it is worth


def test_the_same_options_replay_an_episode_and_seeds_choose_others(traces: Traces) -> None:
    env = HomeEnv(traces, episode_days=1)
    starts = {env.reset(seed=seed)[1]["start"] for seed in range(20)}
    assert len(starts) > 4
    _, info = env.reset(seed=5)
    first = simulate(env, noisy, seed=5)
    again = simulate(env, noisy, options={"home": info["home"], "start": info["start"]})
    assert np.array_equal(first.step_cost, again.step_cost)
    with pytest.raises(ValueError, match="unknown option 'hom'"):
        env.reset(options={"hom": "a"})


def test_an_episode_is_truncated_and_never_terminated(traces: Traces) -> None:
    env = HomeEnv(traces, episode_days=1)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(1, np.float32))
    env.reset(seed=0)
    ends = [env.step(np.zeros(1, np.float32))[2:4] for _ in range(48)]
    assert ends == [(False, False)] * 47 + [(False, True)]
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(1, np.float32))


def test_an_action_is_a_share_of_the_power_and_cuts_are_reported(traces: Traces) -> None:
    env = HomeEnv(traces, Home(battery=Battery(charge_max_kw=4, discharge_max_kw=2)), episode_days=1)
    env.reset(seed=0)
    infos: list[dict[str, Any]] = [env.step(np.array([share], np.float32))[4] for share in (0.5, -0.5)]
    assert [info["battery_kw"] for info in infos] == [2.0, -1.0]
    for _ in range(8):
        last = env.step(np.array([1.0], np.float32))[4]
    assert last["requested_kw"] == 4.0
    assert last["battery_kw"] == 0.0  # full
    for wrong in ([1.01], [math.nan], [0.0, 0.0]):
        with pytest.raises(ValueError, match="one number from -1 to 1"):
            env.step(np.array(wrong, np.float32))


def test_the_observation_shows_the_step_that_is_about_to_run(traces: Traces) -> None:
    env = HomeEnv(traces, Home(tariff=Tariff.time_of_use(0.5, 0.3, 0.2)), episode_days=1, look_ahead_steps=4)
    observation, _ = env.reset(options={"home": "a", "start": "2030-01-05 06:00"})  # a Saturday
    step = int(env.source.draw(env.np_random, home="a", start="2030-01-05 06:00").first)
    assert observation.shape == (14,)
    assert observation[:2] == pytest.approx([1.0, 0.0], abs=1e-6)
    assert observation[4:9] == pytest.approx([1, 0.5, traces.load_kw[0, step], traces.pv_kw[0, step], 0.05])
    assert observation[9:] == pytest.approx([0.2, 0.2, 0.3, 0.3, 0.3])
    for _ in range(48):
        observation, *_ = env.step(np.zeros(1, np.float32))
    assert observation[6] == pytest.approx(
        traces.load_kw[0, step + 48]
    )  # the step after the end, to bootstrap from


def test_traces_beyond_the_observation_are_refused(traces: Traces) -> None:
    wrong = Traces(traces.load_kw * 200, traces.pv_kw, traces.time, traces.homes)
    with pytest.raises(ValueError, match=r"load_kw runs from .* outside 0 to 100 kW"):
        HomeEnv(wrong, episode_days=1)
    with pytest.raises(ValueError, match="pv_kw runs from"):
        HomeEnv(traces, Home(pv_capacity_kwp=500), episode_days=1)


@pytest.mark.parametrize("tariff", [Tariff.with_demand(), Tariff.two_way_export()])
def test_the_steps_sum_to_the_bill_of_any_tariff(traces: Traces, tariff: Tariff) -> None:
    env = HomeEnv(traces, Home(tariff=tariff), episode_days=4, check=True)
    run = simulate(env, noisy, options={"home": "a", "start": "2030-01-02"})
    expected = bill(run.import_kw, run.export_kw, tariff, env.time, traces.time_zone)
    assert run.cost == pytest.approx(expected.total, rel=1e-9)
    assert len(env.observation_space.low) == 26 + len(tariff.demand)


def test_a_tariff_on_wholesale_prices_needs_them(traces: Traces) -> None:
    home = Home(tariff=Tariff.wholesale())
    with pytest.raises(ValueError, match="no wholesale price is given"):
        HomeEnv(traces, home, episode_days=1).reset()
    spot = np.linspace(-0.05, 0.3, len(traces.time))
    source = TraceSource(traces, 48, given={"wholesale_per_kwh": spot})
    env = HomeEnv(home=home, source=source)
    run = simulate(env, noisy, options={"home": "a", "start": "2030-01-02"})
    at = env.window.first
    expected = bill(run.import_kw, run.export_kw, home.tariff, env.time, traces.time_zone, spot[at : at + 48])
    assert run.cost == pytest.approx(expected.total, rel=1e-9)
