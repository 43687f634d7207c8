"""``hidiff verify``: whether a set on disk is whole, unchanged, and consistent in itself."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hidiff.checkpoint import file_hash
from hidiff.data.parquet import (
    HOMES,
    MANIFEST,
    SCHEMA,
    UNFINISHED,
    WORK,
    ZONE_KEY,
    finished_shards,
    homes_text,
    read_homes,
    shard_name,
)
from hidiff.errors import DataFormatError, HidiffError
from hidiff.generate_folder import Record, fault_of, read_json, read_record, state_of
from hidiff.generate_plan import ShardPlan
from hidiff.generate_progress import progress_bar


def verify(folder: Path) -> Path:
    """Print a line for each fault of a set that `hidiff generate` wrote.

    Raises:
        ValueError: no such set there.
        HidiffError: it has faults.
    """
    if state_of(folder) not in ("finished", "unfinished"):
        raise ValueError(f"{folder} has no {MANIFEST}; give a folder that hidiff generate wrote")
    count = 0
    for line in faults(folder):
        print(line, flush=True)
        count += 1
    if count:
        raise HidiffError(
            f"{folder} has {count} fault{'s' if count > 1 else ''}; the same hidiff generate command with --resume "
            "makes again what is damaged"
        )
    return folder


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with a finished or unfinished set: ``file: what``, one at a time."""
    is_finished = state_of(folder) == "finished"
    path = folder / (MANIFEST if is_finished else UNFINISHED)
    try:
        document = read_json(path)
        plan, records = _plan(document), _records(folder, document, is_finished=is_finished)
        total_bytes = sum(record["bytes"] for record in records.values())
    except DataFormatError as error:
        yield str(error)
        return
    except (KeyError, TypeError) as error:
        yield f"{path}: has no {error}; an earlier version of hidiff wrote it, or it was changed"
        return
    if len(records) != plan.shard_count:
        yield f"{path}: {len(records)} of {plan.shard_count} shards are finished"
    homes = None
    if is_finished:
        homes, lines = _homes(folder, document)
        yield from lines
    yield from _strange(folder, records, is_finished=is_finished)
    with progress_bar(total_bytes, "B", "verifying") as bar:
        for shard, record in records.items():
            shard_path = folder / record["file"]
            fault = fault_of(folder, record)
            found = [fault] if fault else _shard_faults(shard_path, record, shard, plan, document, homes)
            yield from (f"{shard_path}: {line}" for line in found)
            bar.update(record["bytes"])


def _plan(document: dict[str, Any]) -> ShardPlan:
    return ShardPlan(
        homes=document["homes"],
        years=document["config"]["years"],
        homes_per_shard=document["homes_per_shard"],
    )


def _records(folder: Path, document: dict[str, Any], *, is_finished: bool) -> dict[int, Record]:
    if is_finished:
        return dict(enumerate(document["shards"]))
    found = {shard: read_record(folder, shard) for shard in finished_shards(folder)}
    return {shard: record for shard, record in found.items() if record is not None}


def _homes(folder: Path, document: dict[str, Any]) -> tuple[list[str] | None, list[str]]:
    """Names in the table of homes, in order, and what is wrong with it; no names where it cannot be trusted."""
    path = folder / HOMES
    if not path.is_file():
        return None, [f"{path}: is missing"]
    is_changed = file_hash(path) != document["homes_sha256"]
    lines = [f"{path}: is not what was written (another sha256)"] if is_changed else []
    try:
        names = list(read_homes(path).index)
    except DataFormatError as error:
        return None, [*lines, str(error)]
    if len(names) != document["homes"]:
        lines.append(f"{path}: has {len(names)} homes, not {document['homes']}")
    return None if is_changed else names, lines


def _strange(folder: Path, records: dict[int, Record], *, is_finished: bool) -> Iterator[str]:
    known = {record["file"] for record in records.values()}
    known |= {MANIFEST, HOMES} if is_finished else {UNFINISHED, WORK}
    for path in sorted(folder.iterdir()):
        if path.name in known:
            continue
        if is_finished and path.name in (UNFINISHED, WORK):
            yield f"{path}: left by a run that was killed at its very end; --resume removes it"
        elif is_finished or not path.name.startswith(
            ("traces-", ".traces-")
        ):  # a shard that is being written
            yield f"{path}: is no part of the set"


def _shard_faults(
    path: Path,
    record: Record,
    shard: int,
    plan: ShardPlan,
    document: dict[str, Any],
    homes: list[str] | None,
) -> Iterator[str]:
    """What is wrong inside of a shard whose bytes are those that were written."""
    try:
        file = pq.ParquetFile(path)
        own = list(pd.read_csv(io.StringIO(homes_text(path)), dtype={"home": str}, index_col="home").index)
    except (pa.ArrowInvalid, OSError, DataFormatError, ValueError) as error:
        yield f"cannot be read: {error}"
        return
    meta, expected = file.metadata, plan.homes_of(shard)
    if path.name != shard_name(shard):
        yield f"stands in the place of {shard_name(shard)}"
    if not file.schema_arrow.equals(SCHEMA, check_metadata=False):
        yield f"has the columns {', '.join(file.schema_arrow.names)} in types that are not those of a set"
    zone = (file.schema_arrow.metadata or {}).get(ZONE_KEY, b"").decode()
    if zone != document["config"]["time_zone"]:
        yield f"has time zone {zone!r}, not {document['config']['time_zone']!r}"
    rows = len(expected) * document["steps_per_home"]
    if not meta.num_rows == record["rows"] == rows:
        yield f"has {meta.num_rows} rows, not the {record['rows']} of the manifest and {rows} of the plan"
    if meta.num_row_groups != len(expected) * plan.years:
        yield f"has {meta.num_row_groups} row groups, not one a home-year, {len(expected) * plan.years}"
    if len(own) != len(expected):
        yield f"has {len(own)} homes, not {len(expected)}"
    if homes is not None and own != [homes[place] for place in expected if place < len(homes)]:
        yield f"has other homes than {HOMES}"
    column = SCHEMA.names.index("home")
    statistics = [meta.row_group(group).column(column).statistics for group in range(meta.num_row_groups)]
    groups = {str(values.min) if values and values.min == values.max else "?" for values in statistics}
    if groups != set(own):
        yield f"has rows of other homes than it says, such as {min(groups ^ set(own))!r}"
