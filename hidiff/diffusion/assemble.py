"""From what the levels drew to kilowatts: windows in their places, exact day energies, physical bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hidiff.data import prepare as preparation
from hidiff.data.calendars import STEPS_PER_DAY
from hidiff.data.prepare import CLEARNESS, LOAD_OFFSET
from hidiff.data.solar import MAX_CLEARNESS

from .household import Household

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """Where the windows of the low level lie: every second one first, then the gaps between them."""

    days: int
    """Days covered."""
    first: NDArray[np.int64]
    """Start days of the windows that know no neighbour."""
    second: NDArray[np.int64]
    """Start days of the windows between them."""
    context_days: int
    """Days at each end of a second window that its neighbours have settled."""

    @staticmethod
    def cover(days: int, window_days: int, context_days: int = 2) -> Layout:
        """The fewest windows that cover ``days``."""
        stride = 2 * (window_days - context_days)
        gaps = max(math.ceil((days - window_days) / stride), 0)
        first = np.arange(gaps + 1) * stride
        return Layout(
            int(first[-1]) + window_days, first, first[:-1] + window_days - context_days, context_days
        )


def scale_to_energy(
    shape: NDArray[np.floating], mean: NDArray[np.floating], cap: NDArray[np.floating]
) -> Array:
    """``min(f * shape, cap)`` with the factor ``f`` of each row at which its mean is ``mean``, exactly.

    Args:
        shape: what to scale, >= 0, ``(row, step)``. Where its zeros leave too little room, they are raised by
            one share of their cap.
        mean: asked mean, ``(row,)``; a row whose cap cannot hold it becomes its cap.
        cap: upper bound, ``(row, step)``.
    """
    steps = shape.shape[1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        level = np.where(
            shape > 0, cap.astype(np.float64) / shape, np.inf
        )  # factor at which a step meets its cap
        order = np.argsort(level, axis=1)
        level = np.take_along_axis(level, order, axis=1)
        capped = np.take_along_axis(cap.astype(np.float64), order, axis=1)
        free = np.take_along_axis(shape.astype(np.float64), order, axis=1)
        held = np.cumsum(capped, axis=1) - capped  # energy of the steps at their cap before each place
        rest = np.cumsum(free[:, ::-1], axis=1)[:, ::-1]
        reached = np.isfinite(level) & (held + level * rest >= (mean * steps)[:, None])
        place = reached.argmax(1)
        rows = np.arange(len(shape))
        factor = (mean * steps - held[rows, place]) / rest[rows, place]
    factor = np.where(np.isfinite(factor) & (factor > 0), factor, 0)
    is_short = ~reached.any(1)
    factor = np.where(is_short, np.inf, factor)[:, None]
    with np.errstate(invalid="ignore"):
        scaled = np.minimum(np.where(shape > 0, factor * shape, 0), cap)
    if is_short.any():
        room = np.where((shape > 0) | ~is_short[:, None], 0, cap.astype(np.float64))
        left = mean * steps - scaled.sum(1)
        share = np.clip(left / np.maximum(room.sum(1), np.finfo(np.float32).tiny), 0, 1)
        scaled = scaled + share[:, None] * room
    result: Array = scaled.astype(np.float32)
    return result


def to_kilowatts(signal: Array, tokens: Array, envelope: Array, person: Household) -> tuple[Array, Array]:
    """Load and PV [kW], ``(day, 48)`` each, with the energy of each day as its tokens say.

    Load is at most the day's peak, PV at most the capacity and 1.3 times the clear sky; where these bounds
    bind, the rest of the day makes up for it.
    """
    days = len(signal)
    own = tokens[:days]
    ratio = np.maximum(np.exp(signal[..., 0]) - LOAD_OFFSET, 0)
    energy = preparation.day_energy_ratio(own)
    peak = np.maximum(preparation.peak_ratio(own), energy * 1.02)
    load = (
        scale_to_energy(ratio, energy, np.repeat(peak[:, None], STEPS_PER_DAY, axis=1)) * person.mean_load_kw
    )
    clear_kw = envelope * person.capacity_kwp
    cap = np.minimum(MAX_CLEARNESS * clear_kw, person.capacity_kwp)
    shape = np.clip(signal[..., 1], 0.005, MAX_CLEARNESS) * clear_kw
    pv = scale_to_energy(shape, own[:, CLEARNESS] * clear_kw.mean(1), cap)
    return load.astype(np.float32), pv.astype(np.float32)
