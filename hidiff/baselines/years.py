"""Whole years from a baseline that knows windows alone: pasted side by side, or with our best stitcher."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hidiff import rng as random
from hidiff.data import calendars, solar
from hidiff.data.calendars import STEPS_PER_DAY
from hidiff.data.prepare import LOAD_OFFSET
from hidiff.data.solar import MAX_CLEARNESS, Roof
from hidiff.data.traces import Traces
from hidiff.data.weather import COLUMNS

from .windows import CHANNELS, HOUSEHOLD_LIMIT, Scale, WindowModel, condition_of, restore, standardise

Array = NDArray[np.float32]
Stitch = Literal["naive", "overlap"]
OVERLAP_DAYS = 2
"""Days that neighbouring windows share where they are not pasted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AskedHome:
    """One home to sample: all that a baseline is told of it, in natural units."""

    name: str
    key: str
    """What its noise is keyed by."""
    household: Array
    """Statistics, ``(H,)``, as in `windows.lay_out`."""
    roof: Roof
    capacity_kwp: float
    mean_load_kw: float
    """Mean load of its traces, exactly."""
    source_home: str = ""

    def __post_init__(self) -> None:
        if not (self.capacity_kwp >= 0 and math.isfinite(self.capacity_kwp)):
            raise ValueError(
                f"home {self.name!r} has capacity_kwp={self.capacity_kwp}; it must be at least 0"
            )
        if not (self.mean_load_kw > 0 and math.isfinite(self.mean_load_kw)):
            raise ValueError(f"home {self.name!r} has mean_load_kw={self.mean_load_kw}; it must be above 0")


@runtime_checkable
class KnownContext(Protocol):
    """A window model that can be given a part of its window."""

    regional_share: float
    """Share of the variance of the clearness noise that all homes share."""

    def sample_known(
        self, condition: Tensor, household: Tensor, known: Tensor, is_known: Tensor, noise: Tensor
    ) -> Tensor:
        """Standardised windows ``(window, step, 2)`` around ``known`` where ``is_known`` ``(window, step)``."""


def years(
    model: WindowModel, scale: Scale, people: Sequence[AskedHome], *, time: pd.DatetimeIndex,
    weather: pd.DataFrame, stitch: Stitch, seed: int, time_zone: str = "Australia/Sydney",
) -> Traces:  # fmt: skip
    """Traces of ``people`` over ``time``.

    ``naive`` pastes independent windows. ``overlap`` lets a model that can be given a part of its window fill
    the gaps between every second window, two days of each neighbour known; windows of any other model overlap
    by two days and are joined where they agree best (`join`).

    Args:
        time: interval starts, half-hours in UTC.
        weather: columns `hidiff.data.weather.COLUMNS` on the naive standard-time dates of ``time``; rows beyond
            are used to round out the last window, and the last one is repeated where they end.

    Raises:
        ValueError: dates without weather, an unknown ``stitch``, a model whose load is not finite or is zero.
    """
    if stitch not in ("naive", "overlap"):
        raise ValueError(f"unknown stitch {stitch!r}; there are naive and overlap")
    first = calendars.first_standard_date(time[0], time_zone)
    needed = (calendars.first_standard_date(time[-1], time_zone) - first).days + 1
    overlap = 0 if stitch == "naive" else min(OVERLAP_DAYS, model.days // 2)
    stride = model.days - overlap
    known = stitch == "overlap" and isinstance(model, KnownContext)
    gaps = max(math.ceil((needed - model.days) / stride), 0)
    gaps += gaps % 2 if known else 0  # every second window is a gap between two others
    starts = np.arange(gaps + 1) * stride
    grid = calendars.day_grid(first, int(starts[-1]) + model.days, time_zone)
    missing = grid.dates[:needed].difference(weather.index)
    if len(missing):
        raise ValueError(f"no weather for {missing[0].date()} ({len(missing)} days missing); give all of "
                         f"{grid.dates[0].date()} to {grid.dates[needed - 1].date()}")  # fmt: skip
    path = weather[COLUMNS].reindex(grid.dates).ffill().to_numpy(dtype=np.float32, copy=True)
    own_path = standardise(torch.from_numpy(path), scale.weather)
    sky = solar.clear_sky_of_days(grid.dates)
    lead = int((time[0] - grid.time[0]) // pd.Timedelta(minutes=30))
    cut = slice(lead, lead + len(time))
    load_kw = np.empty((len(people), len(time)), dtype=np.float32)
    pv_kw = np.empty_like(load_kw)
    for row, person in enumerate(people):
        envelope = solar.envelope_kw(sky, person.roof, 1.0).reshape(1, -1, STEPS_PER_DAY)
        condition = condition_of(grid, own_path, torch.from_numpy(envelope))[0]
        household = standardise(torch.from_numpy(person.household), scale.household)
        household = household.clamp(-HOUSEHOLD_LIMIT, HOUSEHOLD_LIMIT)
        if known and isinstance(model, KnownContext):
            signal = _filled(model, condition, household, starts, model.days, seed, person.key)
        else:
            inside = torch.from_numpy(starts[:, None] + np.arange(model.days))
            parts = condition[inside].flatten(1, 2)
            homes = household.expand(len(starts), -1)
            signal = join(model.sample(parts, homes, seed, person.key), overlap * STEPS_PER_DAY)
        natural = restore(signal, scale.signal).numpy()[cut]
        load_kw[row], pv_kw[row] = to_kilowatts(natural, envelope.ravel()[cut], person)
    return Traces(load_kw, pv_kw, time, _table(people, load_kw, pv_kw), time_zone)


def join(windows: Tensor, overlap: int) -> Tensor:
    """One run of steps from windows that share ``overlap`` steps with the next, ``(step, channel)``.

    Within the overlap each channel changes over from one window to the next at the step around which the two
    differ least (image quilting, Efros and Freeman 2001, DOI 10.1145/383259.383296, in one dimension). A
    cross-fade would halve the variance in the middle of every overlap; here every value is one that the model drew.
    """
    result = windows[0]
    for window in windows[1:]:
        if overlap:
            late, early = result[-overlap:], window[:overlap]
            apart = (late - early).abs()
            cost = apart[1:] + apart[:-1]  # of changing over after each step but the last
            place = cost.argmin(0) + 1
            takes_over = torch.arange(overlap)[:, None] >= place
            shared = torch.where(takes_over, early, late)
            result = torch.cat([result[:-overlap], shared, window[overlap:]])
        else:
            result = torch.cat([result, window])
    return result


def _filled(
    model: KnownContext, condition: Tensor, household: Tensor, starts: NDArray[np.int64], days: int,
    seed: int, key: str,
) -> Tensor:  # fmt: skip
    """Every second window first, then the gaps with both neighbours known; ``(step, 2)``."""
    signal = torch.zeros(len(condition), STEPS_PER_DAY, CHANNELS)
    settled = torch.zeros(len(condition), dtype=torch.bool)
    for turn in (starts[::2], starts[1::2]):
        if not len(turn):
            continue
        inside = torch.from_numpy(turn[:, None] + np.arange(days))
        is_known = settled[inside].repeat_interleave(STEPS_PER_DAY, dim=1).float()
        noise = torch.stack([_noise(days, int(start), seed, key, model.regional_share) for start in turn])
        drawn = model.sample_known(
            condition[inside].flatten(1, 2), household.expand(len(turn), -1),
            signal[inside].flatten(1, 2) * is_known[..., None], is_known, noise,
        ).view(len(turn), days, STEPS_PER_DAY, CHANNELS)  # fmt: skip
        for place, window in zip(inside, drawn, strict=True):
            free = ~settled[place]
            signal[place[free]] = window[free]
        settled[inside.flatten()] = True
    return signal.flatten(0, 1)


def _noise(days: int, start: int, seed: int, key: str, regional_share: float) -> Tensor:
    """Noise of a window ``(step, 2)``: the load's its own, the clearness's partly that of the region."""
    shape = (days * STEPS_PER_DAY, CHANNELS)
    own = random.normal(shape, seed, key, "window", start)
    region = random.normal(shape, seed, "region", "window", start)
    own[:, 1] = np.sqrt(1 - regional_share) * own[:, 1] + np.sqrt(regional_share) * region[:, 1]
    return torch.from_numpy(own)


def to_kilowatts(signal: Array, envelope: Array, person: AskedHome) -> tuple[Array, Array]:
    """Load and PV [kW], each ``(step,)``.

    The mean load is that of the home, exactly: every baseline is told its size. PV is at most the capacity and
    1.3 times the clear sky, and zero at night, which is what clearness means.

    Args:
        signal: log load ratio and clearness in natural units, ``(step, 2)``.
        envelope: clear-sky output per kWp, ``(step,)`` [kW/kWp].
    """
    ratio = np.maximum(np.exp(signal[:, 0].astype(np.float64)) - LOAD_OFFSET, 0)
    mean = float(ratio.mean())
    if not (mean > 0 and math.isfinite(mean)):
        raise ValueError(f"the model's load of home {person.name!r} has the mean {mean}; train it for longer")
    clear_kw = envelope * person.capacity_kwp
    pv_kw = np.minimum(np.clip(signal[:, 1], 0, MAX_CLEARNESS) * clear_kw, person.capacity_kwp)
    return (ratio * (person.mean_load_kw / mean)).astype(np.float32), pv_kw.astype(np.float32)


def _table(people: Sequence[AskedHome], load_kw: Array, pv_kw: Array) -> pd.DataFrame:
    annual_h = 8766.0
    return pd.DataFrame(
        {
            "pv_capacity_kwp": [person.capacity_kwp for person in people],
            "annual_kwh": load_kw.mean(1, dtype=np.float64) * annual_h,
            "annual_pv_kwh": pv_kw.mean(1, dtype=np.float64) * annual_h,
            "source_home": [person.source_home or person.name for person in people],
            "roof_tilt_deg": [person.roof.tilt_deg for person in people],
            "roof_azimuth_deg": [person.roof.azimuth_deg for person in people],
        },
        index=pd.Index([person.name for person in people], name="home"),
    )
