"""All formats that a scenario set can be written in, by name, behind one signature."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from hidiff.config import suggestion
from hidiff.scenarios import ScenarioSet

from .calliope_files import write_calliope
from .citylearn_files import write_citylearn
from .emhass_csv import write_emhass
from .nem12_file import write_nem12
from .netcdf_store import write_netcdf
from .oemof_csv import write_oemof
from .opendss_shapes import write_opendss
from .pypsa_series import write_pypsa
from .smps import write_smps
from .zarr_store import write_scenarios_zarr


class Write(Protocol):
    """Writes a set to a folder that is free, or with ``force`` holds an earlier export."""

    def __call__(
        self, scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False
    ) -> Path: ...


class Format(NamedTuple):
    """A format to write."""

    write: Write
    """Writes it; the format's own options have their defaults."""
    help: str
    """What it is, in a line."""


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "calliope": Format(write_calliope, "Calliope 0.7 model.yaml and data tables, a model a scenario"),
        "citylearn": Format(write_citylearn, "CityLearn 3 schema.json and CSV, a data set a scenario"),
        "emhass": Format(write_emhass, "EMHASS forecast CSV, a folder a scenario and home, 28 days at most"),
        "nem12": Format(write_nem12, "NEM12 meter data, import and export, a file a scenario"),
        "netcdf": Format(write_netcdf, "one NetCDF 4 file for xarray, read back bit by bit"),
        "oemof": Format(write_oemof, "CSV time series for oemof.solph, a file a scenario"),
        "opendss": Format(write_opendss, "OpenDSS load shapes, loads and generators, a folder a scenario"),
        "pypsa": Format(write_pypsa, "PyPSA network as CSV, a folder a scenario"),
        "smps": Format(
            write_smps, "SMPS files of the day-ahead battery programme, a folder a home, 7 days at most"
        ),
        "zarr": Format(write_scenarios_zarr, "Zarr 3 group for xarray, read back bit by bit"),
    }
)
"""Formats by name."""


def write_export(
    name: str, scenario_set: ScenarioSet, out: Path | str, *, force: bool = False, progress: bool = False
) -> Path:
    """Write a set in the format ``name``.

    Raises:
        ValueError: no such format, or what its writer refuses.
    """
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}{suggestion(name, FORMATS)}")
    return FORMATS[name].write(scenario_set, out, force=force, progress=progress)
