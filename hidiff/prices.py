"""What energy costs in each step: a tariff read on the clock that people live by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.tariff import DemandCharge, Period, Tariff

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PriceSeries:
    """What a tariff says of each step; ``(step,)``, or ``(step, home)`` where tariffs were stacked."""

    import_price: Floats
    """Price of import [currency/kWh]."""
    export_price: Floats
    """Paid for export [currency/kWh]."""
    is_month_start: Floats
    """1 on the first step of each month of the local clock and on the first step of all, else 0."""
    in_demand_window: Floats
    """1 where a step lies in the hours of a demand charge, else 0, ``(charge, step)`` or ``(charge, step, home)``."""


def local_clock(time: pd.DatetimeIndex, time_zone: str) -> pd.DatetimeIndex:
    """The same instants on the clock of ``time_zone``.

    Raises:
        ValueError: a time index without a zone.
    """
    if time.tz is None:
        raise ValueError("time has no zone; give interval starts in UTC, e.g. index.tz_localize('UTC')")
    return time.tz_convert(time_zone)


def import_price_per_kwh(
    tariff: Tariff, time: pd.DatetimeIndex, time_zone: str, wholesale_per_kwh: Floats | None = None
) -> Floats:
    """Price of import in each step, ``(step,)`` [currency/kWh]; a step has the price of its start.

    Args:
        wholesale_per_kwh: wholesale price, ``(step,)`` [currency/kWh], for a tariff that follows it.

    Raises:
        ValueError: a time index without a zone; a wholesale price that is needed and missing, or does not fit.
    """
    price = _by_periods(tariff.import_price_per_kwh, tariff.periods, local_clock(time, time_zone))
    return _with_wholesale(price, tariff, "wholesale_multiplier", wholesale_per_kwh)


def export_price_per_kwh(
    tariff: Tariff, time: pd.DatetimeIndex, time_zone: str, wholesale_per_kwh: Floats | None = None
) -> Floats:
    """Paid for exported energy in each step, ``(step,)`` [currency/kWh]; arguments as of `import_price_per_kwh`."""
    price = _by_periods(tariff.export_price_per_kwh, tariff.export_periods, local_clock(time, time_zone))
    return _with_wholesale(price, tariff, "wholesale_export_multiplier", wholesale_per_kwh)


def price_series(
    tariff: Tariff, time: pd.DatetimeIndex, time_zone: str, wholesale_per_kwh: Floats | None = None
) -> PriceSeries:
    """All that a meter needs to know of each step; arguments and errors as of `import_price_per_kwh`."""
    local = local_clock(time, time_zone)
    windows = [_holds(charge, local) for charge in tariff.demand]
    return PriceSeries(
        import_price=import_price_per_kwh(tariff, time, time_zone, wholesale_per_kwh),
        export_price=export_price_per_kwh(tariff, time, time_zone, wholesale_per_kwh),
        is_month_start=np.diff(month_number(local), prepend=-1).astype(bool).astype(float),
        in_demand_window=np.array(windows, dtype=float).reshape(len(windows), len(time)),
    )


def stack_price_series(series: Sequence[PriceSeries]) -> PriceSeries:
    """Several homes' series as one with a last axis ``home``; missing demand charges have no hours.

    Raises:
        ValueError: none, or lengths that differ.
    """
    lengths = sorted({len(one.import_price) for one in series})
    if len(lengths) != 1:
        raise ValueError(f"series have lengths {lengths}; give at least one, all of the same steps")
    windows = np.zeros((max(len(one.in_demand_window) for one in series), lengths[0], len(series)))
    for home, one in enumerate(series):
        windows[: len(one.in_demand_window), :, home] = one.in_demand_window
    names = ("import_price", "export_price", "is_month_start")
    return PriceSeries(
        **{name: np.stack([getattr(one, name) for one in series], axis=-1) for name in names},
        in_demand_window=windows,
    )


def month_number(local: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Months since the year 0 of each step of a local clock, ``(step,)``."""
    return np.asarray(local.year * 12 + local.month - 1, dtype=np.int64)


def _by_periods(base: float, periods: tuple[Period, ...], local: pd.DatetimeIndex) -> Floats:
    price = np.full(len(local), base, dtype=float)
    for period in reversed(periods):  # the first one counts, so it is written last
        price[_holds(period, local)] = period.price_per_kwh
    return price


def _holds(window: Period | DemandCharge, local: pd.DatetimeIndex) -> NDArray[np.bool_]:
    """Which steps begin in the hours, days and months of ``window``, ``(step,)``."""
    hour = np.asarray(local.hour + local.minute / 60, dtype=float)
    if window.start_h < window.end_h:
        holds = (hour >= window.start_h) & (hour < window.end_h)
    else:
        holds = (hour >= window.start_h) | (hour < window.end_h)
    if window.days != "all":
        holds &= np.asarray(local.day_of_week >= 5) == (window.days == "weekend")
    if window.months:
        holds &= np.isin(np.asarray(local.month), window.months)
    return holds


def _with_wholesale(price: Floats, tariff: Tariff, name: str, wholesale_per_kwh: Floats | None) -> Floats:
    multiplier = getattr(tariff, name)
    if multiplier == 0:
        return price
    if wholesale_per_kwh is None:
        raise ValueError(
            f"the tariff has {name}={multiplier} and no wholesale price is given; give wholesale_per_kwh, one value "
            "a step, or set it to 0"
        )
    wholesale = np.asarray(wholesale_per_kwh, dtype=float)
    if wholesale.shape != price.shape or not np.isfinite(wholesale).all():
        raise ValueError(
            f"wholesale_per_kwh has shape {wholesale.shape} and {int((~np.isfinite(wholesale)).sum())} missing values; "
            f"give one finite value for each of {len(price)} steps"
        )
    return np.asarray(price + multiplier * wholesale)
