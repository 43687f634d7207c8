"""What a home records of an episode is what its infos and its series say, in the shape that indicators read."""

from pathlib import Path

import gymnasium
import numpy as np
import pytest

from hidiff.data.traces import Traces
from hidiff.envs import Episode, HomeEnv, compare, do_nothing, self_consumption, simulate, write_report
from hidiff.envs.kpis import kpis
from hidiff.envs.variants import FULL
from hidiff.home import Home

OPTIONS = {"home": "a", "start": "2030-01-02"}


def test_the_record_is_what_infos_and_series_say(traces: Traces) -> None:
    env = HomeEnv(traces, FULL, episode_days=2)
    env.action_space.seed(0)
    env.reset(options=OPTIONS)
    infos = [env.step(env.action_space.sample())[4] for _ in range(60)]
    told = Episode.from_steps(infos, env.time[:60], traces.time_zone)
    assert set(told.arrays) < set(env.episode.arrays)
    for name, values in told.arrays.items():
        np.testing.assert_array_equal(env.episode[name], values, err_msg=name)
    for name in ("import_price", "outdoor_c", "car_is_home", "hot_water_kw"):
        np.testing.assert_array_equal(env.episode[name], env.series[name][:60], err_msg=name)
    np.testing.assert_array_equal(env.episode["appliance_request_0"], env.series["appliance_request"][:60, 0])
    assert env.episode.start["battery_kwh"] == FULL.battery.energy_initial_kwh  # type: ignore[union-attr]
    assert env.episode.time.equals(env.time[:60])
    assert env.episode.homes == ("a",)


def test_a_simulated_episode_has_its_indicators_and_report_in_one_line(
    traces: Traces, tmp_path: Path
) -> None:
    env = HomeEnv(traces, episode_days=2)
    runs = {rule.__name__: simulate(env, rule, options=OPTIONS) for rule in (do_nothing, self_consumption)}
    table = compare({name: run.episode for name, run in runs.items()}, env.home)
    for name, run in runs.items():
        assert table.loc["bill", name] == pytest.approx(run.cost)
        assert table.loc["total_cost", name] == pytest.approx(-run.reward.sum())
    assert table.loc["bill", "do_nothing"] > table.loc["bill", "self_consumption"]
    page = write_report(
        {name: run.episode for name, run in runs.items()}, tmp_path / "report.html", home=env.home
    )
    assert "self_consumption" in page.read_text(encoding="utf-8")


def test_what_a_home_lacks_is_not_in_its_record(traces: Traces) -> None:
    bare = simulate(HomeEnv(traces, Home(battery=None), episode_days=1), do_nothing, options=OPTIONS).episode
    assert not {"battery_kw", "car_kw", "air_c", "tank_kw", "appliance_kw"} & set(bare.arrays)
    assert not bare.start
    assert "battery_throughput_kwh" not in kpis(bare)


def test_a_record_begins_anew_with_an_episode_and_needs_a_step(traces: Traces) -> None:
    env = HomeEnv(traces, episode_days=1, render_mode="rgb_array")
    for what in (lambda: env.episode, env.render):
        with pytest.raises(gymnasium.error.ResetNeeded):
            what()
    first = simulate(env, self_consumption, options=OPTIONS).episode
    env.reset(options=OPTIONS)
    with pytest.raises(gymnasium.error.ResetNeeded, match="nothing has happened"):
        env.episode  # noqa: B018
    env.step(np.zeros(1, np.float32))
    assert env.episode.steps == 1
    assert first.steps == 48  # one that was taken stays


def test_a_picture_late_in_an_episode_is_that_of_the_whole_record(traces: Traces) -> None:
    from hidiff.envs.render import frame

    env = HomeEnv(traces, FULL, episode_days=5, render_mode="rgb_array")
    run = simulate(env, self_consumption, options=OPTIONS)
    np.testing.assert_array_equal(env.render(), frame(run.episode, FULL))
