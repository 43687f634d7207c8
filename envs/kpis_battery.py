"""Indicators of the battery: use, losses, charge, cycles and ageing, and what was asked of it in vain."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .kpis_table import Floats, kpi, ratio

SOC_EDGE = 0.01
"""A battery within this of ``soc_min`` (``soc_max``) counts as empty (full)."""
SMALLEST_CYCLE = 1e-4
"""Depth below which a cycle is not counted: rounding."""


class Cycles(NamedTuple):
    """What rainflow counting finds in a series of charge."""

    depth: Floats
    """Depth of each cycle, 0 to 1."""
    number: Floats
    """1 for a whole cycle, 0.5 for a half one."""


def count_cycles(soc: Floats) -> Cycles:
    """Cycles within a series of charge by rainflow counting, ASTM E1049-85 section 5.4.4."""
    from rainflow import extract_cycles

    found = [
        (depth, count) for depth, _, count, _, _ in extract_cycles(soc.tolist()) if depth > SMALLEST_CYCLE
    ]
    table = np.array(found, np.float64).reshape(-1, 2)
    return Cycles(table[:, 0], table[:, 1])


@kpi("kWh", "-", "Battery")
def battery_throughput_kwh(battery_kw: Floats, dt_h: float) -> float:
    """Energy through the terminals, both ways: ``sum(abs(battery_kw)) * dt_h``."""
    return float(np.sum(np.abs(battery_kw)) * dt_h)


@kpi("1", "-", "Battery")
def battery_cycles(battery_kw: Floats, usable_kwh: float, dt_h: float) -> float:
    """Equivalent full cycles: ``battery_throughput_kwh / (2 * usable_kwh)``."""
    return battery_throughput_kwh(battery_kw, dt_h) / (2 * usable_kwh)


@kpi("kWh", "low", "Battery")
def battery_loss_kwh(battery_kw: Floats, battery_kwh: Floats, battery_start_kwh: float, dt_h: float) -> float:
    """Energy lost between terminals and store: ``sum(battery_kw) * dt_h - (end - start of battery_kwh)``.

    What the electronics draw on standby is part of the home's consumption, not of this.
    """
    return float(np.sum(battery_kw) * dt_h - (battery_kwh[-1] - battery_start_kwh))


@kpi("1", "high", "Battery")
def battery_efficiency(
    battery_kw: Floats, battery_kwh: Floats, battery_start_kwh: float, dt_h: float
) -> float:
    """Round-trip efficiency ``x**2`` with ``x * energy in - energy out / x = end - start of battery_kwh``.

    Energy out over energy in where the battery ends as it began; else the efficiency of a battery with equal losses
    each way that would end with the same energy.
    """
    taken = float(np.sum(np.maximum(battery_kw, 0)) * dt_h)
    given = float(np.sum(np.maximum(-battery_kw, 0)) * dt_h)
    stored = float(battery_kwh[-1] - battery_start_kwh)
    if taken == 0:
        return ratio(given, -stored) ** 2
    one_way = (stored + math.sqrt(stored**2 + 4 * taken * given)) / (2 * taken)
    return one_way**2


@kpi("1", "-", "Battery")
def mean_soc(battery_kwh: Floats, usable_kwh: float) -> float:
    """State of charge at the ends of steps, mean: ``mean(battery_kwh) / usable_kwh``."""
    return float(np.mean(battery_kwh)) / usable_kwh


@kpi("h", "-", "Battery")
def battery_empty_h(battery_kwh: Floats, usable_kwh: float, soc_min: float, dt_h: float) -> float:
    """Time within 1 % of the capacity of ``soc_min``, at the ends of steps."""
    return float(np.count_nonzero(battery_kwh / usable_kwh <= soc_min + SOC_EDGE) * dt_h)


@kpi("h", "-", "Battery")
def battery_full_h(battery_kwh: Floats, usable_kwh: float, soc_max: float, dt_h: float) -> float:
    """Time within 1 % of the capacity of ``soc_max``, at the ends of steps."""
    return float(np.count_nonzero(battery_kwh / usable_kwh >= soc_max - SOC_EDGE) * dt_h)


@kpi("1", "-", "Battery")
def cycle_depth(battery_kwh: Floats, usable_kwh: float) -> float:
    """Depth of the cycle that a stored kWh takes part in: ``sum(n * depth**2) / sum(n * depth)``, by rainflow.

    Weighted by depth because ripples of a few Wh outnumber the cycles that move energy and wear the cells.
    """
    cycles = count_cycles(battery_kwh / usable_kwh)
    return ratio(float(cycles.number @ cycles.depth**2), float(cycles.number @ cycles.depth))


@kpi("1", "-", "Battery")
def deepest_cycle(battery_kwh: Floats, usable_kwh: float) -> float:
    """Largest depth of a cycle, by rainflow."""
    cycles = count_cycles(battery_kwh / usable_kwh)
    return float(cycles.depth.max(initial=0.0))


@kpi("1", "low", "Battery")
def battery_fade(fade: Floats) -> float:
    """Share of the capacity that was lost: ``sum(fade)``."""
    return float(np.sum(fade))


@kpi("kWh", "low", "Battery")
def cut_kwh(requested_kw: Floats, battery_kw: Floats, dt_h: float) -> float:
    """What was asked of the battery and not done: ``sum(abs(requested_kw - battery_kw)) * dt_h``."""
    return float(np.sum(np.abs(requested_kw - battery_kw)) * dt_h)


@kpi("1", "low", "Battery")
def cut_share(requested_kw: Floats, battery_kw: Floats) -> float:
    """The same as a share of what was asked: ``sum(abs(requested - battery)) / sum(abs(requested))``."""
    return ratio(float(np.sum(np.abs(requested_kw - battery_kw))), float(np.sum(np.abs(requested_kw))))
