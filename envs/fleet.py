"""``Fleet``: many environments of many homes stepped together, in NumPy or torch; what all batched faces stand on.

Shapes: ``env, home`` for what concerns a home, ``env`` for what concerns an environment. The homes of an environment
share the clock, so that neighbours share weather and prices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.home import Home
from hidiff.market import Market

from . import core
from .bank import AHEAD, Bank, gathered
from .clock import local_midnights
from .forecasts import Forecast
from .market import Trade, clear
from .meter import MeterState, meter_step, start_meter
from .observation import Feature, features
from .ops import ARRAYS, Ops, Value, tensors
from .totals import Tally

Integers = NDArray[np.int64]


class Moved(NamedTuple):
    """What a step of the fleet returns."""

    observation: Value
    """``(env, home, feature)``: of the state after the step."""
    reward: Value
    """``(env, home)`` [currency]."""
    is_over: NDArray[np.bool_]
    """``(env,)``, on the host."""
    happened: core.Outcome
    """``(env, home)`` each."""
    cost: Value
    """The step's part of the bill, ``(env, home)`` [currency]."""
    penalty: Value
    """For power above a limit of the connection, ``(env, home)`` [currency]."""
    end_value: Value
    """Worth of the energy gained since the start, on the last step, else 0, ``(env, home)`` [currency]."""
    load_kw: Value
    """Of the step that ran, as ``pv_kw``."""
    pv_kw: Value
    trade: Trade | None
    """What the homes shared, None without a market."""


class Fleet:
    """Environments of homes, all stepped at once.

    Args:
        traces: load and PV of the households.
        homes: one `Home` for all households, or one for each row of the traces.
        envs: how many environments.
        homes_per_env: homes of each; every episode draws other households, or ``rows`` names them.
        episode_days: length of an episode [days of 24 h].
        market: how the homes of an environment share energy; None: each deals with the grid alone.
        look_ahead_steps: import prices shown beyond the present one.
        end_value_per_kwh: as of `hidiff.envs.HomeEnv`.
        limit_penalty_per_kwh: penalty for energy above a limit of the connection [currency/kWh].
        forecast: what is told of the coming load and PV: perfect or persistence, up to a day ahead.
        given: series that all homes share, ``(step,)`` of the traces, such as ``outdoor_c``, ``wholesale_per_kwh``.
        device: None computes in NumPy; "cpu", "cuda" … in torch.
        dtype: "float32" or "float64".
        grad: torch only: keep the graph from actions to rewards; call `detach` to cut it.
        track: keep the sums and peaks that `totals` returns.

    Raises:
        ValueError: more homes than households, an episode that does not fit, or what `Bank` refuses.
    """

    def __init__(
        self,
        traces: Traces,
        homes: Home | Sequence[Home] | None = None,
        *,
        envs: int = 1,
        homes_per_env: int = 1,
        episode_days: float = 7,
        market: Market | None = None,
        look_ahead_steps: int = 16,
        end_value_per_kwh: float | None = None,
        limit_penalty_per_kwh: float = 10.0,
        forecast: Forecast | None = None,
        given: Mapping[str, NDArray[np.float64]] | None = None,
        device: str | None = None,
        dtype: str = "float32",
        grad: bool = False,
        track: bool = False,
    ) -> None:
        if not 1 <= homes_per_env <= len(traces):
            raise ValueError(f"homes_per_env is {homes_per_env}; there are {len(traces)} households")
        if envs < 1:
            raise ValueError(f"envs is {envs}; it must be at least 1")
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype is {dtype!r}; use 'float32' or 'float64'")
        if grad and device is None:
            raise ValueError("grad=True needs torch; name a device, such as device='cpu'")
        self.envs, self.homes_per_env = envs, homes_per_env
        self.dt_h = traces.dt_h
        self.steps = round(episode_days * 24 / self.dt_h)
        if not 2 <= self.steps <= len(traces.time):
            raise ValueError(
                f"an episode of {self.steps} steps does not fit in traces of {len(traces.time)} steps"
            )
        self.market, self.grad = market, grad
        self.look_ahead_steps = look_ahead_steps
        self._end_value_per_kwh, self._limit_penalty_per_kwh = end_value_per_kwh, limit_penalty_per_kwh
        self.device, self.dtype = device, dtype
        self.is_torch = device is not None
        self.ops: Ops = ARRAYS if device is None else tensors()
        self.bank = Bank(
            traces,
            homes or Home(),
            look_ahead_steps=look_ahead_steps,
            like=self.like,
            forecast=forecast,
            given=given,
        )
        self.features: list[Feature] = features(
            self.bank.parameters, look_ahead_steps=look_ahead_steps,
            demand_charges=self.bank.demand_windows.shape[-1], has_blocks=bool(self.bank.tariff.blocks),
            forecast_steps=self.bank.forecast_steps,
        )  # fmt: skip
        self.action_names = core.action_names(self.bank.parameters)
        self._whole = self.bank.whole(self.steps)
        midnights = local_midnights(traces.time, traces.time_zone)[: self._whole.shape[1]]
        enough = self._whole.sum(0) >= homes_per_env
        self._starts = np.flatnonzero(midnights & enough)
        if not len(self._starts):
            raise ValueError(
                f"no local midnight has {self.steps} whole steps behind it in {homes_per_env} homes; shorten the episode"
            )
        self._horizon = self.like(np.arange(self.bank.forecast_steps))
        self._rows = np.zeros((envs, homes_per_env), np.int64)
        self._first = np.zeros(envs, np.int64)
        self._done = np.zeros(envs, np.int64)
        self._is_reset = False
        one = self.bank.parameters
        has_limits = one.has_import_limit or one.has_export_limit
        self._tally = Tally(self.ops, has_limits=has_limits) if track else None
        self._start_kwh: Value = 0.0
        self.worth_per_kwh: Value = 0.0

    @property
    def rows(self) -> Integers:
        """Household of each home, ``(env, home)``: its row in the traces."""
        return self._rows

    @property
    def first(self) -> Integers:
        """First step of each environment's episode, ``(env,)``."""
        return self._first

    @property
    def is_over(self) -> NDArray[np.bool_]:
        """Which environments have run all their steps, ``(env,)``."""
        return np.asarray(self._done >= self.steps)

    def like(self, values: NDArray[Any]) -> Any:
        """An array where the fleet computes: floating ones in its precision."""
        values = np.ascontiguousarray(values)
        if values.dtype.kind == "f":
            values = values.astype(self.dtype)
        if self.device is None:
            return values
        import torch

        return torch.from_numpy(values).to(self.device)

    def reset(
        self, random: np.random.Generator, mask: NDArray[np.bool_] | None = None, *,
        rows: Integers | None = None, first: Integers | None = None,
    ) -> Value:  # fmt: skip
        """Begin episodes, of all environments or of those in ``mask`` ``(env,)``; what is not named is drawn.

        Args:
            rows: households of every environment, ``(env, home)``.
            first: first step of every environment, ``(env,)``.

        Returns:
            Observations ``(env, home, feature)``.

        Raises:
            ValueError: named households, or too few to draw from, have the whole episode measured.
        """
        chosen = np.ones(self.envs, bool) if mask is None or not self._is_reset else np.asarray(mask, bool)
        for env in np.flatnonzero(chosen):
            self._rows[env], self._first[env] = self._draw(
                random, None if rows is None else rows[env], None if first is None else int(first[env])
            )
        self._done[chosen] = 0
        self._place_on_device()
        zero = self.like(np.zeros((self.envs, self.homes_per_env)))
        state, meter = core.start(self.home, zero), start_meter(self.tariff, zero)
        if self._is_reset and not chosen.all():
            fresh = self.like(chosen)[:, None]
            state = _mixed(fresh, state, self.state, self.ops)
            meter = _mixed(fresh, meter, self.meter, self.ops)
        self.state: core.State = state
        self.meter: MeterState = meter
        stored = self.stored_kwh()
        worth = self._worth()
        if self._tally is not None:
            self._tally.clear(None if chosen.all() else fresh)
        if self._is_reset and not chosen.all():
            stored = self.ops.where(fresh, stored, self._start_kwh)
        self._start_kwh, self.worth_per_kwh = stored, worth
        self._is_reset = True
        return self.observation()

    def charge_to(self, soc: NDArray[np.float64]) -> Value:
        """Bring batteries between their lowest (0) and highest (1) energy, ``(env, home)``, before the first step.

        Returns:
            Observations ``(env, home, feature)``.
        """
        battery = self.home.battery
        if battery is not None:
            span_kwh = battery.energy_max_kwh - battery.energy_min_kwh
            self.state = self.state._replace(battery_kwh=battery.energy_min_kwh + self.like(soc) * span_kwh)
            self._start_kwh = self.stored_kwh()
        return self.observation()

    def _draw(
        self, random: np.random.Generator, rows: Integers | None, first: int | None
    ) -> tuple[Integers, int]:
        """Households and first step of an episode; what is not named is drawn, starts before households."""
        if first is None:
            starts = self._starts
            if rows is not None:
                starts = starts[self._whole[rows][:, starts].all(0)]
                if not len(starts):
                    raise ValueError(
                        f"households {rows.tolist()} have no {self.steps} whole steps in common; name others"
                    )
            first = int(random.choice(starts))
        whole = np.flatnonzero(self._whole[:, first])
        if rows is None:
            if len(whole) < self.homes_per_env:
                raise ValueError(
                    f"{len(whole)} households have {self.steps} whole steps from step {first} on, below "
                    f"homes_per_env={self.homes_per_env}; choose another start"
                )
            rows = (
                whole
                if self.homes_per_env == len(self._whole)
                else random.choice(whole, self.homes_per_env, replace=False)
            )
        elif not self._whole[rows, first].all():
            raise ValueError(
                f"households {rows.tolist()} have missing values within {self.steps} steps from step {first}; "
                "choose another start"
            )
        return rows, first

    def _place_on_device(self) -> None:
        """Where each home stands in the tables, and its parameters."""
        bank = self.bank
        index = self._index = self.like(self._rows)
        self._tariff_index = bank.tariff_of_row[index]
        self._base = index * bank.steps  # first row of each home in the flat table
        self._tariff_base = self._tariff_index * bank.steps
        self._now = self.like(self._first + self._done)
        self.home: SimpleNamespace = bank.parameters if bank.is_shared else gathered(bank.parameters, index)
        self.tariff: Any = bank.tariff if bank.is_shared else gathered(bank.tariff, index)

    def _worth(self) -> Value:
        """Worth of a stored kWh at the end, ``(env, home)``."""
        if self._end_value_per_kwh is not None:
            return self._end_value_per_kwh
        prices = np.asarray(self.bank.mean_price(self._first, self.steps))  # (tariff, env)
        envs = self.like(np.arange(self.envs))[:, None]
        return self.like(prices)[self._tariff_index, envs] * self.home.store_efficiency

    def stored_kwh(self) -> Value:
        """Electric energy that the stores stand for, ``(env, home)`` [kWh]."""
        tank_kwh = self.state.tank_kwh / self.home.tank.cop if self.home.tank else 0.0
        return self.state.battery_kwh + self.state.car_kwh + tank_kwh

    def _gather(self) -> None:
        """Series, prices and calendar of the present step, once a step."""
        bank, now = self.bank, self._now[:, None]
        at = bank.table.reshape(-1, len(bank.channels))[self._base + now]
        self._series = {name: at[..., place] for name, place in bank.place.items()}
        prices = bank.prices.reshape(-1, bank.prices.shape[-1])[self._tariff_base + now]
        self._export_price, self._prices = prices[..., 0], prices[..., 1:]
        self._calendar = bank.calendar[self._now]

    def outside(self) -> core.Exogenous:
        """What the step that is about to run brings, ``(env, home)`` each."""
        series = self._series
        known = {name: series[name] for name in core.Exogenous._fields if name in series}
        requests = tuple(series[f"appliance_request_{place}"] for place in range(len(self.home.appliances)))
        return core.Exogenous(
            **known,
            import_price=self._prices[..., 0],
            export_price=self._export_price,
            appliance_request=requests,
        )

    def observation(self) -> Value:
        """What is seen of each home, ``(env, home, feature)``, in the order of ``features``."""
        self._gather()
        series, state, home, shape = self._series, self.state, self.home, (self.envs, self.homes_per_env)
        stack = [state.battery_kwh / home.battery.usable_kwh if home.battery else 0.0 * series["load_kw"]]
        stack += [series["load_kw"], series["pv_kw"], self._export_price]
        after: list[Value] = []
        if home.car:
            after += [
                state.car_kwh / home.car.usable_kwh,
                series["car_is_home"],
                *(series[name] for name in AHEAD),
            ]
        if home.heat_pump:
            after += [state.air_c, state.mass_c, *(series[name] for name in ("outdoor_c", "low_c", "high_c"))]
        if home.tank:
            after.append(
                (state.tank_kwh - home.tank.heat_min_kwh) / (home.tank.heat_max_kwh - home.tank.heat_min_kwh)
            )
        for waiting_h, running_h in zip(state.waiting_h, state.running_h, strict=True):
            after += [waiting_h, running_h]
        after += [demand.peaks_kw[0] for demand in self.meter.demand]
        if self.bank.tariff.blocks:
            after.append(self.meter.import_kwh)
        told = self._told()
        calendar = self._calendar[:, None, :]
        if self.device is None:
            seen = np.empty((*shape, len(self.features)), self.dtype)
            prices = 5 + len(stack)
            rest = prices + self._prices.shape[-1]
            seen[..., :5], seen[..., prices:rest] = calendar, self._prices
            for place, column in zip(
                (*range(5, prices), *range(rest, rest + len(after))), stack + after, strict=True
            ):
                seen[..., place] = column
            for place, ahead in enumerate(told):
                begin = rest + len(after) + place * self.bank.forecast_steps
                seen[..., begin : begin + self.bank.forecast_steps] = ahead
            return seen
        import torch

        parts = [calendar.expand(*shape, 5), torch.stack(stack, -1), self._prices]
        return torch.cat([*parts, *([torch.stack(after, -1)] if after else []), *told], dim=-1)

    def _told(self) -> list[Value]:
        """Forecast load, then PV, ``(env, home, horizon)``; where nothing is known, the present value stands in."""
        bank = self.bank
        if bank.ahead is None:
            return []
        steps = self._now[:, None, None] + 1 + self._horizon
        told = bank.ahead[:, self._index[..., None], steps]
        now = (self._series["load_kw"], self._series["pv_kw"])
        return [
            self.ops.where(ahead == ahead, ahead, present[..., None])  # NaN is not itself
            for ahead, present in zip(told, now, strict=True)
        ]

    def step(
        self, action: Value | None = None, *, asked: core.Request | None = None, bid_price: Value | None = None,
        ask_price: Value | None = None, active: NDArray[np.bool_] | None = None,
    ) -> Moved:  # fmt: skip
        """Run one step of all environments, or of those that are ``active`` ``(env,)``; the others stay.

        Args:
            action: shares of the devices' powers, ``(env, home, device)`` in the order of ``action_names``.
            asked: powers in kW instead of an action.
            bid_price, ask_price: what a home would pay and would take for shared energy, ``(env, home)``; auctions only.

        Raises:
            ValueError: neither an action nor a request.
            RuntimeError: not reset, or an environment is over.
        """
        moves = np.ones(self.envs, bool) if active is None else active
        if not self._is_reset or (self._done[moves] >= self.steps).any():
            raise RuntimeError(
                "an episode is over or none was begun; call reset, with a mask for some of them"
            )
        if asked is None:
            if action is None:
                raise ValueError("give an action, or powers in asked")
            if self.is_torch and not self.grad:
                action = action.detach()
            asked = core.request(
                [action[..., place] for place in range(len(self.action_names))], self.home, self.ops
            )
        m, dt_h, outside = self.ops, self.dt_h, self.outside()
        before = self.state, self.meter
        self.state, happened = core.step(
            self.state, asked, outside, self.home, dt_h, m, may_be_negative=self.bank.may_be_negative
        )
        import_kw, export_kw, trade = happened.import_kw, happened.export_kw, None
        if self.market is not None and self.market.rule != "none":
            trade = clear(
                self.market, import_kw, export_kw, outside.import_price, outside.export_price, dt_h, m,
                bid_price=bid_price, ask_price=ask_price,
            )  # fmt: skip
            import_kw, export_kw = trade.grid_import_kw, trade.grid_export_kw
        self.meter, cost = self._metered(import_kw, export_kw, outside)
        if trade is not None:
            grid = (import_kw * outside.import_price - export_kw * outside.export_price) * dt_h
            cost = cost + trade.payment - grid
        penalty = self._limit_penalty_per_kwh * dt_h * happened.excess_kw
        paid = cost + penalty
        for part in (happened.wear_cost, happened.service_cost, happened.discomfort_cost):
            if not isinstance(part, float):
                paid = paid + part
        self._done += moves
        if moves.all():
            self._now = self._now + 1
        else:
            goes = self.like(moves)[:, None]
            self.state, self.meter = _mixed(goes, (self.state, self.meter), before, m)
            self._now = self.like(self._first + self._done)
        is_over = self.is_over
        end_value = 0.0 * penalty
        if is_over.any():
            gained = self.worth_per_kwh * (self.stored_kwh() - self._start_kwh)
            end_value = m.where(self.like(is_over)[:, None], gained, end_value)
        if self._tally is not None:
            self._tally.add(
                happened, cost, penalty, end_value if is_over.any() else None, trade, None if moves.all() else goes
            )  # fmt: skip
        return Moved(
            self.observation(), end_value - paid, is_over, happened, cost, penalty, end_value, outside.load_kw,
            outside.pv_kw, trade,
        )  # fmt: skip

    def _metered(
        self, import_kw: Value, export_kw: Value, outside: core.Exogenous
    ) -> tuple[MeterState, Value]:
        bank, now = self.bank, self._now[:, None]
        starts: Value = 0.0
        windows: list[Value] = []
        if not bank.tariff.is_energy_only:
            first = self.like((self._done == 0).astype(float))[:, None]
            starts = self.ops.maximum(bank.is_month_start[self._now][:, None], first)
            marks = bank.demand_windows.reshape(-1, bank.demand_windows.shape[-1])[self._tariff_base + now]
            windows = [marks[..., charge] for charge in range(marks.shape[-1])]
        return meter_step(
            self.meter, import_kw, export_kw, outside.import_price, outside.export_price, starts, windows, self.tariff,
            self.dt_h, self.ops,
        )  # fmt: skip

    def totals(self) -> dict[str, Value]:
        """Indicators of each home's present episode so far by name, ``(env, home)`` each; ``track=True`` keeps them.

        Bill and other costs, energies, the import's peak, the battery's throughput, discomfort, and what was traded:
        see `hidiff.envs.totals`. In double precision, on the fleet's device.

        Raises:
            RuntimeError: they are not kept, or no episode was begun.
        """
        if self._tally is None or not self._is_reset:
            raise RuntimeError("no totals are kept; make the fleet with track=True and reset it")
        zero = self.like(np.zeros((self.envs, self.homes_per_env)))
        return self._tally.indicators(self.home, self.dt_h, zero, has_market=self.market is not None)

    def detach(self) -> None:
        """Cut the graph behind the present state, between two stretches of training."""
        if self._tally is not None:
            self._tally.detach()
        self.state = _each(self.state, lambda value: value.detach())
        self.meter = _each(self.meter, lambda value: value.detach())


def _each(tree: Any, change: Callable[[Value], Value]) -> Any:
    if isinstance(tree, tuple):
        items = [_each(item, change) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    return change(tree) if hasattr(tree, "shape") else tree


def _mixed(condition: Value, if_true: Any, if_false: Any, m: Ops) -> Any:
    """One tree where the condition holds, the other elsewhere."""
    if isinstance(if_true, tuple):
        items = [_mixed(condition, one, other, m) for one, other in zip(if_true, if_false, strict=True)]
        return type(if_true)(*items) if hasattr(if_true, "_fields") else tuple(items)
    return m.where(condition, if_true, if_false)
