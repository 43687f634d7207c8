"""What the devices of a home meet besides its load and PV: weather, set-points, hot water, trips, machines.

Events are keyed by the life of the window (``Window.life``), the device and the date, never by the step: the same home
does the same things at any step length and in any window that holds the day. An event falls on the step that holds it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.cop import cooling_cop, heating_cop
from hidiff.data.calendars import standard_offset
from hidiff.home import Appliance, HeatPump, Home, HotWaterTank
from hidiff.rng import generator

from .exogenous_car import car_series
from .sources import Window
from .tariffs import local_clock

Values = NDArray[np.float64]

MONTH_MAX_C = (26.0, 25.8, 24.8, 22.5, 19.5, 17.0, 16.4, 17.9, 20.1, 22.2, 23.7, 25.2)
MONTH_MIN_C = (18.8, 18.9, 17.6, 14.7, 11.6, 9.3, 8.1, 9.0, 11.1, 13.6, 15.7, 17.6)
"""Mean daily maximum and minimum of each month at Sydney Observatory Hill (Bureau of Meteorology, station 066062)."""
WARMEST_H = 14.5
"""Standard time of the daily maximum of the mean curve."""
NIGHT_FROM_H, NIGHT_UNTIL_H = 22, 6
"""Hours of the local clock between which a heat pump's lower bound is set back."""
DRAW_SHARES = np.repeat([0.4 / 3, 0.4 / 3, 0.2 / 4], [3, 3, 4])
"""Shares of the ten daily draws of hot water: three in the morning, three in the evening, four small ones by day."""
DRAW_HOUR, DRAW_SPREAD_H = np.repeat([7.0, 19.5, 14.0], [3, 3, 4]), np.repeat([0.8, 1.5, 3.5], [3, 3, 4])
"""Mean hour of each draw on the local clock, and its standard deviation [h]."""
DAYS = 367


def device_exogenous(home: Home, window: Window) -> dict[str, Values]:
    """Exogenous series of the devices that ``home`` has, each ``(step,)``; what the window was given is taken.

    Returns:
        With a heat pump ``outdoor_c``, ``heating_cop``, ``cooling_cop``, ``low_c``, ``high_c`` and ``heat_gain_kw``;
        with a tank ``hot_water_kw``; with a car ``car_is_home`` and ``car_trip_kwh``; with appliances
        ``appliance_request``, ``(step, appliance)``. ``outdoor_c`` also where the window was given it.

    Raises:
        ValueError: an ``appliance_request`` that was given for another number of appliances.
    """
    series: dict[str, Values] = {}
    if "outdoor_c" in window.given:
        series["outdoor_c"] = np.asarray(window.given["outdoor_c"], dtype=np.float64)
    elif home.heat_pump is not None:
        series["outdoor_c"] = climate_c(window.time, window.time_zone, window.dt_h)
    if home.heat_pump is not None:
        series |= heat_series(home.heat_pump, window, series["outdoor_c"])
    if home.tank is not None:
        series["hot_water_kw"] = hot_water_kw(home.tank, window)
    if home.car is not None:
        series |= car_series(home.car, window)
    if home.appliances:
        series["appliance_request"] = appliance_request(home.appliances, window)
    series |= {
        name: np.asarray(values, dtype=np.float64) for name, values in window.given.items() if name in series
    }
    asked = series.get("appliance_request")
    if asked is not None and asked.shape[1] != len(home.appliances):
        raise ValueError(
            f"appliance_request has {asked.shape[1]} columns; the home has {len(home.appliances)} appliances"
        )
    return series


def climate_c(time: pd.DatetimeIndex, time_zone: str, dt_h: float) -> Values:
    """A mean year of Sydney, ``(step,)`` [deg C], for homes that come without weather: no heat waves, no cold spells.

    Monthly normals in the middle of each month, straight lines between them, and a cosine over the day of standard
    time, averaged over each step.
    """
    middle = (
        time.tz_convert("UTC").tz_localize(None) + standard_offset(time_zone) + pd.Timedelta(hours=dt_h / 2)
    )
    month = np.asarray(middle.month + (middle.day - 1 + middle.hour / 24) / middle.days_in_month, dtype=float)
    centres = np.arange(-1, 13) + 1.5
    high, low = (np.interp(month, centres, (*of[-1:], *of, *of[:1])) for of in (MONTH_MAX_C, MONTH_MIN_C))
    hour = np.asarray(middle.hour + middle.minute / 60 + middle.second / 3600, dtype=float)
    smoothing = np.sinc(dt_h / 24)  # mean of the cosine over a step
    daily = smoothing * np.cos(2 * np.pi * (hour - WARMEST_H) / 24)
    return np.asarray((high + low) / 2 + (high - low) / 2 * daily)


def heat_series(heat_pump: HeatPump, window: Window, outdoor_c: Values) -> dict[str, Values]:
    """COPs, comfort bounds and the house's own heat, each ``(step,)``.

    The sun that enters is the home's PV per kWp, read as kW per m2 of ``solar_aperture_m2``: none for a home without PV.
    """
    local = local_clock(window.time, window.time_zone)
    hour = np.asarray(local.hour + local.minute / 60, dtype=float)
    is_night = (hour >= NIGHT_FROM_H) | (hour < NIGHT_UNTIL_H)
    house = heat_pump.house
    sun_kw_m2 = np.zeros(window.steps)
    if window.pv_capacity_kwp > 0:
        sun_kw_m2 = window.pv_kw.astype(np.float64) / window.pv_capacity_kwp
    return {
        "heating_cop": heating_cop(outdoor_c, efficiency=heat_pump.efficiency),
        "cooling_cop": cooling_cop(outdoor_c, efficiency=heat_pump.efficiency),
        "low_c": heat_pump.low_c - heat_pump.night_set_back_k * is_night,
        "high_c": np.full(window.steps, heat_pump.high_c),
        "heat_gain_kw": house.load_as_heat * window.load_kw.astype(np.float64)
        + house.people_kw
        + house.solar_aperture_m2 * sun_kw_m2,
    }


def hot_water_kw(tank: HotWaterTank, window: Window) -> Values:
    """Heat drawn with hot water, ``(step,)`` [kW]: ten draws a day, more in the morning and in the evening.

    Sizes vary from draw to draw and with the day, hours with the person and from day to day; the mean is
    ``use_kwh_per_day``.
    """
    habit_h = generator(window.life, "hot water", "habit").normal(0.0, 0.75, 2)
    shift_h = np.repeat([habit_h[0], habit_h[1], 0.0], [3, 3, 4])
    dates = _local_dates(window)
    hours, sizes = np.empty((len(dates), len(DRAW_SHARES))), np.empty((len(dates), len(DRAW_SHARES)))
    for year in np.unique(dates.year):
        random = generator(window.life, "hot water", int(year))
        spread_h = random.standard_normal((DAYS, len(DRAW_SHARES)))
        size = random.gamma(2.0, 0.5, (DAYS, len(DRAW_SHARES))) * random.gamma(10.0, 0.1, (DAYS, 1))
        of_year = np.asarray(dates.year == year)
        days = np.asarray(dates.day_of_year)[of_year]
        hours[of_year] = (DRAW_HOUR + shift_h + DRAW_SPREAD_H * spread_h[days]) % 24
        sizes[of_year] = tank.use_kwh_per_day * DRAW_SHARES * size[days]
    drawn_kwh = np.zeros(window.steps)
    at, is_in = _steps_that_hold(dates, hours, window)
    np.add.at(drawn_kwh, at[is_in], sizes[is_in])
    return drawn_kwh / window.dt_h


def appliance_request(appliances: tuple[Appliance, ...], window: Window) -> Values:
    """1 on the step that holds ``earliest_h`` of the days on which a machine is filled, ``(step, appliance)``."""
    dates = _local_dates(window)
    request = np.zeros((window.steps, len(appliances)))
    for number, appliance in enumerate(appliances):
        chance = np.empty(len(dates))
        for year in np.unique(dates.year):
            of_year = np.asarray(dates.year == year)
            drawn = generator(window.life, "appliance", number, appliance.name, int(year)).random(DAYS)
            chance[of_year] = drawn[np.asarray(dates.day_of_year)[of_year]]
        at, is_in = _steps_that_hold(dates, np.full((len(dates), 1), appliance.earliest_h), window)
        is_asked = is_in[:, 0] & (chance < appliance.probability)
        request[at[is_asked, 0], number] = 1.0
    return request


def _local_dates(window: Window) -> pd.DatetimeIndex:
    """Naive dates of the local clock that the window touches."""
    first, last = (local_clock(window.time[at : at + 1], window.time_zone)[0] for at in (0, window.steps - 1))
    return pd.date_range(first.tz_localize(None).normalize(), last.tz_localize(None).normalize(), freq="D")


def _steps_that_hold(
    dates: pd.DatetimeIndex, hours: Values, window: Window
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Step of each hour of each local date, ``(date, event)``, and whether it lies in the window.

    Of two equal hours the first is meant; an hour that the clock leaves out is the one after it.
    """
    seconds = np.round(hours * 3600).astype("timedelta64[s]")
    local = pd.DatetimeIndex((dates.to_numpy().astype("datetime64[s]")[:, None] + seconds).ravel())
    stamps = local.tz_localize(
        window.time_zone, ambiguous=np.ones(len(local), dtype=bool), nonexistent="shift_forward"
    )
    since_s = stamps.as_unit("s").asi8 - round(window.time[0].timestamp())
    at = np.floor(since_s / (window.dt_h * 3600) + 1e-9).astype(np.int64).reshape(hours.shape)
    return at, (at >= 0) & (at < window.steps)
