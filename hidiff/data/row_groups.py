"""Where each home's rows lie in the shards of a set, found from the Parquet footers alone.

`hidiff.data.parquet` writes one row group a home-year, sorted by time, so the statistics in a footer say of
each row group whose it is and when it begins, and a home is read without looking at any other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hidiff.errors import DataFormatError

from .parquet import SCHEMA, ZONE_KEY
from .traces import HALF_HOUR_US, require_columns

REWRITE = "read it with Traces.from_parquet and write it again with to_parquet"
FOOTERS_KEPT = 16
"""Decoded footers that a process keeps; one of 256 row groups is 1 MB and takes a millisecond to decode."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RowGroups:
    """Row groups of all homes, sorted by home and time; all homes share one clock without a gap."""

    shards: tuple[Path, ...]
    shard: NDArray[np.int64]
    """Position of each row group's file in ``shards``."""
    group: NDArray[np.int64]
    """Number of each row group in its file."""
    first_step: NDArray[np.int64]
    """Step of the set's clock that each row group begins with."""
    steps: NDArray[np.int64]
    """Rows of each row group."""
    places: dict[str, slice]
    """Row groups of each home, by name, homes in order of appearance."""
    pv_max_kw: NDArray[np.float64]
    """Highest generation in each row group [kW]; 0 where none was measured."""
    time: pd.DatetimeIndex
    """Start of each step of the set, UTC."""
    time_zone: str

    def read(self, name: str, columns: Sequence[str], first: int, last: int) -> NDArray[np.float32]:
        """Columns of one home from step ``first`` up to, not including, ``last``: ``(channel, step)`` [kW].

        Only the row groups that hold these steps are read.

        Raises:
            DataFormatError: the file was damaged, or replaced after the set was opened.
        """
        place = self.places[name]
        begins, counts = self.first_step[place], self.steps[place]
        wanted = np.flatnonzero((begins < last) & (begins + counts > first))
        groups = self.group[place][wanted].tolist()
        path = self.shards[self.shard[place][0]]
        try:
            state = path.stat()
            footer = _footer(path, state.st_size, state.st_mtime_ns)
            if any(not _belongs(footer, group, name) for group in groups):
                raise DataFormatError(f"{path} was replaced after the set was opened; open the set again")
            # Without Arrow's threads: this may be a forked worker of a DataLoader, which has none.
            with pq.ParquetFile(path, metadata=footer, pre_buffer=False) as file:
                table = file.read_row_groups(groups, columns=list(columns), use_threads=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise DataFormatError(
                f"{path} cannot be read for home {name!r}, it is damaged: {' '.join(str(error).split())}"
            ) from error
        skipped = first - int(begins[wanted[0]])
        return np.stack([table[column].to_numpy()[skipped : skipped + last - first] for column in columns])


def read_row_groups(shards: Sequence[Path], where: Path) -> RowGroups:
    """Row groups of a set, from the footers of its shards.

    Raises:
        DataFormatError: a damaged footer, a file of another layout, a home in two shards, homes of different
            spans, missing or double rows, or several time zones.
    """
    rows: list[tuple[str, int, int, int, int, int, float]] = []
    zones: dict[str, Path] = {}
    for number, path in enumerate(shards):
        footer = _checked_footer(path)
        zones.setdefault(footer.metadata[ZONE_KEY].decode(), path)
        rows += _row_groups_of(path, number, footer)
    if len(zones) > 1:
        raise DataFormatError(f"the shards of {where} carry several time zones: {', '.join(sorted(zones))}")
    if not rows:
        raise DataFormatError(f"{where} has no rows")
    table = pd.DataFrame(rows, columns=["home", "shard", "group", "rows", "start_us", "end_us", "pv_max_kw"])
    codes, names = pd.factorize(table["home"])
    table = table.assign(code=codes).sort_values(["code", "start_us"], kind="stable", ignore_index=True)
    firsts = np.searchsorted(table["code"], np.arange(len(names)))
    ends = [*firsts[1:].tolist(), len(table)]
    step_us = _step_us(table)
    _check_shards(table, shards)
    _check_clock(table, firsts, step_us, where)
    start_us, end_us = int(table["start_us"].iloc[0]), int(table["end_us"].iloc[ends[0] - 1])
    stamps = np.arange(start_us, end_us + step_us, step_us).view("M8[us]")
    return RowGroups(
        shards=tuple(shards),
        shard=table["shard"].to_numpy(),
        group=table["group"].to_numpy(),
        first_step=((table["start_us"] - start_us) // step_us).to_numpy(),
        steps=table["rows"].to_numpy(),
        places={
            str(name): slice(first, end)
            for name, first, end in zip(names, firsts.tolist(), ends, strict=True)
        },
        pv_max_kw=table["pv_max_kw"].to_numpy(),
        time=pd.DatetimeIndex(stamps).tz_localize("UTC").rename("time"),
        time_zone=next(iter(zones)),
    )


def check_manifest(folder: Path, shards: Sequence[Path]) -> None:
    """Raise where ``manifest.json`` lists a shard that is not there; a set need not have a manifest."""
    path = folder / "manifest.json"
    if not path.exists():
        return
    try:
        listed = [str(entry["file"]) for entry in json.loads(path.read_text(encoding="utf-8"))["shards"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataFormatError(f"{path} is not the manifest of a set: {error!r}") from error
    lost = sorted(set(listed) - {shard.name for shard in shards})
    if lost:
        raise DataFormatError(f"{path} lists {lost[0]}, which is not there; copy or generate the set again")


@lru_cache(maxsize=FOOTERS_KEPT)
def _footer(path: Path, size: int, modified_ns: int) -> Any:
    """Footer of the file of this size and age: one that was replaced is decoded anew."""
    return pq.read_metadata(path)


def _belongs(footer: Any, group: int, name: str) -> bool:
    if group >= footer.num_row_groups:
        return False
    statistics = footer.row_group(group).column(SCHEMA.get_field_index("home")).statistics
    return statistics is not None and statistics.min == name


def _checked_footer(path: Path) -> Any:
    """Footer of a shard as `write_shard` writes it, or an error that names the file."""
    try:
        footer = pq.read_metadata(path)
        schema = footer.schema.to_arrow_schema()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataFormatError(
            f"{path} is not a readable Parquet file, or is cut off: {' '.join(str(error).split())}"
        ) from error
    require_columns(schema.names, SCHEMA.names, str(path))
    if not schema.equals(SCHEMA) or ZONE_KEY not in (footer.metadata or {}):
        raise DataFormatError(f"{path} was not written by hidiff, its columns may be in any order; {REWRITE}")
    return footer


def _row_groups_of(path: Path, shard: int, footer: Any) -> list[tuple[str, int, int, int, int, int, float]]:
    """Home, shard, number, rows, first and last stamp [us] and highest PV [kW] of each row group of a file."""
    home_at, time_at, pv_at = (SCHEMA.get_field_index(name) for name in ("home", "time", "pv_kw"))
    found = []
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        home, time = group.column(home_at).statistics, group.column(time_at).statistics
        if home is None or time is None or not home.has_min_max or not time.has_min_max:
            raise DataFormatError(f"{path} has no statistics in row group {number}; {REWRITE}")
        if home.min != home.max or home.null_count:
            raise DataFormatError(
                f"{path} has several homes in row group {number}, {home.min!r} to {home.max!r}; {REWRITE}"
            )
        pv = group.column(pv_at).statistics
        pv_max_kw = float(pv.max) if pv is not None and pv.has_min_max else 0.0
        found.append((home.min, shard, number, group.num_rows, time.min_raw, time.max_raw, pv_max_kw))
    return found


def _step_us(table: pd.DataFrame) -> int:
    """Step of the set [us], from its longest row group."""
    longest = table.loc[table["rows"].idxmax()]
    if longest["rows"] > 1:
        return max(int(longest["end_us"] - longest["start_us"]) // int(longest["rows"] - 1), 1)
    starts = np.unique(table["start_us"])
    return int(np.diff(starts).min()) if len(starts) > 1 else HALF_HOUR_US


def _check_shards(table: pd.DataFrame, shards: Sequence[Path]) -> None:
    """Each home lies in one shard."""
    pairs = table[["home", "shard"]].drop_duplicates()
    double = pairs[pairs["home"].duplicated(keep=False)]
    if len(double):
        name = double["home"].iloc[0]
        files = [shards[number].name for number in double.loc[double["home"] == name, "shard"]]
        raise DataFormatError(
            f"home {name!r} is in both {files[0]} and {files[1]} of {shards[0].parent}; keep one of the shards"
        )


def _check_clock(table: pd.DataFrame, firsts: NDArray[np.int64], step_us: int, where: Path) -> None:
    """Each row group is full, each home's follow one another, and all homes have one span."""
    start, end = table["start_us"].to_numpy(), table["end_us"].to_numpy()
    is_first = np.zeros(len(table), dtype=bool)
    is_first[firsts] = True
    is_broken = end - start != (table["rows"].to_numpy() - 1) * step_us
    is_broken[1:] |= ~is_first[1:] & (start[1:] != end[:-1] + step_us)
    if is_broken.any():
        row = table.iloc[int(np.argmax(is_broken))]
        raise DataFormatError(
            f"{where}: home {row['home']!r} has missing or double rows about {_stamp(row['start_us'])}, at "
            f"steps of {step_us / 60e6:g} minutes; {REWRITE}"
        )
    is_last = np.roll(is_first, -1)
    is_odd = (start[is_first] != start[0]) | (end[is_last] != end[is_last][0])
    if is_odd.any():
        odd = int(np.argmax(is_odd))
        names = table["home"][is_first].to_numpy()
        spans = [
            f"{names[at]!r} from {_stamp(start[is_first][at])} to {_stamp(end[is_last][at])}"
            for at in (0, odd)
        ]
        raise DataFormatError(
            f"the homes of {where} do not share one span: {spans[0]}, {spans[1]}; put those of one span in a "
            "folder"
        )


def _stamp(time_us: int) -> str:
    return str(pd.Timestamp(int(time_us), unit="us", tz="UTC").isoformat())
