"""Fans: what homes may do in the coming days, given their last readings; see `fan_sampling` for how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data import calendars
from hidiff.data import prepare as preparation
from hidiff.data.calendars import STEPS_PER_DAY, Grid
from hidiff.data.prepare import CLEARNESS, Prepared
from hidiff.data.traces import Traces
from hidiff.data.weather import COLUMNS

from . import identity, recent_weather
from .fan_sampling import AHEAD_DAYS, KNOWN_DAYS, LEAST_DAYS, FanSampling
from .household import Household
from .regional import RegionalWeather
from .sampling import SamplerConfig

if TYPE_CHECKING:
    from .hierarchy import HiDiff

Array = NDArray[np.float32]
MAX_SCENARIOS = 10_000
"""Scenarios of one call."""
MAX_DAYS = 14
"""Days of a fan."""
LATE_STEPS = 4
"""Half-hours that local midnight may come before that of standard time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fan:
    """Equally likely paths of the coming days of some homes."""

    load_kw: Array
    """``(scenario, home, step)`` [kW]."""
    pv_kw: Array
    """Likewise."""
    weather: Array
    """Weather of the standard-time days that each scenario lies on, the same for all homes, ``(scenario, day, 3)``:
    the columns of `data.weather`."""
    time: pd.DatetimeIndex
    """Start of each step, UTC."""
    homes: pd.DataFrame
    """One row a home, as the readings have it."""
    time_zone: str
    provenance: dict[str, Any]
    """Model, seed, sampler and the last reading."""

    def __len__(self) -> int:
        return len(self.load_kw)


def fan_time(readings: Traces, days: int) -> pd.DatetimeIndex:
    """The steps of the ``days`` that follow ``readings``, UTC.

    Raises:
        ValueError: readings that do not end at local midnight or are not half-hourly, days out of range.
    """
    if isinstance(days, bool) or int(days) != days or not 1 <= days <= MAX_DAYS:
        raise ValueError(f"days={days}; ask for a whole number of days, 1 to {MAX_DAYS}")
    if readings.dt_h != 0.5:
        raise ValueError(
            f"steps of {readings.dt_h * 60:g} minutes; the model works on 30, use Traces.resample first"
        )
    end = (readings.time[-1] + pd.Timedelta(minutes=30)).tz_convert(readings.time_zone)
    if end != end.normalize():
        raise ValueError(
            f"the readings end at {end:%Y-%m-%d %H:%M} on the clock of {readings.time_zone}; a fan begins at local "
            f'midnight, so cut them, e.g. readings.between(readings.time[0], "{end:%Y-%m-%d}")'
        )
    last = (end.tz_localize(None) + pd.Timedelta(days=int(days))).tz_localize(readings.time_zone)
    return pd.date_range(
        end.tz_convert("UTC"), last.tz_convert("UTC"), freq="30min", inclusive="left"
    ).as_unit("us")


def check_readings(readings: Traces) -> None:
    """Raise `ValueError` unless the readings are powers and their last days are without a gap."""
    for name in ("load_kw", "pv_kw"):
        values = getattr(readings, name)
        if np.isinf(values).any() or (values < 0).any():
            row, step = np.argwhere(np.isinf(values) | (values < 0))[0]
            raise ValueError(
                f"{name} of home {readings.names[row]!r} is {values[row, step]:g} kW at {readings.time[step]}; "
                "it must be 0 or more (NaN where nothing was measured)"
            )
    last = slice(-LEAST_DAYS * STEPS_PER_DAY - LATE_STEPS, None)
    gap = np.isnan(readings.load_kw[:, last]) | np.isnan(readings.pv_kw[:, last])
    if gap.any():
        row, step = np.argwhere(gap)[-1]
        raise ValueError(
            f"home {readings.names[row]!r} has no reading at {readings.time[last][step]}; a fan needs the last "
            f"{LEAST_DAYS} days without a gap: fill it, or end the readings before it"
        )


def to_midnight(readings: Traces) -> tuple[Traces, int]:
    """Readings that end with a day of standard time, and how many of their last half-hours are filled in.

    In summer local midnight comes an hour early; the half-hours of that hour are the mean of those of the week before.
    They are drawn again by the low level, and serve the day's tokens alone.

    Raises:
        ValueError: a clock that is more than two hours ahead of standard time.
    """
    grid_end = calendars.first_standard_date(readings.time[-1], readings.time_zone) + pd.Timedelta(days=1)
    end = (grid_end - calendars.standard_offset(readings.time_zone)).tz_localize("UTC")
    late = round((end - readings.time[-1]) / pd.Timedelta(minutes=30)) - 1
    if late > LATE_STEPS:
        raise ValueError(f"the clock of {readings.time_zone} is {late / 2:g} h ahead of its standard time")
    if not late:
        return readings, 0
    steps = pd.date_range(readings.time[-1], periods=late + 1, freq="30min")[1:]
    filled = []
    for values in (readings.load_kw, readings.pv_kw):
        week = values[:, -LEAST_DAYS * STEPS_PER_DAY :].reshape(len(values), LEAST_DAYS, STEPS_PER_DAY)
        filled.append(np.concatenate([values, week[:, :, :late].mean(1)], axis=1))
    return replace(readings, load_kw=filled[0], pv_kw=filled[1], time=readings.time.append(steps)), late


def fan_weather(
    regional: RegionalWeather, prepared: Prepared, people: Sequence[Household], dates: pd.DatetimeIndex,
    scenarios: range, seed: int, weather: pd.DataFrame | None,
) -> Array:  # fmt: skip
    """Weather of ``dates`` in each scenario ``(scenario, day, 3)``, given the homes' PV and what the user knows.

    Raises:
        ValueError: weather without a column or a day that counts.
    """
    level = np.array([identity.token_scale(person.statistics)[0][CLEARNESS] for person in people])
    clearness, count = recent_weather.seen_clearness(regional, prepared, level)
    seen = np.full((len(dates), len(COLUMNS)), np.nan)
    variance = np.ones_like(seen)
    place = prepared.grid.dates.get_indexer(dates)
    past = place >= 0
    seen[past, 2] = clearness[place[past]]
    variance[past, 2] = recent_weather.HOME_VARIANCE / np.maximum(count[place[past]], 1)
    given = np.full_like(seen, np.nan)
    if weather is not None:
        there = [name for name in COLUMNS if name in weather.columns]
        if not there or not weather.index.isin(dates).any():
            raise ValueError(
                f"the weather has none of the columns {', '.join(COLUMNS)}, or no day of {dates[0].date()} to "
                f"{dates[-1].date()}; index it by naive standard-time dates"
            )
        given = weather.reindex(dates).reindex(columns=COLUMNS).to_numpy(dtype=np.float64)
    return recent_weather.paths(regional, dates, seed, scenarios, seen, variance, given)


def last_days(prepared: Prepared, row: int) -> tuple[Prepared, int]:
    """One home on its last `KNOWN_DAYS` days, and how many of the last days are without a gap."""
    part = prepared.select(np.array([row]))
    known = part.is_known[0][-KNOWN_DAYS:]
    run = int(len(known) if known.all() else known[::-1].argmin())
    cut = {
        name: getattr(part, name)[:, -KNOWN_DAYS:]
        for name in ("load_log_ratio", "clearness", "envelope", "is_sunny", "tokens", "is_known")
    }
    return replace(part, **cut), run


def days_of_fan(prepared: Prepared, time_zone: str) -> Grid:
    """The `KNOWN_DAYS` that end with the readings and the `AHEAD_DAYS` after them."""
    first = prepared.grid.dates[-1] - pd.Timedelta(days=KNOWN_DAYS - 1)
    return calendars.day_grid(first, KNOWN_DAYS + AHEAD_DAYS, time_zone)


def fan(
    model: HiDiff, readings: Traces, days: int, n: int, seed: int, weather: pd.DataFrame | None,
    sampler: SamplerConfig,
) -> Fan:  # fmt: skip
    """See `HiDiff.conditional`."""
    if isinstance(n, bool) or int(n) != n or not 1 <= n <= MAX_SCENARIOS:
        raise ValueError(f"n={n}; ask for a whole number of scenarios, 1 to {MAX_SCENARIOS}")
    time = fan_time(readings, days)
    check_readings(readings)
    filled, late = to_midnight(readings)
    prepared = preparation.prepare(filled)
    people = model.homes_of(preparation.last_year(prepared))
    grid = days_of_fan(prepared, readings.time_zone)
    paths = fan_weather(model.regional, prepared, people, grid.dates, range(n), seed, weather)
    sampling = FanSampling(model.low, model.high, model.students, sampler, seed, grid, paths, days, late)
    steps = slice(0, len(time))
    made = [sampling.home(person, *last_days(prepared, row)) for row, person in enumerate(people)]
    load_kw, pv_kw = (np.stack(part, axis=1)[..., steps] for part in zip(*made, strict=True))
    provenance = {
        "model_hash": model.model_hash, "seed": seed, "solver": sampler.solver, "steps": sampler.steps,
        "last_reading": str(readings.time[-1]),
    }  # fmt: skip
    ahead = slice(KNOWN_DAYS - (late > 0), KNOWN_DAYS + days)
    return Fan(
        load_kw=load_kw, pv_kw=pv_kw, weather=paths[:, ahead], time=time, homes=readings.homes,
        time_zone=readings.time_zone, provenance=provenance,
    )  # fmt: skip
