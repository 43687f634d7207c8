"""The tables of a described set, read a scenario at a time."""

import tracemalloc
import weakref

import numpy as np
import pandas as pd
import pytest

from hidiff.errors import DataFormatError
from hidiff.scenarios import Channel, ScenarioSet, scenario_table
from hidiff.scenarios.describe import describe, describe_dir
from hidiff.scenarios.scenario_set import Rows, Values

from .conftest import make_set


def small_set() -> ScenarioSet:
    """Two scenarios of two homes, four steps of half an hour, that can be added up by hand."""
    load_kw = np.array([[[1, 2, 3, 4], [0, 0, 2, 0]], [[1, 1, 1, 1], [3, 1, 1, 1]]], dtype=float)
    pv_kw = np.array([[[0, 0, 0, 8], [0, 0, 0, 0]], [[0, 0, 0, 0], [0, 2, 0, 0]]], dtype=float)
    return ScenarioSet.from_arrays(
        {"load_kw": load_kw, "pv_kw": pv_kw, "import_price_per_kwh": [[1, 2, 3, 4], [1, 1, 1, 1]]},
        time=pd.date_range("2030-07-01", periods=4, freq="30min", tz="Australia/Sydney"),
        homes=["a", "b"],
        probability=[0.25, 0.75],
        units={"import_price_per_kwh": "AUD/kWh"},
    )


def test_energies_and_peaks_of_scenarios_are_those_added_up_by_hand() -> None:
    table = describe(small_set()).scenarios
    assert table["load_kwh"].tolist() == [6, 5]
    assert table["pv_kwh"].tolist() == [4, 1]
    assert table["net_kwh"].tolist() == [2, 4]
    assert table["net_peak_kw"].tolist() == [5, 4]
    assert table["net_peak_at"].tolist() == ["2030-07-01 01:00", "2030-07-01 00:00"]
    assert table["net_least_kw"].tolist() == [-4, 0]
    assert table["import_price_per_kwh_mean"].tolist() == [2.5, 1]
    assert table["probability"] @ table["distance_to_mean"] ** 2 == pytest.approx(1)


def test_quantiles_of_homes_are_weighted_by_probability() -> None:
    table = describe(small_set()).homes
    assert table.loc["a", ["load_kwh_p05", "load_kwh_p50", "load_kwh_p95"]].tolist() == [2, 2, 5]
    assert table.loc["b", ["net_peak_kw_p05", "net_peak_kw_p50", "net_peak_kw_p95"]].tolist() == [2, 3, 3]


def test_a_channel_has_its_mean_its_bounds_and_its_energy() -> None:
    table = describe(small_set()).channels
    assert table.loc["load_kw", ["mean", "least", "greatest"]].tolist() == [
        0.25 * 1.5 + 0.75 * 1.25, 0, 4,
    ]  # fmt: skip
    assert table.loc["load_kw", "all_homes_kwh_p50"] == 5
    assert table.loc["import_price_per_kwh", "unit"] == "AUD/kWh"
    assert table.loc["import_price_per_kwh", "mean"] == 0.25 * 2.5 + 0.75
    assert np.isnan(table.loc["import_price_per_kwh", "all_homes_kwh_p50"])


def test_the_aggregate_is_that_of_the_set_itself(scenario_set: ScenarioSet) -> None:
    found = describe(scenario_set)
    together = scenario_set.aggregate()
    assert np.allclose(found.aggregate["load_kw"], together["load_kw"][:, 0], atol=1e-5)
    net_kw = together["load_kw"][:, 0] - together["pv_kw"][:, 0]
    assert np.allclose(found.aggregate["net_kw"], net_kw, atol=1e-5)
    assert np.allclose(found.scenarios["ev_need_kwh"], scenario_set["ev_need_kwh"].sum(axis=(1, 2)))
    assert found.scenarios["year"].tolist() == [2000, 2001, 2002, 2003]  # labels are kept


def test_cars_and_heat_pumps_are_part_of_the_net_load() -> None:
    one = np.ones((2, 1, 48))
    made = ScenarioSet.from_arrays(
        {"load_kw": one, "pv_kw": 5 * one, "ev_kw": 2 * one, "heat_kw": 3 * one},
        time=pd.date_range("2030-07-01", periods=48, freq="30min", tz="UTC"), homes=["a"],
    )  # fmt: skip
    assert describe(made).scenarios["net_peak_kw"].tolist() == [1, 1]


def test_a_net_load_that_is_given_is_taken_as_it_is() -> None:
    made = make_set()
    given = made.with_channels({"net_kw": made.channels["load_kw"]})
    found = describe(given)
    assert np.array_equal(found.aggregate["net_kw"], found.aggregate["load_kw"])
    alone = describe(given.select(channels=["net_kw"])).scenarios["distance_to_mean"]
    assert (
        alone.tolist() == describe(made.select(channels=["load_kw"])).scenarios["distance_to_mean"].tolist()
    )


def test_a_set_of_load_alone_has_no_net_load() -> None:
    found = describe(make_set().select(channels=["load_kw"]))
    assert "net_kw" not in found.aggregate
    assert "load_peak_kw" in found.scenarios


def test_the_coldest_and_hottest_days_are_local_days() -> None:
    time = pd.date_range("2030-07-01", periods=72, freq="1h", tz="Australia/Sydney")
    degrees = np.repeat([[12.0, 5.0, 9.0], [8.0, 8.5, 20.0]], 24, axis=1)
    made = ScenarioSet.from_arrays(
        {"load_kw": np.ones((2, 1, 72)), "temperature_c": degrees}, time=time, homes=["a"]
    )
    table = describe(made).scenarios
    assert table["coldest_day"].tolist() == ["2030-07-02", "2030-07-01"]
    assert table["hottest_day_c"].tolist() == [12, 20]


def test_homes_read_in_blocks_give_the_same_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_set(homes=5)
    whole = describe(made)
    monkeypatch.setattr("hidiff.scenarios.describe_read.VALUES_PER_BLOCK", 2 * len(made.time))
    parts = describe(made)
    pd.testing.assert_frame_equal(whole.homes, parts.homes)
    pd.testing.assert_frame_equal(whole.scenarios, parts.scenarios, rtol=1e-6)


def test_one_scenario_is_in_memory_at_a_time() -> None:
    scenarios, homes, steps = 40, 50, 2_000
    given: list[weakref.ref[np.ndarray]] = []
    most = 0

    def read(row: int, rows: Rows) -> Values:
        nonlocal most
        values = np.random.default_rng(row).random((len(rows), steps), dtype=np.float32)
        given.append(weakref.ref(values))
        most = max(most, sum(reference() is not None for reference in given))
        return values

    made = ScenarioSet(
        scenarios=scenario_table(scenarios),
        homes=pd.DataFrame(
            {"pv_capacity_kwp": np.ones(homes)},
            index=pd.Index([f"h{home}" for home in range(homes)], name="home", dtype=object),
        ),
        time=pd.date_range("2030-01-01", periods=steps, freq="30min", tz="UTC"),
        channels={"load_kw": Channel(read=read), "pv_kw": Channel(read=read)},
    )
    tracemalloc.start()
    describe(made)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most == 1
    aggregate, one_scenario = 3 * 4 * scenarios * steps, 4 * homes * steps
    # A channel and the net load of one scenario, and copies of an aggregate in double while features are made.
    assert peak < 5 * aggregate + 4 * one_scenario < made.nbytes / 3


def test_text_holds_every_table_and_no_more_than_twenty_rows_of_one() -> None:
    text = describe(make_set(scenarios=30)).to_text()
    assert text.startswith("30 scenarios (as many as ")
    assert "net_kw" in text
    assert "… 10 more" in text
    assert "s19" in text
    assert "s20" not in text


def test_text_of_prices_alone_has_no_homes() -> None:
    text = describe(make_set().select(channels=["import_price_per_kwh"])).to_text()
    assert "import_price_per_kwh_mean" in text
    assert "Homes," not in text
    assert "Empty" not in text


def test_a_gap_is_refused_with_its_scenario() -> None:
    load_kw = np.ones((2, 1, 48))
    load_kw[1, 0, 3] = np.nan
    made = ScenarioSet.from_arrays(
        {"load_kw": load_kw},
        time=pd.date_range("2030-01-01", periods=48, freq="30min", tz="UTC"),
        homes=["a"],
    )
    with pytest.raises(ValueError, match=r"load_kw of scenario 's1' holds values that are NaN.*select\(\)"):
        describe(made)


def test_events_alone_are_refused() -> None:
    with pytest.raises(ValueError, match=r"holds ev_need_kwh alone.*load_kw"):
        describe(make_set().select(channels=["ev_need_kwh"]))


def test_a_folder_without_a_set_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataFormatError, match=r"holds no scenarios\.json"):
        describe_dir(tmp_path)
    assert not list(tmp_path.iterdir())
