"""A policy that follows the gradient through the physics learns what pays, and is kept on disk as it is."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hidiff.data.synthetic import synthetic_homes
from hidiff.envs import Fleet, HomeEnv
from hidiff.envs.learn import HomePolicy, LearnConfig, learn, load_policy, run, save_policy
from hidiff.errors import CheckpointError
from hidiff.home import Battery, Home, Period, Tariff

NIGHT_AND_DAY = Home(
    battery=Battery(capacity_kwh=6, charge_max_kw=3, discharge_max_kw=3),
    tariff=Tariff(import_price_per_kwh=0.5, periods=(Period(price_per_kwh=0.1, start_h=0, end_h=6),)),
    pv_capacity_kwp=0.0,
)


def fleet(grad: bool = True) -> Fleet:
    return Fleet(synthetic_homes(8, 20), NIGHT_AND_DAY, envs=16, episode_days=2, device="cpu", grad=grad)


def test_a_policy_learns_to_fill_the_battery_by_night() -> None:
    config = LearnConfig(iterations=40, learning_rate=0.02, progress=False)
    learnt, test = learn(fleet(), config), fleet(grad=False)
    untrained = HomePolicy(learnt.features, learnt.devices, learnt.span_kw)
    rows, first = np.arange(16)[:, None] % 8, np.repeat(48 * np.arange(2), 8)
    before, after = (
        run(test, one, np.random.default_rng(0), rows=rows, first=first)[0] for one in (untrained, learnt)
    )
    assert after.mean() > before.mean() + 1.0
    assert (after > before).all()


def test_learning_is_the_same_again_and_leaves_global_random_numbers_alone() -> None:
    config = LearnConfig(iterations=2, progress=False)
    state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one, other = learn(fleet(), config), learn(fleet(), config)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())
    assert torch.equal(state[0], torch.random.get_rng_state())
    assert np.array_equal(state[1], np.random.get_state()[1])  # noqa: NPY002


def test_a_policy_acts_in_the_environment_as_in_the_fleet_and_survives_the_disk(tmp_path: Path) -> None:
    learnt = learn(fleet(), LearnConfig(iterations=2, progress=False))
    save_policy(learnt, tmp_path / "policy")
    kept = load_policy(tmp_path / "policy")
    env = HomeEnv(synthetic_homes(8, 20), NIGHT_AND_DAY, episode_days=2)
    seen, _ = env.reset(seed=1)
    action = kept.act(seen)
    assert env.action_space.contains(action)
    assert np.array_equal(action, learnt.act(seen))
    with pytest.raises(CheckpointError, match="does not exist"):
        load_policy(tmp_path / "none")


def test_what_cannot_learn_is_refused() -> None:
    with pytest.raises(ValueError, match="grad=True"):
        learn(fleet(grad=False))
    homes = synthetic_homes(2, 5)
    with pytest.raises(ValueError, match="no home of the fleet has a battery"):
        learn(Fleet(homes, Home(battery=None), episode_days=1, device="cpu", grad=True))
