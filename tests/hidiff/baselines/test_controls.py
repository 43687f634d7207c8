"""Controls keep what they say they keep, and lose the rest."""

import numpy as np
import pandas as pd
import pytest

from hidiff.baselines.controls import last_year_repeated, mean_profile_with_noise, shuffled_days
from hidiff.data.traces import Traces


def year() -> Traces:
    time = pd.date_range("2011-06-30 14:00", periods=366 * 48, freq="30min", tz="UTC")
    rng = np.random.default_rng(0)
    load_kw = rng.gamma(4, 0.25, (2, len(time))) * (1 + 0.5 * (np.arange(len(time)) % 48 > 30))
    table = pd.DataFrame({"pv_capacity_kwp": [1.0, 2.0]}, index=pd.Index(["a", "b"], name="home"))
    return Traces(load_kw, 0.1 * load_kw, time, table)


def test_shuffled_days_keep_whole_days_and_load_with_pv() -> None:
    traces = year()
    made = shuffled_days(traces, np.random.default_rng(1))
    days = made.load_kw[0].reshape(-1, 48)
    assert not np.array_equal(made.load_kw, traces.load_kw)
    assert {day.tobytes() for day in days} == {day.tobytes() for day in traces.load_kw[0].reshape(-1, 48)}
    assert made.pv_kw == pytest.approx(0.1 * made.load_kw)


def test_mean_profile_with_noise_keeps_means_and_spread_and_loses_time() -> None:
    traces = year()
    made = mean_profile_with_noise(traces, np.random.default_rng(1))
    assert made.load_kw.min() >= 0
    assert made.load_kw.mean() == pytest.approx(traces.load_kw.mean(), rel=0.02)
    assert made.load_kw.std() == pytest.approx(traces.load_kw.std(), rel=0.05)


def test_last_year_repeated_meets_the_same_weekdays() -> None:
    traces = year()
    made = last_year_repeated(traces)
    assert np.array_equal(made.time.day_of_week, traces.time.day_of_week)
    assert made.time[0] - traces.time[0] == pd.Timedelta(days=364)
