import numpy as np
import pytest
import xarray

from hidiff.errors import DataFormatError
from hidiff.scenarios import Channel, ScenarioSet

from .conftest import assert_same


def test_a_dataset_holds_the_set_and_gives_it_back(scenario_set: ScenarioSet) -> None:
    dataset = scenario_set.to_xarray()
    assert dict(dataset.sizes) == {"scenario": 4, "home": 3, "time": 96}
    assert dataset["load_kw"].attrs["units"] == "kW"
    assert float(dataset["probability"].sum()) == pytest.approx(1, abs=1e-12)
    assert_same(ScenarioSet.from_xarray(dataset), scenario_set)
    assert_same(ScenarioSet.from_xarray(dataset.load().transpose("time", "home", "scenario")), scenario_set)


def test_only_what_is_asked_for_is_read(scenario_set: ScenarioSet) -> None:
    asked = []

    def read(row: int, rows: np.ndarray) -> np.ndarray:
        asked.append((row, rows.tolist()))
        return scenario_set.read("load_kw", row, rows)

    dataset = scenario_set.with_channels({"load_kw": Channel(read=read)}).to_xarray()
    assert asked == []
    found = dataset["load_kw"].sel(scenario="s2", home="h1").isel(time=slice(3, 9, 2)).load()
    assert asked == [(2, [1])]
    np.testing.assert_array_equal(found, scenario_set["load_kw"][2, 1, 3:9:2])


@pytest.mark.parametrize("key", [np.s_[1], np.s_[:, 2], np.s_[..., 5], np.s_[[0, 3], 1:, ::7], np.s_[2:2]])
def test_every_way_of_indexing_gives_the_values_of_the_array(scenario_set: ScenarioSet, key: object) -> None:
    np.testing.assert_array_equal(scenario_set.to_xarray()["load_kw"][key], scenario_set["load_kw"][key])


def test_a_dataset_of_another_kind_is_refused() -> None:
    with pytest.raises(DataFormatError, match="has no 'scenario'"):
        ScenarioSet.from_xarray(xarray.Dataset({"load_kw": (("home", "time"), np.ones((2, 3)))}))
