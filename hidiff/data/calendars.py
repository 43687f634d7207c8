"""Calendar values: what the clock on the wall, the week and the season say about a step or a day."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

STEPS_PER_DAY = 48
"""Half-hours in a day of standard time; every day of the model has this many."""


@dataclass(frozen=True)
class Grid:
    """Whole days of **standard** time cut into half-hours, so that no day is longer than another.

    The sun keeps standard time and people keep clock time; ``clock_hour`` tells the two apart.
    """

    time: pd.DatetimeIndex
    """Interval starts in UTC, ``(day * 48,)``."""
    clock_hour: NDArray[np.float32]
    """Hour on the local clock at the start of the step, 0..24, ``(day, 48)``."""
    weekday: NDArray[np.int64]
    """0 is Monday, at the middle of the standard-time day, ``(day,)``."""
    is_holiday: NDArray[np.bool_]
    """Public holiday (or 25-31 December, which homes treat as one), ``(day,)``."""
    day_of_year: NDArray[np.float32]
    """1..366, ``(day,)``."""
    dates: pd.DatetimeIndex
    """Naive standard-time dates, ``(day,)``."""

    def __len__(self) -> int:
        return len(self.dates)


def standard_offset(time_zone: str) -> pd.Timedelta:
    """Offset of standard (winter) time from UTC: the smaller of the offsets in January and July."""
    stamps = pd.DatetimeIndex(["2023-01-01", "2023-07-01"]).tz_localize(time_zone)
    return min(pd.Timedelta(stamp.utcoffset()) for stamp in stamps)


@functools.lru_cache(maxsize=64)
def _holidays(country: str, subdivision: str | None, year: int) -> frozenset[pd.Timestamp]:
    import holidays

    table = holidays.country_holidays(country, subdiv=subdivision, years=year)
    return frozenset(pd.Timestamp(day) for day in table)


def is_holiday(
    dates: pd.DatetimeIndex, country: str = "AU", subdivision: str | None = "NSW"
) -> NDArray[np.bool_]:
    """Public holidays among naive ``dates``, and the days from Christmas to New Year's Eve."""
    found = np.array([day in _holidays(country, subdivision, day.year) for day in dates], dtype=bool)
    between_years: NDArray[np.bool_] = np.asarray((dates.month == 12) & (dates.day >= 25))
    return found | between_years


def day_grid(first_date: pd.Timestamp, days: int, time_zone: str) -> Grid:
    """Grid of ``days`` standard-time days from ``first_date`` (naive)."""
    offset = standard_offset(time_zone)
    dates = pd.date_range(pd.Timestamp(first_date).normalize(), periods=days, freq="D")
    start = (dates[0] - offset).tz_localize("UTC")
    time = pd.date_range(start, periods=days * STEPS_PER_DAY, freq="30min")
    local = time.tz_convert(time_zone)
    hour = (local.hour + local.minute / 60).to_numpy(dtype=np.float32)
    return Grid(
        time=time,
        clock_hour=hour.reshape(days, STEPS_PER_DAY),
        weekday=np.asarray(dates.day_of_week, dtype=np.int64),
        is_holiday=is_holiday(dates),
        day_of_year=np.asarray(dates.day_of_year, dtype=np.float32),
        dates=dates,
    )


def is_summer(dates: pd.DatetimeIndex) -> NDArray[np.bool_]:
    """Whether naive ``dates`` lie in the summer half of the Australian year, ``(day,)``.

    It runs from the first Sunday of October to the first Sunday of April: the daylight saving time of New South
    Wales, here a half of the year for places without it too.
    """
    month = np.asarray(dates.month)
    last_sunday = np.asarray(dates.day) - (np.asarray(dates.day_of_week) + 1) % 7  # < 1: in the month before
    after_october = (month > 10) | ((month == 10) & (last_sunday >= 1))
    before_april = (month < 4) | ((month == 4) & (last_sunday < 1))
    return np.asarray(after_october | before_april)


def first_standard_date(time: pd.Timestamp, time_zone: str) -> pd.Timestamp:
    """Naive date of the standard-time day that holds the instant ``time``."""
    moment = time.tz_convert("UTC").tz_localize(None)
    return pd.Timestamp(moment + standard_offset(time_zone)).normalize()


def harmonics(phase: NDArray[np.floating], orders: int) -> NDArray[np.float32]:
    """Sine and cosine of ``2 pi k phase`` for k = 1..orders, on a new last axis of size ``2 * orders``."""
    angle = 2 * np.pi * phase[..., None] * np.arange(1, orders + 1)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)


def season(day_of_year: NDArray[np.floating]) -> NDArray[np.float32]:
    """A constant and three harmonics of the year, ``(day, 7)``: what a seasonal mean is fitted with."""
    ones = np.ones((len(day_of_year), 1), dtype=np.float32)
    return np.concatenate([ones, harmonics(day_of_year / 365.25, 3)], axis=1)


def day_features(grid: Grid) -> NDArray[np.float32]:
    """Season (3 harmonics), weekday (one-hot) and holiday of each day, ``(day, 14)``."""
    season = harmonics(grid.day_of_year / 365.25, 3)
    weekday = np.eye(7, dtype=np.float32)[grid.weekday]
    return np.concatenate([season, weekday, grid.is_holiday[:, None].astype(np.float32)], axis=1)
