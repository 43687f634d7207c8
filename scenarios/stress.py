"""Stress transforms: a set of scenarios -> a set of scenarios, its channels computed when they are read.

They compose: ``add_device(remove_heating(scale(s, {"load_kw": 1.1})), "heat_pump", …)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hidiff.config import suggestion
from hidiff.rng import generator

from .scenario_set import Channel, Rows, ScenarioSet, Values

SCALED_COLUMNS = {"load_kw": ("annual_kwh",), "pv_kw": ("pv_capacity_kwp", "annual_pv_kwh")}
"""Columns of the table of homes that grow with a channel."""
HEATING_BELOW_C = 18.0
COOLING_ABOVE_C = 22.0
"""Mean outdoor temperatures of a day between which homes are taken to need neither (degree days)."""


def scale(scenario_set: ScenarioSet, factors: Mapping[str, float]) -> ScenarioSet:
    """Channels times factors; capacities and yearly energies in ``homes`` go along.

    Raises:
        ValueError: a channel that is not there, is a state other than a price, or a factor below 0.
    """
    homes, channels = scenario_set.homes, {}
    for name, factor in factors.items():
        channel = _channel(scenario_set, name)
        if channel.kind == "state" and not name.endswith("_price_per_kwh"):
            raise ValueError(
                f"{name} is a state in {channel.unit}; powers, energies and prices can be scaled"
            )
        if not 0 <= factor < np.inf:
            raise ValueError(f"the factor of {name} is {factor}; it must be at least 0")
        channels[name] = replace(channel, read=_times(channel, factor))
        for column in SCALED_COLUMNS.get(name, ()):
            if column in homes.columns:
                homes = homes.assign(**{column: homes[column] * factor})
    return replace(scenario_set.with_channels(channels), homes=homes)


def choose_homes(homes: Sequence[str], share: float, seed: int, device: str) -> NDArray[np.bool_]:
    """Which homes have a device at a share, ``(home,)``.

    Each home has a number of its own from seed, device and name: a larger share keeps the homes of a smaller one, and
    a subset of homes keeps its choice. The share holds in the mean, not exactly for few homes.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of homes with {device} is {share}; it must lie within 0..1")
    return np.array([generator(seed, "device", device, str(home)).random() < share for home in homes])


def flag(scenario_set: ScenarioSet, device: str, *, share: float, seed: int) -> ScenarioSet:
    """With a column ``has_<device>`` in ``homes``, for a share of them (`choose_homes`)."""
    has = choose_homes(scenario_set.home_names, share, seed, device)
    return replace(scenario_set, homes=scenario_set.homes.assign(**{f"has_{device}": has}))


def add_device(
    scenario_set: ScenarioSet, device: str, channels: Mapping[str, Channel], *, share: float, seed: int
) -> ScenarioSet:
    """With a device's channels, for a share of the homes, flagged ``has_<device>``.

    In the other homes its powers, energies, events and flags are 0; temperatures stay as computed. ``load_kw`` is
    left alone: `add_to_load` adds what should be in it.

    Args:
        device: such as ``heat_pump`` or ``ev``.
        channels: of all homes of the set, such as those of `heat_pump.heat_channels`.
    """
    flagged = flag(scenario_set, device, share=share, seed=seed)
    has = flagged.homes[f"has_{device}"].to_numpy(dtype=np.float32)

    def masked(channel: Channel) -> Channel:
        if not channel.has_homes or channel.unit == "degC":
            return channel
        return replace(channel, read=lambda row, rows: _masked(channel, has, row, rows))

    return flagged.with_channels({name: masked(channel) for name, channel in channels.items()})


def without_pv(scenario_set: ScenarioSet, *, share: float, seed: int) -> ScenarioSet:
    """PV in a share of the homes that have it; the others' generation and capacity become 0, ``has_pv`` says so."""
    flagged = flag(scenario_set, "pv", share=share, seed=seed)
    capacity = flagged.homes["pv_capacity_kwp"].to_numpy(dtype=np.float64)
    has = flagged.homes["has_pv"].to_numpy() & (capacity > 0)
    columns = {
        name: flagged.homes[name].where(has, 0.0) for name in SCALED_COLUMNS["pv_kw"] if name in flagged.homes
    }
    channel, keep = _channel(scenario_set, "pv_kw"), has.astype(np.float32)
    changed = replace(channel, read=lambda row, rows: _masked(channel, keep, row, rows))
    return replace(
        flagged.with_channels({"pv_kw": changed}), homes=flagged.homes.assign(has_pv=has, **columns)
    )


def add_to_load(scenario_set: ScenarioSet, names: Sequence[str]) -> ScenarioSet:
    """``load_kw`` with other powers of the homes in it (``heat_kw``, ``ev_kw``), which then are no channels any more.

    For readers that know load and PV alone. ``annual_kwh`` of the homes still tells the load without them.
    """
    parts = [_channel(scenario_set, name) for name in ("load_kw", *names)]
    for name, part in zip(names, parts[1:], strict=True):
        if part.kind != "power" or not part.has_homes or name == "load_kw":
            raise ValueError(f"{name} is no power of the homes beside load_kw; only those add up with it")

    def total(row: int, rows: Rows) -> Values:
        result = parts[0].read(row, rows).copy()
        for part in parts[1:]:
            result += part.read(row, rows)
        return result

    left = {name: part for name, part in scenario_set.channels.items() if name not in names}
    return replace(scenario_set, channels={**left, "load_kw": replace(parts[0], read=total)})


def remove_heating(
    scenario_set: ScenarioSet, *, homes: Sequence[str] | None = None, is_cooling: bool = True
) -> ScenarioSet:
    """Without the heating (and cooling) that the load already holds, as `temperature_load` estimates it.

    For homes that get a heat pump: real and generated load holds the heaters and air conditioners that homes have
    now, which would count twice beside ``heat_kw``. All homes by default. Needs ``temperature_c``.
    """
    load, temperature = (_channel(scenario_set, name) for name in ("load_kw", "temperature_c"))
    wanted = np.zeros(len(scenario_set.homes), dtype=bool)
    wanted[scenario_set.home_rows(scenario_set.home_names if homes is None else homes)] = True

    def read(row: int, rows: Rows) -> Values:
        values = load.read(row, rows).copy()
        mine = np.flatnonzero(wanted[rows])
        if len(mine):
            outdoor = temperature.read(row, np.arange(len(scenario_set.homes)))
            values[mine] -= temperature_load(
                values[mine], outdoor, dt_h=scenario_set.dt_h, is_cooling=is_cooling
            )
        return values

    return scenario_set.with_channels({"load_kw": replace(load, read=read)})


def temperature_load(
    load_kw: ArrayLike, temperature_c: ArrayLike, *, dt_h: float, is_cooling: bool = True
) -> NDArray[np.float32]:
    """Estimate of the heating and cooling within a load, ``(home, step)``; never more than the load, never below 0.

    For each home and time of day, the load is fitted by least squares on the day's heating and cooling degrees (of
    the mean of its 24 hours from the first step, below 18 and above 22 deg C); what the positive slopes give is the
    estimate. It sees what follows the weather in the mean: a heater that runs on half of the cold evenings is taken
    out by half on all of them.

    Raises:
        ValueError: less than 28 whole days, or shapes that do not fit.
    """
    load, outdoor = np.asarray(load_kw, dtype=np.float64), np.asarray(temperature_c, dtype=np.float64)
    if load.ndim != 2 or outdoor.shape != load.shape[1:]:
        raise ValueError(
            f"load_kw {load.shape} and temperature_c {outdoor.shape} must be (home, step) and (step,)"
        )
    per_day = round(24 / dt_h)
    days = load.shape[1] // per_day
    if days < 28:
        raise ValueError(f"{days} whole days cannot tell heating from the rest; give at least 28")
    whole = days * per_day
    mean = outdoor[:whole].reshape(days, per_day).mean(1)
    degrees = [np.maximum(HEATING_BELOW_C - mean, 0), np.maximum(mean - COOLING_ABOVE_C, 0)]
    used = [d for d in (degrees if is_cooling else degrees[:1]) if np.ptp(d) > 0]
    if not used:
        return np.zeros(load.shape, dtype=np.float32)
    design = np.stack([np.ones(days), *used], axis=1)
    daily = load[:, :whole].reshape(len(load), days, per_day)
    slopes = np.einsum("kd,hds->khs", np.linalg.pinv(design), daily)[1:]
    estimate = np.einsum("dk,khs->hds", design[:, 1:], np.maximum(slopes, 0)).reshape(len(load), whole)
    result = np.zeros_like(load)
    result[:, :whole] = np.clip(estimate, 0, np.maximum(load[:, :whole], 0))
    return result.astype(np.float32)


def add_temperature(scenario_set: ScenarioSet, temperature_c: ArrayLike) -> ScenarioSet:
    """With ``temperature_c``: ``(step,)`` for all scenarios, or ``(scenario, step)``."""
    scenarios, _, steps = scenario_set.shape
    values = np.asarray(temperature_c, dtype=np.float32)
    if values.shape not in ((steps,), (scenarios, steps)):
        raise ValueError(f"temperature_c has shape {values.shape}; give ({steps},) or ({scenarios}, {steps})")
    table = np.broadcast_to(values, (scenarios, steps))
    channel = Channel(read=lambda row, rows: table[row].copy(), unit="degC", kind="state", has_homes=False)
    return scenario_set.with_channels({"temperature_c": channel})


def add_weather(scenario_set: ScenarioSet, weather: pd.DataFrame) -> ScenarioSet:
    """With ``temperature_c`` from daily weather, one for all scenarios (`diurnal.temperature_on_clock`)."""
    from .diurnal import temperature_on_clock

    return add_temperature(scenario_set, temperature_on_clock(weather, scenario_set.time))


def _times(channel: Channel, factor: float) -> Callable[[int, Rows], Values]:
    return lambda row, rows: channel.read(row, rows) * np.float32(factor)


def _masked(channel: Channel, has: NDArray[np.float32], row: int, rows: Rows) -> Values:
    return np.asarray(channel.read(row, rows) * has[rows, None], dtype=np.float32)


def _channel(scenario_set: ScenarioSet, name: str) -> Channel:
    if name not in scenario_set.channels:
        raise ValueError(f"no channel {name!r}{suggestion(name, scenario_set.channels)}")
    return scenario_set.channels[name]
