"""``Community`` and ``CommunityCentralEnv`` pass the checks of PettingZoo, Gymnasium, TorchRL and RLlib."""

import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import Community, CommunityCentralEnv
from hidiff.envs.variants import CAR, FULL, HEAT
from hidiff.home import Battery, Home, HotWaterTank
from hidiff.market import Market
from tests.adapters.reader_environments import run

pytest.importorskip("pettingzoo")
from pettingzoo.test import (
    api_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
    state_test,
)
from pettingzoo.utils import parallel_to_aec

STREET = synthetic_homes(4, 40)
HOMES = [Home(), Home(battery=None), Home(tank=HotWaterTank()), Home(battery=Battery(capacity_kwh=4))]
KINDS: dict[str, dict[str, Any]] = {
    "alike": {"homes_per_env": 3},
    "padded": {"homes": HOMES, "shares_prices": True, "market": Market(rule="mid_market_rate")},
    "every device": {"homes": [FULL, Home(battery=None), HEAT, CAR], "market": Market(rule="bill_sharing")},
    "own": {"homes": HOMES, "padded": False},
    "bids": {"homes": HOMES, "market": Market(rule="uniform_price_auction"), "bids": True, "reward": "mixed"},
}


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def community(kind: str, episode_days: float = 30, **settings: Any) -> Community:
    return Community(STREET, episode_days=episode_days, **KINDS[kind], **settings)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_parallel_environment(kind: str) -> None:
    parallel_api_test(community(kind), num_cycles=1000)
    parallel_api_test(community(kind, episode_days=1), num_cycles=1000)  # with an end


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_are_kept_in_parallel(kind: str) -> None:
    parallel_seed_test(lambda: community(kind), num_cycles=500)


@pytest.mark.parametrize("kind", KINDS)
def test_agents_may_take_turns(kind: str) -> None:
    if kind == "own":  # the check warns of spaces that differ, which is what padded=False is for
        warnings.filterwarnings("ignore", message="Agents have different observation space sizes")
        warnings.filterwarnings("ignore", message="Observations are different shapes")
    warnings.filterwarnings(
        "ignore", message=".*`(observation|action)_spaces` dictionary is deprecated"
    )  # it asks itself
    api_test(parallel_to_aec(community(kind, episode_days=2)), num_cycles=1000)
    seed_test(lambda: parallel_to_aec(community(kind, episode_days=2)), num_cycles=300)


@pytest.mark.parametrize("kind", KINDS)
def test_its_state_is_one(kind: str) -> None:
    state_test(parallel_to_aec(community(kind)), community(kind), num_cycles=40)


def test_it_draws_itself() -> None:
    def drawn(render_mode: str) -> Any:
        # the check first asks for "human", to read from it which modes there are
        return parallel_to_aec(
            community("padded", render_mode=None if render_mode == "human" else render_mode)
        )

    render_test(drawn)
    env = community("padded", render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    for _ in range(20):
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert first is not None
    assert (first != env.render()).any()
    assert community("padded").render() is None


@pytest.mark.parametrize("kind", ["alike", "padded", "every device", "bids"])
def test_the_central_agent_is_a_gymnasium_environment(kind: str) -> None:
    settings = {name: value for name, value in KINDS[kind].items() if name != "reward"}
    env = gymnasium.make("hidiff/Community-v0", traces=STREET, episode_days=2, **settings)
    check_env(env.unwrapped)
    space = env.observation_space
    seen, _ = env.reset(seed=1)
    while True:
        assert space.contains(seen)
        seen, _, _, is_over, _ = env.step(env.action_space.sample())
        if is_over:
            break


def test_the_registered_environment_needs_no_arguments_and_no_data() -> None:
    check_env(gymnasium.make("hidiff/Community-v0").unwrapped)
    env = gymnasium.make("hidiff/Community-v0", render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    assert picture.dtype == np.uint8


def test_the_central_agent_earns_what_the_homes_earn() -> None:
    settings = KINDS["padded"]
    one, many = CommunityCentralEnv(STREET, episode_days=1, **settings), community("padded", episode_days=1)
    seen, info = one.reset(seed=5)
    many.reset(seed=5)
    assert info["homes"] == list(many.households.values())
    random = np.random.default_rng(0)
    for _ in range(48):
        assert np.array_equal(seen, many.state())
        action = random.uniform(-1, 1, one.action_space.shape).astype(np.float32)
        seen, reward, _, is_over, info = one.step(action)
        parts = dict(zip(many.agents, action.reshape(4, -1), strict=True))
        _, rewards, _, _, infos = many.step(parts)
        assert reward == pytest.approx(sum(rewards.values()), abs=1e-12)
        assert info["cost"].tolist() == [own["cost"] for own in infos.values()]
    assert is_over
    with pytest.raises(ValueError, match=r"must be \(8,\), 2 numbers for each home"):
        one.reset()
        one.step(np.zeros(3, np.float32))


@pytest.mark.parametrize("kind", ["padded", "every device", "bids"])
def test_torchrl_takes_it(kind: str) -> None:
    libs = pytest.importorskip("torchrl.envs.libs.pettingzoo")
    utils = pytest.importorskip("torchrl.envs.utils")
    warnings.simplefilter("default")  # of TorchRL's own
    env = libs.PettingZooWrapper(community(kind, infos=False), use_mask=False)
    utils.check_env_specs(env)


@pytest.mark.slow
def test_the_oldest_gymnasium_takes_it() -> None:
    printed = run(
        "gymnasium-1.2", "-m", "pytest", "-p", "no:cacheprovider", "tests/envs/test_community_conformance.py", "-v",
        "-m", "not slow", "-k", "parallel or turns or gymnasium or registered", timeout_s=600,
    )  # fmt: skip
    assert "failed" not in printed


RLLIB = """
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.tune.registry import register_env
from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import Community
from hidiff.envs.variants import CAR, FULL, HEAT
from hidiff.home import Battery, Home
from hidiff.market import Market

homes = [Home(), Home(battery=None), Home(battery=Battery(capacity_kwh=4))]

def make(config):
    return ParallelPettingZooEnv(
        Community(synthetic_homes(3, 35), homes, market=Market(), episode_days=1, shares_prices=True)
    )

register_env("community", make)
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
config = (
    PPOConfig().environment("community").env_runners(num_env_runners=0)
    .multi_agent(policies={"shared"}, policy_mapping_fn=lambda agent, *args, **kwargs: "shared")
    .training(train_batch_size=192, minibatch_size=64, num_epochs=1)
)
algorithm = config.build_algo()
result = algorithm.train()
print(result["env_runners"]["num_episodes"], result["env_runners"]["num_env_steps_sampled"])
algorithm.stop()
ray.shutdown()
"""


@pytest.mark.slow
def test_rllib_trains_a_shared_policy_for_an_iteration() -> None:
    episodes, steps = run("rllib", "-c", RLLIB, timeout_s=600).strip().splitlines()[-1].split()
    assert float(episodes) >= 1
    assert float(steps) >= 192
