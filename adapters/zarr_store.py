"""A set as a Zarr group, for xarray: ``xarray.open_zarr(out)`` gives what `to_xarray` gives."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

from hidiff.data.stored import CHANNELS, StoredTraces
from hidiff.output import check_out, folder_when_done
from hidiff.scenarios import ScenarioSet

from .export_tables import read_channel
from .require import require

HOMES_PER_SHARD = 64
"""Homes of one Zarr file, which are in memory at a time."""
STEPS_PER_CHUNK = 17_520
"""Steps that are compressed, and later read, together: a year of half-hours of one home."""


def write_zarr(stored: StoredTraces, out: Path | str, *, force: bool = False) -> Path:
    """Write the homes one shard after the other; the folder appears when it is complete.

    Chunks are one home by a year, shards (files) 64 homes by the whole span.

    Args:
        force: an earlier Zarr group of the same variables may be replaced.

    Raises:
        DependencyMissing: zarr is not installed.
        ValueError: ``out`` is there, and is not to be replaced or is something else.
    """
    zarr = require("zarr", "zarr")
    tqdm = require("tqdm").tqdm
    out = Path(out)
    dataset = stored.to_xarray()
    # As objects, names become Zarr's string type; of fixed width, they would have a type without a standard.
    dataset = dataset.assign_coords(home=dataset["home"].astype(object))
    check_out(out, ("zarr.json", *map(str, dataset.variables)), force=force)
    chunk_steps = min(STEPS_PER_CHUNK, len(stored.time))
    chunks_per_home = -(-len(stored.time) // chunk_steps)
    with folder_when_done(out) as folder:
        dataset.drop_vars(CHANNELS).to_zarr(folder, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(folder, mode="r+")
        channels = [
            group.create_array(
                name,
                shape=dataset[name].shape,
                dtype="float32",
                chunks=(1, chunk_steps),
                shards=(min(HOMES_PER_SHARD, len(stored)), chunks_per_home * chunk_steps),
                fill_value=float("nan"),
                dimension_names=dataset[name].dims,
                attributes=dict(dataset[name].attrs),
            )
            for name in CHANNELS
        ]
        first = 0
        with tqdm(total=len(stored), unit="home", disable=not sys.stderr.isatty()) as bar:
            for traces in stored.batches(homes=HOMES_PER_SHARD):
                end = first + len(traces)
                for name, channel in zip(CHANNELS, channels, strict=True):
                    channel[first:end] = getattr(traces, name)
                bar.update(end - first)
                first = end
        _consolidate(zarr, folder)
    return out


def write_scenarios_zarr(
    scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False
) -> Path:
    """Write a scenario set, a scenario at a time; ``ScenarioSet.from_xarray(xarray.open_zarr(out))`` is the set.

    Chunks are a scenario and home by a year, shards (files) a scenario of 64 homes by the whole span.

    Args:
        force: an earlier Zarr group of the same variables may be replaced.

    Raises:
        DependencyMissing: zarr is not installed.
        ValueError: ``out`` is there, and is not to be replaced or is something else.
    """
    zarr = require("zarr", "zarr")
    tqdm = require("tqdm").tqdm
    out = Path(out)
    dataset = scenario_set.to_xarray()
    texts = [name for name in dataset.coords if dataset[name].dtype.kind == "U"]
    dataset = dataset.assign_coords({name: dataset[name].astype(object) for name in texts})
    check_out(out, ("zarr.json", *map(str, dataset.variables)), force=force)
    chunk_steps = min(STEPS_PER_CHUNK, len(scenario_set.time))
    span = -(-len(scenario_set.time) // chunk_steps) * chunk_steps
    homes = min(HOMES_PER_SHARD, len(scenario_set.homes))
    names = list(scenario_set.channels)
    with folder_when_done(out) as folder:
        dataset.drop_vars(names).to_zarr(folder, mode="w", zarr_format=3, consolidated=False)
        group = zarr.open_group(folder, mode="r+")
        for name in names:
            has_homes = scenario_set.channels[name].has_homes
            group.create_array(
                name,
                shape=dataset[name].shape,
                dtype="float32",
                chunks=(1, 1, chunk_steps) if has_homes else (1, chunk_steps),
                shards=(1, homes, span) if has_homes else (1, span),
                fill_value=float("nan"),
                dimension_names=dataset[name].dims,
                attributes=dict(dataset[name].attrs),
            )
        with tqdm(
            total=len(scenario_set), unit="scenario", disable=not (progress and sys.stderr.isatty())
        ) as bar:
            for row in range(len(scenario_set)):
                for name in names:
                    group[name][row] = read_channel(scenario_set, name, row)
                bar.update()
        _consolidate(zarr, folder)
    return out


def _consolidate(zarr: Any, folder: Path) -> None:
    """All metadata in one file, which xarray looks for first."""
    with warnings.catch_warnings():
        # It is not yet in the standard: readers that do not know it use the metadata beside each array.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(folder)
