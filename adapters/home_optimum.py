"""The least cost of a home's episode that is known ahead, its schedule, and that schedule in the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from hidiff.envs.core import Request
from hidiff.envs.rules import HomeState, Simulation, simulate
from hidiff.errors import InfeasibleError, NotConverged
from hidiff.home import Home

from .highs_home import direct_model
from .highs_run import run_highs
from .home_infeasible import explain
from .home_problem import Floats, HomeProblem
from .home_schedule import PAIRS, Schedule, Steps, carry_out

if TYPE_CHECKING:
    from hidiff.envs.home import HomeEnv

Extend = Callable[[Any, HomeProblem], None]
"""Adds a user's own constraints, variables and costs to the Pyomo model."""
Model = Literal["direct", "pyomo"]


def optimise_home(
    home: Home,
    load_kw: Floats,
    pv_kw: Floats,
    time: pd.DatetimeIndex,
    *,
    exogenous: Mapping[str, Floats] | None = None,
    model: Model = "direct",
    extend: Extend | None = None,
    time_limit_s: float | None = None,
    relative_gap: float = 1e-4,
    **conditions: Any,
) -> Schedule:
    """Cheapest schedule of a home's devices with its episode known ahead.

    Args:
        home: devices, tariff, PV and limits.
        load_kw: load, ``(step,)`` [kW].
        pv_kw: generation available, already scaled to the home (``Home.pv_scale``), ``(step,)`` [kW].
        time: step starts, zone-aware.
        exogenous: what the episode brings for the home's further devices, see `HomeProblem`.
        model: ``direct`` for arrays to HiGHS, ``pyomo`` for the readable model; both have the same optimum.
        extend: of ``pyomo``: called with the model and the problem before it is solved, to add what is one's own.
        time_limit_s: longest run of one solve [s].
        relative_gap: where a search with binary variables may stop.
        conditions: the other fields of `HomeProblem`, such as ``time_zone``, ``end`` and ``limits``.

    Raises:
        InfeasibleError: the limits or the ends cannot be kept; the message says which and where.
        NotConverged: the solver stopped before it had a schedule.
        ValueError: bad arrays, or what a linear programme cannot model; the message names it.
    """
    problem = HomeProblem(
        home=home,
        time=time,
        exogenous={"load_kw": load_kw, "pv_kw": pv_kw, **(exogenous or {})},
        **conditions,
    )
    return solve_home(
        problem, model=model, extend=extend, time_limit_s=time_limit_s, relative_gap=relative_gap
    )


def solve_home(
    problem: HomeProblem,
    *,
    model: Model = "direct",
    extend: Extend | None = None,
    time_limit_s: float | None = None,
    relative_gap: float = 1e-4,
) -> Schedule:
    """Cheapest schedule of ``problem``; arguments and errors as of `optimise_home`.

    The linear relaxation comes first. It can cheat, mostly where a price is negative or export earns more than
    import costs, by charging and discharging (or importing and exporting, heating and cooling) at once, or by
    buying public charge or boosted heat that a store does not lack; such a schedule costs more when it is carried
    out than the model says. Then the offending steps get binary variables and the model is solved again.
    """
    if model not in ("direct", "pyomo"):
        raise ValueError(f"model is {model!r}; use 'direct' or 'pyomo'")
    if extend is not None and model != "pyomo":
        raise ValueError("extend takes a Pyomo model, the direct path has none; add model='pyomo'")
    one_way: dict[str, Steps] = {}
    while True:
        try:
            if model == "direct":
                values, objective, gap = _solve_direct(problem, one_way, time_limit_s, relative_gap)
            else:
                values, objective, gap = _solve_pyomo(problem, one_way, extend, time_limit_s, relative_gap)
        except InfeasibleError as error:
            raise InfeasibleError(explain(problem, one_way, is_extended=extend is not None)) from error
        carried = carry_out(
            problem,
            values,
            objective,
            gap=gap,
            binary_steps=len({(pair in PAIRS or pair, int(t)) for pair, at in one_way.items() for t in at}),
            is_extended=extend is not None,
        )
        if carried.is_true:
            return carried.schedule
        wider = _widened(one_way, carried.cheats)
        if all(len(wider[pair]) == len(one_way.get(pair, ())) for pair in wider):
            raise NotConverged("the schedule costs more than the model says, though no step runs both ways")
        one_way = wider


def _widened(one_way: Mapping[str, Steps], cheats: Mapping[str, Steps]) -> dict[str, Steps]:
    """Binary variables where flows cheat, and at the meter wherever any device does."""
    wider = {
        pair: np.union1d(one_way.get(pair, np.empty(0, np.int64)), steps) for pair, steps in cheats.items()
    }
    devices = [wider[pair] for pair in wider if pair in PAIRS]
    wider["grid"] = np.unique(np.concatenate(devices)).astype(np.int64)
    return wider


def _solve_direct(
    problem: HomeProblem, one_way: Mapping[str, Steps], time_limit_s: float | None, relative_gap: float
) -> tuple[Mapping[str, Floats], float, float]:
    programme = direct_model(problem, one_way)
    found = run_highs(programme.matrices(), time_limit_s=time_limit_s, relative_gap=relative_gap)
    return programme.split(found.values), found.objective, found.gap


def _solve_pyomo(
    problem: HomeProblem,
    one_way: Mapping[str, Steps],
    extend: Extend | None,
    time_limit_s: float | None,
    relative_gap: float,
) -> tuple[Mapping[str, Floats], float, float]:
    from .pyomo_highs import solve_model
    from .pyomo_home import home_model, variable_values

    model = home_model(problem, one_way=one_way)
    if extend is not None:
        extend(model, problem)
    found = solve_model(model, time_limit_s=time_limit_s, relative_gap=relative_gap)
    return variable_values(model), found.objective, found.gap


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
    machines = len(env.home.appliances)
    names = ["battery", "car", "heat_pump", "tank", *(f"appliance_{place}" for place in range(machines))]
    nothing = np.zeros(len(schedule.time))
    columns = np.stack([schedule.actions_kw.get(name, nothing) for name in names], axis=1).tolist()
    requests = (
        Request(battery_kw, car_kw, heat_pump_kw, tank_kw, tuple(starts))
        for battery_kw, car_kw, heat_pump_kw, tank_kw, *starts in columns
    )

    def planned(state: HomeState) -> Request:
        return next(requests)

    return simulate(env, planned, options={"home": env.window.home, "start": env.time[0]})
