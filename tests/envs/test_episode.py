"""``Episode``: what it accepts, how it is made of steps, and that it survives a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hidiff.data.traces import Traces
from hidiff.envs import HomeEnv, do_nothing
from hidiff.envs.episode import Episode

TIME = pd.date_range("2030-03-30", periods=6, freq="30min", tz="UTC")


def episode(**changes: Any) -> Episode:
    given: dict[str, Any] = {
        "time": TIME,
        "time_zone": "Australia/Sydney",
        "dt_h": 0.5,
        "arrays": {"import_kw": np.arange(6.0), "cost": np.ones(6)},
    }
    return Episode(**(given | changes))


def community() -> Episode:
    car_kw = np.column_stack([np.arange(6.0), np.full(6, np.nan)])
    return episode(
        homes=("a", "b"),
        arrays={"import_kw": np.arange(12.0).reshape(6, 2), "outdoor_c": np.arange(6.0), "car_kw": car_kw},
        start={"battery_kwh": np.array([3.0, np.nan])},
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dt_h": float("nan")}, "dt_h is nan"),
        ({"dt_h": 0.25}, "does not rise by dt_h=0.25 h"),
        ({"time": TIME.tz_localize(None)}, "has no zone"),
        ({"time": TIME[::-1]}, "does not rise"),
        ({"arrays": {"cost": np.ones(5)}}, r"cost has shape \(5,\)"),
        ({"arrays": {"cost": np.array([1, 1, np.nan, 1, 1, 1])}}, "missing or infinite in 1 places"),
        ({"homes": ("a", "a"), "arrays": {"cost": np.ones((6, 2))}}, "each home once"),
        ({"start": {"battery_kwh": np.ones(3)}}, "one value, or one a home"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        episode(**changes)


@pytest.mark.parametrize("made", [episode(), episode(start={"battery_kwh": np.array(2.5)}), community()])
def test_an_episode_survives_a_file(made: Episode, tmp_path: Path) -> None:
    back = Episode.from_parquet(made.to_parquet(tmp_path / "new" / "episode.parquet"))
    assert (back.time_zone, back.dt_h, back.homes) == (made.time_zone, made.dt_h, made.homes)
    assert back.time.equals(made.time) and str(back.time.tz) == "UTC"
    assert set(back.arrays) == set(made.arrays)
    for name, values in made.arrays.items():
        np.testing.assert_array_equal(back[name], values)
    for name, values in made.start.items():
        np.testing.assert_array_equal(back.start[name], values)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["episode.parquet"]


def test_another_parquet_file_is_no_episode(tmp_path: Path) -> None:
    episode().to_frame().to_parquet(tmp_path / "frame.parquet")
    with pytest.raises(ValueError, match="holds no episode"):
        Episode.from_parquet(tmp_path / "frame.parquet")


def test_one_home_of_a_community_keeps_what_it_has() -> None:
    b = community().of_home("b")
    assert b["import_kw"].tolist() == [1, 3, 5, 7, 9, 11]
    assert b["outdoor_c"].tolist() == [0, 1, 2, 3, 4, 5]
    assert "car_kw" not in b and not b.start and not b.is_community
    assert community().of_home("a").start["battery_kwh"] == 3
    with pytest.raises(ValueError, match="unknown home 'c'"):
        community().of_home("c")


def test_what_no_home_has_is_left_out() -> None:
    assert list(episode(arrays={"cost": np.ones(6), "car_kw": np.full(6, np.nan)}).arrays) == ["cost"]


def test_the_last_hours_forget_the_start() -> None:
    made = episode(start={"battery_kwh": np.array(2.5)})
    assert made.last(1)["import_kw"].tolist() == [4, 5]
    assert not made.last(1).start
    assert made.last(3) is made and made.last(99) is made


def test_a_frame_has_a_row_a_step_and_home() -> None:
    frame = community().to_frame()
    assert frame.loc[(TIME[2], "b"), "import_kw"] == 5
    assert frame.loc[(TIME[2], "b"), "outdoor_c"] == 2
    assert len(frame) == 12


def test_the_infos_of_an_environment_become_an_episode(traces: Traces) -> None:
    env = HomeEnv(traces, episode_days=1)
    env.reset(options={"home": "a"})
    infos = [env.step_request(do_nothing(env.state))[-1] | {"note": "x"} for _ in range(48)]
    infos[-1]["episode"] = 1.0  # what wrappers add at the end
    made = Episode.from_steps(infos, env.time, traces.time_zone)
    assert made.dt_h == 0.5 and "note" not in made and "episode" not in made
    balance = (
        made["load_kw"] + made["battery_kw"] + made["export_kw"] - made["import_kw"] - made["pv_used_kw"]
    )
    np.testing.assert_allclose(balance, 0, atol=1e-12)
    with pytest.raises(ValueError, match="48 infos and 47 times"):
        Episode.from_steps(infos, env.time[:47], traces.time_zone)


def test_infos_by_agent_and_requests_by_appliance_find_their_place() -> None:
    by_agent = [{"a": {"import_kw": t, "car_kw": 1}, "b": {"import_kw": -t}} for t in range(6)]
    made = Episode.from_steps(by_agent, TIME, "UTC")
    assert made.homes == ("a", "b")
    assert made["import_kw"][3].tolist() == [3, -3]
    assert np.isnan(made["car_kw"][:, 1]).all()
    requests = [{"appliance_request": (t == 1, t == 2)} for t in range(6)]
    one = Episode.from_steps(requests, TIME, "UTC")
    assert one["appliance_request_1"].tolist() == [0, 0, 1, 0, 0, 0]
    by_agent = [{"a": {"appliance_request": [0, t]}, "b": {"appliance_request": [t]}} for t in range(6)]
    made = Episode.from_steps(by_agent, TIME, "UTC")
    assert made["appliance_request_0"][5].tolist() == [0, 5]
    assert made.of_home("a")["appliance_request_1"].tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="another shape"):
        Episode.from_steps([{"x": 1.0}] * 5 + [{"x": [1.0]}], TIME, "UTC")
    with pytest.raises(ValueError, match=r"name the homes with homes="):
        Episode.from_steps([{"import_kw": np.ones(3)}] * 6, TIME, "UTC")
    named = Episode.from_steps([{"import_kw": np.ones(3)}] * 6, TIME, "UTC", homes=["a", "b", "c"])
    assert named["import_kw"].shape == (6, 3)
