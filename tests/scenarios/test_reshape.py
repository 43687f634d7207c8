import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff.scenarios import ScenarioSet, years_as_scenarios

from .conftest import make_set


@given(st.sampled_from(["5min", "10min", "15min", "30min", "1h", "2h", "6h", "1D"]), st.integers(0, 99))
def test_energy_is_kept_on_any_step(step: str, seed: int) -> None:
    old = make_set(seed=seed)
    new = old.resample(step)
    for name in ("load_kw", "pv_kw"):
        np.testing.assert_allclose(
            new[name].sum(-1, dtype=np.float64) * new.dt_h,
            old[name].sum(-1, dtype=np.float64) * old.dt_h,
            rtol=1e-6,
        )
    needs = [part["ev_need_kwh"].sum(-1, dtype=np.float64) for part in (new, old)]
    np.testing.assert_allclose(needs[0], needs[1], rtol=1e-6)
    mean = [part["import_price_per_kwh"].mean(-1, dtype=np.float64) for part in (new, old)]
    np.testing.assert_allclose(mean[0], mean[1], rtol=1e-5, atol=1e-7)


def test_there_and_back_is_the_same_set(scenario_set: ScenarioSet) -> None:
    again = scenario_set.resample("15min").resample("30min")
    for name in scenario_set.channels:
        np.testing.assert_array_equal(again[name], scenario_set[name])
    assert again.time.equals(scenario_set.time)


def test_an_event_stays_one_event_on_a_finer_step(scenario_set: ScenarioSet) -> None:
    fine = scenario_set.resample("10min")["ev_need_kwh"]
    assert (fine > 0).sum() == (scenario_set["ev_need_kwh"] > 0).sum()
    np.testing.assert_array_equal(fine[..., ::3], scenario_set["ev_need_kwh"])


@pytest.mark.parametrize(
    ("step", "message"),
    [("20min", "do not fit into each other"), ("2D", "lies outside"), ("soon", "no length of time"),
     ("0min", "lies outside")],
)  # fmt: skip
def test_steps_that_do_not_fit_are_refused(scenario_set: ScenarioSet, step: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scenario_set.resample(step)


def test_a_set_that_begins_within_a_step_is_refused(scenario_set: ScenarioSet) -> None:
    with pytest.raises(ValueError, match="within a step of 1h"):
        scenario_set.between("2030-01-07 00:30", "2030-01-08 00:30").resample("1h")
    with pytest.raises(ValueError, match="not a whole number"):
        scenario_set.between("2030-01-07", "2030-01-08 00:30").resample("1h")


def test_the_neighbourhood_is_the_sum_of_its_homes(scenario_set: ScenarioSet) -> None:
    all_homes = scenario_set.aggregate()
    assert all_homes.shape == (4, 1, 96) and all_homes.home_names == ["neighbourhood"]
    for name in ("load_kw", "ev_need_kwh"):
        np.testing.assert_allclose(
            all_homes[name][:, 0], scenario_set[name].sum(1, dtype=np.float64), rtol=1e-6
        )
    np.testing.assert_array_equal(all_homes["import_price_per_kwh"], scenario_set["import_price_per_kwh"])
    assert all_homes.homes["pv_capacity_kwp"].iloc[0] == pytest.approx(
        scenario_set.homes["pv_capacity_kwp"].sum()
    )
    assert all_homes.homes["home_count"].iloc[0] == 3


def test_years_become_scenarios_on_one_clock() -> None:
    time = pd.date_range("2030-07-01", "2033-07-01", freq="1h", inclusive="left", tz="Australia/Sydney")
    load = np.arange(len(time), dtype=np.float32)[None, None]
    made = years_as_scenarios(ScenarioSet.from_arrays({"load_kw": load}, time=time, homes=["a"]))
    assert made.shape == (3, 1, 8760)
    assert made.names == ["s0-2030-07-01", "s0-2031-07-01", "s0-2032-07-01"]
    # 2032 is a leap year: its 29 February lies in the second year, whose last day is therefore left out.
    np.testing.assert_array_equal(made["load_kw"][:, 0, 0], [0, 8760, 8760 + 8784])
    with pytest.raises(ValueError, match="holds 1 whole years"):
        years_as_scenarios(made)
