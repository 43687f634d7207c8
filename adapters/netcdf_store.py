"""A scenario set as one NetCDF 4 file, for xarray: ``ScenarioSet.from_xarray(xarray.open_dataset(out))`` is the set."""

from __future__ import annotations

import sys
from pathlib import Path

from hidiff.output import replace_when_done
from hidiff.scenarios import ScenarioSet

from .export_tables import read_channel
from .require import require


def write_netcdf(
    scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False
) -> Path:
    """Write a set, a scenario at a time: dimensions scenario, home and time, float32, compressed.

    Time is the start of each step in UTC, without zone; powers are means over the step [kW]; units are attributes.

    Args:
        force: a file that is there may be replaced.

    Raises:
        DependencyMissing: netCDF4 is not installed.
        ValueError: ``out`` is a folder, or is there and is not to be replaced.
    """
    netcdf = require("netCDF4", "netcdf")
    tqdm = require("tqdm").tqdm
    out = Path(out)
    if out.is_dir() or (out.exists() and not force):
        what = (
            "is a folder; name a file in it"
            if out.is_dir()
            else "exists; choose another name or give --force"
        )
        raise ValueError(f"--out {out} {what}")
    dataset = scenario_set.to_xarray()
    channels = list(scenario_set.channels)
    with replace_when_done(out) as temporary:
        dataset.drop_vars(channels).to_netcdf(temporary, engine="netcdf4")
        with netcdf.Dataset(temporary, "a") as file:
            for name in channels:
                shape = dataset[name].shape
                variable = file.createVariable(
                    name, "f4", dataset[name].dims, zlib=True, complevel=4, fill_value=False,
                    chunksizes=(*([1] * (len(shape) - 1)), shape[-1]),
                )  # fmt: skip
                variable.setncatts(dataset[name].attrs)
            with tqdm(
                total=len(scenario_set), unit="scenario", disable=not (progress and sys.stderr.isatty())
            ) as bar:
                for row in range(len(scenario_set)):
                    for name in channels:
                        file[name][row] = read_channel(scenario_set, name, row)
                    bar.update()
    return out
