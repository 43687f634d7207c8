"""Random problems of homes with any devices, for the tests of the optimisers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hidiff.adapters.home_problem import HomeProblem
from hidiff.envs import core
from hidiff.envs.meter import meter_step, start_meter
from hidiff.envs.ops import FLOATS
from hidiff.home import Appliance, Battery, ElectricCar, HeatPump, Home, HotWaterTank
from hidiff.tariff import Block, DemandCharge, Period, Tariff

DEVICES = ("battery", "car", "heat_pump", "tank", "appliances")
TARIFFS = ("time of use", "spot", "demand", "rolling demand", "blocks", "two-way")


def tariff_of(kind: str) -> Tariff:
    if kind == "spot":
        return Tariff.wholesale(0.05)
    if kind == "demand":
        return Tariff.with_demand(0.8)
    if kind == "rolling demand":
        peak = DemandCharge(
            price_per_kw=0.4, start_h=7, end_h=21, months_back=2, minimum_kw=0.5, interval_h=1.0
        )
        return replace(Tariff.time_of_use(), demand=(peak, replace(peak, months_back=1, days="weekday")))
    if kind == "blocks":
        blocks = (
            Block(above_kwh_per_month=10.0, extra_per_kwh=0.05),
            Block(above_kwh_per_month=25.0, extra_per_kwh=0.1),
        )
        return replace(Tariff.time_of_use(), blocks=blocks)
    if kind == "two-way":
        return Tariff.two_way_export(0.02, allowance_kwh_per_month=2.0)
    return replace(Tariff.time_of_use(), export_periods=(Period(price_per_kwh=0.12, start_h=17, end_h=20),))


def random_problem(
    seed: int, devices: tuple[str, ...] = DEVICES, tariff: str = "time of use", **conditions: Any
) -> HomeProblem:
    """Thirty hours around the end of a month."""
    random = np.random.default_rng(seed)
    dt_h = random.choice([0.5, 1.0])
    steps = round(30 / dt_h)
    time = pd.date_range("2030-01-31 01:00", periods=steps, freq=pd.Timedelta(hours=dt_h), tz="UTC")
    hour = (12 + np.arange(steps) * dt_h) % 24  # of the clock in Sydney
    sun = np.maximum(np.sin((hour - 6) / 12 * np.pi), 0)
    given: dict[str, np.ndarray] = {
        "load_kw": random.gamma(1.5, 0.5, steps),
        "pv_kw": sun * random.uniform(0, 6) * random.uniform(0.5, 1, steps),
    }
    parts: dict[str, Any] = {"battery": None}
    if "battery" in devices:
        efficiency = random.uniform(0.85, 1.0)
        parts["battery"] = Battery(
            capacity_kwh=random.uniform(2, 14), charge_max_kw=random.uniform(1, 6), soc_min=0.05, soc_max=0.95,
            efficiency_charge=efficiency, efficiency_discharge=efficiency, standby_kw=0.02, state_of_health=0.9,
            cycle_fade=5e-5, calendar_fade_per_year=0.02, calendar_fade_soc_slope=0.5,
            replacement_cost=random.uniform(0, 8000),
        )  # fmt: skip
    if "car" in devices:
        given["car_is_home"] = ((hour < 8) | (hour >= 17)).astype(float)
        given["car_trip_kwh"] = np.where(hour == 8, random.uniform(3, 16), 0.0)
        parts["car"] = ElectricCar(
            battery=Battery(
                capacity_kwh=random.uniform(15, 60), charge_max_kw=7.4, discharge_max_kw=random.choice([0.0, 5.0]),
                efficiency_charge=0.92, efficiency_discharge=0.92, soc_min=0.1, soc_max=0.9, soc_initial=0.35,
                cycle_fade=5e-5, calendar_fade_per_year=0.02, calendar_fade_soc_slope=0.3, replacement_cost=9000,
            ),
            public_price_per_kwh=random.choice([0.15, 0.8]),
        )  # fmt: skip
    if "heat_pump" in devices:
        given["outdoor_c"] = random.uniform(2, 28) + 6 * np.sin((hour - 9) / 12 * np.pi)
        given["heating_cop"] = 2.5 + 0.05 * given["outdoor_c"]
        given["cooling_cop"] = 5.0 - 0.06 * given["outdoor_c"]
        given["low_c"] = np.where((hour >= 22) | (hour < 6), 17.0, 20.0)
        given["high_c"] = np.full(steps, 25.0)
        given["heat_gain_kw"] = 0.2 + 2 * sun
        parts["heat_pump"] = HeatPump(discomfort_price_per_kh=random.uniform(0.02, 0.5))
    if "tank" in devices:
        given["hot_water_kw"] = np.where(np.isin(hour, [7, 19]), random.uniform(1, 6), 0.0)
        parts["tank"] = HotWaterTank(
            cop=random.choice([1.0, 3.0]), boost_price_per_kwh=random.choice([0.1, 1.0])
        )
    if "appliances" in devices:
        machines = (
            Appliance(),
            Appliance(name="washer", power_kw=1.6, duration_h=1.25, earliest_h=8, latest_h=18),
        )
        parts["appliances"] = machines
        given["appliance_request"] = (
            np.stack([hour == machine.earliest_h for machine in machines], axis=1) * 1.0
        )
    if random.random() < 0.5:
        parts["export_limit_kw"] = random.uniform(0.5, 3)
    home = Home(tariff=tariff_of(tariff), pv_curtailable=bool(random.random() < 0.85), **parts)
    if tariff == "spot":
        conditions["wholesale_per_kwh"] = 0.1 + 0.15 * np.sin(hour / 3) + random.normal(0, 0.05, steps)
    free = {name: "free" for name in ("end", "car_end", "tank_end") if random.random() < 0.5}
    conditions = {"limits": "soft", "end_value_per_kwh": 0.2, "co2_price_per_kg": 0.05, **free, **conditions}
    given["co2_g_per_kwh"] = random.uniform(200, 800, steps)
    return HomeProblem(home=home, time=time, exogenous=given, **conditions)


def run_in_core(problem: HomeProblem, actions_kw: dict[str, np.ndarray]) -> dict[str, Any]:
    """The actions carried out by the environment's own core: its outcome, and what each item sums to."""
    home, dt_h, prices = problem.parameters, problem.dt_h, problem.prices
    nothing = np.zeros(problem.steps)
    state, meter = core.start(home), start_meter(problem.home.tariff)
    start_kwh = _stored_kwh(state, home)
    totals = dict.fromkeys(
        ("cost", "wear_cost", "service_cost", "discomfort_cost", "penalty", "aim_cost"), 0.0
    )
    rows = []
    for t in range(problem.steps):
        given = {
            name: float(values[t])
            for name, values in problem.exogenous.items()
            if name in core.Exogenous._fields and name != "appliance_request"
        }
        given |= {
            "import_price": float(prices.import_price[t]),
            "export_price": float(prices.export_price[t]),
        }
        requests = problem.exogenous.get("appliance_request", np.zeros((problem.steps, 0)))[t]
        outside = core.Exogenous(**given, appliance_request=tuple(requests.tolist()))
        powers = [float(actions_kw.get(name, nothing)[t]) for name in ("battery", "car", "heat_pump", "tank")]
        starts = tuple(
            float(actions_kw[f"appliance_{place}"][t]) for place in range(len(problem.home.appliances))
        )
        state, happened = core.step(state, core.Request(*powers, starts), outside, home, dt_h, FLOATS)
        meter, cost = meter_step(
            meter, happened.import_kw, happened.export_kw, outside.import_price, outside.export_price,
            float(prices.is_month_start[t]), prices.in_demand_window[:, t].tolist(), problem.home.tariff, dt_h, FLOATS,
        )  # fmt: skip
        totals["cost"] += cost
        for name in ("wear_cost", "service_cost", "discomfort_cost"):
            totals[name] += getattr(happened, name)
        totals["penalty"] += problem.limit_penalty_per_kwh * happened.excess_kw * dt_h
        totals["aim_cost"] += float(problem.import_aim[t]) * happened.import_kw * dt_h
        rows.append(happened._asdict())
    totals["end_value"] = problem.end_value_per_kwh * (_stored_kwh(state, home) - start_kwh)
    return {"totals": totals, "record": {name: np.array([row[name] for row in rows]) for name in rows[0]}}


def _stored_kwh(state: core.State, home: Any) -> float:
    return float(state.battery_kwh + state.car_kwh + (state.tank_kwh / home.tank.cop if home.tank else 0.0))
