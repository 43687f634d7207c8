"""Where an episode's exogenous series come from: a window of one home's record, drawn at random or named.

A source draws `Window`s. What is drawn depends on the generator alone, and ``window.episode`` is a text that gives the
same window back. Other sources: `sources_generated`, `sources_bootstrap`, `sources_scenarios`, `sources_given`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hidiff.config import suggestion
from hidiff.data.splits import split_homes
from hidiff.data.stored import StoredTraces
from hidiff.data.traces import Traces

from .tariffs import local_clock

Floats = NDArray[np.floating]
Stamp: TypeAlias = str | pd.Timestamp
SERIES = (
    "load_kw", "pv_kw", "import_price", "export_price", "wholesale_per_kwh", "outdoor_c", "heating_cop", "cooling_cop",
    "low_c", "high_c", "heat_gain_kw", "hot_water_kw", "car_is_home", "car_trip_kwh", "trip_need_kwh",
    "appliance_request",
)  # fmt: skip
"""Names of exogenous series."""
HOMES_KEPT = 16
"""Homes of a stored set that stay in memory once they are read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """A stretch of one home's record: what an episode is about, before any device is added."""

    row: int
    """Row of the home in its source."""
    home: str
    """Name of the home."""
    first: int
    """First step of the window in the record."""
    steps: int
    """Length of the window."""
    life: str
    """Who lives there: what devices draw at random (see `device_exogenous`) is keyed by it and the date."""
    record_load_kw: Floats
    """Load of the home over the whole record, ``(record step,)`` [kW]; NaN outside the window where it has gaps."""
    record_pv_kw: Floats
    """PV as recorded, likewise [kW]; an environment scales it by ``Home.pv_scale(pv_capacity_kwp)``."""
    record_time: pd.DatetimeIndex
    """Start of each step of the record, UTC."""
    pv_capacity_kwp: float
    """PV capacity that was recorded [kWp]."""
    time_zone: str
    """Clock that the home lives by."""
    given: Mapping[str, Floats] = field(default_factory=dict)
    """Further series of the window that the source brings, ``(step,)``, by their names in the nomenclature, such as
    ``outdoor_c``, ``import_price``, ``export_price``, ``wholesale_per_kwh``, ``car_is_home`` and ``trip_need_kwh``."""

    @property
    def span(self) -> slice:
        """The window's steps in the record."""
        return slice(self.first, self.first + self.steps)

    @property
    def load_kw(self) -> Floats:
        """Load, ``(step,)`` [kW]."""
        return self.record_load_kw[self.span]

    @property
    def pv_kw(self) -> Floats:
        """PV as recorded, ``(step,)`` [kW]."""
        return self.record_pv_kw[self.span]

    @property
    def time(self) -> pd.DatetimeIndex:
        """Start of each step, UTC."""
        return self.record_time[self.span]

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        return float((self.record_time[1] - self.record_time[0]) / pd.Timedelta(hours=1))

    @property
    def episode(self) -> str:
        """Names this window; its source draws it again when it is given back."""
        return f"{self.life}@{self.record_time[self.first].strftime('%Y-%m-%dT%H:%MZ')}"


class Source(Protocol):
    """What an environment asks of a source."""

    @property
    def steps(self) -> int:
        """Length of a window."""

    @property
    def dt_h(self) -> float:
        """Step length [h]."""

    def draw(
        self, random: np.random.Generator, *, home: str | None = None, start: Stamp | None = None,
        episode: str | None = None,
    ) -> Window:  # fmt: skip
        """A window; what is not named is drawn.

        Args:
            home: name of a home.
            start: first step; a naive stamp is read on the homes' clock.
            episode: ``Window.episode`` of a window, which is given back; instead of home and start.

        Raises:
            ValueError: an unknown home or episode, or a start without a whole window behind it.
        """


class TraceSource:
    """Windows of ``steps`` steps in real or generated traces, without missing values.

    Random windows start at a midnight of the local clock; a named start may be any step. Of a stored set
    (`hidiff.open`) only the homes that are drawn are read.

    Args:
        traces: in memory, or a stored set of any size.
        steps: length of a window.
        history_days: days of the record that a random window has before it, for forecasts that look back.
        given: series on the clock of the traces that all homes share, ``(record step,)``, by their names in the
            nomenclature: ``outdoor_c`` of a weather station, ``wholesale_per_kwh`` of a market.
        refused: homes that belong elsewhere (see `split_source`); naming one is an error that says so.

    Raises:
        ValueError: traces shorter than a window, or no window without missing values.
    """

    def __init__(
        self, traces: Traces | StoredTraces, steps: int, *, history_days: float = 0,
        given: Mapping[str, ArrayLike] | None = None, refused: Collection[str] = (),
    ) -> None:  # fmt: skip
        if not 2 <= steps <= len(traces.time):
            raise ValueError(f"a window of {steps} steps does not fit in traces of {len(traces.time)} steps")
        self.traces = traces
        self.steps = steps
        self._refused = frozenset(refused)
        self._given = {name: np.asarray(values, dtype=np.float64) for name, values in (given or {}).items()}
        for name, values in self._given.items():
            check_series_name(name)
            if values.shape != (len(traces.time),) or not np.isfinite(values).all():
                raise ValueError(
                    f"{name} has shape {values.shape} and {int((~np.isfinite(values)).sum())} values that are not "
                    f"finite; give one number for each of the {len(traces.time)} steps of the traces"
                )
        self._kept: dict[int, tuple[Floats, Floats]] = {}
        self._midnights = midnights(
            traces.time, traces.time_zone, steps, round(history_days * 24 / traces.dt_h)
        )
        self._whole: list[NDArray[np.bool_]] | None = None
        self._rows = np.arange(len(traces))
        if isinstance(traces, Traces):
            self._whole = [
                _is_whole(load, pv, steps) for load, pv in zip(traces.load_kw, traces.pv_kw, strict=True)
            ]
            self._rows = np.flatnonzero([whole[self._midnights].any() for whole in self._whole])
        if not len(self._rows) or not len(self._midnights):
            raise ValueError(
                f"no home has {steps} steps from a local midnight without missing values"
                f"{f' and {history_days:g} days before them' if history_days else ''}; shorten the episode"
            )

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        return self.traces.dt_h

    @property
    def names(self) -> list[str]:
        """Names of the homes."""
        return self.traces.names

    def draw(
        self, random: np.random.Generator, *, home: str | None = None, start: Stamp | None = None,
        episode: str | None = None,
    ) -> Window:  # fmt: skip
        """A window; what is not named is drawn, homes and midnights with equal chances.

        Raises:
            ValueError: an unknown home, a start that is no step, or a window that is not whole.
        """
        if episode is not None:
            home, start = named_parts(episode, home, start)
        first = (
            None if start is None else find_start(self.traces.time, self.traces.time_zone, self.steps, start)
        )
        if home is not None:
            row = self._row(home)
        elif first is None:
            row = self._any_row(random, self._rows, self._midnights)
        else:
            in_memory = self._whole
            rows = np.arange(len(self.traces))
            if in_memory is not None:
                rows = np.flatnonzero([whole[first] for whole in in_memory])
            row = self._any_row(random, rows, np.array([first]), f"from {start}")
        whole = self._is_whole(row)
        name = self.names[row]
        if first is None:
            starts = self._midnights[whole[self._midnights]]
            if not len(starts):
                raise ValueError(
                    f"home {home!r} has no {self.steps} whole steps from a local midnight; choose another"
                )
            first = int(random.choice(starts))
        elif not whole[first]:
            raise ValueError(f"home {name!r} has missing values within {self.steps} steps from {start}")
        load_kw, pv_kw = self._record(row)
        return Window(
            row=row, home=name, first=first, steps=self.steps, life=name, record_load_kw=load_kw,
            record_pv_kw=pv_kw, record_time=self.traces.time, time_zone=self.traces.time_zone,
            pv_capacity_kwp=float(self.traces.homes["pv_capacity_kwp"].iloc[row]),
            given={key: values[first : first + self.steps] for key, values in self._given.items()},
        )  # fmt: skip

    def _any_row(
        self, random: np.random.Generator, rows: NDArray[np.int64], firsts: NDArray[np.int64],
        where: str = "from a local midnight",
    ) -> int:  # fmt: skip
        """One of ``rows`` that is whole from one of ``firsts``; equal chances."""
        while len(rows):
            row = int(random.choice(rows))
            if self._is_whole(row)[firsts].any():
                return row
            rows = rows[rows != row]  # only in a stored set, whose gaps are found when a home is read
        raise ValueError(f"no home has {self.steps} whole steps {where}; choose another start")

    def _is_whole(self, row: int) -> NDArray[np.bool_]:
        """Whether the window from each step has no missing value."""
        if self._whole is not None:
            return self._whole[row]
        if isinstance(self.traces, StoredTraces) and not self.traces.allow_gaps:
            return np.ones(len(self.traces.time) - self.steps + 1, dtype=bool)
        return _is_whole(*self._record(row), self.steps)

    def _record(self, row: int) -> tuple[Floats, Floats]:
        traces = self.traces
        if isinstance(traces, Traces):
            return traces.load_kw[row], traces.pv_kw[row]
        if row not in self._kept:
            load_kw, pv_kw = traces.read_home(str(traces.homes.index[row]))
            if len(self._kept) >= HOMES_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[row] = load_kw, pv_kw
        return self._kept[row]

    def _row(self, home: str) -> int:
        if home in self._refused:
            raise ValueError(f"home {home!r} is on the other side of the split; name one of this side")
        if home not in self.traces.homes.index:
            names = self.names
            raise ValueError(f"unknown household {home!r}; there are {len(names)}: {', '.join(names[:8])} …")
        return int(self.traces.homes.index.get_loc(home))


def split_source(
    traces: Traces | StoredTraces, test: Collection[str] | float, *, steps: int, seed: int = 0,
    history_days: float = 0, given: Mapping[str, ArrayLike] | None = None,
) -> tuple[TraceSource, TraceSource]:  # fmt: skip
    """Two sources, to train and to test on, that share no home; each refuses the homes of the other.

    Homes that come from one home (``source_home``) stay on one side, so that twins do not meet.

    Args:
        test: names of the homes to test on, or the share of homes, met on average: which side a home is on depends
            on it and on ``seed`` alone.
        steps: length of a window.
        history_days, given: as of `TraceSource`.

    Raises:
        ValueError: an unknown home, a share outside 0..1, or a side without homes.
    """
    names = traces.names
    origins = names
    if "source_home" in traces.homes.columns:
        known = traces.homes["source_home"].tolist()
        origins = [
            own if pd.isna(one) or one == "" else str(one) for one, own in zip(known, names, strict=True)
        ]
    if isinstance(test, int | float):
        held_out = set(split_homes(dict.fromkeys(origins), test, seed)[1])
    else:
        asked = [test] if isinstance(test, str) else list(test)
        for name in asked:
            if name not in traces.homes.index:
                raise ValueError(f"unknown test home {name!r}{suggestion(name, names)}")
        held_out = {origins[names.index(name)] for name in asked}
    sides = ([], []) if not names else (
        [name for name, origin in zip(names, origins, strict=True) if origin not in held_out],
        [name for name, origin in zip(names, origins, strict=True) if origin in held_out],
    )  # fmt: skip
    for word, side in zip(("train", "test"), sides, strict=True):
        if not side:
            raise ValueError(
                f"no home of {len(names)} is left to {word} on; name the test homes, or ask another share or seed"
            )
    train, held = (
        TraceSource(traces.select(side), steps, history_days=history_days, given=given, refused=other)
        for side, other in (sides, sides[::-1])
    )
    return train, held


def check_series_name(name: str) -> None:
    """Raise `ValueError` unless ``name`` is one of `SERIES`."""
    if name not in SERIES:
        raise ValueError(f"no exogenous series {name!r}{suggestion(name, SERIES)}")


def midnights(time: pd.DatetimeIndex, time_zone: str, steps: int, after: int = 0) -> NDArray[np.int64]:
    """Steps at a local midnight that begin a window of ``steps`` steps, from step ``after`` on."""
    local = local_clock(time, time_zone)[: len(time) - steps + 1]
    found = np.flatnonzero((local.hour == 0) & (local.minute == 0))
    return found[found >= after]


def find_start(time: pd.DatetimeIndex, time_zone: str, steps: int, start: Stamp) -> int:
    """Step that ``start`` names, a naive stamp on the local clock.

    Raises:
        ValueError: it is no step, or no whole window lies behind it.
    """
    stamp = pd.Timestamp(start)
    stamp = (stamp.tz_localize(time_zone) if stamp.tz is None else stamp).tz_convert("UTC")
    first = int(time.searchsorted(stamp))
    last = len(time) - steps
    if first >= len(time) or time[first] != stamp or first > last:
        raise ValueError(
            f"start {start} does not begin {steps} steps of the traces; "
            f"starts run from {time[0]} to {time[last]}"
        )
    return first


def named_parts(episode: str, home: str | None = None, start: Stamp | None = None) -> tuple[str, str]:
    """``Window.life`` and the start of an episode's name.

    Raises:
        ValueError: a home or a start is named as well, or it is no name of an episode.
    """
    if home is not None or start is not None:
        raise ValueError(f"episode {episode!r} says home and start; name them or the episode, not both")
    life, at, stamp = str(episode).rpartition("@")
    try:
        pd.Timestamp(stamp)
    except ValueError:
        at = ""
    if not (life and at and stamp.endswith("Z")):
        raise ValueError(
            f"episode {episode!r} is not what Window.episode says, such as 'home 12@2012-07-01T14:00Z'"
        )
    return life, stamp


def _is_whole(load_kw: Floats, pv_kw: Floats, steps: int) -> NDArray[np.bool_]:
    missing = np.isnan(load_kw) | np.isnan(pv_kw)
    before = np.concatenate([[0], np.cumsum(missing)])
    whole: NDArray[np.bool_] = before[steps:] == before[:-steps]
    return whole
