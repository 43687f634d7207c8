"""``ScenarioSet``: what many homes may do, scenario by scenario, with probabilities, on one clock.

A set is a few small tables and a mapping of channels. A channel knows how to read one scenario of itself, so a
set may be far larger than memory: what is asked for is read, and what is derived (`resample`, `aggregate`, …)
is computed when it is read.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from hidiff.config import suggestion
from hidiff.data.stored import StoredTraces
from hidiff.data.traces import Traces

if TYPE_CHECKING:
    from pathlib import Path

    import xarray

Values = NDArray[np.float32]
Rows = NDArray[np.int64]
Kind = Literal["power", "energy", "event", "state"]
PROBABILITY_ERROR = 1e-12
"""How far the sum of the probabilities may be from one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Channel:
    """One quantity of a set, read scenario by scenario."""

    read: Callable[[int, Rows], Values]
    """``(scenario, homes)`` by position -> ``(home, step)``, or ``(step,)`` where the homes share the channel."""
    unit: str = "kW"
    """Unit, such as kW, degC, AUD/kWh or 1."""
    kind: Kind = "power"
    """power (mean over a step; homes add up), energy (sum over a step; homes add up), event (an energy that
    falls on one step; homes add up) or state (a level: temperature, price, share; homes are averaged)."""
    has_homes: bool = True
    """Whether each home has values of its own; weather and prices do not."""

    def __post_init__(self) -> None:
        if self.kind not in ("power", "energy", "event", "state"):
            raise ValueError(f"kind is {self.kind!r}; use power, energy, event or state")


KNOWN: Mapping[str, tuple[str, Kind, bool]] = MappingProxyType(
    {
        "load_kw": ("kW", "power", True),
        "pv_kw": ("kW", "power", True),
        "ev_kw": ("kW", "power", True),
        "ev_is_home": ("1", "state", True),
        "ev_need_kwh": ("kWh", "event", True),
        "heat_kw": ("kW", "power", True),
        "heat_indoor_c": ("degC", "state", True),
        "temperature_c": ("degC", "state", False),
        "clearness": ("1", "state", False),
        "import_price_per_kwh": ("currency/kWh", "state", False),
        "export_price_per_kwh": ("currency/kWh", "state", False),
        "wholesale_price_per_kwh": ("currency/kWh", "state", False),
    }
)
"""Unit, kind, and whether homes have their own, of the channels that the builder makes."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ScenarioSet:
    """Scenarios of one or more homes; nothing in it changes.

    Args:
        scenarios: one row a scenario, string index ``scenario``, a column ``probability`` that sums to one within
            1e-12, and labels.
        homes: one row a home, string index ``home``, a column ``pv_capacity_kwp`` and what else is known.
        time: start of each step, zone-aware, evenly spaced; kept in UTC.
        channels: the quantities, in order.
        time_zone: IANA name of the homes' clock.
        provenance: where the set comes from, as JSON can hold it: model, seed, config.

    Raises:
        ValueError: probabilities that are negative or do not sum to one, double or missing names, a naive or
            uneven time index.
    """

    scenarios: pd.DataFrame
    homes: pd.DataFrame
    time: pd.DatetimeIndex
    channels: Mapping[str, Channel]
    time_zone: str = "Australia/Sydney"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        nothing = np.empty((len(self.homes), len(self.time)), dtype=np.float32)
        time = Traces(nothing, nothing, self.time, self.homes, self.time_zone).time  # checks clock and homes
        object.__setattr__(self, "time", time)
        for name, table, word in (("scenario", self.scenarios, "scenarios"), ("home", self.homes, "homes")):
            if not len(table):
                raise ValueError(f"there are no {word}; give at least one")
            if table.index.name != name or not table.index.is_unique:
                raise ValueError(f"{word} needs a unique string index named {name!r}")
            object.__setattr__(self, word, _with_plain_texts(table))
        if not len(self.time):
            raise ValueError("there are no steps; give at least one")
        if not self.channels:
            raise ValueError("there are no channels; give at least one, such as load_kw")
        if "probability" not in self.scenarios.columns:
            raise ValueError("scenarios has no column 'probability'; use 1 / number of scenarios")
        object.__setattr__(self, "channels", MappingProxyType(dict(self.channels)))
        probability = self.probability
        if not (np.isfinite(probability) & (probability >= 0)).all():
            row = int(np.argmin(np.nan_to_num(probability, nan=-np.inf)))
            raise ValueError(
                f"the probability of scenario {self.names[row]!r} is {probability[row]}; it must be at least 0"
            )
        if not abs(probability.sum() - 1) <= PROBABILITY_ERROR:
            raise ValueError(
                f"the probabilities sum to {probability.sum():.15g}, not to 1; divide them by their sum"
            )

    # ---------------------------------------------------------------- making one

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, ArrayLike], *, time: pd.DatetimeIndex, homes: pd.DataFrame | Sequence[str],
        scenarios: pd.DataFrame | None = None, probability: ArrayLike | None = None,
        units: Mapping[str, str] | None = None, kinds: Mapping[str, Kind] | None = None,
        time_zone: str = "Australia/Sydney", provenance: Mapping[str, Any] | None = None,
    ) -> ScenarioSet:  # fmt: skip
        """A set in memory.

        Args:
            arrays: each channel as ``(scenario, home, step)``, or ``(scenario, step)`` where the homes share it;
                kept as float32.
            homes: table of homes, or their names alone.
            scenarios: table of scenarios; without it they are named s0, s1, …
            probability: of each scenario, ``(scenario,)``; equal ones by default. Not beside ``scenarios``.
            units, kinds: of channels that the package does not name itself; kW and power by default.
        """
        values = {name: np.asarray(array, dtype=np.float32) for name, array in arrays.items()}
        if not values:
            raise ValueError("there are no channels; give at least one, such as load_kw")
        if not isinstance(homes, pd.DataFrame):
            index = pd.Index([str(name) for name in homes], name="home", dtype=object)
            peaks = values["pv_kw"].max(axis=(0, 2)) if "pv_kw" in values else np.zeros(len(index))
            homes = pd.DataFrame({"pv_capacity_kwp": peaks.astype(np.float64)}, index=index)
        if scenarios is None:
            scenarios = scenario_table(len(next(iter(values.values()))), probability)
        elif probability is not None:
            raise ValueError("give scenarios with their column probability, or probability alone")
        channels = {}
        for name, array in values.items():
            unit, kind, _ = KNOWN.get(name, ("kW", "power", True))
            shape = (len(scenarios), len(homes), len(time))
            if array.shape not in (shape, shape[::2]):
                raise ValueError(
                    f"{name} has shape {array.shape}; it must be {shape}, or {shape[::2]} if shared"
                )
            channels[name] = Channel(
                read=_rows_of(array), has_homes=array.ndim == 3, unit=(units or {}).get(name, unit),
                kind=(kinds or {}).get(name, kind),
            )  # fmt: skip
        return cls(
            scenarios=scenarios, homes=homes, time=time, channels=channels, time_zone=time_zone,
            provenance=provenance or {},
        )  # fmt: skip

    @classmethod
    def from_traces(
        cls, traces: Traces | StoredTraces | Sequence[Traces], *, probability: ArrayLike | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> ScenarioSet:  # fmt: skip
        """One scenario from each of the traces, which share their clock and homes; a stored set stays unread.

        Real homes, a bootstrap and generated homes alike. See `years_as_scenarios` for one long set of traces.
        """
        parts = [traces] if isinstance(traces, Traces | StoredTraces) else list(traces)
        if not parts:
            raise ValueError("there are no traces; give at least one")
        first = parts[0]
        for number, part in enumerate(parts):
            if (
                not part.time.equals(first.time)
                or part.names != first.names
                or part.time_zone != first.time_zone
            ):
                raise ValueError(
                    f"traces {number} do not share the clock and homes of traces 0; select() and between()"
                )
        return cls(
            scenarios=scenario_table(len(parts), probability), homes=first.homes, time=first.time,
            channels={name: Channel(read=_column_of(parts, name)) for name in ("load_kw", "pv_kw")},
            time_zone=first.time_zone, provenance=provenance or {},
        )  # fmt: skip

    # ---------------------------------------------------------------- what it is

    @property
    def names(self) -> list[str]:
        """Names of the scenarios, in order."""
        return [str(name) for name in self.scenarios.index]

    @property
    def home_names(self) -> list[str]:
        """Names of the homes, in order."""
        return [str(name) for name in self.homes.index]

    @property
    def probability(self) -> NDArray[np.float64]:
        """Probability of each scenario, ``(scenario,)``."""
        return np.asarray(self.scenarios["probability"], dtype=np.float64)

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        return 0.5 if len(self.time) < 2 else float((self.time[1] - self.time[0]) / pd.Timedelta(hours=1))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of scenarios, homes and steps."""
        return len(self.scenarios), len(self.homes), len(self.time)

    @property
    def nbytes(self) -> int:
        """Memory that all channels take when they are read [bytes]."""
        scenarios, homes, steps = self.shape
        return sum(
            4 * scenarios * steps * (homes if part.has_homes else 1) for part in self.channels.values()
        )

    def __len__(self) -> int:
        return len(self.scenarios)

    def __repr__(self) -> str:
        scenarios, homes, steps = self.shape
        return (
            f"ScenarioSet({scenarios:,} scenarios x {homes:,} homes x {steps:,} steps of {self.dt_h:g} h from "
            f"{self.time[0].tz_convert(self.time_zone).isoformat()}: {', '.join(self.channels)}; "
            f"{self.nbytes / 1e6:,.0f} MB when read)"
        )

    # ---------------------------------------------------------------- reading

    def read(self, channel: str, scenario: int | str, homes: Sequence[int] | Rows | None = None) -> Values:
        """One scenario of a channel: ``(home, step)``, or ``(step,)`` where the homes share it.

        Args:
            scenario: name or position.
            homes: positions of the homes; all by default.
        """
        part = self._channel(channel)
        row = int(self.scenario_rows([scenario])[0])
        rows = np.arange(len(self.homes)) if homes is None else np.asarray(homes, dtype=np.int64)
        return part.read(row, rows)

    def __getitem__(self, channel: str) -> Values:
        """All of a channel, ``(scenario, home, step)`` or ``(scenario, step)``, read now: for sets that fit."""
        part = self._channel(channel)
        scenarios, homes, steps = self.shape
        values = np.empty(
            (scenarios, homes, steps) if part.has_homes else (scenarios, steps), dtype=np.float32
        )
        for row in range(scenarios):
            values[row] = part.read(row, np.arange(homes))
        return values

    def traces(self, scenario: int | str = 0) -> Traces:
        """Load and PV of one scenario."""
        load_kw, pv_kw = (self.read(name, scenario) for name in ("load_kw", "pv_kw"))
        return Traces(load_kw, pv_kw, self.time, self.homes, self.time_zone)

    def scenario_rows(self, scenarios: Iterable[int | str]) -> Rows:
        """Positions of scenarios given by name or position."""
        return _rows(scenarios, self.names, "scenario")

    def home_rows(self, homes: Iterable[int | str]) -> Rows:
        """Positions of homes given by name or position."""
        return _rows(homes, self.home_names, "home")

    def _channel(self, name: str) -> Channel:
        if name not in self.channels:
            raise ValueError(f"no channel {name!r}{suggestion(name, self.channels)}")
        return self.channels[name]

    # ---------------------------------------------------------------- parts of it

    def select(
        self, *, scenarios: Iterable[int | str] | None = None, homes: Iterable[int | str] | None = None,
        channels: Sequence[str] | None = None,
    ) -> ScenarioSet:  # fmt: skip
        """Scenarios and homes (by name or position) and channels, in the order given; nothing is read.

        Probabilities are divided by their sum, which conditions on the scenarios that are kept.
        """
        own_scenarios = self.scenario_rows(range(len(self)) if scenarios is None else scenarios)
        own_homes = self.home_rows(range(len(self.homes)) if homes is None else homes)
        names = (
            [channels] if isinstance(channels, str) else list(self.channels if channels is None else channels)
        )
        table = self.scenarios.iloc[own_scenarios]
        if scenarios is not None:
            table = table.assign(probability=normalised(table["probability"].to_numpy(dtype=np.float64)))

        def part(channel: Channel) -> Channel:
            read = channel.read
            return replace(channel, read=lambda row, rows: read(int(own_scenarios[row]), own_homes[rows]))

        return replace(
            self, scenarios=table, homes=self.homes.iloc[own_homes],
            channels={name: part(self._channel(name)) for name in names},
        )  # fmt: skip

    def between(self, start: str | pd.Timestamp, end: str | pd.Timestamp) -> ScenarioSet:
        """Steps from ``start`` up to, not including, ``end``; naive stamps are read on the homes' clock."""
        bounds = [pd.Timestamp(stamp) for stamp in (start, end)]
        bounds = [s.tz_localize(self.time_zone) if s.tz is None else s for s in bounds]
        first, last = (int(self.time.searchsorted(stamp)) for stamp in bounds)
        if first >= last:
            raise ValueError(
                f"no step lies between {start} and {end}; the set runs from {self.time[0].isoformat()} to "
                f"{self.time[-1].isoformat()}"
            )
        return self.derived(lambda values: values[..., first:last], time=self.time[first:last])

    def with_probability(self, probability: ArrayLike) -> ScenarioSet:
        """The same scenarios with other probabilities, ``(scenario,)``."""
        return replace(
            self, scenarios=self.scenarios.assign(probability=np.asarray(probability, dtype=np.float64))
        )

    def with_channels(self, channels: Mapping[str, Channel]) -> ScenarioSet:
        """With more channels; one that is there under the same name is replaced."""
        return replace(self, channels={**self.channels, **channels})

    def with_provenance(self, **entries: Any) -> ScenarioSet:
        """With more said about where it comes from."""
        return replace(self, provenance={**self.provenance, **entries})

    def derived(self, change: Callable[[Values], Values], *, time: pd.DatetimeIndex) -> ScenarioSet:
        """Every channel changed along its steps when it is read, on a new clock."""

        def part(channel: Channel) -> Channel:
            read = channel.read
            return replace(channel, read=lambda row, rows: change(read(row, rows)))

        return replace(self, time=time, channels={name: part(c) for name, c in self.channels.items()})

    # ---------------------------------------------------------------- shapes (scenarios/reshape.py, split.py)

    def resample(self, step: str | pd.Timedelta) -> ScenarioSet:
        """On another step, such as ``15min`` or ``1h``: energy is kept; see `reshape.resample`."""
        from .reshape import resample

        return resample(self, step)

    def aggregate(self, name: str = "neighbourhood") -> ScenarioSet:
        """All homes as one: powers add up, states are averaged; see `reshape.aggregate`."""
        from .reshape import aggregate

        return aggregate(self, name)

    def split(self, by: str | Sequence[str] = "home", **choices: Any) -> dict[str, ScenarioSet]:
        """Parts ``train``, ``validation`` and ``test`` that share nothing; see `split.split`."""
        from .split import split

        return split(self, by, **choices)

    # ---------------------------------------------------------------- elsewhere (scenarios/store.py, labelled.py)

    def save(self, folder: Path | str, *, force: bool = False, progress: bool = False) -> Path:
        """Write the set to a folder of Parquet files, a scenario at a time; see `store.save`."""
        from .store import save

        return save(self, folder, force=force, progress=progress)

    def to_xarray(self) -> xarray.Dataset:
        """Dataset ``(scenario, home, time)``, its channels unread: ``sel`` first, then ``load``."""
        from .labelled import to_xarray

        return to_xarray(self)

    @classmethod
    def from_xarray(cls, dataset: xarray.Dataset) -> ScenarioSet:
        """The set that a dataset of `to_xarray` holds, unread where the dataset is."""
        from .labelled import from_xarray

        return from_xarray(dataset)


def scenario_table(count: int, probability: ArrayLike | None = None) -> pd.DataFrame:
    """Table of scenarios s0, s1, …, equally likely unless their probabilities are given."""
    width = len(str(max(count - 1, 0)))
    index = pd.Index([f"s{number:0{width}d}" for number in range(count)], name="scenario", dtype=object)
    values = (
        np.full(count, 1 / max(count, 1))
        if probability is None
        else np.asarray(probability, dtype=np.float64)
    )
    if values.shape != (count,):
        raise ValueError(f"probability has shape {values.shape}; {count} scenarios ask for ({count},)")
    return pd.DataFrame({"probability": values}, index=index)


def normalised(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights divided by their sum.

    Raises:
        ValueError: they sum to nothing.
    """
    total = weights.sum()
    if not total > 0:
        raise ValueError(f"the weights sum to {total}; keep at least one scenario that can happen")
    return np.asarray(weights / total)


def _with_plain_texts(table: pd.DataFrame) -> pd.DataFrame:
    """A copy whose texts are Python's, of whatever type pandas took them for; the index likewise."""
    texts = [name for name in table.columns if pd.api.types.is_string_dtype(table[name].dtype)]
    copy = table.astype(dict.fromkeys(texts, object))
    copy.index = pd.Index([str(name) for name in table.index], name=table.index.name, dtype=object)
    return copy


def _rows(asked: Iterable[int | str], names: list[str], word: str) -> Rows:
    wanted = [asked] if isinstance(asked, str) else list(asked)
    if not wanted:
        raise ValueError(f"no {word} is named; name at least one")
    place = {name: row for row, name in enumerate(names)}
    rows = []
    for entry in wanted:
        if isinstance(entry, str):
            if entry not in place:
                near = difflib.get_close_matches(entry, names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names[:8])} …"
                raise ValueError(f"unknown {word} {entry!r} among {len(names):,}; {hint}")
            rows.append(place[entry])
        else:
            row = int(entry)
            if not -len(names) <= row < len(names):
                raise ValueError(f"{word} {row} lies outside 0..{len(names) - 1}")
            rows.append(row % len(names))
    if len(set(rows)) < len(rows):
        double = next(row for row in rows if rows.count(row) > 1)
        raise ValueError(f"{word} {names[double]!r} is named twice; name each once")
    return np.array(rows, dtype=np.int64)


def _rows_of(array: Values) -> Callable[[int, Rows], Values]:
    if array.ndim == 2:
        return lambda row, rows: array[row].copy()
    return lambda row, rows: array[row, rows]


def _column_of(parts: Sequence[Traces | StoredTraces], name: str) -> Callable[[int, Rows], Values]:
    def read(row: int, rows: Rows) -> Values:
        part = parts[row]
        if isinstance(part, StoredTraces):
            names = part.names
            return np.concatenate([part.read_home(names[home], [name]) for home in rows])
        return np.asarray(getattr(part, name)[rows], dtype=np.float32)

    return read
