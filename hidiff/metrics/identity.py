"""Whether a generated home is still that home: its weeks recognised, its habits, its own distributions in time.

Everywhere else populations are compared; here each home is compared with itself, and the answers stay apart,
one row a home, so that an interval over homes is cheap. ``clock`` is the start of each step on the homes'
clock (zone-aware, local).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import joint, marginals, temporal

Floats = NDArray[np.floating]
Array = NDArray[np.float64]
Integers = NDArray[np.int64]

LOG_OFFSET_KW = 0.05
"""Added before a logarithm: about the step of a meter, so that a night without PV or load stays finite."""
POOLED_WEEKS = (1, 2, 4, 8)
"""Numbers of consecutive weeks that an attacker may hold together."""
EVENING = (17, 22)
"""Hours of the clock from which, and up to which, it is evening."""


def week_features(power_kw: Floats, clock: pd.DatetimeIndex, dt_h: float) -> Array:
    """Features of weeks from Monday to Sunday by which a home is known, ``(home, week, 38)``.

    Logarithms of the mean power in each hour of the day (24), of peak, mean daily peak, base (5 % quantile),
    mean and mean ramp; the shares of six blocks of four hours in the energy; the log ratio of weekend and
    working days; autocorrelation at one step and at 24 h. Such features recognised 68 % of the records of 180
    homes in Buchmann et al. 2013 (doi:10.1007/s00779-012-0513-6); see also Radovanovic et al. 2022
    (doi:10.1186/s42162-022-00205-8) for weeks.

    Power is rounded to ``joint.ROUNDING_KW`` first, or some homes are known by what their PV meter reads at
    night and nothing else.

    Args:
        power_kw: ``(home, step)`` [kW].
        clock: start of each step.
        dt_h: step length [h].
    """
    weeks = joint.windows(power_kw, clock, dt_h, 7)
    weeks = np.round(weeks / joint.ROUNDING_KW) * joint.ROUNDING_KW
    steps_per_day = weeks.shape[2] // 7
    days = weeks.reshape(*weeks.shape[:2], 7, steps_per_day)
    hourly = days.reshape(*weeks.shape[:2], 7, 24, -1).mean(axis=(2, 4))
    mean = weeks.mean(axis=2)
    levels = np.stack(
        [
            weeks.max(axis=2),
            days.max(axis=3).mean(axis=2),
            np.quantile(weeks, 0.05, axis=2),
            mean,
            np.abs(np.diff(weeks, axis=2)).mean(axis=2),
        ],
        axis=2,
    )
    blocks = hourly.reshape(*weeks.shape[:2], 6, 4).sum(axis=3)
    total = blocks.sum(axis=2, keepdims=True)
    shares = np.divide(blocks, total, out=np.full_like(blocks, 1 / 6), where=total > 0)
    weekend = _log(days[:, :, 5:].mean(axis=(2, 3))) - _log(days[:, :, :5].mean(axis=(2, 3)))
    memory = np.stack([_autocorrelation(weeks, lag) for lag in (1, steps_per_day)], axis=2)
    return np.concatenate([_log(hourly), _log(levels), shares, weekend[..., None], memory], axis=2)


def _log(power_kw: Array) -> Array:
    return np.asarray(np.log(np.maximum(power_kw, 0) + LOG_OFFSET_KW))


def _autocorrelation(weeks: Array, lag: int) -> Array:
    """Autocorrelation within each week, ``(home, week)``; 0 where nothing changes."""
    flat = temporal.autocorrelation(weeks.reshape(-1, weeks.shape[2]), (lag,))
    return np.nan_to_num(flat[:, 0]).reshape(weeks.shape[:2])


@dataclass(frozen=True, kw_only=True, eq=False)
class Recogniser:
    """A linear classifier of weeks that has learnt its homes; made by ``fit_recogniser``."""

    scaler: Any
    classifier: Any
    homes: int
    """Homes among which it chooses."""

    def scores(self, features: Array) -> Array:
        """Log posterior of each home up to a constant of the week, ``(home, week, candidate)``."""
        rows = self.scaler.transform(features.reshape(-1, features.shape[2]))
        # not decision_function, which gives one column where there are two homes
        scores = rows @ self.classifier.coef_.T + self.classifier.intercept_
        if self.homes == 2:
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        return np.asarray(scores.reshape(*features.shape[:2], self.homes))


def fit_recogniser(features: Array) -> Recogniser:
    """Learn which weeks are whose: linear discriminants of standardised features, equal priors.

    The covariance within homes, which holds weather and season, is shrunk as Ledoit and Wolf say (2004,
    doi:10.1016/S0047-259X(03)00096-4), so that many features of few weeks do no harm.

    Args:
        features: weeks of the known homes, ``(home, week, feature)``; home ``i`` is candidate ``i``.
    Raises:
        ValueError: fewer than two homes or two weeks.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.preprocessing import StandardScaler

    homes, weeks = features.shape[:2]
    if homes < 2 or weeks < 2:
        raise ValueError(
            f"{homes} homes of {weeks} weeks; at least two of each are needed to tell homes apart"
        )
    rows = features.reshape(homes * weeks, -1)
    scaler = StandardScaler().fit(rows)
    priors = np.full(homes, 1 / homes)
    classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
    classifier.fit(scaler.transform(rows), np.repeat(np.arange(homes), weeks))
    return Recogniser(scaler=scaler, classifier=classifier, homes=homes)


def recognised_share(scores: Array, truth: Integers, pooled: int = 1) -> Array:
    """Share of each home's runs of ``pooled`` weeks that are taken for that home, ``(home,)`` [0..1].

    Log posteriors of the weeks of a run are added, as if weeks were independent; runs do not overlap, and what
    is left of the year is not used. Guessing has ``1 / candidates``.

    Args:
        scores: of ``Recogniser.scores``, ``(home, week, candidate)``.
        truth: candidate that each home is, ``(home,)``.
        pooled: consecutive weeks that are looked at together.
    """
    homes, weeks, candidates = scores.shape
    if not 1 <= pooled <= weeks:
        raise ValueError(f"pooled={pooled} is outside 1..{weeks}, the number of weeks")
    runs = weeks // pooled
    together = scores[:, : runs * pooled].reshape(homes, runs, pooled, candidates).sum(axis=2)
    return np.asarray((together.argmax(axis=2) == truth[:, None]).mean(axis=1), dtype=np.float64)


def base_load_kw(power_kw: Floats) -> Array:
    """5 % quantile of each home's power, ``(home,)`` [kW]."""
    return np.asarray(np.quantile(power_kw.astype(np.float64), 0.05, axis=1))


def peak_hour(power_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Time of day at which the mean profile of the year is highest, start of the step, ``(home,)`` [h]."""
    minutes, slot = np.unique(np.asarray(clock.hour * 60 + clock.minute), return_inverse=True)
    profile = np.stack([np.bincount(slot, weights=row) for row in power_kw]) / np.bincount(slot)
    return np.asarray(minutes[profile.argmax(axis=1)] / 60, dtype=np.float64)


def hours_apart(a: Array, b: Array) -> Array:
    """Distance of two times of day round the clock, 0..12 [h]."""
    apart = np.abs(a - b) % 24
    return np.asarray(np.minimum(apart, 24 - apart))


def weekend_ratio(power_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Mean power on Saturdays and Sundays over that of the other days, ``(home,)``; NaN without the latter."""
    is_weekend = np.asarray(clock.day_of_week) >= 5
    off, working = (power_kw[:, days].mean(axis=1, dtype=np.float64) for days in (is_weekend, ~is_weekend))
    return np.asarray(np.divide(off, working, out=np.full_like(off, np.nan), where=working > 0))


def evening_share(power_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Share of a home's energy between 17 and 22 o'clock, ``(home,)`` [0..1]; NaN where there is no energy."""
    hour = np.asarray(clock.hour)
    evening = power_kw[:, (hour >= EVENING[0]) & (hour < EVENING[1])].sum(axis=1, dtype=np.float64)
    total = power_kw.sum(axis=1, dtype=np.float64)
    return np.asarray(np.divide(evening, total, out=np.full_like(total, np.nan), where=total > 0))


def daily_peaks_kw(power_kw: Floats, clock: pd.DatetimeIndex) -> Array:
    """Largest step of each local day, ``(home, day)`` [kW]."""
    dates = clock.tz_localize(None).normalize()
    first = np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]])
    return np.asarray(np.maximum.reduceat(power_kw.astype(np.float64), first, axis=1))


def wasserstein_by_home(a: Floats, b: Floats) -> Array:
    """1-Wasserstein distance between each home of ``a`` and the same row of ``b``, ``(home,)``.

    ``W1 = integral over u of |Q_a(u) - Q_b(u)|`` with the empirical quantile functions (Vallender 1974,
    doi:10.1137/1118101); exact, whether or not both have equally many values.

    Args:
        a: ``(home, value)``.
        b: ``(home, value)``; another number of values is fine.
    Raises:
        ValueError: different numbers of homes, or no values.
    """
    if len(a) != len(b) or not a.shape[1] or not b.shape[1]:
        raise ValueError(f"shapes {a.shape} and {b.shape}; give the same homes, with values, on both sides")
    sorted_a, sorted_b = (np.sort(side.astype(np.float64), axis=1) for side in (a, b))
    if a.shape[1] == b.shape[1]:
        return np.asarray(np.abs(sorted_a - sorted_b).mean(axis=1))
    count_a, count_b = a.shape[1], b.shape[1]
    # both quantile functions are constant between these multiples of 1 / (count_a * count_b)
    edges = np.union1d(np.arange(count_a + 1) * count_b, np.arange(count_b + 1) * count_a)
    gap = np.abs(sorted_a[:, edges[:-1] // count_b] - sorted_b[:, edges[:-1] // count_a])
    return np.asarray(gap @ (np.diff(edges) / (count_a * count_b)))


def wasserstein_month_hour_by_home(
    a: Floats, b: Floats, clock_a: pd.DatetimeIndex, clock_b: pd.DatetimeIndex
) -> Array:
    """W1 of each home's power in each month and hour, mean over the 288 cells, ``(home,)`` [kW].

    Args:
        a: ``(home, step)`` [kW].
        b: the same homes in the same order; the steps may differ in number.
        clock_a: start of each step of ``a``.
        clock_b: the same of ``b``.
    Raises:
        ValueError: a month and hour is on one side only.
    """
    cells_a, cells_b = marginals.month_hour(clock_a), marginals.month_hour(clock_b)
    labels = np.unique(cells_a)
    odd = np.setxor1d(labels, cells_b)
    if odd.size:
        raise ValueError(f"{len(odd)} cells are on one side only, the first is {odd[0]}; compare whole years")
    distances = [wasserstein_by_home(a[:, cells_a == label], b[:, cells_b == label]) for label in labels]
    return np.asarray(np.mean(distances, axis=0))


def daily_autocorrelation(
    power_kw: Floats, clock: pd.DatetimeIndex, dt_h: float, lags: tuple[int, ...]
) -> Array:
    """Autocorrelation of each home's daily energy at lags in days, ``(home, lag)``; NaN where constant."""
    return temporal.autocorrelation(temporal.daily_energy(power_kw, clock, dt_h)[0], lags)
