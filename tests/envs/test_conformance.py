"""Every registered environment passes the checkers of Gymnasium and Stable-Baselines3, and keeps seeds."""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.passive_env_checker import env_render_passive_checker

import hidiff.envs
from hidiff.envs.variants import COMMUNITY, VARIANTS

ROOT = Path(__file__).resolve().parents[2]
IDS = [*VARIANTS, COMMUNITY]
SHORT = {"episode_days": 1}
OFFLINE = """
import socket, sys

def refused(*arguments, **settings):
    raise OSError("the network is out of bounds")

for name in ("connect", "connect_ex", "bind", "sendto"):
    setattr(socket.socket, name, refused)
socket.create_connection = socket.getaddrinfo = refused

import gymnasium, hidiff.envs
assert "matplotlib" not in sys.modules
from hidiff.envs.variants import COMMUNITY, VARIANTS
for name in [*VARIANTS, COMMUNITY]:
    env = gymnasium.make(name)
    seen, _ = env.reset()
    assert env.observation_space.contains(seen)
print("ready")
"""


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def rolled(env: gymnasium.Env[Any, Any], seed: int, steps: int = 12) -> tuple[Any, ...]:
    """Observations, rewards and infos of a few steps of sampled actions."""
    env.action_space.seed(seed)
    seen, info = env.reset(seed=seed)
    told = [(seen, 0.0, info)]
    for _ in range(steps):
        seen, reward, _, _, info = env.step(env.action_space.sample())
        told.append((seen, reward, info))
    observations, rewards, infos = zip(*told, strict=True)
    return np.stack(observations), np.array(rewards), infos


def test_every_id_of_the_package_is_checked_here() -> None:
    registered = {name for name in gymnasium.registry if name.startswith("hidiff/")}
    assert registered == set(IDS)


@pytest.mark.parametrize("render_mode", [None, "rgb_array"])
@pytest.mark.parametrize("name", IDS)
def test_gymnasiums_checker_passes(name: str, render_mode: str | None) -> None:
    check_env(gymnasium.make(name, render_mode=render_mode, **SHORT).unwrapped)


@pytest.mark.parametrize("name", IDS)
def test_the_checker_of_stable_baselines_passes(name: str) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    warnings.filterwarnings("ignore", message=".*normalize")  # of advice, for the units of the observation
    env: Any = gymnasium.make(name, render_mode="rgb_array", **SHORT).unwrapped
    checker.check_env(env, warn=True, skip_render_check=False)


@pytest.mark.parametrize("name", IDS)
def test_every_step_can_be_drawn_and_the_picture_follows_the_episode(name: str) -> None:
    env = gymnasium.make(name, render_mode="rgb_array", **SHORT).unwrapped
    env.reset(seed=0)
    pictures = [env.render()]
    for _ in range(20):
        env.step(env.action_space.sample())
        env_render_passive_checker(env)
        pictures.append(env.render())
    for before, after in pairwise(pictures):
        assert isinstance(after, np.ndarray)
        assert after.shape == (600, 800, 3)
        assert after.dtype == np.uint8
        assert (before != after).any()
    assert env.metadata["render_fps"] > 0
    assert gymnasium.make(name, **SHORT).unwrapped.render() is None
    with pytest.raises(ValueError, match="render_mode is 'ansi'"):
        type(env)(render_mode="ansi")  # type: ignore[call-arg]


@pytest.mark.parametrize("name", IDS)
def test_a_seed_gives_one_episode_and_another_seed_another(name: str) -> None:
    env, twin = gymnasium.make(name, **SHORT), gymnasium.make(name, **SHORT)
    first, again, other = rolled(env, 1), rolled(env, 1), rolled(env, 2)
    for told in (again, rolled(twin, 1)):
        assert np.array_equal(first[0], told[0])
        assert np.array_equal(first[1], told[1])
        np.testing.assert_equal(first[2], told[2])
    assert not np.array_equal(first[0][0], other[0][0])
    starts = {str(env.reset(seed=seed)[1]["start"]) for seed in range(20)}
    assert len(starts) > 5
    unseeded = {str(env.reset()[1]["start"]) for _ in range(20)}
    assert len(unseeded) > 5


@pytest.mark.parametrize("name", IDS)
def test_global_random_numbers_are_neither_used_nor_moved(name: str) -> None:
    def state() -> str:
        return str(np.random.get_state(legacy=False))  # noqa: NPY002 (what is tested)

    before = state()
    first = rolled(gymnasium.make(name, **SHORT), 3)
    assert state() == before
    np.random.seed(7)  # noqa: NPY002 (what is tested)
    assert np.array_equal(first[0], rolled(gymnasium.make(name, **SHORT), 3)[0])


@pytest.mark.parametrize("name", IDS)
def test_an_episode_is_truncated_once_and_never_terminated(name: str) -> None:
    env = gymnasium.make(name, **SHORT)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(48)]
    assert ends == [(False, False)] * 47 + [(False, True)]
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(env.action_space.sample())


@pytest.mark.parametrize("name", IDS)
def test_observations_stay_within_their_space_to_the_end(name: str) -> None:
    env = gymnasium.make(name, **SHORT)
    for seed in range(3):
        seen, _ = env.reset(seed=seed)
        env.action_space.seed(seed)
        is_over = False
        while not is_over:
            assert env.observation_space.contains(seen)
            seen, reward, _, is_over, _ = env.step(env.action_space.sample())
            assert type(reward) is float
        assert env.observation_space.contains(seen)


def test_an_import_and_the_first_episode_work_without_network_and_without_matplotlib(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": "", "PYTHONPATH": ":".join([str(ROOT), *sys.path]), "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.strip() == "ready", done.stderr[-2000:]


def test_the_offline_test_would_see_a_call_to_the_network() -> None:
    code = (
        OFFLINE.split("import gymnasium")[0] + "import urllib.request as u; u.urlopen('http://127.0.0.1:9')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "out of bounds" in done.stderr


def test_what_is_loaded_when_asked_for_is_there() -> None:
    assert hidiff.envs.write_report.__module__ == "hidiff.envs.report"
    for name in hidiff.envs.__all__:
        assert getattr(hidiff.envs, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'writes_report'"):
        hidiff.envs.writes_report  # noqa: B018
