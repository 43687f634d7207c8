"""What follows from the clock alone: calendar features and prices of every step of a time axis."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.prices import PriceSeries, local_clock, price_series
from hidiff.tariff import Tariff

Floats = NDArray[np.float64]


def calendar(time: pd.DatetimeIndex, time_zone: str) -> Floats:
    """Sine and cosine of the time of day and of the year, and weekend; ``(step, 5)``."""
    local = local_clock(time, time_zone)
    day = 2 * np.pi * np.asarray(local.hour + local.minute / 60, float) / 24
    year = 2 * np.pi * np.asarray(local.day_of_year - 1, float) / 366
    weekend = np.asarray(local.day_of_week >= 5, float)
    return np.column_stack([np.sin(day), np.cos(day), np.sin(year), np.cos(year), weekend])


def local_midnights(time: pd.DatetimeIndex, time_zone: str) -> NDArray[np.bool_]:
    """Which steps begin at a midnight of the local clock, ``(step,)``."""
    local = local_clock(time, time_zone)
    return np.asarray((local.hour == 0) & (local.minute == 0))


def extended(time: pd.DatetimeIndex, steps: int) -> pd.DatetimeIndex:
    """The axis with ``steps`` more steps at its end."""
    return pd.date_range(time[0], periods=len(time) + steps, freq=time[1] - time[0])


class Clock:
    """Calendar and prices of the steps of an axis and one more, for the observation after the last step.

    Args:
        ahead: import prices shown beyond a step's own.
        wholesale_per_kwh: spot price, ``(step,)`` of the axis; its last value stands for what comes after.
    """

    def __init__(
        self, tariff: Tariff, time: pd.DatetimeIndex, time_zone: str, *, ahead: int,
        wholesale_per_kwh: Floats | None = None,
    ) -> None:  # fmt: skip
        longer = extended(time, ahead + 1)
        if wholesale_per_kwh is not None:
            wholesale_per_kwh = np.concatenate([wholesale_per_kwh, np.full(ahead + 1, wholesale_per_kwh[-1])])
        self.time_zone = time_zone
        self.series: PriceSeries = price_series(tariff, longer, time_zone, wholesale_per_kwh)
        count = len(time) + 1
        self.calendar = calendar(longer[:count], time_zone)
        self.import_price = self.series.import_price[: len(time)]
        self.export_price = self.series.export_price[:count]
        self.import_prices_ahead = np.lib.stride_tricks.sliding_window_view(
            self.series.import_price, ahead + 1
        )[:count]
        """``(step, 1 + ahead)``, the step's own price first."""
        self.may_be_negative = bool(
            (self.series.import_price < 0).any() or (self.series.export_price < 0).any()
        )
