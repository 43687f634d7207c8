"""What a home asks of its connection: energy of a year, its peak, when the peak comes, and the ordered load.

Functions give one row a home. ``clock`` is the start of each step on the homes' clock (zone-aware, local).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

HOURS_A_YEAR = 8760


def annual_energy_kwh(power_kw: Floats) -> Array:
    """Mean power times 8760 h, so that a leap year does not count as more, ``(home,)`` [kWh]."""
    return np.asarray(HOURS_A_YEAR * power_kw.mean(axis=1, dtype=np.float64))


def peak_kw(power_kw: Floats) -> Array:
    """Largest power over the steps given, ``(home,)`` [kW]; grows with the length of the series."""
    return np.asarray(power_kw.max(axis=1), dtype=np.float64)


def load_factor(power_kw: Floats) -> Array:
    """Mean power over peak power, ``(home,)`` [0..1]; NaN where a home's peak is not above zero."""
    mean, peak = power_kw.mean(axis=1, dtype=np.float64), peak_kw(power_kw)
    return np.asarray(np.divide(mean, peak, out=np.full_like(mean, np.nan), where=peak > 0))


def daily_peak_hour_shares(power_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Share of the days whose largest step falls in each hour of the clock, ``(home, 24)``.

    The first of equal maxima counts.
    """
    dates = clock.tz_localize(None).normalize()
    first = np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]])
    shares = np.zeros((len(power_kw), 24))
    rows = np.arange(len(power_kw))
    hours = np.asarray(clock.hour)
    for start, end in zip(first, np.r_[first[1:], len(clock)], strict=True):
        shares[rows, hours[start + power_kw[:, start:end].argmax(axis=1)]] += 1
    return shares / len(first)


def peak_month(power_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Month of the largest step as an indicator, ``(home, 12)``; its mean over homes is a distribution."""
    return np.asarray(np.eye(12)[np.asarray(clock.month)[power_kw.argmax(axis=1)] - 1])


def load_duration_kw(power_kw: Floats, points: int = 200) -> Array:
    """Load-duration curve, each home's power from the highest to the lowest, ``(home, point)`` [kW].

    Point ``i`` is the mean of the ``i``-th of ``points`` equal parts of the ordered steps.
    """
    if power_kw.shape[1] < points:
        raise ValueError(f"points={points} is above the {power_kw.shape[1]} steps; ask for fewer points")
    ordered = -np.sort(-power_kw.astype(np.float64), axis=1)
    edges = np.linspace(0, power_kw.shape[1], points + 1).astype(np.int64)
    parts: Array = np.add.reduceat(ordered, edges[:-1], axis=1) / np.diff(edges)
    return parts


def total_variation(shares_a: Array, shares_b: Array) -> float:
    """Half the sum of absolute differences of two distributions, 0 (equal) .. 1 (apart)."""
    return float(np.abs(shares_a - shares_b).sum() / 2)
