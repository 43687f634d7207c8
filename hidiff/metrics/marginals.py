"""How much power there is, and when in the year and the day: distributions pooled over homes.

Populations are compared, never paired series. Every distance is in kW, so that an error of scale shows.
Rows of ``weights`` are shares of the homes (each row adds to 1), one row a bootstrap resample over homes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

ELEMENTS_AT_ONCE = 4_000_000
"""Size of the largest intermediate array, so that many homes do not need much memory."""


def wasserstein(a: Floats, b: Floats) -> float:
    """1-Wasserstein distance of all values of ``a`` and ``b``, in their unit.

    ``W1 = integral |F_a(x) - F_b(x)| dx`` (Vallender 1974, doi:10.1137/1118101).

    Args:
        a: values of any shape, e.g. ``(home, step)`` [kW].
        b: the other side; another size is fine.
    """
    cells = np.zeros(1, dtype=np.int64)
    one = np.ones((1, 1))
    rows_a, rows_b = np.asarray(a).reshape(1, -1), np.asarray(b).reshape(1, -1)
    return float(
        wasserstein_by_cell(rows_a, rows_b, cells.repeat(rows_a.size), cells.repeat(rows_b.size), one)[0]
    )


def month_hour(clock: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Cell 0..287 of each step, ``24 * (month - 1) + hour``, in the zone of ``clock``, ``(step,)``."""
    return np.asarray(24 * (clock.month - 1) + clock.hour, dtype=np.int64)


def wasserstein_month_hour(
    a: Floats, b: Floats, clock_a: pd.DatetimeIndex, clock_b: pd.DatetimeIndex
) -> float:
    """W1 of the power in each month and hour of the clock, mean over the 288 cells [kW].

    Args:
        a: ``(home, step)`` [kW].
        b: ``(home, step)`` [kW]; homes and steps may differ in number.
        clock_a: start of each step of ``a`` on the homes' clock (zone-aware, local).
        clock_b: the same of ``b``.
    """
    return float(wasserstein_by_cell(a, b, month_hour(clock_a), month_hour(clock_b))[0])


def wasserstein_by_cell(
    a: Floats,
    b: Floats,
    cells_a: NDArray[np.int64],
    cells_b: NDArray[np.int64],
    weights: Array | None = None,
) -> Array:
    """W1 between ``a`` and ``b`` within each cell of steps, mean over the cells, for each row of ``weights``.

    Args:
        a: ``(home, step)``.
        b: ``(home, step)``.
        cells_a: label of each step of ``a``, ``(step,)``.
        cells_b: label of each step of ``b``, ``(step,)``.
        weights: shares of the homes of ``a``, ``(resample, home)``; equal shares by default.
    Returns:
        ``(resample,)``, one value where no weights are given.
    Raises:
        ValueError: the two sides do not have the same cells.
    """
    weights = uniform_weights(len(a)) if weights is None else weights
    labels = np.unique(cells_a)
    if not np.array_equal(labels, np.unique(cells_b)):
        odd = np.setxor1d(labels, cells_b)
        raise ValueError(f"{len(odd)} cells are on one side only, the first is {odd[0]}; compare whole years")
    total = np.zeros(len(weights))
    for label in labels:
        total += _wasserstein_weighted(a[:, cells_a == label], b[:, cells_b == label], weights)
    return total / len(labels)


def uniform_weights(homes: int) -> Array:
    """One row of equal shares, ``(1, home)``."""
    return np.full((1, homes), 1.0 / homes)


def _wasserstein_weighted(a: Floats, b: Floats, weights: Array) -> Array:
    values = np.concatenate([a.ravel(), b.ravel()]).astype(np.float64)
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    is_a = order < a.size
    home = np.where(is_a, order // a.shape[1], 0)
    cumulative_b = np.cumsum(~is_a) / b.size
    distance = np.empty(len(weights))
    rows = max(1, ELEMENTS_AT_ONCE // values.size)
    for first in range(0, len(weights), rows):
        mass = weights[first : first + rows][:, home] * (is_a / a.shape[1])  # (resample, value)
        np.cumsum(mass, axis=1, out=mass)
        mass -= cumulative_b
        distance[first : first + rows] = np.abs(mass[:, :-1]) @ gaps
    return distance


QUANTILE_LEVELS = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
"""Levels at which quantiles are compared."""


def quantiles(
    power_kw: Floats, levels: tuple[float, ...] = QUANTILE_LEVELS, weights: Array | None = None
) -> Array:
    """Quantiles of the power of all homes and steps, ``(resample, level)`` [kW].

    The inverse of the empirical distribution (type 1 of Hyndman and Fan 1996, doi:10.2307/2684934).

    Args:
        power_kw: ``(home, step)`` [kW].
        levels: each in 0..1.
        weights: shares of the homes, ``(resample, home)``; equal shares, one row, by default.
    """
    weights = uniform_weights(len(power_kw)) if weights is None else weights
    order = np.argsort(power_kw, axis=None, kind="stable")
    ordered = power_kw.ravel()[order]
    home = order // power_kw.shape[1]
    found = np.empty((len(weights), len(levels)))
    for row, share in enumerate(weights):
        cumulative = np.cumsum(share[home]) / power_kw.shape[1]
        # the small slack keeps a level that is exactly reached from moving on by a rounding error
        found[row] = ordered[
            np.minimum(np.searchsorted(cumulative, np.array(levels) - 1e-9), ordered.size - 1)
        ]
    return found


def share_within(power_kw: Floats, limit_kw: float) -> Array:
    """Share of a home's steps with ``|power| <= limit_kw`` (zeros and near zeros), ``(home,)`` [0..1]."""
    return np.asarray(np.mean(np.abs(power_kw) <= limit_kw, axis=1), dtype=np.float64)
