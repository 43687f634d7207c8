"""How two measurements of a population of homes are compared: a distance for each resample of the homes.

``weights`` are shares of the homes of ``a``, ``(resample, home)``; None is equal shares, one row. Where no unit
is told, a distance has that of the measurement.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import marginals, peaks, population

Array = NDArray[np.float64]


def mean_level(measured: Any) -> float:
    """Mean over homes of a measurement with one number a home; the number itself if it is one."""
    return float(mean_over_homes(np.atleast_1d(np.asarray(measured, dtype=np.float64)), None)[0, 0])


def mean_over_homes(values: Array, weights: Array | None) -> Array:
    """Mean over homes, ``(resample, …)``; homes that are NaN do not count."""
    rows = values.reshape(len(values), -1)
    weights = marginals.uniform_weights(len(rows)) if weights is None else weights
    known = np.isfinite(rows)
    total, share = weights @ np.where(known, rows, 0.0), weights @ known.astype(np.float64)
    return np.asarray(np.divide(total, share, out=np.full_like(total, np.nan), where=share > 0))


def mean_difference(a: Array, b: Array, weights: Array | None) -> Array:
    """Absolute difference of the means over homes, mean over what else is measured."""
    return np.asarray(np.abs(mean_over_homes(a, weights) - mean_over_homes(b, None)).mean(axis=1))


def root_mean_square_difference(a: Array, b: Array, weights: Array | None) -> Array:
    """Root mean square, over what else is measured, of the difference of the means over homes."""
    return np.asarray(np.sqrt(((mean_over_homes(a, weights) - mean_over_homes(b, None)) ** 2).mean(axis=1)))


def total_variation(a: Array, b: Array, weights: Array | None) -> Array:
    """Total variation of the mean distributions."""
    mean_b = mean_over_homes(b, None)[0]
    return np.array([peaks.total_variation(row, mean_b) for row in mean_over_homes(a, weights)])


def between_homes(a: Array, b: Array, weights: Array | None) -> Array:
    """W1 between the homes of either side; homes that are NaN do not count."""
    known = np.isfinite(a)
    shares = marginals.uniform_weights(len(a)) if weights is None else weights
    if not known.any() or not np.isfinite(b).any():
        return np.full(len(shares), np.nan)
    shares = shares[:, known] / shares[:, known].sum(axis=1, keepdims=True)
    cell = np.zeros(1, dtype=np.int64)
    return marginals.wasserstein_by_cell(a[known][:, None], b[np.isfinite(b)][:, None], cell, cell, shares)


Pooled = tuple[Array, NDArray[np.int64]]


def pooled_wasserstein(a: Pooled, b: Pooled, weights: Array | None) -> Array:
    """W1 of all steps in each cell, mean over the cells."""
    return marginals.wasserstein_by_cell(a[0], b[0], a[1], b[1], weights)


def quantile_difference(levels: tuple[float, ...], a: Array, b: Array, weights: Array | None) -> Array:
    """Absolute difference of the pooled quantiles, mean over the levels."""
    difference = marginals.quantiles(a, levels, weights) - marginals.quantiles(b, levels)
    return np.asarray(np.abs(difference).mean(axis=1))


def pair_difference(a: Array, b: Array, weights: Array | None) -> Array:
    """Absolute difference of the means over pairs of homes."""
    return np.abs(population.mean_of_pairs(a, weights) - population.mean_of_pairs(b))


def number_difference(a: float, b: float, weights: Array | None) -> Array:
    """Absolute difference of two numbers about whole populations."""
    return np.array([abs(a - b)])


def itself(a: Array, b: Array, weights: Array | None) -> Array:
    """Mean over the homes of ``a``, whatever the other side."""
    return mean_over_homes(a, weights)[:, 0]


def itself_at_most(a: Array, b: Array, weights: Array | None) -> Array:
    """Largest of the homes of ``a``, whatever the other side."""
    shares = marginals.uniform_weights(len(a)) if weights is None else weights
    return np.array([np.max(a[row > 0], initial=-np.inf, where=np.isfinite(a[row > 0])) for row in shares])
