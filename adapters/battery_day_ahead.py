"""The two-stage programme that the exports for stochastic solvers carry: one battery, planned a day ahead.

First stage: charge ``c``, discharge ``d`` and stored energy ``e``, decided before anything is known. Second stage:
import ``m`` and export ``x``, whatever comes::

    min  sum_s p_s sum_t dt (import_price_st m_st - export_price_st x_st)
    e_t = e_(t-1) + dt (eta_c c_t - d_t / eta_d),   e_min <= e_t <= e_max,   e_last >= e_0
    m_st - x_st = net_st + c_t - d_t
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from hidiff.errors import InfeasibleError
from hidiff.home import Battery, Home
from hidiff.prices import export_price_per_kwh, import_price_per_kwh
from hidiff.scenarios import ScenarioSet

from .export_tables import CONSUMPTION, require_channels
from .stochastic import FirstStage, SecondStage, StochasticProgramme, two_stage
from .stochastic_solve import solve_stochastic

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class BatteryDayAhead:
    """The data of the programme for one home; arrays are ``(scenario, step)``."""

    names: list[str]
    """Names of the scenarios."""
    probability: Floats
    """Their probabilities, ``(scenario,)``."""
    net_kw: Floats
    """Consumption less PV, without the battery; > 0 is import [kW]."""
    import_price_per_kwh: Floats
    """Price of import [currency/kWh]."""
    export_price_per_kwh: Floats
    """Paid for export [currency/kWh]."""
    dt_h: float
    """Step length [h]."""
    battery: Battery
    """The battery."""
    import_limit_kw: float = math.inf
    """Largest import [kW]."""
    export_limit_kw: float = math.inf
    """Largest export [kW]."""

    def __post_init__(self) -> None:
        gap = self.export_price_per_kwh - self.import_price_per_kwh
        if not (np.isfinite(self.net_kw).all() and np.isfinite(gap).all()):
            raise ValueError("a load, PV or price value is missing; cut the gap away with between()")
        if gap.max() > 0:
            row, step = np.unravel_index(int(gap.argmax()), gap.shape)
            raise ValueError(
                f"scenario {self.names[row]!r} pays {gap.max():.4f} more for export than for import at step {step}: the "
                "programme would buy and sell without end; lower the export price"
            )

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.net_kw.shape[1])

    @property
    def energy_initial_kwh(self) -> float:
        """Energy stored before the first step, and at least after the last [kWh]."""
        return self.battery.soc_initial * self.battery.capacity_kwh


def battery_day_ahead(
    scenario_set: ScenarioSet, home: Home | None = None, name: str | None = None
) -> BatteryDayAhead:
    """The programme of one home of a set.

    Args:
        home: battery, connection, and the tariff for prices that the set does not have; hidiff's defaults if not given.
        name: of the home in the set; the only one by default.

    Raises:
        ValueError: no battery; no ``load_kw``; several homes and no name; a price that PV and load do not have.
    """
    home = home or Home()
    if home.battery is None:
        raise ValueError("home has no battery; there is nothing to plan")
    home.tariff.require_energy_only("the battery programme")
    require_channels(scenario_set, ["load_kw"], "the battery programme")
    if name is None and len(scenario_set.homes) > 1:
        raise ValueError(
            f"the set has {len(scenario_set.homes)} homes, the programme one battery: name a home, or aggregate()"
        )
    rows = scenario_set.home_rows([0 if name is None else name])

    def values(channel: str) -> Floats:
        read = [scenario_set.read(channel, row, rows) for row in range(len(scenario_set))]
        return np.stack([np.atleast_2d(one)[0] for one in read]).astype(np.float64)

    def price(channel: str, of_tariff: Callable[..., Floats]) -> Floats:
        if channel in scenario_set.channels:
            return values(channel)
        spots: Iterable[Floats | None] = (
            values("wholesale_price_per_kwh")
            if "wholesale_price_per_kwh" in scenario_set.channels
            else [None] * len(scenario_set)
        )
        return np.stack([of_tariff(home.tariff, time, zone, spot) for spot in spots])

    net_kw = sum(values(channel) for channel in CONSUMPTION if channel in scenario_set.channels)
    time, zone = scenario_set.time, scenario_set.time_zone
    return BatteryDayAhead(
        names=scenario_set.names,
        probability=scenario_set.probability,
        net_kw=np.asarray(net_kw - values("pv_kw") if "pv_kw" in scenario_set.channels else net_kw),
        import_price_per_kwh=price("import_price_per_kwh", import_price_per_kwh),
        export_price_per_kwh=price("export_price_per_kwh", export_price_per_kwh),
        dt_h=scenario_set.dt_h,
        battery=home.battery,
        import_limit_kw=math.inf if home.import_limit_kw is None else home.import_limit_kw,
        export_limit_kw=math.inf if home.export_limit_kw is None else home.export_limit_kw,
    )


def expected_cost(problem: BatteryDayAhead) -> float:
    """Least expected cost, by the extensive form.

    Raises:
        InfeasibleError: the connection cannot carry what is consumed.
    """
    try:
        return solve_stochastic(day_ahead_programme(problem)).objective
    except InfeasibleError as error:
        raise InfeasibleError(
            f"the battery programme has no solution ({error}); raise import_limit_kw or export_limit_kw"
        ) from error


def day_ahead_programme(problem: BatteryDayAhead) -> StochasticProgramme:
    """The programme at the head of the module: columns charge, discharge, energy, then import, export."""
    battery, dt_h, steps = problem.battery, problem.dt_h, problem.steps
    one, nothing = sp.identity(steps, format="csr"), sp.csr_matrix((steps, steps))
    back = one - sp.eye(steps, k=-1, format="csr")
    start = np.zeros(steps)
    start[0] = problem.energy_initial_kwh
    low_kwh = np.full(steps, battery.energy_min_kwh)
    low_kwh[-1] = max(problem.energy_initial_kwh, battery.energy_min_kwh)
    powers = np.repeat([battery.charge_max_kw, battery.discharge_max_kw], steps)
    return two_stage(
        FirstStage(
            cost=np.zeros(3 * steps),
            matrix=sp.hstack(
                [-dt_h * battery.efficiency_charge * one, dt_h / battery.efficiency_discharge * one, back]
            ),
            row_lower=start,
            row_upper=start,
            lower=np.concatenate([np.zeros(2 * steps), low_kwh]),
            upper=np.concatenate([powers, np.full(steps, battery.energy_max_kwh)]),
        ),
        SecondStage(
            technology=sp.hstack([-one, one, nothing]),
            recourse=sp.hstack([one, -one]),
            cost=dt_h * np.hstack([problem.import_price_per_kwh, -problem.export_price_per_kwh]),
            row_lower=problem.net_kw,
            row_upper=problem.net_kw,
            upper=np.repeat([problem.import_limit_kw, problem.export_limit_kw], steps),
        ),
        problem.probability,
        names=problem.names,
    )
