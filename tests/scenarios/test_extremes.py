import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hidiff.scenarios import ScenarioSet
from hidiff.scenarios.extremes import (
    brightness,
    cut_weeks,
    excess_cold_factor,
    excess_heat_factor,
    find_extremes,
    longest_run,
    return_period_years,
    runs,
)


def known_set(days=70):
    time = pd.date_range("2030-06-01", periods=48 * days, freq="30min", tz="Australia/Sydney")
    load, pv = np.ones((2, 2, len(time))), np.zeros((2, 2, len(time)))
    pv[:, :, 24::48] = 4.0  # a bright half-hour at noon
    temperature = np.full((2, len(time)), 15.0)
    load[1, 0, 48 * 20 + 36] = 9.0
    pv[0, :, 48 * 40 : 48 * 43] *= 0.1
    temperature[1, 48 * 50 : 48 * 53] = 25.0
    temperature[1, 48 * 60 : 48 * 63] = 9.0
    return ScenarioSet.from_arrays(
        {"load_kw": load, "pv_kw": pv, "temperature_c": temperature},
        time=time,
        homes=["a", "b"],
        probability=[0.25, 0.75],
    )


@given(st.lists(st.booleans(), max_size=60))
def test_runs_cover_what_is_true_and_nothing_else(flags):
    rebuilt = np.zeros(len(flags), dtype=bool)
    for start, length in runs(flags):
        assert not rebuilt[start : start + length].any()
        rebuilt[start : start + length] = True
    assert rebuilt.tolist() == flags
    text = "".join("x" if flag else " " for flag in flags)
    assert longest_run(flags)[1] == max(map(len, text.split()), default=0)


def test_excess_heat_is_the_published_product():
    mean = np.concatenate([np.full(30, 20.0), [26.0, 28.0, 30.0], np.full(5, 20.0)])
    factor = excess_heat_factor(mean, threshold_c=24.0)
    assert factor[30] == pytest.approx((28 - 24) * (28 - 20))
    assert np.isnan(factor[:30]).all()
    assert np.isnan(factor[-2:]).all()
    assert factor[33] == pytest.approx((20 - 24) * 1)  # no acclimatisation below 1 K
    np.testing.assert_allclose(excess_cold_factor(-mean, -24.0), factor)


def test_brightness_is_one_on_the_best_day_and_on_homes_without_pv():
    energy = np.full(50, 10.0)
    energy[20] = 2.0
    assert brightness(energy)[20] == pytest.approx(0.2)
    assert brightness(np.zeros(5)).tolist() == [1.0] * 5


def test_return_periods_are_weibulls_and_unknown_below_a_year():
    assert return_period_years([3.0, 1.0, 2.0], np.full(3, 1 / 3), 1.0) == pytest.approx([4.0, 4 / 3, 2.0])
    assert np.isnan(return_period_years([1.0], [1.0], 0.5)).all()


def test_planted_events_are_found_where_they_are():
    table = find_extremes(known_set())
    peak = table[table.kind == "peak"].iloc[0]
    assert (peak.scenario, peak.home, peak.value) == ("s1", "aggregate", 10.0)
    local = table.start.dt.tz_convert("Australia/Sydney").dt.strftime("%m-%d %H:%M")
    assert local[peak.name] == "06-21 18:00"
    cloudy = table[table.kind == "cloudy"]
    assert cloudy.scenario.tolist() == ["s0"]
    assert cloudy.length_h.tolist() == [72.0]
    assert local[cloudy.index[0]] == "07-11 00:00"
    heat, cold = (table[table.kind == kind] for kind in ("heat_wave", "cold_spell"))
    assert local[heat.index[0]] == "07-21 00:00"
    assert local[cold.index[0]] == "07-31 00:00"
    assert (heat.home == "all").all()
    imports = table[(table.kind == "long_import") & (table.scenario == "s0")].iloc[0]
    assert imports.length_h == pytest.approx(
        95.5
    )  # three dark noons of -0.1 * 8 + 2 kW lie between bright ones


def test_each_home_is_searched_alone_on_request():
    table = find_extremes(known_set(), ["peak", "ramp"], homes="each")
    assert len(table) == 8
    assert table.iloc[0][["kind", "home", "scenario", "value"]].tolist() == ["peak", "a", "s1", 9.0]
    assert table[table.kind == "ramp"].value.max() == 8.0


def test_weeks_hold_their_event_and_probabilities_sum_to_one():
    full = known_set()
    table = find_extremes(full, ["peak", "cloudy", "cold_spell"]).groupby("kind").head(1)
    weeks = cut_weeks(full, table)
    assert weeks.shape == (3, 2, 336)
    assert weeks.probability.sum() == pytest.approx(1, abs=1e-12)
    assert weeks["load_kw"][0].max() == 9.0
    assert weeks["pv_kw"][1].sum() == pytest.approx(2 * (4 * 4.0 + 3 * 0.4), rel=1e-5)
    assert weeks["temperature_c"][2].min() == 9.0
    assert all(start.endswith("T00:00:00+10:00") for start in weeks.scenarios["week_start"])


def test_an_event_at_the_edge_still_gives_a_whole_week():
    full = known_set(days=25)
    events = find_extremes(full, ["peak"])
    for at in (0, len(full.time) - 1):
        moved = events.head(1).assign(start=full.time[at])
        assert cut_weeks(full, moved)["load_kw"].shape[-1] == 336


def test_unknown_kinds_missing_channels_and_no_events_are_refused():
    full = known_set(days=25)
    with pytest.raises(ValueError, match="did you mean 'peak'"):
        find_extremes(full, ["peaks"])
    with pytest.raises(ValueError, match="needs temperature_c"):
        find_extremes(full.select(channels=["load_kw"]), ["heat_wave"])
    with pytest.raises(ValueError, match="no events"):
        cut_weeks(full, find_extremes(full).head(0))
    with pytest.raises(ValueError, match="days=95"):
        cut_weeks(full, find_extremes(full, ["peak"]), days=95)
