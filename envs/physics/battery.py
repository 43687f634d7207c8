"""A battery at its terminals: the energy stored, and the powers that its state allows."""

from __future__ import annotations

from hidiff.home import Battery

TOLERANCE_KWH = 1e-9
"""Rounding that a step may leave between the energy and its window [kWh]."""


def feasible_power(energy_kwh: float, battery: Battery, *, dt_h: float) -> tuple[float, float]:
    """Lowest and highest power that keeps the battery within its power and energy limits for one step.

    Args:
        energy_kwh: energy stored at the start of the step [kWh].
        dt_h: step length [h].

    Returns:
        ``(low_kw, high_kw)`` with ``low_kw <= 0 <= high_kw``; > 0 charges [kW].
    """
    room_kwh = battery.energy_max_kwh - energy_kwh
    store_kwh = energy_kwh - battery.energy_min_kwh
    high_kw = min(battery.charge_max_kw, room_kwh / (battery.efficiency_charge * dt_h))
    low_kw = -min(battery.discharge_max_kw, store_kwh * battery.efficiency_discharge / dt_h)
    return min(low_kw, 0.0), max(high_kw, 0.0)


def charge(energy_kwh: float, power_kw: float, battery: Battery, *, dt_h: float) -> float:
    """Energy stored after one step at constant power.

    Losses are counted on both ways: ``e' = e + eta_c * p+ * dt - p- * dt / eta_d``.

    Args:
        energy_kwh: energy stored at the start of the step [kWh].
        power_kw: power at the terminals, > 0 charges [kW].
        dt_h: step length [h].

    Raises:
        ValueError: a power above the limits, or one that leaves the energy window.
    """
    if not -battery.discharge_max_kw <= power_kw <= battery.charge_max_kw:
        raise ValueError(
            f"power_kw is {power_kw}, outside -discharge_max_kw={-battery.discharge_max_kw} to "
            f"charge_max_kw={battery.charge_max_kw}; clip it to feasible_power first"
        )
    if power_kw > 0:
        after_kwh = energy_kwh + battery.efficiency_charge * power_kw * dt_h
    else:
        after_kwh = energy_kwh + power_kw * dt_h / battery.efficiency_discharge
    low_kwh, high_kwh = battery.energy_min_kwh, battery.energy_max_kwh
    if not low_kwh - TOLERANCE_KWH <= after_kwh <= high_kwh + TOLERANCE_KWH:
        raise ValueError(
            f"energy would reach {after_kwh} kWh, outside {low_kwh} to {high_kwh} kWh; "
            "clip power_kw to feasible_power first"
        )
    return min(max(after_kwh, low_kwh), high_kwh)  # only rounding is left to take away


def terminal_power(energy_kwh: float, after_kwh: float, battery: Battery, *, dt_h: float) -> float:
    """Terminal power that takes the store from one energy to another in one step, > 0 charges [kW]."""
    change_kwh = after_kwh - energy_kwh
    if change_kwh > 0:
        return change_kwh / (battery.efficiency_charge * dt_h)
    return change_kwh * battery.efficiency_discharge / dt_h


def power_span(battery: Battery, *, dt_h: float) -> tuple[float, float]:
    """Largest charge and discharge power of any state, finite also without a power limit [kW, both >= 0]."""
    window_kwh = battery.energy_max_kwh - battery.energy_min_kwh
    return (
        min(battery.charge_max_kw, window_kwh / (battery.efficiency_charge * dt_h)),
        min(battery.discharge_max_kw, window_kwh * battery.efficiency_discharge / dt_h),
    )
