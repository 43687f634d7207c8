"""``HomeVectorEnv`` is a Gymnasium vector environment, equal to as many ``HomeEnv`` side by side."""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_match import check_environments_match
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from hidiff.data.traces import Traces
from hidiff.envs import Forecast, HomeEnv, HomeVectorEnv
from hidiff.envs.variants import FULL, VARIANTS
from hidiff.home import Battery, Home, Tariff

HOMES = {
    "limited": Home(
        battery=Battery(loss_per_kw=0.004, standby_kw=0.02, cycle_fade=1e-4, replacement_cost=8000),
        import_limit_kw=2,
    ),
    "no battery": Home(battery=None, tariff=Tariff.flat()),
    "everything": FULL,
}


def assert_same(first: Any, second: Any, where: str) -> None:
    if isinstance(first, dict):
        assert set(first) == set(second), where
        for name in first:
            assert_same(first[name], second[name], f"{where} {name}")
    elif isinstance(first, np.ndarray) and first.dtype == object:
        for one, other in zip(first, second, strict=True):
            assert_same(one, other, where)
    elif isinstance(first, (np.ndarray, float)):
        assert np.allclose(np.asarray(first, float), np.asarray(second, float), atol=1e-6), where
    else:
        assert first == second, where


@pytest.mark.parametrize("name", list(HOMES))
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_number_is_that_of_homes_side_by_side(traces: Traces, name: str, mode: AutoresetMode) -> None:
    def make() -> HomeEnv:
        return HomeEnv(traces, HOMES[name], episode_days=1)

    envs = SyncVectorEnv([make] * 3, autoreset_mode=mode)
    ours = HomeVectorEnv(3, traces, HOMES[name], episode_days=1, autoreset_mode=mode)
    for one, other in zip(envs.reset(seed=3), ours.reset(seed=3), strict=True):
        assert_same(one, other, "reset")
    random, over = np.random.default_rng(0), 0
    for step in range(110):
        actions = random.uniform(-1, 1, ours.action_space.shape).astype(np.float32)
        expected, found = envs.step(actions), ours.step(actions)
        for what, one, other in zip(
            ("seen", "reward", "terminated", "truncated", "info"), expected, found, strict=True
        ):
            assert_same(one, other, f"step {step}: {what}")
        over += int(found[3].sum())
        if mode is AutoresetMode.DISABLED and found[3].any():
            masks = found[3].copy(), found[3].copy()
            one, other = (
                env.reset(options={"reset_mask": mask}) for env, mask in zip((envs, ours), masks, strict=True)
            )
            assert_same(one[0], other[0], "masked reset")
    assert over >= 6
    for text, action in (("reach 2", 2.0), ("reach nan", np.nan)):
        with pytest.raises(ValueError, match=text):
            ours.step(np.full(ours.action_space.shape, action))


@pytest.mark.parametrize("kind", ["perfect", "persistence"])
def test_the_forecast_is_that_of_homes_side_by_side_to_the_last_observation(
    traces: Traces, kind: Any
) -> None:
    told = Forecast(kind=kind, horizon_steps=48)
    envs = SyncVectorEnv([lambda: HomeEnv(traces, episode_days=2, forecast=told)] * 2)
    ours = HomeVectorEnv(2, traces, episode_days=2, forecast=told)
    options = {"home": "a", "start": "2030-01-05"}  # home b has a gap, where the two fill in otherwise
    assert_same(envs.reset(options=dict(options))[0], ours.reset(options=dict(options))[0], "reset")
    for step in range(96):
        actions = np.zeros((2, 1), np.float32)
        assert_same(envs.step(actions)[0], ours.step(actions)[0], f"step {step}")


def test_environments_may_be_reset_by_halves(traces: Traces) -> None:
    ours = HomeVectorEnv(2, traces, episode_days=1, autoreset_mode="Disabled")
    ours.reset(seed=0)
    for _ in range(5):
        seen, *_ = ours.step(np.ones((2, 1), np.float32))
    again, info = ours.reset(
        options={"reset_mask": np.array([False, True]), "home": "a", "start": "2030-01-03"}
    )
    assert np.array_equal(again[0], seen[0])
    assert info["home"].tolist() == [None, "a"]
    assert again[1, 5] == pytest.approx(0.5)
    with pytest.raises(ValueError, match="reset_mask is"):
        ours.reset(options={"reset_mask": np.array([1, 0])})
    with pytest.raises(ValueError, match="unknown option 'homes'"):
        ours.reset(options={"homes": "a"})


def test_a_step_after_the_end_asks_for_a_reset(traces: Traces) -> None:
    ours = HomeVectorEnv(2, traces, episode_days=1, autoreset_mode=AutoresetMode.DISABLED)
    with pytest.raises(gymnasium.error.ResetNeeded):
        ours.step(np.zeros((2, 1), np.float32))
    ours.reset(seed=0)
    for _ in range(48):
        ours.step(np.zeros((2, 1), np.float32))
    with pytest.raises(gymnasium.error.ResetNeeded):
        ours.step(np.zeros((2, 1), np.float32))


@pytest.mark.parametrize("name", list(VARIANTS))
@pytest.mark.filterwarnings("error")
def test_make_vec_makes_every_registered_environment_in_every_mode(name: str) -> None:
    for mode in ("vector_entry_point", "sync"):
        env = gymnasium.make_vec(name, num_envs=2, vectorization_mode=mode)
        seen, _ = env.reset(seed=1)
        assert env.observation_space.contains(seen)
        env.action_space.seed(1)
        seen, reward, *_ = env.step(env.action_space.sample())
        assert env.observation_space.contains(seen)
        assert reward.shape == (2,)
        env.close()


class AsOne(gymnasium.Env[Any, Any]):
    """A vector of one seen as a single environment."""

    def __init__(self, make: Callable[[], HomeVectorEnv]) -> None:
        self.env = make()
        self.observation_space = self.env.single_observation_space
        self.action_space = self.env.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        seen, info = self.env.reset(seed=seed, options=options)
        return seen[0], self._of_one(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        seen, reward, terminated, truncated, info = self.env.step(np.asarray(action)[None])
        return seen[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), self._of_one(info)

    @staticmethod
    def _of_one(info: dict[str, Any]) -> dict[str, Any]:
        return {name: values[0] for name, values in info.items() if not name.startswith("_")}


def test_gymnasiums_own_match_of_environments_holds_for_scalar_and_batch(traces: Traces) -> None:
    check_environments_match(
        HomeEnv(traces, FULL, episode_days=3),
        AsOne(lambda: HomeVectorEnv(1, traces, FULL, episode_days=3)),
        num_steps=140,
        seed=5,
        info_comparison="keys-superset",
    )
