"""``StoredTraces``: a set of traces that stays on disk until homes are asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.config import suggestion
from hidiff.errors import DataFormatError, DependencyMissing

from .parquet import check_finished, read_homes
from .row_groups import RowGroups, check_manifest, read_row_groups
from .traces import Traces, home_dataset, long_table, match_homes

if TYPE_CHECKING:
    import polars
    import pyarrow.dataset
    import xarray

    from .home_windows import HomeWindows

CHANNELS = ("load_kw", "pv_kw")
MEMORY = Path("/proc/meminfo")


def open_stored(path: Path | str, *, allow_gaps: bool = False) -> StoredTraces:
    """Open a set folder, or one of its shards, without reading it: only the footers of its files are.

    Args:
        path: what `hidiff generate`, `hidiff ingest` or `Traces.to_parquet` wrote.
        allow_gaps: a value that is NaN is let through when it is read; otherwise it is an error.

    Raises:
        DataFormatError: no shard, an unfinished set, a damaged footer, a home that is in two shards or has no
            row in ``homes.csv``, homes of different spans or time zones, a layout that is not `hidiff`'s.
    """
    path = Path(path)
    check_finished(path)
    shards = sorted(path.glob("traces-*.parquet")) if path.is_dir() else [path]
    if path.is_dir():
        check_manifest(path, shards)
    if not shards or not shards[0].exists():
        raise DataFormatError(
            f"{path} holds no traces-*.parquet; give the folder that generate or ingest wrote"
        )
    groups = read_row_groups(shards, path)
    homes = _homes(path, groups)
    return StoredTraces(
        path=path, homes=homes, time=groups.time, time_zone=groups.time_zone, allow_gaps=allow_gaps,
        groups=groups,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StoredTraces:
    """Load and PV of many homes in Parquet files; what is asked for is read, and nothing is kept.

    What `Traces` has under the same name means the same here; ``load_kw`` and ``pv_kw`` are read each time
    that they are asked for. Open a set with `hidiff.open`.
    """

    path: Path
    """Folder of the set, or one shard."""
    homes: pd.DataFrame
    """One row a home, as in `Traces`."""
    time: pd.DatetimeIndex
    """Start of each step, UTC."""
    time_zone: str
    """IANA name of the homes' clock."""
    allow_gaps: bool
    """A value that is NaN is let through."""
    groups: RowGroups
    """Where the rows of each home of the whole set lie."""

    @property
    def names(self) -> list[str]:
        """Names of the homes, in order."""
        return [str(name) for name in self.homes.index]

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        clock = self.groups.time
        return float((clock[1] - clock[0]) / pd.Timedelta(hours=1)) if len(clock) > 1 else 0.5

    @property
    def nbytes(self) -> int:
        """Memory that `read` takes [bytes]."""
        return len(CHANNELS) * len(self.homes) * len(self.time) * np.dtype(np.float32).itemsize

    def __len__(self) -> int:
        return len(self.homes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.homes.index

    def __getitem__(self, name: str) -> Traces:
        return self.home(name)

    def __repr__(self) -> str:
        return (
            f"StoredTraces({str(self.path)!r}: {len(self):,} homes x {len(self.time):,} steps of {self.dt_h:g} h "
            f"from {self.time[0].isoformat()}; {self.nbytes / 1e6:,.0f} MB when read)"
        )

    def select(self, names: Sequence[str]) -> StoredTraces:
        """The named homes, in the order given; nothing is read."""
        asked = [names] if isinstance(names, str) else list(names)
        if not asked:
            raise ValueError("no home is named; name at least one")
        rows = self.homes.index.get_indexer(asked)
        for name, row in zip(asked, rows, strict=True):
            if row < 0:
                raise ValueError(self._unknown(name))
        if len(set(asked)) < len(asked):
            double = next(name for name in asked if asked.count(name) > 1)
            raise ValueError(f"home {double!r} is named twice; name each home once")
        return replace(self, homes=self.homes.iloc[rows])

    def between(self, start: str | pd.Timestamp, end: str | pd.Timestamp) -> StoredTraces:
        """Steps from ``start`` up to, not including, ``end``; naive stamps are read on the homes' clock.

        Nothing is read, and later only the row groups that these steps lie in.
        """
        bounds = [pd.Timestamp(stamp) for stamp in (start, end)]
        bounds = [s.tz_localize(self.time_zone) if s.tz is None else s for s in bounds]
        time = self.time[(self.time >= bounds[0]) & (self.time < bounds[1])]
        if not len(time):
            raise ValueError(
                f"no step lies between {start} and {end}; the set runs from {self.time[0].isoformat()} to "
                f"{self.time[-1].isoformat()}"
            )
        return replace(self, time=time)

    def home(self, name: str) -> Traces:
        """Traces of one home."""
        return self.select([name]).read()

    def read(self) -> Traces:
        """All of it as `Traces` in memory, `nbytes` large.

        Raises:
            MemoryError: it is more than the memory that is free.
        """
        load_kw, pv_kw = self._read(CHANNELS)
        return Traces(load_kw, pv_kw, self.time, self.homes, self.time_zone)

    def batches(self, homes: int = 64) -> Iterator[Traces]:
        """The homes in order, as `Traces` of up to ``homes`` homes each; one batch is in memory at a time."""
        if homes < 1:
            raise ValueError(f"homes={homes}; a batch needs at least one home")
        names = self.names
        return (self.select(names[at : at + homes]).read() for at in range(0, len(names), homes))

    @property
    def load_kw(self) -> NDArray[np.float32]:
        """Consumption, ``(home, step)`` [kW], read now."""
        return self._read(["load_kw"]).squeeze(0)

    @property
    def pv_kw(self) -> NDArray[np.float32]:
        """Generation, ``(home, step)`` [kW], read now."""
        return self._read(["pv_kw"]).squeeze(0)

    @property
    def load_kwh(self) -> NDArray[np.float64]:
        """Energy used by each home over its measured steps, ``(home,)`` [kWh]; read home by home."""
        return self._energy_kwh("load_kw")

    @property
    def pv_kwh(self) -> NDArray[np.float64]:
        """Energy generated by each home over its measured steps, ``(home,)`` [kWh]; read home by home."""
        return self._energy_kwh("pv_kw")

    def read_home(self, name: str, columns: Sequence[str] = CHANNELS) -> NDArray[np.float32]:
        """Columns of one home, ``(channel, step)`` [kW]: what `home` is made of, without the tables.

        Raises:
            DataFormatError: an infinite value, a NaN where gaps are not allowed, or a damaged file.
        """
        chosen = checked_columns(columns)
        if name not in self.homes.index:
            raise ValueError(self._unknown(name))
        first = int(self.groups.time.searchsorted(self.time[0]))
        values = self.groups.read(name, chosen, first, first + len(self.time))
        self._check(name, chosen, values)
        return values

    def to_pandas(self, columns: Sequence[str] = CHANNELS) -> pd.DataFrame:
        """Long table in memory, as `Traces.to_long`: ``home``, ``time`` and the columns asked for."""
        chosen = checked_columns(columns)
        return long_table(self.names, self.time, dict(zip(chosen, self._read(chosen), strict=True)))

    def to_arrow(self) -> pyarrow.dataset.Dataset:
        """Arrow dataset over the shards, unread: ``to_table(columns=…)``, ``scanner``, DuckDB and so on.

        Rows come as they lie in the shards, homes by name. Gaps are not looked for.
        """
        import pyarrow as pa
        import pyarrow.dataset as pads

        names = self.names
        used = sorted({int(self.groups.shard[self.groups.places[name].start]) for name in names})
        dataset = pads.dataset([str(self.groups.shards[number]) for number in used], format="parquet")
        if len(names) < len(self.groups.places):
            dataset = dataset.filter(pads.field("home").isin(names))
        if len(self.time) < len(self.groups.time):
            first, last = (
                pa.scalar(stamp, dataset.schema.field("time").type) for stamp in self.time[[0, -1]]
            )
            dataset = dataset.filter((pads.field("time") >= first) & (pads.field("time") <= last))
        return dataset

    def to_polars(self) -> polars.LazyFrame:
        """Lazy polars frame over `to_arrow`; ``collect()`` reads it. Needs the extra ``polars``."""
        try:
            import polars
        except ModuleNotFoundError as error:
            raise DependencyMissing(
                'this needs polars, which is not installed; run: pip install "hidiff[polars]"'
            ) from error
        return polars.scan_pyarrow_dataset(self.to_arrow())

    def to_xarray(self) -> xarray.Dataset:
        """Dataset as `Traces.to_xarray` makes it, its channels unread: ``sel`` first, then ``load``."""
        from .stored_xarray import lazy_channel

        channels = {column: lazy_channel(self, column) for column in CHANNELS}
        return home_dataset(channels, self.time, self.homes, self.time_zone)

    def to_torch(
        self,
        *,
        window_steps: int | None = None,
        stride_steps: int | None = None,
        columns: Sequence[str] = CHANNELS,
        shuffle: bool = False,
        seed: int = 0,
    ) -> HomeWindows:
        """Torch `IterableDataset` of windows or home-years, for a `DataLoader`: see `HomeWindows`."""
        from .home_windows import HomeWindows

        return HomeWindows(
            self, window_steps=window_steps, stride_steps=stride_steps, columns=columns, shuffle=shuffle,
            seed=seed,
        )  # fmt: skip

    def _read(self, columns: Sequence[str]) -> NDArray[np.float32]:
        """Columns of all homes, ``(channel, home, step)`` [kW]."""
        shape = (len(columns), len(self), len(self.time))
        self._check_memory(int(np.prod(shape)) * np.dtype(np.float32).itemsize)
        values = np.empty(shape, dtype=np.float32)
        for row, name in enumerate(self.names):
            values[:, row] = self.read_home(name, columns)
        return values

    def _energy_kwh(self, column: str) -> NDArray[np.float64]:
        homes = (self.read_home(name, [column]) for name in self.names)
        return np.array([np.nansum(values, dtype=np.float64) * self.dt_h for values in homes])

    def _check(self, name: str, columns: Sequence[str], values: NDArray[np.float32]) -> None:
        """No infinite value, and no NaN where gaps are not allowed."""
        is_bad = np.isinf(values) if self.allow_gaps else ~np.isfinite(values)
        if not is_bad.any():
            return
        channel, step = divmod(int(np.argmax(is_bad)), len(self.time))
        word = "infinite" if np.isinf(values[channel, step]) else "missing or NaN"
        raise DataFormatError(
            f"{self.path}: {columns[channel]} of home {name!r} is {word} at {self.time[step]}; fill or cut it, "
            "or open with allow_gaps=True where gaps do no harm"
        )

    def _check_memory(self, size: int) -> None:
        """Refuse what would not fit: the system would swap, or kill the process, without a word."""
        free = _free_bytes()
        if free is not None and size > free:
            raise MemoryError(
                f"{len(self):,} homes x {len(self.time):,} steps take {size / 1e9:.1f} GB, {free / 1e9:.1f} GB "
                "are free; select() homes, cut with between(), or stream with batches()"
            )

    def _unknown(self, name: object) -> str:
        near = difflib.get_close_matches(str(name), self.names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(self.names[:8])} …"
        return f"unknown household {name!r} among {len(self):,}; {hint}"


def checked_columns(columns: Sequence[str]) -> list[str]:
    """The names of columns, each a channel of the traces and none twice."""
    chosen = [columns] if isinstance(columns, str) else list(columns)
    for name in chosen:
        if name not in CHANNELS:
            raise ValueError(f"no column {name!r}{suggestion(str(name), CHANNELS)}")
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"columns={chosen}; name one or both of {', '.join(CHANNELS)}, each once")
    return chosen


def _homes(path: Path, groups: RowGroups) -> pd.DataFrame:
    """Table of homes: that of the set, or one of what the footers say (capacity is the highest PV power)."""
    names = list(groups.places)
    homes_file = (path if path.is_dir() else path.parent) / "homes.csv"
    if not homes_file.exists():
        peaks = [float(groups.pv_max_kw[place].max(initial=0.0)) for place in groups.places.values()]
        return pd.DataFrame({"pv_capacity_kwp": peaks}, index=pd.Index(names, name="home", dtype=object))
    homes = read_homes(homes_file)
    try:
        return match_homes(homes if path.is_dir() else homes[homes.index.isin(names)], names)
    except DataFormatError as error:
        raise DataFormatError(f"{homes_file}: {error}") from error


def _free_bytes() -> int | None:
    """Memory that can be had without swapping [bytes]; None where the system does not tell."""
    if not MEMORY.exists():
        return None
    fields: dict[str, Any] = dict(
        line.split(":", 1) for line in MEMORY.read_text(encoding="ascii").splitlines() if ":" in line
    )
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None
