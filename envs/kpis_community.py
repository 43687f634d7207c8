"""Indicators of a community: trade, fairness, and the peak at its common connection.

Arrays are ``(step, home)``. ``import_kw`` and ``export_kw`` are those of each home's meter, before sharing; ``cost`` is
what a home pays in the end, ``grid_only_cost`` what it would have paid without neighbours.
"""

from __future__ import annotations

import numpy as np

from .kpis_grid import consumption_kw
from .kpis_table import Floats, kpi, ratio


def gini(values: Floats) -> float:
    """Gini index ``sum_ij abs(x_i - x_j) / (2 * n**2 * mean(x))``: 0 all equal, towards 1 one has all.

    NaN where a value is negative or all are 0, for which the index is not defined.
    """
    if (values < 0).any() or not values.sum() > 0:
        return float("nan")
    rank = np.arange(1, len(values) + 1)
    return float(
        2 * (rank @ np.sort(values)) / (len(values) * values.sum()) - (len(values) + 1) / len(values)
    )


def jain(values: Floats) -> float:
    """Jain's index ``sum(x)**2 / (n * sum(x**2))``: 1 all equal, ``1 / n`` one has all.

    Jain, Chiu and Hawe 1984, DEC-TR-301. NaN where a value is negative or all are 0.
    """
    if (values < 0).any() or not values.sum() > 0:
        return float("nan")
    return float(values.sum() ** 2 / (len(values) * (values**2).sum()))


def _net_kw(import_kw: Floats, export_kw: Floats) -> Floats:
    """Exchange of the whole community, > 0 import, ``(step,)``."""
    net: Floats = (import_kw - export_kw).sum(axis=1)
    return net


@kpi("currency", "low", "Community", "community")
def community_bill(cost: Floats) -> float:
    """What all homes pay: ``sum(cost)`` over steps and homes."""
    return float(np.sum(cost))


@kpi("kWh", "low", "Community", "community")
def community_import_kwh(import_kw: Floats, export_kw: Floats, dt_h: float) -> float:
    """Energy that the homes together take from the grid: ``sum_t max(sum_h(import - export), 0) * dt_h``."""
    return float(np.sum(np.maximum(_net_kw(import_kw, export_kw), 0)) * dt_h)


@kpi("kg", "low", "Community", "community")
def community_co2_kg(import_kw: Floats, export_kw: Floats, co2_kg_per_kwh: Floats, dt_h: float) -> float:
    """Emissions of what the homes together take from the grid, step by step; export earns no credit."""
    taken_kw = np.maximum(_net_kw(import_kw, export_kw), 0)
    return float(np.sum(taken_kw * co2_kg_per_kwh[:, 0]) * dt_h)


@kpi("kWh", "-", "Community", "community")
def community_export_kwh(import_kw: Floats, export_kw: Floats, dt_h: float) -> float:
    """Energy that the homes together give to the grid: ``sum_t max(sum_h(export - import), 0) * dt_h``."""
    return float(np.sum(np.maximum(-_net_kw(import_kw, export_kw), 0)) * dt_h)


@kpi("1", "high", "Community", "community")
def community_self_sufficiency(
    import_kw: Floats, export_kw: Floats, pv_used_kw: Floats, dt_h: float, battery_kw: Floats | float = 0.0
) -> float:
    """Share of the homes' consumption that did not come from outside: ``1 - community_import / consumption``."""
    consumption = float(np.sum(consumption_kw(import_kw, export_kw, pv_used_kw, battery_kw)) * dt_h)
    return 1 - ratio(community_import_kwh(import_kw, export_kw, dt_h), consumption)


@kpi("1", "high", "Community", "community")
def community_self_consumption(
    import_kw: Floats, export_kw: Floats, pv_used_kw: Floats, dt_h: float
) -> float:
    """Share of the homes' PV output that did not leave the community: ``1 - community_export / pv_used``."""
    output = float(np.sum(pv_used_kw) * dt_h)
    return 1 - ratio(community_export_kwh(import_kw, export_kw, dt_h), output)


@kpi("kW", "low", "Community", "community")
def community_peak_kw(import_kw: Floats, export_kw: Floats) -> float:
    """Highest import of all homes together, neighbours' export set off: ``max_t sum_h(import - export)``."""
    return float(np.max(_net_kw(import_kw, export_kw)))


@kpi("kW/h", "low", "Community", "community")
def community_ramp_kw_per_h(import_kw: Floats, export_kw: Floats, dt_h: float) -> float:
    """Change of the joint exchange from step to step, mean magnitude: ``mean(abs(diff(net_kw))) / dt_h``."""
    ramps = np.abs(np.diff(_net_kw(import_kw, export_kw)))
    return float(np.mean(ramps) / dt_h) if len(ramps) else float("nan")


@kpi("1", "low", "Community", "community")
def coincidence_factor(import_kw: Floats) -> float:
    """Peak of the summed import over the sum of the homes' peaks: ``1 / n`` to 1, 1 all peak at once."""
    return ratio(float(np.max(import_kw.sum(axis=1))), float(np.sum(np.max(import_kw, axis=0))))


@kpi("kWh", "high", "Community", "community")
def traded_kwh(bought_kw: Floats, dt_h: float) -> float:
    """Energy bought from neighbours: ``sum(bought_kw) * dt_h``."""
    return float(np.sum(bought_kw) * dt_h)


@kpi("1", "high", "Community", "community")
def local_share(bought_kw: Floats, import_kw: Floats) -> float:
    """Share of the metered import that neighbours sold: ``sum(bought_kw) / sum(import_kw)``."""
    return ratio(float(np.sum(bought_kw)), float(np.sum(import_kw)))


@kpi("currency", "high", "Community", "community")
def community_gain(cost: Floats, grid_only_cost: Floats) -> float:
    """What all homes save by sharing: ``sum(grid_only_cost - cost)``."""
    return float(np.sum(grid_only_cost - cost))


@kpi("currency", "high", "Community", "community")
def least_gain(cost: Floats, grid_only_cost: Floats) -> float:
    """Gain of the home that gains least; 0 or more where nobody loses by taking part."""
    return float(np.min(np.sum(grid_only_cost - cost, axis=0)))


@kpi("1", "high", "Community", "community")
def gain_jain(cost: Floats, grid_only_cost: Floats) -> float:
    """Jain's index of the homes' gains; not defined where a home loses."""
    return jain(np.sum(grid_only_cost - cost, axis=0))


@kpi("1", "-", "Community", "community")
def bill_gini(cost: Floats) -> float:
    """Gini index of the homes' bills; not defined where a home earns."""
    return gini(np.sum(cost, axis=0))


@kpi("1", "-", "Community", "community")
def bill_jain(cost: Floats) -> float:
    """Jain's index of the homes' bills; not defined where a home earns."""
    return jain(np.sum(cost, axis=0))


@kpi("currency", "high", "Community")
def gain(cost: Floats, grid_only_cost: Floats) -> float:
    """What a home saves by sharing: ``sum(grid_only_cost - cost)``."""
    return float(np.sum(grid_only_cost - cost))
