"""Numbers behind the report: days on the local clock, energies by day, month and year, clear sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .data import calendars, solar
from .data.traces import Floats, Traces

PUBLISHED_YEARS = ("2010-11", "2011-12", "2012-13")
PUBLISHED_LOAD_KWH = (6980.0, 6596.0, 6387.0)
PUBLISHED_PV_KWH = (2119.0, 2083.0, 2181.0)
PUBLISHED_PV_KWP = 1.68
PUBLISHED_HOMES = 300
"""Means over all homes of Ausgrid's solar home electricity data, July to June [kWh a year, kWp]."""

SEASONS: NDArray[np.int64] = np.array([0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0])
"""Quarter of the year by month (January first): 0 is December to February."""
_QUARTERS = ("Dec–Feb", "Mar–May", "Jun–Aug", "Sep–Nov")
_SOUTHERN = ("Summer", "Autumn", "Winter", "Spring")
_NORTHERN = ("Winter", "Spring", "Summer", "Autumn")


def season_names(is_southern: bool | None) -> list[str]:
    """Names of the four quarters from December on; months alone where the hemisphere is not known."""
    if is_southern is None:
        return list(_QUARTERS)
    seasons = _SOUTHERN if is_southern else _NORTHERN
    return [f"{season} ({months})" for season, months in zip(seasons, _QUARTERS, strict=True)]


def local_clock(traces: Traces) -> pd.DatetimeIndex:
    """Start of each step on the local clock, without its zone."""
    return traces.time.tz_convert(traces.time_zone).tz_localize(None)


def on_local_days(traces: Traces, values: Floats) -> tuple[pd.DatetimeIndex, Floats]:
    """``values`` ``(home, step)`` as ``(home, day, slot)`` on the local clock, with the days.

    The hour that the clock skips in spring is NaN; the one that it repeats in autumn is the mean of both.
    """
    clock = local_clock(traces)
    days = pd.date_range(clock[0].normalize(), clock[-1].normalize(), freq="D")
    slots = round(24 / traces.dt_h)
    midnight = clock.normalize()
    slot = np.asarray((clock - midnight) / pd.Timedelta(hours=traces.dt_h)).astype(int)
    flat = np.asarray((midnight - days[0]).days) * slots + slot
    repeated = np.asarray(pd.Index(flat).duplicated())
    grid = np.full((values.shape[0], len(days) * slots), np.nan, dtype=np.result_type(values, np.float32))
    grid[:, flat[~repeated]] = values[:, ~repeated]
    grid[:, flat[repeated]] = (grid[:, flat[repeated]] + values[:, repeated]) / 2
    return days, grid.reshape(values.shape[0], len(days), slots)


def day_kwh(traces: Traces, values: Floats) -> tuple[pd.DatetimeIndex, Floats]:
    """Energy of each whole local day, ``(home, day)`` [kWh], from power ``(home, step)`` [kW].

    A day with an unknown step is NaN; the cut days at both ends are left out.
    """
    midnight = local_clock(traces).normalize()
    first = np.flatnonzero(np.append(True, midnight[1:] != midnight[:-1]))
    energy = np.add.reduceat(values, first, axis=1) * traces.dt_h
    days = midnight[first]
    at_first = np.ones(
        len(days), dtype=bool
    )  # a clock that goes back at midnight shows 0:00 twice: take the earlier
    start, end = (
        stamps.tz_localize(traces.time_zone, nonexistent="shift_forward", ambiguous=at_first)
        for stamps in (days, days + pd.Timedelta(days=1))
    )
    covered_h = np.diff(np.append(first, len(midnight))) * traces.dt_h
    is_whole = covered_h >= np.asarray((end - start) / pd.Timedelta(hours=1)) - 1e-6
    return days[is_whole], energy[:, is_whole]


def complete_months(traces: Traces) -> tuple[list[pd.Period], Floats, Floats]:
    """Calendar months that the traces cover whole, with load and PV ``(home, month)`` [kWh a month].

    They come in order of time; several years of a month are averaged under the first; unknown days count as
    the mean of the known ones.
    """
    days, load_kwh = day_kwh(traces, traces.load_kw)
    _, pv_kwh = day_kwh(traces, traces.pv_kw)
    period = days.to_period("M")
    whole = [month for month in period.unique() if (period == month).sum() == month.days_in_month]
    groups: dict[int, list[pd.Period]] = {}
    for month in whole:
        groups.setdefault(month.month, []).append(month)
    energies = []
    for energy in (load_kwh, pv_kwh):
        columns = [
            mean_known(
                np.stack([mean_known(energy[:, period == m]) * m.days_in_month for m in group], axis=-1)
            )
            for group in groups.values()
        ]
        energies.append(np.array(columns).T.reshape(len(traces), len(groups)))
    return [group[0] for group in groups.values()], energies[0], energies[1]


def mean_known(values: Floats) -> Floats:
    """Mean over the last dimension of what is there; NaN without a warning where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0).sum(axis=-1, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def span_days(traces: Traces) -> float:
    """Length of the traces [days]."""
    return len(traces.time) * traces.dt_h / 24


def annual_kwh(traces: Traces, values: Floats) -> Floats:
    """Energy of a year from mean power over the measured steps, ``(home,)`` [kWh].

    A span of whole years gives its own mean year (a leap year has 366 days), any other 365 days.
    """
    years = round(span_days(traces) / 365.25)
    is_whole = years > 0 and abs(span_days(traces) - 365.25 * years) <= 1
    hours = 24 * span_days(traces) / years if is_whole else 8760.0
    return mean_known(values) * hours


def peaks_kw(values: Floats) -> Floats:
    """Highest known step of each home, ``(home,)`` [kW]; NaN where nothing is known."""
    highest = np.where(np.isfinite(values), values, -np.inf).max(axis=1)
    return np.where(np.isfinite(highest), highest, np.nan)


def capacities_kwp(traces: Traces) -> Floats:
    """PV capacity of each home [kWp], ``(home,)``; 0 where none is listed or nothing was generated."""
    listed = traces.homes["pv_capacity_kwp"].to_numpy(dtype=float)
    return np.where((listed > 0) & (np.nansum(traces.pv_kw, axis=1) > 0), listed, 0.0)


def quantiles(values: Floats, shares: Sequence[float] | Floats) -> Floats:
    """Quantiles over the first dimension of what is known, ``(share, …)``; NaN where nothing is."""
    known = np.isfinite(values)
    if known.all():
        return np.asarray(np.quantile(values, shares, axis=0))
    is_empty = ~known.any(axis=0)
    found = np.nanquantile(np.where(is_empty, 0, values), shares, axis=0)
    return np.where(is_empty, np.nan, found)


def fitted_clear_sky(traces: Traces, location: tuple[float, float]) -> tuple[list[solar.Roof], Floats]:
    """Roof plane that fits each home's best days, and the clear sky on it ``(home, step)`` [kW].

    A plane needs half-hours, four weeks and the southern sky to be fitted; without them it is the usual one,
    tilted 25 degrees towards the equator. Latitude and longitude are in degrees, north and east > 0.
    """
    capacity_kwp = capacities_kwp(traces)
    # clear_sky looks at the middle of a half-hour; move the stamps so that it is the middle of our step.
    moved = traces.time + pd.Timedelta(hours=traces.dt_h / 2 - 0.25)
    sky = solar.clear_sky(moved, *location)
    roofs = [solar.Roof(azimuth_deg=0 if location[0] < 0 else 180)] * len(traces)
    if traces.dt_h == 0.5 and location[0] < 0 and span_days(traces) >= 28:
        clock = traces.time.tz_localize(None) + calendars.standard_offset(traces.time_zone)
        first = int(np.flatnonzero((clock.hour == 0) & (clock.minute == 0))[0])
        days = (len(clock) - first) // calendars.STEPS_PER_DAY
        steps = slice(first, first + days * calendars.STEPS_PER_DAY)
        part = solar.Sky(**{field.name: getattr(sky, field.name)[steps] for field in fields(sky)})
        pv_kw = traces.pv_kw[:, steps].reshape(len(traces), days, calendars.STEPS_PER_DAY)
        day_of_year = np.asarray(clock[steps][:: calendars.STEPS_PER_DAY].day_of_year, dtype=float)
        roofs = solar.fit_roofs(pv_kw, capacity_kwp, part, day_of_year)
    envelopes = [
        solar.envelope_kw(sky, roof, capacity) for roof, capacity in zip(roofs, capacity_kwp, strict=True)
    ]
    return roofs, np.stack(envelopes)


def typical_weeks(days: pd.DatetimeIndex, load_kw: Floats, pv_kw: Floats) -> dict[int, int]:
    """First day's row of the week nearest the season's median week, by quarter.

    A week runs from Monday to Sunday inside one quarter without a gap; quarters without one are absent.

    Args:
        days: local days.
        load_kw: ``(day, slot)`` of one home [kW]; so is ``pv_kw``.
    """
    mondays = np.flatnonzero(days.day_of_week == 0)
    mondays = mondays[mondays + 7 <= len(days)]
    energies = np.array([[load_kw[m : m + 7].sum(), pv_kw[m : m + 7].sum()] for m in mondays]).reshape(-1, 2)
    season = SEASONS[days.month - 1]
    is_whole = np.isfinite(energies).all(axis=1) & (season[mondays] == season[mondays + 6])
    found = {}
    for number in range(4):
        candidates = np.flatnonzero(is_whole & (season[mondays] == number))
        if len(candidates):
            sample = energies[candidates]
            distance = np.abs(sample - np.median(sample, axis=0)) / (sample.std(axis=0) + 1e-9)
            found[number] = int(mondays[candidates[np.argmin((distance**2).sum(axis=1))]])
    return found


def homes_to_show(traces: Traces) -> list[str]:
    """Up to three homes with a whole week: of low, middle and high load (10, 50 and 90 % of homes)."""
    days, load_kw = on_local_days(traces, traces.load_kw)
    _, pv_kw = on_local_days(traces, traces.pv_kw)
    able = [home for home in range(len(traces)) if typical_weeks(days, load_kw[home], pv_kw[home])]
    if not able:
        return []
    order = np.array(able)[np.argsort(mean_known(traces.load_kw[able]))]
    places = sorted({round(share * (len(order) - 1)) for share in (0.1, 0.5, 0.9)})
    return [traces.names[order[place]] for place in places]


def three_days(clearness: Floats, roughness: Floats) -> tuple[int, int, int]:
    """Rows of a clear day (97 % quantile), the most ragged middling one, an overcast one (5 % quantile)."""
    order = np.argsort(clearness)[: np.isfinite(clearness).sum()]
    middle = order[len(order) // 4 : 1 + 3 * len(order) // 4]
    clear, overcast = order[round(0.97 * (len(order) - 1))], order[round(0.05 * (len(order) - 1))]
    return int(clear), int(middle[np.argmax(roughness[middle])]), int(overcast)
