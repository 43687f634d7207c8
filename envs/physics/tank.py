"""A mixed hot-water tank: heat above cold water after a step, exact for constant power and draw.

``dE/dt = cop p - draw - loss (E / kV + cold - room)``, so ``E' = keep E + act (cop p - draw - standing)`` with
``keep = exp(-loss dt / kV)``, ``act = (1 - keep) kV / loss`` and ``standing = loss (cold - room)``. ``tank`` holds
``keep``, ``act_h`` and ``standing_kw``: see `hidiff.envs.parameters`.
"""

from __future__ import annotations

from hidiff.envs.ops import Ops, Value


def heat_after(heat_kwh: Value, power_kw: Value, draw_kw: Value, tank: Value) -> Value:
    """Heat above cold water at the end of a step, limits not looked at [kWh]."""
    return tank.keep * heat_kwh + tank.act_h * (tank.cop * power_kw - draw_kw - tank.standing_kw)


def power_max(heat_kwh: Value, draw_kw: Value, tank: Value, m: Ops) -> Value:
    """Largest electric power that does not overheat the tank [kW]."""
    room_kwh = tank.heat_max_kwh - heat_after(heat_kwh, 0.0, draw_kw, tank)
    return m.minimum(m.maximum(room_kwh, 0.0) / (tank.act_h * tank.cop), tank.power_max_kw)
