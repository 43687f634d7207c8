from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray

from hidiff.adapters.netcdf_store import write_netcdf
from hidiff.adapters.zarr_store import write_scenarios_zarr
from hidiff.scenarios import ScenarioSet, scenario_table


def make_set() -> ScenarioSet:
    rng = np.random.default_rng(3)
    time = pd.date_range("2030-03-30", periods=96, freq="30min", tz="Australia/Sydney")
    homes = pd.DataFrame(
        {"pv_capacity_kwp": [0.0, 5.5], "archetype": ["families", "couples"], "has_ev": [True, False]},
        index=pd.Index(["h0", "NA"], name="home", dtype=object),
    )
    return ScenarioSet.from_arrays(
        {"load_kw": rng.random((3, 2, 96)), "import_price_per_kwh": rng.normal(size=(3, 96))},
        time=time, homes=homes, scenarios=scenario_table(3, [0.1, 0.2, 0.7]).assign(weather=["a", "b", "c"]),
        provenance={"seed": 3, "study": {"count": 3}},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("write", "read"), [(write_netcdf, xarray.open_dataset), (write_scenarios_zarr, xarray.open_zarr)]
)
def test_xarray_reads_back_the_set_bit_by_bit(
    write: Callable[..., Path], read: Callable[..., xarray.Dataset], tmp_path: Path
) -> None:
    made = make_set()
    out = write(made, tmp_path / "set.x")
    with read(out) as dataset:
        again = ScenarioSet.from_xarray(dataset)
        pd.testing.assert_frame_equal(again.homes, made.homes, check_exact=True)
        pd.testing.assert_frame_equal(again.scenarios, made.scenarios, check_exact=True)
        assert again.time.equals(made.time) and again.time_zone == made.time_zone
        assert dict(again.provenance) == dict(made.provenance)
        for name, channel in made.channels.items():
            assert (again.channels[name].unit, again.channels[name].kind) == (channel.unit, channel.kind)
            np.testing.assert_array_equal(again[name], made[name])


@pytest.mark.parametrize("write", [write_netcdf, write_scenarios_zarr])
def test_what_is_there_is_replaced_only_when_asked(write: Callable[..., Path], tmp_path: Path) -> None:
    out = write(make_set(), tmp_path / "set.x")
    with pytest.raises(ValueError, match="--force"):
        write(make_set(), out)
    assert write(make_set(), out, force=True) == out
    assert [path.name for path in tmp_path.iterdir()] == ["set.x"]
