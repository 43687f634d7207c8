"""Electricity of heat pumps from weather, houses and habits, on any clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hidiff import cop
from hidiff.data.solar import clear_sky, plane_irradiance
from hidiff.rc_house import simulate

from .heat_pump_houses import FACADES_DEG, SHARE_OF_LOAD_AS_HEAT, HeatPumpConfig, draw_houses, rc_house
from .scenario_set import Channel, Rows, ScenarioSet, Values

LOSS_OF_CAPACITY_PER_K = 0.02
"""Share of the heating capacity lost per kelvin below 7 degC outdoors, down to `LEAST_CAPACITY`."""
LEAST_CAPACITY = 0.4
SPIN_UP_DAYS = 3
"""The first days run twice, so that the structure does not start at a temperature that nobody chose."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatDemand:
    """What `heat_demand` finds, each ``(home, step)``."""

    heat_kw: Values
    """Electric power of heat pump, backup heater and cooling."""
    indoor_c: Values
    """Air temperature at the end of the step."""
    heating_kw: Values
    """Heat given to the air, the backup heater's included."""
    cooling_kw: Values
    """Heat taken from the air by the machine (open windows not counted)."""
    backup_kw: Values
    """The backup heater's part of ``heat_kw``."""


def heating_cop(outdoor_c: ArrayLike, config: HeatPumpConfig | None = None) -> NDArray[np.float64]:
    """Heat over electricity at an outdoor temperature; defrosting and control are in ``efficiency``."""
    config = config or HeatPumpConfig()
    return cop.heating_cop(outdoor_c, efficiency=config.efficiency, emitter=config.emitter)


def cooling_cop(outdoor_c: ArrayLike, config: HeatPumpConfig | None = None) -> NDArray[np.float64]:
    """Cold over electricity; see `hidiff.cop`."""
    return cop.cooling_cop(outdoor_c, efficiency=(config or HeatPumpConfig()).efficiency)


def facade_sun(time: pd.DatetimeIndex, clearness: ArrayLike, config: HeatPumpConfig) -> NDArray[np.float64]:
    """Sun on vertical planes to the north, east, south and west, ``(step, 4)`` [kW/m2]."""
    step = (time[1] - time[0]) if len(time) > 1 else pd.Timedelta(minutes=30)
    middle = time + step / 2 - pd.Timedelta(minutes=15)  # clear_sky adds the 15 minutes
    sky = clear_sky(middle, config.latitude_deg, config.longitude_deg)
    planes = np.stack([plane_irradiance(sky, 90.0, deg) for deg in FACADES_DEG], axis=-1).astype(np.float64)
    return planes * np.broadcast_to(np.asarray(clearness, dtype=np.float64), (len(time),))[:, None]


def heat_demand(
    houses: pd.DataFrame, *, time: pd.DatetimeIndex, time_zone: str, temperature_c: ArrayLike,
    sun_kw_m2: ArrayLike, load_kw: ArrayLike | None = None, config: HeatPumpConfig | None = None,
) -> HeatDemand:  # fmt: skip
    """Electricity and indoor temperature of each home, ``(home, step)``.

    Args:
        houses: rows of `draw_houses`.
        time: zone-aware interval starts, evenly spaced.
        time_zone: the clock that people live by.
        temperature_c: outdoors, ``(step,)``.
        sun_kw_m2: `facade_sun`.
        load_kw: each home's other load, which heats too, ``(home, step)``; without it 3 W/m2.

    Raises:
        ValueError: shapes that do not fit, or values that are not finite.
    """
    config = config or HeatPumpConfig()
    if len(time) < 2:
        raise ValueError(f"time has {len(time)} steps; give at least two")
    outdoor = _finite("temperature_c", temperature_c, (len(time),))
    sun = _finite("sun_kw_m2", sun_kw_m2, (len(time), len(FACADES_DEG)))
    if load_kw is None:
        metered = np.broadcast_to(0.003 * houses["conditioned_m2"].to_numpy(), (len(time), len(houses)))
    else:
        metered = SHARE_OF_LOAD_AS_HEAT * _finite("load_kw", load_kw, (len(houses), len(time))).T
    dt_h = float((time[1] - time[0]) / pd.Timedelta(hours=1))
    column = {name: values.to_numpy(dtype=np.float64) for name, values in houses.items()}
    share = column["conditioned_m2"] / column["floor_m2"]  # gains of the rooms that are conditioned
    inside = (
        (metered + config.people_kw) * share if load_kw is not None else metered + config.people_kw * share
    )
    apertures = np.stack([column[f"aperture_{int(deg)}_m2"] for deg in FACADES_DEG])
    sunny = sun @ apertures
    low, high = _set_points(column, time.tz_convert(time_zone))
    capacity = np.clip(1 - LOSS_OF_CAPACITY_PER_K * (7 - outdoor), LEAST_CAPACITY, 1)[:, None]
    pump_kw = capacity * column["heating_capacity_kw"]
    # Who can open a window does so before the machine cools.
    is_cool_out = outdoor[:, None] < column["cooling_set_c"] - 1
    airing_kw = column["open_windows_kw_per_k"] * np.maximum(column["cooling_set_c"] - outdoor[:, None], 0)
    machine_kw = column["cooling_capacity_kw"] if config.is_cooling else 0.0
    inputs: dict[str, NDArray[np.float64]] = {
        "outdoor_c": outdoor,
        "gains_air_kw": 0.5 * inside + 0.3 * sunny,
        "gains_mass_kw": 0.5 * inside + 0.7 * sunny,
        "low_c": low,
        "high_c": high,
        "heating_max_kw": pump_kw + config.backup_kw,
        "cooling_max_kw": np.where(is_cool_out, airing_kw, machine_kw),
    }
    house, spin_up = rc_house(houses), min(round(SPIN_UP_DAYS * 24 / dt_h), len(time))
    first = {name: values[:spin_up] for name, values in inputs.items()}
    mean = 0.5 * (column["heating_set_c"] + outdoor[:spin_up].mean())
    _, air, mass = simulate(house, **first, dt_h=dt_h, start_c=(column["heating_set_c"], mean))
    heat, air, _ = simulate(house, **inputs, dt_h=dt_h, start_c=(air[-1], mass[-1]))
    heating = np.maximum(heat, 0)
    cooling = np.where(is_cool_out, 0, np.maximum(-heat, 0))
    backup = np.maximum(heating - pump_kw, 0)
    electric = (
        (heating - backup) / heating_cop(outdoor, config)[:, None]
        + backup
        + cooling / cooling_cop(outdoor, config)[:, None]
    )
    parts = (electric, air, heating, cooling, backup)
    names = ("heat_kw", "indoor_c", "heating_kw", "cooling_kw", "backup_kw")
    return HeatDemand(**{name: part.T.astype(np.float32) for name, part in zip(names, parts, strict=True)})


def heat_channels(
    scenario_set: ScenarioSet, *, seed: int, config: HeatPumpConfig | None = None,
    clearness: float = 0.7,
) -> Mapping[str, Channel]:  # fmt: skip
    """Channels ``heat_kw`` and ``heat_indoor_c`` of every home of a set, computed when they are read.

    The set's ``temperature_c`` drives them (`temperature_on_clock` makes it from daily weather), its ``clearness``
    if it has one, and its ``load_kw`` as internal gains. Houses are keyed by seed and home: a home has the same
    house in all scenarios and subsets. `stress.add_device` gives them to a share of the homes.

    Raises:
        ValueError: a set without ``temperature_c``.
    """
    asked = config or HeatPumpConfig()
    if "temperature_c" not in scenario_set.channels:
        raise ValueError(
            "the set has no temperature_c, which heat pumps need; add it with with_channels() and temperature_on_clock()"
        )
    houses = draw_houses(scenario_set.home_names, asked, seed)
    recent: dict[tuple[int, bytes], HeatDemand] = {}
    clear: list[NDArray[np.float64]] = []

    def found(row: int, rows: Rows) -> HeatDemand:
        key = (row, np.asarray(rows, dtype=np.int64).tobytes())
        demand = recent.get(key)
        if demand is None:
            if not clear:
                clear.append(facade_sun(scenario_set.time, 1.0, asked))
            sky = scenario_set.read("clearness", row) if "clearness" in scenario_set.channels else clearness
            has_load = "load_kw" in scenario_set.channels
            demand = heat_demand(
                houses.iloc[rows], time=scenario_set.time, time_zone=scenario_set.time_zone, config=asked,
                temperature_c=scenario_set.read("temperature_c", row),
                sun_kw_m2=clear[0] * np.broadcast_to(np.asarray(sky), (len(scenario_set.time),))[:, None],
                load_kw=scenario_set.read("load_kw", row, rows) if has_load else None,
            )  # fmt: skip
            recent.clear()  # both channels of one scenario are read one after the other
            recent[key] = demand
        return demand

    return {
        "heat_kw": Channel(read=lambda row, rows: found(row, rows).heat_kw),
        "heat_indoor_c": Channel(read=lambda row, rows: found(row, rows).indoor_c, unit="degC", kind="state"),
    }


def with_heat_pumps(
    scenario_set: ScenarioSet, *, homes: Sequence[str], seed: int, config: HeatPumpConfig | None = None
) -> ScenarioSet:
    """The set with ``heat_kw`` and ``heat_indoor_c``; homes without a heat pump have no power and 0 degC.

    Args:
        homes: names of the homes with a heat pump.
        seed: of the houses and of the habits of those who live there, the same in all scenarios.
    """
    owners = scenario_set.home_rows(homes)
    place = np.full(len(scenario_set.homes), -1)
    place[owners] = np.arange(len(owners))
    channels = heat_channels(scenario_set.select(homes=owners.tolist()), seed=seed, config=config)

    def of_owners(channel: Channel) -> Channel:
        def read(row: int, rows: Rows) -> Values:
            values = np.zeros((len(rows), len(scenario_set.time)), dtype=np.float32)
            mine = np.flatnonzero(place[rows] >= 0)
            if len(mine):
                values[mine] = channel.read(row, place[rows[mine]])
            return values

        return replace(channel, read=read)

    return scenario_set.with_channels({name: of_owners(channel) for name, channel in channels.items()})


def _set_points(
    column: Mapping[str, NDArray[np.float64]], local: pd.DatetimeIndex
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heating and cooling set-points, ``(step, home)``, on the clock that people live by."""
    hour = np.asarray(local.hour + local.minute / 60, dtype=np.float64)[:, None]
    is_weekday = np.asarray(local.day_of_week < 5)[:, None]
    is_up = (hour >= column["wake_h"]) & (hour < column["sleep_h"])
    is_out = (
        is_weekday
        & (column["is_home_weekdays"] == 0)
        & (hour >= column["leave_h"])
        & (hour < column["return_h"])
    )
    back = column["set_back_k"]
    low = column["heating_set_c"] - np.where(is_up & ~is_out, 0, back)
    high = column["cooling_set_c"] + np.where(is_out, back, 0)
    return low, high


def _finite(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}")
    if not np.isfinite(array).all():
        raise ValueError(
            f"{name} holds {int((~np.isfinite(array)).sum())} values that are not finite; fill them"
        )
    return array


def summary(demand: HeatDemand, houses: pd.DataFrame, dt_h: float) -> dict[str, float]:
    """Yearly figures of homes: energy, peaks, seasonal performance, load factor."""
    electric, steps = demand.heat_kw.astype(np.float64), demand.heat_kw.shape[1]
    years = steps * dt_h / 8760
    kwh = electric.sum(1) * dt_h / years
    together = electric.mean(0)
    heating, cooling = (x.astype(np.float64).sum() for x in (demand.heating_kw, demand.cooling_kw))
    return {
        "annual_kwh": float(kwh.mean()),
        "annual_kwh_per_m2": float((kwh / houses["floor_m2"].to_numpy()).mean()),
        "peak_kw": float(electric.max(1).mean()),
        "after_diversity_peak_kw": float(together.max()),
        "load_factor": float(together.mean() / together.max()) if together.max() > 0 else 0.0,
        "performance_factor": float((heating + cooling) / electric.sum()) if electric.sum() > 0 else 0.0,
    }
