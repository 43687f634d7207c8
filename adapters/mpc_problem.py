"""A horizon of an episode as a `HomeProblem`, begun from what the devices and the meter are at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from hidiff.envs.core import Request
from hidiff.envs.meter import MeterState
from hidiff.envs.physics.heat_pump import AIR_SHARE
from hidiff.envs.rules import HomeState
from hidiff.home import Appliance, Battery, Home
from hidiff.tariff import Tariff

from .home_problem import NEEDED, PRICES, Floats, HomeProblem
from .home_schedule import Schedule


def horizon_problem(
    home: Home,
    state: HomeState,
    meter: MeterState,
    time: pd.DatetimeIndex,
    series: Mapping[str, Floats],
    *,
    time_zone: str,
    end_value_per_kwh: float,
    limit_penalty_per_kwh: float,
    wholesale_per_kwh: Floats | None = None,
) -> HomeProblem:
    """The problem of the steps of ``time``, begun from ``state``.

    Args:
        meter: what the tariff has counted in the month: peaks and energies already paid for cost nothing more.
        series: what the steps bring or are thought to bring, ``(step,)``, by the names of `hidiff.envs.core.Exogenous`.
        wholesale_per_kwh: of the steps, for a tariff that counts months and follows it.
    """
    given = {name: np.array(series[name], float) for name in ("load_kw", "pv_kw")}
    if home.tariff.is_energy_only:
        given |= {name: np.array(series[name], float) for name in PRICES}
    for device, names in NEEDED.items():
        if getattr(home, device) is not None:
            given |= {name: np.array(series[name], float) for name in names}
    if home.heat_pump is not None and home.heat_pump.is_cooling:
        given["cooling_cop"] = np.array(series["cooling_cop"], float)
    begun = replace(home, tariff=_begun_month(home.tariff, meter))
    if home.battery is not None:
        begun = replace(begun, battery=_filled(home.battery, state.energy_kwh))
    if home.car is not None:
        battery = _filled(home.car.battery, state.state.car_kwh)
        begun = replace(begun, car=replace(home.car, battery=battery))
    if home.tank is not None:
        tank = home.tank
        water_c = tank.cold_water_c + state.state.tank_kwh / tank.kwh_per_k
        water_c = min(max(water_c, tank.temperature_min_c), tank.temperature_max_c)
        begun = replace(begun, tank=replace(tank, temperature_initial_c=water_c))
    if home.heat_pump is not None:
        begun = replace(begun, heat_pump=replace(home.heat_pump, initial_c=state.state.air_c))
        _warmed(state, given)
    if home.appliances:
        machines, requests = _machines(home, state, series["appliance_request"], given["load_kw"])
        begun = replace(begun, appliances=machines)
        given["appliance_request"] = requests
    return HomeProblem(
        home=begun, time=time, exogenous=given, time_zone=time_zone, end="free", car_end="free", tank_end="free",
        appliances_end="free", limits="soft", end_value_per_kwh=end_value_per_kwh,
        limit_penalty_per_kwh=limit_penalty_per_kwh,
        wholesale_per_kwh=None if home.tariff.is_energy_only else wholesale_per_kwh,
    )  # fmt: skip


def first_request(schedule: Schedule, home: Home, state: HomeState) -> Request:
    """What a schedule of `horizon_problem` asks of the devices in its first step."""
    now = {name: float(kw[0]) for name, kw in schedule.actions_kw.items()}
    starts = [now.get(f"appliance_{place}", 0.0) for place in range(len(home.appliances))]
    for extra, place in enumerate(_waiting(state)):
        starts[place] = now.get(f"appliance_{len(home.appliances) + extra}", 0.0)
    return Request(
        now.get("battery", 0.0),
        now.get("car", 0.0),
        now.get("heat_pump", 0.0),
        now.get("tank", 0.0),
        tuple(starts),
    )


def _begun_month(tariff: Tariff, meter: MeterState) -> Tariff:
    """The tariff of what is left of a month: what it has charged for, or given away, is done."""
    demand = [
        replace(charge, minimum_kw=max(charge.minimum_kw, float(seen.billed_kw)))
        for charge, seen in zip(tariff.demand, meter.demand, strict=True)
    ]
    blocks = [
        replace(block, above_kwh_per_month=max(block.above_kwh_per_month - float(meter.import_kwh), 0.0))
        for block in tariff.blocks
    ]
    allowance_kwh = max(tariff.export_allowance_kwh_per_month - float(meter.charged_export_kwh), 0.0)
    return replace(
        tariff, demand=tuple(demand), blocks=tuple(blocks), export_allowance_kwh_per_month=allowance_kwh
    )


def _filled(battery: Battery, energy_kwh: float) -> Battery:
    soc = min(max(energy_kwh / battery.usable_kwh, battery.soc_min), battery.soc_max)
    return replace(battery, soc_initial=soc)


def _warmed(state: HomeState, given: dict[str, Floats]) -> None:
    """Let outdoor air and gains of the first step make up for a structure that is not as warm as the air.

    The problem begins with both at ``air_c``; the two numbers are those that lead to the same air and structure at
    the end of the step.
    """
    house, now = state.home.heat_pump, state.state
    per_gain = [
        AIR_SHARE * house.air_per_kw + (1 - AIR_SHARE) * house.air_per_mass_kw,
        AIR_SHARE * house.mass_per_air_kw + (1 - AIR_SHARE) * house.mass_per_kw,
    ]
    drive = np.array([[house.air_from_outdoor, per_gain[0]], [house.mass_from_outdoor, per_gain[1]]])
    lack = np.array([house.air_from_mass, house.mass_from_mass]) * (now.mass_c - now.air_c)
    outdoor_k, gain_kw = np.linalg.solve(drive, lack)
    given["outdoor_c"][0] += outdoor_k
    given["heat_gain_kw"][0] += gain_kw


def _waiting(state: HomeState) -> list[int]:
    """Machines that were filled before this step and have not started."""
    asked = state.outside.appliance_request
    return [
        place for place, slack_h in enumerate(state.state.waiting_h) if slack_h >= 0 and not asked[place] > 0
    ]


def _machines(
    home: Home, state: HomeState, requests: Floats, load_kw: Floats
) -> tuple[tuple[Appliance, ...], Floats]:
    """The home's machines and a copy of each that waits, with the window that is left; those that run join the load."""
    machines, columns, dt_h = list(home.appliances), list(np.array(requests, float).T), state.dt_h
    ahead_h = dt_h * np.arange(len(load_kw))
    for machine, running_h in zip(home.appliances, state.state.running_h, strict=True):
        load_kw += machine.power_kw * np.clip(running_h - ahead_h, 0.0, dt_h) / dt_h
    for place in _waiting(state):
        left_h = min(home.appliances[place].duration_h + state.state.waiting_h[place], 24.0)
        machines.append(replace(home.appliances[place], earliest_h=0.0, latest_h=left_h))
        columns.append(np.append(1.0, np.zeros(len(load_kw) - 1)))
    return tuple(machines), np.stack(columns, axis=1)
