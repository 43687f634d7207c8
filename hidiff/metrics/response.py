"""How homes answer the weather: what a degree and a cloud do to a day, as numbers with confidence.

The day's energy of each home is regressed on degrees of heating and cooling and on clearness, today's and
yesterday's, with season, weekday and a slow trend held fixed (piecewise-linear "change-point" models: Kissock,
Haberl and Claridge 2003, ASHRAE Transactions 109(2)). The slow trend matters: load fell and skies cleared over
the three Ausgrid years, and without it clearness takes the credit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data import calendars

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

HEATING_BELOW_C, COOLING_ABOVE_C = 17.0, 24.0
"""Of the mean of the day's extremes: the pair of whole degrees that explains most of the real aggregate."""
TERMS = ("heating", "cooling", "clearness")
"""Columns of `weather_terms`: today's, then yesterday's in the same order."""
TREND_DAYS = 500
"""Shortest record on which a trend can be told from a season."""
BLOCK_DAYS = 28


@dataclass(frozen=True, kw_only=True)
class Response:
    """What a unit of each term adds to a day."""

    per_home: Array
    """Of every home, ``(home, term)``."""
    draws: Array
    """Means over homes, redrawn with blocks of days and with homes, ``(draw, term)``."""
    explained: float
    """Share of the variance of the mean home that controls and terms explain."""

    @property
    def pooled(self) -> Array:
        """Mean over homes, ``(term,)``."""
        return np.asarray(self.per_home.mean(axis=0))


@dataclass(frozen=True, kw_only=True)
class Change:
    """A mean over homes and days, with its 95 % interval."""

    mean: float
    low: float
    high: float

    def scaled(self, factor: float) -> Change:
        """All three times ``factor`` >= 0."""
        return Change(mean=self.mean * factor, low=self.low * factor, high=self.high * factor)


def weather_terms(weather: pd.DataFrame) -> Array:
    """Heating degrees [K], cooling degrees [K] and clearness of each day and of the day before, ``(day, 6)``.

    Args:
        weather: daily, with the columns of `hidiff.data.weather`; the first day stands for its own yesterday.
    """
    middle_c = (weather["temperature_max_c"] + weather["temperature_min_c"]).to_numpy(dtype=np.float64) / 2
    today = np.column_stack(
        [
            np.maximum(HEATING_BELOW_C - middle_c, 0),
            np.maximum(middle_c - COOLING_ABOVE_C, 0),
            weather["clearness"].to_numpy(dtype=np.float64),
        ]
    )
    return np.column_stack([today, np.concatenate([today[:1], today[:-1]])])


def calendar_controls(dates: pd.DatetimeIndex) -> Array:
    """What else moves a day: season, weekend, holiday and, on a long record, a quadratic trend, ``(day, 9 or 11)``."""
    columns = [
        calendars.season(dates.day_of_year.to_numpy(dtype=np.float32)).astype(np.float64),
        np.asarray(dates.day_of_week >= 5, dtype=np.float64)[:, None],
        calendars.is_holiday(dates).astype(np.float64)[:, None],
    ]
    if len(dates) >= TREND_DAYS:
        place = np.linspace(-1, 1, len(dates))[:, None]
        columns += [place, place**2]
    return np.concatenate(columns, axis=1)


def fit_response(
    values: Floats, terms: Floats, controls: Floats, rng: np.random.Generator, draws: int = 200
) -> Response:
    """Least-squares response of each home, and how sure the mean over homes is.

    Homes share their weather, so an interval over homes alone would be too narrow: each draw takes blocks of
    28 days and homes, both with replacement.

    Args:
        values: energy of each home and day ``(home, day)`` [kWh], or clearness of each home [1]; no NaN.
        terms: ``(day, term)``, see `weather_terms`.
        controls: ``(day, control)``, see `calendar_controls`.
        rng: draws homes and blocks.
        draws: number of them.

    Raises:
        ValueError: shapes that do not fit, NaN, too few days, a term that never changes.
    """
    homes, days = values.shape
    if len(terms) != days or len(controls) != days:
        raise ValueError(
            f"{days} days of values, {len(terms)} of terms, {len(controls)} of controls; give the same days"
        )
    for name, array in (("values", values), ("terms", terms), ("controls", controls)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} hold NaN; leave out the days and homes that are not known")
    if not days >= 2 * (terms.shape[1] + controls.shape[1]):
        raise ValueError(
            f"{days} days are too few for {terms.shape[1]} terms and {controls.shape[1]} controls"
        )
    still = np.flatnonzero(np.ptp(terms, axis=0) == 0)
    if still.size:
        raise ValueError(f"term {still[0]} never changes, so nothing tells what it does; leave it out")
    design = np.concatenate([terms, controls], axis=1, dtype=np.float64)
    own = values.astype(np.float64)
    weights = np.linalg.lstsq(design, own.T, rcond=None)[0]  # (term and control, home)
    mean = own.mean(axis=0)
    left = mean - design @ weights.mean(axis=1)
    count = terms.shape[1]
    starts = np.arange(0, days, BLOCK_DAYS)
    pooled = np.empty((draws, count))
    for draw in range(draws):
        begins = rng.choice(starts, size=len(starts))
        chosen = np.concatenate([np.arange(begin, min(begin + BLOCK_DAYS, days)) for begin in begins])
        mean = own[rng.integers(homes, size=homes)].mean(axis=0)
        pooled[draw] = np.linalg.lstsq(design[chosen], mean[chosen], rcond=None)[0][:count]
    spread = float(own.mean(axis=0).var())
    return Response(
        per_home=np.asarray(weights[:count].T, dtype=np.float64),
        draws=pooled,
        explained=1 - float(left.var()) / spread if spread > 0 else 0.0,
    )


def lasting(response: Response) -> tuple[Array, Array, Array]:
    """Effect of a term that lasts, today's plus yesterday's: mean, low, high, ``(term / 2,)`` each."""
    half = response.per_home.shape[1] // 2
    draws = response.draws[:, :half] + response.draws[:, half:]
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return response.pooled[:half] + response.pooled[half:], low, high


def expected_change(response: Response, before: Floats, after: Floats, weight: Floats) -> Change:
    """Mean change of a day that ``response`` expects of an edit of the weather.

    Args:
        before: terms of the weather as it was, ``(day, term)``.
        after: terms of the edited weather.
        weight: how much each day counts, ``(day,)``: 1 on the days that are asked for, or the clear-sky energy.
    """
    edit = (np.asarray(after, dtype=np.float64) - before).T @ weight / weight.sum()  # (term,)
    low, high = np.quantile(response.draws @ edit, [0.025, 0.975])
    return Change(mean=float(response.pooled @ edit), low=float(low), high=float(high))


def relative_change(before: Floats, after: Floats, rng: np.random.Generator, draws: int = 500) -> Change:
    """Change of the energy of all homes together over what it was, with its interval over homes.

    Args:
        before: energy of each home, ``(home,)`` [kWh].
        after: the same homes in the other weather.
        rng: draws homes, with replacement.

    Raises:
        ValueError: homes without energy, or shapes that differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"{before.shape} homes before, {after.shape} after; give the same homes")
    if not before.sum() > 0:
        raise ValueError("the homes have no energy before the change; nothing can be relative to it")
    rows = rng.integers(len(before), size=(draws, len(before)))
    low, high = np.quantile(after[rows].sum(axis=1) / before[rows].sum(axis=1) - 1, [0.025, 0.975])
    return Change(mean=float(after.sum() / before.sum() - 1), low=float(low), high=float(high))
