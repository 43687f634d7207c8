"""A home's episode as a linear programme in arrays, handed to HiGHS in one call: the fast path.

The same model as `hidiff.adapters.pyomo_home`, which is the one to read; names of variables are the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hidiff.home import Appliance, Battery, ElectricCar, HeatPump, HotWaterTank

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
from .home_problem import Floats, HomeProblem
from .linear_programme import Columns, LinearProgramme, Term

Steps = NDArray[np.int64]
NO_STEPS: Steps = np.empty(0, np.int64)


def direct_model(problem: HomeProblem, one_way: Mapping[str, Steps]) -> LinearProgramme:
    """The programme of ``problem``.

    Args:
        one_way: steps at which binary variables forbid two opposite flows at once, by the names of
            `hidiff.adapters.home_schedule.PAIRS`.
    """
    home, steps, dt_h = problem.home, problem.steps, problem.dt_h
    programme = LinearProgramme()
    programme.constant = fixed_cost(problem)
    meter = connection(problem)
    is_spared, _ = charged_export(problem)
    imports = programme.variables(
        "import_kw", steps, upper=meter.import_max_kw,
        cost=dt_h * (problem.prices.import_price + problem.import_aim),
    )  # fmt: skip
    exports = programme.variables(
        "export_kw", steps, upper=meter.export_max_kw,
        cost=np.where(is_spared, 0.0, -dt_h * problem.prices.export_price),
    )  # fmt: skip
    pv_kw = problem.exogenous["pv_kw"]
    pv_used = programme.variables("pv_used_kw", steps, lower=meter.must_run_kw, upper=pv_kw)
    balance = [Term(imports, -1.0), Term(exports, 1.0), Term(pv_used, -1.0)]
    _one_way(programme, "grid", imports, exports, meter.import_max_kw, meter.export_max_kw, one_way)
    if home.battery is not None:
        balance += _battery(programme, home.battery, problem, one_way)
    if home.car is not None:
        balance += _car(programme, home.car, problem, one_way)
    if home.heat_pump is not None:
        balance += _heat_pump(programme, home.heat_pump, problem, one_way)
    if home.tank is not None:
        balance += _tank(programme, home.tank, problem, one_way)
    if home.appliances:
        balance += _appliances(programme, home.appliances, problem)
    programme.equal(steps, balance, -meter.fixed_kw)
    _soft_limit(
        programme, "import_excess", imports, meter.import_excess_kw, home.import_limit_kw, meter.taking_max_kw, problem,
        one_way,
    )  # fmt: skip
    _soft_limit(
        programme, "export_excess", exports, meter.export_excess_kw, home.export_limit_kw, meter.giving_max_kw, problem,
        one_way,
    )  # fmt: skip
    _charges(programme, imports, exports, problem)
    return programme


def _one_way(
    programme: LinearProgramme,
    pair: str,
    flow: Columns,
    opposite: Columns,
    flow_max: float | Floats,
    opposite_max: float | Floats,
    one_way: Mapping[str, Steps],
) -> None:
    """Binary variables that let one of two flows run; bounds are the flows' largest."""
    at = one_way.get(pair, NO_STEPS)
    if not len(at):
        return
    most, opposite_most = (np.broadcast_to(value, flow.shape)[at] for value in (flow_max, opposite_max))
    switch = programme.variables(f"{pair}_switch", len(at), upper=1.0, is_integer=True)
    programme.rows(len(at), [Term(flow[at], 1.0), Term(switch, -most)], upper=0.0)
    programme.rows(len(at), [Term(opposite[at], 1.0), Term(switch, opposite_most)], upper=opposite_most)


def _storage(energy: Columns, keep: float = 1.0) -> list[Term]:
    """``energy[t] - keep * energy[t - 1]``; the energy of the start belongs to the right-hand side."""
    return [Term(energy, 1.0), Term(energy[:-1], -keep, np.arange(1, len(energy)))]


def _battery(
    programme: LinearProgramme, battery: Battery, problem: HomeProblem, one_way: Mapping[str, Steps]
) -> list[Term]:
    steps, dt_h = problem.steps, problem.dt_h
    charge_max, discharge_max = span(battery, dt_h)
    ageing = wear(battery, dt_h)
    lower = np.full(steps, max(battery.energy_min_kwh, problem.reserve_kwh))
    worth = wear_by_energy(ageing, steps)
    worth[-1] -= problem.end_value_per_kwh
    if problem.end == "initial":
        lower[-1] = max(lower[-1], battery.energy_initial_kwh)
    charge = programme.variables("charge_kw", steps, upper=charge_max)
    discharge = programme.variables("discharge_kw", steps, upper=discharge_max, cost=ageing.per_discharge_kw)
    energy = programme.variables("battery_kwh", steps, lower=lower, upper=battery.energy_max_kwh, cost=worth)
    right = np.zeros(steps)
    right[0] = battery.energy_initial_kwh
    gain, drain = battery.efficiency_charge * dt_h, dt_h / battery.efficiency_discharge
    programme.equal(steps, [*_storage(energy), Term(charge, -gain), Term(discharge, drain)], right)
    _one_way(programme, "battery", charge, discharge, charge_max, discharge_max, one_way)
    return [Term(charge, 1.0), Term(discharge, -1.0)]


def _car(
    programme: LinearProgramme, car: ElectricCar, problem: HomeProblem, one_way: Mapping[str, Steps]
) -> list[Term]:
    steps, dt_h, battery = problem.steps, problem.dt_h, car.battery
    is_home, trip_kwh = problem.exogenous["car_is_home"], problem.exogenous["car_trip_kwh"]
    charge_max, discharge_max = (power * is_home for power in span(battery, dt_h))
    ageing = wear(battery, dt_h)
    lower = np.full(steps, battery.energy_min_kwh)
    if problem.car_end == "initial":
        lower[-1] = battery.energy_initial_kwh
    worth = wear_by_energy(ageing, steps)
    worth[-1] -= problem.end_value_per_kwh
    trips = np.flatnonzero(trip_kwh > 0)
    charge = programme.variables("car_charge_kw", steps, upper=charge_max)
    discharge = programme.variables(
        "car_discharge_kw", steps, upper=discharge_max, cost=ageing.per_discharge_kw
    )
    energy = programme.variables("car_kwh", steps, lower=lower, upper=battery.energy_max_kwh, cost=worth)
    public = programme.variables(
        "public_kwh", len(trips), upper=trip_kwh[trips], cost=car.public_price_per_kwh + ageing.per_kwh
    )
    right = -trip_kwh
    right[0] += battery.energy_initial_kwh
    gain, drain = battery.efficiency_charge * dt_h, dt_h / battery.efficiency_discharge
    programme.equal(
        steps,
        [*_storage(energy), Term(charge, -gain), Term(discharge, drain), Term(public, -1.0, trips)],
        right,
    )
    _one_way(programme, "car", charge, discharge, charge_max, discharge_max, one_way)
    _only_when_empty(
        programme, "public", public, trip_kwh[trips], energy[trips],
        (battery.energy_min_kwh, battery.energy_max_kwh), one_way,
    )  # fmt: skip
    return [Term(charge, 1.0), Term(discharge, -1.0)]


def _only_when_empty(
    programme: LinearProgramme,
    pair: str,
    bought: Columns,
    bought_max: Floats,
    energy: Columns,
    window_kwh: tuple[float, float],
    one_way: Mapping[str, Steps],
) -> None:
    """Binary variables that let a store buy only what brings it to its least energy."""
    at = one_way.get(pair, NO_STEPS)
    if not len(at):
        return
    least, most = window_kwh
    switch = programme.variables(f"{pair}_switch", len(at), upper=1.0, is_integer=True)
    programme.rows(len(at), [Term(bought[at], 1.0), Term(switch, -bought_max[at])], upper=0.0)
    programme.rows(len(at), [Term(energy[at], 1.0), Term(switch, most - least)], upper=most)


def _heat_pump(
    programme: LinearProgramme, pump: HeatPump, problem: HomeProblem, one_way: Mapping[str, Steps]
) -> list[Term]:
    steps, given = problem.steps, problem.exogenous
    house = house_step(problem)
    cooling_max = pump.power_max_kw if pump.is_cooling else 0.0
    cooling_cop = given["cooling_cop"] if pump.is_cooling else np.zeros(steps)
    heating = programme.variables("heating_power_kw", steps, upper=pump.power_max_kw)
    cooling = programme.variables("cooling_power_kw", steps, upper=cooling_max)
    lower = np.full(steps, -np.inf)
    if problem.house_end == "initial":
        lower[-1] = pump.initial_c
    air = programme.variables("air_c", steps, lower=lower)
    mass = programme.variables("mass_c", steps, lower=lower)
    per_k = pump.discomfort_price_per_kh * problem.dt_h
    too_cold = programme.variables("too_cold_k", steps, cost=per_k)
    too_warm = programme.variables("too_warm_k", steps, cost=per_k)
    later = np.arange(1, steps)
    for place, own in enumerate((air, mass)):
        right = house.drive[place].copy()
        right[0] += house.state[place].sum() * pump.initial_c
        programme.equal(
            steps,
            [
                Term(own, 1.0),
                Term(air[:-1], -house.state[place, 0], later),
                Term(mass[:-1], -house.state[place, 1], later),
                Term(heating, -house.per_kw[place] * given["heating_cop"]),
                Term(cooling, house.per_kw[place] * cooling_cop),
            ],
            right,
        )
    programme.rows(steps, [Term(air, 1.0), Term(too_cold, 1.0)], lower=given["low_c"])
    programme.rows(steps, [Term(air, 1.0), Term(too_warm, -1.0)], upper=given["high_c"])
    _one_way(programme, "heat_pump", heating, cooling, pump.power_max_kw, cooling_max, one_way)
    return [Term(heating, 1.0), Term(cooling, 1.0)]


def _tank(
    programme: LinearProgramme, tank: HotWaterTank, problem: HomeProblem, one_way: Mapping[str, Steps]
) -> list[Term]:
    steps = problem.steps
    water = tank_step(problem)
    lower = np.full(steps, tank.heat_min_kwh)
    if problem.tank_end == "initial":
        lower[-1] = tank.heat_initial_kwh
    worth = np.zeros(steps)
    worth[-1] = -problem.end_value_per_kwh / tank.cop
    power = programme.variables("tank_kw", steps, upper=tank.power_max_kw)
    energy = programme.variables("tank_kwh", steps, lower=lower, upper=tank.heat_max_kwh, cost=worth)
    boost = programme.variables("boost_kwh", steps, upper=water.boost_max_kwh, cost=tank.boost_price_per_kwh)
    right = water.drive.copy()
    right[0] += water.keep * tank.heat_initial_kwh
    programme.equal(
        steps, [*_storage(energy, water.keep), Term(power, -water.per_kw), Term(boost, -1.0)], right
    )
    _only_when_empty(
        programme,
        "boost",
        boost,
        water.boost_max_kwh,
        energy,
        (tank.heat_min_kwh, tank.heat_max_kwh),
        one_way,
    )
    return [Term(power, 1.0)]


def _appliances(
    programme: LinearProgramme, appliances: tuple[Appliance, ...], problem: HomeProblem
) -> list[Term]:
    found = runs(problem)
    starts = programme.variables("is_start", len(found.start), upper=1.0, is_integer=True)
    programme.rows(
        len(found.is_required),
        [Term(starts, 1.0, found.request)],
        lower=np.where(found.is_required, 1.0, 0.0),
        upper=1.0,
    )
    return [Term(starts[found.entry_option], found.entry_kw, found.entry_step)]


def _soft_limit(
    programme: LinearProgramme,
    name: str,
    flow: Columns,
    excess_max: Floats,
    limit_kw: float | None,
    yielding_max: Floats,
    problem: HomeProblem,
    one_way: Mapping[str, Steps],
) -> None:
    """What exceeds a limit is paid for, only where it can; binary variables stop what gives way before that."""
    at = np.flatnonzero(excess_max > 0)
    if limit_kw is None or not len(at):
        return
    excess = programme.variables(
        f"{name}_kw", len(at), upper=excess_max[at], cost=problem.limit_penalty_per_kwh * problem.dt_h
    )
    programme.rows(len(at), [Term(flow[at], 1.0), Term(excess, -1.0)], upper=limit_kw)
    some = one_way.get(name, NO_STEPS)
    if not len(some):
        return
    steps = at[some]
    switch = programme.variables(f"{name}_switch", len(some), upper=1.0, is_integer=True)
    programme.rows(len(some), [Term(excess[some], 1.0), Term(switch, -excess_max[steps])], upper=0.0)
    yielding = [
        Term(programme.columns[part][steps], 1.0) for part in GIVES_WAY[name] if part in programme.columns
    ]
    most = yielding_max[steps]
    programme.rows(len(some), [*yielding, Term(switch, most)], upper=most)


def _charges(programme: LinearProgramme, imports: Columns, exports: Columns, problem: HomeProblem) -> None:
    """What a month's energy and highest power add to the bill."""
    tariff, dt_h, month, count = problem.home.tariff, problem.dt_h, problem.month, problem.month_count
    for place, block in enumerate(tariff.blocks):
        above = programme.variables(f"above_{place}_kwh", count, cost=block.extra_per_kwh)
        programme.rows(
            count, [Term(imports, dt_h, month), Term(above, -1.0)], upper=block.above_kwh_per_month
        )
    is_spared, charge = charged_export(problem)
    if is_spared.any():
        charged = programme.variables("charged_export_kwh", count, cost=charge)
        programme.rows(
            count,
            [Term(exports[is_spared], dt_h, month[is_spared]), Term(charged, -1.0)],
            upper=tariff.export_allowance_kwh_per_month,
        )
    for place, peak in enumerate(peaks(problem)):
        highest = programme.variables(f"peak_{place}_kw", count)
        billed = programme.variables(
            f"billed_{place}_kw", len(peak.month), lower=peak.minimum_kw, cost=peak.price_per_kw
        )
        share = 1.0 / peak.steps_per_interval
        programme.rows(
            len(peak.interval_month),
            [Term(imports[peak.step], share, peak.interval), Term(highest[peak.interval_month], -1.0)],
            upper=0.0,
        )
        pairs = np.arange(len(peak.pairs))
        programme.rows(
            len(pairs),
            [Term(highest[peak.pairs[:, 1]], 1.0), Term(billed[peak.pairs[:, 0]], -1.0, pairs)],
            upper=0.0,
        )
