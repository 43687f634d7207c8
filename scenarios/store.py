"""A `ScenarioSet` on disk: Parquet for the channels, CSV for the tables, JSON for what vouches for them.

::

    scenarios.json           format, clock, channels, provenance, sha256 of every other file; written last
    scenarios.csv            scenario, probability, labels
    homes.csv                home, pv_capacity_kwp, what else is known
    homes-00000.parquet      scenario, home, time, channels of the homes; sorted; several scenarios a file
    shared-00000.parquet     scenario, time, channels that homes share (weather, prices), if there are any

A row group is a scenario and as many homes as make about a year of half-hours, so that one scenario of a home is
read without the others. The folder appears when it is whole.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from tqdm import tqdm

from hidiff.checkpoint import file_hash
from hidiff.errors import DataFormatError
from hidiff.output import check_out, folder_when_done, replace_when_done

from .scenario_set import Channel, Rows, ScenarioSet, Values

FORMAT = 1
DESCRIPTION, SCENARIOS, HOMES = "scenarios.json", "scenarios.csv", "homes.csv"
ROWS_PER_GROUP = 17_568
"""A year of half-hours: what is compressed, and later read, together."""
ROWS_PER_FILE = 8_000_000
"""About 64 MB with two channels."""
CONTENT = (
    DESCRIPTION,
    SCENARIOS,
    HOMES,
    "homes-*.parquet",
    "shared-*.parquet",
    "study.yaml",
    "report.html",
    ".*.tmp",
)
"""Names of the files of a saved set, of what the builder and `describe` put beside it included."""


def save(
    scenario_set: ScenarioSet, folder: Path | str, *, force: bool = False, progress: bool = False,
    texts: Mapping[str, str] | None = None,
) -> Path:  # fmt: skip
    """Write a set; one row group is in memory at a time. The same set gives the same bytes.

    Args:
        force: an earlier set there may be replaced.
        texts: files to write beside it, by name, such as the study that asked for it.

    Raises:
        ValueError: ``folder`` is there, and is not to be replaced or is something else.
    """
    out = Path(folder)
    check_out(out, CONTENT, force=force)
    with folder_when_done(out) as new:
        _table_to_csv(scenario_set.scenarios, new / SCENARIOS)
        _table_to_csv(scenario_set.homes, new / HOMES)
        for name, text in (texts or {}).items():
            (new / name).write_text(text, encoding="utf-8")
        for has_homes in (True, False):
            _write_channels(scenario_set, new, has_homes, progress)
        description = {
            "format": FORMAT,
            "time_zone": scenario_set.time_zone,
            "start": scenario_set.time[0].isoformat(),
            "steps": len(scenario_set.time),
            "step_minutes": scenario_set.dt_h * 60,
            "channels": {
                name: {"unit": part.unit, "kind": part.kind, "has_homes": part.has_homes}
                for name, part in scenario_set.channels.items()
            },
            "provenance": dict(scenario_set.provenance),
            "sha256": {path.name: file_hash(path) for path in sorted(new.iterdir())},
        }
        text = json.dumps(description, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        with replace_when_done(new / DESCRIPTION) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return out


def open_scenarios(folder: Path | str) -> ScenarioSet:
    """The set that `save` wrote, its channels unread.

    Raises:
        DataFormatError: not a saved set, one of a later format, or a file that is missing or cut off.
    """
    folder = Path(folder)
    path = folder / DESCRIPTION
    if not path.is_file():
        raise DataFormatError(
            f"{folder} holds no {DESCRIPTION}; give a folder that 'hidiff scenarios build' wrote"
        )
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        if described["format"] != FORMAT:
            raise DataFormatError(
                f"{path} has format {described['format']}, this version reads {FORMAT}; update hidiff"
            )
        step = pd.Timedelta(minutes=described["step_minutes"])
        time = pd.date_range(described["start"], periods=described["steps"], freq=step, name="time")
        files = {name: folder / name for name in described["sha256"]}
        asked: Mapping[str, Mapping[str, Any]] = described["channels"]
        zone, provenance = str(described["time_zone"]), dict(described["provenance"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataFormatError(f"{path} does not describe a scenario set: {error!r}") from error
    lost = sorted(name for name, file in files.items() if not file.is_file())
    if lost:
        raise DataFormatError(f"{path} lists {lost[0]}, which is not there; copy or build the set again")
    scenarios, homes = (_table_from_csv(folder / name) for name in (SCENARIOS, HOMES))
    shape = (len(scenarios), len(homes), len(time))
    channels = {
        name: Channel(
            read=_reader(folder, name, shape, bool(part["has_homes"])), unit=part["unit"], kind=part["kind"],
            has_homes=bool(part["has_homes"]),
        )
        for name, part in asked.items()
    }  # fmt: skip
    return ScenarioSet(
        scenarios=scenarios, homes=homes, time=time, channels=channels, time_zone=zone, provenance=provenance
    )


def verify_scenarios(folder: Path | str) -> Path:
    """Check every file of a saved set against its sha256.

    Raises:
        DataFormatError: naming the first file that was changed.
    """
    folder = Path(folder)
    open_scenarios(folder)
    described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    for name, expected in described["sha256"].items():
        if file_hash(folder / name) != expected:
            raise DataFormatError(f"{folder / name} was changed after it was written; build the set again")
    return folder


def _homes_per_group(homes: int, steps: int) -> int:
    return max(1, min(homes, ROWS_PER_GROUP // steps))


def _scenarios_per_file(homes: int, steps: int) -> int:
    return max(1, ROWS_PER_FILE // (homes * steps))


def _write_channels(scenario_set: ScenarioSet, folder: Path, has_homes: bool, progress: bool) -> None:
    names = [name for name, part in scenario_set.channels.items() if part.has_homes == has_homes]
    if not names:
        return
    scenarios, homes, steps = scenario_set.shape
    homes = homes if has_homes else 1
    per_group, per_file = _homes_per_group(homes, steps), _scenarios_per_file(homes, steps)
    keys = [("scenario", pa.string()), *([("home", pa.string())] if has_homes else [])]
    schema = pa.schema(
        [*keys, ("time", pa.timestamp("us", tz="UTC")), *((name, pa.float32()) for name in names)]
    )
    encoding = {"time": "DELTA_BINARY_PACKED", **dict.fromkeys(names, "BYTE_STREAM_SPLIT")}
    time = pa.array(scenario_set.time.asi8, type=pa.int64()).cast(schema.field("time").type)
    home_names = np.array(scenario_set.home_names, dtype=object)
    stem = "homes" if has_homes else "shared"
    total = -(-homes // per_group) * scenarios
    with tqdm(total=total, unit="part", desc=stem, disable=not (progress and sys.stderr.isatty())) as bar:
        for file, begin in enumerate(range(0, scenarios, per_file)):
            with (
                replace_when_done(folder / f"{stem}-{file:05d}.parquet") as temporary,
                pq.ParquetWriter(
                    temporary, schema, compression="zstd", use_dictionary=["scenario", *(["home"] if has_homes else [])],
                    column_encoding=encoding,
                ) as writer,
            ):  # fmt: skip
                for row in range(begin, min(begin + per_file, scenarios)):
                    for first in range(0, homes, per_group):
                        rows = np.arange(first, min(first + per_group, homes))
                        label = pa.scalar(scenario_set.names[row], pa.string())
                        count = len(rows) * steps
                        columns: list[Any] = [pa.repeat(label, count)]
                        if has_homes:
                            columns.append(pa.array(np.repeat(home_names[rows], steps), pa.string()))
                        columns.append(pa.concat_arrays([time] * len(rows)))
                        columns += [
                            pa.array(_checked(scenario_set, name, row, rows).reshape(-1)) for name in names
                        ]
                        writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=count)
                        bar.update()


def _checked(scenario_set: ScenarioSet, name: str, row: int, rows: Rows) -> Values:
    """Values of a channel that can be stored.

    Raises:
        ValueError: one that is infinite or NaN; scenarios have no gaps.
    """
    values = scenario_set.channels[name].read(row, rows)
    if not np.isfinite(values).all():
        raise ValueError(
            f"{name} of scenario {scenario_set.names[row]!r} holds {int((~np.isfinite(values)).sum())} values that are "
            "NaN or infinite; fill them, or select() them out"
        )
    return values


def _reader(
    folder: Path, name: str, shape: tuple[int, int, int], has_homes: bool
) -> Callable[[int, Rows], Values]:
    _, homes, steps = shape
    homes = homes if has_homes else 1
    per_group, per_file = _homes_per_group(homes, steps), _scenarios_per_file(homes, steps)
    groups = -(-homes // per_group)
    stem = "homes" if has_homes else "shared"

    def read(row: int, rows: Rows) -> Values:
        path = folder / f"{stem}-{row // per_file:05d}.parquet"
        wanted = rows if has_homes else np.zeros(1, dtype=np.int64)
        values = np.empty((len(wanted), steps), dtype=np.float32)
        try:
            state = path.stat()
            footer = _footer(path, state.st_size, state.st_mtime_ns)
            with pq.ParquetFile(path, metadata=footer, pre_buffer=False) as file:
                for group in np.unique(wanted // per_group):
                    mine = np.flatnonzero(wanted // per_group == group)
                    number = (row % per_file) * groups + int(group)
                    column = file.read_row_group(number, columns=[name], use_threads=False)[name].to_numpy()
                    values[mine] = column.reshape(-1, steps)[wanted[mine] % per_group]
        except (pa.ArrowInvalid, OSError, ValueError, IndexError, KeyError) as error:
            raise DataFormatError(
                f"{path} cannot be read, it is damaged: {' '.join(str(error).split())}"
            ) from error
        return values if has_homes else values[0]

    return read


@lru_cache(maxsize=16)
def _footer(path: Path, size: int, modified_ns: int) -> Any:
    """Footer of the file of this size and age: one that was replaced is decoded anew."""
    return pq.read_metadata(path)


def _table_to_csv(table: pd.DataFrame, path: Path) -> None:
    with replace_when_done(path) as temporary:
        table.to_csv(temporary, float_format=lambda value: repr(float(value)))


def _table_from_csv(path: Path) -> pd.DataFrame:
    index = "scenario" if path.name == SCENARIOS else "home"
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return pd.DataFrame(
            {name: _typed(table[name].tolist()) for name in table.columns if name != index}
        ).set_index(pd.Index(table[index].tolist(), name=index, dtype=object))
    except (ValueError, KeyError, UnicodeDecodeError) as error:
        raise DataFormatError(f"{path} cannot be read as a table: {error}") from error


def _typed(cells: list[str]) -> NDArray[Any]:
    """A column as booleans, whole numbers, numbers (empty is NaN) or texts: pandas would round, and take NA for NaN."""
    if all(cell in ("True", "False") for cell in cells):
        return np.array([cell == "True" for cell in cells])
    try:
        if all(str(int(cell)) == cell for cell in cells):
            return np.array([int(cell) for cell in cells], dtype=np.int64)
    except ValueError:
        pass
    try:
        if any(cells) and not any(cell.isalpha() for cell in cells):  # nan and inf are words as well
            return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        pass
    return np.array(cells, dtype=object)
