"""The noise that samples are made of, keyed by home and window; a little of it is not white.

The samplers are deterministic, so equal noise is an equal sample and noise that hangs together makes days that do.
Each number stays standard normal; what is shared (regional clouds, slow drift, the hours about midnight, the habits
of a home that nobody knows) is what the networks leave out. The networks answer to
noise that runs on over days far more than to white noise, so shares of a hundredth do.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from hidiff import rng as random
from hidiff.data.calendars import STEPS_PER_DAY
from hidiff.data.prepare import BLOCKS, CLEARNESS, TOKENS

Array = NDArray[np.float32]
SLOW_DAYS = 20.0
"""Days after which slow noise has forgotten all but 1/e of itself."""
DAY_WIDTH_STEPS = 0.6
"""Standard deviation of the smoothing of noise that comes again every day [half-hours]."""


@dataclass(frozen=True, kw_only=True)
class NoiseShares:
    """Shares of the variance of the noise that are not white; each in 0..1."""

    regional: float = 0.35
    """Of the clearness of half-hours, the same for all homes: the same clouds."""
    week: float = 0.15
    """Of the load of half-hours of a new home, repeated every week by the wall clock."""
    day: float = 0.08
    """Likewise, repeated every day. (A home that is like another has that one's habits and draws none.)"""
    slow: float = 0.012
    """Of the load of days, a drift over weeks."""
    midnight: float = 0.008
    """Of the first block of a day, the last one of the day before."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"the share {name}={value} of the noise must lie in 0..1")
        if not self.week + self.day <= 1:
            raise ValueError(f"week={self.week} and day={self.day} share more than all of the noise")


def mixed(first: Array, second: Array, share: float) -> Array:
    """Standard normal numbers, ``share`` of whose variance is that of ``second``."""
    return np.asarray(np.sqrt(1 - share) * first + np.sqrt(share) * second, dtype=np.float32)


def of_days(days: int, seed: int, home: str, window: int, shares: NoiseShares) -> Array:
    """Noise of a window of the high level, ``(day, 8)``."""
    noise = random.normal((days, TOKENS), seed, home, "high", window)
    load = slice(0, CLEARNESS)
    if shares.slow:
        noise[:, load] = mixed(noise[:, load], slow(days, seed, home, window)[:, load], shares.slow)
    if shares.midnight:
        noise[1:, 0] = mixed(noise[1:, 0], noise[:-1, BLOCKS - 1], shares.midnight)
    return noise


def slow(days: int, seed: int, home: str, window: int) -> Array:
    """A stationary first-order autoregression of unit variance for each token, ``(day, 8)``."""
    memory = np.exp(-1 / SLOW_DAYS)
    white = random.normal((days, TOKENS), seed, home, "high", window, "slow").astype(np.float64)
    white[1:] *= np.sqrt(1 - memory**2)
    return np.asarray(lfilter([1.0], [1.0, -memory], white, axis=0), dtype=np.float32)


def of_half_hours(steps: int, seed: int, home: str, start: int, clouds: Array, shares: NoiseShares) -> Array:
    """Noise of a window of the low level, ``(step, 2)``: load and clearness.

    Args:
        start: day that the window begins with.
        clouds: see `clouds`, ``(step,)``.
    """
    noise = random.normal((steps, 2), seed, home, "low", start)
    noise[:, 1] = mixed(noise[:, 1], clouds, shares.regional)
    return noise


def clouds(steps: int, seed: int, start: int) -> Array:
    """Noise that all homes share in the clearness of a window, ``(step,)``."""
    return random.normal((steps, 2), seed, "region", "low", start)[:, 1].copy()  # without the other half


@functools.lru_cache(maxsize=256)
def unknown_habit(seed: int, home: str, shares: NoiseShares) -> Array:
    """What the load noise of a new home repeats, ``(weekday, 48)`` by the wall clock; of variance week + day.

    Asked for each of a home's windows, so it is kept; not to be changed.
    """
    week = random.normal((7, STEPS_PER_DAY), seed, home, "week")
    day = gaussian_filter1d(random.normal((STEPS_PER_DAY,), seed, home, "day"), DAY_WIDTH_STEPS, mode="wrap")
    width = np.sqrt((gaussian_filter1d(np.eye(STEPS_PER_DAY)[0], DAY_WIDTH_STEPS, mode="wrap") ** 2).sum())
    return np.asarray(np.sqrt(shares.week) * week + np.sqrt(shares.day) * day / width, dtype=np.float32)
