"""``Community``: the homes of a neighbourhood, one agent each, as a PettingZoo parallel environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.errors import DependencyMissing
from hidiff.home import Home
from hidiff.market import Market

from .episode import Episode
from .forecasts import Forecast
from .neighbourhood import RENDER_MODES, Neighbourhood, Observation, RewardOf
from .observation import Feature

try:
    from pettingzoo.utils.env import ParallelEnv
except ModuleNotFoundError as error:
    raise DependencyMissing(
        'Community needs pettingzoo, which is not installed; run: pip install "hidiff[marl]"'
    ) from error

Action = NDArray[np.float32]
Infos = dict[str, dict[str, Any]]


class Community(ParallelEnv[str, Observation, Action]):  # type: ignore[misc]  # PettingZoo has no type information
    """Run the devices of several homes, each by an agent of its own, with or without a market among them.

    All homes share the clock. Each is a `HomeEnv` in all that concerns its devices; a market lets a home's surplus
    serve its neighbours before the grid does. Agents are slots, ``home_0`` …: which household sits in a slot changes
    from episode to episode (``households`` says which), unless all of them take part.

    Observation:
        ``Box(float32)`` of each agent's own home, as in `HomeEnv`; ``feature_table(agent)`` lists the numbers.
        Padded, all agents have the same ones: a device that a home lacks is shown as 0, and where homes differ in a
        device, ``has car`` and the like tell. ``shares_prices`` adds three numbers of the step before that are the
        same for all: the mean price of what was bought and of what was sold within the community (those of the
        grid where nothing was), and the homes' net power together.

    Action:
        ``Box(-1, 1, float32)`` of each agent: its devices as in `HomeEnv`; with ``bids`` then two prices, the
        most that it would pay and the least that it would take for a kWh, from its own export price (-1) to its
        own import price (1). Padded, numbers for devices that a home lacks do nothing.

    Reward:
        Python float [currency], as in `HomeEnv`, with what the market changes in the bill; ``reward`` says whose.

    Start:
        A random local midnight from which the episode has measurements, then random households.
        ``reset(options={"homes": [name, …], "start": stamp})`` names either or both, a household for each slot.

    End:
        Truncated for all agents after ``episode_days`` of 24 h; never terminated. Then ``agents`` is empty.

    Arguments:
        traces: load and PV of the households; None makes synthetic homes (no download).
        homes: one `Home` for all households, or one for each row of the traces.
        homes_per_env: how many households take part in an episode; None: all of them.
        episode_days: length of an episode [days of 24 h].
        market: how the homes share energy; None: each deals with the grid alone.
        bids: whether agents bid; auctions only. Without, homes bid their grid prices.
        padded: whether all agents have the same spaces, as shared policies and some libraries need; False gives each
            the numbers of its own devices. Homes that differ must then all take part, so that slots keep theirs.
        look_ahead_steps: import prices shown beyond the present one.
        shares_prices: whether agents see the community's last prices and power.
        reward: "own"; "community", the mean of all homes; or "mixed", ``reward_share`` of that and the rest own.
        reward_share: of the community in a mixed reward, 0 to 1.
        end_value_per_kwh, limit_penalty_per_kwh: as of `HomeEnv`.
        forecast: what is told of the coming load and PV: perfect or persistence, up to a day ahead; None tells nothing.
        given: series that all homes share, ``(step,)`` of the traces: ``outdoor_c``, ``wholesale_per_kwh``.
        infos: whether ``step`` and ``reset`` tell what happened to each home; False leaves them empty, which is
            faster. ``episode`` holds the same in any case. TorchRL's wrapper takes no text in them: it needs False.
        render_mode: "rgb_array" draws all homes as one.

    Versions:
        v0: first version.

    Raises:
        ValueError: what `Fleet` refuses, bids without an auction, or an unknown reward.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (PettingZoo's own form)
        "name": "hidiff_community_v0", "render_modes": RENDER_MODES, "render_fps": 10, "is_parallelizable": True,
    }  # fmt: skip

    def __init__(
        self,
        traces: Traces | None = None,
        homes: Home | Sequence[Home] | None = None,
        *,
        homes_per_env: int | None = None,
        episode_days: float = 7,
        market: Market | None = None,
        bids: bool = False,
        padded: bool = True,
        look_ahead_steps: int = 16,
        shares_prices: bool = False,
        reward: RewardOf = "own",
        reward_share: float = 0.5,
        end_value_per_kwh: float | None = None,
        limit_penalty_per_kwh: float = 10.0,
        forecast: Forecast | None = None,
        given: Mapping[str, NDArray[np.float64]] | None = None,
        infos: bool = True,
        render_mode: str | None = None,
    ) -> None:
        self.neighbourhood = Neighbourhood(
            traces, homes, homes_per_env=homes_per_env, episode_days=episode_days, market=market, bids=bids,
            padded=padded, look_ahead_steps=look_ahead_steps, shares_prices=shares_prices, reward=reward,
            reward_share=reward_share, end_value_per_kwh=end_value_per_kwh,
            limit_penalty_per_kwh=limit_penalty_per_kwh, forecast=forecast, given=given, render_mode=render_mode,
        )  # fmt: skip
        layout = self.neighbourhood.layout
        self.possible_agents = list(self.neighbourhood.agents)
        self.agents: list[str] = []
        self.render_mode = render_mode
        self.state_space = layout.state_space
        self.observation_spaces = dict(zip(self.possible_agents, layout.observation_spaces, strict=True))
        self.action_spaces = dict(zip(self.possible_agents, layout.action_spaces, strict=True))
        self._slices = list(zip(self.possible_agents, layout.slices, strict=True))
        self._tells = infos
        self._random: np.random.Generator | None = None
        self._seen: Observation | None = None

    def observation_space(self, agent: str) -> gymnasium.spaces.Box:
        """The space of an agent's observations, the same object in every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Box:
        """The space of an agent's actions, the same object in every call."""
        return self.action_spaces[agent]

    def features(self, agent: str) -> list[Feature]:
        """Name, unit and bounds of every number of an agent's observation."""
        return self.neighbourhood.layout.features_of_slot[self.possible_agents.index(agent)]

    def action_names(self, agent: str) -> list[str]:
        """What each number of an agent's action is for."""
        return self.neighbourhood.layout.action_names_of_slot[self.possible_agents.index(agent)]

    @property
    def households(self) -> dict[str, str]:
        """Which household each agent is in the present episode."""
        return self.neighbourhood.households

    @property
    def start(self) -> str:
        """First step of the present episode."""
        return self.neighbourhood.start

    @property
    def episode(self) -> Episode:
        """The record of the present episode so far, ``(step, home)``; for indicators and reports."""
        return self.neighbourhood.episode

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], Infos]:
        """Start an episode; ``options`` may hold ``homes`` (a name for each slot) and ``start`` (a stamp).

        Raises:
            ValueError: an unknown option or household, or a start without a whole episode behind it.
        """
        if seed is not None or self._random is None:
            self._random, _ = gymnasium.utils.seeding.np_random(seed)
        self._seen = self.neighbourhood.reset(self._random, options)
        self.agents = list(self.possible_agents)
        infos: Infos = {agent: {} for agent in self.agents}
        if self._tells:
            start = self.neighbourhood.start
            infos = {agent: {"home": home, "start": start} for agent, home in self.households.items()}
        return self._by_agent(self._seen), infos

    def step(
        self, actions: dict[str, Action]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Run one step of all homes.

        Raises:
            ValueError: no action for an agent, one for somebody else, or one outside its space.
            ResetNeeded: no episode is running.
        """
        here = self.neighbourhood
        here.check_running()
        agents = self.agents
        try:
            parts = [actions[agent] for agent in agents]
        except KeyError as missing:
            raise ValueError(
                f"there is no action for {missing}; give one for each of {len(agents)}"
            ) from None
        if len(actions) != len(agents):
            raise ValueError(
                f"unknown agent {min(set(actions) - set(agents))!r}; there are {', '.join(agents)}"
            )
        seen, reward, is_over = here.step(here.layout.action(parts))
        self._seen = seen
        infos: Infos = (
            dict(zip(agents, here.infos(), strict=True)) if self._tells else {agent: {} for agent in agents}
        )
        if is_over:
            self.agents = []
        return (
            self._by_agent(seen), dict(zip(agents, reward.tolist(), strict=True)), dict.fromkeys(agents, False),
            dict.fromkeys(agents, is_over), infos,
        )  # fmt: skip

    def _by_agent(self, seen: Observation) -> dict[str, Observation]:
        return {agent: seen[own] for agent, own in self._slices}

    def state(self) -> Observation:
        """The observations of all agents, one after the other.

        Raises:
            ResetNeeded: before the first reset.
        """
        if self._seen is None:
            raise gymnasium.error.ResetNeeded("there is no state yet; call reset() first")
        return self._seen.copy()

    def render(self) -> NDArray[np.uint8] | None:
        """All homes as one, the local day in progress and the one before it; None without a render mode."""
        return self.neighbourhood.picture() if self.render_mode else None

    def close(self) -> None:
        """Nothing is held that needs closing."""
