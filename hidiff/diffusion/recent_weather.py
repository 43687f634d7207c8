"""Weather of the coming days given that of the last ones: the regional weather generator, conditioned exactly.

Its scores are a stationary Gaussian process, so that any days and columns may be known, past or to come, with or
without error: a free path is drawn and moved by what kriging says of its distance to what is known.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_discrete_lyapunov
from scipy.stats import norm

from hidiff import rng as random
from hidiff.data import calendars
from hidiff.data.prepare import CLEARNESS, Prepared
from hidiff.data.weather import COLUMNS

from .regional import ORDER, SHARES, RegionalWeather

Array = NDArray[np.float32]
HOME_VARIANCE = 0.18
"""Variance of a home's clearness about the region's, in units of the region's: homes correlate by 0.845 from day to
day, and (1 - 0.845) / 0.845 = 0.18."""
EXACT_VARIANCE = 1e-6
"""Of what the user gives; it keeps the equations solvable, and the given values are then written in."""


def covariance(regional: RegionalWeather, days: int) -> NDArray[np.float64]:
    """Covariance of the scores of ``days`` in a row, ``(day * 3, day * 3)``."""
    size = len(COLUMNS)
    step = np.zeros((ORDER * size, ORDER * size))
    step[:size] = regional.memory.T
    step[size:, :-size] = np.eye((ORDER - 1) * size)
    shock = np.zeros_like(step)
    shock[:size, :size] = regional.innovation.astype(np.float64) @ regional.innovation.T
    state = solve_discrete_lyapunov(step, shock)
    result = np.zeros((days, size, days, size))
    for lag in range(days):
        block = state[:size, :size]  # of a day and the one ``lag`` before it
        for day in range(days - lag):
            result[day + lag, :, day] = block
            result[day, :, day + lag] = block.T
        state = step @ state
    return result.reshape(days * size, days * size)


def climate(regional: RegionalWeather, dates: pd.DatetimeIndex) -> tuple[NDArray[np.float64], ...]:
    """Seasonal mean and spread of each day, both ``(day, 3)``."""
    season = calendars.season(dates.day_of_year.to_numpy(dtype=np.float32)).astype(np.float64)
    return season @ regional.mean, np.exp(season @ regional.log_spread)


def to_scores(
    regional: RegionalWeather, dates: pd.DatetimeIndex, values: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Normal scores of weather ``(day, 3)``; NaN stays NaN. What lies beyond all that was seen scores as the rarest."""
    mean, spread = climate(regional, dates)
    anomaly = (values - mean) / spread
    place = np.full(anomaly.shape, np.nan)
    for column in range(len(COLUMNS)):
        place[:, column] = np.interp(anomaly[:, column], regional.quantiles[:, column], np.arange(SHARES))
    place[np.isnan(anomaly)] = np.nan
    return np.asarray(norm.ppf((place + 0.5) / SHARES))


def from_scores(
    regional: RegionalWeather, dates: pd.DatetimeIndex, scores: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Weather ``(…, day, 3)`` of normal ``scores`` of that shape."""
    mean, spread = climate(regional, dates)
    place = norm.cdf(scores) * SHARES - 0.5
    columns = [
        np.interp(place[..., i], np.arange(SHARES), regional.quantiles[:, i]) for i in range(len(COLUMNS))
    ]
    values = mean + spread * np.stack(columns, axis=-1)
    values[..., 1] = np.minimum(values[..., 0], values[..., 1])
    values[..., 2] = values[..., 2].clip(0.03, 1.1)
    return np.asarray(values)


def seen_clearness(
    regional: RegionalWeather, prepared: Prepared, level: Array
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The region's clearness as the homes' own PV tells it ``(day,)``, NaN where none does; and how many homes do.

    Args:
        level: mean clearness of each home over a year, ``(home,)``; homes differ in it by their roofs.
    """
    known = prepared.is_known & (prepared.capacity_kwp > 0)[:, None]
    own = np.where(known, prepared.tokens[..., CLEARNESS] - level[:, None], 0)
    count = known.sum(0)
    year = climate(regional, pd.date_range("2030-01-01", periods=365))[0][:, 2].mean()
    seen = np.where(count > 0, year + own.sum(0) / np.maximum(count, 1), np.nan)
    return np.clip(seen, 0, 1.3), count


def paths(
    regional: RegionalWeather, dates: pd.DatetimeIndex, seed: int, scenarios: range,
    seen: NDArray[np.floating], variance: NDArray[np.floating], given: NDArray[np.floating],
) -> Array:  # fmt: skip
    """Weather paths ``(scenario, day, 3)`` that agree with what is known.

    Args:
        scenarios: numbers of the scenarios; each path depends on its own number alone.
        seen: values known by and large ``(day, 3)``, NaN where unknown.
        variance: of their errors, in units of the scores, ``(day, 3)``.
        given: values known exactly ``(day, 3)``, NaN where unknown; they come before ``seen``.
    """
    shape = (len(dates), len(COLUMNS))
    is_given = np.isfinite(given)
    scores = to_scores(regional, dates, np.where(is_given, given, seen)).ravel()
    error = np.where(is_given, EXACT_VARIANCE, variance).ravel()
    total = covariance(regional, len(dates))
    root = np.linalg.cholesky(total + 1e-9 * np.eye(len(total)))
    known = np.flatnonzero(np.isfinite(scores))
    gain = np.linalg.solve(total[np.ix_(known, known)] + np.diag(error[known]), total[known]).T
    result = np.empty((len(scenarios), *shape))
    for row, scenario in enumerate(scenarios):
        free = root @ random.normal(shape, seed, "fan", "weather", scenario).ravel().astype(np.float64)
        slip = random.normal(shape, seed, "fan", "weather error", scenario).ravel()[known] * np.sqrt(
            error[known]
        )
        result[row] = (free + gain @ (scores[known] - slip - free[known])).reshape(shape)
    values = from_scores(regional, dates, result)
    values = np.where(is_given, given, values)
    low, high = values[..., 1].copy(), values[..., 0].copy()
    values[..., 0] = np.where(is_given[:, 0], high, np.maximum(low, high))
    values[..., 1] = np.where(is_given[:, 1], low, np.minimum(low, high))
    return values.astype(np.float32)
