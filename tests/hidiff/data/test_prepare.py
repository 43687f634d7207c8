"""From power to ratios, clearness and tokens, and back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hidiff.data import prepare as preparation
from hidiff.data.ausgrid import read_traces
from hidiff.data.prepare import Prepared, daily_tokens, day_energy_ratio, peak_ratio, prepare, to_days
from hidiff.data.synthetic import synthetic_homes
from hidiff.data.traces import Traces


@pytest.fixture(scope="module")
def traces() -> Traces:
    return synthetic_homes(3, 80, start="2012-09-15")  # over the spring change of the clock


@pytest.fixture(scope="module")
def prepared(traces: Traces) -> Prepared:
    return prepare(traces)


def with_capacity(traces: Traces, capacity_kwp: float) -> Traces:
    homes = traces.homes.assign(pv_capacity_kwp=[capacity_kwp, *traces.homes["pv_capacity_kwp"].iloc[1:]])
    return Traces(traces.load_kw, traces.pv_kw, traces.time, homes, traces.time_zone)


def test_days_hold_every_reading_once_and_nothing_else(traces: Traces) -> None:
    grid, load, pv = to_days(traces)
    place = grid.time.get_indexer(traces.time)
    assert (place >= 0).all()
    flat = load.reshape(3, -1)
    np.testing.assert_array_equal(flat[:, place], traces.load_kw.astype(np.float32))
    np.testing.assert_array_equal(pv.reshape(3, -1)[:, place], traces.pv_kw.astype(np.float32))
    assert np.isnan(np.delete(flat, place, axis=1)).all()


def test_the_ratio_comes_back_as_the_load_it_was(prepared: Prepared, traces: Traces) -> None:
    back = (np.exp(prepared.load_log_ratio) - preparation.LOAD_OFFSET) * prepared.scale_kw[:, None, None]
    _, load, _ = to_days(traces)
    known = prepared.is_known
    np.testing.assert_allclose(back[known], load[known], rtol=1e-4, atol=1e-4)
    assert np.isnan(back[~known]).all()


def test_pv_is_clearness_times_envelope_where_the_sun_shines(prepared: Prepared, traces: Traces) -> None:
    _, _, pv = to_days(traces)
    back = prepared.clearness * prepared.envelope * prepared.capacity_kwp[:, None, None]
    usual = prepared.is_sunny & (prepared.clearness < preparation.MAX_CLEARNESS)
    assert usual.mean() > 0.2
    np.testing.assert_allclose(back[usual], pv[usual], rtol=1e-4, atol=1e-5)
    assert not prepared.is_sunny[prepared.envelope == 0].any()


def test_tokens_give_the_energy_and_the_peak_of_every_day(prepared: Prepared, traces: Traces) -> None:
    _, load, _ = to_days(traces)
    mean_kw = day_energy_ratio(prepared.tokens) * prepared.scale_kw[:, None]
    peak_kw = peak_ratio(prepared.tokens) * prepared.scale_kw[:, None]
    known = prepared.is_known
    np.testing.assert_allclose(mean_kw[known], load[known].mean(-1), rtol=1e-4)
    np.testing.assert_allclose(peak_kw[known], load[known].max(-1), rtol=1e-4)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float32, (2, 48), elements=st.floats(0, 50, width=32)))
def test_tokens_give_the_energy_of_any_day(ratio: np.ndarray) -> None:
    tokens = daily_tokens(ratio, np.zeros(2, np.float32))
    assert day_energy_ratio(tokens) == pytest.approx(ratio.mean(1), rel=1e-3, abs=1e-4)
    assert tokens[:, preparation.CLEARNESS].tolist() == [0, 0]


def test_the_first_day_of_a_summer_start_is_not_whole_and_not_used() -> None:
    prepared = prepare(synthetic_homes(1, 20, start="2012-12-01"))
    assert prepared.grid.dates[0] == pd.Timestamp("2012-11-30")
    assert prepared.is_known[0].tolist() == [False] + [True] * 19 + [False]


def test_runs_of_known_days_hold_no_gap(traces: Traces) -> None:
    load = traces.load_kw.copy()
    load[1, 40 * 48 + 5] = np.nan
    prepared = prepare(Traces(load, traces.pv_kw, traces.time, traces.homes, traces.time_zone))
    starts = prepared.known_starts(14)
    for home, start in starts:
        assert prepared.is_known[home, start : start + 14].all()
    assert (starts[:, 0] == 0).sum() == prepared.is_known[0].sum() - 13
    assert (starts[:, 0] == 1).sum() == prepared.is_known[1].sum() - 26
    assert len(prepared.known_starts(1000)) == 0


def test_hidden_days_leave_no_trace(traces: Traces) -> None:
    hidden = np.zeros((3, len(to_days(traces)[0])), dtype=bool)
    hidden[0, 50:] = True
    changed = traces.load_kw.copy()
    changed[0, 60 * 48 :] *= 9
    seen = prepare(traces, hidden=hidden)
    other = prepare(Traces(changed, traces.pv_kw, traces.time, traces.homes, traces.time_zone), hidden=hidden)
    assert not seen.is_known[0, 50:].any()
    assert np.isnan(seen.load_log_ratio[0, 50:]).all() and np.isnan(seen.tokens[0, 50:]).all()
    np.testing.assert_array_equal(seen.load_log_ratio, other.load_log_ratio)
    np.testing.assert_array_equal(seen.scale_kw, other.scale_kw)


def test_a_home_without_pv_is_never_sunny(traces: Traces) -> None:
    dark = Traces(traces.load_kw, 0 * traces.pv_kw, traces.time, traces.homes, traces.time_zone)
    prepared = prepare(with_capacity(dark, 0.0))
    assert not prepared.is_sunny[0].any()
    assert (prepared.tokens[0][prepared.is_known[0], preparation.CLEARNESS] == 0).all()


def test_other_steps_than_half_hours_are_refused(traces: Traces) -> None:
    hourly = Traces(traces.load_kw[:, ::2], traces.pv_kw[:, ::2], traces.time[::2], traces.homes)
    with pytest.raises(ValueError, match=r"steps of 60 minutes.*works on 30"):
        prepare(hourly)


def test_half_hours_that_begin_ten_minutes_late_are_refused(traces: Traces) -> None:
    late = traces.time + pd.Timedelta(minutes=10)
    with pytest.raises(ValueError, match="off the half-hours"):
        prepare(Traces(traces.load_kw, traces.pv_kw, late, traces.homes))


@pytest.mark.parametrize("capacity", [np.nan, -1.0])
def test_a_capacity_that_is_no_capacity_is_refused(traces: Traces, capacity: float) -> None:
    with pytest.raises(ValueError, match=r"pv_capacity_kwp=.*0 where there is no PV"):
        prepare(with_capacity(traces, capacity))


def test_homes_without_a_whole_day_or_without_load_are_refused(traces: Traces) -> None:
    gaps = traces.load_kw.copy()
    gaps[2, ::40] = np.nan
    with pytest.raises(ValueError, match="'synthetic-00002' has no whole day"):
        prepare(Traces(gaps, traces.pv_kw, traces.time, traces.homes))
    idle = traces.load_kw.copy()
    idle[1] = 0
    with pytest.raises(ValueError, match="'synthetic-00001' uses no energy"):
        prepare(Traces(idle, traces.pv_kw, traces.time, traces.homes))


def test_select_keeps_what_belongs_together(prepared: Prepared) -> None:
    two = prepared.select(np.array([2, 0]))
    assert two.names == ["synthetic-00002", "synthetic-00000"]
    np.testing.assert_array_equal(two.tokens[1], prepared.tokens[0])
    assert two.roofs[0] == prepared.roofs[2] and two.scale_kw[1] == prepared.scale_kw[0]


@pytest.mark.real
def test_real_roofs_explain_real_generation(data_dir: Path) -> None:
    traces = read_traces(data_dir / "ausgrid_official_layout").between("2011-07-01", "2012-07-01")
    prepared = prepare(traces)
    clear = prepared.clearness[prepared.is_sunny]
    assert (clear >= 0).all() and (clear <= preparation.MAX_CLEARNESS).all()
    assert (clear == preparation.MAX_CLEARNESS).mean() < 0.02  # the envelope is hardly ever too low
    assert 0.4 < np.median(clear) < 1.0
    days = prepared.tokens[..., preparation.CLEARNESS]
    assert np.corrcoef(days[:, prepared.is_known.all(0)])[0, 1:].min() > 0.6  # they stand under one sky
