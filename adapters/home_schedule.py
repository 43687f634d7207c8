"""``Schedule``: what a solver's answer means when it is carried out, and whether the relaxation cheated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.envs.ops import ARRAYS
from hidiff.envs.physics.connection import settle
from hidiff.envs.tariffs import bill
from hidiff.home import Battery

from .home_arrays import Connection, Runs, connection, runs, tank_step, wear
from .home_problem import Floats, HomeProblem

Steps = NDArray[np.int64]
TOLERANCE_KW = 1e-6
PAIRS = {
    "grid": ("import_kw", "export_kw"),
    "battery": ("charge_kw", "discharge_kw"),
    "car": ("car_charge_kw", "car_discharge_kw"),
    "heat_pump": ("heating_power_kw", "cooling_power_kw"),
}
"""Opposite flows that never run at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """An optimal schedule; arrays of shape ``(step,)``, mean power in kW."""

    time: pd.DatetimeIndex
    record: Mapping[str, Floats]
    """What happens, by the names of the environment's outcome: ``battery_kw``, ``battery_kwh``, ``car_kw``,
    ``car_kwh``, ``public_kwh``, ``heat_pump_kw``, ``air_c``, ``discomfort_kh``, ``tank_kw``, ``tank_kwh``,
    ``boost_kwh``, ``appliance_kw`` (those of the home's devices), ``demand_kw``, ``pv_used_kw``, ``curtailed_kw``,
    ``import_kw``, ``export_kw``, ``excess_kw``. Energies and temperatures are those at the END of each step."""
    actions_kw: Mapping[str, Floats]
    """Power of each device that the home has, to be asked of an environment: ``battery``, ``car``, ``heat_pump``
    (> 0 heats, < 0 cools), ``tank`` and ``appliance_0``, … (above 0 from the start of a run to its end)."""
    costs: Mapping[str, float]
    """Items of the aim [currency]: ``cost`` (the bill), ``wear_cost``, ``service_cost`` (public charging and boosted
    water), ``discomfort_cost``, ``penalty``, ``end_value`` (counts against the others), and ``aim_cost`` (what CO2 and
    imported energy count on top)."""
    objective: float
    """Least value of the aim by the solver's own count [currency]."""
    gap: float
    """Relative distance that a search with integers left to its bound; 0 where the schedule is the optimum."""
    binary_steps: int
    """Steps that needed binary variables against opposite flows; 0 where the linear relaxation is exact."""
    usable_kwh: float
    """Capacity of the battery; 0 without one."""

    def _of(self, name: str) -> Floats:
        return self.record.get(name, np.zeros(len(self.time)))

    @property
    def battery_kw(self) -> Floats:
        """Battery power, > 0 charges; zeros without a battery."""
        return self._of("battery_kw")

    @property
    def soc(self) -> Floats:
        """State of charge at the END of each step; zeros without a battery."""
        return self._of("battery_kwh") / (self.usable_kwh or 1.0)

    @property
    def import_kw(self) -> Floats:
        """Import, a magnitude."""
        return self.record["import_kw"]

    @property
    def export_kw(self) -> Floats:
        """Export, a magnitude."""
        return self.record["export_kw"]

    @property
    def pv_used_kw(self) -> Floats:
        """Generation that is used or exported."""
        return self.record["pv_used_kw"]

    @property
    def cost(self) -> float:
        """Bill, the daily charge included [currency]."""
        return self.costs["cost"]

    @property
    def end_value(self) -> float:
        """Worth of the energy that the stores gained, ``end_value_per_kwh * (end - start)`` [currency]."""
        return self.costs["end_value"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """A solver's answer carried out."""

    schedule: Schedule
    is_true: bool
    """Whether it costs what the solver says."""
    cheats: Mapping[str, Steps]
    """Steps at which opposite flows run at once, by the names of `PAIRS`; steps (``boost``) and places among the trips
    (``public``) at which a store buys more than it lacks; and places among the steps at which a limit can be exceeded,
    where it is though something could give way (`hidiff.adapters.home_arrays.GIVES_WAY`)."""


def carry_out(
    problem: HomeProblem,
    values: Mapping[str, Floats],
    objective: float,
    *,
    gap: float = 0.0,
    binary_steps: int = 0,
    is_extended: bool = False,
) -> Carried:
    """The schedule that follows the stored energies of a solver's answer.

    Args:
        values: of the model's variables, by name, those of all steps.
        is_extended: whether the model has parts of a user's own; then opposite flows are never netted, and the
            schedule is true where there are none.
    """
    cheats = {
        pair: np.flatnonzero(np.minimum(values[flow], values[opposite]) > TOLERANCE_KW)
        for pair, (flow, opposite) in PAIRS.items()
        if flow in values
    }
    meter = connection(problem)
    record: dict[str, Floats] = {}
    actions: dict[str, Floats] = {}
    costs = {"cost": 0.0, "wear_cost": 0.0, "service_cost": 0.0, "discomfort_cost": 0.0, "penalty": 0.0}
    costs["end_value"] = 0.0
    _battery(problem, values, record, actions, costs)
    _car(problem, values, record, actions, costs, cheats)
    _heat_pump(problem, values, record, actions, costs)
    _tank(problem, values, record, actions, costs, cheats)
    _appliances(problem, values, record, actions)
    record["demand_kw"] = meter.fixed_kw + sum(
        record.get(f"{name}_kw", 0.0) for name in ("battery", "car", "heat_pump", "tank", "appliance")
    )
    if is_extended:
        record["demand_kw"] = values["import_kw"] + values["pv_used_kw"] - values["export_kw"]

    is_true = False
    planned_kw = np.clip(values["pv_used_kw"], meter.must_run_kw, problem.exogenous["pv_kw"])
    settled = settle(
        record["demand_kw"], problem.exogenous["pv_kw"], problem.home, import_price_per_kwh=problem.prices.import_price,
        export_price_per_kwh=problem.prices.export_price, m=ARRAYS,
    )  # fmt: skip
    for pv_used_kw in (settled.pv_used_kw, planned_kw):
        _exchange(problem, pv_used_kw, record, costs)
        total = sum(costs.values()) - 2 * costs["end_value"]
        scale = max(1.0, sum(abs(item) for item in costs.values()))
        limit_kw = 0.0 if problem.limits == "hard" else np.inf
        is_true = total - objective <= 1e-7 * scale and bool(
            (record["excess_kw"] <= limit_kw + TOLERANCE_KW).all()
        )
        if is_true:
            break
    if problem.limits == "soft":
        _soft_limits(meter, values, record, cheats)
    # opposite flows may be netted where the schedule then costs what the solver says; the rest may not
    may_be_netted = () if is_extended else tuple(PAIRS)
    is_fair = not any(len(steps) for name, steps in cheats.items() if name not in may_be_netted)
    is_true = is_fair and (is_extended or is_true)
    schedule = Schedule(
        time=problem.time,
        record=record,
        actions_kw=actions,
        costs=costs,
        objective=objective,
        gap=gap,
        binary_steps=binary_steps,
        usable_kwh=problem.home.battery.usable_kwh if problem.home.battery else 0.0,
    )
    return Carried(schedule=schedule, is_true=is_true, cheats=cheats)


def _terminal_kw(before_kwh: Floats, after_kwh: Floats, battery: Battery, dt_h: float) -> Floats:
    """Power that takes a linear battery from one energy to another; what lies beyond its limits is rounding."""
    change_kwh = after_kwh - before_kwh
    power_kw = np.where(
        change_kwh > 0,
        change_kwh / (battery.efficiency_charge * dt_h),
        change_kwh * battery.efficiency_discharge / dt_h,
    )
    return np.clip(power_kw, -battery.discharge_max_kw, battery.charge_max_kw)


def _wear_cost(before_kwh: Floats, after_kwh: Floats, battery: Battery, dt_h: float) -> float:
    found = wear(battery, dt_h)
    drained_kw = np.maximum(before_kwh - after_kwh, 0.0) * battery.efficiency_discharge / dt_h
    by_step = found.constant + found.per_discharge_kw * drained_kw + found.per_kwh * (before_kwh + after_kwh)
    return float(by_step.sum())


def _battery(
    problem: HomeProblem,
    values: Mapping[str, Floats],
    record: dict[str, Floats],
    actions: dict[str, Floats],
    costs: dict[str, float],
) -> None:
    battery = problem.home.battery
    if battery is None:
        return
    after_kwh = np.clip(values["battery_kwh"], battery.energy_min_kwh, battery.energy_max_kwh)
    before_kwh = np.append(battery.energy_initial_kwh, after_kwh[:-1])
    record["battery_kw"] = actions["battery"] = _terminal_kw(before_kwh, after_kwh, battery, problem.dt_h)
    record["battery_kwh"] = after_kwh
    costs["wear_cost"] += _wear_cost(before_kwh, after_kwh, battery, problem.dt_h)
    costs["end_value"] += problem.end_value_per_kwh * float(after_kwh[-1] - battery.energy_initial_kwh)


def _car(
    problem: HomeProblem,
    values: Mapping[str, Floats],
    record: dict[str, Floats],
    actions: dict[str, Floats],
    costs: dict[str, float],
    cheats: dict[str, Steps],
) -> None:
    car, given = problem.home.car, problem.exogenous
    if car is None:
        return
    battery = car.battery
    after_kwh = np.clip(values["car_kwh"], battery.energy_min_kwh, battery.energy_max_kwh)
    left_kwh = np.append(battery.energy_initial_kwh, after_kwh[:-1]) - given["car_trip_kwh"]
    public_kwh = np.maximum(battery.energy_min_kwh - left_kwh, 0.0)
    trips = np.flatnonzero(given["car_trip_kwh"] > 0)
    cheats["public"] = np.flatnonzero(values["public_kwh"] > public_kwh[trips] + TOLERANCE_KW)
    plugged_kwh = left_kwh + public_kwh
    power_kw = _terminal_kw(plugged_kwh, after_kwh, battery, problem.dt_h) * given["car_is_home"]
    record["car_kw"] = actions["car"] = power_kw
    record["car_kwh"], record["public_kwh"] = after_kwh, public_kwh
    costs["service_cost"] += car.public_price_per_kwh * float(public_kwh.sum())
    costs["wear_cost"] += _wear_cost(plugged_kwh, after_kwh, battery, problem.dt_h)
    costs["end_value"] += problem.end_value_per_kwh * float(after_kwh[-1] - battery.energy_initial_kwh)


def _heat_pump(
    problem: HomeProblem,
    values: Mapping[str, Floats],
    record: dict[str, Floats],
    actions: dict[str, Floats],
    costs: dict[str, float],
) -> None:
    pump, given = problem.home.heat_pump, problem.exogenous
    if pump is None:
        return
    heating_cop = given["heating_cop"]
    cooling_cop = given["cooling_cop"] if pump.is_cooling else np.ones(problem.steps)
    heat_kw = heating_cop * values["heating_power_kw"] - cooling_cop * values["cooling_power_kw"]
    power_kw = heat_kw / np.where(heat_kw > 0, np.maximum(heating_cop, 1e-12), np.maximum(cooling_cop, 1e-12))
    air_c = values["air_c"]
    outside_k = np.maximum(given["low_c"] - air_c, 0.0) + np.maximum(air_c - given["high_c"], 0.0)
    actions["heat_pump"] = np.clip(power_kw, -pump.power_max_kw * pump.is_cooling, pump.power_max_kw)
    record["heat_pump_kw"], record["air_c"] = np.abs(actions["heat_pump"]), air_c
    record["discomfort_kh"] = outside_k * problem.dt_h
    costs["discomfort_cost"] = pump.discomfort_price_per_kh * float(record["discomfort_kh"].sum())


def _tank(
    problem: HomeProblem,
    values: Mapping[str, Floats],
    record: dict[str, Floats],
    actions: dict[str, Floats],
    costs: dict[str, float],
    cheats: dict[str, Steps],
) -> None:
    tank = problem.home.tank
    if tank is None:
        return
    water = tank_step(problem)
    after_kwh = np.clip(values["tank_kwh"], tank.heat_min_kwh, tank.heat_max_kwh)
    before_kwh = np.append(tank.heat_initial_kwh, after_kwh[:-1])
    power_kw = np.clip(values["tank_kw"], 0.0, tank.power_max_kw)
    unaided_kwh = water.keep * before_kwh + water.drive + water.per_kw * power_kw
    boost_kwh = np.maximum(tank.heat_min_kwh - unaided_kwh, 0.0)
    cheats["boost"] = np.flatnonzero(values["boost_kwh"] > boost_kwh + TOLERANCE_KW)
    record["tank_kw"] = actions["tank"] = power_kw
    record["tank_kwh"], record["boost_kwh"] = after_kwh, boost_kwh
    costs["service_cost"] += tank.boost_price_per_kwh * float(boost_kwh.sum())
    costs["end_value"] += problem.end_value_per_kwh * float(after_kwh[-1] - tank.heat_initial_kwh) / tank.cop


def _appliances(
    problem: HomeProblem,
    values: Mapping[str, Floats],
    record: dict[str, Floats],
    actions: dict[str, Floats],
) -> None:
    if not problem.home.appliances:
        return
    found: Runs = runs(problem)
    entry_kw = found.entry_kw * np.round(values["is_start"])[found.entry_option]
    of_machine = found.appliance[found.entry_option]
    for place in range(len(problem.home.appliances)):
        own = of_machine == place
        actions[f"appliance_{place}"] = _summed(problem, found.entry_step[own], entry_kw[own])
    record["appliance_kw"] = _summed(problem, found.entry_step, entry_kw)


def _summed(problem: HomeProblem, step: Steps, kw: Floats) -> Floats:
    return np.bincount(step, weights=kw, minlength=problem.steps).astype(np.float64)


def _soft_limits(
    meter: Connection, values: Mapping[str, Floats], record: dict[str, Floats], cheats: dict[str, Steps]
) -> None:
    """Where a limit is exceeded though something that gives way could stop."""
    stores_kw = [record[name] for name in ("battery_kw", "car_kw") if name in record]
    others_kw = [record[name] for name in ("heat_pump_kw", "tank_kw") if name in record]
    yielding = {
        "import_excess": (meter.import_excess_kw, [np.maximum(kw, 0.0) for kw in stores_kw] + others_kw),
        "export_excess": (meter.export_excess_kw, [np.maximum(-kw, 0.0) for kw in stores_kw]),
    }
    for name, (most_kw, flows_kw) in yielding.items():
        excess_kw = values.get(f"{name}_kw", np.empty(0))
        at = np.flatnonzero(most_kw > 0)
        if len(excess_kw) and flows_kw:
            cheats[name] = np.flatnonzero(np.minimum(excess_kw, np.sum(flows_kw, axis=0)[at]) > TOLERANCE_KW)


def _exchange(
    problem: HomeProblem, pv_used_kw: Floats, record: dict[str, Floats], costs: dict[str, float]
) -> None:
    """Flows at the meter, and what they cost."""
    home, dt_h, prices = problem.home, problem.dt_h, problem.prices
    net_kw = record["demand_kw"] - pv_used_kw
    import_kw, export_kw = np.maximum(net_kw, 0.0), np.maximum(-net_kw, 0.0)
    excess_kw = np.zeros(problem.steps)
    for flow_kw, limit_kw in ((import_kw, home.import_limit_kw), (export_kw, home.export_limit_kw)):
        if limit_kw is not None:
            excess_kw = np.maximum(excess_kw, flow_kw - limit_kw)
    record["pv_used_kw"], record["curtailed_kw"] = pv_used_kw, problem.exogenous["pv_kw"] - pv_used_kw
    record["import_kw"], record["export_kw"], record["excess_kw"] = import_kw, export_kw, excess_kw
    if home.tariff.is_energy_only:
        energy = float((import_kw * prices.import_price - export_kw * prices.export_price).sum()) * dt_h
        costs["cost"] = energy + home.tariff.daily_charge * problem.steps * dt_h / 24
    else:
        costs["cost"] = bill(
            import_kw, export_kw, home.tariff, problem.time, problem.time_zone, problem.wholesale_per_kwh
        ).total
    costs["aim_cost"] = float((import_kw * problem.import_aim).sum()) * dt_h
    costs["penalty"] = (
        problem.limit_penalty_per_kwh * float(excess_kw.sum()) * dt_h if problem.limits == "soft" else 0.0
    )
