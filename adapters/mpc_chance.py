"""Predictive control that keeps an aim in a share of the scenarios: mixed-integer, and built anew at each step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hidiff.home import Home

from .highs_run import run_highs
from .home_arrays import span, wear
from .linear_programme import LinearProgramme, Term
from .mpc_model import MOST_KW, Ahead, power_between

SEARCH_GAP = 1e-3
"""Where the search for the scenarios that are given up may stop, relative."""


@dataclass(frozen=True, kw_only=True)
class Chance:
    """An aim for the time ahead, and the share of scenarios in which it has to be kept."""

    import_limit_kw: float | None = None
    """Import that no step should exceed [kW]; None for no such aim."""
    self_sufficiency: float | None = None
    """Least share of the horizon's load that is not imported, 0 to 1; None for no such aim."""
    share: float = 0.9
    """Share of the scenarios that keep the aim; the cheapest ones to give up are given up."""

    def __post_init__(self) -> None:
        if (self.import_limit_kw is None) == (self.self_sufficiency is None):
            raise ValueError("a chance needs one aim; give either import_limit_kw or self_sufficiency")
        if self.import_limit_kw is not None and not 0 <= self.import_limit_kw < MOST_KW:
            raise ValueError(
                f"import_limit_kw is {self.import_limit_kw}; it must lie between 0 and {MOST_KW:g}"
            )
        if self.self_sufficiency is not None and not 0 <= self.self_sufficiency <= 1:
            raise ValueError(f"self_sufficiency is {self.self_sufficiency}; it must lie between 0 and 1")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}; it must lie between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class ChanceDecision:
    """What to do in the present step."""

    battery_kw: float
    """> 0 charges."""
    given_up: int
    """Scenarios in which the aim is not kept, because it need not be."""
    missed_kwh: float
    """Energy by which the aim is missed in the others, because nothing can keep it; mean over scenarios [kWh]."""


def decide_by_chance(
    home: Home, chance: Chance, *, dt_h: float, energy_kwh: float, load_kw: float, pv_kw: float, ahead: Ahead,
    penalty_per_kwh: float,
) -> ChanceDecision:  # fmt: skip
    """Cheapest present step of a battery that keeps an aim in a share of the scenarios.

    Where nothing keeps the aim, what is missed is paid for at ``penalty_per_kwh``. Simultaneous charge and discharge,
    which pays at a negative price alone, is not forbidden in later steps.

    Args:
        load_kw: of the present step, as ``pv_kw``; it counts in every scenario.
        ahead: later steps of each scenario, at least one.
    """
    battery = home.battery
    if battery is None:
        raise ValueError("the home has no battery, so there is nothing to control")
    scenarios, later = ahead.load_kw.shape
    steps, paths = 1 + later, np.arange(scenarios)
    count = 1 + scenarios * later  # the present step, then the later steps of scenario after scenario
    weight = np.append(1.0, np.full(count - 1, 1.0 / scenarios))
    load = np.append(load_kw, ahead.load_kw) + battery.standby_kw
    pv = np.append(pv_kw, ahead.pv_kw)
    price, paid = (
        np.append(prices[0], np.tile(prices[1:], scenarios))
        for prices in (ahead.import_price, ahead.export_price)
    )
    aged = wear(battery, dt_h)
    worth = np.full((scenarios, later), 2 * aged.per_kwh)
    worth[:, -1] = aged.per_kwh - ahead.end_value_per_kwh
    charge_max, discharge_max = span(battery, dt_h)
    penalty = penalty_per_kwh * dt_h * weight
    limits = [MOST_KW if limit is None else limit for limit in (home.import_limit_kw, home.export_limit_kw)]

    programme = LinearProgramme()
    charge = programme.variables("charge_kw", count, upper=charge_max)
    discharge = programme.variables(
        "discharge_kw", count, upper=discharge_max, cost=aged.per_discharge_kw * weight
    )
    energy = programme.variables(
        "battery_kwh", count, lower=battery.energy_min_kwh, upper=battery.energy_max_kwh,
        cost=np.append(2 * aged.per_kwh, worth) * weight,
    )  # fmt: skip
    imports = programme.variables("import_kw", count, upper=limits[0], cost=dt_h * price * weight)
    exports = programme.variables("export_kw", count, upper=limits[1], cost=-dt_h * paid * weight)
    pv_used = programme.variables("pv_used_kw", count, lower=0.0 if home.pv_curtailable else pv, upper=pv)
    import_excess = programme.variables(
        "import_excess_kw",
        count,
        upper=np.maximum(load - pv - limits[0], 0.0),
        cost=dt_h * price * weight + penalty,
    )
    must_run = 0.0 if home.pv_curtailable else pv
    export_excess = programme.variables(
        "export_excess_kw", count, upper=np.maximum(must_run - load - limits[1], 0.0),
        cost=-dt_h * paid * weight + penalty,
    )  # fmt: skip
    programme.equal(
        count,
        [
            Term(charge, 1.0), Term(discharge, -1.0), Term(exports, 1.0), Term(export_excess, 1.0),
            Term(imports, -1.0), Term(import_excess, -1.0), Term(pv_used, -1.0),
        ],
        -load,
    )  # fmt: skip
    before = np.arange(count) - 1
    before[1 + later * paths] = 0  # each scenario goes on from the present step
    programme.equal(
        count,
        [
            Term(energy, 1.0), Term(energy[before[1:]], -1.0, np.arange(1, count)),
            Term(charge, -battery.efficiency_charge * dt_h), Term(discharge, dt_h / battery.efficiency_discharge),
        ],
        np.append(energy_kwh, np.zeros(count - 1)),
    )  # fmt: skip

    given_up = programme.variables("given_up", scenarios, upper=1.0, is_integer=True)
    programme.rows(
        1,
        [Term(given_up, 1.0, np.zeros(scenarios, np.int64))],
        upper=np.floor((1 - chance.share) * scenarios + 1e-9),
    )
    of_path = np.append(0, np.repeat(paths, later))
    if chance.import_limit_kw is not None:
        limit = chance.import_limit_kw
        most = np.maximum(np.minimum(limits[0], load + charge_max) - limit, 0.0)
        missed = programme.variables("missed_kw", count, cost=penalty)
        waived = np.arange(1, count)
        programme.rows(
            count,
            [Term(imports, 1.0), Term(missed, -1.0), Term(given_up[of_path[1:]], -most[1:], waived)],
            upper=limit,
        )
    else:
        needed = (load_kw + ahead.load_kw.sum(1) + battery.standby_kw * steps) * dt_h
        missed = programme.variables("missed_kw", scenarios, cost=penalty_per_kwh * dt_h / scenarios)
        most = np.full(scenarios, dt_h * (load + charge_max).max() * steps)
        assert chance.self_sufficiency is not None
        programme.rows(
            scenarios,
            [
                Term(imports[1:], dt_h, of_path[1:]), Term(np.full(scenarios, imports[0], np.int32), dt_h),
                Term(missed, -dt_h), Term(given_up, -most),
            ],
            upper=(1 - chance.self_sufficiency) * needed,
        )  # fmt: skip
    found = run_highs(programme.matrices(), time_limit_s=None, relative_gap=SEARCH_GAP)
    values = programme.split(found.values)
    target_kwh = float(values["battery_kwh"][0])
    missed_kwh = (
        float((values["missed_kw"] * (weight if len(missed) == count else 1 / scenarios)).sum()) * dt_h
    )
    return ChanceDecision(
        battery_kw=power_between(energy_kwh, target_kwh, battery, dt_h),
        given_up=round(float(values["given_up"].sum())),
        missed_kwh=missed_kwh,
    )
