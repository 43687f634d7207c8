"""A fleet is a ``VecEnv`` that Stable-Baselines3 learns from, with the numbers of the fleet."""

from typing import Any

import numpy as np
import pytest

from hidiff.adapters.sb3 import learn_together, to_sb3_vecenv, to_sb3_vecenvs
from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import HomeVectorEnv, core
from hidiff.envs.fleet import Fleet
from hidiff.market import Market

sb3 = pytest.importorskip("stable_baselines3")


def test_agents_are_the_homes_and_an_end_is_told_as_a_truncation() -> None:
    traces = synthetic_homes(4, 10)
    env = to_sb3_vecenv(Fleet(traces, envs=2, homes_per_env=2, episode_days=1, dtype="float64"), seed=3)
    twin = Fleet(traces, envs=2, homes_per_env=2, episode_days=1, dtype="float64")
    expected = twin.reset(np.random.default_rng(3))
    assert np.allclose(env.reset().reshape(expected.shape), expected)
    random, bill = np.random.default_rng(0), np.zeros((2, 2))
    for step in range(48):
        actions = random.uniform(-1, 1, (4, 1)).astype(np.float32)
        seen, reward, over, infos = env.step(actions)
        moved = twin.step(actions.reshape(2, 2, 1).astype(float))
        bill += moved.cost
        assert np.allclose(reward, moved.reward.reshape(-1), atol=1e-6)
        assert over.all() == (step == 47)
    assert all(info["TimeLimit.truncated"] for info in infos)
    assert np.allclose([info["terminal_observation"] for info in infos], moved.observation.reshape(4, -1))
    assert np.allclose([info["bill"] for info in infos], bill.reshape(-1))
    assert not np.allclose(seen, moved.observation.reshape(4, -1))  # a new episode has begun


def test_a_policy_of_ppo_learns_from_a_vector_of_homes_and_from_a_community() -> None:
    traces = synthetic_homes(4, 10)
    market = Market(rule="mid_market_rate")
    for fleet in (
        HomeVectorEnv(4, traces, episode_days=1),
        Fleet(traces, envs=2, homes_per_env=2, episode_days=1, market=market),
    ):
        env = to_sb3_vecenv(fleet)
        model = sb3.PPO("MlpPolicy", env, n_steps=16, batch_size=32, n_epochs=1, seed=0, device="cpu")
        before = {name: value.clone() for name, value in model.policy.state_dict().items()}
        model.learn(64)
        assert any((value != before[name]).any() for name, value in model.policy.state_dict().items())


def test_a_fleet_in_torch_is_refused() -> None:
    with pytest.raises(ValueError, match="device=None"):
        to_sb3_vecenv(Fleet(synthetic_homes(2, 5), episode_days=1, device="cpu"))


def test_learners_of_their_own_meet_at_every_step_of_the_community() -> None:
    fleet = Fleet(synthetic_homes(4, 10), envs=2, homes_per_env=3, episode_days=1, market=Market())
    envs = to_sb3_vecenvs(fleet)
    learners = [
        sb3.PPO("MlpPolicy", env, n_steps=16, batch_size=16, n_epochs=1, seed=0, device="cpu") for env in envs
    ]
    learn_together(learners, 64)
    assert [learner.num_timesteps for learner in learners] == [64, 64, 64]
    weights = [learner.policy.action_net.weight.detach().numpy() for learner in learners]
    assert not np.array_equal(weights[0], weights[1])  # each learnt from its own home
    with pytest.raises(ValueError, match="2 learners for 3 homes"):
        learn_together(learners[:2], 64)


def test_a_learner_that_fails_wakes_the_others_and_its_error_is_raised() -> None:
    fleet = Fleet(synthetic_homes(2, 5), homes_per_env=2, episode_days=1)
    learners = [
        sb3.PPO("MlpPolicy", env, n_steps=16, batch_size=16, n_epochs=1, device="cpu")
        for env in to_sb3_vecenvs(fleet)
    ]

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("on purpose")

    learners[1].train = fail
    with pytest.raises(RuntimeError, match="on purpose"):
        learn_together(learners, 64)


def test_on_the_rule_no_action_is_self_consumption_and_the_reward_is_what_it_saves() -> None:
    traces = synthetic_homes(2, 5)
    fleet, twin = (Fleet(traces, envs=2, episode_days=1, dtype="float64") for _ in range(2))
    env = to_sb3_vecenv(fleet, seed=1, on_rule=True)
    env.reset()
    twin.reset(np.random.default_rng(1))
    told = np.zeros((2, 1))
    saved = np.zeros((2, 1))
    for _ in range(48):
        outside = twin.outside()
        surplus_kw = outside.pv_kw - outside.load_kw
        moved = twin.step(asked=core.Request(battery_kw=surplus_kw))
        _, reward, _, _ = env.step(np.zeros((2, 1), np.float32))
        idle = (
            np.where(surplus_kw < 0, -surplus_kw * outside.import_price, -surplus_kw * outside.export_price)
            * 0.5
        )
        told += reward[:, None]
        saved += idle + moved.reward
    assert np.allclose(told, saved, atol=1e-5)
