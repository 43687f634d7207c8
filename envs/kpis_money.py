"""Indicators of money: the bill and its items, what else an episode cost, and regret."""

from __future__ import annotations

import numpy as np

from .kpis_table import Floats, kpi, ratio

Values = Floats | float


@kpi("currency", "low", "Money")
def bill(cost: Floats) -> float:
    """What the home pays for electricity: ``sum(cost)``, every charge of the tariff included."""
    return float(np.sum(cost))


@kpi("currency", "low", "Money")
def import_cost(import_kw: Floats, import_price: Floats, dt_h: float) -> float:
    """Energy charge of what is imported: ``sum(import_kw * import_price) * dt_h``."""
    return float(np.sum(import_kw * import_price) * dt_h)


@kpi("currency", "high", "Money")
def export_revenue(export_kw: Floats, export_price: Floats, dt_h: float) -> float:
    """What is paid for exported energy: ``sum(export_kw * export_price) * dt_h``; < 0 where exporting costs."""
    return float(np.sum(export_kw * export_price) * dt_h)


@kpi("currency", "low", "Money")
def other_charges(
    cost: Floats, import_kw: Floats, import_price: Floats, export_kw: Floats, export_price: Floats, dt_h: float
) -> float:  # fmt: skip
    """The bill less its energy: daily, demand and block charges; ``bill - import_cost + export_revenue``."""
    energy = import_cost(import_kw, import_price, dt_h) - export_revenue(export_kw, export_price, dt_h)
    return bill(cost) - energy


@kpi("currency/kWh", "low", "Money")
def mean_import_price(import_kw: Floats, import_price: Floats) -> float:
    """Price of the imported energy, weighted by it: ``sum(import_kw * import_price) / sum(import_kw)``."""
    return ratio(float(np.sum(import_kw * import_price)), float(np.sum(import_kw)))


@kpi("currency", "low", "Money")
def wear_cost(wear_cost: Floats) -> float:
    """Wear of the battery, its fade as a share of a replacement: ``sum(wear_cost)``."""
    return float(np.sum(wear_cost))


@kpi("currency", "low", "Money")
def service_cost(service_cost: Floats) -> float:
    """Public charging and boosted hot water: ``sum(service_cost)``."""
    return float(np.sum(service_cost))


@kpi("currency", "low", "Money")
def discomfort_cost(discomfort_cost: Floats) -> float:
    """Price put on temperatures outside the bounds: ``sum(discomfort_cost)``; no part of the bill."""
    return float(np.sum(discomfort_cost))


@kpi("currency", "low", "Money")
def penalty(penalty: Floats) -> float:
    """Price put on power above a limit of the connection: ``sum(penalty)``; no part of the bill."""
    return float(np.sum(penalty))


@kpi("currency", "low", "Money", "both")
def total_cost(
    cost: Floats, wear_cost: Values = 0.0, service_cost: Values = 0.0, discomfort_cost: Values = 0.0,
    penalty: Values = 0.0, end_value: Values = 0.0,
) -> float:  # fmt: skip
    """The return with its sign turned: bill + wear + service + discomfort + penalty - value of stored energy."""
    items = (cost, wear_cost, service_cost, discomfort_cost, penalty)
    return float(sum(float(np.sum(item)) for item in items) - np.sum(end_value))


@kpi("currency", "low", "Money", "both")
def regret(total: float, optimum_total: float) -> float:
    """What the optimum of the same episode would have saved: ``total_cost - optimum's total_cost``."""
    return total - optimum_total


@kpi("currency", "high", "Money", "both")
def saving_on_rule(total: float, rule_total: float) -> float:
    """What is saved against the rule in the same episode: ``rule's total_cost - total_cost``."""
    return rule_total - total


@kpi("1", "low", "Money", "both")
def regret_share(total: float, optimum_total: float, rule_total: float) -> float:
    """Regret over the rule's regret: 0 is the optimum, 1 the rule, above 1 is worse than the rule."""
    return ratio(total - optimum_total, rule_total - optimum_total)
