"""The cheapest battery schedule of a home with load and PV known ahead: a Pyomo model, solved by HiGHS.

The model reads the same ``Home`` as the environment and has the same physics and the same bill, so its
schedule, replayed in ``HomeEnv``, costs what the model says.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.envs.physics.battery import power_span, terminal_power
from hidiff.envs.physics.connection import settle
from hidiff.envs.rules import HomeState, Simulation, simulate
from hidiff.envs.tariffs import energy_cost, export_price_per_kwh, import_price_per_kwh, step_length_h
from hidiff.errors import InfeasibleError, NotConverged
from hidiff.home import Home

from .pyomo_highs import solve
from .require import require

if TYPE_CHECKING:
    from hidiff.envs.home import HomeEnv

Floats = NDArray[np.float64]
TOLERANCE_KW = 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """An optimal schedule; arrays of shape ``(step,)``, mean power in kW."""

    time: pd.DatetimeIndex
    battery_kw: Floats
    """Battery power, > 0 charges."""
    soc: Floats
    """State of charge at the END of each step; zeros without a battery."""
    import_kw: Floats
    export_kw: Floats
    pv_used_kw: Floats
    cost: float
    """Bill by the solver's own count, the daily charge included [currency]."""
    end_value: float
    """Worth of the energy that the battery gained, ``end_value_per_kwh * (end - start)`` [currency]."""
    binary_steps: int
    """Steps that needed binary variables; 0 where the linear relaxation is exact."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HomeProblem:
    """One home's scheduling problem in arrays of shape ``(step,)``: what any solver path needs to know."""

    home: Home
    load_kw: Floats
    pv_kw: Floats
    import_price: Floats
    """[currency/kWh]"""
    export_price: Floats
    """[currency/kWh]"""
    dt_h: float
    end: Literal["initial", "free"]
    end_value_per_kwh: float

    def __post_init__(self) -> None:
        for name in ("load_kw", "pv_kw"):
            power_kw = getattr(self, name)
            if power_kw.shape != self.import_price.shape:
                raise ValueError(
                    f"{name} has shape {power_kw.shape}; time has {len(self.import_price)} steps"
                )
            if not ((power_kw >= 0) & np.isfinite(power_kw)).all():
                first = int(np.flatnonzero(~((power_kw >= 0) & np.isfinite(power_kw)))[0])
                raise ValueError(
                    f"{name} is {power_kw[first]} at step {first}; fill gaps and repair signs first"
                )
        if self.end not in ("initial", "free"):
            raise ValueError(
                f"end is {self.end!r}; use 'initial' (at least the energy of the start) or 'free'"
            )
        if not np.isfinite(self.end_value_per_kwh):
            raise ValueError(f"end_value_per_kwh is {self.end_value_per_kwh}; it must be finite")

    @property
    def energy_initial_kwh(self) -> float:
        """Energy stored at the start [kWh]."""
        battery = self.home.battery
        return 0.0 if battery is None else battery.soc_initial * battery.capacity_kwh

    @property
    def fixed_cost(self) -> float:
        """Daily charge over all steps [currency]."""
        return self.home.tariff.daily_charge * len(self.load_kw) * self.dt_h / 24


def home_model(problem: HomeProblem, *, one_way_steps: Collection[int] = ()) -> Any:
    """The Pyomo model: variables in kW per step, ``energy_kwh`` at the end of each step.

    ::

        minimise  sum_t (import * import_price - export * export_price) * dt + daily charge
                  - end_value * (energy_T - energy_0)
        load + charge - discharge + export = import + pv_used        each step
        energy_t = energy_{t-1} + eta_c * charge * dt - discharge * dt / eta_d
        energy_min <= energy <= energy_max,  energy_T >= energy_0    (unless the end is free)

    Args:
        one_way_steps: steps that get binary variables against charging and discharging at once, and against
            importing and exporting at once.
    """
    pyo = require("pyomo.environ")
    home, battery, dt_h = problem.home, problem.home.battery, problem.dt_h
    steps = range(len(problem.load_kw))
    demand_kw, pv_kw = problem.load_kw.tolist(), problem.pv_kw.tolist()
    import_price, export_price = problem.import_price.tolist(), problem.export_price.tolist()
    charge_max, discharge_max = (0.0, 0.0) if battery is None else power_span(battery, dt_h=dt_h)
    # What a step can import or export, never both: finite, so that the relaxation has a bound at any price,
    # and tight, so that the search with binary variables is short.
    import_limit = np.inf if home.import_limit_kw is None else home.import_limit_kw
    export_limit = np.inf if home.export_limit_kw is None else home.export_limit_kw
    must_run_kw = [0.0 if home.pv_curtailable else kw for kw in pv_kw]
    net_kw = list(zip(demand_kw, pv_kw, must_run_kw, strict=True))
    import_max = [
        max(min(import_limit, demand + charge_max - must_run), 0.0) for demand, _, must_run in net_kw
    ]
    export_max = [max(min(export_limit, pv + discharge_max - demand), 0.0) for demand, pv, _ in net_kw]

    m = pyo.ConcreteModel("home")
    m.import_kw = pyo.Var(steps, bounds=lambda m, t: (0.0, import_max[t]))
    m.export_kw = pyo.Var(steps, bounds=lambda m, t: (0.0, export_max[t]))
    m.pv_used_kw = pyo.Var(steps, bounds=lambda m, t: (must_run_kw[t], pv_kw[t]))
    end_value: Any = 0.0
    some = sorted(one_way_steps)

    if battery is None:
        m.balance = pyo.Constraint(
            steps, rule=lambda m, t: demand_kw[t] + m.export_kw[t] == m.import_kw[t] + m.pv_used_kw[t]
        )
    else:
        gain, drain = battery.efficiency_charge * dt_h, dt_h / battery.efficiency_discharge
        initial_kwh = problem.energy_initial_kwh
        m.charge_kw = pyo.Var(steps, bounds=(0.0, charge_max))
        m.discharge_kw = pyo.Var(steps, bounds=(0.0, discharge_max))
        m.energy_kwh = pyo.Var(steps, bounds=(battery.energy_min_kwh, battery.energy_max_kwh))
        m.balance = pyo.Constraint(
            steps,
            rule=lambda m, t: (
                demand_kw[t] + m.charge_kw[t] - m.discharge_kw[t] + m.export_kw[t]
                == m.import_kw[t] + m.pv_used_kw[t]
            ),
        )
        m.storage = pyo.Constraint(
            steps,
            rule=lambda m, t: (
                m.energy_kwh[t]
                == (m.energy_kwh[t - 1] if t > 0 else initial_kwh)
                + gain * m.charge_kw[t]
                - drain * m.discharge_kw[t]
            ),
        )
        last = len(steps) - 1
        if problem.end == "initial":
            m.energy_kwh[last].setlb(initial_kwh)
        end_value = problem.end_value_per_kwh * (m.energy_kwh[last] - initial_kwh)
        m.is_charging = pyo.Var(some, domain=pyo.Binary)
        m.charge_only = pyo.Constraint(
            some, rule=lambda m, t: m.charge_kw[t] <= charge_max * m.is_charging[t]
        )
        m.discharge_only = pyo.Constraint(
            some, rule=lambda m, t: m.discharge_kw[t] <= discharge_max * (1 - m.is_charging[t])
        )
    m.is_importing = pyo.Var(some, domain=pyo.Binary)
    m.import_only = pyo.Constraint(
        some, rule=lambda m, t: m.import_kw[t] <= import_max[t] * m.is_importing[t]
    )
    m.export_only = pyo.Constraint(
        some, rule=lambda m, t: m.export_kw[t] <= export_max[t] * (1 - m.is_importing[t])
    )
    bill = pyo.quicksum(
        energy_cost(m.import_kw[t], m.export_kw[t], import_price[t], export_price[t], dt_h=dt_h)
        for t in steps
    )
    m.cost = pyo.Objective(expr=bill + problem.fixed_cost - end_value)
    return m


def optimise_home(
    home: Home,
    load_kw: Floats,
    pv_kw: Floats,
    time: pd.DatetimeIndex,
    *,
    time_zone: str = "Australia/Sydney",
    end: Literal["initial", "free"] = "initial",
    end_value_per_kwh: float = 0.0,
    time_limit_s: float | None = None,
    relative_gap: float = 1e-4,
) -> Schedule:
    """Cheapest schedule of the battery with load and PV known ahead.

    The linear relaxation comes first. It can cheat only where a price is negative, or export earns more than
    import costs, by charging and discharging (or importing and exporting) at once; such a schedule costs more
    when it is carried out than the model says. Then the offending steps get binary variables and the model
    is solved again.

    Args:
        home: battery, tariff, PV and limits.
        load_kw: load, ``(step,)`` [kW].
        pv_kw: generation available, already scaled to the home (``Home.pv_scale``), ``(step,)`` [kW].
        time: step starts, zone-aware.
        time_zone: zone of the clock that the tariff's hours are read on.
        end: ``initial`` asks for at least the energy of the start at the end, ``free`` for nothing.
        end_value_per_kwh: worth of energy gained until the end [currency/kWh].
        time_limit_s: longest run of one solve [s].
        relative_gap: where a search with binary variables may stop.

    Raises:
        InfeasibleError: the limits of the connection cannot be kept; the message says where.
        NotConverged: the solver stopped before the optimum.
    """
    problem = HomeProblem(
        home=home,
        load_kw=np.asarray(load_kw, float),
        pv_kw=np.asarray(pv_kw, float),
        import_price=import_price_per_kwh(home.tariff, time, time_zone),
        export_price=export_price_per_kwh(home.tariff, time, time_zone),
        dt_h=step_length_h(time),
        end=end,
        end_value_per_kwh=end_value_per_kwh,
    )
    steps: set[int] = set()
    while True:
        model = home_model(problem, one_way_steps=steps)
        try:
            objective = solve(model, time_limit_s=time_limit_s, relative_gap=relative_gap)
        except InfeasibleError as error:
            raise InfeasibleError(_explain(problem)) from error
        schedule, is_true = _carry_out(problem, model, objective, time, len(steps))
        if is_true:
            return schedule
        both_ways = _both_ways(model, "charge_kw", "discharge_kw") | _both_ways(
            model, "import_kw", "export_kw"
        )
        if both_ways <= steps:
            raise NotConverged("the schedule costs more than the model says, though no step runs both ways")
        steps |= both_ways


def _values(variable: Any) -> Floats:
    return np.array([item.value for item in variable.values()], float)


def _both_ways(model: Any, name: str, opposite: str) -> set[int]:
    """Steps where two opposite flows run at once."""
    if not hasattr(model, name):
        return set()
    lesser_kw = np.minimum(_values(getattr(model, name)), _values(getattr(model, opposite)))
    return {int(t) for t in np.flatnonzero(lesser_kw > TOLERANCE_KW)}


def _carry_out(
    problem: HomeProblem, model: Any, objective: float, time: pd.DatetimeIndex, binary_steps: int
) -> tuple[Schedule, bool]:
    """The schedule that follows the model's stored energy, and whether it costs what the model says."""
    home, battery, dt_h = problem.home, problem.home.battery, problem.dt_h
    steps = len(problem.load_kw)
    battery_kw = soc = np.zeros(steps)
    end_value = 0.0
    if battery is not None:
        energy_kwh = np.clip(_values(model.energy_kwh), battery.energy_min_kwh, battery.energy_max_kwh)
        before_kwh = np.concatenate([[problem.energy_initial_kwh], energy_kwh[:-1]])
        pairs = zip(before_kwh.tolist(), energy_kwh.tolist(), strict=True)
        power_kw = np.array([terminal_power(before, after, battery, dt_h=dt_h) for before, after in pairs])
        # the solver keeps limits to its own tolerance; what lies beyond them here is that rounding
        battery_kw = np.clip(power_kw, -battery.discharge_max_kw, battery.charge_max_kw)
        soc = energy_kwh / battery.capacity_kwh
        end_value = problem.end_value_per_kwh * (energy_kwh[-1] - problem.energy_initial_kwh)
    demand_kw = (problem.load_kw + battery_kw).tolist()
    prices = zip(problem.import_price.tolist(), problem.export_price.tolist(), strict=True)
    flows = np.array(
        [
            settle(demand, pv, home, import_price_per_kwh=buy, export_price_per_kwh=sell)
            for demand, pv, (buy, sell) in zip(demand_kw, problem.pv_kw.tolist(), prices, strict=True)
        ]
    ).reshape(steps, 4)
    pv_used_kw, import_kw, export_kw, excess_kw = flows.T
    costs = energy_cost(import_kw, export_kw, problem.import_price, problem.export_price, dt_h=dt_h)
    gap = float(costs.sum()) + problem.fixed_cost - end_value - objective
    is_true = gap <= 1e-7 * max(1.0, float(np.abs(costs).sum())) and bool((excess_kw <= TOLERANCE_KW).all())
    schedule = Schedule(
        time=time,
        battery_kw=battery_kw,
        soc=soc,
        import_kw=import_kw,
        export_kw=export_kw,
        pv_used_kw=pv_used_kw,
        cost=objective + end_value,
        end_value=end_value,
        binary_steps=binary_steps,
    )
    return schedule, is_true


def _explain(problem: HomeProblem) -> str:
    """Which limits collide, and what would help."""
    home = problem.home
    spans = (0.0, 0.0) if home.battery is None else power_span(home.battery, dt_h=problem.dt_h)
    if home.import_limit_kw is not None:
        short_kw = problem.load_kw - problem.pv_kw - spans[1] - home.import_limit_kw
        if short_kw.max() > 0:
            worst = int(short_kw.argmax())
            return (
                f"import_limit_kw={home.import_limit_kw} cannot be kept in {(short_kw > 0).sum()} steps: "
                f"step {worst} lacks {short_kw[worst]:.2f} kW even at full discharge; raise the limit"
            )
    if home.export_limit_kw is not None and not home.pv_curtailable:
        over_kw = problem.pv_kw - problem.load_kw - spans[0] - home.export_limit_kw
        if over_kw.max() > 0:
            worst = int(over_kw.argmax())
            return (
                f"export_limit_kw={home.export_limit_kw} cannot be kept in {(over_kw > 0).sum()} steps: step "
                f"{worst} has {over_kw[worst]:.2f} kW too much; raise the limit or set pv_curtailable=True"
            )
    return (
        f"the battery cannot store enough to keep import_limit_kw={home.import_limit_kw} and "
        f"export_limit_kw={home.export_limit_kw} with end={problem.end!r}; raise a limit, set "
        "pv_curtailable=True, use end='free' or a larger battery"
    )


def replay(schedule: Schedule, env: HomeEnv, *, options: dict[str, Any] | None = None) -> Simulation:
    """Carry a schedule out in the environment.

    Args:
        options: the episode that the schedule was made for, such as ``{"home": "12", "start":
        "2011-11-29"}``.

    Raises:
        ValueError: the episode is not the one of the schedule.
    """
    env.reset(options=options)
    if not env.time.equals(schedule.time):
        raise ValueError(
            f"the episode has {len(env.time)} steps from {env.time[0]}, the schedule {len(schedule.time)} "
            f"from {schedule.time[0]}; name home and start in options, and match episode_days"
        )
    powers = iter(schedule.battery_kw.tolist())

    def planned(state: HomeState) -> float:
        return float(next(powers))

    return simulate(env, planned, options={"home": env.window.home, "start": env.time[0]})
