"""Households ready to be stepped together: series, prices and parameters, gathered by row and step.

A household is a row of the traces and its `Home`. Its series lie side by side, ``(row, step, channel)``, so that a
step of thousands of homes is one gather.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.home import Home

from . import core
from .checks import check_span
from .clock import Clock
from .exogenous import device_exogenous
from .forecasts import Forecast, day_mean
from .meter import stack_tariffs
from .observation import PRICE_BOUND_PER_KWH, departures
from .parameters import many_homes
from .sources import Window

Floats = NDArray[np.float64]
AHEAD = ("car_leaves_h", "car_next_kwh")
"""What a car's calendar shows; no channel of the physics."""


class Bank:
    """Series of households on one clock.

    Args:
        traces: load and PV.
        homes: one `Home` for all, or one a row of the traces.
        look_ahead_steps: import prices beyond a step's own.
        like: brings a NumPy array to where the steps are computed; floating arrays in the precision wanted.
        forecast: perfect or persistence, up to a day ahead.
        given: series that all homes share, ``(step,)``, such as ``outdoor_c`` and ``wholesale_per_kwh``.

    Raises:
        ValueError: as many homes as traces are asked for; a value beyond the bounds of the observation.
    """

    def __init__(
        self, traces: Traces, homes: Home | Sequence[Home], *, look_ahead_steps: int,
        like: Callable[[NDArray[Any]], Any], forecast: Forecast | None = None,
        given: Mapping[str, Floats] | None = None,
    ) -> None:  # fmt: skip
        rows = len(traces)
        self.given = dict(given or {})
        wholesale = self.given.get("wholesale_per_kwh")
        self.homes = [homes] if isinstance(homes, Home) else list(homes)
        if len(self.homes) not in (1, rows):
            raise ValueError(
                f"there are {len(self.homes)} homes for {rows} traces; give one, or one for each"
            )
        self.traces = traces
        self.dt_h = traces.dt_h
        self.is_shared = len(self.homes) == 1
        """Whether all rows have the same home, whose parameters need no gathering."""
        self.parameters: SimpleNamespace = many_homes(self.homes, dt_h=self.dt_h, like=like)
        tariffs = [home.tariff for home in self.homes]
        self.tariff: Any = stack_tariffs(tariffs, like)
        distinct = list(dict.fromkeys(tariffs))
        clocks = [
            Clock(one, traces.time, traces.time_zone, ahead=look_ahead_steps, wholesale_per_kwh=wholesale)
            for one in distinct
        ]
        self.tariff_of_row = like(np.array([distinct.index(home.tariff) for home in self._of_rows()]))
        self.may_be_negative = any(clock.may_be_negative for clock in clocks)
        steps = len(traces.time) + 1
        self.calendar = like(clocks[0].calendar)
        self.is_month_start = like(clocks[0].series.is_month_start[:steps])
        charges = max(len(one.demand) for one in distinct)
        windows = np.zeros((len(distinct), steps, charges))
        for number, clock in enumerate(clocks):
            found = clock.series.in_demand_window[:, :steps]
            windows[number, :, : len(found)] = found.T
        self.demand_windows = like(windows)
        """``(tariff, step, charge)``"""
        prices = [np.column_stack([clock.export_price, clock.import_prices_ahead]) for clock in clocks]
        self.prices = like(np.stack(prices))
        """``(tariff, step, 2 + look_ahead_steps)``: export price, then import prices from the step's own on."""
        if float(np.abs(np.stack(prices)).max()) > PRICE_BOUND_PER_KWH:
            raise ValueError(
                f"a price lies beyond {PRICE_BOUND_PER_KWH:g} per kWh; use a larger currency unit"
            )
        self._import_price = np.stack([clock.import_price for clock in clocks])
        self.steps = steps
        table = self._series()
        self.channels = list(table)
        self.place = {name: place for place, name in enumerate(self.channels)}
        self.table = like(np.stack(list(table.values()), axis=-1))
        """``(row, step, channel)``; one step more than the traces have, which repeats the last."""

        self.forecast_steps = forecast.horizon_steps if forecast else 0
        self.ahead: Any = None
        """What is told of load and PV ahead, ``(channel, row, step + horizon)``; NaN where nothing is known."""
        if forecast is not None:
            self.ahead = like(self._told(forecast))

    def _told(self, forecast: Forecast) -> Floats:
        day = round(24 / self.dt_h)
        if forecast.kind not in ("perfect", "persistence") or forecast.horizon_steps > day:
            raise ValueError(
                f"a forecast of kind {forecast.kind!r} over {forecast.horizon_steps} steps cannot be told to many homes "
                f"at once; use 'perfect' or 'persistence' over at most {day} steps, or HomeEnv"
            )
        traces = self.traces
        scale = np.array(
            [
                home.pv_scale(kwp)
                for home, kwp in zip(self._of_rows(), traces.homes["pv_capacity_kwp"], strict=True)
            ]
        )
        told = []
        for records, factor in ((traces.load_kw, np.ones(len(traces))), (traces.pv_kw, scale)):
            means = np.stack([day_mean(record, day) for record in records])
            if forecast.kind == "perfect":
                means = np.where(np.isfinite(records), records, means)
            told.append(means * factor[:, None])
        beyond = (0, 0), (0, 0), (0, forecast.horizon_steps + 1)
        return np.asarray(np.pad(np.stack(told), beyond, constant_values=np.nan))

    def _of_rows(self) -> list[Home]:
        return self.homes * len(self.traces) if self.is_shared else self.homes

    def _series(self) -> dict[str, Floats]:
        traces = self.traces
        rows = []
        for row, home in enumerate(self._of_rows()):
            kwp = float(traces.homes["pv_capacity_kwp"].iloc[row])
            load_kw = _filled(traces.load_kw[row])
            pv_kw = _filled(traces.pv_kw[row]) * home.pv_scale(kwp)
            check_span({"load_kw": load_kw, "pv_kw": pv_kw}, traces.names[row])
            series = {"load_kw": load_kw, "pv_kw": pv_kw}
            record = Window(
                row=row, home=traces.names[row], first=0, steps=len(traces.time), life=traces.names[row],
                record_load_kw=load_kw, record_pv_kw=_filled(traces.pv_kw[row]), record_time=traces.time,
                pv_capacity_kwp=kwp, time_zone=traces.time_zone, given=self.given,
            )  # fmt: skip
            found = device_exogenous(home, record)
            requests = found.pop("appliance_request", np.zeros((len(load_kw), 0)))
            series |= found
            for number in range(requests.shape[1]):
                series[f"appliance_request_{number}"] = requests[:, number]
            series = {name: np.append(values, values[-1]) for name, values in series.items()}
            if "car_is_home" in found:
                leaves_h, trip_kwh = departures(found["car_is_home"], found["car_trip_kwh"], self.dt_h)
                series |= dict(zip(AHEAD, (leaves_h, trip_kwh), strict=True))
            rows.append(series)
        names = list(dict.fromkeys(name for series in rows for name in series))
        nothing = core.Exogenous._field_defaults
        empty = {name: np.full(self.steps, float(nothing.get(name, 0.0) or 0.0)) for name in names}
        return {name: np.stack([series.get(name, empty[name]) for series in rows]) for name in names}

    def mean_price(self, first: NDArray[np.int64], steps: int) -> Floats:
        """Mean import price of windows, ``(tariff, window)``."""
        before = np.concatenate(
            [np.zeros((len(self._import_price), 1)), np.cumsum(self._import_price, axis=1)], axis=1
        )
        return np.asarray((before[:, first + steps] - before[:, first]) / steps)

    def whole(self, steps: int) -> NDArray[np.bool_]:
        """Where windows of ``steps`` steps begin that have measurements throughout, ``(row, first)``."""
        missing = np.isnan(self.traces.load_kw) | np.isnan(self.traces.pv_kw)
        before = np.concatenate([np.zeros((len(missing), 1), int), np.cumsum(missing, axis=1)], axis=1)
        return np.asarray(before[:, steps:] == before[:, :-steps])


def _filled(power_kw: NDArray[Any]) -> Floats:
    """Gaps hold the last value before them: an observation may look at one, an episode never runs through it."""
    known = np.where(np.isfinite(power_kw), np.arange(len(power_kw)), 0)
    return np.asarray(np.nan_to_num(power_kw[np.maximum.accumulate(known)].astype(float)))


def gathered(tree: Any, index: Any) -> Any:
    """The same parameters with every array ``(row,)`` replaced by its values at ``index``, ``(env, home)``."""
    if isinstance(tree, SimpleNamespace):
        return SimpleNamespace(**{name: gathered(value, index) for name, value in vars(tree).items()})
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(gathered(value, index) for value in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(gathered(value, index) for value in tree)
    return tree[index] if getattr(tree, "ndim", 0) == 1 else tree
