import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hidiff.scenarios.store as store
from hidiff.errors import DataFormatError
from hidiff.scenarios import ScenarioSet, open_scenarios, verify_scenarios

from .conftest import assert_same, make_set


@pytest.mark.parametrize("per_file", [10, 200, 8_000_000])
def test_a_saved_set_comes_back_bit_by_bit(
    scenario_set: ScenarioSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, per_file: int
) -> None:
    monkeypatch.setattr(store, "ROWS_PER_FILE", per_file)
    monkeypatch.setattr(store, "ROWS_PER_GROUP", 200)
    assert scenario_set.save(tmp_path / "set") == tmp_path / "set"
    assert_same(open_scenarios(tmp_path / "set"), scenario_set)
    again = open_scenarios(verify_scenarios(tmp_path / "set"))
    np.testing.assert_array_equal(again.read("pv_kw", 3, [2, 0]), scenario_set["pv_kw"][3, [2, 0]])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 1000))
def test_any_shape_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, scenarios: int, homes: int, seed: int
) -> None:
    made = make_set(scenarios, homes, seed=seed)
    assert_same(open_scenarios(made.save(tmp_path_factory.mktemp("set") / "s")), made)


def test_two_savings_of_one_set_are_the_same_bytes(scenario_set: ScenarioSet, tmp_path: Path) -> None:
    one, two = (scenario_set.save(tmp_path / name) for name in "ab")
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_the_files_are_long_tables_that_anyone_reads(scenario_set: ScenarioSet, tmp_path: Path) -> None:
    folder = scenario_set.save(tmp_path / "set")
    table = pd.read_parquet(folder / "homes-00000.parquet")
    assert list(table.columns) == ["scenario", "home", "time", "load_kw", "pv_kw", "ev_need_kwh"]
    row = table[(table["scenario"] == "s2") & (table["home"] == "h1")].iloc[7]
    assert row["load_kw"] == scenario_set["load_kw"][2, 1, 7] and row["time"] == scenario_set.time[7]
    shared = pd.read_parquet(folder / "shared-00000.parquet")
    assert list(shared.columns) == ["scenario", "time", "import_price_per_kwh"] and len(shared) == 4 * 96


def test_a_flipped_bit_is_named(scenario_set: ScenarioSet, tmp_path: Path) -> None:
    folder = scenario_set.save(tmp_path / "set")
    path = folder / "homes-00000.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataFormatError, match=r"homes-00000\.parquet was changed"):
        verify_scenarios(folder)


def test_what_is_no_set_is_refused(scenario_set: ScenarioSet, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"holds no scenarios\.json"):
        open_scenarios(tmp_path)
    folder = scenario_set.save(tmp_path / "set")
    (folder / "homes.csv").unlink()
    with pytest.raises(DataFormatError, match=r"lists homes\.csv, which is not there"):
        open_scenarios(folder)
    described = json.loads((folder / "scenarios.json").read_text())
    (folder / "scenarios.json").write_text(json.dumps(described | {"format": 9}))
    with pytest.raises(DataFormatError, match=r"format 9.*update hidiff"):
        open_scenarios(folder)


def test_nothing_is_overwritten_or_left_half_written(scenario_set: ScenarioSet, tmp_path: Path) -> None:
    scenario_set.save(tmp_path / "set")
    with pytest.raises(ValueError, match="not empty"):
        scenario_set.save(tmp_path / "set")
    hole = scenario_set["load_kw"].copy()
    hole[2, 1, 5] = np.nan
    broken = ScenarioSet.from_arrays({"load_kw": hole}, time=scenario_set.time, homes=scenario_set.home_names)
    with pytest.raises(ValueError, match=r"load_kw of scenario 's2' holds 1 values that are NaN"):
        broken.save(tmp_path / "set", force=True)
    assert_same(open_scenarios(tmp_path / "set"), scenario_set)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_home_called_na_keeps_its_name(scenario_set: ScenarioSet, tmp_path: Path) -> None:
    homes = pd.DataFrame(
        {"pv_capacity_kwp": [1.0, np.nan], "archetype": ["", "NA"], "has_ev": [True, False]},
        index=pd.Index(["NA", "007"], name="home", dtype=object),
    )
    made = ScenarioSet.from_arrays(
        {"load_kw": scenario_set["load_kw"][:, :2]}, time=scenario_set.time, homes=homes
    )
    assert_same(open_scenarios(made.save(tmp_path / "s")), made)
