"""``CommunityCentralEnv``: all homes of a neighbourhood under one agent, as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.home import Home
from hidiff.market import Market

from .episode import Episode
from .forecasts import Forecast
from .neighbourhood import RENDER_MODES, Neighbourhood, Observation


class CommunityCentralEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """Run the devices of several homes by one agent that sees all of them.

    Observation:
        ``Box(float32)``: the numbers of `Community`'s agents, padded, one home after the other.

    Action:
        ``Box(-1, 1, float32)``: the numbers of `Community`'s actions, likewise.

    Reward:
        Sum of the homes' own rewards, a Python float [currency].

    Start, End:
        As of `Community`; ``reset`` takes the same options.

    Arguments:
        As of `Community`. ``info`` holds an array ``(home,)`` for each name.

    Versions:
        v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 10}  # noqa: RUF012 (Gymnasium's form)

    def __init__(
        self,
        traces: Traces | None = None,
        homes: Home | Sequence[Home] | None = None,
        *,
        homes_per_env: int | None = None,
        episode_days: float = 7,
        market: Market | None = None,
        bids: bool = False,
        look_ahead_steps: int = 16,
        shares_prices: bool = False,
        end_value_per_kwh: float | None = None,
        limit_penalty_per_kwh: float = 10.0,
        forecast: Forecast | None = None,
        given: Mapping[str, NDArray[np.float64]] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.neighbourhood = Neighbourhood(
            traces, homes, homes_per_env=homes_per_env, episode_days=episode_days, market=market, bids=bids,
            padded=True, look_ahead_steps=look_ahead_steps, shares_prices=shares_prices, reward="own",
            reward_share=0.0, end_value_per_kwh=end_value_per_kwh,
            limit_penalty_per_kwh=limit_penalty_per_kwh, forecast=forecast, given=given, render_mode=render_mode,
        )  # fmt: skip
        layout = self.neighbourhood.layout
        self.render_mode = render_mode
        self.observation_space = layout.state_space  # type: ignore[assignment]  # its Box is not bound to float32
        self._numbers = len(layout.action_names)
        count = len(self.neighbourhood.agents) * self._numbers
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (count,), np.float32)

    @property
    def households(self) -> list[str]:
        """Names of the households in the present episode, in the order of observation and action."""
        return list(self.neighbourhood.households.values())

    @property
    def episode(self) -> Episode:
        """The record of the present episode so far, ``(step, home)``; for indicators and reports."""
        return self.neighbourhood.episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; ``options`` may hold ``homes`` (a name for each slot) and ``start`` (a stamp).

        Raises:
            ValueError: an unknown option or household, or a start without a whole episode behind it.
        """
        super().reset(seed=seed)
        seen = self.neighbourhood.reset(self.np_random, options)
        return seen, {"homes": self.households, "start": self.neighbourhood.start}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Run one step of all homes.

        Raises:
            ValueError: an action outside the space.
            ResetNeeded: no episode is running.
        """
        here = self.neighbourhood
        here.check_running()
        shares = np.asarray(action)
        if shares.shape != self.action_space.shape:
            raise ValueError(
                f"the action has shape {shares.shape}; it must be {self.action_space.shape}, {self._numbers} "
                "numbers for each home"
            )
        seen, reward, is_over = here.step(here.layout.action(shares.reshape(-1, self._numbers)))
        return seen, float(reward.sum()), False, is_over, here.info()

    def render(self) -> NDArray[np.uint8] | None:
        """All homes as one, the local day in progress and the one before it; None without a render mode."""
        return self.neighbourhood.picture() if self.render_mode else None
