"""Last year again: every step is the home's own, a whole number of times 52 weeks before."""

import numpy as np
import pandas as pd
import pytest

from hidiff.baselines.last_year import LastYear
from hidiff.data.traces import Traces


def counted(homes: int = 3, start: str = "2010-07-01", end: str = "2012-07-01") -> Traces:
    """Traces whose load counts the steps since the beginning, plus a million times the home."""
    zone = "Australia/Sydney"
    bounds = [pd.Timestamp(stamp).tz_localize(zone).tz_convert("UTC") for stamp in (start, end)]
    time = pd.date_range(*bounds, freq="30min", inclusive="left")
    load_kw = np.arange(len(time)) + 1e6 * np.arange(homes)[:, None]
    table = pd.DataFrame(
        {"pv_capacity_kwp": 1.0}, index=pd.Index([f"h{i}" for i in range(homes)], name="home")
    )
    return Traces(load_kw, load_kw / 1e7, time, table, zone)


def test_each_step_is_the_latest_reading_on_the_same_weekday() -> None:
    source = counted()
    made = LastYear().fit(source).sample(["h1"])
    step = made.load_kw[0] - 1e6
    began = source.time[step.astype(int)]
    weeks = (made.time - began) / pd.Timedelta(weeks=52)
    assert len(made.time) == 365 * 48
    assert (weeks[: 364 * 48] == 1).all()
    assert (weeks[364 * 48 :] == 2).all()  # the last day is not in the year before
    assert np.array_equal(made.pv_kw[0], source.pv_kw[1, step.astype(int)])


def test_a_gap_is_filled_from_the_year_before() -> None:
    source = counted()
    source.pv_kw[0, -100:] = np.nan
    made = LastYear().fit(source).sample(["h0"])
    weeks = (made.time - source.time[made.load_kw[0].astype(int)]) / pd.Timedelta(weeks=52)
    assert (weeks[364 * 48 - 100 : 364 * 48] == 2).all()
    assert (weeks[: 364 * 48 - 100] == 1).all()
    assert np.isfinite(made.pv_kw).all()


def test_a_population_takes_each_home_once_before_any_again() -> None:
    fitted = LastYear().fit(counted())
    made = fitted.sample(5, years=2, seed=3)
    assert made.load_kw.shape == (5, 730 * 48)
    assert len(set(made.homes["source_home"][:3])) == 3
    assert np.array_equal(made.load_kw[0], made.load_kw[3])
    assert np.array_equal(fitted.sample(2, seed=3).load_kw, made.load_kw[:2, : 365 * 48])


def test_errors_say_the_way_out() -> None:
    with pytest.raises(ValueError, match="needs at least 364"):
        LastYear().fit(counted(1, "2011-07-05", "2012-07-01"))
    fitted = LastYear().fit(counted())
    with pytest.raises(ValueError, match="no reading any number of times 52 weeks before"):
        fitted.sample(1, start="2011-06-20")
    with pytest.raises(ValueError, match="unknown household 'x'"):
        fitted.sample(["x"])
    with pytest.raises(ValueError, match="homes=0"):
        fitted.sample(0)
    with pytest.raises(ValueError, match="years=0"):
        fitted.sample(1, years=0)
