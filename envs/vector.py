"""``HomeVectorEnv``: many homes as one native Gymnasium vector environment, stepped in NumPy arrays."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.home import Home

from .actions import action_space, shares_of
from .fleet import Fleet, Moved
from .forecasts import Forecast
from .sources import TraceSource, Window

Observations = NDArray[np.float32]
Floats = NDArray[np.float64]


class HomeVectorEnv(gymnasium.vector.VectorEnv[Observations, Any, NDArray[Any]]):
    """`hidiff.envs.HomeEnv` many times over: the same numbers, episode by episode, in one pass of arrays.

    ``gymnasium.make_vec("hidiff/Home-v0", num_envs=64, vectorization_mode="vector_entry_point")`` makes it. Seeds,
    episodes, observations, rewards and infos are those of `gymnasium.vector.SyncVectorEnv` over as many ``HomeEnv``.

    Arguments:
        num_envs: how many homes are stepped together.
        autoreset_mode: when an episode that is over begins anew: ``NEXT_STEP`` (with the next step, whose action is not
            looked at), ``SAME_STEP`` (at once, the last observation in ``info["final_obs"]``) or ``DISABLED``
            (``reset(options={"reset_mask": …})``).
        max_episode_steps: ends episodes earlier than ``episode_days`` [steps].
        traces, home, episode_days, look_ahead_steps, end_value_per_kwh, limit_penalty_per_kwh, forecast, levels: as
            of `HomeEnv`.

    Raises:
        ValueError: what `HomeEnv` refuses.
    """

    def __init__(
        self,
        num_envs: int = 1,
        traces: Traces | None = None,
        home: Home | None = None,
        *,
        episode_days: float = 7,
        look_ahead_steps: int = 16,
        end_value_per_kwh: float | None = None,
        limit_penalty_per_kwh: float = 10.0,
        forecast: Forecast | None = None,
        levels: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        render_mode: None = None,
    ) -> None:
        if traces is None:
            from hidiff.data.synthetic import synthetic_homes

            traces = synthetic_homes(4, 35)
        if render_mode is not None:
            raise ValueError(f"render_mode is {render_mode!r}; many homes are not drawn, use None")
        if max_episode_steps is not None:
            episode_days = min(episode_days, max_episode_steps * traces.dt_h / 24)
        self.num_envs, self.render_mode = num_envs, render_mode
        self.fleet = Fleet(
            traces, home, envs=num_envs, episode_days=episode_days, look_ahead_steps=look_ahead_steps,
            end_value_per_kwh=end_value_per_kwh, limit_penalty_per_kwh=limit_penalty_per_kwh, forecast=forecast,
            dtype="float64",
        )  # fmt: skip
        self._source = TraceSource(traces, self.fleet.steps)
        self._levels = levels
        self._autoreset = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self._autoreset}
        low = np.array([feature.low for feature in self.fleet.features], np.float32)
        high = np.array([feature.high for feature in self.fleet.features], np.float32)
        self.single_observation_space = gymnasium.spaces.Box(low, high, dtype=np.float32)
        self.single_action_space = action_space(len(self.fleet.action_names), levels)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._randoms = [np.random.default_rng() for _ in range(num_envs)]
        self._seeds = [-1] * num_envs
        self._windows: dict[int, Window] = {}
        self._rows = np.zeros((num_envs, 1), np.int64)
        self._first = np.zeros(num_envs, np.int64)
        self._is_over = np.zeros(num_envs, bool)
        self._has_begun = False

    @property  # type: ignore[misc]
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """One generator of random numbers an environment."""
        return tuple(self._randoms)

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """What each was seeded with, -1 where the machine chose."""
        return tuple(self._seeds)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin episodes.

        Args:
            seed: of the first environment, counted up from it; or one an environment.
            options: ``reset_mask``, bool ``(env,)``: which; ``home``, ``start``, ``episode``: as of ``HomeEnv.reset``.

        Raises:
            ValueError: an unknown option, as many seeds as environments, or a mask that is none.
        """
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        unknown = sorted(set(options) - {"home", "start", "episode"})
        if unknown:
            raise ValueError(
                f"unknown option {unknown[0]!r}; reset takes 'reset_mask', 'home', 'start' and 'episode'"
            )
        if mask is None:
            mask = np.ones(self.num_envs, bool)
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != bool or not mask.any():
            raise ValueError(
                f"reset_mask is {mask}; give one bool an environment ({self.num_envs}), one of them True"
            )
        if not self._has_begun and not mask.all():
            raise ValueError(
                "reset_mask leaves environments out that have not begun; reset all of them first"
            )
        if isinstance(seed, int):
            seed = [seed + env for env in range(self.num_envs)]
        if seed is not None and len(seed) != self.num_envs:
            raise ValueError(f"there are {len(seed)} seeds for {self.num_envs} environments")
        for env in np.flatnonzero(mask).tolist():
            if seed is not None and seed[env] is not None:
                self._randoms[env], self._seeds[env] = gymnasium.utils.seeding.np_random(seed[env])
        observation = self._begin(mask, options)
        return observation, self._where_from(mask)

    def _begin(self, mask: NDArray[np.bool_], options: dict[str, Any] | None = None) -> Observations:
        for env in np.flatnonzero(mask).tolist():
            window = self._source.draw(self._randoms[env], **(options or {}))
            self._rows[env, 0], self._first[env] = window.row, window.first
            self._windows[env] = window
        self._is_over &= ~mask
        self._has_begun = True
        seen = self.fleet.reset(self._randoms[0], mask, rows=self._rows, first=self._first)
        return np.asarray(seen[:, 0], np.float32)

    def _where_from(self, mask: NDArray[np.bool_]) -> dict[str, Any]:
        infos: dict[str, Any] = {}
        for env in np.flatnonzero(mask).tolist():
            window = self._windows[env]
            told = {"home": window.home, "start": window.time[0].isoformat(), "episode": window.episode}
            infos = self._add_info(infos, told, env)
        return infos

    def step(
        self, actions: Any
    ) -> tuple[Observations, Floats, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Run one step of all homes.

        Raises:
            ValueError: actions outside -1 to 1, or of another shape.
            ResetNeeded: an episode is over and autoreset is disabled, or none has begun.
        """
        if not self._has_begun or (self._autoreset is AutoresetMode.DISABLED and self._is_over.any()):
            raise gymnasium.error.ResetNeeded("an episode is over or none was begun; call reset() first")
        shares = self._shares(actions)
        again = self._is_over.copy()
        infos: dict[str, Any] = {}
        if again.any():  # NEXT_STEP: these begin anew, and their action is not looked at
            self._begin(again)
            infos |= self._where_from(again)
        asked_kw = self._asked(shares)
        moved = self.fleet.step(shares[:, None, :], active=~again)
        over = moved.is_over & ~again
        happened = self._infos(moved, asked_kw, over)
        reward = np.where(again, 0.0, moved.reward[:, 0])
        observation = np.asarray(moved.observation[:, 0], np.float32)
        self._is_over = over.copy()
        if self._autoreset is AutoresetMode.SAME_STEP and over.any():
            last = np.full(self.num_envs, None, object)
            for env in np.flatnonzero(over):
                last[env] = observation[env].copy()
            final = {name: np.where(over, values, 0.0) for name, values in happened.items()}
            infos |= {"final_obs": last, "_final_obs": over.copy(), "_final_info": over.copy()}
            infos["final_info"] = final | {f"_{name}": over.copy() for name in happened}
            observation = self._begin(over)
            infos |= self._where_from(over)
            shown = ~over
        else:
            shown = ~again
        if shown.any():
            infos |= {name: np.where(shown, values, 0.0) for name, values in happened.items()}
            infos |= {f"_{name}": shown.copy() for name in happened}
        return observation, reward, np.zeros(self.num_envs, bool), over, infos

    def _shares(self, actions: Any) -> Floats:
        count = len(self.fleet.action_names)
        shares = np.asarray(actions, float)
        if self._levels is not None:
            shares = shares_of(actions, self._levels)
        shares = shares.reshape(self.num_envs, -1)
        if shares.shape != (self.num_envs, count) or not (np.abs(shares) <= 1).all():
            raise ValueError(
                f"actions have shape {np.shape(actions)} and reach {np.abs(shares).max():.3g}; they must be "
                f"{self.num_envs} times {count} numbers from -1 to 1, so clip them first"
            )
        return shares

    def _asked(self, shares: Floats) -> Floats:
        battery = self.fleet.home.battery
        if battery is None:
            return np.zeros(self.num_envs)
        share = shares[:, :1]
        asked = (
            np.maximum(share, 0) * battery.charge_span_kw + np.minimum(share, 0) * battery.discharge_span_kw
        )
        return np.broadcast_to(asked, (self.num_envs, 1))[:, 0].copy()

    def _infos(self, moved: Moved, asked_kw: Floats, over: NDArray[np.bool_]) -> dict[str, Floats]:
        names, shape = moved.happened._fields, (self.num_envs, 1)
        found = {
            name: np.broadcast_to(value, shape)[:, 0]
            for name, value in zip(names, moved.happened, strict=True)
        }
        cost, penalty, end_value = moved.cost[:, 0], moved.penalty[:, 0], moved.end_value[:, 0]
        load_kw, pv_kw = moved.load_kw[:, 0], moved.pv_kw[:, 0]
        return found | {
            "requested_kw": asked_kw, "load_kw": load_kw, "pv_kw": pv_kw, "cost": cost, "penalty": penalty,
            "end_value": end_value,
        }  # fmt: skip

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing is held open."""
