"""Forecasts of load and PV for the observation: perfect, persistent, from the generator, or wrong by as much as asked.

A forecast is made at the beginning of a step whose own load and PV are known, as the observation shows them, and
reaches ``horizon_steps`` beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from hidiff.rng import generator

from .sources import Floats, Window

if TYPE_CHECKING:
    from hidiff.diffusion.hierarchy import HiDiff

Values = NDArray[np.float64]
Kind = Literal["perfect", "persistence", "ensemble", "noisy"]
CHANNELS = ("load_kw", "pv_kw")
DAYS_BACK = 7
"""Days that persistence looks back."""
ERROR_MEMORY_H = 4.0
"""Time over which the errors of a noisy forecast forget each other [h]."""
LEAST_READINGS_DAYS = 14
"""Days from which the generator knows a home."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What an agent is told of the coming steps."""

    kind: Kind = "persistence"
    """``perfect``: the truth. ``persistence``: the mean of the same time of day on the last seven days, as far as they
    are known. ``ensemble``: a fan of the generator from each local midnight, given the home's readings before it.
    ``noisy``: the truth with correlated errors."""
    horizon_steps: int = 48
    """Steps ahead, from one to this many."""
    error_1h: float = 0.1
    """Of ``noisy``: root mean square relative error one hour ahead."""
    error_24h: float = 0.4
    """Of ``noisy``: the same a day ahead and beyond; in between its square grows evenly with the lead."""
    members: int = 20
    """Of ``ensemble``: scenarios of a fan."""
    quantiles: tuple[float, ...] = ()
    """Of ``ensemble``: quantiles over the scenarios, beside their mean."""
    readings_days: int = 56
    """Of ``ensemble``: days before a fan that the generator reads, at least 14; a year takes longer and knows more."""

    def __post_init__(self) -> None:
        if self.kind not in ("perfect", "persistence", "ensemble", "noisy"):
            raise ValueError(f"kind is {self.kind!r}; use perfect, persistence, ensemble or noisy")
        for name in ("horizon_steps", "members"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("error_1h", "error_24h"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 0 and finite")
        if self.error_1h > self.error_24h:
            raise ValueError(f"error_1h={self.error_1h} is above error_24h={self.error_24h}; errors grow")
        if not self.readings_days >= LEAST_READINGS_DAYS:
            raise ValueError(
                f"readings_days is {self.readings_days}; a home is known from {LEAST_READINGS_DAYS} days on"
            )
        if any(not 0 <= level <= 1 for level in self.quantiles):
            raise ValueError(f"quantiles is {self.quantiles}; each lies within 0..1")
        if self.quantiles and self.kind != "ensemble":
            raise ValueError(f"a forecast of kind {self.kind!r} has no quantiles; use kind='ensemble'")


def forecasts(config: Forecast, window: Window, *, model: HiDiff | None = None) -> dict[str, Values]:
    """Forecasts of a window: ``load_kw`` and ``pv_kw`` (as recorded), each ``(step, horizon)`` [kW].

    Column ``h`` of step ``t`` is of step ``t + 1 + h``. With quantiles, ``load_kw_quantiles`` and ``pv_kw_quantiles``,
    ``(step, horizon, quantile)``, as well.

    Where truth is asked for beyond the end of the record, or in a gap of it, persistence stands in.

    Args:
        model: of an ensemble; the shipped one by default.

    Raises:
        ValueError: an ensemble on steps other than half-hours, without two weeks of record before the window, or further
            ahead than 13 days.
    """
    if config.kind == "ensemble":
        from .forecast_fans import fan_forecasts

        return fan_forecasts(config, window, model)
    if config.kind == "persistence":
        return {name: _persistence(record, window, config.horizon_steps) for name, record in _records(window)}
    result = {}
    for name, record in _records(window):
        ahead = _ahead(record, window, config.horizon_steps)
        is_unknown = np.isnan(ahead)
        if config.kind == "noisy":
            ahead = ahead * _factors(config, window, name)
        if is_unknown.any():
            ahead = np.where(is_unknown, _persistence(record, window, config.horizon_steps), ahead)
        result[name] = ahead
    return result


def _records(window: Window) -> list[tuple[str, Floats]]:
    return [("load_kw", window.record_load_kw), ("pv_kw", window.record_pv_kw)]


def _ahead(record: Floats, window: Window, horizon: int) -> Values:
    """Truth ``(step, horizon)``; NaN beyond the record."""
    first, last = window.first + 1, window.first + window.steps + horizon
    known = record[first : min(last, len(record))].astype(np.float64)
    padded = np.concatenate([known, np.full(last - first - len(known), np.nan)])
    return np.lib.stride_tricks.sliding_window_view(padded, horizon)


def _persistence(record: Floats, window: Window, horizon: int) -> Values:
    """Means of past days, ``(step, horizon)``.

    A forecast that reaches into the k-th day ahead may look k days back from its own time at the nearest: that is never
    after the step at which it is made. Where none of these days is recorded, the step's own value stands in.
    """
    day = round(24 / window.dt_h)
    kinds = -(-horizon // day)
    first, count = window.first + 1, window.steps + horizon - 1
    back = day * (kinds + DAYS_BACK - 1)
    lead = max(back - first, 0)  # steps asked for that lie before the record
    now_known = window.first + window.steps  # nothing from here on is known at any step of the window
    own = np.full(lead + first + count, np.nan)
    own[lead : lead + min(now_known, len(record))] = record[:now_known]
    at = lead + first + np.arange(count)
    means = np.full((kinds, count), np.nan)
    for ahead in range(1, kinds + 1):
        total, number = np.zeros(count), np.zeros(count)
        for days in range(ahead, ahead + DAYS_BACK):
            values = own[at - days * day]
            is_used = np.isfinite(values)
            total += np.where(is_used, values, 0.0)
            number += is_used
        np.divide(total, number, out=means[ahead - 1], where=number > 0)
    rows, columns = np.arange(window.steps)[:, None], np.arange(horizon)[None, :]
    result = means[columns // day, rows + columns]
    now = record[window.span].astype(np.float64)[:, None]
    return np.where(np.isnan(result), now, result)


def day_mean(record: Floats, day: int) -> Values:
    """Mean of the same time of the last seven days, ``(step,)``, as far as they are recorded; NaN where none is.

    It is what persistence says of any step up to a day ahead.
    """
    total, number = np.zeros(len(record)), np.zeros(len(record))
    for back in range(day, day * DAYS_BACK + 1, day):
        values = record[:-back].astype(np.float64)
        is_used = np.isfinite(values)
        total[back:] += np.where(is_used, values, 0.0)
        number[back:] += is_used
    return np.asarray(np.divide(total, number, out=np.full(len(record), np.nan), where=number > 0))


def _factors(config: Forecast, window: Window, name: str) -> Values:
    """Log-normal factors of mean one, ``(step, horizon)``, keyed by the episode.

    Half of the error's variance belongs to the time that is forecast, and so shrinks as that time comes near; half to
    the forecast, and is new at each step. Both are correlated along the time that is forecast.
    """
    steps, horizon = window.steps, config.horizon_steps
    random = generator(window.episode, "forecast", name)
    keep = math.exp(-window.dt_h / ERROR_MEMORY_H)
    of_time = _correlated(random.standard_normal(steps + horizon - 1), keep)
    of_forecast = _correlated(random.standard_normal((steps, horizon)), keep)
    shared = np.lib.stride_tricks.sliding_window_view(of_time, horizon)
    lead_h = window.dt_h * np.arange(1, horizon + 1)
    share = np.clip((lead_h - 1) / 23, 0, 1)
    variance = config.error_1h**2 * np.minimum(lead_h, 1) + (config.error_24h**2 - config.error_1h**2) * share
    spread = np.sqrt(np.log1p(variance))
    normal = math.sqrt(0.5) * (shared + of_forecast)
    return np.asarray(np.exp(spread * normal - spread**2 / 2))


def _correlated(white: Values, keep: float) -> Values:
    """First-order autoregression of unit variance along the last axis."""
    from scipy.signal import lfilter

    gain = math.sqrt(1 - keep**2)
    start = white[..., :1] / gain  # so that the first number has the variance of the others
    return np.asarray(lfilter([gain], [1.0, -keep], np.concatenate([start, white[..., 1:]], axis=-1)))


def error_of(forecast: Mapping[str, Values], window: Window) -> dict[str, float]:
    """Mean absolute error of each channel over its mean, over all steps and leads whose truth is recorded.

    NaN for a channel that is 0 throughout.
    """
    errors = {}
    for name, record in _records(window):
        truth = _ahead(record, window, forecast[name].shape[1])
        mean = float(np.nanmean(truth))
        errors[name] = float(np.nanmean(np.abs(forecast[name] - truth))) / mean if mean > 0 else math.nan
    return errors
