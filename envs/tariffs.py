"""Bills: what a stretch of metered import and export costs, item by item and month by month."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.prices import (
    export_price_per_kwh,
    import_price_per_kwh,
    local_clock,
    month_number,
    price_series,
)
from hidiff.tariff import DemandCharge, Tariff

from .meter import INTERVAL_TOLERANCE_H

__all__ = [
    "Bill", "bill", "energy_cost", "export_price_per_kwh", "import_price_per_kwh", "local_clock", "step_length_h",
]  # fmt: skip

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Amount = TypeVar("Amount", float, NDArray[np.float64])


def step_length_h(time: pd.DatetimeIndex) -> float:
    """Length of the steps of an evenly spaced index [h].

    Raises:
        ValueError: fewer than two steps, or uneven ones.
    """
    if len(time) < 2:
        raise ValueError(f"time has {len(time)} step(s); two are needed to know the step length")
    gaps = np.diff(time.asi8)
    if not (gaps == gaps[0]).all() or gaps[0] <= 0:
        raise ValueError("time is not evenly spaced and rising; resample it first")
    return float((time[1] - time[0]) / pd.Timedelta(hours=1))


def energy_cost(
    import_kw: Amount, export_kw: Amount, import_price: Amount, export_price: Amount, *, dt_h: float
) -> Amount:
    """Cost of the energy of a step: ``(import * import_price - export * export_price) * dt`` [currency]."""
    return (import_kw * import_price - export_kw * export_price) * dt_h


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What a stretch of time costs [currency]."""

    import_cost: float
    """Imported energy at the prices of its hours."""
    export_credit: float
    """What the exported energy earns, the allowance counted; negative if exporting costs money."""
    block_cost: float = 0.0
    """What blocks add for the energy of a month."""
    demand_cost: float = 0.0
    """Charges on the highest power of a month."""
    daily_charge: float
    """Fixed charges."""
    months: pd.DataFrame = field(compare=False, repr=False)
    """The items of each month, as `table` gives them, without the total."""

    @property
    def total(self) -> float:
        """To be paid [currency]."""
        items = self.import_cost - self.export_credit + self.block_cost + self.demand_cost
        return items + self.daily_charge

    def table(self) -> pd.DataFrame:
        """The bill of each month of the local clock: a row a month (``2030-01``), a column an item [currency]."""
        return self.months.assign(
            total=self.months.drop(columns="export_credit").sum(axis=1) - self.months["export_credit"]
        )


def bill(
    import_kw: Floats,
    export_kw: Floats,
    tariff: Tariff,
    time: pd.DatetimeIndex,
    time_zone: str,
    wholesale_per_kwh: Floats | None = None,
) -> Bill:
    """Bill of metered import and export; months that the span covers in part are charged as if they were whole.

    Args:
        import_kw: mean import, ``(step,)``, a magnitude [kW].
        export_kw: mean export, ``(step,)``, a magnitude [kW].
        time: step starts, zone-aware.
        time_zone: zone of the clock that the tariff's hours and months are read on.
        wholesale_per_kwh: wholesale price, ``(step,)`` [currency/kWh], for a tariff that follows it.

    Raises:
        ValueError: lengths that differ, negative or missing values; a wholesale price that is needed and missing.
    """
    for name, power_kw in (("import_kw", import_kw), ("export_kw", export_kw)):
        if np.shape(power_kw) != (len(time),):
            raise ValueError(f"{name} has shape {np.shape(power_kw)}; time has {len(time)} steps")
        if not (np.asarray(power_kw) >= 0).all():
            raise ValueError(f"{name} has negative or missing values; both flows are magnitudes")
    dt_h = step_length_h(time)
    import_kwh, export_kwh = np.asarray(import_kw, float) * dt_h, np.asarray(export_kw, float) * dt_h
    prices = price_series(tariff, time, time_zone, wholesale_per_kwh)
    number = month_number(local_clock(time, time_zone))
    month, count = number - number[0], int(number[-1] - number[0]) + 1  # a row for each month of the span

    def monthly(values: Floats) -> Floats:
        return np.asarray(np.bincount(month, weights=values, minlength=count), dtype=float)

    credit = export_kwh * prices.export_price
    if tariff.export_allowance_kwh_per_month:
        credit -= _spared(export_kwh, prices.export_price, month, tariff.export_allowance_kwh_per_month)
    month_kwh = monthly(import_kwh)
    items = {
        "import_cost": monthly(import_kwh * prices.import_price),
        "export_credit": monthly(credit),
        "block_cost": sum(
            (
                block.extra_per_kwh * np.maximum(month_kwh - block.above_kwh_per_month, 0.0)
                for block in tariff.blocks
            ),
            np.zeros(count),
        ),
        "demand_cost": sum(
            (
                charge.price_per_kw * _charged_kw(charge, import_kwh / dt_h, is_measured > 0, month, dt_h)
                for charge, is_measured in zip(tariff.demand, prices.in_demand_window, strict=True)
            ),
            np.zeros(count),
        ),
        "daily_charge": monthly(np.full(len(time), tariff.daily_charge * dt_h / 24)),
    }
    names = [f"{(number[0] + row) // 12:04d}-{(number[0] + row) % 12 + 1:02d}" for row in range(count)]
    return Bill(
        **{name: float(values.sum()) for name, values in items.items()},
        months=pd.DataFrame(items, index=pd.Index(names, name="month")),
    )


def _spared(export_kwh: Floats, price: Floats, month: Integers, allowance_kwh: float) -> Floats:
    """What exporting earns more because the first energy of a month at a negative price is free, as credit <= 0."""
    charged = pd.Series(np.where(price < 0, export_kwh, 0.0))
    so_far = charged.groupby(month).cumsum().clip(upper=allowance_kwh)
    free_kwh = so_far.groupby(month).diff().fillna(so_far)
    return np.asarray(free_kwh.to_numpy() * np.minimum(price, 0.0))


def _charged_kw(
    charge: DemandCharge, power_kw: Floats, is_measured: NDArray[np.bool_], month: Integers, dt_h: float
) -> Floats:
    """Power that each month is charged for, ``(month,)`` [kW]."""
    count = int(month[-1]) + 1
    steps = max(math.ceil((charge.interval_h - INTERVAL_TOLERANCE_H) / dt_h), 1)
    whole = len(power_kw) // steps * steps  # an interval that the span cuts off has no mean
    mean_kw = np.where(is_measured, power_kw, 0.0)[:whole].reshape(-1, steps).mean(axis=1)
    peak_kw = np.zeros(count)
    np.maximum.at(peak_kw, month[:whole][steps - 1 :: steps], mean_kw)  # it belongs to the month of its end
    is_charged = np.bincount(month[is_measured], minlength=count) > 0
    highest_kw = pd.Series(peak_kw).rolling(charge.months_back, min_periods=1).max().to_numpy()
    return np.where(is_charged, np.maximum(highest_kw, charge.minimum_kw), peak_kw)
