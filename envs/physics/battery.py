"""A battery at its terminals: the energy stored, the powers that its state allows, and how it ages.

With constant terminal power ``p`` (> 0 charges), capacity ``C`` and ``s = soc_loss``, within a step::

    charging     dE/dt = K (1 - s E / C)        K = eta_c p - r p^2
    discharging  dE/dt = K (1 + s - s E / C)    K = p / eta_d - r p^2

``r`` is ``loss_per_kw``: losses that grow with the square of the power; ``s`` makes the last of a charge and of
a discharge lose more. Both equations are solved exactly, so that two half steps are one whole step. ``battery``
is a `hidiff.home.Battery`, or parameters under the same names that are arrays.
"""

from __future__ import annotations

from hidiff.envs.ops import FLOATS, Ops, Value

HOURS_PER_YEAR = 8766.0
TOLERANCE_KWH = 1e-9
"""Rounding that a step may leave between the energy and its window [kWh]."""


def _grown(x: Value) -> Value:
    """``(1 - exp(-x)) / x`` by its series, also at 0; ``|x| <= 0.3`` leaves an error below 1e-6."""
    return 1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5 * (1 - x / 6))))


def _shrunk(y: Value) -> Value:
    """``-log(1 - y) / y`` by its series, also at 0, the inverse of `_grown`; ``|y| <= 0.12``."""
    return 1 + y * (1 / 2 + y * (1 / 3 + y * (1 / 4 + y * (1 / 5 + y * (1 / 6 + y * (1 / 7 + y / 8))))))


def energy_after(energy_kwh: Value, power_kw: Value, battery: Value, dt_h: float, m: Ops = FLOATS) -> Value:
    """Energy stored after one step at constant power, limits not looked at.

    Args:
        energy_kwh: energy at the start [kWh].
        power_kw: power at the terminals, > 0 charges [kW].
    """
    charge_kw, discharge_kw = m.maximum(power_kw, 0.0), m.minimum(power_kw, 0.0)
    rate_kw = battery.efficiency_charge * charge_kw + discharge_kw / battery.efficiency_discharge
    if battery.is_linear:
        return energy_kwh + rate_kw * dt_h
    change_kwh = (rate_kw - battery.loss_per_kw * power_kw * power_kw) * dt_h
    slope = battery.soc_loss / battery.usable_kwh
    share = 1.0 + m.where(power_kw > 0, 0.0, battery.soc_loss)
    return energy_kwh + (share - slope * energy_kwh) * change_kwh * _grown(slope * change_kwh)


def feasible_power(energy_kwh: Value, battery: Value, dt_h: float, m: Ops = FLOATS) -> tuple[Value, Value]:
    """Lowest and highest power that keeps the battery within its power and energy limits for one step.

    Args:
        energy_kwh: energy stored at the start of the step [kWh].
        dt_h: step length [h].

    Returns:
        ``(low_kw, high_kw)`` with ``low_kw <= 0 <= high_kw``; > 0 charges [kW].
    """
    room_kwh = m.maximum(battery.energy_max_kwh - energy_kwh, 0.0)
    store_kwh = m.maximum(energy_kwh - battery.energy_min_kwh, 0.0)
    high_kw = m.minimum(_charge_for(energy_kwh, room_kwh, battery, dt_h, m), battery.charge_max_kw)
    low_kw = m.minimum(_discharge_for(energy_kwh, store_kwh, battery, dt_h, m), battery.discharge_max_kw)
    return -low_kw, high_kw


def _charge_for(energy_kwh: Value, gain_kwh: Value, battery: Value, dt_h: float, m: Ops) -> Value:
    """Charge power that adds ``gain_kwh`` in a step [kW]."""
    if battery.is_linear:
        return gain_kwh / (battery.efficiency_charge * dt_h)
    slope = battery.soc_loss / battery.usable_kwh
    share = 1.0 - slope * energy_kwh
    rate_kw = gain_kwh / (share * dt_h) * _shrunk(slope * gain_kwh / share)
    efficiency = battery.efficiency_charge
    root = m.maximum(efficiency * efficiency - 4 * battery.loss_per_kw * rate_kw, 0.0) ** 0.5
    return 2 * rate_kw / (efficiency + root)


def _discharge_for(energy_kwh: Value, drain_kwh: Value, battery: Value, dt_h: float, m: Ops) -> Value:
    """Discharge power, a magnitude, that takes ``drain_kwh`` out of the store in a step [kW]."""
    if battery.is_linear:
        return drain_kwh * battery.efficiency_discharge / dt_h
    slope = battery.soc_loss / battery.usable_kwh
    share = 1.0 + battery.soc_loss - slope * energy_kwh
    rate_kw = drain_kwh / (share * dt_h) * _shrunk(-slope * drain_kwh / share)
    drain = 1 / battery.efficiency_discharge
    return 2 * rate_kw / (drain + (drain * drain + 4 * battery.loss_per_kw * rate_kw) ** 0.5)


def fade(energy_kwh: Value, after_kwh: Value, battery: Value, dt_h: float, m: Ops = FLOATS) -> Value:
    """Share of the capacity that a step takes: by the energy taken out of the store, and by time and charge."""
    cycles = m.maximum(energy_kwh - after_kwh, 0.0) / battery.usable_kwh
    fullness = (energy_kwh + after_kwh) / battery.usable_kwh - 1.0  # -1 empty, 1 full: the mean of both ends
    yearly = battery.calendar_fade_per_year * (1.0 + battery.calendar_fade_soc_slope * fullness)
    return battery.cycle_fade * cycles + yearly * (dt_h / HOURS_PER_YEAR)


def charge(energy_kwh: float, power_kw: float, battery: Value, *, dt_h: float) -> float:
    """Energy stored after one step at constant power, limits enforced.

    Raises:
        ValueError: a power beyond the battery's, or an energy beyond its window.
    """
    if not -battery.discharge_max_kw <= power_kw <= battery.charge_max_kw:
        raise ValueError(
            f"power_kw is {power_kw}, outside -discharge_max_kw={-battery.discharge_max_kw} to "
            f"charge_max_kw={battery.charge_max_kw}; clip it to feasible_power first"
        )
    after_kwh: float = energy_after(energy_kwh, power_kw, battery, dt_h)
    low_kwh, high_kwh = battery.energy_min_kwh, battery.energy_max_kwh
    if not low_kwh - TOLERANCE_KWH <= after_kwh <= high_kwh + TOLERANCE_KWH:
        raise ValueError(
            f"energy would reach {after_kwh} kWh, outside {low_kwh} to {high_kwh} kWh; "
            "clip power_kw to feasible_power first"
        )
    return float(min(max(after_kwh, low_kwh), high_kwh))  # only rounding is left to take away


def terminal_power(energy_kwh: float, after_kwh: float, battery: Value, *, dt_h: float) -> float:
    """Terminal power that takes the store from one energy to another in one step, > 0 charges [kW]."""
    if after_kwh > energy_kwh:
        return float(_charge_for(energy_kwh, after_kwh - energy_kwh, battery, dt_h, FLOATS))
    return -float(_discharge_for(energy_kwh, energy_kwh - after_kwh, battery, dt_h, FLOATS))


def power_span(battery: Value, *, dt_h: float) -> tuple[float, float]:
    """Largest charge and discharge power of any state, finite also without a power limit [kW, both >= 0]."""
    _, charge_kw = feasible_power(battery.energy_min_kwh, battery, dt_h)
    low_kw, _ = feasible_power(battery.energy_max_kwh, battery, dt_h)
    return charge_kw, -low_kw
