"""A set of traces on disk: ``traces-*.parquet`` and ``homes.csv`` in one folder.

The shards are long tables (``home`` string, ``time`` UTC interval start, ``load_kw`` and ``pv_kw`` float32)
sorted by home and time, with one row group a home-year, so that a reader fetches one home in milliseconds. Each
carries its rows of the table of homes, so that ``homes.csv`` can be made again from the shards. A file is written
beside its final place and moved there, so a full disk or a kill leaves no half file under a real name.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hidiff.errors import DataFormatError
from hidiff.output import replace_when_done

from .traces import Floats, Traces, fill_grid, measured_homes, require_columns

SCHEMA = pa.schema(
    [
        ("home", pa.string()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("load_kw", pa.float32()),
        ("pv_kw", pa.float32()),
    ]
)
COLUMNS = list(SCHEMA.names)
HOMES_PER_SHARD = 256
ZONE_KEY, HOMES_KEY = b"hidiff.time_zone", b"hidiff.homes"
HOMES, MANIFEST = "homes.csv", "manifest.json"
UNFINISHED, WORK = "unfinished.json", "unfinished"
"""Marks a set that `hidiff generate` has not finished; the folder of its records, one a finished shard."""
SET_CONTENT = ("traces-*.parquet", HOMES, MANIFEST, UNFINISHED, WORK, ".*.tmp", "ingest.json", "report.txt")
"""Names of the files of a set, of what `hidiff generate` and `hidiff ingest` put beside it included."""
# Neighbouring floats share their upper bytes and time is a ramp: split into bytes and into differences, a home-year
# takes a third of the room and of the time that pyarrow's defaults take.
ENCODING = {"time": "DELTA_BINARY_PACKED", "load_kw": "BYTE_STREAM_SPLIT", "pv_kw": "BYTE_STREAM_SPLIT"}


def check_finished(folder: Path) -> None:
    """Raise unless `hidiff generate` has finished what it began in ``folder``.

    Raises:
        DataFormatError: it has not; the message says how much is there and how to go on.
    """
    if (folder / UNFINISHED).exists() and not (folder / MANIFEST).exists():
        try:
            count = json.loads((folder / UNFINISHED).read_text(encoding="utf-8"))["shard_count"]
        except (ValueError, KeyError, TypeError):
            count = "an unknown number of"
        raise DataFormatError(
            f"{folder} is unfinished: {len(finished_shards(folder))} of {count} shards are there; go on with the "
            "same hidiff generate command and --resume"
        )


def finished_shards(folder: Path) -> list[int]:
    """Numbers of the shards of an unfinished set that are there."""
    return sorted(int(path.stem) for path in (folder / WORK).glob("*.json") if path.stem.isdigit())


def shard_name(shard: int) -> str:
    """Name of the file of a shard."""
    return f"traces-{shard:05d}.parquet"


def year_starts(time: pd.DatetimeIndex, time_zone: str) -> list[int]:
    """First step of each year, counted from the first step on the local clock; then the number of steps."""
    first = time[0].tz_convert(time_zone).tz_localize(None)
    bounds = [0]
    while True:
        anniversary = first + pd.DateOffset(years=len(bounds))
        stamp = anniversary.tz_localize(time_zone, ambiguous=True, nonexistent="shift_forward")
        position = int(time.searchsorted(stamp))
        if position >= len(time):
            return [*bounds, len(time)]
        bounds.append(position)


def write_shard(path: Path, traces: Traces) -> int:
    """Write one shard, homes sorted by name, one row group a home-year; returns the number of rows.

    The same traces give the same bytes.
    """
    steps = len(traces.time)
    if not steps or not len(traces):
        raise ValueError(f"{path.name} would be empty: {len(traces)} homes x {steps} steps")
    bounds = year_starts(traces.time, traces.time_zone)
    schema = SCHEMA.with_metadata({ZONE_KEY: traces.time_zone.encode()})
    time = pa.array(traces.time.asi8, type=pa.int64()).cast(SCHEMA.field("time").type)
    names = traces.names
    order = sorted(range(len(names)), key=names.__getitem__)
    with (
        replace_when_done(path) as temporary,
        pq.ParquetWriter(
            temporary, schema, compression="zstd", use_dictionary=["home"], column_encoding=ENCODING
        ) as writer,
    ):
        writer.add_key_value_metadata({HOMES_KEY: traces.homes.to_csv()})
        for row in order:
            for start, end in pairwise(bounds):
                columns = [
                    pa.repeat(pa.scalar(names[row], pa.string()), end - start),
                    time.slice(start, end - start),
                    pa.array(traces.load_kw[row, start:end].astype(np.float32)),
                    pa.array(traces.pv_kw[row, start:end].astype(np.float32)),
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=end - start)
    return steps * len(traces)


def write_homes(path: Path, homes: pd.DataFrame) -> None:
    """Write the table of homes, whole or not at all."""
    with replace_when_done(path) as temporary:
        homes.to_csv(temporary)


def write_set(folder: Path, traces: Traces) -> Path:
    """Write shards of up to 256 homes and ``homes.csv``; refuses a folder that already holds a set."""
    if any(folder.glob("traces-*.parquet")):
        raise ValueError(
            f"{folder} already holds a set of traces; choose an empty folder, or remove the old set first"
        )
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(traces.names)
    for shard, start in enumerate(range(0, len(names), HOMES_PER_SHARD)):
        write_shard(folder / shard_name(shard), traces.select(names[start : start + HOMES_PER_SHARD]))
    write_homes(folder / HOMES, traces.homes)
    return folder


def homes_text(shard: Path) -> str:
    """The rows of the table of homes that a shard carries, as CSV with the line of names first.

    Raises:
        DataFormatError: not a whole Parquet file, or one that carries none.
    """
    try:
        return str((pq.read_metadata(shard).metadata or {})[HOMES_KEY], "utf-8")
    except (pa.ArrowInvalid, OSError, KeyError, UnicodeDecodeError) as error:
        raise DataFormatError(f"{shard} carries no table of homes, or is damaged: {error}") from error


def read_homes(path: Path) -> pd.DataFrame:
    """The table of homes, names as strings."""
    try:
        table = pd.read_csv(path, dtype={"home": str}, keep_default_na=True)
    except (ValueError, UnicodeDecodeError) as error:
        raise DataFormatError(f"{path} cannot be read as a table of homes: {error}") from error
    require_columns(table.columns, ["home", "pv_capacity_kwp"], str(path))
    table["home"] = table["home"].astype(object)
    if table["home"].isna().any() or table["home"].duplicated().any():
        raise DataFormatError(f"{path} has an empty or double name in column home; each home needs one row")
    return table.set_index("home")


def read_set(path: Path, *, allow_gaps: bool = False) -> Traces:
    """Traces of a set folder, or of one shard (with the ``homes.csv`` beside it, where there is one).

    Raises:
        DataFormatError: no shard, a damaged file, a missing column, two rows for one home and step, an
            infinite value, a home without a row in ``homes.csv``, a gap where gaps are not allowed, or a set that
            is unfinished.
    """
    check_finished(path)
    shards = sorted(path.glob("traces-*.parquet")) if path.is_dir() else [path]
    if not shards or not shards[0].exists():
        raise DataFormatError(
            f"{path} holds no traces-*.parquet; give the folder that generate or ingest wrote"
        )
    names: dict[str, int] = {}
    codes, stamps, loads, pvs, zones = [], [], [], [], set()
    for shard in shards:
        table = _read_shard(shard)
        zones.add((table.schema.metadata or {}).get(ZONE_KEY, b"Australia/Sydney").decode())
        home = table["home"].combine_chunks()
        home = home.chunk(0) if isinstance(home, pa.ChunkedArray) else home
        places = np.array(
            [names.setdefault(name, len(names)) for name in home.dictionary.to_pylist()], dtype=np.int64
        )
        codes.append(places[home.indices.to_numpy()])
        stamps.append(table["time"].to_numpy())
        loads.append(table["load_kw"].to_numpy())
        pvs.append(table["pv_kw"].to_numpy())
    if len(zones) > 1:
        raise DataFormatError(f"the shards of {path} carry several time zones: {', '.join(sorted(zones))}")
    if not sum(map(len, codes)):
        raise DataFormatError(f"{path} has no rows")
    found = list(names)
    time, arrays = fill_grid(
        found,
        np.concatenate(codes),
        np.concatenate(stamps).astype("M8[us]").astype(np.int64),
        [np.concatenate(loads), np.concatenate(pvs)],
    )
    _check_values(path, found, time, arrays, allow_gaps)
    traces = Traces(arrays[0], arrays[1], time, measured_homes(found, arrays[1]), zones.pop())
    homes_file = (path if path.is_dir() else path.parent) / "homes.csv"
    if not homes_file.exists():
        return traces
    homes = read_homes(homes_file)
    return traces.with_homes(homes if path.is_dir() else homes[homes.index.isin(found)])


def _read_shard(shard: Path) -> pa.Table:
    try:
        require_columns(pq.read_schema(shard).names, COLUMNS, str(shard))
        table = pq.read_table(shard, columns=COLUMNS, read_dictionary=["home"], partitioning=None)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataFormatError(f"{shard} is not a readable Parquet file, or is cut off: {error}") from error
    stamp_type = table.schema.field("time").type
    if not pa.types.is_timestamp(stamp_type) or stamp_type.tz is None:
        raise DataFormatError(f"{shard}: column time is {stamp_type}; it must be a timestamp with zone UTC")
    for name in ("home", "time"):
        if table[name].null_count:
            raise DataFormatError(f"{shard}: column {name} has {table[name].null_count} empty rows")
    columns: list[pa.ChunkedArray] = []
    for name in COLUMNS:
        column = table[name]
        if name == "home":
            column = column.cast(pa.dictionary(pa.int32(), pa.string())).unify_dictionaries()
        elif name != "time":
            if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
                raise DataFormatError(f"{shard}: column {name} is {column.type}; it must be numbers in kW")
            column = column.cast(pa.float32() if pa.types.is_float32(column.type) else pa.float64())
        columns.append(column)
    return pa.Table.from_arrays(columns, names=COLUMNS, metadata=table.schema.metadata)


def _check_values(
    path: Path, names: list[str], time: pd.DatetimeIndex, arrays: list[Floats], allow_gaps: bool
) -> None:
    for name, array in zip(("load_kw", "pv_kw"), arrays, strict=True):
        for word, bad in (("infinite", np.isinf(array)), ("missing or NaN", np.isnan(array))):
            if not bad.any() or (allow_gaps and word != "infinite"):
                continue
            home, step = np.unravel_index(int(np.argmax(bad)), bad.shape)
            raise DataFormatError(
                f"{path}: {int(bad.sum())} values of {name} are {word}, first for home {names[home]!r} at "
                f"{time[step]}; fill or cut them, or read with allow_gaps=True where gaps do no harm"
            )
