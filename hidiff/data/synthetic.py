"""Made-up homes without a download or a model: good enough for tests and for a first look, and no more."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.rng import generator

from .traces import Traces
from .validate import SYDNEY

Array = NDArray[np.floating]
SOLAR_CONSTANT_SHARE = (
    1.098  # Haurwitz clear sky over 1 kW/m2, DOI 10.1175/1520-0469(1945)002<0154:IIRTCD>2.0.CO;2
)
PV_PERFORMANCE = 0.85
MAINS_FUSE_KW = 14.5  # 63 A at 230 V


def synthetic_homes(
    homes: int,
    days: int,
    start: str | pd.Timestamp = "2012-07-01",
    *,
    seed: int = 0,
    time_zone: str = "Australia/Sydney",
) -> Traces:
    """Half-hourly traces of ``homes`` made-up Sydney homes over ``days`` local days.

    A home is the same whatever the number of homes; all share one weather. Load is a base, a fridge that
    cycles, morning and evening occupancy (later on weekends), appliance runs, hot water at night in a third
    of the homes, and heating and cooling by the day's temperature.

    Args:
        start: first local day.
    """
    if homes < 1 or days < 1:
        raise ValueError(f"homes={homes}, days={days}; both must be 1 or more")
    first = pd.Timestamp(start).tz_localize(time_zone)
    end = (pd.Timestamp(start) + pd.Timedelta(days=days)).tz_localize(time_zone)
    time = pd.date_range(first, end, freq="30min", inclusive="left").tz_convert("UTC")
    clock = time.tz_convert(time_zone)
    hour = (clock.hour + clock.minute / 60).to_numpy(dtype=np.float64)
    day = (clock.tz_localize(None).normalize() - pd.Timestamp(start).normalize()).days.to_numpy()
    is_weekend = np.asarray(clock.day_of_week) >= 5
    season = np.cos(
        2 * np.pi * (clock.day_of_year.to_numpy(dtype=np.float64) - 197) / 365.25
    )  # 1 in mid July
    weather = generator("synthetic", seed, "weather")
    spells = _smooth(weather.standard_normal(days), 0.6)
    temperature_c = 17.5 - 5.5 * season + 3.0 * spells[day] + 4.0 * np.cos(2 * np.pi * (hour - 15) / 24)
    clearness_day = 0.15 + 0.85 / (1 + np.exp(-1.2 * (_smooth(weather.standard_normal(days), 0.4) + 0.6)))
    clouds = _smooth(weather.standard_normal(len(time)), 0.7)
    elevation_sin = _elevation_sin(time)
    load_kw, pv_kw = np.empty((homes, len(time))), np.empty((homes, len(time)))
    names = [f"synthetic-{home:05d}" for home in range(homes)]
    capacity_kwp = np.empty(homes)
    for home, name in enumerate(names):
        rng = generator("synthetic", seed, name)
        capacity_kwp[home] = np.round(rng.choice([1.0, 1.5, 2.0, 3.0, 4.0, 5.0]) * rng.uniform(0.98, 1.05), 2)
        load_kw[home] = _load(rng, hour, day, days, is_weekend, temperature_c)
        passing = np.clip(
            1 + 0.25 * (1 - clearness_day[day]) * (clouds + _noise(rng, len(time), 0.5)), 0, None
        )
        clearness = np.minimum(clearness_day[day] * passing, 1.0)
        pv_kw[home] = capacity_kwp[home] * np.minimum(_clear_sky_share(elevation_sin) * clearness, 1.0)
    table = pd.DataFrame({"pv_capacity_kwp": capacity_kwp}, index=pd.Index(names, name="home", dtype=object))
    return Traces(load_kw, pv_kw, time, table, time_zone)


def _load(
    rng: np.random.Generator,
    hour: Array,
    day: NDArray[np.int64],
    days: int,
    is_weekend: NDArray[np.bool_],
    temperature_c: Array,
) -> Array:
    steps = len(hour)
    level = rng.lognormal(0.35, 0.4)
    base_kw = 0.10 * level + 0.06 * (1 + np.sign(np.sin(np.arange(steps) * rng.uniform(1.6, 2.6))))  # fridge
    rise, dine = rng.normal(7.0, 0.7), rng.normal(18.8, 0.9)
    morning = _bump(hour, rise + 1.2 * is_weekend, 1.0)
    evening = _bump(hour, dine, 1.9)
    daytime = np.where(is_weekend, 0.45, rng.uniform(0.05, 0.4)) * _bump(hour, 13.0, 3.0)
    is_home = rng.random(days) > 0.04  # a few empty days
    mood = rng.lognormal(-0.05, 0.35, days)
    occupancy = (0.35 * morning + 0.8 * evening + daytime) * (is_home * mood)[day]
    jitter = rng.gamma(2.0, 0.5, steps)
    starts = rng.random(steps) < 0.05 * np.minimum(occupancy, 1.5)
    runs_kw = starts * rng.uniform(0.4, 2.2, steps)
    runs_kw[1:] += 0.6 * runs_kw[:-1]  # appliances run over into the next half-hour
    comfort_kw = rng.uniform(0.0, 0.12) * np.maximum(18 - temperature_c, 0) * (0.3 + evening)
    comfort_kw += rng.uniform(0.0, 0.18) * np.maximum(temperature_c - 25, 0) * (0.4 + evening)
    load_kw = base_kw + level * (0.7 * occupancy * jitter + runs_kw) + comfort_kw * is_home[day]
    if rng.random() < 1 / 3:
        begin, length = rng.uniform(22.5, 25.0), rng.uniform(1.0, 3.0, days) * (0.3 + 0.7 * is_home)
        load_kw = load_kw + 1.8 * (((hour - begin) % 24) < length[day])
    return np.asarray(np.clip(load_kw, 0.02, MAINS_FUSE_KW))


def _bump(hour: Array, centre: Array | float, width_h: float) -> Array:
    distance = (hour - centre + 12) % 24 - 12
    return np.asarray(np.exp(-0.5 * (distance / width_h) ** 2))


def _smooth(noise: Array, memory: float) -> Array:
    """First-order autoregression of unit variance driven by ``noise``."""
    from scipy.signal import lfilter

    return np.asarray(lfilter([np.sqrt(1 - memory**2)], [1.0, -memory], noise))


def _noise(rng: np.random.Generator, steps: int, memory: float) -> Array:
    return _smooth(rng.standard_normal(steps), memory)


def _elevation_sin(time: pd.DatetimeIndex) -> Array:
    """Sine of the sun's elevation over Sydney in the middle of each step; 0 for a step wholly at night."""
    from pvlib import solarposition

    middle = time + pd.Timedelta(minutes=15)
    elevation = solarposition.get_solarposition(middle, *SYDNEY)["elevation"].to_numpy()
    return np.asarray(np.maximum(np.sin(np.deg2rad(elevation)), 0.0))


def _clear_sky_share(elevation_sin: Array) -> Array:
    """Clear-sky PV over capacity: Haurwitz global irradiance over 1 kW/m2 times a performance ratio."""
    safe = np.maximum(elevation_sin, 1e-3)
    return np.where(
        elevation_sin > 0, PV_PERFORMANCE * SOLAR_CONSTANT_SHARE * safe * np.exp(-0.059 / safe), 0.0
    )
