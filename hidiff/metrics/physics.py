"""What no home can do: make sun at night, beat its panels, use less than nothing; and where its sun goes.

Functions give one row a home.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Array = NDArray[np.float64]

HORIZON_DEG = -0.833
"""Elevation of the sun's centre at sunrise and sunset, refraction included (Meeus 1998)."""


def night_mask(
    time: pd.DatetimeIndex, *, dt_h: float, latitude_deg: float = -33.87, longitude_deg: float = 151.21
) -> NDArray[np.bool_]:
    """Whether the whole step lies between sunset and sunrise, ``(step,)``; Sydney by default.

    Args:
        time: start of each step, zone-aware.
        dt_h: step length [h].
        latitude_deg: positive north [degrees].
        longitude_deg: positive east [degrees].
    """
    from pvlib import solarposition

    is_up = np.zeros(len(time), dtype=np.bool_)
    for moment_h in (0.0, dt_h / 2, dt_h):
        moments = time + pd.Timedelta(hours=moment_h)
        sun = solarposition.get_solarposition(moments, latitude_deg, longitude_deg)
        is_up |= sun["elevation"].to_numpy() > HORIZON_DEG
    return ~is_up


def night_energy_kwh(pv_kw: Floats, night: NDArray[np.bool_], dt_h: float) -> Array:
    """PV energy while the sun is down, a year of 8760 h, ``(home,)`` [kWh]; must be 0.

    Args:
        pv_kw: ``(home, step)`` [kW].
        night: steps with the sun below the horizon, ``(step,)``.
        dt_h: step length [h].
    """
    energy_kwh = np.abs(pv_kw[:, night]).sum(axis=1, dtype=np.float64) * dt_h
    return np.asarray(energy_kwh * 8760 / (pv_kw.shape[1] * dt_h))


def max_over_capacity(pv_kw: Floats, capacity_kwp: Floats) -> Array:
    """Largest PV step over the capacity, ``(home,)``; must be at most 1. NaN where a home has no capacity."""
    largest = np.asarray(pv_kw.max(axis=1), dtype=np.float64)
    ratio = np.divide(largest, capacity_kwp, out=np.full_like(largest, np.nan), where=capacity_kwp > 0)
    return np.asarray(ratio)


def negative_share(power_kw: Floats) -> Array:
    """Share of steps below zero, ``(home,)`` [0..1]; must be 0 for load and for PV."""
    return np.asarray(np.mean(power_kw < 0, axis=1), dtype=np.float64)


def self_consumption(load_kw: Floats, pv_kw: Floats) -> Array:
    """Share of a home's PV that it uses in the same step, ``(home,)`` [0..1]; NaN without PV.

    ``sum min(load, pv) / sum pv`` (Luthander et al. 2015, doi:10.1016/j.apenergy.2014.12.028).
    """
    return _ratio(np.minimum(load_kw, pv_kw), pv_kw)


def self_sufficiency(load_kw: Floats, pv_kw: Floats) -> Array:
    """Share of a home's load met by its PV in the same step, ``(home,)`` [0..1]; NaN without load.

    ``sum min(load, pv) / sum load`` (Luthander et al. 2015).
    """
    return _ratio(np.minimum(load_kw, pv_kw), load_kw)


def _ratio(part_kw: Floats, whole_kw: Floats) -> Array:
    part, whole = part_kw.sum(axis=1, dtype=np.float64), whole_kw.sum(axis=1, dtype=np.float64)
    return np.asarray(np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0))
