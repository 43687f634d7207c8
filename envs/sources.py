"""Where an episode's load and PV come from: a window of one home's trace, drawn at random or named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.traces import Traces

from .tariffs import local_clock


@dataclass(frozen=True, kw_only=True)
class Window:
    """One home and a stretch of its steps."""

    row: int
    """Row of the home in the traces."""
    home: str
    first: int
    """First step."""
    steps: int


class TraceSource:
    """Windows of ``steps`` steps in real or generated traces, without missing values.

    Random windows start at a midnight of the local clock; a named start may be any step.

    Raises:
        ValueError: traces shorter than a window, or no window without missing values.
    """

    def __init__(self, traces: Traces, steps: int) -> None:
        if not 2 <= steps <= len(traces.time):
            raise ValueError(f"a window of {steps} steps does not fit in traces of {len(traces.time)} steps")
        self.traces = traces
        self.steps = steps
        missing = np.isnan(traces.load_kw) | np.isnan(traces.pv_kw)
        before = np.concatenate([np.zeros((len(traces), 1), int), np.cumsum(missing, axis=1)], axis=1)
        whole = before[:, steps:] == before[:, :-steps]  # (home, first step)
        local = local_clock(traces.time, traces.time_zone)[: whole.shape[1]]
        is_midnight = np.asarray((local.hour == 0) & (local.minute == 0))
        self._is_whole: NDArray[np.bool_] = whole
        self._starts = [np.flatnonzero(row & is_midnight) for row in whole]
        self._rows = np.flatnonzero([len(starts) > 0 for starts in self._starts])
        if not len(self._rows):
            raise ValueError(
                f"no home has {steps} steps from a local midnight without missing values; shorten the episode"
            )

    def draw(
        self, random: np.random.Generator, *, home: str | None = None, start: str | pd.Timestamp | None = None
    ) -> Window:
        """A window; what is not named is drawn, homes and midnights with equal chances.

        Args:
            home: name of a home.
            start: first step; a naive stamp is read on the homes' clock.

        Raises:
            ValueError: an unknown home, a start that is no step, or a window that is not whole.
        """
        row = None if home is None else self._row(home)
        if start is not None:
            first = self._first(start)
            if row is None:
                rows = np.flatnonzero(self._is_whole[:, first])
                if not len(rows):
                    raise ValueError(
                        f"no home has {self.steps} whole steps from {start}; choose another start"
                    )
                row = int(random.choice(rows))
        else:
            if row is None:
                row = int(random.choice(self._rows))
            if not len(self._starts[row]):
                raise ValueError(
                    f"home {home!r} has no {self.steps} whole steps from a local midnight; choose another"
                )
            first = int(random.choice(self._starts[row]))
        name = self.traces.names[row]
        if not self._is_whole[row, first]:
            raise ValueError(f"home {name!r} has missing values within {self.steps} steps from {start}")
        return Window(row=row, home=name, first=first, steps=self.steps)

    def _row(self, home: str) -> int:
        if home not in self.traces.homes.index:
            names = self.traces.names
            raise ValueError(f"unknown household {home!r}; there are {len(names)}: {', '.join(names[:8])} …")
        return int(self.traces.homes.index.get_loc(home))

    def _first(self, start: str | pd.Timestamp) -> int:
        stamp = pd.Timestamp(start)
        stamp = (stamp.tz_localize(self.traces.time_zone) if stamp.tz is None else stamp).tz_convert("UTC")
        time = self.traces.time
        first = int(time.searchsorted(stamp))
        last = len(time) - self.steps
        if first >= len(time) or time[first] != stamp or first > last:
            raise ValueError(
                f"start {start} does not begin {self.steps} steps of the traces; "
                f"starts run from {time[0]} to {time[last]}"
            )
        return first
