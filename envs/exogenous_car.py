"""A car's presence and trips on the clock of an episode."""

from __future__ import annotations

import functools
import math

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.home import ElectricCar

from .sources import Floats, Window
from .tariffs import local_clock

Values = NDArray[np.float64]
AHEAD_DAYS = 21
"""Days lived after the year, so that whoever leaves at its end comes back."""


def car_series(car: ElectricCar, window: Window) -> dict[str, Values]:
    """``car_is_home`` and ``car_trip_kwh`` of a window, ``(step,)``.

    Raises:
        ValueError: a window that was given one of the two alone.

    What the source brings (``car_is_home`` with ``trip_need_kwh``, at the charger) is taken; otherwise an owner of the
    fitted population (`hidiff.scenarios.ev_trips`) lives there, keyed by ``window.life`` and the years of the
    record. A trip's energy is what the next connection charges; a trip under way when the window begins is not in
    it: the car's charge at the start is what it has left.

    Both ends of an absence are rounded to the nearest step, so that the time at home is right on average at any step
    length; a trip falls on the first step of its absence, or, where that is shorter than a step, on the step that
    begins then.
    """
    given = window.given
    trips = [name for name in ("car_trip_kwh", "trip_need_kwh") if name in given]
    if ("car_is_home" in given) != bool(trips):
        raise ValueError(
            f"{', '.join(trips) or 'car_is_home'} alone says too little of a car; give car_is_home with car_trip_kwh, "
            "or neither"
        )
    if trips:
        taken = np.asarray(given[trips[0]], dtype=np.float64)
        if trips[0] == "trip_need_kwh":
            taken = taken * car.battery.efficiency_charge
        return {"car_is_home": np.asarray(given["car_is_home"], dtype=np.float64), "car_trip_kwh": taken}
    time, steps = window.time, window.steps
    record = local_clock(window.record_time[[0, -1]], window.time_zone)
    departure_s, arrival_s, need_kwh = _absences(
        window.life, window.time_zone, record[0].year, record[1].year + 1, _battery(car)
    )
    edges = [
        np.floor((at - time[0].timestamp()) / (window.dt_h * 3600) + 0.5).astype(int)
        for at in (departure_s, arrival_s)
    ]
    is_home = np.ones(steps)
    for leaves, returns in zip(*(np.clip(edge, 0, steps) for edge in edges), strict=True):
        is_home[leaves:returns] = 0.0
    trip_kwh = np.zeros(steps)
    is_in = (edges[0] >= 0) & (edges[0] < steps)
    np.add.at(trip_kwh, edges[0][is_in], need_kwh[is_in] * car.battery.efficiency_charge)
    return {"car_is_home": is_home, "car_trip_kwh": trip_kwh}


def needs_at_departure(is_home: Floats, need_kwh: Floats) -> Values:
    """Needs moved from the step of plug-in (``ev_need_kwh``) to the first step of the absence before it.

    Where the steps show no absence between two connections, the need stays on the step of plug-in; where the record
    begins with the absence, or at home, it is left out: the charge at the start covers it.
    """
    away = np.asarray(is_home) < 0.5
    steps = np.arange(len(away))
    leaves = away & np.concatenate([[True], ~away[:-1]])
    latest = np.maximum.accumulate(np.where(leaves, steps, -1))  # the last departure up to each step
    at = np.flatnonzero(np.asarray(need_kwh) > 0)
    is_back = (at > 0) & away[np.maximum(at - 1, 0)]
    goes_to = np.where(is_back, latest[at], at)
    is_known = np.where(is_back, (goes_to > 0), at > 0)
    moved = np.zeros(len(away))
    np.add.at(moved, goes_to[is_known], np.asarray(need_kwh, dtype=np.float64)[at[is_known]])
    return moved


def _battery(car: ElectricCar) -> tuple[float | None, float, float]:
    """Charger [kW], usable capacity [kWh] and efficiency, as an owner's drawing asks for them."""
    battery = car.battery
    charger_kw = battery.charge_max_kw
    return (
        charger_kw if 0 < charger_kw < math.inf else None,
        battery.energy_max_kwh - battery.energy_min_kwh,
        battery.efficiency_charge,
    )


@functools.lru_cache(maxsize=512)
def _absences(
    life: str, time_zone: str, first_year: int, last_year: int, battery: tuple[float | None, float, float]
) -> tuple[Values, Values, Values]:
    """Departures and arrivals [s since 1970] and what is charged after each [kWh at the charger]."""
    from hidiff.scenarios.ev_trips import EvConfig, ev_sessions

    charger_kw, capacity_kwh, efficiency = battery
    begins, ends = (pd.Timestamp(year, 1, 1).tz_localize(time_zone) for year in (first_year, last_year))
    span = pd.date_range(begins.tz_convert("UTC"), periods=(ends - begins).days + AHEAD_DAYS, freq="24h")
    config = EvConfig(charger_kw=charger_kw, capacity_kwh=capacity_kwh, efficiency=efficiency)
    sessions = ev_sessions(span, time_zone, seed=life, home=life, config=config)
    plug_in, plug_out = (
        np.array([stamp.timestamp() for stamp in sessions[name]]) for name in ("plug_in", "plug_out")
    )
    return plug_out[:-1], plug_in[1:], sessions["energy_kwh"].to_numpy(dtype=np.float64)[1:]
