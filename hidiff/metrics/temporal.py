"""How power hangs together in time: minutes, days, weeks and months, and across joints of windows.

Functions give one row a home; the caller compares the means over homes. ``clock`` is the start of each step
on the homes' clock (zone-aware, local).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import signal, stats

Floats = NDArray[np.floating]
Array = NDArray[np.float64]
Steps = NDArray[np.int64]


def autocorrelation(values: Floats, lags: tuple[int, ...]) -> Array:
    """Autocorrelation of each home at the given lags, ``(home, lag)``; NaN where a home is constant.

    ``r_k = sum_t (x_t - m)(x_{t+k} - m) / sum_t (x_t - m)^2`` (Box et al., Time Series Analysis, chapter 2).

    Args:
        values: ``(home, step)`` [kW], or ``(home, day)`` [kWh] for the days' energies.
        lags: in steps of ``values``.
    """
    if max(lags) >= values.shape[1]:
        raise ValueError(f"lag {max(lags)} needs more than {values.shape[1]} steps; give a longer series")
    centred = values.astype(np.float64) - values.mean(axis=1, keepdims=True, dtype=np.float64)
    variance = np.sum(centred**2, axis=1)
    covariance = np.stack(
        [np.sum(centred[:, lag:] * centred[:, : values.shape[1] - lag], axis=1) for lag in lags], 1
    )
    return np.asarray(
        np.divide(
            covariance, variance[:, None], out=np.full_like(covariance, np.nan), where=variance[:, None] > 0
        )
    )


def daily_energy(power_kw: Floats, clock: pd.DatetimeIndex, dt_h: float) -> tuple[Array, pd.DatetimeIndex]:
    """Energy of each whole local day, ``(home, day)`` [kWh], and the naive dates, ``(day,)``.

    Days of a clock change have 23 or 25 hours and count; a part of a day at either end is left out.
    """
    dates = clock.tz_localize(None).normalize()
    first = np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]])
    energy_kwh = np.add.reduceat(power_kw.astype(np.float64), first, axis=1) * dt_h
    is_whole = np.diff(np.r_[first, len(clock)]) * dt_h >= 23
    return energy_kwh[:, is_whole], dates[first][is_whole]


def log_spectrum(power_kw: Floats, dt_h: float, window_days: int = 28) -> Array:
    """log10 of the power spectral density of each home, ``(home, frequency)`` [log10(kW^2 h)].

    Welch's method (1967, doi:10.1109/TAU.1967.1161901) with Hann windows of ``window_days``; the mean is left
    out. 1e-6 kW^2 h is added so that an empty band stays finite.
    """
    length = round(window_days * 24 / dt_h)
    if power_kw.shape[1] < length:
        raise ValueError(
            f"{power_kw.shape[1]} steps are fewer than window_days={window_days} ({length} steps)"
        )
    _, density = signal.welch(power_kw.astype(np.float64), fs=1 / dt_h, nperseg=length, axis=1)
    return np.asarray(np.log10(density[:, 1:] + 1e-6), dtype=np.float64)


def ramps(power_kw: Floats) -> Array:
    """Size of the change from each step to the next, ``(home, step - 1)`` [kW]."""
    return np.abs(np.diff(power_kw.astype(np.float64), axis=1))


def monthly_shares(power_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Share of each calendar month in a home's energy, ``(home, 12)``; NaN where a home has no energy."""
    energy = np.stack(
        [power_kw[:, clock.month == month].sum(axis=1, dtype=np.float64) for month in range(1, 13)], 1
    )
    total = energy.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(energy, total, out=np.full_like(energy, np.nan), where=total != 0))


def variance_shares(energy_kwh: Floats, dates: pd.DatetimeIndex) -> Array:
    """Shares of the variance of daily energy: months, weeks within months, days within weeks, ``(home, 3)``.

    The law of total variance on nested groups; a week is seven dates of one month, so the shares add to 1.

    Args:
        energy_kwh: ``(home, day)`` [kWh].
        dates: naive local dates, ``(day,)``.
    """
    month = np.asarray(dates.year * 12 + dates.month, dtype=np.int64)
    week = month * 8 + np.asarray((dates.day - 1) // 7, dtype=np.int64)
    by_month, by_week = _group_means(energy_kwh, month), _group_means(energy_kwh, week)
    parts = np.stack(
        [by_month.var(axis=1), (by_week - by_month).var(axis=1), (energy_kwh - by_week).var(axis=1)], 1
    )
    total = parts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(parts, total, out=np.full_like(parts, np.nan), where=total > 0))


def _group_means(values: Floats, labels: Steps) -> Array:
    """Each value replaced by the mean of its group."""
    _, group = np.unique(labels, return_inverse=True)
    sums = np.stack([np.bincount(group, weights=row) for row in values])
    means: Array = (sums / np.bincount(group))[:, group]
    return means


def steps_at_hour(clock: pd.DatetimeIndex, hour: int = 0) -> Steps:
    """Indices of the steps that start at ``hour`` o'clock (0 is midnight), ``(boundary,)``."""
    return np.flatnonzero((clock.hour == hour) & (clock.minute == 0)).astype(np.int64)


def boundary_sides(power_kw: Floats, joints: Steps, span_steps: int = 4) -> tuple[Array, Array]:
    """Mean power before and after each joint, as normal scores within the home, ``(home, joint)`` each.

    Ranks within the home take out its level and the weight of a few great peaks: on real homes the plain
    correlation makes the Fisher test below reject 15-30 % of the time where it should 5 %, the ranks 7 %.

    Args:
        power_kw: ``(home, step)`` [kW].
        joints: index of the first step after each boundary.
        span_steps: steps averaged on either side (4 half-hours are 2 h).
    """
    inside = joints[(joints >= span_steps) & (joints + span_steps <= power_kw.shape[1])]
    if len(inside) < 4:
        raise ValueError(
            f"{len(inside)} joints lie {span_steps} steps inside the series; at least 4 are needed"
        )
    sides = []
    for offsets in (np.arange(-span_steps, 0), np.arange(span_steps)):
        mean_kw = power_kw[:, inside[:, None] + offsets].mean(axis=2, dtype=np.float64)
        ranks = stats.rankdata(mean_kw, axis=1)
        sides.append(np.asarray(stats.norm.ppf((ranks - 0.5) / len(inside)), dtype=np.float64))
    return sides[0], sides[1]


def boundary_correlation(power_kw: Floats, joints: Steps, span_steps: int = 4) -> float:
    """Correlation, over homes and joints, of the hours before with the hours after; NaN if constant."""
    return _correlation(*boundary_sides(power_kw, joints, span_steps))


@dataclass(frozen=True, kw_only=True)
class SeamTest:
    """Whether series hang together less at given joints than elsewhere."""

    at_joints: float
    """Correlation across the joints."""
    elsewhere: float
    """Correlation across other boundaries at the same hours."""
    p_value: float
    """Two-sided p-value of Fisher's z for equal correlations; small means that the joints can be seen."""


def seam_test(power_kw: Floats, joints: Steps, others: Steps, span_steps: int = 4) -> SeamTest:
    """Test of the joints between windows against boundaries inside them.

    ``z = (artanh r_1 - artanh r_2) / sqrt(1/(n_1 - 3) + 1/(n_2 - 3))`` (Fisher 1921), n = homes x boundaries.
    On real homes and random joints z has a standard deviation of 1.13, not 1: neighbours share evenings.

    Args:
        power_kw: ``(home, step)`` [kW].
        joints: first step of each window.
        others: boundaries inside the windows, at the same hours of the day.
        span_steps: steps averaged on either side.
    Raises:
        ValueError: a boundary is in both sets.
    """
    both = np.intersect1d(joints, others)
    if both.size:
        raise ValueError(f"step {both[0]} is in joints and in others; others must lie inside the windows")
    correlations, precisions = [], []
    # one ranking over all boundaries, so that both correlations are about the same levels
    everything = np.sort(np.concatenate([joints, others]))
    everything = everything[(everything >= span_steps) & (everything + span_steps <= power_kw.shape[1])]
    before, after = boundary_sides(power_kw, everything, span_steps)
    for chosen in (np.isin(everything, joints), np.isin(everything, others)):
        if np.sum(chosen) < 4:
            raise ValueError(
                f"{np.sum(chosen)} boundaries in one set; at least 4 are needed, so give longer series"
            )
        correlations.append(_correlation(before[:, chosen], after[:, chosen]))
        precisions.append(1 / (before[:, chosen].size - 3))
    limit = 1 - 1e-12  # artanh(1) is infinite
    first, second = np.arctanh(np.clip(correlations, -limit, limit))
    p_value = 2 * stats.norm.sf(abs(first - second) / np.sqrt(sum(precisions)))
    return SeamTest(at_joints=correlations[0], elsewhere=correlations[1], p_value=float(p_value))


def _correlation(a: Array, b: Array) -> float:
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
