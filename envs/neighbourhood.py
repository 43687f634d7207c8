"""``Neighbourhood``: homes on one clock, stepped together; what `Community` and `CommunityCentralEnv` stand on.

Shapes: ``home`` first. A home that takes part sits in a slot, ``home_0`` …; which household that is changes from
episode to episode, unless all households take part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal, NamedTuple, get_args

import gymnasium
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.home import Home
from hidiff.market import Market

from . import core
from .episode import Episode
from .fleet import Fleet, Moved
from .forecasts import Forecast
from .market import Trade
from .neighbourhood_layout import Layout
from .observation import POWER_BOUND_KW, PRICE_BOUND_PER_KWH, Feature
from .ops import ARRAYS
from .sources import TraceSource

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
RewardOf = Literal["own", "community", "mixed"]
AUCTIONS = ("uniform_price_auction", "pay_as_bid_auction")
RENDER_MODES = ["rgb_array"]
SHARED = ("community: price bought", "community: price sold", "community: net power")
"""What all agents see of the step before, where ``shares_prices`` asks for it."""
DRAWN = (
    "load_kw", "pv_kw", "import_kw", "export_kw", "battery_kw", "battery_kwh", "car_kw", "car_kwh", "heat_pump_kw",
    "tank_kw", "appliance_kw", "import_price", "export_price", "cost",
)  # fmt: skip
STORES = ("battery_kwh", "car_kwh", "tank_kwh")
OF_STEP = ("load_kw", "pv_kw", "import_price", "export_price", "requested_kw", "cost", "penalty", "end_value")
"""What the log has of a step beside the core's outcomes."""
OF_DEVICE = {
    "car": ("car_kw", "car_kwh", "public_kwh"),
    "heat_pump": ("heat_pump_kw", "heat_kw", "air_c", "discomfort_kh", "discomfort_cost"),
    "tank": ("tank_kw", "tank_kwh", "boost_kwh"),
}
"""Outcomes that only a home with the device has."""


class Stepped(NamedTuple):
    """What a step of the neighbourhood returns."""

    observation: Observation
    """``(number,)``: the rows of all homes, one after the other."""
    reward: Floats
    """``(home,)`` [currency]."""
    is_over: bool


class Neighbourhood:
    """Homes that are stepped together; the arguments are explained in `Community`."""

    def __init__(
        self,
        traces: Traces | None,
        homes: Home | Sequence[Home] | None,
        *,
        homes_per_env: int | None,
        episode_days: float,
        market: Market | None,
        bids: bool,
        padded: bool,
        look_ahead_steps: int,
        shares_prices: bool,
        reward: RewardOf,
        reward_share: float,
        end_value_per_kwh: float | None,
        limit_penalty_per_kwh: float,
        forecast: Forecast | None,
        given: Mapping[str, Floats] | None,
        render_mode: str | None,
    ) -> None:
        if traces is None:
            from hidiff.data.synthetic import synthetic_homes

            traces = synthetic_homes(5 if homes_per_env is None else homes_per_env, 35)
        if bids and (market is None or market.rule not in AUCTIONS):
            raise ValueError(
                f"bids=True with market={market}; only an auction takes bids: market=Market(rule={AUCTIONS[0]!r})"
            )
        if reward not in get_args(RewardOf):
            raise ValueError(f"reward is {reward!r}; it must be one of {', '.join(get_args(RewardOf))}")
        if not 0 <= reward_share <= 1:
            raise ValueError(f"reward_share is {reward_share}; it must be from 0 to 1")
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise ValueError(f"render_mode is {render_mode!r}; use None or {RENDER_MODES[0]!r}")
        count = len(traces) if homes_per_env is None else homes_per_env
        self.fleet = Fleet(
            traces, homes, homes_per_env=count, episode_days=episode_days, market=market,
            look_ahead_steps=look_ahead_steps, end_value_per_kwh=end_value_per_kwh,
            limit_penalty_per_kwh=limit_penalty_per_kwh, forecast=forecast, given=given, dtype="float64",
        )  # fmt: skip
        self.traces, self.dt_h, self.bids = traces, self.fleet.dt_h, bids
        self._source = TraceSource(traces, self.fleet.steps)
        self._shares_prices = shares_prices
        self._community_share = {"own": 0.0, "community": 1.0, "mixed": reward_share}[reward]
        self.agents = [f"home_{slot}" for slot in range(count)]
        self.layout = Layout(
            self.fleet, padded=padded, bids=bids, shared=self._shared_features() if shares_prices else []
        )
        self._names = self._outcome_names()
        known = (*core.Outcome._fields, *OF_STEP, *Trade._fields, "grid_only_cost")
        self._sources = [known.index(name) for name in self._names]
        self._has_of_row = self._has_outcome()
        self._log = np.empty((self.fleet.steps, len(self._names), count))
        self._done = -1  # no episode yet

    def _shared_features(self) -> list[Feature]:
        parameters, count = self.fleet.bank.parameters, self.fleet.homes_per_env
        largest_kw = POWER_BOUND_KW + float(np.max(parameters.standby_kw))
        for store in (parameters.battery, parameters.car):
            if store:
                largest_kw += float(np.maximum(store.charge_span_kw, store.discharge_span_kw).max())
        for device in (parameters.heat_pump, parameters.tank):
            largest_kw += float(device.power_max_kw.max()) if device else 0.0
        largest_kw += sum(float(machine.power_kw.max()) for machine in parameters.appliances)
        price = ("currency/kWh", -PRICE_BOUND_PER_KWH, PRICE_BOUND_PER_KWH)
        return [
            Feature(SHARED[0], *price),
            Feature(SHARED[1], *price),
            Feature(SHARED[2], "kW", -largest_kw * count, largest_kw * count),
        ]

    def _outcome_names(self) -> list[str]:
        """Numbers of a step, in the order in which they are logged."""
        parameters, market = self.fleet.bank.parameters, self.fleet.market
        lacking = [
            name for device, names in OF_DEVICE.items() if not getattr(parameters, device) for name in names
        ]
        lacking += [] if parameters.appliances else ["appliance_kw"]
        names = [name for name in core.Outcome._fields if name not in lacking]
        names += OF_STEP
        if market is not None and market.rule != "none":
            names += ["bought_kw", "sold_kw", "price_buy", "price_sell", "payment", "fee"]
            if self.fleet.bank.tariff.is_energy_only:  # with a demand charge only a second meter could tell
                names.append("grid_only_cost")
        return names

    def _has_outcome(self) -> NDArray[np.bool_]:
        """Which outcomes each household has, ``(outcome, row)``."""
        bank = self.fleet.bank
        has = np.ones((len(self._names), len(self.traces)), bool)
        for device, outcomes in OF_DEVICE.items():
            of_row = [getattr(home, device) is not None for home in bank.homes]
            for name in set(outcomes) & set(self._names):
                has[self._names.index(name)] = of_row  # one value stands for all rows where they share a home
        return has

    def reset(self, random: np.random.Generator, options: dict[str, Any] | None) -> Observation:
        """Begin an episode; ``options`` may hold ``homes`` (names) and ``start`` (a stamp).

        Raises:
            ValueError: an unknown option or household, as many homes as there are slots, a start without a whole
                episode behind it, or a household whose devices do not fit its slot.
        """
        options = options or {}
        # PettingZoo's checks pass an option of the name "options" to see whether options are taken
        unknown = sorted(set(options) - {"homes", "start", "options"})
        if unknown:
            raise ValueError(f"unknown option {unknown[0]!r}; reset takes 'homes' and 'start'")
        rows, first = self._named(random, options.get("homes"), options.get("start"))
        seen = self.fleet.reset(random, rows=rows, first=first)
        self.rows: NDArray[np.int64] = self.fleet.rows[0].copy()
        self.first = int(self.fleet.first[0])
        self.layout.begin(self.rows)
        self._has = self._has_of_row[:, self.rows]
        self._homes = list(self.households.values())
        self._told = [_chosen(self._names, has) for has in self._has.T]
        self._done = 0
        self._stored = {
            name: getattr(self.fleet.state, name)[0].copy() for name in STORES if name in self._names
        }
        outside = self.fleet.outside()
        self._shared = (float(outside.import_price.mean()), float(outside.export_price.mean()), 0.0)
        return self._observation(seen[0])

    def _named(
        self, random: np.random.Generator, names: Sequence[str] | None, start: str | pd.Timestamp | None
    ) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
        """Rows ``(1, home)`` and first step ``(1,)`` of what the options name."""
        rows = first = None
        if names is not None:
            if len(names) != len(self.agents) or len(set(names)) != len(names):
                raise ValueError(
                    f"homes names {len(set(names))} different households {list(names)[:8]}; "
                    f"there are {len(self.agents)} slots, name one for each"
                )
            windows = [self._source.draw(random, home=name, start=start) for name in names]
            rows = np.array([[window.row for window in windows]])
            self.layout.check_rows(rows[0])
        if start is not None:
            first = np.array([self._source.draw(random, home=names[0] if names else None, start=start).first])
        return rows, first

    @property
    def households(self) -> dict[str, str]:
        """Which household each agent is in the present episode."""
        names = self.traces.names
        return {agent: names[row] for agent, row in zip(self.agents, self.rows.tolist(), strict=True)}

    @property
    def start(self) -> str:
        """First step of the present episode."""
        return str(self.traces.time[self.first].isoformat())

    def check_running(self) -> None:
        """Raise unless a step can run.

        Raises:
            ResetNeeded: no episode is running.
        """
        if not 0 <= self._done < self.fleet.steps:
            raise gymnasium.error.ResetNeeded("no episode is running; call reset() first")

    def step(self, action: Floats) -> Stepped:
        """Run one step; ``action`` is ``(home, number)`` in the order of ``layout.action_names``, within -1 to 1."""
        fleet = self.fleet
        outside = fleet.outside()
        devices = len(fleet.action_names)
        asked = core.request([action[None, :, place] for place in range(devices)], fleet.home, ARRAYS)
        bid_price = ask_price = None
        if self.bids:
            spread = outside.import_price - outside.export_price
            bid_price, ask_price = (
                outside.export_price + (0.5 + 0.5 * action[None, :, devices + place]) * spread
                for place in (0, 1)
            )
        moved = fleet.step(asked=asked, bid_price=bid_price, ask_price=ask_price)
        is_over = bool(moved.is_over[0])
        self._keep(moved, outside, asked)
        if self._shares_prices:
            self._shared = _shared_values(moved, outside)
        own = moved.reward[0]
        share = self._community_share
        reward = own if share == 0 else (1 - share) * own + share * own.mean()
        return Stepped(self._observation(moved.observation[0]), reward, is_over)

    def _observation(self, seen: Floats) -> Observation:
        return self.layout.observation(seen, self._shared if self._shares_prices else ())

    def _keep(self, moved: Moved, outside: core.Exogenous, asked: core.Request) -> None:
        """Log the step."""
        happened, trade = moved.happened, moved.trade
        values: tuple[Any, ...] = (
            *happened, moved.load_kw, moved.pv_kw, outside.import_price, outside.export_price, asked.battery_kw,
            moved.cost, moved.penalty, moved.end_value,
        )  # fmt: skip
        if trade is not None:
            grid_only = happened.import_kw * outside.import_price - happened.export_kw * outside.export_price
            values = (*values, *trade, moved.cost - trade.payment + grid_only * self.dt_h)
        log = self._log[self._done]
        for place, source in enumerate(self._sources):
            log[place] = values[source]
        self._done += 1

    def infos(self) -> list[dict[str, Any]]:
        """What happened to each home in the last step, by name, and the household; nothing of devices that it lacks."""
        rows = self._log[self._done - 1].T.tolist()
        infos: list[dict[str, Any]] = [
            dict(zip(names, own(row), strict=True))
            for row, (names, own) in zip(rows, self._told, strict=True)
        ]
        for info, home in zip(infos, self._homes, strict=True):
            info["home"] = home
        return infos

    def info(self) -> dict[str, Floats]:
        """What happened in the last step, by name, ``(home,)`` each; 0 for a device that a home lacks."""
        return dict(zip(self._names, self._log[self._done - 1] * self._has, strict=True))

    @property
    def episode(self) -> Episode:
        """The record of the present episode so far, ``(step, home)`` each; NaN for a device that a home lacks.

        Raises:
            ResetNeeded: no step was made.
        """
        if self._done < 1:
            raise gymnasium.error.ResetNeeded("nothing has happened yet; call reset() and step() first")
        return self._between(0, self._done)

    def _between(self, begin: int, end: int) -> Episode:
        bank = self.fleet.bank
        span = slice(self.first + begin, self.first + end)
        arrays = {name: self._log[begin:end, place].copy() for place, name in enumerate(self._names)}
        for name in set(core.Exogenous._fields) & set(bank.place):
            arrays[name] = bank.table[self.rows, span, bank.place[name]].T.copy()
        for name, has in zip(self._names, self._has, strict=True):
            arrays[name][:, ~has] = math.nan
        return Episode(
            time=self.traces.time[span], time_zone=self.traces.time_zone, dt_h=self.dt_h, arrays=arrays,
            homes=tuple(self._homes), start={} if begin else self._stored,
        )  # fmt: skip

    def picture(self) -> NDArray[np.uint8]:
        """All homes as one, the local day in progress and the one before it: sums of powers, means of prices."""
        from .render import DAYS_SHOWN, frame  # matplotlib, which only a picture needs

        if self._done < 0:
            raise gymnasium.error.ResetNeeded("there is nothing to draw yet; call reset() first")
        steps = round(24 * DAYS_SHOWN / self.dt_h)
        seen = self._between(max(self._done - steps, 0), self._done) if self._done else None
        first = self.traces.time[self.first : self.first + 1]
        arrays = {}
        for name in DRAWN:
            if seen is None:
                if name in self._names:
                    arrays[name] = np.zeros(1)
            elif name in seen:
                combine = np.nanmean if name.endswith("price") else np.nansum
                arrays[name] = combine(seen[name], axis=1)
        whole = Episode(
            time=first if seen is None else seen.time, time_zone=self.traces.time_zone, dt_h=self.dt_h, arrays=arrays,
            homes=(f"{len(self.agents)} homes",),
        )  # fmt: skip
        return frame(whole)


def _chosen(
    names: Sequence[str], has: NDArray[np.bool_]
) -> tuple[Sequence[str], Callable[[list[float]], Sequence[float]]]:
    """Names that a home has, and what picks their values from a list of all."""
    if has.all():
        return names, _all
    places = np.flatnonzero(has).tolist()
    return [names[place] for place in places], itemgetter(*places)


def _all(row: list[float]) -> list[float]:
    return row


def _shared_values(moved: Moved, outside: core.Exogenous) -> tuple[float, float, float]:
    """Mean prices of what was bought and sold within the community, the grid's where nothing was, and net power."""
    happened, trade = moved.happened, moved.trade
    bought, sold = float(outside.import_price.mean()), float(outside.export_price.mean())
    if trade is not None:
        bought_kw, sold_kw = float(trade.bought_kw.sum()), float(trade.sold_kw.sum())
        if bought_kw > 0:
            bought = float((trade.price_buy * trade.bought_kw).sum()) / bought_kw
        if sold_kw > 0:
            sold = float((trade.price_sell * trade.sold_kw).sum()) / sold_kw
    return bought, sold, float((happened.import_kw - happened.export_kw).sum())
