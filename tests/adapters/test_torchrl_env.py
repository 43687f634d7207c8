"""A fleet is a TorchRL environment, with the numbers of the fleet, that can be reset by parts and differentiated."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from hidiff.adapters.torchrl_env import to_torchrl
from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import Fleet, HomeEnv
from hidiff.envs.variants import FULL, VARIANTS
from hidiff.home import Home
from hidiff.market import Market

utils = pytest.importorskip("torchrl.envs.utils")
TRACES = synthetic_homes(4, 20)
KINDS: dict[str, dict[str, Any]] = {
    "a home each": {},
    "a community each": {"homes_per_env": 3, "market": Market(rule="mid_market_rate")},
    "all devices": {"homes": FULL, "homes_per_env": 2},
    "in double precision": {"dtype": "float64", "homes": Home(import_limit_kw=1.0)},
}


@pytest.fixture(autouse=True)
def _warnings_of_torchrl() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def fleet(kind: str = "a home each", **settings: Any) -> Fleet:
    return Fleet(TRACES, **{"envs": 3, "episode_days": 1, "device": "cpu"} | KINDS[kind] | settings)


def of(env: Any, tensordict: Any, name: str) -> torch.Tensor:
    found: torch.Tensor = tensordict[("agents", name) if env.fleet.homes_per_env > 1 else name]
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [None, 3])
def test_the_checker_of_torchrl_passes_on_a_fleet(kind: str, seed: int | None) -> None:
    utils.check_env_specs(to_torchrl(fleet(kind)), seed=seed)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_checker_of_torchrl_passes_on_a_home(variant: str) -> None:
    gym = pytest.importorskip("torchrl.envs.libs.gym")
    utils.check_env_specs(gym.GymWrapper(HomeEnv(**VARIANTS[variant], episode_days=1)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_over_the_end_has_the_numbers_of_the_fleet_and_stays_in_its_specs(kind: str) -> None:
    env, twin = to_torchrl(fleet(kind), seed=5), fleet(kind)
    torch.manual_seed(0)
    rollout = env.rollout(70, break_when_any_done=False)
    random = np.random.default_rng(5)
    seen = twin.reset(random)
    for step in range(70):
        now = rollout[:, step]
        assert torch.equal(of(env, now, "observation").reshape(seen.shape), seen)
        moved = twin.step(of(env, now, "action").reshape(3, twin.homes_per_env, -1))
        assert torch.equal(of(env, now["next"], "reward").reshape(moved.reward.shape), moved.reward)
        info = of(env, now["next"], "info")
        assert torch.equal(info["cost"].reshape(moved.cost.shape), moved.cost)
        assert now["next", "truncated"].tolist() == now["next", "done"].tolist()
        assert now["next", "truncated"].all() == (step == 47)
        assert not now["next", "terminated"].any()
        seen = twin.reset(random, moved.is_over) if moved.is_over.any() else moved.observation
        assert env.observation_spec.is_in(now.select(*env.observation_spec.keys()))


def test_environments_are_reset_by_parts() -> None:
    env = to_torchrl(fleet(), seed=1)
    first = env.reset()
    for _ in range(5):
        first = env.step(env.rand_action(first))["next"]
    part = torch.tensor([[False], [True], [False]])
    again = env.reset(first.clone().set("_reset", part))
    assert torch.equal(again["observation"][[0, 2]], first["observation"][[0, 2]])
    assert again["observation"][1, 5] == 0.5  # the battery stands at its start
    assert first["observation"][1, 5] != 0.5


def test_environments_are_stepped_by_parts() -> None:
    env = to_torchrl(fleet(), seed=1)
    first = env.reset()
    part = torch.tensor([[True], [False], [True]])
    step = env.rand_action(first.clone()).set("_step", part)
    after = env.step(step)["next"]
    assert torch.equal(after["observation"][1], first["observation"][1])
    assert not torch.equal(after["observation"][0], first["observation"][0])
    assert after["reward"][1] == 0 and after["reward"][0] != 0


def test_seeds_choose_episodes() -> None:
    env = to_torchrl(fleet())
    seen = []
    for seed in (1, 2, 1):
        env.set_seed(seed)
        seen.append(env.reset()["observation"])
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("homes_per_env", [1, 2])
def test_gradients_flow_through_a_rollout_if_asked(homes_per_env: int) -> None:
    settings: dict[str, Any] = {"homes_per_env": homes_per_env, "dtype": "float64"}

    def earned(grad: bool) -> tuple[torch.Tensor, torch.Tensor]:
        env = to_torchrl(fleet(grad=grad, **settings), seed=0)
        share = torch.full((), 0.1, dtype=torch.float64, requires_grad=True)

        def policy(tensordict: Any) -> Any:
            key = env.action_keys[0]
            return tensordict.set(key, share.expand(env.full_action_spec[key].shape))

        return of(env, env.rollout(48, policy)["next"], "reward").sum(), share

    reward, share = earned(True)
    (slope,) = torch.autograd.grad(reward, share)
    assert torch.isfinite(slope)
    width = 1e-6
    env = to_torchrl(fleet(grad=False, **settings), seed=0)
    sums = []
    for value in (0.1 - width, 0.1 + width):
        env.set_seed(0)
        env.fleet.reset(np.random.default_rng(0))
        shape = (3, homes_per_env, 1)
        sums.append(
            sum(env.fleet.step(torch.full(shape, value, dtype=torch.float64)).reward.sum() for _ in range(48))
        )
    assert slope.item() == pytest.approx(float(sums[1] - sums[0]) / (2 * width), rel=1e-4)
    assert not earned(False)[0].requires_grad


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match="computes in NumPy"):
        to_torchrl(Fleet(TRACES, episode_days=1))
    with pytest.raises(ValueError, match="the fleet is on cpu; make one with device='cuda'"):
        to_torchrl(fleet()).to("cuda")
    env = to_torchrl(fleet())
    assert env.to("cpu") is env
