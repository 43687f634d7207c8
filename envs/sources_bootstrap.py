"""Days of real homes, pasted anew: years that never were, without a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hidiff.baselines.bootstrap import DayBootstrap
from hidiff.data.traces import Traces

from .sources import Stamp, TraceSource, Window, named_parts

LIVES = 2**31
"""Lives that a home may be given."""


class BootstrapSource:
    """Windows of a home's own days, drawn with replacement within month and day type (`DayBootstrap`).

    Each draw gives the home another life. An episode's name holds the life, so it replays.

    Args:
        traces: at least a year without gaps.
        steps: length of a window.
        start: first day of the year that windows lie in, on the local clock.
        config: how days are drawn.
        history_days: days of that year that a random window has before it.

    Raises:
        ValueError: traces with gaps, or that lack a month or a day type.
    """

    def __init__(
        self, traces: Traces, steps: int, *, start: str = "2030-01-01", config: DayBootstrap | None = None,
        history_days: float = 0,
    ) -> None:  # fmt: skip
        self.traces = traces
        self.steps = steps
        self._fitted = (config or DayBootstrap()).fit(traces)
        self._start = start
        self._history_days = history_days

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        return self.traces.dt_h

    @property
    def names(self) -> list[str]:
        """Names of the homes whose days are drawn."""
        return self.traces.names

    def draw(
        self, random: np.random.Generator, *, home: str | None = None, start: Stamp | None = None,
        episode: str | None = None,
    ) -> Window:  # fmt: skip
        """A window of a life of ``home`` that nobody had before; see `Source.draw`."""
        if episode is not None:
            named, start = named_parts(episode, home, start)
            home, _, number = named.rpartition("#")
            if not (home and number.isdecimal() and int(number) < LIVES):
                raise ValueError(
                    f"episode {episode!r} is none of this source; its names are 'home#life@start'"
                )
            life = int(number)
        else:
            home = str(random.choice(self.names)) if home is None else home
            life = int(random.integers(LIVES))
        year = self._fitted.sample([home], start=self._start, seed=life)
        source = TraceSource(year, self.steps, history_days=self._history_days)
        drawn = source.draw(random, home=home, start=start)
        row = int(self.traces.homes.index.get_loc(home))
        return replace(drawn, row=row, life=f"{home}#{life}")
