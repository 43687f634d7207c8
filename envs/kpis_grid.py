"""Indicators of the exchange with the grid: energies, shares, peaks, ramps, limits, emissions."""

from __future__ import annotations

import numpy as np

from .kpis_table import Floats, kpi, ratio

NO_IMPORT_KW = 1e-3
"""Import up to this counts as none [kW]: a meter does not see it."""


def consumption_kw(
    import_kw: Floats, export_kw: Floats, pv_used_kw: Floats, battery_kw: Floats | float = 0.0
) -> Floats:
    """What the home draws apart from its battery, by the balance ``import + pv_used - export - battery``."""
    return import_kw + pv_used_kw - export_kw - battery_kw


@kpi("kWh", "-", "Energy")
def consumption_kwh(
    import_kw: Floats, export_kw: Floats, pv_used_kw: Floats, dt_h: float, battery_kw: Floats | float = 0.0
) -> float:
    """Energy drawn apart from the battery: ``sum(import + pv_used - export - battery) * dt_h``."""
    return float(np.sum(consumption_kw(import_kw, export_kw, pv_used_kw, battery_kw)) * dt_h)


@kpi("kWh", "-", "Energy")
def pv_kwh(pv_kw: Floats, dt_h: float) -> float:
    """PV energy that was there to be used: ``sum(pv_kw) * dt_h``."""
    return float(np.sum(pv_kw) * dt_h)


@kpi("kWh", "low", "Energy")
def import_kwh(import_kw: Floats, dt_h: float) -> float:
    """Energy taken from the grid: ``sum(import_kw) * dt_h``."""
    return float(np.sum(import_kw) * dt_h)


@kpi("kWh", "-", "Energy")
def export_kwh(export_kw: Floats, dt_h: float) -> float:
    """Energy given to the grid: ``sum(export_kw) * dt_h``."""
    return float(np.sum(export_kw) * dt_h)


@kpi("1", "high", "Energy")
def self_consumption(export_kw: Floats, pv_used_kw: Floats) -> float:
    """Share of the PV output that was not exported: ``1 - sum(export_kw) / sum(pv_used_kw)``.

    Luthander et al. 2015, doi:10.1016/j.apenergy.2014.12.028, with storage losses counted as use. Below 0 where a
    battery sells more than the PV makes.
    """
    return 1 - ratio(float(np.sum(export_kw)), float(np.sum(pv_used_kw)))


@kpi("1", "high", "Energy")
def self_sufficiency(
    import_kw: Floats, export_kw: Floats, pv_used_kw: Floats, battery_kw: Floats | float = 0.0
) -> float:
    """Share of the consumption that was not imported: ``1 - import_kwh / consumption_kwh``.

    Luthander et al. 2015, doi:10.1016/j.apenergy.2014.12.028. Below 0 where the battery imports more than that.
    """
    consumption = float(np.sum(consumption_kw(import_kw, export_kw, pv_used_kw, battery_kw)))
    return 1 - ratio(float(np.sum(import_kw)), consumption)


@kpi("1", "low", "Energy")
def curtailed_share(curtailed_kw: Floats, pv_kw: Floats) -> float:
    """Share of the available PV that was turned down: ``sum(curtailed_kw) / sum(pv_kw)``."""
    return ratio(float(np.sum(curtailed_kw)), float(np.sum(pv_kw)))


@kpi("kg", "low", "Energy")
def co2_kg(import_kw: Floats, co2_kg_per_kwh: Floats, dt_h: float) -> float:
    """Emissions of the imported energy: ``sum(import_kw * co2_kg_per_kwh) * dt_h``; export earns no credit.

    Location-based scope 2 of the GHG Protocol, step by step.
    """
    return float(np.sum(import_kw * co2_kg_per_kwh) * dt_h)


@kpi("kW", "low", "Grid")
def peak_import_kw(import_kw: Floats) -> float:
    """Highest step of import: ``max(import_kw)``."""
    return float(np.max(import_kw))


@kpi("kW", "low", "Grid")
def peak_export_kw(export_kw: Floats) -> float:
    """Highest step of export: ``max(export_kw)``."""
    return float(np.max(export_kw))


@kpi("kW", "low", "Grid")
def import_p95_kw(import_kw: Floats) -> float:
    """Import that 95 % of the time does not exceed: quantile of the steps, linear between them."""
    return float(np.quantile(import_kw, 0.95))


@kpi("kW", "low", "Grid")
def daily_peak_kw(import_kw: Floats, day: Floats) -> float:
    """Highest import of a local day, mean over the days."""
    _, places = np.unique(day, return_inverse=True)
    highest = np.zeros(places.max() + 1)
    np.maximum.at(highest, places, import_kw)
    return float(highest.mean())


@kpi("1", "high", "Grid")
def load_factor(import_kw: Floats) -> float:
    """Mean over peak of the import, 0 to 1."""
    return ratio(float(np.mean(import_kw)), float(np.max(import_kw)))


@kpi("1", "low", "Grid")
def peak_to_average(import_kw: Floats) -> float:
    """Peak over mean of the import, the inverse of ``load_factor``."""
    return ratio(float(np.max(import_kw)), float(np.mean(import_kw)))


@kpi("kW/h", "low", "Grid")
def ramp_mean_kw_per_h(import_kw: Floats, export_kw: Floats, dt_h: float) -> float:
    """Change of the exchange from step to step, mean of the magnitudes: ``mean(abs(diff(net_kw))) / dt_h``."""
    ramps = np.abs(np.diff(import_kw - export_kw, axis=0))
    return float(np.mean(ramps) / dt_h) if len(ramps) else float("nan")


@kpi("kW/h", "low", "Grid")
def ramp_max_kw_per_h(import_kw: Floats, export_kw: Floats, dt_h: float) -> float:
    """Largest change of the exchange from step to step: ``max(abs(diff(net_kw))) / dt_h``."""
    ramps = np.abs(np.diff(import_kw - export_kw, axis=0))
    return float(np.max(ramps) / dt_h) if len(ramps) else float("nan")


@kpi("h", "high", "Grid")
def zero_import_h(import_kw: Floats, dt_h: float) -> float:
    """Time without import (at most 1 W)."""
    return float(np.count_nonzero(import_kw <= NO_IMPORT_KW) * dt_h)


@kpi("kWh", "low", "Grid")
def excess_kwh(excess_kw: Floats, dt_h: float) -> float:
    """Energy above a limit of the connection: ``sum(excess_kw) * dt_h``."""
    return float(np.sum(excess_kw) * dt_h)


@kpi("1", "low", "Grid")
def excess_steps(excess_kw: Floats) -> float:
    """Number of steps above a limit of the connection (by more than 1 W)."""
    return float(np.count_nonzero(excess_kw > NO_IMPORT_KW))
