"""Batteries as a programme of many homes sees them: by make, per kWh, with the rows and bounds of each make.

Batteries of one make, equal but for their size, are one battery in a linear programme, exactly: scaled copies of a
convex set sum to the set, scaled by the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hidiff.home import Battery

Floats = NDArray[np.float64]

HOURS_PER_YEAR = 8766.0


@dataclass(frozen=True, kw_only=True)
class BatteryMake:
    """A battery per kWh of usable capacity."""

    charge_max: float
    """[kW/kWh]"""
    discharge_max: float
    """[kW/kWh]"""
    efficiency_charge: float
    efficiency_discharge: float
    soc_min: float
    soc_max: float
    soc_initial: float
    cycle_cost: float
    """Wear per energy taken out of store [currency/kWh]."""
    calendar_cost_per_h: float
    """Wear per hour at half charge [currency/(kWh h)]."""
    calendar_slope: float

    def calendar_cost(self, steps: int, dt_h: float) -> float:
        """The part of the wear over all steps that no schedule changes [currency/kWh]."""
        return (
            self.calendar_cost_per_h
            * dt_h
            * (steps * (1 - self.calendar_slope) + self.calendar_slope * self.soc_initial)
        )


def _make_of(battery: Battery) -> BatteryMake:
    kwh = battery.usable_kwh
    fade_cost = battery.replacement_cost / battery.end_of_life_fade / kwh
    numbers = {
        "charge_max": battery.charge_max_kw / kwh,
        "discharge_max": battery.discharge_max_kw / kwh,
        "efficiency_charge": battery.efficiency_charge,
        "efficiency_discharge": battery.efficiency_discharge,
        "soc_min": battery.soc_min,
        "soc_max": battery.soc_max,
        "soc_initial": battery.soc_initial,
        "cycle_cost": fade_cost * battery.cycle_fade,
        "calendar_cost_per_h": fade_cost * battery.calendar_fade_per_year / HOURS_PER_YEAR,
        "calendar_slope": battery.calendar_fade_soc_slope,
    }
    return BatteryMake(**{name: float(f"{number:.12g}") for name, number in numbers.items()})


def makes_of(batteries: Sequence[Battery | None]) -> tuple[list[BatteryMake], Floats]:
    """The different makes, and the capacity that each home has of them, ``(home, make)`` [kWh]."""
    make_of = [None if battery is None else _make_of(battery) for battery in batteries]
    makes = list(dict.fromkeys(make for make in make_of if make is not None))
    place = {make: column for column, make in enumerate(makes)}
    size_kwh = np.zeros((len(batteries), len(makes)))
    for home, (make, battery) in enumerate(zip(make_of, batteries, strict=True)):
        if make is not None and battery is not None:
            size_kwh[home, place[make]] = battery.usable_kwh
    return makes, size_kwh


def store_bounds(makes: Sequence[BatteryMake], steps: int, dt_h: float) -> tuple[Floats, Floats, Floats]:
    """Lower and upper bounds per kWh, and costs, of charge, discharge and energy, ``(make, 3, step)``."""
    low, high, cost = np.zeros((3, len(makes), 3, steps))
    for place, make in enumerate(makes):
        window = make.soc_max - make.soc_min
        high[place, 0] = min(make.charge_max, window / (make.efficiency_charge * dt_h))
        high[place, 1] = min(make.discharge_max, window * make.efficiency_discharge / dt_h)
        low[place, 2], high[place, 2] = make.soc_min, make.soc_max
        low[place, 2, -1] = make.soc_initial
        cost[place, 1] = make.cycle_cost * dt_h / make.efficiency_discharge
        cost[place, 2] = 2 * make.calendar_cost_per_h * make.calendar_slope * dt_h
        cost[place, 2, -1] /= 2
    return low, high, cost


def storage_rows(makes: Sequence[BatteryMake], kinds: int, steps: int, dt_h: float) -> Any:
    """Rows: balance of each step, then the storage of each make; columns: import, export …, then each make's three."""
    one = sp.eye_array(steps, format="csc")
    later = sp.eye_array(steps, k=-1, format="csc")
    blocks: list[list[Any]] = [[one, -one, -one][:kinds]]
    for place, make in enumerate(makes):
        blocks[0] += [-one, one, None]
        empty = [None] * (kinds + 3 * place)
        blocks.append(
            [
                *empty,
                -make.efficiency_charge * dt_h * one,
                dt_h / make.efficiency_discharge * one,
                one - later,
            ]
        )
    width = kinds + 3 * len(makes)
    return sp.block_array([row + [None] * (width - len(row)) for row in blocks], format="csc")
