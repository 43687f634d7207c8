"""Outdoor temperature within the day, from the day's extremes: one weather for load and heat."""

from __future__ import annotations

from datetime import tzinfo

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hidiff.data.solar import SYDNEY_LATITUDE, SYDNEY_STANDARD_TIME

LAG_OF_MAXIMUM_H = 1.86
LAG_OF_MINIMUM_H = -0.17
NIGHT_DECAY = 2.2
"""Parton and Logan's constants for air 1.5 m above the ground."""


def day_length_h(day_of_year: ArrayLike, latitude_deg: float) -> NDArray[np.float64]:
    """Hours from sunrise to sunset, sea-level horizon, from the solar declination."""
    day = np.asarray(day_of_year, dtype=np.float64)
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    cosine = -np.tan(np.radians(latitude_deg)) * np.tan(declination)
    return np.asarray(24 / np.pi * np.arccos(np.clip(cosine, -1, 1)))


def diurnal_temperature(
    temperature_max_c: ArrayLike, temperature_min_c: ArrayLike, day_of_year: ArrayLike, *,
    steps_per_day: int = 48, latitude_deg: float = SYDNEY_LATITUDE,
) -> NDArray[np.float64]:  # fmt: skip
    """Temperature at the middle of each step of standard-time days, ``(day * steps_per_day,)`` [deg C].

    A quarter sine from the minimum near sunrise to the maximum in the afternoon, on along the sine to sunset, then
    an exponential to the next day's minimum (Parton and Logan 1981, doi:10.1016/0002-1571(81)90105-9, with the
    decay scaled to arrive). Both extremes lie on a step and no step of the day passes them.

    Args:
        temperature_max_c, temperature_min_c: of consecutive days, ``(day,)``.
        day_of_year: 1..366, ``(day,)``.

    Raises:
        ValueError: lengths that differ, a maximum below its minimum, or steps that cannot hold a day.
    """
    high, low, day = (
        np.asarray(x, dtype=np.float64) for x in (temperature_max_c, temperature_min_c, day_of_year)
    )
    if not (high.ndim == 1 and high.shape == low.shape == day.shape and len(high)):
        raise ValueError(
            f"maxima {high.shape}, minima {low.shape} and days {day.shape} must be of equal length, at least 1"
        )
    if not (high >= low).all():
        row = int(np.argmin(high >= low))
        raise ValueError(
            f"day {row} has maximum {high[row]} below minimum {low[row]} deg C; swap or fill them"
        )
    if steps_per_day < 8:
        raise ValueError(f"steps_per_day={steps_per_day}; a day's curve needs at least 8")
    length_h = day_length_h(day, latitude_deg)[:, None]
    hour = (np.arange(steps_per_day) + 0.5) * 24 / steps_per_day

    def on_grid(value: NDArray[np.float64]) -> NDArray[np.float64]:
        step_h = 24 / steps_per_day
        return np.asarray((np.floor(value / step_h) + 0.5) * step_h)

    coldest_h = on_grid(np.clip(12 - length_h / 2 + LAG_OF_MINIMUM_H, 1, 9))
    warmest_h = on_grid(np.clip(12 + LAG_OF_MAXIMUM_H, coldest_h + 3, 22))
    sunset_h = np.clip(12 + length_h / 2, warmest_h, 23)
    low_, high_ = low[:, None], high[:, None]

    def day_curve(at_h: NDArray[np.float64]) -> NDArray[np.float64]:
        angle = np.pi / 2 * (at_h - coldest_h) / (warmest_h - coldest_h)
        return np.asarray(low_ + (high_ - low_) * np.sin(np.clip(angle, 0, np.pi)))

    dusk = day_curve(sunset_h)

    def night(
        start: NDArray[np.float64], end: NDArray[np.float64], share: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        left = (np.exp(-NIGHT_DECAY * share) - np.exp(-NIGHT_DECAY)) / (1 - np.exp(-NIGHT_DECAY))
        return np.asarray(end + (start - end) * left)

    def moved(values: NDArray[np.float64], days: int) -> NDArray[np.float64]:
        return values[np.clip(np.arange(len(values)) + days, 0, len(values) - 1)]

    evening = night(dusk, moved(low_, 1), (hour - sunset_h) / (24 - sunset_h + moved(coldest_h, 1)))
    before = moved(sunset_h, -1)
    morning = night(moved(dusk, -1), low_, (hour + 24 - before) / (24 - before + coldest_h))
    curve = np.where(hour < coldest_h, morning, np.where(hour <= sunset_h, day_curve(hour[None]), evening))
    return np.clip(curve, low_, high_).ravel()


def temperature_on_clock(
    weather: pd.DataFrame, time: pd.DatetimeIndex, *, latitude_deg: float = SYDNEY_LATITUDE,
    standard_time: str | tzinfo = SYDNEY_STANDARD_TIME,
) -> NDArray[np.float32]:  # fmt: skip
    """Temperature of each step of ``time`` from daily weather, ``(step,)`` [deg C].

    Args:
        weather: `hidiff.data.weather`'s table, one row a standard-time day, ``temperature_max_c`` and
            ``temperature_min_c``.
        time: zone-aware interval starts.

    Raises:
        ValueError: days of ``time`` that the weather does not have, or a step that does not divide the day.
    """
    step_h = float((time[1] - time[0]) / pd.Timedelta(hours=1)) if len(time) > 1 else 0.5
    steps = round(24 / step_h)
    if abs(steps * step_h - 24) > 1e-9:
        raise ValueError(f"steps of {step_h:g} h do not divide the day; resample first")
    local = time.tz_convert(standard_time).tz_localize(None)
    days = pd.date_range(local[0].normalize(), local[-1].normalize(), freq="D")
    missing = days.difference(weather.index)
    if len(missing):
        raise ValueError(f"the weather has no {missing[0]:%Y-%m-%d}, which the clock needs; give those days")
    rows = weather.loc[days]
    curve = diurnal_temperature(
        rows["temperature_max_c"], rows["temperature_min_c"], days.day_of_year, steps_per_day=steps,
        latitude_deg=latitude_deg,
    )  # fmt: skip
    place = np.asarray((local - days[0]) / pd.Timedelta(hours=step_h), dtype=np.int64)
    return curve[place].astype(np.float32)
