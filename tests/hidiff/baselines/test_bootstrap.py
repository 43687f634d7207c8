"""The day-block bootstrap: whole real days of their month and day type, whatever else is asked with them."""

import numpy as np
import pandas as pd
import pytest

from hidiff.baselines.bootstrap import DayBootstrap
from hidiff.data.traces import Traces


def year(homes: int = 3, seed: int = 0, start: str = "2011-07-01", end: str = "2012-07-01") -> Traces:
    """Traces whose load names its month, and whether it is a weekday, and whose PV keeps standard time."""
    zone = "Australia/Sydney"
    bounds = [pd.Timestamp(stamp).tz_localize(zone).tz_convert("UTC") for stamp in (start, end)]
    time = pd.date_range(*bounds, freq="30min", inclusive="left")
    clock = time.tz_convert(zone)
    rng = np.random.default_rng(seed)
    level = np.asarray(clock.month + 100.0 * (clock.day_of_week < 5))
    load_kw = level + 0.01 * np.asarray(clock.hour) + 0.001 * rng.uniform(size=(homes, len(time)))
    standard_hour = np.asarray((time + pd.Timedelta(hours=10)).hour)
    pv_kw = np.where(np.abs(standard_hour - 11.5) < 4, 1.0, 0.0) * np.ones((homes, 1))
    table = pd.DataFrame(
        {"pv_capacity_kwp": 1.0}, index=pd.Index([f"h{i}" for i in range(homes)], name="home")
    )
    return Traces(load_kw, pv_kw, time, table, zone)


def test_days_stay_in_their_month_and_on_the_clock_and_the_sun_keeps_standard_time() -> None:
    made = DayBootstrap().fit(year()).sample(["h1", "h0"], start="2012-07-01", seed=1)
    clock = made.time.tz_convert(made.time_zone)
    assert made.load_kw.shape == (2, 17520)
    assert made.names == ["h1", "h0"]
    assert np.array_equal(np.floor(made.load_kw % 100), np.broadcast_to(clock.month, (2, 17520)))
    hours = np.floor((made.load_kw % 1) * 100)
    assert np.array_equal(hours, np.broadcast_to(clock.hour, (2, 17520)))
    assert np.array_equal(made.pv_kw[0], year(start="2012-07-01", end="2013-07-01").pv_kw[0])


def test_working_days_are_made_of_working_days_and_holidays_of_days_off() -> None:
    made = DayBootstrap().fit(year()).sample(["h0"], start="2012-07-01")
    clock = made.time.tz_convert(made.time_zone)
    is_weekday_day = made.load_kw[0] > 100
    assert not is_weekday_day[(clock.day_of_week >= 5) & (clock.month == 7)].any()
    assert is_weekday_day[(clock.day_of_week < 5) & (clock.month == 7)].all()
    # Thursday 26 January 2012 is day 209 from 1 July, and the day of the spring change is left out before it
    assert 208 in DayBootstrap().fit(year()).cells[(1, True)]


def test_a_home_is_the_same_whatever_is_asked_with_it() -> None:
    fitted = DayBootstrap().fit(year())
    few, many = fitted.sample(2, seed=4), fitted.sample(7, years=2, seed=4)
    assert np.array_equal(few.load_kw, many.load_kw[:2, : len(few.time)])
    assert len(many.time) == (365 + 365) * 48
    assert len(set(many.homes["source_home"])) == 3
    assert not np.array_equal(few.load_kw, fitted.sample(2, seed=5).load_kw)


def test_a_leap_year_has_its_day_more() -> None:
    assert len(DayBootstrap().fit(year()).sample(1, start="2011-07-01").time) == 366 * 48


def test_shared_days_keep_neighbours_on_the_same_date() -> None:
    rng = np.random.default_rng(0)
    traces = year()
    weather = np.repeat(rng.uniform(size=366), 48)[: len(traces.time)]
    traces = Traces(traces.load_kw, traces.pv_kw * weather, traces.time, traces.homes, traces.time_zone)
    together = DayBootstrap(shared_days=True).fit(traces).sample(3)
    apart = DayBootstrap().fit(traces).sample(3)
    assert np.array_equal(together.pv_kw[0], together.pv_kw[1])
    assert not np.array_equal(apart.pv_kw[0], apart.pv_kw[1])


def test_errors_say_the_way_out() -> None:
    traces = year()
    with pytest.raises(ValueError, match="fit at least a whole year"):
        DayBootstrap().fit(traces.between("2011-07-01", "2012-03-01"))
    fitted = DayBootstrap().fit(traces)
    with pytest.raises(ValueError, match="unknown household 'x'"):
        fitted.sample(["x"])
    with pytest.raises(ValueError, match="years=0"):
        fitted.sample(1, years=0)
    with pytest.raises(ValueError, match="homes=-1"):
        fitted.sample(-1)
    traces.load_kw[0, 5] = np.nan
    with pytest.raises(ValueError, match="hold NaN"):
        DayBootstrap().fit(traces)
