"""CityLearn data sets: ``schema.json`` and CSV files, one folder a scenario; opened by CityLearn 3.0.2.

``CityLearnEnv(folder / "scenario-s0" / "schema.json")``. As CityLearn's data unit contract asks:

* ``non_shiftable_load`` is **energy a step [kWh]**: load and heat pump, ``kW x dt_h``. The car is a charger of its own.
* ``solar_generation`` is **mean power per installed kW [W/kW]**, whatever the step: CityLearn 3 makes energy of it
  with the capacity and the step. (CityLearn 2 takes W/kW for energy per step, twice too much on half-hours.)
* ``hour`` is the hour of the home's clock that the step begins in, 1 (from midnight) to 24; ``minutes`` is the start
  within it; ``day_type`` is 1 (Monday) to 7.
* Prices are per kWh; ``…_predicted_1`` to ``3`` are the true values 6, 12 and 24 hours ahead.
* 0 stands where CityLearn asks for what a set does not have: irradiance, humidity, indoor temperature without a heat
  pump.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hidiff.home import Battery
from hidiff.scenarios import ScenarioSet

from .export_tables import (
    Values,
    export_folder,
    pv_capacity_kwp,
    pv_kw_of,
    read_channel,
    require_channels,
    scenario_folders,
    write_csv,
)

FORMAT = "CityLearn 3 data set"
CONVENTIONS = {
    "non_shiftable_load": "kWh per step: load and heat pump",
    "solar_generation": "mean W per kW installed",
    "time": "clock of the homes; a row is the step that begins at hour - 1 and minutes",
    "zeros": "irradiance, humidity and indoor temperature are 0 where the set does not have them",
}
PREDICTED_H = (6, 12, 24)
"""How far ahead CityLearn's predictions look [h]."""
OBSERVED = (
    "month", "day_type", "hour", "outdoor_dry_bulb_temperature", "non_shiftable_load", "solar_generation",
    "electrical_storage_soc", "net_electricity_consumption", "electricity_pricing", "electricity_pricing_predicted_1",
    "electricity_pricing_predicted_2", "electricity_pricing_predicted_3",
)  # fmt: skip
OBSERVED_CAR = (
    "electric_vehicle_charger_connected_state", "connected_electric_vehicle_at_charger_departure_time",
    "connected_electric_vehicle_at_charger_required_soc_departure", "connected_electric_vehicle_at_charger_soc",
    "connected_electric_vehicle_at_charger_battery_capacity", "electric_vehicle_charger_incoming_state",
    "incoming_electric_vehicle_at_charger_estimated_arrival_time",
    "incoming_electric_vehicle_at_charger_estimated_soc_arrival",
)  # fmt: skip


def write_citylearn(
    scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False,
    battery: Battery | None = None, ev_battery_kwh: float = 60.0, ev_charge_max_kw: float = 7.4,
) -> Path:  # fmt: skip
    """Write one CityLearn data set a scenario.

    Args:
        battery: of every home; where the table of homes has ``battery_kwh``, of the homes above 0, with that capacity.
            hidiff's default battery if not given.
        ev_battery_kwh: capacity of the cars [kWh]; a car leaves full, and returns with what it then needs missing.
        ev_charge_max_kw: power of the chargers [kW].

    Raises:
        ValueError: no ``load_kw``; no prices; a home that generates without a capacity; a car that needs more than
            its battery holds.
    """
    require_channels(scenario_set, ["load_kw", "import_price_per_kwh"], "CityLearn")
    if scenario_set.channels["import_price_per_kwh"].has_homes:
        raise ValueError(
            "import_price_per_kwh differs between homes; one CityLearn export has one price: select() them"
        )
    battery = battery or Battery()
    homes = scenario_set.home_names
    if "battery_kwh" in scenario_set.homes:
        battery_kwh = scenario_set.homes["battery_kwh"].fillna(0).tolist()
    else:
        battery_kwh = [battery.capacity_kwh] * len(homes)
    clock = _clock(scenario_set)
    with export_folder(scenario_set, out, format_name=FORMAT, conventions=CONVENTIONS, force=force) as folder:
        for row, own in scenario_folders(scenario_set, folder, progress):
            _write_shared(scenario_set, row, own)
            pv_kw = pv_kw_of(scenario_set, row)
            capacity = pv_capacity_kwp(scenario_set, pv_kw)
            has_car, first_soc = _write_chargers(scenario_set, row, own, ev_battery_kwh)
            _write_buildings(scenario_set, row, own, clock, pv_kw, capacity)
            schema = _schema(scenario_set, has_car)
            for number, home in enumerate(homes):
                schema["buildings"][home] = building = {
                    "include": True, "energy_simulation": f"{home}.csv", "weather": "weather.csv",
                    "pricing": "pricing.csv", "inactive_observations": [], "inactive_actions": [],
                }  # fmt: skip
                if "carbon_kg_per_kwh" in scenario_set.channels:
                    building["carbon_intensity"] = "carbon_intensity.csv"
                if capacity[number] > 0:
                    building["pv"] = _device("PV", nominal_power=capacity[number], generation_mode="per_kw")
                if battery_kwh[number] > 0:
                    building["electrical_storage"] = _battery(
                        replace(battery, capacity_kwh=battery_kwh[number])
                    )
                else:
                    building["inactive_actions"] = ["electrical_storage"]
                if has_car[number]:
                    schema["electric_vehicles_def"][f"car-{home}"] = _car(
                        ev_battery_kwh, ev_charge_max_kw, first_soc[number]
                    )
                    building["chargers"] = {
                        f"charger-{home}": {
                            "type": "citylearn.electric_vehicle_charger.Charger",
                            "charger_simulation": f"charger-{home}.csv",
                            "attributes": {
                                "nominal_power": ev_charge_max_kw, "efficiency": 1.0, "charger_type": 0,
                                "max_charging_power": ev_charge_max_kw, "min_charging_power": 0.0,
                                "max_discharging_power": 0.0, "min_discharging_power": 0.0,
                            },
                        }
                    }  # fmt: skip
            (own / "schema.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
    return Path(out)


def car_schedule(is_home: Values, need_kwh: Values, battery_kwh: float) -> dict[str, NDArray[Any]]:
    """CityLearn's charger file of one car: states, steps until it leaves or comes, and states of charge [%].

    Args:
        is_home: 1 where the car is plugged in, ``(step,)``.
        need_kwh: energy that it needs by its departure, at the step of plug-in, ``(step,)`` [kWh].

    Raises:
        ValueError: a need above the battery's capacity.
    """
    if need_kwh.max() > battery_kwh:
        raise ValueError(
            f"a car needs {need_kwh.max():.1f} kWh before it leaves, more than ev_battery_kwh={battery_kwh}; raise "
            "ev_battery_kwh"
        )
    steps = np.arange(len(is_home))
    home = is_home > 0.5
    change = np.flatnonzero(np.diff(home.astype(np.int8)))
    ends = np.append(change, len(home) - 1)
    until = np.append(change + 1, len(home))[
        np.searchsorted(ends, steps)
    ]  # first step of the next stay or trip
    # What a stay needs may be said a step after the car came; the largest of the stay is its need.
    stay_need = np.array(
        [need_kwh[a:b].max() for a, b in zip([0, *(change + 1)], [*(change + 1), len(home)], strict=True)]
    )
    comes = np.append(stay_need, 0.0)[np.searchsorted(ends, steps) + 1]
    is_coming = ~home & (until < len(home))
    nothing = np.full(len(home), "", dtype=object)
    arrival_soc = 100.0 * (1.0 - comes / battery_kwh)
    return {
        "electric_vehicle_charger_state": np.where(home, 1, np.where(is_coming, 2, 3)),
        "electric_vehicle_id": nothing,
        "electric_vehicle_departure_time": np.where(home, (until - steps).astype(str), nothing),
        "electric_vehicle_required_soc_departure": np.where(home, "100", nothing),
        "electric_vehicle_estimated_arrival_time": np.where(is_coming, (until - steps).astype(str), nothing),
        "electric_vehicle_estimated_soc_arrival": np.where(
            is_coming, arrival_soc.round(4).astype(str), nothing
        ),
    }


def _clock(scenario_set: ScenarioSet) -> dict[str, NDArray[Any]]:
    local = scenario_set.time.tz_convert(scenario_set.time_zone)
    is_summer_time = [int(bool(stamp.dst())) for stamp in local]
    return {
        "month": local.month.to_numpy(), "hour": local.hour.to_numpy() + 1, "minutes": local.minute.to_numpy(),
        "day_type": local.day_of_week.to_numpy() + 1, "daylight_savings_status": np.array(is_summer_time),
    }  # fmt: skip


def _write_buildings(
    scenario_set: ScenarioSet, row: int, own: Path, clock: dict[str, NDArray[Any]], pv_kw: Values,
    capacity: NDArray[np.float64],
) -> None:  # fmt: skip
    load_kw = read_channel(scenario_set, "load_kw", row)
    if "heat_kw" in scenario_set.channels:
        load_kw = load_kw + read_channel(scenario_set, "heat_kw", row)
    is_electric_car_plain = "ev_kw" in scenario_set.channels and not _has_chargers(scenario_set)
    if is_electric_car_plain:
        load_kw = load_kw + read_channel(scenario_set, "ev_kw", row)
    energy_kwh = load_kw * np.float32(scenario_set.dt_h)
    indoor_c = (
        read_channel(scenario_set, "heat_indoor_c", row) if "heat_indoor_c" in scenario_set.channels else None
    )
    nothing = np.zeros(len(scenario_set.time), dtype=np.float32)
    for number, home in enumerate(scenario_set.home_names):
        per_kw = pv_kw[number] * np.float32(1000 / capacity[number]) if capacity[number] > 0 else nothing
        write_csv(
            own / f"{home}.csv",
            clock
            | {
                "indoor_dry_bulb_temperature": nothing if indoor_c is None else indoor_c[number],
                "non_shiftable_load": energy_kwh[number], "dhw_demand": nothing, "cooling_demand": nothing,
                "heating_demand": nothing, "solar_generation": per_kw,
            },
        )  # fmt: skip


def _write_shared(scenario_set: ScenarioSet, row: int, own: Path) -> None:
    nothing = np.zeros(len(scenario_set.time), dtype=np.float32)
    shared = {
        name: read_channel(scenario_set, name, row)
        for name in ("temperature_c", "import_price_per_kwh", "carbon_kg_per_kwh")
        if name in scenario_set.channels
    }
    weather = {
        "outdoor_dry_bulb_temperature": shared.get("temperature_c", nothing),
        "outdoor_relative_humidity": nothing, "diffuse_solar_irradiance": nothing, "direct_solar_irradiance": nothing,
    }  # fmt: skip
    write_csv(own / "weather.csv", _with_predictions(weather, scenario_set.dt_h))
    price = {"electricity_pricing": shared["import_price_per_kwh"]}
    write_csv(own / "pricing.csv", _with_predictions(price, scenario_set.dt_h))
    if "carbon_kg_per_kwh" in shared:
        write_csv(own / "carbon_intensity.csv", {"carbon_intensity": shared["carbon_kg_per_kwh"]})


def _with_predictions(columns: dict[str, Values], dt_h: float) -> dict[str, Values]:
    """The columns, and each as it will be later; the last value holds on beyond the end."""
    result = dict(columns)
    for name, values in columns.items():
        for number, ahead_h in enumerate(PREDICTED_H, start=1):
            later = np.minimum(np.arange(len(values)) + round(ahead_h / dt_h), len(values) - 1)
            result[f"{name}_predicted_{number}"] = values[later]
    return result


def _has_chargers(scenario_set: ScenarioSet) -> bool:
    return {"ev_is_home", "ev_need_kwh"} <= set(scenario_set.channels)


def _write_chargers(
    scenario_set: ScenarioSet, row: int, own: Path, battery_kwh: float
) -> tuple[NDArray[np.bool_], list[float]]:
    """Charger files of the homes with a car; which homes these are, and their state of charge at the start."""
    if not _has_chargers(scenario_set):
        return np.zeros(len(scenario_set.homes), dtype=bool), []
    is_home = read_channel(scenario_set, "ev_is_home", row)
    need_kwh = read_channel(scenario_set, "ev_need_kwh", row)
    has_car = np.asarray(need_kwh.max(axis=1) > 0)
    for number in np.flatnonzero(has_car):
        home = scenario_set.home_names[number]
        schedule = car_schedule(is_home[number], need_kwh[number], battery_kwh)
        schedule["electric_vehicle_id"][:] = f"car-{home}"
        write_csv(own / f"charger-{home}.csv", schedule)
    # A car that is at home at the start lacks what that stay needs.
    is_first_stay = np.logical_and.accumulate(is_home > 0.5, axis=1)
    first_need_kwh = (need_kwh * is_first_stay).max(axis=1)
    return has_car, (1.0 - first_need_kwh / battery_kwh).tolist()


def _schema(scenario_set: ScenarioSet, has_car: NDArray[np.bool_]) -> dict[str, Any]:
    cars = OBSERVED_CAR if has_car.any() else ()
    return {
        "random_seed": 0,
        "root_directory": None,
        "central_agent": False,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": len(scenario_set.time) - 1,
        "episode_time_steps": None,
        "rolling_episode_split": False,
        "random_episode_split": False,
        "seconds_per_time_step": round(scenario_set.dt_h * 3600),
        "start_date": str(scenario_set.time[0].tz_convert(scenario_set.time_zone).date()),
        "observations": {
            name: {"active": True, "shared_in_central_agent": name in OBSERVED[:4]}
            for name in (*OBSERVED, *cars)
        },
        "actions": {"electrical_storage": {"active": True}}
        | ({"electric_vehicle_storage": {"active": True}} if has_car.any() else {}),
        "reward_function": {"type": "citylearn.reward_function.RewardFunction", "attributes": {}},
        "electric_vehicles_def": {},
        "buildings": {},
    }


def _device(kind: str, **attributes: Any) -> dict[str, Any]:
    return {"type": f"citylearn.energy_model.{kind}", "autosize": False, "attributes": attributes}


def _battery(battery: Battery) -> dict[str, Any]:
    efficiency = (
        battery.efficiency_charge * battery.efficiency_discharge
    )  # there and back; CityLearn takes the root
    return _device(
        "Battery", capacity=battery.capacity_kwh, nominal_power=min(battery.charge_max_kw, battery.discharge_max_kw),
        initial_soc=battery.soc_initial, depth_of_discharge=1.0 - battery.soc_min, efficiency=efficiency,
        loss_coefficient=0.0, capacity_loss_coefficient=0.0,
        power_efficiency_curve=[[0.0, efficiency], [1.0, efficiency]], capacity_power_curve=[[0.0, 1.0], [1.0, 1.0]],
    )  # fmt: skip


def _car(battery_kwh: float, charge_max_kw: float, initial_soc: float) -> dict[str, Any]:
    attributes = {
        "capacity": battery_kwh, "nominal_power": charge_max_kw, "initial_soc": initial_soc, "depth_of_discharge": 1.0,
        "efficiency": 1.0, "loss_coefficient": 0.0, "capacity_loss_coefficient": 0.0,
        "power_efficiency_curve": [[0.0, 1.0], [1.0, 1.0]], "capacity_power_curve": [[0.0, 1.0], [1.0, 1.0]],
    }  # fmt: skip
    return {
        "include": True,
        "type": "citylearn.electric_vehicle.ElectricVehicle",
        "battery": {"type": "citylearn.energy_model.Battery", "autosize": False, "attributes": attributes},
    }
