"""A heat pump and the house whose air it keeps: temperatures after a step, and how uncomfortable they are.

The house is that of `hidiff.rc_house` (3R2C). Its exact step ``x' = A x + B u`` is computed once per step length;
``house`` holds the six numbers that are left: see `hidiff.envs.parameters`.
"""

from __future__ import annotations

from hidiff.envs.ops import Ops, Value

AIR_SHARE = 0.5
"""Share of sun, people and appliances that warms the air at once; the rest goes into the structure."""


def heat_of(power_kw: Value, heating_cop: Value, cooling_cop: Value, m: Ops) -> Value:
    """Heat given to the air by electric power: > 0 heats, < 0 cools [kW]."""
    return heating_cop * m.maximum(power_kw, 0.0) + cooling_cop * m.minimum(power_kw, 0.0)


def temperatures_after(
    air_c: Value, mass_c: Value, outdoor_c: Value, gain_kw: Value, heat_kw: Value, house: Value
) -> tuple[Value, Value]:
    """Air and structure at the end of a step [deg C].

    Args:
        gain_kw: sun, people and appliances [kW].
        heat_kw: of the heat pump, into the air; < 0 takes heat out [kW].
    """
    air_kw, mass_kw = AIR_SHARE * gain_kw + heat_kw, (1 - AIR_SHARE) * gain_kw
    air_after_c = (
        house.air_from_air * air_c + house.air_from_mass * mass_c + house.air_from_outdoor * outdoor_c
        + house.air_per_kw * air_kw + house.air_per_mass_kw * mass_kw
    )  # fmt: skip
    mass_after_c = (
        house.mass_from_air * air_c + house.mass_from_mass * mass_c + house.mass_from_outdoor * outdoor_c
        + house.mass_per_air_kw * air_kw + house.mass_per_kw * mass_kw
    )  # fmt: skip
    return air_after_c, mass_after_c


def discomfort(air_c: Value, low_c: Value, high_c: Value, dt_h: float, m: Ops) -> Value:
    """Kelvin-hours outside the comfort bounds, by the air at the end of the step [K h]."""
    return (m.maximum(low_c - air_c, 0.0) + m.maximum(air_c - high_c, 0.0)) * dt_h
