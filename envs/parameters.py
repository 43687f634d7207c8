"""What the core needs to know of homes, under the names of their configuration: floats of one, arrays of many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hidiff.home import Appliance, Battery, ElectricCar, HeatPump, Home, HotWaterTank
from hidiff.rc_house import RCHouse, exact_step

from .physics.battery import power_span

Floats = NDArray[np.float64]
Like = Callable[[Floats], Any]
"""Brings an array ``(home,)`` to where the core computes, such as ``torch.from_numpy``."""


def one_home(home: Home, *, dt_h: float) -> SimpleNamespace:
    """Parameters of a single home as plain floats."""
    return many_homes([home], dt_h=dt_h, like=lambda values: values[0].item())


def many_homes(homes: Sequence[Home], *, dt_h: float, like: Like) -> SimpleNamespace:
    """Parameters of homes that are stepped together; a device is None where no home has it.

    A home without a device that another one has gets one without any power. Machines are matched by their place
    in ``Home.appliances``.
    """
    machines = max(len(home.appliances) for home in homes)
    places = [
        [home.appliances[place] if place < len(home.appliances) else None for home in homes]
        for place in range(machines)
    ]
    batteries = [home.battery for home in homes]
    standby_kw = np.array([battery.standby_kw if battery else 0.0 for battery in batteries])
    curtailable = [home.pv_curtailable for home in homes]
    return SimpleNamespace(
        battery=_batteries(batteries, dt_h, like),
        car=_cars([home.car for home in homes], dt_h, like),
        heat_pump=_heat_pumps([home.heat_pump for home in homes], dt_h, like),
        tank=_tanks([home.tank for home in homes], dt_h, like),
        appliances=[_appliances(place, like) for place in places],
        standby_kw=like(standby_kw) if standby_kw.any() else 0.0,
        has_import_limit=any(home.import_limit_kw is not None for home in homes),
        has_export_limit=any(home.export_limit_kw is not None for home in homes),
        import_limit_kw=like(_limits([home.import_limit_kw for home in homes])),
        export_limit_kw=like(_limits([home.export_limit_kw for home in homes])),
        store_efficiency=like(np.array([_store_efficiency(home) for home in homes])),
        pv_curtailable=True if all(curtailable) else like(np.array(curtailable)),
    )


def _store_efficiency(home: Home) -> float:
    """Share of a stored kWh that can be used: what it is worth at the end of an episode."""
    store = home.battery or (home.car.battery if home.car else None)
    return store.efficiency_discharge if store else 1.0


def _limits(limits_kw: Sequence[float | None]) -> Floats:
    return np.array([math.inf if limit is None else limit for limit in limits_kw], float)


def _arrays(rows: Sequence[dict[str, float]], like: Like, **shared: Any) -> SimpleNamespace:
    names = rows[0].keys()
    return SimpleNamespace(**{name: like(np.array([row[name] for row in rows])) for name in names}, **shared)


def _batteries(batteries: Sequence[Battery | None], dt_h: float, like: Like) -> SimpleNamespace | None:
    if not any(batteries):
        return None
    nothing = Battery(capacity_kwh=1.0, charge_max_kw=0.0, discharge_max_kw=0.0, soc_initial=0.0)
    rows = []
    for battery in (battery or nothing for battery in batteries):
        charge_span_kw, discharge_span_kw = power_span(battery, dt_h=dt_h)
        rows.append(
            {
                "charge_max_kw": battery.charge_max_kw,
                "discharge_max_kw": battery.discharge_max_kw,
                "charge_span_kw": charge_span_kw,
                "discharge_span_kw": discharge_span_kw,
                "efficiency_charge": battery.efficiency_charge,
                "efficiency_discharge": battery.efficiency_discharge,
                "loss_per_kw": battery.loss_per_kw,
                "soc_loss": battery.soc_loss,
                "usable_kwh": battery.usable_kwh,
                "energy_min_kwh": battery.energy_min_kwh,
                "energy_max_kwh": battery.energy_max_kwh,
                "energy_initial_kwh": battery.energy_initial_kwh,
                "cycle_fade": battery.cycle_fade,
                "calendar_fade_per_year": battery.calendar_fade_per_year,
                "calendar_fade_soc_slope": battery.calendar_fade_soc_slope,
                "cost_of_fade": battery.replacement_cost / battery.end_of_life_fade,
            }
        )
    present = [battery for battery in batteries if battery]
    ages = any(battery.cycle_fade or battery.calendar_fade_per_year for battery in present)
    return _arrays(rows, like, is_linear=all(battery.is_linear for battery in present), ages=ages)


def _cars(cars: Sequence[ElectricCar | None], dt_h: float, like: Like) -> SimpleNamespace | None:
    found = _batteries([car.battery if car else None for car in cars], dt_h, like)
    if found is not None:
        found.public_price_per_kwh = like(
            np.array([car.public_price_per_kwh if car else 0.0 for car in cars])
        )
    return found


def _heat_pumps(pumps: Sequence[HeatPump | None], dt_h: float, like: Like) -> SimpleNamespace | None:
    if not any(pumps):
        return None
    some = [pump or HeatPump() for pump in pumps]
    names = (
        "air_to_outdoor_kw_per_k", "air_to_mass_kw_per_k", "mass_to_outdoor_kw_per_k", "air_kwh_per_k", "mass_kwh_per_k",
    )  # fmt: skip
    houses = RCHouse(**{name: np.array([getattr(pump.house, name) for pump in some]) for name in names})
    state, force = exact_step(houses, dt_h)
    rows = [
        {
            "power_max_kw": pump.power_max_kw if pump else 0.0,
            "cooling_max_kw": pump.power_max_kw if pump and pump.is_cooling else 0.0,
            "initial_c": pump.initial_c if pump else HeatPump().initial_c,
            "discomfort_price_per_kh": pump.discomfort_price_per_kh if pump else 0.0,
            "exists": float(pump is not None),
        }
        for pump in pumps
    ]
    return _arrays(
        rows,
        like,
        air_from_air=like(state[0, 0]),
        air_from_mass=like(state[0, 1]),
        air_from_outdoor=like(force[0, 0]),
        air_per_kw=like(force[0, 1]),
        air_per_mass_kw=like(force[0, 2]),
        mass_from_air=like(state[1, 0]),
        mass_from_mass=like(state[1, 1]),
        mass_from_outdoor=like(force[1, 0]),
        mass_per_air_kw=like(force[1, 1]),
        mass_per_kw=like(force[1, 2]),
    )


def _tanks(tanks: Sequence[HotWaterTank | None], dt_h: float, like: Like) -> SimpleNamespace | None:
    if not any(tanks):
        return None
    rows = []
    for tank in tanks:
        some = tank or HotWaterTank()
        loss = some.loss_kw_per_k if tank else 0.0
        keep = math.exp(-loss * dt_h / some.kwh_per_k)
        rows.append(
            {
                "keep": keep,
                "act_h": (1 - keep) * some.kwh_per_k / loss if loss > 0 else dt_h,
                "standing_kw": loss * (some.cold_water_c - some.room_c),
                "cop": some.cop,
                "power_max_kw": tank.power_max_kw if tank else 0.0,
                "heat_min_kwh": some.heat_min_kwh,
                "heat_max_kwh": some.heat_max_kwh,
                "heat_initial_kwh": some.heat_initial_kwh,
                "boost_price_per_kwh": some.boost_price_per_kwh,
            }
        )
    return _arrays(rows, like)


def _appliances(appliances: Sequence[Appliance | None], like: Like) -> SimpleNamespace:
    rows = [
        {
            "power_kw": appliance.power_kw if appliance else 0.0,
            "duration_h": appliance.duration_h if appliance else 0.0,
            "slack_h": appliance.window_h - appliance.duration_h if appliance else 0.0,
        }
        for appliance in appliances
    ]
    return _arrays(rows, like)
