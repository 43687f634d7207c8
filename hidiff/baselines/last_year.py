"""Last year again: a home's own readings 52 weeks later, so that weekdays meet weekdays.

The plainest forecast of a year, and a hard one: its every day is real. It knows one year of each home, none of
a home never seen, and repeats weather with everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hidiff import rng
from hidiff.data.traces import Traces

SHIFT = pd.Timedelta(weeks=52)


@dataclass(frozen=True, kw_only=True)
class LastYear:
    """Repeats the last readings of each home; has nothing to choose."""

    def fit(self, traces: Traces) -> FittedLastYear:
        """The readings of ``traces``; NaN is a gap, which the year before fills.

        Raises:
            ValueError: less than 52 weeks of steps.
        """
        span = traces.time[-1] - traces.time[0] + pd.Timedelta(hours=traces.dt_h)
        if span < SHIFT:
            raise ValueError(f"the traces span {span.days} days; last year needs at least {SHIFT.days}")
        return FittedLastYear(traces=traces)


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedLastYear:
    """Readings to repeat; made by ``LastYear.fit``."""

    traces: Traces

    def sample(
        self, homes: int | Sequence[str], years: int = 1, start: str = "2012-07-01", seed: int = 0
    ) -> Traces:
        """Traces of ``years`` years from ``start`` on the local clock.

        Each step is the home's latest known reading a whole number of times 52 weeks before it.

        Args:
            homes: how many homes to draw (each fitted home once before any comes again), or the names of
                fitted homes.
            seed: of the order of the homes; nothing else is random.
        Returns:
            Traces; the column ``source_home`` of their homes names the fitted home.
        Raises:
            ValueError: an unknown home, fewer than one home or year, a step without any reading before it.
        """
        source = self.traces
        if years < 1:
            raise ValueError(f"years={years} is below 1; ask for at least one year")
        if isinstance(homes, int):
            if homes < 1:
                raise ValueError(f"homes={homes} is below 1; ask for at least one home")
            order = rng.generator(seed, "last year", "homes").permutation(len(source))
            rows = order[np.arange(homes) % len(source)]
            names = [f"last-year-{number:05d}" for number in range(homes)]
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
        load_kw = np.full((len(rows), len(time)), np.nan, dtype=source.load_kw.dtype)
        pv_kw = np.full((len(rows), len(time)), np.nan, dtype=source.pv_kw.dtype)
        repeats = int((time[-1] - source.time[0]) / SHIFT)
        for repeat in range(1, repeats + 1):
            place = source.time.get_indexer(time - repeat * SHIFT)
            steps = np.flatnonzero(place >= 0)
            load, pv = source.load_kw[np.ix_(rows, place[steps])], source.pv_kw[np.ix_(rows, place[steps])]
            use = np.isfinite(load) & np.isfinite(pv) & np.isnan(load_kw[:, steps])
            load_kw[:, steps] = np.where(use, load, load_kw[:, steps])
            pv_kw[:, steps] = np.where(use, pv, pv_kw[:, steps])
        if np.isnan(load_kw).any():
            row, step = np.argwhere(np.isnan(load_kw))[0]
            raise ValueError(
                f"home {source.names[rows[row]]!r} has no reading any number of times 52 weeks before "
                f"{time[step].tz_convert(source.time_zone)}; begin later, or give an earlier year"
            )
        table = source.homes.iloc[rows].assign(source_home=[source.names[row] for row in rows])
        table.index = pd.Index(names, name="home")
        return Traces(load_kw, pv_kw, time, table, source.time_zone)
