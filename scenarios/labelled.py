"""A `ScenarioSet` as an xarray dataset ``(scenario, home, time)`` and back; neither side is read for it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import xarray
from xarray.backends import BackendArray
from xarray.core import indexing

from hidiff.errors import DataFormatError

from .scenario_set import KNOWN, Channel, Rows, ScenarioSet, Values

DIMENSIONS = ("scenario", "home", "time")


def to_xarray(scenario_set: ScenarioSet) -> xarray.Dataset:
    """Dataset of the channels, unread; tables as coordinates, the rest as attributes. Time is UTC, without zone."""
    data = {}
    for name, channel in scenario_set.channels.items():
        dims = DIMENSIONS if channel.has_homes else DIMENSIONS[::2]
        lazy = indexing.LazilyIndexedArray(_LazyChannel(scenario_set, channel))
        data[name] = (dims, lazy, {"units": channel.unit, "kind": channel.kind})
    coords: dict[str, Any] = {
        "scenario": scenario_set.names,
        "home": scenario_set.home_names,
        "time": scenario_set.time.tz_localize(None),
    }
    for dim, table in (("scenario", scenario_set.scenarios), ("home", scenario_set.homes)):
        for column, values in table.items():
            key = (
                f"home_{column}"
                if dim == "home" and column in scenario_set.scenarios.columns
                else str(column)
            )
            coords[key] = (dim, values.to_numpy())
    order = {"scenario": list(scenario_set.scenarios.columns), "home": list(scenario_set.homes.columns)}
    attributes = {
        "time_zone": scenario_set.time_zone,
        "provenance": json.dumps(dict(scenario_set.provenance)),
        "columns": json.dumps(order),  # of the tables: Zarr does not keep the order of coordinates
        "channels": json.dumps(list(scenario_set.channels)),
    }
    return xarray.Dataset(data, coords=coords, attrs=attributes)


def from_xarray(dataset: xarray.Dataset) -> ScenarioSet:
    """The set that a dataset holds: `to_xarray`'s, or any with dimensions scenario, home and time.

    Raises:
        DataFormatError: a dimension or the probabilities are missing, or a variable has other dimensions.
    """
    lacking = [dim for dim in DIMENSIONS if dim not in dataset.dims]
    if lacking or "probability" not in dataset.coords:
        missing = lacking[0] if lacking else "probability"
        raise DataFormatError(
            f"the dataset has no {missing!r}; a scenario set has dimensions {', '.join(DIMENSIONS)} and a coordinate "
            "probability(scenario)"
        )
    tables = {}
    for dim in ("scenario", "home"):
        columns = {
            str(key).removeprefix("home_") if dim == "home" else str(key): values.to_numpy()
            for key, values in dataset.coords.items()
            if values.dims == (dim,) and key != dim
        }
        index = pd.Index([str(name) for name in dataset[dim].to_numpy()], name=dim, dtype=object)
        first = [
            name for name in json.loads(dataset.attrs.get("columns", "{}")).get(dim, []) if name in columns
        ]
        tables[dim] = pd.DataFrame(columns, index=index)[
            [*first, *(name for name in columns if name not in first)]
        ]
    if "pv_capacity_kwp" not in tables["home"].columns:
        tables["home"]["pv_capacity_kwp"] = 0.0
    channels = {}
    names = [str(key) for key in dataset.data_vars]
    known = json.loads(dataset.attrs.get("channels", "[]"))
    for name in sorted(names, key=lambda name: known.index(name) if name in known else len(known)):
        variable = dataset[name]
        has_homes = set(variable.dims) == set(DIMENSIONS)
        if not has_homes and set(variable.dims) != set(DIMENSIONS[::2]):
            raise DataFormatError(
                f"{name} has dimensions {variable.dims}; a channel has scenario, home and time"
            )
        unit, kind, _ = KNOWN.get(name, ("kW", "power", has_homes))
        channels[name] = Channel(
            read=_reader(variable, has_homes), has_homes=has_homes, unit=str(variable.attrs.get("units", unit)),
            kind=variable.attrs.get("kind", kind),
        )  # fmt: skip
    return ScenarioSet(
        scenarios=tables["scenario"], homes=tables["home"], channels=channels,
        time=pd.DatetimeIndex(dataset["time"].to_numpy()).tz_localize("UTC"),
        time_zone=str(dataset.attrs.get("time_zone", "UTC")),
        provenance=json.loads(dataset.attrs.get("provenance", "{}")),
    )  # fmt: skip


def _reader(variable: xarray.DataArray, has_homes: bool) -> Any:
    ordered = variable.transpose(*(DIMENSIONS if has_homes else DIMENSIONS[::2]))

    def read(row: int, rows: Rows) -> Values:
        one = ordered.isel(scenario=row)
        return np.asarray((one.isel(home=rows) if has_homes else one).to_numpy(), dtype=np.float32)

    return read


class _LazyChannel(BackendArray):
    """What xarray asks for values: scenarios and homes by position, and steps."""

    def __init__(self, scenario_set: ScenarioSet, channel: Channel) -> None:
        scenarios, homes, steps = scenario_set.shape
        self.channel = channel
        self.shape = (scenarios, homes, steps) if channel.has_homes else (scenarios, steps)
        self.dtype = np.dtype(np.float32)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Values:
        return np.asarray(
            indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)
        )

    def _read(self, key: tuple[Any, ...]) -> Values:
        """Values at an outer index: each part an integer, a slice, or an array of positions."""
        parts = [np.arange(size)[part] for size, part in zip(self.shape, key, strict=True)]
        rows, steps = np.atleast_1d(parts[0]), parts[-1]
        homes = np.atleast_1d(parts[1]) if self.channel.has_homes else np.empty(0, dtype=np.int64)
        shape = tuple(size for part in parts for size in part.shape)
        found = [self.channel.read(int(row), homes)[..., steps] for row in rows]
        return np.stack(found).reshape(shape) if found else np.empty(shape, dtype=self.dtype)
