"""From measured power to what the two levels learn: ratios, clearness, daily tokens and statistics of a home.

Everything is laid out on standard-time days of 48 half-hours (see `calendars.Grid`). Load becomes
``log(load / mean + 0.1)``; PV becomes clearness, its share of the clear-sky envelope of the home's own roof.
A day is summed up by eight tokens: the log mean load of its six four-hour blocks, its log peak, and its
clearness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import calendars, solar
from .calendars import STEPS_PER_DAY, Grid
from .solar import MAX_CLEARNESS, Roof
from .traces import Traces

Array = NDArray[np.float32]
LOAD_OFFSET = 0.1
"""Added to load/mean before the logarithm: keeps standby and zero apart, both away from minus infinity."""
BLOCKS = 6
BLOCK_OFFSET = 0.05
TOKENS = BLOCKS + 2
PEAK, CLEARNESS = BLOCKS, BLOCKS + 1
"""Places of the peak and the clearness among a day's tokens; the blocks come first."""


@dataclass(frozen=True)
class Prepared:
    """Homes ready for training; all arrays NaN where nothing was measured."""

    names: list[str]
    grid: Grid
    scale_kw: Array
    """Mean load, ``(home,)`` [kW]."""
    capacity_kwp: Array
    """``(home,)`` [kWp]."""
    roofs: list[Roof]
    load_log_ratio: Array
    """``log(load / scale + 0.1)``, ``(home, day, 48)``."""
    clearness: Array
    """PV over envelope, 0..1.3; at night the clearness of the day, ``(home, day, 48)``."""
    envelope: Array
    """Clear-sky output per kWp of the home's roof, ``(home, day, 48)`` [kW/kWp]."""
    is_sunny: NDArray[np.bool_]
    """Envelope above 3 % of the capacity, on known days of homes with PV: where clearness means something."""
    tokens: Array
    """Daily tokens in log ratios and clearness, ``(home, day, 8)``."""
    is_known: NDArray[np.bool_]
    """Whole day measured, ``(home, day)``."""

    def known_starts(self, days: int) -> NDArray[np.int64]:
        """Pairs ``(home, first day)`` of every run of ``days`` known days, ``(run, 2)``."""
        known = np.cumsum(np.pad(self.is_known.astype(np.int64), ((0, 0), (1, 0))), axis=1)
        if known.shape[1] <= days:
            return np.zeros((0, 2), dtype=np.int64)
        full = known[:, days:] - known[:, :-days] == days
        return np.argwhere(full)

    def select(self, rows: NDArray[np.integer]) -> Prepared:
        """Some of the homes, by place."""
        return Prepared(
            [self.names[row] for row in rows], self.grid, self.scale_kw[rows], self.capacity_kwp[rows],
            [self.roofs[row] for row in rows], self.load_log_ratio[rows], self.clearness[rows],
            self.envelope[rows], self.is_sunny[rows], self.tokens[rows], self.is_known[rows],
        )  # fmt: skip


def together(first: Prepared, second: Prepared) -> Prepared:
    """The homes of both, which must lie on the same days.

    Raises:
        ValueError: different days.
    """
    if not first.grid.dates.equals(second.grid.dates):
        raise ValueError(
            f"days run from {first.grid.dates[0].date()} and from {second.grid.dates[0].date()}; "
            "prepare both from traces of the same span"
        )
    parts: dict[str, Any] = {}
    for name, value in vars(first).items():
        other = getattr(second, name)
        if name != "grid":
            parts[name] = [*value, *other] if isinstance(value, list) else np.concatenate([value, other])
    return Prepared(grid=first.grid, **parts)


def last_year(prepared: Prepared, days: int = 365) -> Prepared:
    """The last ``days`` known days of each home alone, with their mean as its scale; shorter records whole.

    A home changes over the years; what comes next is more like the last of them than like their mean.
    """
    is_known = prepared.is_known & (prepared.is_known[:, ::-1].cumsum(1)[:, ::-1] <= days)
    energy = np.where(is_known, day_energy_ratio(prepared.tokens), 0).sum(1) / is_known.sum(1)
    ratio = energy.astype(np.float32)[:, None, None]
    load = np.maximum(np.exp(prepared.load_log_ratio) - LOAD_OFFSET, 0) / ratio
    tokens = prepared.tokens.copy()
    sizes = np.maximum(np.exp(tokens[..., :CLEARNESS]) - BLOCK_OFFSET, 0) / ratio
    tokens[..., :CLEARNESS] = np.log(sizes + BLOCK_OFFSET)
    return replace(
        prepared, scale_kw=prepared.scale_kw * ratio[:, 0, 0], tokens=tokens, is_known=is_known,
        load_log_ratio=np.log(load + LOAD_OFFSET), is_sunny=prepared.is_sunny & is_known[..., None],
    )  # fmt: skip


def to_days(traces: Traces) -> tuple[Grid, Array, Array]:
    """Load and PV [kW] on whole standard-time days, ``(home, day, 48)``, NaN outside what was measured.

    Raises:
        ValueError: a step other than half an hour, or half-hours that do not begin with the day's.
    """
    if traces.dt_h != 0.5:
        raise ValueError(
            f"steps of {traces.dt_h * 60:g} minutes; the model works on 30, use Traces.resample first"
        )
    first = calendars.first_standard_date(traces.time[0], traces.time_zone)
    last = calendars.first_standard_date(traces.time[-1], traces.time_zone)
    grid = calendars.day_grid(first, (last - first).days + 1, traces.time_zone)
    lead, late = divmod(traces.time[0] - grid.time[0], pd.Timedelta(minutes=30))
    if late:
        raise ValueError(
            f"the readings begin at {traces.time[0].tz_convert(traces.time_zone)}, off the half-hours of the "
            "local day; use Traces.resample first, or name the right time zone"
        )
    shape = (len(traces), len(grid), STEPS_PER_DAY)
    arrays = []
    for values in (traces.load_kw, traces.pv_kw):
        days = np.full((len(traces), len(grid) * STEPS_PER_DAY), np.nan, dtype=np.float32)
        days[:, lead : lead + values.shape[1]] = values
        arrays.append(days.reshape(shape))
    return grid, arrays[0], arrays[1]


def prepare(traces: Traces, *, hidden: NDArray[np.bool_] | None = None) -> Prepared:
    """Lay homes out for the model.

    Args:
        traces: half-hourly homes.
        hidden: days that must not be seen, ``(home, day)`` on the grid of `to_days`; they count as gaps.

    Raises:
        ValueError: a home without load, without a single whole day, or without a PV capacity of 0 or more.
    """
    grid, load, pv = to_days(traces)
    if hidden is not None:
        load[hidden], pv[hidden] = np.nan, np.nan
    known: NDArray[np.bool_] = np.asarray(~(np.isnan(load).any(2) | np.isnan(pv).any(2)))
    if not known.any(1).all():
        empty = traces.names[int(np.argmin(known.any(1)))]
        raise ValueError(f"home {empty!r} has no whole day of readings; drop it first")
    load[~known], pv[~known] = np.nan, np.nan
    scale = np.nanmean(load, axis=(1, 2)).astype(np.float32)
    if not (scale > 0).all():
        raise ValueError(f"home {traces.names[int(np.argmin(scale))]!r} uses no energy; drop it first")
    capacity = traces.homes["pv_capacity_kwp"].to_numpy(dtype=np.float32)
    if not (capacity >= 0).all():
        row = int(np.argmin(capacity >= 0))
        raise ValueError(
            f"home {traces.names[row]!r} has pv_capacity_kwp={capacity[row]:g}; "
            "give its capacity in kWp, 0 where there is no PV"
        )
    sky = solar.clear_sky_of_days(grid.dates)
    roofs = solar.fit_roofs(pv, capacity, sky, grid.day_of_year)
    envelope = np.stack([solar.envelope_kw(sky, roof, 1.0).reshape(-1, STEPS_PER_DAY) for roof in roofs])
    ratio = load / scale[:, None, None]
    clear_kw = np.maximum(envelope * capacity[:, None, None], 1e-6)
    is_sunny = (envelope > 0.03) & (capacity > 0)[:, None, None] & known[..., None]
    day_clearness = np.clip(pv.sum(2) / np.maximum(clear_kw.sum(2), 1e-6), 0, MAX_CLEARNESS)
    clearness = np.where(is_sunny, np.clip(pv / clear_kw, 0, MAX_CLEARNESS), day_clearness[..., None])
    return Prepared(
        names=traces.names,
        grid=grid,
        scale_kw=scale,
        capacity_kwp=capacity,
        roofs=roofs,
        load_log_ratio=np.log(np.maximum(ratio, 0) + LOAD_OFFSET).astype(np.float32),
        clearness=clearness.astype(np.float32),
        envelope=envelope,
        is_sunny=is_sunny,
        tokens=daily_tokens(ratio, day_clearness),
        is_known=known,
    )


def daily_tokens(ratio: Array, day_clearness: Array) -> Array:
    """Tokens of days from load/mean ``(…, 48)`` and clearness ``(…)``: ``(…, 8)``."""
    blocks = ratio.reshape(*ratio.shape[:-1], BLOCKS, -1).mean(-1)
    peak = ratio.max(-1, keepdims=True)
    logs = np.log(np.maximum(np.concatenate([blocks, peak], -1), 0) + BLOCK_OFFSET)
    return np.concatenate([logs, day_clearness[..., None]], -1).astype(np.float32)


def day_energy_ratio(tokens: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mean load of the day over the home's mean that ``tokens`` ``(…, 8)`` ask for, ``(…)``."""
    mean: NDArray[np.floating] = block_ratios(tokens).mean(-1)
    return mean


def block_ratios(tokens: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mean load of each block over the home's mean that ``tokens`` ``(…, 8)`` ask for, ``(…, 6)``."""
    blocks: NDArray[np.floating] = np.maximum(np.exp(tokens[..., :BLOCKS]) - BLOCK_OFFSET, 0)
    return blocks


def peak_ratio(tokens: NDArray[np.floating]) -> NDArray[np.floating]:
    """Largest half-hour of the day over the home's mean load, ``(…)``."""
    peak: NDArray[np.floating] = np.maximum(np.exp(tokens[..., PEAK]) - BLOCK_OFFSET, 0)
    return peak
