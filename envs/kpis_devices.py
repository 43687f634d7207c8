"""Indicators of car, rooms, hot water and appliances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hidiff.devices import Appliance

from .kpis_grid import consumption_kw
from .kpis_table import Floats, kpi, ratio

SMALLEST_KWH = 1e-6
"""Energy below which a departure was not short: rounding."""
SMALLEST_K = 1e-6


@kpi("kWh", "-", "Car")
def car_home_kwh(car_kw: Floats, dt_h: float) -> float:
    """Energy charged at home, at the charger: ``sum(max(car_kw, 0)) * dt_h``."""
    return float(np.sum(np.maximum(car_kw, 0)) * dt_h)


@kpi("kWh", "-", "Car")
def car_fed_kwh(car_kw: Floats, dt_h: float) -> float:
    """Energy that the car gave to the home: ``sum(max(-car_kw, 0)) * dt_h``."""
    return float(np.sum(np.maximum(-car_kw, 0)) * dt_h)


@kpi("kWh", "low", "Car")
def car_public_kwh(public_kwh: Floats) -> float:
    """Energy charged on the way, in the car's battery: ``sum(public_kwh)``."""
    return float(np.sum(public_kwh))


@kpi("1", "low", "Car")
def departures_short(public_kwh: Floats) -> float:
    """Number of trips that the charge did not last for: steps with ``public_kwh > 0``."""
    return float(np.count_nonzero(public_kwh > SMALLEST_KWH))


@kpi("1", "high", "Car")
def car_pv_share(
    car_kw: Floats, import_kw: Floats, export_kw: Floats, pv_used_kw: Floats, battery_kw: Floats | float = 0.0
) -> float:
    """Share of the home charging that was PV left over by the home, the car served before battery and grid.

    ``sum(min(car+, max(pv_used - other consumption, 0))) / sum(car+)`` with ``car+ = max(car_kw, 0)`` and the other
    consumption that of the home without car and battery. What the battery gives is not counted as PV.
    """
    charging = np.maximum(car_kw, 0)
    others = consumption_kw(import_kw, export_kw, pv_used_kw, battery_kw) - charging
    left_over = np.maximum(pv_used_kw - np.maximum(others, 0), 0)
    return ratio(float(np.sum(np.minimum(charging, left_over))), float(np.sum(charging)))


@kpi("K h", "low", "Comfort")
def discomfort_kh(discomfort_kh: Floats) -> float:
    """Kelvin outside the bounds times hours: ``sum(discomfort_kh)``."""
    return float(np.sum(discomfort_kh))


def _outside_k(air_c: Floats, low_c: Floats, high_c: Floats) -> Floats:
    return np.maximum(np.maximum(low_c - air_c, air_c - high_c), 0.0)


@kpi("1", "low", "Comfort")
def uncomfortable_share(air_c: Floats, low_c: Floats, high_c: Floats) -> float:
    """Share of steps that end outside the bounds."""
    return float(np.mean(_outside_k(air_c, low_c, high_c) > SMALLEST_K))


@kpi("K", "low", "Comfort")
def worst_deviation_k(air_c: Floats, low_c: Floats, high_c: Floats) -> float:
    """Farthest outside the bounds: ``max(low_c - air_c, air_c - high_c, 0)``."""
    return float(np.max(_outside_k(air_c, low_c, high_c)))


@kpi("kWh", "-", "Comfort")
def heat_pump_kwh(heat_pump_kw: Floats, dt_h: float) -> float:
    """Electricity of the heat pump, heating and cooling: ``sum(abs(heat_pump_kw)) * dt_h``."""
    return float(np.sum(np.abs(heat_pump_kw)) * dt_h)


@kpi("kWh", "low", "Comfort")
def boost_kwh(boost_kwh: Floats) -> float:
    """Heat that the tank lacked and that was boosted: ``sum(boost_kwh)``."""
    return float(np.sum(boost_kwh))


@kpi("kWh", "-", "Appliances")
def appliance_kwh(appliance_kw: Floats, dt_h: float) -> float:
    """Energy of the appliances: ``sum(appliance_kw) * dt_h``."""
    return float(np.sum(appliance_kw) * dt_h)


@kpi("kWh", "-", "Appliances")
def appliance_shifted_kwh(appliance_kw: Floats, appliance_at_request_kw: Floats, dt_h: float) -> float:
    """Energy of appliances that ran at another time: ``sum(max(at_request - appliance_kw, 0)) * dt_h``.

    ``at_request`` is their power had each started when it could (`power_at_request`).
    """
    return float(np.sum(np.maximum(appliance_at_request_kw - appliance_kw, 0)) * dt_h)


def power_at_request(requests: Sequence[Floats], appliances: Sequence[Appliance], *, dt_h: float) -> Floats:
    """Power of the appliances had each started on the step of its request, ``(step,)`` [kW].

    Args:
        requests: 0 or 1 a step, one array ``(step,)`` an appliance.

    Raises:
        ValueError: another number of requests than of appliances.
    """
    if len(requests) != len(appliances) or not appliances:
        raise ValueError(
            f"{len(requests)} series of requests and {len(appliances)} appliances; one each is needed, at least one"
        )
    steps = len(requests[0])
    total_kw = np.zeros(steps)
    starts_h = np.arange(steps) * dt_h
    for request, appliance in zip(requests, appliances, strict=True):
        for start_h in starts_h[np.asarray(request) > 0]:
            share = np.clip((start_h + appliance.duration_h - starts_h) / dt_h, 0, 1)
            total_kw += appliance.power_kw * share * (starts_h >= start_h)
    return total_kw
