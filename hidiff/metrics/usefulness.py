"""Train on synthetic, test on real: how well a day-ahead forecaster learns from generated homes.

One forecaster for all homes, as a utility would run it: gradient-boosted trees predict each hour of the next
day of a home from its own past (same hour one, two and seven days ago, means of the last days) and the calendar.
Powers are divided by the home's own mean of the last 28 days, so that what is learned from one home serves one of
another size; errors are in kW again. The idea of scoring synthetic series by what can be learned from them is
that of Esteban, Hyland and Rätsch 2017 (TSTR, arXiv:1706.02633).

The place in the year is left out on purpose: all homes share one weather, so a year of many homes is still one
year, and trees that know the date learn its rainy days by heart. On real homes and years that hurts PV most
(RMSE 0.331 kW with the date, 0.309 kW without). Without a weather forecast PV of the next day is hardly
predictable at all; expect the sides to be close to one another there.

Hours, because markets and most published load forecasts settle by the hour, and they halve the time.
Days are standard-time days, none longer than another; a clock change moves two days a year by an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.calendars import is_holiday, standard_offset

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

WARM_UP_DAYS = 28
"""Days of past that the first forecast needs; also the days of the mean that powers are divided by."""
SCALE_MIN_KW = 0.02
"""A mean below this does not divide: a home that stood empty for four weeks says nothing about its scale."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """What a forecaster sees and what came, for each home and day after the warm-up."""

    features: Array
    """``(home, day, hour, feature)``: six of the past, in units of ``scale_kw``, then three of the calendar."""
    power_kw: Array
    """What came, ``(home, day, hour)`` [kW]."""
    scale_kw: Array
    """Mean of the 28 days before, ``(home, day)`` [kW]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastErrors:
    """Errors of each home."""

    mean_absolute_kw: Array
    """``(home,)`` [kW]"""
    mean_square_kw2: Array
    """``(home,)`` [kW²]"""


def hours_by_day(power_kw: Floats, time: pd.DatetimeIndex, time_zone: str) -> tuple[Array, pd.DatetimeIndex]:
    """Hourly means on whole standard-time days, ``(home, day, 24)`` [kW], and the start of each hour, UTC.

    Parts of days at the ends are left out.

    Args:
        power_kw: ``(home, step)`` [kW], without gaps.
        time: start of each step, UTC.
        time_zone: IANA name of the homes' clock.
    Raises:
        ValueError: gaps, steps that do not divide an hour, or no more days than the warm-up.
    """
    if not np.isfinite(power_kw).all():
        missing = int((~np.isfinite(power_kw)).sum())
        raise ValueError(f"{missing} steps have no value; select homes and years without gaps")
    dt_h = (time[1] - time[0]) / pd.Timedelta(hours=1)
    steps = round(1 / dt_h)
    if steps < 1 or abs(steps * dt_h - 1) > 1e-9:
        raise ValueError(f"steps of {dt_h} h do not divide an hour; resample to 60 minutes or a part of it")
    standard = time.tz_localize(None) + standard_offset(time_zone)
    midnights = np.flatnonzero(standard == standard.normalize())
    first = int(midnights[0]) if len(midnights) else len(time)
    days = (len(time) - first) // (24 * steps)
    if days <= WARM_UP_DAYS:
        raise ValueError(f"there are {days} whole days; forecasts need more than {WARM_UP_DAYS}")
    whole = slice(first, first + days * 24 * steps)
    hourly = power_kw[:, whole].astype(np.float64).reshape(len(power_kw), days, 24, steps).mean(axis=3)
    return hourly, time[whole][::steps]


def forecast_examples(hourly_kw: Array, time: pd.DatetimeIndex, time_zone: str) -> Examples:
    """Examples of every day after the warm-up; nothing in the features of a day is of that day or later.

    Args:
        hourly_kw: of `hours_by_day`, ``(home, day, 24)`` [kW].
        time: start of each hour, ``(day * 24,)``, UTC.
        time_zone: IANA name of the homes' clock.
    """
    days = hourly_kw.shape[1]
    daily_kw = hourly_kw.mean(axis=2)

    def before(back: int) -> Array:
        return hourly_kw[:, WARM_UP_DAYS - back : days - back]

    scale_kw = np.maximum(_mean_before(daily_kw, WARM_UP_DAYS), SCALE_MIN_KW)
    by_hour = [before(1), before(2), before(7), _mean_before(hourly_kw, 7)]
    by_day = [daily_kw[:, WARM_UP_DAYS - 1 : days - 1], _mean_before(daily_kw, 7)]
    past = [*by_hour, *(np.broadcast_to(x[:, :, None], by_hour[0].shape) for x in by_day)]
    calendar = np.broadcast_to(
        _calendar(time, time_zone)[WARM_UP_DAYS:], (len(hourly_kw), days - WARM_UP_DAYS, 24, 3)
    )
    features = np.stack(past, axis=3) / scale_kw[:, :, None, None]
    return Examples(
        features=np.concatenate([features, calendar], axis=3), power_kw=hourly_kw[:, WARM_UP_DAYS:],
        scale_kw=scale_kw,
    )  # fmt: skip


def fit_forecaster(examples: Examples, rng: np.random.Generator, *, home_days: int) -> Any:
    """Gradient-boosted trees for the power in units of the home's scale, fitted to home-days drawn at random.

    Args:
        examples: of the homes to learn from.
        rng: draws the home-days without replacement.
        home_days: how many to learn from, so that sides of other sizes can learn from equally many.
    Returns:
        A fitted ``sklearn.ensemble.HistGradientBoostingRegressor``.
    Raises:
        ValueError: fewer home-days than asked for.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    there = examples.scale_kw.size
    if not 1 <= home_days <= there:
        raise ValueError(f"home_days={home_days}; it must lie between 1 and the {there} home-days there are")
    chosen = rng.permutation(there)[:home_days]
    target = (examples.power_kw / examples.scale_kw[:, :, None]).reshape(there, 24)[chosen]
    features = examples.features.reshape(there, 24, -1)[chosen]
    # few and large leaves: a household's hours are mostly noise, and small ones learn single days by heart
    trees = HistGradientBoostingRegressor(
        max_iter=60, max_leaf_nodes=15, min_samples_leaf=500, early_stopping=False, random_state=0
    )
    # on a busy machine threads wait for one another far longer than they work
    with threadpool_limits(limits=1):
        trees.fit(features.reshape(-1, features.shape[2]), target.ravel())
    return trees


def forecast_errors(forecaster: Any, examples: Examples) -> ForecastErrors:
    """Errors of a forecaster on the homes of ``examples``; powers are never negative, so forecasts are not."""
    from threadpoolctl import threadpool_limits

    shape = examples.power_kw.shape
    with threadpool_limits(limits=1):
        scaled = forecaster.predict(examples.features.reshape(-1, examples.features.shape[3]))
    return errors_of(np.maximum(scaled.reshape(shape), 0.0) * examples.scale_kw[:, :, None], examples)


def errors_of(forecast_kw: Array, examples: Examples) -> ForecastErrors:
    """Errors of any forecast, ``(home, day, hour)`` [kW]."""
    error_kw = forecast_kw - examples.power_kw
    return ForecastErrors(
        mean_absolute_kw=np.abs(error_kw).mean(axis=(1, 2)), mean_square_kw2=(error_kw**2).mean(axis=(1, 2))
    )


def last_week_again(examples: Examples) -> Array:
    """The plainest forecast, the same hour a week ago, ``(home, day, hour)`` [kW]; a forecaster must beat it."""
    return np.asarray(examples.features[..., 2] * examples.scale_kw[:, :, None])


def _mean_before(x: Array, days: int) -> Array:
    """Mean over the ``days`` before each day after the warm-up, ``(home, day, …)``."""
    total = np.cumsum(np.concatenate([np.zeros_like(x[:, :1]), x], axis=1), axis=1)
    end = total[:, WARM_UP_DAYS:-1]
    return np.asarray((end - total[:, WARM_UP_DAYS - days : WARM_UP_DAYS - days + end.shape[1]]) / days)


def _calendar(time: pd.DatetimeIndex, time_zone: str) -> Array:
    """Clock hour, weekday (0 is Monday) and whether the day is free, of each hour, ``(day, 24, 3)``."""
    clock = time.tz_convert(time_zone)
    dates = clock.tz_localize(None).normalize()
    days = dates.unique()
    is_free = ((days.day_of_week >= 5) | is_holiday(days))[days.get_indexer(dates)]
    columns = [clock.hour + clock.minute / 60, clock.day_of_week, is_free]
    return np.stack([np.asarray(c, dtype=np.float64) for c in columns], axis=1).reshape(-1, 24, 3)
