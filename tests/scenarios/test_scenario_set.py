import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff import Traces
from hidiff.scenarios import ScenarioSet, concat_homes, concat_scenarios, scenario_table

from .conftest import make_set


def test_reading_one_scenario_gives_that_slice_of_the_whole(scenario_set: ScenarioSet) -> None:
    whole = scenario_set["load_kw"]
    assert whole.shape == scenario_set.shape
    np.testing.assert_array_equal(scenario_set.read("load_kw", "s2", [2, 0]), whole[2, [2, 0]])
    np.testing.assert_array_equal(scenario_set.read("load_kw", -1), whole[3])
    price = scenario_set["import_price_per_kwh"]
    assert price.shape == (4, 96)
    np.testing.assert_array_equal(scenario_set.read("import_price_per_kwh", 1), price[1])


def test_selecting_scenarios_conditions_on_them(scenario_set: ScenarioSet) -> None:
    part = scenario_set.select(
        scenarios=["s3", "s1"], homes=["h2"], channels=["pv_kw", "import_price_per_kwh"]
    )
    assert part.shape == (2, 1, 96) and list(part.channels) == ["pv_kw", "import_price_per_kwh"]
    np.testing.assert_array_equal(part["pv_kw"], scenario_set["pv_kw"][[3, 1]][:, [2]])
    np.testing.assert_array_equal(part["import_price_per_kwh"], scenario_set["import_price_per_kwh"][[3, 1]])
    old = scenario_set.probability
    np.testing.assert_allclose(part.probability, old[[3, 1]] / (old[3] + old[1]), rtol=1e-15)


def test_selecting_homes_and_channels_alone_leaves_probabilities_as_they_are(
    scenario_set: ScenarioSet,
) -> None:
    np.testing.assert_array_equal(scenario_set.select(homes=[0]).probability, scenario_set.probability)


def test_between_cuts_on_the_local_clock(scenario_set: ScenarioSet) -> None:
    part = scenario_set.between("2030-01-08", "2030-01-08 06:00")
    np.testing.assert_array_equal(part["load_kw"], scenario_set["load_kw"][:, :, 48:60])
    np.testing.assert_array_equal(
        part["import_price_per_kwh"], scenario_set["import_price_per_kwh"][:, 48:60]
    )
    with pytest.raises(ValueError, match=r"no step lies between .* the set runs from"):
        scenario_set.between("2031-01-01", "2031-01-02")


@pytest.mark.parametrize(
    ("probability", "message"),
    [([0.5, 0.6], r"sum to 1\.1, not to 1"), ([1.5, -0.5], r"'s1' is -0\.5; it must be at least 0"),
     ([0.5, np.nan], r"'s1' is nan"), ([1.0], "ask for")],
)  # fmt: skip
def test_probabilities_that_are_none_are_refused(probability: list[float], message: str) -> None:
    time = pd.date_range("2030-01-01", periods=4, freq="30min", tz="UTC")
    with pytest.raises(ValueError, match=message):
        ScenarioSet.from_arrays(
            {"load_kw": np.ones((2, 1, 4))}, time=time, homes=["a"], probability=probability
        )


def test_unknown_names_are_refused_with_the_nearest_one(scenario_set: ScenarioSet) -> None:
    with pytest.raises(ValueError, match=r"unknown scenario 's9'"):
        scenario_set.select(scenarios=["s9"])
    with pytest.raises(ValueError, match=r"unknown home 'h22' among 3; did you mean 'h2'"):
        scenario_set.select(homes=["h22"])
    with pytest.raises(ValueError, match=r"no channel 'load'.*load_kw"):
        scenario_set.read("load", 0)
    with pytest.raises(ValueError, match=r"home 7 lies outside 0\.\.2"):
        scenario_set.select(homes=[7])
    with pytest.raises(ValueError, match="'s1' is named twice"):
        scenario_set.select(scenarios=[1, "s1"])


def test_an_array_of_another_shape_is_refused() -> None:
    time = pd.date_range("2030-01-01", periods=4, freq="30min", tz="UTC")
    with pytest.raises(ValueError, match=r"pv_kw has shape \(2, 1, 5\); it must be \(2, 1, 4\), or \(2, 4\)"):
        ScenarioSet.from_arrays(
            {"load_kw": np.ones((2, 1, 4)), "pv_kw": np.ones((2, 1, 5))}, time=time, homes=["a"]
        )


def test_a_naive_clock_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        ScenarioSet.from_arrays(
            {"load_kw": np.ones((1, 1, 4))}, time=pd.date_range("2030", periods=4), homes=["a"]
        )


def test_traces_become_scenarios_and_come_back(scenario_set: ScenarioSet) -> None:
    parts = [scenario_set.traces(row) for row in range(3)]
    again = ScenarioSet.from_traces(parts, probability=[0.2, 0.3, 0.5])
    np.testing.assert_array_equal(again["load_kw"], scenario_set["load_kw"][:3])
    assert isinstance(again.traces("s1"), Traces)
    np.testing.assert_array_equal(again.traces("s1").pv_kw, scenario_set["pv_kw"][1])
    with pytest.raises(ValueError, match="traces 1 do not share the clock"):
        ScenarioSet.from_traces([parts[0], parts[1].select(["h1"])])


def test_concatenating_the_scenarios_of_a_set_gives_it_back(scenario_set: ScenarioSet) -> None:
    old = scenario_set.probability
    parts = [scenario_set.select(scenarios=[0, 1]), scenario_set.select(scenarios=[2, 3])]
    again = concat_scenarios(parts, weights=[old[:2].sum(), old[2:].sum()])
    np.testing.assert_array_equal(again["load_kw"], scenario_set["load_kw"])
    np.testing.assert_allclose(again.probability, old, rtol=1e-14)
    with pytest.raises(ValueError, match="scenario 's0' is in two parts"):
        concat_scenarios([scenario_set, scenario_set])
    with pytest.raises(ValueError, match="part 1 has other homes than part 0"):
        concat_scenarios([scenario_set, scenario_set.select(homes=[0])])


def test_concatenating_homes_keeps_each_home_its_own(scenario_set: ScenarioSet) -> None:
    again = concat_homes([scenario_set.select(homes=[2]), scenario_set.select(homes=[0, 1])])
    assert again.home_names == ["h2", "h0", "h1"]
    np.testing.assert_array_equal(again["load_kw"], scenario_set["load_kw"][:, [2, 0, 1]])
    np.testing.assert_array_equal(again.read("pv_kw", 1, [2, 0]), scenario_set["pv_kw"][1, [1, 2]])
    with pytest.raises(ValueError, match="home 'h0' is in two parts"):
        concat_homes([scenario_set, scenario_set])


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_probabilities_sum_to_one_after_any_selection(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.gamma(0.3, size=count) + 1e-9
    time = pd.date_range("2030-01-01", periods=2, freq="30min", tz="UTC")
    made = ScenarioSet.from_arrays(
        {"load_kw": np.zeros((count, 1, 2))}, time=time, homes=["a"], probability=weights / weights.sum()
    )
    kept = rng.permutation(count)[: rng.integers(1, count + 1)]
    part = made.select(scenarios=kept.tolist())
    assert abs(part.probability.sum() - 1) <= 1e-12
    assert abs(concat_scenarios([made, _renamed(part)]).probability.sum() - 1) <= 1e-12


def _renamed(part: ScenarioSet) -> ScenarioSet:
    table = part.scenarios.set_index(
        pd.Index([f"x{name}" for name in part.names], name="scenario", dtype=object)
    )
    return ScenarioSet(scenarios=table, homes=part.homes, time=part.time, channels=part.channels)


def test_scenario_names_sort_in_their_order() -> None:
    assert sorted(scenario_table(120).index) == list(scenario_table(120).index)


def test_a_change_of_a_part_does_not_reach_the_set(scenario_set: ScenarioSet) -> None:
    before = scenario_set["load_kw"].copy()
    scenario_set.read("load_kw", 0)[:] = -1
    np.testing.assert_array_equal(scenario_set["load_kw"], before)
    price = scenario_set["import_price_per_kwh"].copy()
    scenario_set.read("import_price_per_kwh", 0)[:] = -1
    np.testing.assert_array_equal(scenario_set["import_price_per_kwh"], price)


def test_make_set_differs_by_seed() -> None:
    assert not np.array_equal(make_set(seed=1)["load_kw"], make_set(seed=2)["load_kw"])
