"""The one billing engine of environments, indicators and optimisers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.home import Tariff
from hidiff.prices import export_price_per_kwh, import_price_per_kwh, local_clock

__all__ = [
    "Bill", "bill", "energy_cost", "export_price_per_kwh", "import_price_per_kwh", "local_clock", "step_length_h",
]  # fmt: skip

Floats = NDArray[np.float64]
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
    export_credit: float
    """What the exported energy earns; negative if exporting costs money."""
    daily_charge: float

    @property
    def total(self) -> float:
        """To be paid [currency]."""
        return self.import_cost - self.export_credit + self.daily_charge


def bill(
    import_kw: Floats, export_kw: Floats, tariff: Tariff, time: pd.DatetimeIndex, time_zone: str
) -> Bill:
    """Bill of metered import and export.

    Args:
        import_kw: mean import, ``(step,)``, a magnitude [kW].
        export_kw: mean export, ``(step,)``, a magnitude [kW].
        time: step starts, zone-aware.
        time_zone: zone of the clock that the tariff's hours are read on.

    Raises:
        ValueError: lengths that differ, negative or missing values.
    """
    for name, power_kw in (("import_kw", import_kw), ("export_kw", export_kw)):
        if np.shape(power_kw) != (len(time),):
            raise ValueError(f"{name} has shape {np.shape(power_kw)}; time has {len(time)} steps")
        if not (np.asarray(power_kw) >= 0).all():
            raise ValueError(f"{name} has negative or missing values; both flows are magnitudes")
    dt_h = step_length_h(time)
    nothing = np.zeros(len(time))
    import_price = import_price_per_kwh(tariff, time, time_zone)
    export_price = export_price_per_kwh(tariff, time, time_zone)
    return Bill(
        import_cost=float(
            energy_cost(np.asarray(import_kw, float), nothing, import_price, nothing, dt_h=dt_h).sum()
        ),
        export_credit=-float(
            energy_cost(nothing, np.asarray(export_kw, float), nothing, export_price, dt_h=dt_h).sum()
        ),
        daily_charge=tariff.daily_charge * len(time) * dt_h / 24,
    )
