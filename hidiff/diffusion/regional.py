"""A generator of regional weather paths: the one thing that all homes of a call have in common.

Seasonal mean and spread by three harmonics, an empirical map of the anomalies to normal scores, and a
second-order vector autoregression of the scores (a weather generator in the manner of Richardson 1981, with
clearness in the place of rain). It ships as a few hundred numbers; the observed years do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from hidiff import rng as random
from hidiff.data import calendars
from hidiff.data.prepare import CLEARNESS
from hidiff.data.weather import COLUMNS

Array = NDArray[np.float32]
ORDER = 2
SHARES = 65
WARM_UP_DAYS = 60
LEVEL_DAYS = 61
"""Days over which clearness is averaged to tell its slow level from the weather of the day."""
LOAD_PER_CLEARNESS = -0.13
"""What a lasting unit of clearness adds to the logarithm of the load (`metrics.response`): -0.21..-0.07 on the 57
training homes of the shipped model that have three years."""


@dataclass(frozen=True)
class RegionalWeather:
    """Fitted weather of one region; arrays over the three columns of `data.weather`."""

    mean: Array
    """Seasonal mean, ``(7, 3)`` coefficients."""
    log_spread: Array
    """Logarithm of the seasonal spread, ``(7, 3)`` coefficients."""
    quantiles: Array
    """Anomalies at evenly spaced shares, ``(65, 3)``."""
    memory: Array
    """Autoregression of the scores, ``(2 * 3, 3)``."""
    innovation: Array
    """Lower factor of the innovations' covariance, ``(3, 3)``."""

    @staticmethod
    def fit(weather: pd.DataFrame) -> RegionalWeather:
        """Fit to observed days (index naive dates, columns of `data.weather`)."""
        values = weather[COLUMNS].to_numpy(dtype=np.float64)
        season = calendars.season(weather.index.day_of_year.to_numpy(dtype=np.float32))
        mean = np.linalg.lstsq(season, values, rcond=None)[0]
        residual = values - season @ mean
        floor = np.maximum(0.05 * residual.std(0), 1e-6)  # a column that never changes has no spread at all
        log_spread = np.linalg.lstsq(season, np.log(np.abs(residual) + floor), rcond=None)[0]
        anomaly = residual / np.exp(season @ log_spread)
        shares = (np.arange(SHARES) + 0.5) / SHARES
        scores = norm.ppf((rankdata(anomaly, axis=0) - 0.5) / len(anomaly))
        past = np.concatenate(
            [scores[ORDER - 1 - lag : len(scores) - 1 - lag] for lag in range(ORDER)], axis=1
        )
        now = scores[ORDER:]
        memory = np.linalg.lstsq(past, now, rcond=None)[0]
        innovation = np.linalg.cholesky(np.cov((now - past @ memory).T) + 1e-9 * np.eye(len(COLUMNS)))
        parts = (mean, log_spread, np.quantile(anomaly, shares, axis=0), memory, innovation)
        return RegionalWeather(*(part.astype(np.float32) for part in parts))

    def sample(self, dates: pd.DatetimeIndex, seed: int) -> pd.DataFrame:
        """Weather of ``dates``; a day depends on the seed and on the days since the first date alone."""
        size = len(COLUMNS)
        noise = random.normal((WARM_UP_DAYS + len(dates), size), seed, "weather") @ self.innovation.T
        scores = np.zeros((len(noise), size), dtype=np.float32)
        for day in range(ORDER, len(noise)):
            scores[day] = scores[day - ORDER : day][::-1].ravel() @ self.memory + noise[day]
        place = norm.cdf(scores[WARM_UP_DAYS:]) * SHARES - 0.5
        columns = [np.interp(place[:, i], np.arange(SHARES), self.quantiles[:, i]) for i in range(size)]
        season = calendars.season(dates.day_of_year.to_numpy(dtype=np.float32))
        values = season @ self.mean + np.exp(season @ self.log_spread) * np.column_stack(columns)
        frame = pd.DataFrame(values, index=dates, columns=COLUMNS)
        frame["temperature_min_c"] = frame[["temperature_min_c", "temperature_max_c"]].min(axis=1)
        frame["clearness"] = frame["clearness"].clip(0.03, 1.1)
        return frame

    def climatology(self, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """Seasonal mean of each day."""
        return pd.DataFrame(
            calendars.season(dates.day_of_year.to_numpy(dtype=np.float32)) @ self.mean, dates, COLUMNS
        )


def resolve(
    regional: RegionalWeather, dates: pd.DatetimeIndex, seed: int, given: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Weather of ``dates``: what ``given`` holds, a generated path for the columns and days it does not."""
    frame = regional.sample(dates, seed)
    if given is None:
        return frame
    there = [name for name in COLUMNS if name in given.columns]
    for name in there:
        known = given[name].reindex(dates)
        frame[name] = known.where(known.notna(), frame[name])
    both = ["temperature_min_c", "temperature_max_c"]
    if "temperature_min_c" in there and "temperature_max_c" not in there:  # what was given stays
        frame["temperature_max_c"] = frame[both].max(axis=1)
    frame["temperature_min_c"] = frame[both].min(axis=1)
    return frame


def clearness_level(
    regional: RegionalWeather, weather: pd.DataFrame, window_days: int, stride_days: int
) -> Array:
    """Slow level of the clearness of ``weather`` over its climatology, ``(day,)``: a running mean of 61 days.

    The high level is shown the weather without it, and `add_level` puts it back. A few observed years cannot
    teach what the level does: it moves by 0.03, together with whatever else changed from year to year. (In the
    Ausgrid years load fell while skies cleared, and a network that saw the level raised the load by 19 % under
    a sky of 0.7 times the clearness; the days' own response is 3 %.)

    Args:
        window_days: days of the high level's first window; the level in it depends on no later day, so that a
            longer call begins with the days of a shorter one.
        stride_days: days that each further window adds, likewise.
    """
    anomaly = weather["clearness"] - regional.climatology(pd.DatetimeIndex(weather.index))["clearness"]
    level = np.zeros(len(anomaly), dtype=np.float32)
    begin, end = 0, window_days
    while begin < len(anomaly):
        mean = anomaly.iloc[:end].rolling(LEVEL_DAYS, center=True, min_periods=1).mean()
        level[begin:end] = mean.to_numpy()[begin:end]
        begin, end = end, end + stride_days
    return level


def add_level(tokens: Array, level: Array) -> Array:
    """Daily tokens ``(home, day, 8)`` in natural units under the slow ``level`` ``(day,)`` of the clearness.

    A home's own clearness follows the region's one to one (0.97..1.03), its load by `LOAD_PER_CLEARNESS`.
    """
    result = tokens.copy()
    result[..., :CLEARNESS] += LOAD_PER_CLEARNESS * level[:, None]
    result[..., CLEARNESS] += level
    return result
