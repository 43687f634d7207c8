"""Why a home's problem has no schedule: which condition cannot be kept, by how much and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hidiff.errors import InfeasibleError

from .highs_home import direct_model
from .highs_run import run_highs
from .home_problem import Floats, HomeProblem
from .home_schedule import TOLERANCE_KW, Steps

ENDS = {
    "end": ("battery_kwh", "the battery", "kWh"),
    "car_end": ("car_kwh", "the car", "kWh"),
    "tank_end": ("tank_kwh", "the tank", "kWh"),
    "house_end": ("mass_c", "the structure of the house", "deg C"),
}


def explain(problem: HomeProblem, one_way: Mapping[str, Steps], *, is_extended: bool = False) -> str:
    """What cannot be kept, as one line for an `InfeasibleError`.

    Conditions are given up in turn: an end that is out of reach even alone, then the limits of the connection with
    the ends and without them, then the reserve.

    Args:
        one_way: the binary variables of the model that has no solution.
        is_extended: whether it has constraints of a user's own.
    """
    if problem.home.car is not None:  # who may buy public charge at will reaches any end
        trips = np.count_nonzero(problem.exogenous["car_trip_kwh"] > 0)
        one_way = {**one_way, "public": np.arange(trips)}
    parameters = problem.parameters
    at_start = {
        "end": parameters.battery and parameters.battery.energy_initial_kwh,
        "car_end": parameters.car and parameters.car.energy_initial_kwh,
        "tank_end": parameters.tank and parameters.tank.heat_initial_kwh,
        "house_end": parameters.heat_pump and parameters.heat_pump.initial_c,
    }
    asked = [name for name in ENDS if getattr(problem, name) == "initial" and at_start[name] is not None]
    free = _with(problem, **dict.fromkeys(asked, "free"))
    for name in asked:
        column, thing, unit = ENDS[name]
        best = _relaxed(free, one_way, {column: np.append(np.zeros(problem.steps - 1), -1.0)})
        if best is not None and best[column][-1] < at_start[name] - TOLERANCE_KW:
            return (
                f"{thing} ends with at most {best[column][-1]:.2f} {unit}, whatever is done, and {name}='initial' asks "
                f"for {at_start[name]:.2f}; use {name}='free', or give it more power, more time or smaller needs"
            )
    for candidate, also in ((problem, ""), (free, ", ends apart")):
        excess_kw = _least_excess(candidate, one_way)
        if excess_kw is None:
            continue
        for side, over_kw in excess_kw.items():
            if over_kw.max() > TOLERANCE_KW:
                return _broken_limit(problem, side, over_kw, also)
        if candidate is free:
            return (
                f"{', '.join(asked)} ask each for the level of the start at the end, which cannot all be kept; set one "
                "of them to 'free'"
            )
        if is_extended:
            return "the constraints that were added exclude every schedule; without them there is one"
        return "whole runs of the appliances do not fit under the limits; raise import_limit_kw or use limits='soft'"
    return f"reserve_kwh={problem.reserve_kwh} cannot be kept from the first step on; start with more energy or lower it"


def _with(problem: HomeProblem, **changes: Any) -> HomeProblem:
    return replace(problem, **changes)


def _relaxed(
    problem: HomeProblem, one_way: Mapping[str, Steps], aim: Mapping[str, Any]
) -> Mapping[str, Floats] | None:
    """Values with costs on some variables as the only aim, starts of machines divisible; None where there are none."""
    programme = direct_model(problem, one_way)
    matrices = programme.matrices()
    cost = np.zeros_like(matrices.cost)
    for name, weight in aim.items():
        if name in programme.columns:
            cost[programme.columns[name]] = weight
    is_integer = matrices.is_integer.copy()
    is_integer[programme.columns.get("is_start", [])] = False
    try:
        found = run_highs(
            replace(matrices, cost=cost, is_integer=is_integer), time_limit_s=None, relative_gap=1e-4
        )
    except InfeasibleError:
        return None
    return programme.split(found.values)


def _least_excess(problem: HomeProblem, one_way: Mapping[str, Steps]) -> dict[str, Floats] | None:
    """By how much the limits are exceeded where they are soft and nothing else counts, ``(step,)`` each [kW]."""
    aim = {"import_excess_kw": 1.0, "export_excess_kw": 1.0}
    values = _relaxed(_with(problem, limits="soft"), one_way, aim)
    if values is None:
        return None
    home = problem.home
    limits = {"import": home.import_limit_kw, "export": home.export_limit_kw}
    return {
        side: np.maximum(values[f"{side}_kw"] - (np.inf if limit_kw is None else limit_kw), 0.0)
        for side, limit_kw in limits.items()
    }


def _broken_limit(problem: HomeProblem, side: str, over_kw: Floats, also: str) -> str:
    worst, count = int(over_kw.argmax()), int((over_kw > TOLERANCE_KW).sum())
    stamp = problem.time[worst].tz_convert(problem.time_zone)
    if side == "import":
        what, way_out = "lacks", "raise the limit, use a larger battery or limits='soft'"
    else:
        what, way_out = "has too much by", "raise the limit, set pv_curtailable=True or use limits='soft'"
    return (
        f"{side}_limit_kw={getattr(problem.home, f'{side}_limit_kw')} cannot be kept in {count} steps, whatever the "
        f"devices do{also}: step {worst} ({stamp:%Y-%m-%d %H:%M}) {what} {over_kw[worst]:.2f} kW, all of them "
        f"{over_kw.sum() * problem.dt_h:.2f} kWh; {way_out}"
    )
