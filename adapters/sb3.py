"""Fleets as Stable-Baselines3 ``VecEnv``: one policy for all homes, or one learner for each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hidiff.envs.fleet import Fleet
from hidiff.envs.vector import HomeVectorEnv

from .require import require

Floats = NDArray[np.floating]


class Stepped(NamedTuple):
    """A step of some homes of a fleet, ``(env, home, …)``."""

    seen: Floats
    """Observations, of the next episode where one was over."""
    reward: Floats
    is_over: NDArray[np.bool_]
    """``(env,)``"""
    last_seen: Floats
    """Observations before an episode that was over began anew."""
    bill: Floats
    """Of the episode so far [currency]."""


class View(Protocol):
    """Homes of a fleet that one policy runs."""

    fleet: Fleet
    homes: int

    def reset(self, seed: int | None) -> Floats:
        """Begin episodes; observations ``(env, home, feature)``."""

    def step(self, shares: Floats) -> Stepped:
        """Run a step at shares of the devices' powers, ``(env, home, device)``."""


class _AllHomes:
    """The whole fleet, whose episodes begin anew as soon as they are over."""

    def __init__(self, fleet: Fleet, seed: int, *, on_rule: bool = False) -> None:
        self.fleet, self.homes = fleet, fleet.homes_per_env
        self.on_rule = on_rule
        self._random = np.random.default_rng(seed)
        self._bill = np.zeros((fleet.envs, fleet.homes_per_env))

    def reset(self, seed: int | None) -> Floats:
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self._bill[:] = 0
        return np.asarray(self.fleet.reset(self._random))

    def step(self, shares: Floats) -> Stepped:
        idle: Any = 0.0
        before_kwh = self.fleet.stored_kwh() if self.on_rule else 0.0
        if self.on_rule:
            outside = self.fleet.outside()
            shares = on_self_consumption(self.fleet, outside.load_kw, outside.pv_kw, shares)
            net_kw = outside.load_kw - outside.pv_kw
            price = np.where(net_kw > 0, outside.import_price, outside.export_price)
            idle = net_kw * price * self.fleet.dt_h
        moved = self.fleet.step(shares)
        if self.on_rule:  # the same sum over an episode, but told at once
            idle = idle - moved.end_value + self.fleet.worth_per_kwh * (self.fleet.stored_kwh() - before_kwh)
        self._bill += moved.cost
        bill, seen = self._bill.copy(), moved.observation
        if moved.is_over.any():
            self._bill[moved.is_over] = 0
            seen = self.fleet.reset(self._random, moved.is_over)
        return Stepped(seen, moved.reward + idle, moved.is_over, moved.observation, bill)


class _Together:
    """Learners in threads of their own who meet at every step, which the last to arrive runs for all."""

    def __init__(self, everyone: _AllHomes) -> None:
        self.everyone = everyone
        fleet = everyone.fleet
        self.shares = np.zeros((fleet.envs, fleet.homes_per_env, len(fleet.action_names)))
        self.seed: int | None = None
        self.seen: Any = None
        self.stepped: Any = None
        self._at_reset = threading.Barrier(fleet.homes_per_env, self._reset)
        self._at_step = threading.Barrier(fleet.homes_per_env, self._step)

    def _reset(self) -> None:
        self.seen = self.everyone.reset(self.seed)

    def _step(self) -> None:
        self.stepped = self.everyone.step(self.shares)

    def wait_for_reset(self) -> None:
        self._at_reset.wait()

    def wait_for_step(self) -> None:
        self._at_step.wait()

    def give_up(self) -> None:
        """Wake the others when a learner fails."""
        self._at_reset.abort()
        self._at_step.abort()


class _OneHome:
    """One home of every environment; the others are run by other learners."""

    homes = 1

    def __init__(self, together: _Together, home: int) -> None:
        self.fleet, self.together, self.home = together.everyone.fleet, together, home

    def reset(self, seed: int | None) -> Floats:
        if self.home == 0:
            self.together.seed = seed
        self.together.wait_for_reset()
        return np.asarray(self.together.seen[:, self.home : self.home + 1])

    def step(self, shares: Floats) -> Stepped:
        mine = slice(self.home, self.home + 1)
        self.together.shares[:, mine] = shares
        self.together.wait_for_step()
        whole: Stepped = self.together.stepped
        seen, last_seen = whole.seen[:, mine], whole.last_seen[:, mine]
        return Stepped(seen, whole.reward[:, mine], whole.is_over, last_seen, whole.bill[:, mine])


def on_self_consumption(fleet: Fleet, load_kw: Floats, pv_kw: Floats, shares: Floats) -> Floats:
    """Shares of the devices' powers where the battery's begins at what the self-consumption rule does.

    0 and below is the rule, 1 charges at full power, and what lies between mixes them: discharging is held back first.

    Args:
        load_kw, pv_kw: of the step, ``(env, home)`` [kW].
        shares: ``(env, home, device)``, the battery first.
    """
    battery = fleet.home.battery
    surplus_kw = pv_kw - load_kw
    span_kw = np.where(surplus_kw > 0, battery.charge_span_kw, battery.discharge_span_kw)
    rule = np.clip(surplus_kw / np.maximum(span_kw, 1e-9), -1.0, 1.0)
    whole = np.array(shares, float)
    whole[..., 0] = rule + np.maximum(whole[..., 0], 0.0) * (1.0 - rule)
    return whole


def to_sb3_vecenv(env: Fleet | HomeVectorEnv, *, seed: int = 0, on_rule: bool = False) -> Any:
    """A ``stable_baselines3.common.vec_env.VecEnv`` with an agent for every home of every environment.

    Homes that share a community share the policy and keep their own rewards. An episode that is over begins anew at
    once; its last observation lies in ``infos[agent]["terminal_observation"]``, and ``TimeLimit.truncated`` is True, so
    that the learner values what comes after. ``infos[agent]["bill"]`` is the episode's bill.

    Args:
        env: a fleet that computes in NumPy (``device=None``), or a vector environment, whose fleet is used.
        seed: of the episodes that are drawn.
        on_rule: the battery's action begins at the self-consumption rule (`on_self_consumption`), the reward is
            counted against a battery that stands idle, and stored energy is paid for as it is stored instead of at the
            end. The optimum is the same, but a learner is told at once what an action is worth: without it, PPO and
            SAC do no better than an idle battery (docs/learning.md).

    Raises:
        DependencyMissing: Stable-Baselines3 is not installed.
        ValueError: a fleet in torch, whose tensors Stable-Baselines3 would copy out and back at every step.
    """
    fleet = env.fleet if isinstance(env, HomeVectorEnv) else env
    return _vec_env(_AllHomes(fleet, seed, on_rule=on_rule))


def to_sb3_vecenvs(fleet: Fleet, *, seed: int = 0) -> list[Any]:
    """A ``VecEnv`` for each home of a community, for learners of their own: see `learn_together`.

    Raises:
        DependencyMissing: Stable-Baselines3 is not installed.
        ValueError: a fleet in torch.
    """
    together = _Together(_AllHomes(fleet, seed))
    return [_vec_env(_OneHome(together, home)) for home in range(fleet.homes_per_env)]


def learn_together(learners: Sequence[Any], total_timesteps: int) -> None:
    """Let a learner of each home learn at the same time; they meet at every step of the community.

    Args:
        learners: on-policy learners (PPO, A2C) with the same settings, one on each of `to_sb3_vecenvs`, in order.
        total_timesteps: steps of each.

    Raises:
        ValueError: learners that are not one for each home.
        Exception: what a learner raises; the others are stopped.
    """
    views = [learner.get_env().view for learner in learners]
    together = views[0].together
    if [view.home for view in views] != list(range(together.everyone.homes)):
        raise ValueError(
            f"there are {len(learners)} learners for {together.everyone.homes} homes; give one each, in order"
        )
    failures: list[BaseException] = []

    def work(learner: Any) -> None:
        try:
            learner.learn(total_timesteps)
        except BaseException as error:  # carried to the caller's thread
            if not isinstance(error, threading.BrokenBarrierError):
                failures.append(error)
            together.give_up()

    threads = [threading.Thread(target=work, args=(learner,), daemon=True) for learner in learners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _vec_env(view: View) -> Any:
    vec_env, spaces = require("stable_baselines3.common.vec_env", "sb3"), require("gymnasium.spaces")
    fleet = view.fleet
    if fleet.device is not None:
        raise ValueError("the fleet computes in torch; make it with device=None for Stable-Baselines3")
    low, high = (
        np.array([getattr(one, end) for one in fleet.features], np.float32) for end in ("low", "high")
    )

    class FleetVecEnv(vec_env.VecEnv):  # type: ignore[misc, name-defined]
        """Agents in the order ``(env, home)``."""

        def __init__(self) -> None:
            self.render_mode = None
            self.view = view
            observations = spaces.Box(low, high, dtype=np.float32)
            actions = spaces.Box(-1.0, 1.0, (len(fleet.action_names),), np.float32)
            super().__init__(fleet.envs * view.homes, observations, actions)
            self._actions: NDArray[np.float32] = np.zeros(
                (self.num_envs, len(fleet.action_names)), np.float32
            )

        def reset(self) -> NDArray[np.float32]:
            """Begin episodes in all environments."""
            seed = self._seeds[0]
            self._reset_seeds()
            return self._flat(view.reset(seed))

        def step_async(self, actions: NDArray[np.float32]) -> None:
            """Note the actions."""
            self._actions = actions

        def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
            """Run the step."""
            stepped = view.step(np.asarray(self._actions, float).reshape(fleet.envs, view.homes, -1))
            over = np.repeat(stepped.is_over, view.homes)
            infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
            if over.any():
                last, bill = self._flat(stepped.last_seen), stepped.bill.reshape(-1)
                for agent in np.flatnonzero(over).tolist():
                    infos[agent] = {
                        "terminal_observation": last[agent], "TimeLimit.truncated": True, "bill": float(bill[agent])
                    }  # fmt: skip
            return self._flat(stepped.seen), stepped.reward.reshape(-1).astype(np.float32), over, infos

        def _flat(self, seen: Floats) -> NDArray[np.float32]:
            return np.asarray(seen.reshape(self.num_envs, -1), np.float32)

        def close(self) -> None:
            """Nothing is held open."""

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            """An attribute of this environment, once an agent."""
            return [getattr(self, attr_name)] * len(self._get_indices(indices))

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            """Set an attribute of this environment, which all agents share."""
            setattr(self, attr_name, value)

        def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
            """Refused: the agents have no environments of their own."""
            raise AttributeError(
                f"agents of a fleet share one environment; there is no {method_name!r} of their own"
            )

        def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
            """No agent is wrapped."""
            return [False] * len(self._get_indices(indices))

    return FleetVecEnv()
