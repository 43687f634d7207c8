"""A home's episode as a Pyomo model: the reading copy of the optimisers, and where users add constraints of their own.

The direct path (`hidiff.adapters.highs_home`) is the same model in arrays; tests hold the two equal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from hidiff.envs.tariffs import energy_cost
from hidiff.home import Battery, ElectricCar, HeatPump, HotWaterTank

from .home_arrays import (
    GIVES_WAY,
    charged_export,
    connection,
    fixed_cost,
    house_step,
    peaks,
    runs,
    span,
    tank_step,
    wear,
    wear_by_energy,
)
from .home_optimum import optimise_home, replay, solve_home
from .home_problem import Floats, HomeProblem
from .home_schedule import Schedule
from .require import require

__all__ = ["HomeProblem", "Schedule", "home_model", "optimise_home", "replay", "solve_home"]

OneWay = Mapping[str, Collection[int]]


def home_model(problem: HomeProblem, *, one_way: OneWay | None = None) -> Any:
    """The Pyomo model: powers in kW per step, energies and temperatures at the end of each step.

    ::

        minimise  sum_t (import * import_price - export * export_price) * dt + daily charge + demand + blocks
                  + wear + public charging + boost + discomfort + penalties - end_value * (stored_T - stored_0)
        fixed + devices + export = import + pv_used                      each step
        battery_t = battery_{t-1} + eta_c * charge * dt - discharge * dt / eta_d
        car_t     = likewise - trip_t + public_t
        tank_t    = keep * tank_{t-1} + drive_t + per_kw * tank_kw_t + boost_t
        (air, mass)_t = A (air, mass)_{t-1} + drive_t + per_kw * (heating_cop * heating - cooling_cop * cooling)

    A device of one's own adds its power to ``m.extra_kw[t]`` and its cost to ``m.extra_cost`` (named expressions, 0 at
    first, that stand in the balance and in the objective); constraints may be added on any variable.

    Args:
        one_way: steps that get binary variables against two opposite flows at once, by the names of
            `hidiff.adapters.home_schedule.PAIRS`.
    """
    pyo = require("pyomo.environ")
    home, dt_h, prices, steps = problem.home, problem.dt_h, problem.prices, range(problem.steps)
    one_way = one_way or {}
    meter = connection(problem)
    is_spared, _ = charged_export(problem)
    pv_kw = problem.exogenous["pv_kw"].tolist()
    import_max, export_max = meter.import_max_kw.tolist(), meter.export_max_kw.tolist()
    must_run = meter.must_run_kw.tolist()
    import_price = (prices.import_price + problem.import_aim).tolist()
    export_price = np.where(is_spared, 0.0, prices.export_price).tolist()

    m = pyo.ConcreteModel("home")
    m.import_kw = pyo.Var(steps, bounds=lambda m, t: (0.0, import_max[t]))
    m.export_kw = pyo.Var(steps, bounds=lambda m, t: (0.0, export_max[t]))
    m.pv_used_kw = pyo.Var(steps, bounds=lambda m, t: (must_run[t], pv_kw[t]))
    m.extra_kw = pyo.Expression(steps, initialize=0.0)
    m.extra_cost = pyo.Expression(initialize=0.0)
    demand_kw: list[list[Any]] = [[kw, m.extra_kw[t]] for t, kw in enumerate(meter.fixed_kw.tolist())]
    cost_items: list[Any] = [
        fixed_cost(problem),
        m.extra_cost,
        pyo.quicksum(
            energy_cost(m.import_kw[t], m.export_kw[t], import_price[t], export_price[t], dt_h=dt_h)
            for t in steps
        ),
    ]
    _forbid_both(m, "grid", m.import_kw, m.export_kw, import_max, export_max, one_way)
    if home.battery is not None:
        _add_battery(m, home.battery, problem, one_way, demand_kw, cost_items)
    if home.car is not None:
        _add_car(m, home.car, problem, one_way, demand_kw, cost_items)
    if home.heat_pump is not None:
        _add_heat_pump(m, home.heat_pump, problem, one_way, demand_kw, cost_items)
    if home.tank is not None:
        _add_tank(m, home.tank, problem, one_way, demand_kw, cost_items)
    if home.appliances:
        _add_appliances(m, problem, demand_kw)
    m.balance = pyo.Constraint(
        steps,
        rule=lambda m, t: pyo.quicksum(demand_kw[t]) + m.export_kw[t] == m.import_kw[t] + m.pv_used_kw[t],
    )
    if problem.limits == "soft":
        _add_soft_limits(m, problem, one_way, cost_items)
    _add_charges(m, problem, cost_items)
    m.cost = pyo.Objective(expr=pyo.quicksum(cost_items))
    return m


def _forbid_both(
    m: Any, pair: str, flow: Any, opposite: Any, flow_max: Any, opposite_max: Any, one_way: OneWay
) -> None:
    """Binary variables that let one of two opposite flows run; bounds are lists, one value a step."""
    pyo = require("pyomo.environ")
    some = [int(t) for t in one_way.get(pair, ())]
    if not some:
        return
    switch = pyo.Var(some, domain=pyo.Binary)
    setattr(m, f"{pair}_switch", switch)
    setattr(m, f"{pair}_on", pyo.Constraint(some, rule=lambda m, t: flow[t] <= flow_max[t] * switch[t]))
    setattr(
        m,
        f"{pair}_off",
        pyo.Constraint(some, rule=lambda m, t: opposite[t] <= opposite_max[t] * (1 - switch[t])),
    )


def _add_battery(
    m: Any, battery: Battery, problem: HomeProblem, one_way: OneWay, demand_kw: Any, cost_items: Any
) -> None:
    pyo = require("pyomo.environ")
    dt_h, steps, last = problem.dt_h, range(problem.steps), problem.steps - 1
    charge_max, discharge_max = span(battery, dt_h)
    gain, drain = battery.efficiency_charge * dt_h, dt_h / battery.efficiency_discharge
    start_kwh = battery.energy_initial_kwh
    least_kwh = max(battery.energy_min_kwh, problem.reserve_kwh)
    m.charge_kw = pyo.Var(steps, bounds=(0.0, charge_max))
    m.discharge_kw = pyo.Var(steps, bounds=(0.0, discharge_max))
    m.battery_kwh = pyo.Var(steps, bounds=(least_kwh, battery.energy_max_kwh))
    if problem.end == "initial":
        m.battery_kwh[last].setlb(max(least_kwh, start_kwh))
    m.battery_storage = pyo.Constraint(
        steps,
        rule=lambda m, t: (
            m.battery_kwh[t]
            == (m.battery_kwh[t - 1] if t > 0 else start_kwh)
            + gain * m.charge_kw[t]
            - drain * m.discharge_kw[t]
        ),
    )
    for t in steps:
        demand_kw[t] += [m.charge_kw[t], -m.discharge_kw[t]]
    ageing = wear(battery, dt_h)
    worth = wear_by_energy(ageing, problem.steps).tolist()
    cost_items += [
        pyo.quicksum(
            ageing.per_discharge_kw * m.discharge_kw[t] + worth[t] * m.battery_kwh[t] for t in steps
        ),
        -problem.end_value_per_kwh * m.battery_kwh[last],
    ]
    _forbid_both(
        m, "battery", m.charge_kw, m.discharge_kw, [charge_max] * len(steps), [discharge_max] * len(steps), one_way
    )  # fmt: skip


def _add_car(
    m: Any, car: ElectricCar, problem: HomeProblem, one_way: OneWay, demand_kw: Any, cost_items: Any
) -> None:
    pyo = require("pyomo.environ")
    battery, dt_h, steps = car.battery, problem.dt_h, range(problem.steps)
    is_home = problem.exogenous["car_is_home"].tolist()
    trip_kwh = problem.exogenous["car_trip_kwh"].tolist()
    trips = [t for t in steps if trip_kwh[t] > 0]
    charge_max, discharge_max = span(battery, dt_h)
    gain, drain = battery.efficiency_charge * dt_h, dt_h / battery.efficiency_discharge
    start_kwh = battery.energy_initial_kwh
    m.car_charge_kw = pyo.Var(steps, bounds=lambda m, t: (0.0, charge_max * is_home[t]))
    m.car_discharge_kw = pyo.Var(steps, bounds=lambda m, t: (0.0, discharge_max * is_home[t]))
    m.car_kwh = pyo.Var(steps, bounds=(battery.energy_min_kwh, battery.energy_max_kwh))
    m.public_kwh = pyo.Var(trips, bounds=lambda m, t: (0.0, trip_kwh[t]))
    if problem.car_end == "initial":
        m.car_kwh[steps[-1]].setlb(start_kwh)
    m.car_storage = pyo.Constraint(
        steps,
        rule=lambda m, t: (
            m.car_kwh[t]
            == (m.car_kwh[t - 1] if t > 0 else start_kwh)
            - trip_kwh[t]
            + (m.public_kwh[t] if trip_kwh[t] > 0 else 0.0)
            + gain * m.car_charge_kw[t]
            - drain * m.car_discharge_kw[t]
        ),
    )
    for t in steps:
        demand_kw[t] += [m.car_charge_kw[t], -m.car_discharge_kw[t]]
    ageing = wear(battery, dt_h)
    worth = wear_by_energy(ageing, problem.steps).tolist()
    cost_items += [
        pyo.quicksum(
            ageing.per_discharge_kw * m.car_discharge_kw[t] + worth[t] * m.car_kwh[t] for t in steps
        ),
        pyo.quicksum((car.public_price_per_kwh + ageing.per_kwh) * m.public_kwh[t] for t in trips),
        -problem.end_value_per_kwh * m.car_kwh[steps[-1]],
    ]
    _forbid_both(
        m, "car", m.car_charge_kw, m.car_discharge_kw, [charge_max * here for here in is_home],
        [discharge_max * here for here in is_home], one_way,
    )  # fmt: skip
    some = [trips[place] for place in one_way.get("public", ())]
    if some:
        m.public_switch = pyo.Var(some, domain=pyo.Binary)
        m.public_on = pyo.Constraint(
            some, rule=lambda m, t: m.public_kwh[t] <= trip_kwh[t] * m.public_switch[t]
        )
        window_kwh = battery.energy_max_kwh - battery.energy_min_kwh
        m.public_off = pyo.Constraint(
            some,
            rule=lambda m, t: m.car_kwh[t] - battery.energy_min_kwh <= window_kwh * (1 - m.public_switch[t]),
        )


def _add_heat_pump(
    m: Any, pump: HeatPump, problem: HomeProblem, one_way: OneWay, demand_kw: Any, cost_items: Any
) -> None:
    pyo = require("pyomo.environ")
    steps, given = range(problem.steps), problem.exogenous
    house = house_step(problem)
    (air_air, air_mass), (mass_air, mass_mass) = house.state.tolist()
    air_drive, mass_drive = house.drive.tolist()
    air_per_kw, mass_per_kw = house.per_kw.tolist()
    heating_cop = given["heating_cop"].tolist()
    cooling_cop = given["cooling_cop"].tolist() if pump.is_cooling else [0.0] * len(steps)
    low_c, high_c = given["low_c"].tolist(), given["high_c"].tolist()
    cooling_max = pump.power_max_kw if pump.is_cooling else 0.0
    m.heating_power_kw = pyo.Var(steps, bounds=(0.0, pump.power_max_kw))
    m.cooling_power_kw = pyo.Var(steps, bounds=(0.0, cooling_max))
    m.air_c = pyo.Var(steps)
    m.mass_c = pyo.Var(steps)
    if problem.house_end == "initial":
        m.air_c[steps[-1]].setlb(pump.initial_c)
        m.mass_c[steps[-1]].setlb(pump.initial_c)

    def heat_kw(t: int) -> Any:
        return heating_cop[t] * m.heating_power_kw[t] - cooling_cop[t] * m.cooling_power_kw[t]

    def before(t: int) -> tuple[Any, Any]:
        return (m.air_c[t - 1], m.mass_c[t - 1]) if t > 0 else (pump.initial_c, pump.initial_c)

    def air_rule(m: Any, t: int) -> Any:
        air_c, mass_c = before(t)
        return m.air_c[t] == air_air * air_c + air_mass * mass_c + air_drive[t] + air_per_kw * heat_kw(t)

    def mass_rule(m: Any, t: int) -> Any:
        air_c, mass_c = before(t)
        return m.mass_c[t] == mass_air * air_c + mass_mass * mass_c + mass_drive[t] + mass_per_kw * heat_kw(t)

    m.air_step = pyo.Constraint(steps, rule=air_rule)
    m.mass_step = pyo.Constraint(steps, rule=mass_rule)
    m.too_cold_k = pyo.Var(steps, bounds=(0.0, None))
    m.too_warm_k = pyo.Var(steps, bounds=(0.0, None))
    m.cold = pyo.Constraint(steps, rule=lambda m, t: m.too_cold_k[t] >= low_c[t] - m.air_c[t])
    m.warm = pyo.Constraint(steps, rule=lambda m, t: m.too_warm_k[t] >= m.air_c[t] - high_c[t])
    for t in steps:
        demand_kw[t] += [m.heating_power_kw[t], m.cooling_power_kw[t]]
    per_k = pump.discomfort_price_per_kh * problem.dt_h
    cost_items.append(pyo.quicksum(per_k * (m.too_cold_k[t] + m.too_warm_k[t]) for t in steps))
    _forbid_both(
        m, "heat_pump", m.heating_power_kw, m.cooling_power_kw, [pump.power_max_kw] * len(steps),
        [cooling_max] * len(steps), one_way,
    )  # fmt: skip


def _add_tank(
    m: Any, tank: HotWaterTank, problem: HomeProblem, one_way: OneWay, demand_kw: Any, cost_items: Any
) -> None:
    pyo = require("pyomo.environ")
    steps = range(problem.steps)
    water = tank_step(problem)
    drive, boost_max = water.drive.tolist(), water.boost_max_kwh.tolist()
    m.tank_kw = pyo.Var(steps, bounds=(0.0, tank.power_max_kw))
    m.tank_kwh = pyo.Var(steps, bounds=(tank.heat_min_kwh, tank.heat_max_kwh))
    m.boost_kwh = pyo.Var(steps, bounds=lambda m, t: (0.0, boost_max[t]))
    if problem.tank_end == "initial":
        m.tank_kwh[steps[-1]].setlb(tank.heat_initial_kwh)
    m.tank_storage = pyo.Constraint(
        steps,
        rule=lambda m, t: (
            m.tank_kwh[t]
            == water.keep * (m.tank_kwh[t - 1] if t > 0 else tank.heat_initial_kwh)
            + drive[t]
            + water.per_kw * m.tank_kw[t]
            + m.boost_kwh[t]
        ),
    )
    for t in steps:
        demand_kw[t].append(m.tank_kw[t])
    cost_items += [
        pyo.quicksum(tank.boost_price_per_kwh * m.boost_kwh[t] for t in steps),
        -problem.end_value_per_kwh * m.tank_kwh[steps[-1]] / tank.cop,
    ]
    some = [int(t) for t in one_way.get("boost", ())]
    if some:
        m.boost_switch = pyo.Var(some, domain=pyo.Binary)
        m.boost_on = pyo.Constraint(
            some, rule=lambda m, t: m.boost_kwh[t] <= boost_max[t] * m.boost_switch[t]
        )
        window_kwh = tank.heat_max_kwh - tank.heat_min_kwh
        m.boost_off = pyo.Constraint(
            some, rule=lambda m, t: m.tank_kwh[t] - tank.heat_min_kwh <= window_kwh * (1 - m.boost_switch[t])
        )


def _add_appliances(m: Any, problem: HomeProblem, demand_kw: Any) -> None:
    pyo = require("pyomo.environ")
    found = runs(problem)
    options, requests = range(len(found.start)), range(len(found.is_required))
    of_request: list[list[int]] = [[] for _ in requests]
    for option, request in enumerate(found.request.tolist()):
        of_request[request].append(option)
    m.is_start = pyo.Var(options, domain=pyo.Binary)
    m.served = pyo.Constraint(
        requests,
        rule=lambda m, request: (
            1 if found.is_required[request] else 0,
            pyo.quicksum(m.is_start[option] for option in of_request[request]),
            1,
        ),
    )
    for option, step, kw in zip(
        found.entry_option.tolist(), found.entry_step.tolist(), found.entry_kw.tolist(), strict=True
    ):
        demand_kw[step].append(kw * m.is_start[option])


def _add_soft_limits(m: Any, problem: HomeProblem, one_way: OneWay, cost_items: Any) -> None:
    """What exceeds a limit is paid for; binary variables stop what gives way before that."""
    pyo = require("pyomo.environ")
    meter, home = connection(problem), problem.home
    for name, flow, most, limit, yielding_max in (
        ("import_excess", m.import_kw, meter.import_excess_kw, home.import_limit_kw, meter.taking_max_kw),
        ("export_excess", m.export_kw, meter.export_excess_kw, home.export_limit_kw, meter.giving_max_kw),
    ):
        at = np.flatnonzero(most > 0).tolist()
        some = [at[place] for place in one_way.get(name, ())]
        yielding = [getattr(m, part) for part in GIVES_WAY[name] if hasattr(m, part)]
        excess = pyo.Var(at, bounds=lambda m, t, most=most: (0.0, float(most[t])))
        switch = pyo.Var(some, domain=pyo.Binary)
        setattr(m, f"{name}_kw", excess)
        setattr(m, f"{name}_switch", switch)

        def limit_rule(m: Any, t: int, flow: Any = flow, excess: Any = excess, limit: Any = limit) -> Any:
            return flow[t] - excess[t] <= limit

        def on_rule(m: Any, t: int, excess: Any = excess, most: Any = most, switch: Any = switch) -> Any:
            return excess[t] <= float(most[t]) * switch[t]

        def off_rule(
            m: Any, t: int, parts: Any = yielding, most: Any = yielding_max, switch: Any = switch
        ) -> Any:
            return pyo.quicksum(part[t] for part in parts) <= float(most[t]) * (1 - switch[t])

        setattr(m, f"{name}_limit", pyo.Constraint(at, rule=limit_rule))
        setattr(m, f"{name}_on", pyo.Constraint(some, rule=on_rule))
        setattr(m, f"{name}_off", pyo.Constraint(some, rule=off_rule))
        cost_items.append(pyo.quicksum(problem.limit_penalty_per_kwh * problem.dt_h * excess[t] for t in at))


def _add_charges(m: Any, problem: HomeProblem, cost_items: Any) -> None:
    """What a month's energy and highest power add to the bill."""
    pyo = require("pyomo.environ")
    tariff, dt_h = problem.home.tariff, problem.dt_h
    months = range(problem.month_count)
    month = problem.month.tolist()
    steps_of: list[list[int]] = [[] for _ in months]
    for t, own in enumerate(month):
        steps_of[own].append(t)
    for place, block in enumerate(tariff.blocks):
        above = pyo.Var(months, bounds=(0.0, None))
        setattr(m, f"above_{place}_kwh", above)
        setattr(
            m,
            f"block_{place}",
            pyo.Constraint(
                months,
                rule=lambda m, own, block=block, above=above: (
                    above[own]
                    >= pyo.quicksum(m.import_kw[t] * dt_h for t in steps_of[own]) - block.above_kwh_per_month
                ),
            ),
        )
        cost_items.append(block.extra_per_kwh * pyo.quicksum(above[own] for own in months))
    is_spared, charge = charged_export(problem)
    if is_spared.any():
        m.charged_export_kwh = pyo.Var(months, bounds=(0.0, None))
        m.charged_export = pyo.Constraint(
            months,
            rule=lambda m, own: (
                m.charged_export_kwh[own]
                >= pyo.quicksum(m.export_kw[t] * dt_h for t in steps_of[own] if is_spared[t])
                - tariff.export_allowance_kwh_per_month
            ),
        )
        cost_items.append(pyo.quicksum(float(charge[own]) * m.charged_export_kwh[own] for own in months))
    for place, peak in enumerate(peaks(problem)):
        charged = peak.month.tolist()
        measured: list[list[int]] = [[] for _ in peak.interval_month]
        for t, interval in zip(peak.step.tolist(), peak.interval.tolist(), strict=True):
            measured[interval].append(t)
        highest = pyo.Var(months, bounds=(0.0, None))
        billed = pyo.Var(charged, bounds=(peak.minimum_kw, None))
        setattr(m, f"peak_{place}_kw", highest)
        setattr(m, f"billed_{place}_kw", billed)
        setattr(
            m,
            f"peak_{place}",
            pyo.Constraint(
                range(len(measured)),
                rule=lambda m, row, peak=peak, highest=highest, measured=measured: (
                    highest[int(peak.interval_month[row])]
                    >= pyo.quicksum(m.import_kw[t] for t in measured[row]) / peak.steps_per_interval
                ),
            ),
        )
        pairs = [(charged[own], back) for own, back in peak.pairs.tolist()]
        setattr(
            m,
            f"billed_{place}",
            pyo.Constraint(
                range(len(pairs)),
                rule=lambda m, row, pairs=pairs, highest=highest, billed=billed: (
                    billed[pairs[row][0]] >= highest[pairs[row][1]]
                ),
            ),
        )
        cost_items.append(peak.price_per_kw * pyo.quicksum(billed[own] for own in charged))


def variable_values(model: Any) -> dict[str, Floats]:
    """Values of the model's variables, by name; one that stands in no constraint is at rest."""
    pyo = require("pyomo.environ")

    def value(item: Any) -> float:
        return max(item.lb or 0.0, 0.0) if item.value is None else float(item.value)

    return {
        variable.local_name: np.array([value(item) for item in variable.values()], float)
        for variable in model.component_objects(pyo.Var)
    }
