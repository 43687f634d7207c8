"""Clear-sky output of a tilted roof, and the roof that fits a home's best days.

A home's PV is ``clearness * envelope``; the envelope is the clear-sky irradiance on its roof times capacity
and gain, so night is zero and the sunrise is in the right place whatever the model draws for the clearness.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .calendars import STEPS_PER_DAY

SYDNEY_LATITUDE = -33.87
SYDNEY_LONGITUDE = 151.21
SYDNEY_STANDARD_TIME = "Etc/GMT-10"
MAX_CLEARNESS = 1.3
"""Half-hours brighter than the clear sky (sun between clouds) exist; above this the envelope is wrong."""


@dataclass(frozen=True, kw_only=True)
class Roof:
    """Plane of a home's panels."""

    tilt_deg: float = 25.0
    """Angle from the horizontal [deg], 0..90."""
    azimuth_deg: float = 0.0
    """Compass direction the panels face [deg]: 0 north, 90 east, -90 west."""
    gain: float = 0.8
    """Output at 1000 W/m2 on the panels over rated capacity: inverter, dirt and heat in one number."""


@dataclass(frozen=True)
class Sky:
    """Clear sky over one place, per step: what does not depend on the roof."""

    apparent_zenith: NDArray[np.float64]
    azimuth: NDArray[np.float64]
    dni: NDArray[np.float64]
    ghi: NDArray[np.float64]
    dhi: NDArray[np.float64]
    dni_extra: NDArray[np.float64]


def clear_sky(
    time: pd.DatetimeIndex, latitude: float = SYDNEY_LATITUDE, longitude: float = SYDNEY_LONGITUDE
) -> Sky:
    """Ineichen clear sky at the middle of each half-hour that starts at ``time`` (pvlib)."""
    import pvlib

    middle = time + pd.Timedelta(minutes=15)
    place = pvlib.location.Location(latitude, longitude, tz="UTC")
    sun = place.get_solarposition(middle)
    sky = place.get_clearsky(middle, model="ineichen", linke_turbidity=3.0, solar_position=sun)
    extra = pvlib.irradiance.get_extra_radiation(middle)
    columns = (sun.apparent_zenith, sun.azimuth, sky.dni, sky.ghi, sky.dhi, extra)
    return Sky(*(np.asarray(column, dtype=np.float64) for column in columns))


def clear_sky_of_days(dates: pd.DatetimeIndex) -> Sky:
    """Clear sky over Sydney, 48 half-hours on each of the naive standard-time ``dates`` (no day left out).

    Homes of another time zone live under this sky at their own standard time, so that noon stays noon.
    """
    first = dates[0].tz_localize(SYDNEY_STANDARD_TIME)
    return clear_sky(pd.date_range(first, periods=len(dates) * STEPS_PER_DAY, freq="30min").tz_convert("UTC"))


def plane_irradiance(sky: Sky, tilt_deg: float, azimuth_deg: float) -> NDArray[np.float32]:
    """Clear-sky irradiance on a plane (Hay-Davies), ``(step,)`` [kW/m2]; exactly zero with the sun down."""
    import pvlib

    parts = pvlib.irradiance.get_total_irradiance(
        tilt_deg, azimuth_deg % 360, sky.apparent_zenith, sky.azimuth, sky.dni, sky.ghi, sky.dhi,
        dni_extra=sky.dni_extra, model="haydavies",
    )  # fmt: skip
    poa = np.nan_to_num(np.asarray(parts["poa_global"], dtype=np.float64))
    return np.where(sky.ghi > 0, np.clip(poa, 0, None) / 1000, 0).astype(np.float32)


def envelope_kw(sky: Sky, roof: Roof, capacity_kwp: float) -> NDArray[np.float32]:
    """Clear-sky output of a home, ``(step,)`` [kW]."""
    return plane_irradiance(sky, roof.tilt_deg, roof.azimuth_deg) * np.float32(roof.gain * capacity_kwp)


@functools.lru_cache(maxsize=1)
def _candidate_roofs() -> tuple[tuple[float, float], ...]:
    return tuple(
        (float(tilt), float(azimuth)) for tilt in range(5, 56, 5) for azimuth in range(-120, 121, 10)
    )


def fit_roofs(
    pv_kw: NDArray[np.floating],
    capacity_kwp: NDArray[np.floating],
    sky: Sky,
    day_of_year: NDArray[np.floating],
) -> list[Roof]:
    """Roof of each home from the upper edge of its generation.

    The edge is the 97 % quantile of each half-hour over the days within 15 days of the season, on 24 dates
    of the year; the roof is the least-squares best of a grid of tilts and azimuths, its gain in closed form.
    Where there is nothing to fit (no panels, a handful of days, output at night alone) it is `Roof()`.

    Args:
        pv_kw: ``(home, day, 48)`` [kW], standard-time days; NaN where unknown.
        capacity_kwp: ``(home,)`` [kWp].
        sky: clear sky of the same ``day * 48`` steps.
        day_of_year: ``(day,)``.
    """
    centres = np.arange(8, 366, 15)
    distance = np.abs(day_of_year[None, :] - centres[:, None])
    distance = np.minimum(distance, 366 - distance)
    near = distance <= 15
    has_days = near.sum(1) >= 5  # a few weeks of readings see only a part of the year
    if not has_days.any():
        return [Roof() for _ in pv_kw]
    near, centre_days = near[has_days], distance[has_days].argmin(1)
    planes = np.stack(
        [
            plane_irradiance(sky, *candidate).reshape(-1, STEPS_PER_DAY)[centre_days].ravel()
            for candidate in _candidate_roofs()
        ]
    )
    roofs = []
    for pv, capacity in zip(pv_kw, capacity_kwp, strict=True):
        edge = np.stack([np.nan_to_num(_quantile(pv[days], 0.97)) for days in near]).ravel()
        if not capacity > 0 or not edge.max(initial=0) > 0:
            roofs.append(Roof())
            continue
        gain = (planes @ edge) / (planes**2).sum(1)
        best = int(((edge[None] - gain[:, None] * planes) ** 2).sum(1).argmin())
        if not gain[best] > 0:
            roofs.append(Roof())
            continue
        tilt, azimuth = _candidate_roofs()[best]
        roofs.append(Roof(tilt_deg=tilt, azimuth_deg=azimuth, gain=float(gain[best] / capacity)))
    return roofs


def _quantile(days: NDArray[np.floating], share: float) -> NDArray[np.floating]:
    """Quantile over the first axis without NaN; zeros where there is nothing."""
    known = days[~np.isnan(days).any(axis=1)]
    if not len(known):
        return np.zeros(days.shape[1], dtype=days.dtype)
    result: NDArray[np.floating] = np.quantile(known, share, axis=0)
    return result
