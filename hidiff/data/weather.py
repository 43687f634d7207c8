"""The regional weather path: what all homes of a region share, one row a day.

Columns: ``temperature_max_c``, ``temperature_min_c`` [deg C] and ``clearness`` (PV energy of the region's
roofs over their clear-sky energy, 0..1.3). The index holds naive standard-time dates.

Files may be daily or in steps of 1 to 60 minutes; `read_weather` makes days of them. The generator knows one
climate: irradiance is divided by the clear sky over **Sydney** on Sydney's standard time, whatever the homes'
time zone. Weather of another place says what it means only as far as its seasons, its sun's path and the range of
its temperatures are like Sydney's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.errors import DataFormatError

from . import solar
from .calendars import STEPS_PER_DAY
from .prepare import CLEARNESS, Prepared

COLUMNS = ["temperature_max_c", "temperature_min_c", "clearness"]
IRRADIANCE: dict[str, float | None] = {"ghi_w_m2": 1e-3, "ghi_kw_m2": 1.0, "ghi_kwh_m2": None}
"""Names of global horizontal irradiance and the factor to kW/m2; kWh/m2 are per row of the file."""
LIMITS = {"temperature_max_c": (-60.0, 60.0), "temperature_min_c": (-60.0, 60.0), "clearness": (0.0, 1.3)}
SHORTEST_CHECK_DAYS = 14
"""Days that a file must have before its mean day can tell that its clock is wrong."""
DULLEST = 0.02
"""A file whose brightest day is below this share of the clear sky has another unit."""
CLOCK_TOLERANCE_H = 0.75
"""The middle of the sun may be this far from the clear sky's; daylight saving is an hour off, clouds 0.3."""


def read_weather(path: Path) -> pd.DataFrame:
    """Daily weather from a file, any of the columns of `COLUMNS` that can be had from it.

    One row a day: ``date``, and any of `COLUMNS` and ``ghi_kwh_m2`` (the day's energy). Or one row a step of 1 to 60
    minutes: ``time`` or ``local_time`` (interval start, zone-aware or naive local **standard** time), and any
    of ``temperature_c``, ``clearness`` (weighted by the clear sky), ``ghi_w_m2``, ``ghi_kw_m2`` (means of the
    step) and ``ghi_kwh_m2`` (energy of the step). A day cut off at either end of a file in steps is left out.

    Raises:
        DataFormatError: no time column, no column that says anything of the weather, values that are no
            numbers or cannot be right, double, missing or uneven steps, missing days, a wrong clock or unit.
    """
    table = _read_table(path)
    column = next((name for name in ("date", "time", "local_time") if name in table.columns), None)
    if column is None:
        raise DataFormatError(
            f"{path} has no column 'date', 'time' or 'local_time'; "
            f"it has {', '.join(map(str, table.columns[:12]))}"
        )
    known = [name for name in (*COLUMNS, "temperature_c", *IRRADIANCE) if name in table.columns]
    if not known:
        raise DataFormatError(
            f"{path} has none of {', '.join(COLUMNS)}, temperature_c, {', '.join(IRRADIANCE)}; name the columns so"
        )
    suns = [name for name in known if name in IRRADIANCE or name == "clearness"]
    if len(suns) > 1:
        raise DataFormatError(f"{path} says how clear it was twice, {suns[0]!r} and {suns[1]!r}; drop one")
    values = _numbers(table, known, _stamps(table[column], column, path), path)
    is_daily = bool((values.index == values.index.normalize()).all()) and "temperature_c" not in known
    daily = _from_days(values, path) if is_daily else _from_steps(values, path)
    _check(daily, path)
    return daily


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise ValueError(f"weather file {path} does not exist")
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise DataFormatError(f"{path} cannot be read as a table ({error}); give CSV or Parquet") from error


def _stamps(values: pd.Series[object], column: str, path: Path) -> pd.DatetimeIndex:
    """Naive stamps on the standard time of Sydney."""
    try:
        stamps = pd.DatetimeIndex(pd.to_datetime(values))
    except (ValueError, TypeError) as error:
        raise DataFormatError(f"{path}: column {column!r} does not hold dates ({error})") from error
    if stamps.tz is not None:
        stamps = stamps.tz_convert(solar.SYDNEY_STANDARD_TIME).tz_localize(None)
    if not len(stamps) or stamps.hasnans:
        raise DataFormatError(f"{path}: column {column!r} has no date in some row, or the file has no rows")
    return stamps


def _numbers(table: pd.DataFrame, known: list[str], stamps: pd.DatetimeIndex, path: Path) -> pd.DataFrame:
    """The columns that count as numbers, sorted by time."""
    columns = {}
    for name in known:
        try:
            columns[name] = pd.to_numeric(table[name]).to_numpy(dtype=np.float64)
        except (ValueError, TypeError) as error:
            raise DataFormatError(f"{path}: column {name!r} is not all numbers ({error})") from error
        if not np.isfinite(columns[name]).all():
            row = stamps[int(np.argmin(np.isfinite(columns[name])))]
            raise DataFormatError(f"{path}: column {name!r} has no value on {_say(row)}; fill it first")
    values = pd.DataFrame(columns, index=stamps).sort_index()
    if values.index.has_duplicates:
        double = values.index[values.index.duplicated()][0]
        raise DataFormatError(
            f"{path} has {_say(double)} twice; a clock with daylight saving does that in autumn: "
            "give zone-aware or standard time, one row a step"
        )
    return values


def _say(stamp: pd.Timestamp) -> str:
    return f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}"


def _from_days(values: pd.DataFrame, path: Path) -> pd.DataFrame:
    daily = values[[name for name in COLUMNS if name in values.columns]].copy()
    holes = pd.date_range(values.index[0], values.index[-1], freq="D").difference(values.index)
    if len(holes):
        raise DataFormatError(f"{path} misses {len(holes)} days, the first {_say(holes[0])}; fill them first")
    for name in IRRADIANCE:
        if name in values.columns:
            factor = IRRADIANCE[name]
            energy = values[name].to_numpy() * (1.0 if factor is None else 24 * factor)
            clear = solar.clear_sky_of_days(values.index).ghi.reshape(-1, STEPS_PER_DAY).sum(1) / 2000
            daily["clearness"] = _clearness(energy, clear, values.index, name, path)
    return daily[[name for name in COLUMNS if name in daily.columns]]


def _from_steps(values: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Extremes and clearness of the whole days of a file in even steps."""
    first = values.index[0]
    if len(values) == 1:
        raise DataFormatError(f"{path} holds one step, {_say(first)}; give whole days")
    gaps = np.diff(values.index.to_numpy()) / np.timedelta64(1, "s") / 60
    step = float(np.median(gaps))
    if not (1 <= step <= 60 and 60 % step == 0):
        raise DataFormatError(
            f"{path} has steps of {step:g} minutes; steps must divide the hour, or give one row a day in "
            f"{', '.join(COLUMNS)}"
        )
    odd = np.flatnonzero(gaps != step)
    if odd.size:
        raise DataFormatError(
            f"{path} has {odd.size} places where the step is not {step:g} minutes, the first after "
            f"{_say(values.index[odd[0]])}; fill the gaps first (a clock with daylight saving leaves one in spring)"
        )
    steps = round(24 * 60 / step)
    late = (first - first.normalize()) / pd.Timedelta(minutes=step)  # steps that the first day lacks
    begin = 0 if late < 1 else steps - int(late)
    days = (len(values) - begin) // steps
    if days < 1:
        raise DataFormatError(f"{path} has no whole day of standard time (UTC+10); give all steps of a day")
    whole = values.iloc[begin : begin + days * steps]
    dates = pd.DatetimeIndex(whole.index[::steps].normalize())
    daily = pd.DataFrame(index=dates)
    by_day = {name: whole[name].to_numpy().reshape(days, steps) for name in whole.columns}
    if "temperature_c" in by_day:
        daily["temperature_max_c"] = by_day["temperature_c"].max(axis=1)
        daily["temperature_min_c"] = by_day["temperature_c"].min(axis=1)
        hour = float(by_day["temperature_c"].mean(axis=0).argmax()) * step / 60
        if (
            days >= SHORTEST_CHECK_DAYS
            and not 9 <= hour < 20
            and np.ptp(by_day["temperature_c"].mean(axis=0)) > 1
        ):
            raise DataFormatError(
                f"{path}: the mean day is warmest at {_clock(hour)}, so the clock is not local standard time; "
                "give zone-aware times, or shift them"
            )
    for name in COLUMNS[:2]:
        if name in by_day:
            daily[name] = (by_day[name].max if name == COLUMNS[0] else by_day[name].min)(axis=1)
    clear = _clear_sky(dates, steps)
    for name in IRRADIANCE:
        if name in by_day:
            factor = IRRADIANCE[name]
            sun = by_day[name] if factor is None else by_day[name] * factor * step / 60  # kWh/m2 of a step
            _check_clock(sun, clear, dates, name, path)
            daily["clearness"] = _clearness(sun.sum(1), clear.sum(1), dates, name, path)
    if "clearness" in by_day:
        daily["clearness"] = (by_day["clearness"] * clear).sum(1) / clear.sum(1)  # night says nothing
    return daily[[name for name in COLUMNS if name in daily.columns]]


def _clear_sky(dates: pd.DatetimeIndex, steps: int) -> NDArray[np.float64]:
    """Clear-sky energy on the horizontal over Sydney of each step, ``(day, step)`` [kWh/m2]."""
    half_hours = solar.clear_sky_of_days(dates).ghi.reshape(len(dates), STEPS_PER_DAY) / 2000
    cumulative = np.pad(half_hours.cumsum(axis=1), ((0, 0), (1, 0)))
    edges, known = np.arange(steps + 1) / steps, np.arange(STEPS_PER_DAY + 1) / STEPS_PER_DAY
    return np.stack([np.diff(np.interp(edges, known, row)) for row in cumulative])


def _clock(hour: float) -> str:
    return f"{int(hour) % 24:02d}:{round(hour % 1 * 60) % 60:02d}"


def _check_clock(
    sun: NDArray[np.float64], clear: NDArray[np.float64], dates: pd.DatetimeIndex, name: str, path: Path
) -> None:
    """Raise if in some stretch of days the middle of the sun is far from the clear sky's.

    The middle is the angle of the energy-weighted mean on the circle of the day, so a sun at midnight is
    found as well.
    """
    turn = np.exp(2j * np.pi * (np.arange(sun.shape[1]) + 0.5) / sun.shape[1])
    for start in range(0, len(dates) - SHORTEST_CHECK_DAYS + 1, 30):
        part = slice(start, start + 30)
        energy, sky = sun[part].sum(axis=0), clear[part].sum(axis=0)
        if not energy.sum() > 0:
            continue
        off_h = float(np.angle((energy * turn).sum() / (sky * turn).sum())) * 12 / np.pi
        if abs(off_h) > CLOCK_TOLERANCE_H:
            middle = float(np.angle((energy * turn).sum())) * 12 / np.pi % 24
            raise DataFormatError(
                f"{path}: from {_say(dates[start])} the middle of {name} lies at {_clock(middle)}, {off_h:+.1f} h "
                "from the sun over Sydney (UTC+10, no daylight saving); give zone-aware times, or shift them"
            )


def _clearness(
    energy_kwh_m2: NDArray[np.float64], clear_kwh_m2: NDArray[np.float64], dates: pd.DatetimeIndex, name: str,
    path: Path,
) -> NDArray[np.float64]:  # fmt: skip
    """Energy over the clear sky's; refused where the unit or the place cannot be right."""
    clearness: NDArray[np.float64] = np.asarray(energy_kwh_m2 / clear_kwh_m2)
    low, high = LIMITS["clearness"]
    day = int(clearness.argmax())
    if clearness.min() < low:
        day = int(clearness.argmin())
        raise DataFormatError(
            f"{path}: {name} is {energy_kwh_m2[day]:g} kWh/m2 on {_say(dates[day])}; irradiance is >= 0"
        )
    if clearness.max() > high:
        raise DataFormatError(
            f"{path}: {name} makes {energy_kwh_m2[day]:.3g} kWh/m2 on {_say(dates[day])}, {clearness[day]:.3g} times "
            f"the clear sky over Sydney (at most {high:g}); check the unit, or give clearness of the place instead"
        )
    if clearness.max() < DULLEST:
        raise DataFormatError(
            f"{path}: {name} makes at most {energy_kwh_m2[day]:.3g} kWh/m2 a day, {clearness[day]:.3g} times the "
            "clear sky over Sydney; check the unit (ghi_w_m2, ghi_kw_m2 or ghi_kwh_m2)"
        )
    return clearness


def _check(daily: pd.DataFrame, path: Path) -> None:
    """Raise on days that cannot be right."""
    for name in daily.columns:
        low, high = LIMITS[name]
        outside = daily[name][~daily[name].between(low, high)]
        if len(outside):
            worst, hint = outside.iloc[0], ""
            if name != "clearness" and worst > high:
                hint = "; kelvin?" if worst > 200 else "; degrees Fahrenheit?"
                hint += " Give degrees Celsius"
            elif name == "clearness" and worst > high:
                hint = "; it is a share of the clear sky, not per cent"
            raise DataFormatError(
                f"{path}: {name} reaches {worst:g} on {_say(outside.index[0])}, outside {low:g}..{high:g}{hint}"
            )
    if {"temperature_max_c", "temperature_min_c"} <= set(daily.columns):
        swapped = daily.index[daily["temperature_min_c"] > daily["temperature_max_c"]]
        if len(swapped):
            raise DataFormatError(
                f"{path}: temperature_min_c lies above temperature_max_c on {_say(swapped[0])} and on "
                f"{len(swapped)} days in all; are the columns swapped?"
            )


def observed_weather(prepared: Prepared, temperature_file: Path) -> pd.DataFrame:
    """The region's weather on the days of ``prepared``: temperature from a file, clearness from the homes.

    Days that no home knows (the first and the last are often cut) are filled from their neighbours.

    Raises:
        DataFormatError: no temperature in the file, or none on a day that a home knows.
        ValueError: no home has PV.
    """
    daily = read_weather(temperature_file)
    lacking = [name for name in COLUMNS[:2] if name not in daily.columns]
    if lacking:
        raise DataFormatError(f"{temperature_file} has neither {lacking[0]!r} nor 'temperature_c'; add one")
    daily = daily.reindex(prepared.grid.dates)
    gaps = daily[COLUMNS[:2]].isna().any(axis=1).to_numpy() & prepared.is_known.any(axis=0)
    if gaps.any():
        gap = daily.index[int(np.argmax(gaps))]
        raise DataFormatError(f"no weather for {gap.date()} in {temperature_file}, which the homes cover")
    daily["clearness"] = regional_clearness(prepared)
    return daily[COLUMNS].interpolate(limit_direction="both")


def regional_clearness(prepared: Prepared) -> pd.Series[float]:
    """Mean clearness over the homes with PV, one value a day; NaN on days that none of them knows.

    Raises:
        ValueError: no home has PV.
    """
    tokens = prepared.tokens[prepared.capacity_kwp > 0][:, :, CLEARNESS]
    if not len(tokens):
        raise ValueError("no home has PV, so nothing tells how clear the days were; add homes with PV")
    known = ~np.isnan(tokens).all(axis=0)
    clearness = pd.Series(np.nan, index=prepared.grid.dates)
    clearness[known] = np.nanmean(tokens[:, known], axis=0)
    return clearness
