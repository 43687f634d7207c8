"""Day-block bootstrap: years pasted from a home's own days of the same month and day type.

Very hard to beat on marginals, which it copies; it knows nothing of weeks, of neighbours (unless days are
shared), of homes never seen or of other weather. One of the controls beside every score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff import rng
from hidiff.data.calendars import is_holiday, standard_offset
from hidiff.data.traces import Traces

Cell = tuple[int, bool]
"""Calendar month (1..12) and whether the day is a Saturday, Sunday or public holiday."""


@dataclass(frozen=True, kw_only=True)
class DayBootstrap:
    """Draws days with replacement within home x month x day type.

    Load days are cut on the homes' clock and PV days on standard time, each as people and the sun keep it.
    """

    shared_days: bool = False
    """Whether all homes take the same date at a time, which keeps neighbours under the same clouds."""
    country: str = "AU"
    """Country of the public holidays (ISO code)."""
    subdivision: str | None = "NSW"
    """State or province of the public holidays."""

    def fit(self, traces: Traces) -> FittedDayBootstrap:
        """Days of ``traces``, ready to be drawn from.

        Raises:
            ValueError: ``traces`` holds NaN, or lacks a month or a day type.
        """
        if not (np.isfinite(traces.load_kw).all() and np.isfinite(traces.pv_kw).all()):
            raise ValueError("traces hold NaN; select homes and years without gaps first")
        load_index, dates = _day_index(
            traces.time.tz_convert(traces.time_zone).tz_localize(None), traces.dt_h
        )
        pv_index, pv_dates = _day_index(_standard(traces.time, traces.time_zone), traces.dt_h)
        both = dates.intersection(pv_dates)
        cells: dict[Cell, NDArray[np.int64]] = {}
        for day, cell in enumerate(_cells(both, self)):
            cells[cell] = np.append(cells.get(cell, np.empty(0, dtype=np.int64)), day)
        missing = [(m, off) for m in range(1, 13) for off in (False, True) if (m, off) not in cells]
        if missing:
            month, off = missing[0]
            raise ValueError(
                f"no {'weekend' if off else 'working'} day in month {month}; fit at least a whole year"
            )
        return FittedDayBootstrap(
            config=self,
            traces=traces,
            load_index=load_index[dates.get_indexer(both)],
            pv_index=pv_index[pv_dates.get_indexer(both)],
            cells=cells,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedDayBootstrap:
    """A bootstrap with its days; made by ``DayBootstrap.fit``."""

    config: DayBootstrap
    traces: Traces
    load_index: NDArray[np.int64]
    """Step of each slot of each local day, ``(day, slot)``."""
    pv_index: NDArray[np.int64]
    """Step of each slot of each standard-time day, ``(day, slot)``."""
    cells: dict[Cell, NDArray[np.int64]]
    """Days of each month and day type."""

    def sample(
        self, homes: int | Sequence[str], years: int = 1, start: str = "2012-07-01", seed: int = 0
    ) -> Traces:
        """Traces of ``years`` years from ``start`` on the local clock, from the fitted homes' days.

        Args:
            homes: how many homes to draw (each fitted home once before any comes again), or the names of
                fitted homes.
            years: number of years of twelve months.
            start: first day, on the local clock.
            seed: equal seeds give equal traces, whatever the number of homes.
        Returns:
            Traces; the column ``source_home`` of their homes names the fitted home.
        Raises:
            ValueError: an unknown home, fewer than one home or year.
        """
        source = self.traces
        if years < 1:
            raise ValueError(f"years={years} is below 1; ask for at least one year")
        if isinstance(homes, int):
            if homes < 1:
                raise ValueError(f"homes={homes} is below 1; ask for at least one home")
            order = rng.generator(seed, "bootstrap", "homes").permutation(len(source))
            rows = order[np.arange(homes) % len(source)]
            names = [f"bootstrap-{number:05d}" for number in range(homes)]
        else:
            names = list(homes)
            rows = source.homes.index.get_indexer(pd.Index(source.select(names).names))
        first = pd.Timestamp(start).tz_localize(source.time_zone)
        time = pd.date_range(
            first.tz_convert("UTC"),
            (first + pd.DateOffset(years=years)).tz_convert("UTC"),
            freq=pd.Timedelta(hours=source.dt_h),
            inclusive="left",
        )
        load_days, load_slots = _days_and_slots(
            time.tz_convert(source.time_zone).tz_localize(None), source.dt_h
        )
        pv_days, pv_slots = _days_and_slots(_standard(time, source.time_zone), source.dt_h)
        dates = pd.DatetimeIndex(np.union1d(load_days.unique(), pv_days.unique()))
        cells = _cells(dates, self.config)
        load_at, pv_at = dates.get_indexer(load_days), dates.get_indexer(pv_days)
        load_kw = np.empty((len(rows), len(time)), dtype=source.load_kw.dtype)
        pv_kw = np.empty((len(rows), len(time)), dtype=source.pv_kw.dtype)
        for number, (row, name) in enumerate(zip(rows, names, strict=True)):
            days = self._draw(dates, cells, seed, "all" if self.config.shared_days else name)
            load_kw[number] = source.load_kw[row, self.load_index[days[load_at], load_slots]]
            pv_kw[number] = source.pv_kw[row, self.pv_index[days[pv_at], pv_slots]]
        table = source.homes.iloc[rows].assign(source_home=[source.names[row] for row in rows])
        table.index = pd.Index(names, name="home")
        return Traces(load_kw, pv_kw, time, table, source.time_zone)

    def _draw(self, dates: pd.DatetimeIndex, cells: list[Cell], seed: int, key: str) -> NDArray[np.int64]:
        """One fitted day for each of ``dates``, ``(date,)``; a stream of its own for each calendar year."""
        uniform = np.empty(len(dates))
        for year in np.unique(dates.year):
            of_year = np.asarray(dates.year == year)
            numbers = rng.generator(seed, "bootstrap", key, int(year)).random(367)
            uniform[of_year] = numbers[np.asarray(dates.day_of_year)[of_year]]
        pools = [self.cells[cell] for cell in cells]
        return np.array([pool[int(u * len(pool))] for pool, u in zip(pools, uniform, strict=True)])


def _standard(time: pd.DatetimeIndex, time_zone: str) -> pd.DatetimeIndex:
    """Naive standard time of each step."""
    return time.tz_convert("UTC").tz_localize(None) + standard_offset(time_zone)


def _cells(dates: pd.DatetimeIndex, config: DayBootstrap) -> list[Cell]:
    is_off = (dates.day_of_week >= 5) | is_holiday(dates, config.country, config.subdivision)
    return [(int(month), bool(off)) for month, off in zip(dates.month, is_off, strict=True)]


def _days_and_slots(stamps: pd.DatetimeIndex, dt_h: float) -> tuple[pd.DatetimeIndex, NDArray[np.int64]]:
    """Date and slot within the day of each naive stamp; a doubled hour has its slots twice."""
    hours = stamps.hour + stamps.minute / 60
    return stamps.normalize(), np.asarray(np.floor(hours / dt_h + 1e-9), dtype=np.int64)


def _day_index(stamps: pd.DatetimeIndex, dt_h: float) -> tuple[NDArray[np.int64], pd.DatetimeIndex]:
    """Step of each slot of each day that has every slot once, ``(day, slot)``, and the dates.

    Days of a clock change are left out: they have an hour too few or too many.
    """
    slots = round(24 / dt_h)
    dates, _ = _days_and_slots(stamps, dt_h)
    first = np.flatnonzero(np.r_[True, dates[1:] != dates[:-1]])
    starts = first[np.diff(np.r_[first, len(stamps)]) == slots]
    return starts[:, None] + np.arange(slots), dates[starts]
