"""What homes do at the same time: diversity of the peaks, and neighbours under the same clouds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

SUBSET_SIZES = (2, 5, 10, 20, 50, 100)
"""Numbers of homes for which coincidence is reported."""

DAYTIME_SHARE = 0.2
"""A half-hour is daytime where the home's mean profile is above this share of the month's largest value."""


def coincidence_factor(power_kw: Floats, homes: int, rng: np.random.Generator, subsets: int = 50) -> float:
    """Peak of the sum over the sum of the peaks, mean over random sets of ``homes`` homes [0..1].

    Also called the reverse of diversity (Willis, Power Distribution Planning Reference Book, 2004).

    Args:
        power_kw: ``(home, step)`` [kW].
        homes: size of a set.
        rng: draws the sets, without repeating a home within one.
        subsets: number of sets.
    """
    if not 1 <= homes <= len(power_kw):
        raise ValueError(f"homes={homes} is outside 1..{len(power_kw)}, the homes there are")
    peaks = power_kw.max(axis=1)
    if homes == len(power_kw):
        subsets = 1  # there is one such set only
    factors = []
    for _ in range(subsets):
        chosen = rng.choice(len(power_kw), size=homes, replace=False)
        factors.append(power_kw[chosen].sum(axis=0).max() / peaks[chosen].sum())
    return float(np.mean(factors))


def correlation_matrix(values: Floats) -> Array:
    """Pearson correlation of each pair of homes over the steps both have, ``(home, home)``.

    NaN values are left out pair by pair; a pair with a constant home is NaN.

    Args:
        values: ``(home, step)``, e.g. power [kW] or an anomaly.
    """
    known = np.isfinite(values).astype(np.float64)
    x = np.where(known > 0, values, 0.0).astype(np.float64)
    count = known @ known.T
    sum_x = x @ known.T  # (i, j): sum of home i over the steps that i and j share
    sum_xx = (x * x) @ known.T
    covariance = count * (x @ x.T) - sum_x * sum_x.T
    variance = count * sum_xx - sum_x**2
    scale = np.sqrt(np.clip(variance, 0, None) * np.clip(variance.T, 0, None))
    return np.asarray(np.divide(covariance, scale, out=np.full_like(covariance, np.nan), where=scale > 1e-9))


def pairwise_correlation(values: Floats) -> float:
    """Mean correlation over all pairs of homes; NaN for fewer than two homes.

    Args:
        values: ``(home, step)``; NaN where a step does not count.
    """
    return float(mean_of_pairs(correlation_matrix(values))[0])


def mean_of_pairs(matrix: Array, weights: Array | None = None) -> Array:
    """Mean of the entries off the diagonal, for each row of ``weights``, ``(resample,)``.

    A home drawn twice makes no pair with itself. Pairs that are NaN do not count.

    Args:
        matrix: ``(home, home)``.
        weights: shares of the homes, ``(resample, home)``; equal shares by default.
    """
    weights = np.ones((1, len(matrix))) if weights is None else weights
    counts = np.isfinite(matrix) & ~np.eye(len(matrix), dtype=bool)
    total = np.einsum("ri,ij,rj->r", weights, np.where(counts, matrix, 0.0), weights, optimize=True)
    number = np.einsum("ri,ij,rj->r", weights, counts.astype(np.float64), weights, optimize=True)
    return np.asarray(np.divide(total, number, out=np.full(len(weights), np.nan), where=number > 0))


def clearness_anomaly(pv_kw: Floats, time: pd.DatetimeIndex, clock: pd.DatetimeIndex) -> Array:
    """How much clearer than the rest of its day each daytime step was, ``(home, step)``; NaN at night.

    PV over the home's mean profile of that month at that half-hour (standard time, as the sun keeps it),
    minus the mean of that ratio over the day. What stays correlated between homes are passing clouds.

    Args:
        pv_kw: ``(home, step)`` [kW].
        time: start of each step in UTC.
        clock: the same instants on the homes' clock; gives months and dates.
    """
    _, slot = np.unique(np.asarray(time.hour * 60 + time.minute), return_inverse=True)
    month = np.asarray(clock.month) - 1
    _, day = np.unique(clock.tz_localize(None).normalize(), return_inverse=True)
    cell = month * (slot.max() + 1) + slot
    anomaly = np.full(pv_kw.shape, np.nan)
    for home, row in enumerate(pv_kw.astype(np.float64)):
        profile = _mean_by(row, cell)
        # the largest profile value of the step's month
        top = np.zeros(12)
        np.maximum.at(top, month, profile)
        is_day = (profile > DAYTIME_SHARE * top[month]) & (profile > 0)
        ratio = row[is_day] / profile[is_day]
        anomaly[home, is_day] = ratio - _mean_by(ratio, day[is_day])
    return anomaly


def _mean_by(values: Array, labels: NDArray[np.int64]) -> Array:
    """Each value replaced by the mean of its label."""
    sums = np.bincount(labels, weights=values)
    counts = np.bincount(labels)
    return np.asarray(np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)[labels])
