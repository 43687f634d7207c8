"""What both models of a home need in numbers: bounds, the exact steps of house and tank, runs of machines, charges."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hidiff.envs.meter import INTERVAL_TOLERANCE_H
from hidiff.envs.physics.appliance import ROUNDING_H
from hidiff.envs.physics.battery import HOURS_PER_YEAR, power_span
from hidiff.envs.physics.heat_pump import AIR_SHARE
from hidiff.home import Battery

from .home_problem import HomeProblem

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Connection(NamedTuple):
    """Bounds at the meter, ``(step,)`` [kW]: finite, so that the relaxation has a bound at any price, and tight, so
    that a search with binary variables is short."""

    fixed_kw: Floats
    """Load and standby."""
    must_run_kw: Floats
    """Generation that cannot be turned down."""
    import_max_kw: Floats
    export_max_kw: Floats
    import_excess_kw: Floats
    """By how much import may exceed a soft limit: what the load alone exceeds it by; 0 where the limit is hard."""
    export_excess_kw: Floats
    taking_max_kw: Floats
    """Most that devices which give way at the import limit draw together."""
    giving_max_kw: Floats
    """Most that stores feed in together, which give way at the export limit."""


GIVES_WAY = {
    "import_excess": ("charge_kw", "car_charge_kw", "heating_power_kw", "cooling_power_kw", "tank_kw"),
    "export_excess": ("discharge_kw", "car_discharge_kw"),
}
"""Flows that stop before a soft limit is exceeded."""


def connection(problem: HomeProblem) -> Connection:
    """Bounds of the exchange with the grid."""
    home, given = problem.home, problem.exogenous
    pv_kw = given["pv_kw"]
    fixed_kw = given["load_kw"] + (home.battery.standby_kw if home.battery else 0.0)
    must_run_kw = np.zeros_like(pv_kw) if home.pv_curtailable else pv_kw
    machines_kw = sum(machine.power_kw for machine in home.appliances)
    charge_kw, discharge_kw = span(home.battery, problem.dt_h)
    car_charge_kw, car_discharge_kw = span(problem.car_battery, problem.dt_h)
    is_home = given.get("car_is_home", np.zeros(problem.steps))
    pump_kw = home.heat_pump.power_max_kw if home.heat_pump else 0.0
    tank_kw = home.tank.power_max_kw if home.tank else 0.0
    taking_kw = charge_kw + car_charge_kw * is_home + pump_kw + tank_kw
    giving_kw = discharge_kw + car_discharge_kw * is_home
    most_kw, least_kw = fixed_kw + machines_kw + taking_kw, fixed_kw - giving_kw
    import_limit = math.inf if home.import_limit_kw is None else home.import_limit_kw
    export_limit = math.inf if home.export_limit_kw is None else home.export_limit_kw
    import_excess_kw = export_excess_kw = np.zeros(problem.steps)
    if problem.limits == "soft":
        import_excess_kw = np.maximum(fixed_kw + machines_kw - pv_kw - import_limit, 0.0)
        export_excess_kw = np.maximum(must_run_kw - fixed_kw - export_limit, 0.0)
    return Connection(
        fixed_kw=fixed_kw,
        must_run_kw=must_run_kw,
        import_max_kw=np.maximum(np.minimum(import_limit + import_excess_kw, most_kw - must_run_kw), 0.0),
        export_max_kw=np.maximum(np.minimum(export_limit + export_excess_kw, pv_kw - least_kw), 0.0),
        import_excess_kw=import_excess_kw,
        export_excess_kw=export_excess_kw,
        taking_max_kw=taking_kw,
        giving_max_kw=giving_kw,
    )


def span(battery: Battery | None, dt_h: float) -> tuple[float, float]:
    """Largest charge and discharge power, 0 without a battery [kW]."""
    return (0.0, 0.0) if battery is None else power_span(battery, dt_h=dt_h)


class Wear(NamedTuple):
    """Cost of ageing as a linear function [currency]."""

    per_discharge_kw: float
    """Of a step at 1 kW out of the terminals."""
    per_kwh: float
    """Of a kWh in store at either end of a step."""
    constant: float
    """Of a step with an empty store."""


def wear(battery: Battery, dt_h: float) -> Wear:
    """Cost of the fade by energy taken out, and by time and charge."""
    price = battery.replacement_cost / battery.end_of_life_fade
    by_time = price * battery.calendar_fade_per_year * dt_h / HOURS_PER_YEAR
    slope = battery.calendar_fade_soc_slope
    return Wear(
        per_discharge_kw=price
        * battery.cycle_fade
        * dt_h
        / (battery.efficiency_discharge * battery.usable_kwh),
        per_kwh=by_time * slope / battery.usable_kwh,
        constant=by_time * (1.0 - slope),
    )


def wear_by_energy(found: Wear, steps: int) -> Floats:
    """Cost of a kWh in store at the end of each step, which is the start of the next one as well, ``(step,)``."""
    return found.per_kwh * np.append(np.full(steps - 1, 2.0), 1.0)


class HouseStep(NamedTuple):
    """``x' = state @ x + drive + per_kw * heat``, ``x`` air and structure [deg C]."""

    state: Floats
    """``(2, 2)``"""
    drive: Floats
    """What outdoor air and gains bring, ``(2, step)`` [K]."""
    per_kw: Floats
    """Of heat into the air, ``(2,)`` [K/kW]."""


def house_step(problem: HomeProblem) -> HouseStep:
    """Exact step of the house behind the heat pump."""
    house, given = problem.parameters.heat_pump, problem.exogenous
    air_kw, mass_kw = AIR_SHARE * given["heat_gain_kw"], (1 - AIR_SHARE) * given["heat_gain_kw"]
    air_drive = (
        house.air_from_outdoor * given["outdoor_c"]
        + house.air_per_kw * air_kw
        + house.air_per_mass_kw * mass_kw
    )
    mass_drive = (
        house.mass_from_outdoor * given["outdoor_c"]
        + house.mass_per_air_kw * air_kw
        + house.mass_per_kw * mass_kw
    )
    return HouseStep(
        state=np.array(
            [[house.air_from_air, house.air_from_mass], [house.mass_from_air, house.mass_from_mass]]
        ),
        drive=np.stack([air_drive, mass_drive]),
        per_kw=np.array([house.air_per_kw, house.mass_per_air_kw]),
    )


class TankStep(NamedTuple):
    """``E' = keep * E + drive + per_kw * power``."""

    keep: float
    drive: Floats
    """What draw and standing loss take, ``(step,)`` [kWh]."""
    per_kw: float
    """Of electric power [kWh/kW]."""
    boost_max_kwh: Floats
    """What a tank at its least heat lacks, ``(step,)`` [kWh]."""


def tank_step(problem: HomeProblem) -> TankStep:
    """Exact step of the hot-water tank."""
    tank = problem.parameters.tank
    drive = -tank.act_h * (problem.exogenous["hot_water_kw"] + tank.standing_kw)
    lack_kwh = np.maximum(tank.heat_min_kwh * (1 - tank.keep) - drive, 0.0)
    return TankStep(tank.keep, drive, tank.act_h * tank.cop, lack_kwh)


class Runs(NamedTuple):
    """The ways in which requests of machines can be served; an option is one start of one run."""

    appliance: Integers
    """Of each option; likewise ``start`` and ``request``."""
    start: Integers
    """Step that the run begins on."""
    request: Integers
    is_required: NDArray[np.bool_]
    """Of each request: whether it must be served before the end."""
    entry_option: Integers
    """Steps of runs: option, step and mean power, one entry a step."""
    entry_step: Integers
    entry_kw: Floats


def runs(problem: HomeProblem) -> Runs:
    """All starts of all requests.

    Raises:
        ValueError: a request that cannot be served before the next one.
    """
    steps, dt_h = problem.steps, problem.dt_h
    options: list[tuple[int, int, int]] = []
    required: list[bool] = []
    entries: list[NDArray[np.float64]] = []
    for place, machine in enumerate(problem.home.appliances):
        length = math.ceil(machine.duration_h / dt_h - ROUNDING_H)
        slack = math.floor((machine.window_h - machine.duration_h) / dt_h + ROUNDING_H)
        on_h = np.minimum(machine.duration_h - dt_h * np.arange(length), dt_h)
        requests = np.flatnonzero(problem.exogenous["appliance_request"][:, place] > 0)
        followers = np.append(requests, 2 * steps + length)[1:]
        for first, following in zip(requests, followers, strict=True):
            starts = np.arange(first, min(first + slack, following - length) + 1)
            if not len(starts):
                raise ValueError(
                    f"appliance_request asks for {machine.name!r} at steps {first} and {following}, but a run takes "
                    f"{length} steps; leave more time between"
                )
            must = bool(first + slack < steps)
            if problem.appliances_end == "initial" and first + length <= steps:
                starts, must = starts[starts + length <= steps], True
            for start in starts[starts < steps].tolist():
                cut = min(length, steps - start)
                entries.append(
                    np.column_stack(
                        [
                            np.full(cut, len(options)),
                            start + np.arange(cut),
                            machine.power_kw * on_h[:cut] / dt_h,
                        ]
                    )
                )
                options.append((place, start, len(required)))
            required.append(must)
    table = np.array(options, np.int64).reshape(-1, 3)
    rows = np.concatenate([*entries, np.empty((0, 3))])
    return Runs(
        appliance=table[:, 0],
        start=table[:, 1],
        request=table[:, 2],
        is_required=np.array(required, bool),
        entry_option=rows[:, 0].astype(np.int64),
        entry_step=rows[:, 1].astype(np.int64),
        entry_kw=rows[:, 2],
    )


class Peak(NamedTuple):
    """One demand charge: intervals whose mean import is measured, and what months pay for them."""

    price_per_kw: float
    minimum_kw: float
    step: Integers
    """Measured steps; ``interval`` is the row of each one's interval."""
    interval: Integers
    interval_month: Integers
    """Month that each interval belongs to."""
    steps_per_interval: int
    month: Integers
    """Months that are charged."""
    pairs: Integers
    """``(pair, 2)``: a place in ``month``, and a month whose highest power it is charged for."""


def peaks(problem: HomeProblem) -> list[Peak]:
    """The tariff's demand charges."""
    found = []
    for charge, is_in in zip(problem.home.tariff.demand, problem.prices.in_demand_window, strict=True):
        if charge.price_per_kw == 0:
            continue
        length = max(math.ceil((charge.interval_h - INTERVAL_TOLERANCE_H) / problem.dt_h), 1)
        whole = problem.steps // length * length  # an interval that the end cuts off has no mean
        step = np.flatnonzero(is_in[:whole] > 0)
        row, interval = np.unique(step // length, return_inverse=True)
        months = np.unique(problem.month[is_in > 0])
        pairs = [
            (place, month - back)
            for place, month in enumerate(months)
            for back in range(charge.months_back)
            if month >= back
        ]
        found.append(
            Peak(
                charge.price_per_kw,
                charge.minimum_kw,
                step,
                interval,
                problem.month[row * length + length - 1],
                length,
                months,
                np.array(pairs, np.int64).reshape(-1, 2),
            )
        )
    return found


def charged_export(problem: HomeProblem) -> tuple[NDArray[np.bool_], Floats]:
    """Steps whose export the allowance may spare, and the charge of each month [currency/kWh]."""
    price = problem.prices.export_price
    is_spared = (price < 0) & (problem.home.tariff.export_allowance_kwh_per_month > 0)
    charge = np.zeros(problem.month_count)
    np.maximum.at(charge, problem.month[is_spared], -price[is_spared])
    return is_spared, charge


def fixed_cost(problem: HomeProblem) -> float:
    """What the aim holds whatever is decided: daily charge, ageing by time, energy held at the start [currency]."""
    home = problem.home
    cost = home.tariff.daily_charge * problem.steps * problem.dt_h / 24
    for battery in (home.battery, problem.car_battery):
        if battery is not None:
            found = wear(battery, problem.dt_h)
            cost += found.constant * problem.steps + found.per_kwh * battery.energy_initial_kwh
            cost += problem.end_value_per_kwh * battery.energy_initial_kwh
    if home.car is not None:
        cost -= wear(home.car.battery, problem.dt_h).per_kwh * problem.exogenous["car_trip_kwh"].sum()
    if home.tank is not None:
        cost += problem.end_value_per_kwh * home.tank.heat_initial_kwh / home.tank.cop
    return float(cost)
