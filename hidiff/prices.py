"""What energy costs in each step: a tariff read on the clock that people live by."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.home import Tariff

Floats = NDArray[np.float64]


def local_clock(time: pd.DatetimeIndex, time_zone: str) -> pd.DatetimeIndex:
    """The same instants on the clock of ``time_zone``.

    Raises:
        ValueError: a time index without a zone.
    """
    if time.tz is None:
        raise ValueError("time has no zone; give interval starts in UTC, e.g. index.tz_localize('UTC')")
    return time.tz_convert(time_zone)


def import_price_per_kwh(tariff: Tariff, time: pd.DatetimeIndex, time_zone: str) -> Floats:
    """Price of import in each step, ``(step,)`` [currency/kWh]; a step has the price of its start."""
    local = local_clock(time, time_zone)
    hour = np.asarray(local.hour + local.minute / 60, dtype=float)
    is_weekend = np.asarray(local.day_of_week >= 5)
    month = np.asarray(local.month)
    price = np.full(len(time), tariff.import_price_per_kwh)
    for period in reversed(tariff.periods):  # the first one counts, so it is written last
        if period.start_h < period.end_h:
            holds = (hour >= period.start_h) & (hour < period.end_h)
        else:
            holds = (hour >= period.start_h) | (hour < period.end_h)
        if period.days != "all":
            holds &= is_weekend == (period.days == "weekend")
        if period.months:
            holds &= np.isin(month, period.months)
        price[holds] = period.price_per_kwh
    return price


def export_price_per_kwh(tariff: Tariff, time: pd.DatetimeIndex, time_zone: str) -> Floats:
    """Paid for exported energy in each step, ``(step,)`` [currency/kWh]."""
    return np.full(len(local_clock(time, time_zone)), tariff.export_price_per_kwh)
