import inspect
import json

import numpy as np
import pandas as pd
import pytest

from hidiff.adapters.export_tables import write_csv
from hidiff.adapters.exports import FORMATS, write_export

from .export_sets import make_export_set

STORES = {"netcdf", "zarr"}
"""Formats that hold the set itself, see test_scenario_stores."""


@pytest.mark.parametrize("name", sorted(set(FORMATS) - STORES))
def test_every_format_is_written_whole_replaced_on_force_and_says_what_it_is(tmp_path, name):
    scenario_set = make_export_set(days=1)
    out = write_export(name, scenario_set, tmp_path / "out")
    with pytest.raises(ValueError, match="not empty"):
        write_export(name, scenario_set, out)
    fewer = scenario_set.select(scenarios=[0], homes=[0, 1])
    write_export(name, fewer, out, force=True)
    said = json.loads((out / "export.json").read_text())
    assert (said["steps"], said["step_minutes"], said["provenance"]) == (48, 30, {"seed": 5})
    assert pd.read_csv(out / "scenarios.csv")["probability"].tolist() == [1]
    assert not list(out.glob("scenario-s1")) and not list(out.glob("home-h2"))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", FORMATS)
def test_options_of_every_format_have_defaults(name):
    parameters = list(inspect.signature(FORMATS[name].write).parameters.values())
    assert [one.name for one in parameters[:4]] == ["scenario_set", "out", "force", "progress"]
    assert all(one.default is not inspect.Parameter.empty for one in parameters[2:])


@pytest.mark.parametrize("name", FORMATS)
def test_a_missing_value_stops_every_format_and_leaves_nothing(tmp_path, name):
    scenario_set = make_export_set(days=1)
    load_kw = scenario_set["load_kw"]
    load_kw[2, 1, 7] = np.nan
    holed = scenario_set.with_channels(
        make_export_set(days=1, channels=("load_kw",)).from_arrays(
            {"load_kw": load_kw}, time=scenario_set.time, homes=scenario_set.homes, scenarios=scenario_set.scenarios
        ).channels
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"has no value at 2030-01-06T16:30|value is missing"):
        write_export(name, holed, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_names_that_files_cannot_have_are_refused(tmp_path):
    scenario_set = make_export_set(days=1)
    with pytest.raises(ValueError, match=r"home '\.\./h' cannot name a file"):
        write_export("oemof", scenario_set.aggregate("../h"), tmp_path / "out")


def test_generation_without_a_capacity_is_refused(tmp_path):
    scenario_set = make_export_set(days=1).aggregate("h")
    orphan = type(scenario_set)(
        scenarios=scenario_set.scenarios, homes=scenario_set.homes.assign(pv_capacity_kwp=0.0),
        time=scenario_set.time, channels=scenario_set.channels,
    )  # fmt: skip
    with pytest.raises(ValueError, match="with a pv_capacity_kwp of 0"):
        write_export("pypsa", orphan, tmp_path / "out")


def test_an_unknown_format_is_met_with_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'pypsa'"):
        write_export("pypssa", make_export_set(days=1), tmp_path / "out")


def test_csv_keeps_every_bit_of_a_value(tmp_path):
    values = np.random.default_rng(0).gamma(0.5, 1.0, 5000).astype(np.float32)
    write_csv(tmp_path / "v.csv", {"v": values})
    np.testing.assert_array_equal(pd.read_csv(tmp_path / "v.csv")["v"].to_numpy(np.float32), values)
