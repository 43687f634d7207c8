"""From what the levels drew to kilowatts: windows in their places, exact day energies, physical bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hidiff.data import prepare as preparation
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


STRETCH = (0.25, 1.6)
"""How far the part of a day above its mean may be pressed together or drawn out to meet the day's peak."""


def scale_to_energy_and_peak(
    shape: NDArray[np.floating], mean: NDArray[np.floating], peak: NDArray[np.floating]
) -> Array:
    """``f * y`` of mean ``mean``, exactly, and of largest value ``peak`` as far as `STRETCH` allows.

    ``y`` is ``shape`` with its part above the mean of the row stretched by ``g``. With ``below`` and ``above``
    the row means of the two parts and ``top`` the largest value, the two conditions
    ``f (below + g above) = mean`` and ``f (m + g (top - m)) = peak`` are linear in ``g``. Nothing is clipped, so a
    peak stays a peak and does not become a plateau.

    Args:
        shape: >= 0, ``(row, step)``; a row of zeros becomes a row of ``mean``.
        mean: ``(row,)``.
        peak: ``(row,)``.
    """
    x = np.where(shape.any(1, keepdims=True), shape, 1).astype(np.float64)
    centre = x.mean(1)
    excess = np.maximum(x - centre[:, None], 0)
    above, reach = excess.mean(1), excess.max(1)
    below = centre - above
    with np.errstate(divide="ignore", invalid="ignore"):
        stretch = (peak * below - mean * centre) / (mean * reach - peak * above)
    # a peak that no stretch meets: as far out as the stretch goes, or unchanged where the row is flat
    stretch = np.where(stretch > 0, stretch, np.where(peak * above >= mean * reach, STRETCH[1], STRETCH[0]))
    stretch = np.where(reach > 0, np.clip(stretch, *STRETCH), 1.0)
    y = np.minimum(x, centre[:, None]) + stretch[:, None] * excess
    result: Array = (y * (mean / y.mean(1))[:, None]).astype(np.float32)
    return result


CORRECTION = (0.7, 1.4)
"""Smallest and largest factor of `block_correction`."""


def block_correction(
    shape: NDArray[np.floating], mean: NDArray[np.floating], blocks: NDArray[np.floating]
) -> NDArray[np.floating]:
    """One factor for each half-hour of the day, ``(48,)``, that mends how a home's days are shared out on average.

    The half-hours of a single day follow its blocks by and large, which is more lifelike than exactly; over all
    days a home must not lose its evenings. The factor of each block is its asked over its drawn mean over the
    days, and runs straight from the middle of one block to that of the next.

    Args:
        shape: drawn half-hours, >= 0, ``(day, 48)``, in any unit.
        mean: mean of each day, ``(day,)``.
        blocks: asked means of the blocks of each day, ``(day, block)``.
    """
    days, count = blocks.shape
    level = shape.mean(1)
    scale = np.where(level > 0, mean / np.maximum(level, 1e-9), 0)
    made = (shape.reshape(days, count, -1).mean(2) * scale[:, None]).mean(0)
    factor = np.where(made > 0, blocks.mean(0) / np.maximum(made, 1e-9), 1.0).clip(*CORRECTION)
    size = shape.shape[1] // count
    middle = (np.arange(count) + 0.5) * size - 0.5
    steps = np.arange(shape.shape[1])
    return np.asarray(np.interp(steps, middle, factor, period=shape.shape[1]))


def to_kilowatts(
    signal: Array, tokens: Array, envelope: Array, person: Household, unit_kw: float
) -> tuple[Array, Array]:
    """Load and PV [kW], ``(day, 48)`` each, with the energy of each day as its tokens say.

    Load is stretched to the day's peak. PV is at most the capacity and 1.3 times the clear sky; where these
    bounds bind, the rest of the day makes up for it.

    Args:
        unit_kw: load that the tokens are multiples of [kW].
    """
    own = tokens[: len(signal)]
    ratio = np.maximum(np.exp(signal[..., 0]) - LOAD_OFFSET, 0)
    energy = preparation.day_energy_ratio(own)
    year = slice(0, 365)  # the first alone, so that a longer call begins with the days of a shorter one
    ratio = ratio * block_correction(ratio[year], energy[year], preparation.block_ratios(own[year]))
    load = scale_to_energy_and_peak(ratio, energy, preparation.peak_ratio(own)) * unit_kw
    clear_kw = envelope * person.capacity_kwp
    cap = np.minimum(MAX_CLEARNESS * clear_kw, person.capacity_kwp)
    shape = np.clip(signal[..., 1], 0.005, MAX_CLEARNESS) * clear_kw
    pv = scale_to_energy(shape, own[:, CLEARNESS] * clear_kw.mean(1), cap)
    return load.astype(np.float32), pv.astype(np.float32)
