"""What an agent sees of a home, as a flat row of numbers: names, units and bounds of each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

POWER_BOUND_KW = 100.0
"""Largest load and PV that an observation covers [kW]."""
PRICE_BOUND_PER_KWH = 100.0
"""Largest price, up or down, that an observation covers [currency/kWh]."""
CALENDAR_H = 48.0
"""How far ahead a car's departure is seen [h]."""
TRIP_BOUND_KWH = 1000.0
TEMPERATURE_BOUND_C = 100.0


class Feature(NamedTuple):
    """One number of an observation."""

    name: str
    unit: str
    low: float
    high: float


CLOCK = (
    Feature("sine of time of day", "-", -1, 1),
    Feature("cosine of time of day", "-", -1, 1),
    Feature("sine of time of year", "-", -1, 1),
    Feature("cosine of time of year", "-", -1, 1),
    Feature("weekend", "-", 0, 1),
)
"""Of the local clock; the same for all homes of a zone."""


def features(
    home: SimpleNamespace, *, look_ahead_steps: int, demand_charges: int = 0, has_blocks: bool = False,
    forecast_steps: int = 0,
) -> list[Feature]:  # fmt: skip
    """The numbers of an observation in their order.

    Args:
        home: parameters of the home, or of all homes that share the layout.
        look_ahead_steps: import prices beyond the present one.
        demand_charges: peaks of the billing month that are seen, one a charge.
        has_blocks: whether the energy of the billing month is seen.
        forecast_steps: steps of forecast load, and of forecast PV.
    """
    power = ("kW", 0.0, POWER_BOUND_KW)
    price = ("currency/kWh", -PRICE_BOUND_PER_KWH, PRICE_BOUND_PER_KWH)
    temperature = ("deg C", -TEMPERATURE_BOUND_C, TEMPERATURE_BOUND_C)
    row = [
        *CLOCK,
        Feature("state of charge", "-", 0, 1),
        Feature("load", *power),
        Feature("PV available", *power),
        Feature("export price", *price),
        Feature("import price", *price),
        *(Feature(f"import price, {ahead} ahead", *price) for ahead in range(1, look_ahead_steps + 1)),
    ]
    if home.car:
        row += [
            Feature("car: state of charge", "-", 0, 1),
            Feature("car: at home", "-", 0, 1),
            Feature("car: next departure in", "h", 0, CALENDAR_H),
            Feature("car: energy of the next trip", "kWh", 0, TRIP_BOUND_KWH),
        ]
    if home.heat_pump:
        names = ("air indoors", "structure", "outdoors", "too cold below", "too warm above")
        row += [Feature(f"house: {name}", *temperature) for name in names]
    if home.tank:
        row.append(Feature("tank: fill", "-", 0, 1))
    for place in range(len(home.appliances)):
        row += [
            Feature(f"appliance {place}: start may wait", "h", -1, 24),
            Feature(f"appliance {place}: runs for", "h", 0, 24),
        ]
    row += [Feature(f"peak of the month, demand charge {place}", *power) for place in range(demand_charges)]
    if has_blocks:
        row.append(Feature("import of the month", "kWh", 0, POWER_BOUND_KW * 24 * 31))
    row += [Feature(f"forecast load, {ahead} ahead", *power) for ahead in range(1, forecast_steps + 1)]
    row += [Feature(f"forecast PV, {ahead} ahead", *power) for ahead in range(1, forecast_steps + 1)]
    return row


def departures(
    is_home: NDArray[np.float64], trip_kwh: NDArray[np.float64], dt_h: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hours to the next departure, up to `CALENDAR_H`, and the energy of that trip, ``(step + 1,)``.

    Both are 0 while the car is away, and the energy where no departure is within sight.
    """
    count = len(is_home)
    leaving = np.flatnonzero(trip_kwh > 0)
    after = np.searchsorted(leaving, np.arange(count + 1))
    known = after < len(leaving)
    step = np.append(leaving, count + CALENDAR_H / dt_h)[after]
    hours = (step - np.arange(count + 1)) * dt_h
    in_sight = known & (hours <= CALENDAR_H)
    present = np.append(is_home, is_home[-1] if count else 0.0) > 0
    energy_kwh = np.append(trip_kwh[leaving], 0.0)[after]
    return np.where(present, np.minimum(hours, CALENDAR_H), 0.0), np.where(
        present & in_sight, energy_kwh, 0.0
    )
