"""The Markov chain of day clusters: it finds the chain that made its days, and keeps clock, sun and homes apart."""

import numpy as np
import pandas as pd
import pytest

from hidiff.baselines.markov import (
    DayMarkov,
    FittedDayMarkov,
    count_transitions,
    off_the_clock,
    on_the_clock,
    walk,
)
from hidiff.data.calendars import day_grid
from hidiff.data.traces import Traces

KNOWN = np.array([[0.9, 0.1], [0.35, 0.65]])
ZONE = "Australia/Sydney"


def chained(homes: int = 4, years: int = 3) -> Traces:
    """Days of two shapes, morning and evening on the wall clock, that follow each other as `KNOWN` says.

    Home number i uses (i + 1) kW on average on a day, and has its PV from 10:00 + i standard time.
    """
    bounds = [pd.Timestamp(stamp).tz_localize(ZONE) for stamp in ("2009-07-01", f"{2009 + years}-07-01")]
    time = pd.date_range(*[bound.tz_convert("UTC") for bound in bounds], freq="30min", inclusive="left")
    clock = time.tz_convert(ZONE)
    day = np.asarray((clock.tz_localize(None).normalize() - pd.Timestamp("2009-07-01")).days)
    hour = np.asarray(clock.hour)
    load_kw, pv_kw = np.empty((homes, len(time))), np.empty((homes, len(time)))
    standard_hour = np.asarray((time + pd.Timedelta(hours=10)).hour)
    for home in range(homes):
        rng = np.random.default_rng(home)
        states = walk(KNOWN[None], np.zeros(day[-1] + 1, dtype=np.int64), rng.random(day[-1] + 1))
        centre = np.where(states[day] == 0, 8, 19)
        size = (home + 1) * rng.uniform(0.8, 1.2, day[-1] + 1)[day]
        load_kw[home] = size * np.where(np.abs(hour - centre) <= 1, 7.5, 1 / 14)
        pv_kw[home] = np.where(
            np.abs(standard_hour - 10 - home) <= 1, rng.uniform(0.2, 1, day[-1] + 1)[day], 0
        )
    table = pd.DataFrame(
        {"pv_capacity_kwp": 0.9}, index=pd.Index([f"h{i}" for i in range(homes)], name="home")
    )
    return Traces(load_kw, pv_kw, time, table, ZONE)


@pytest.fixture(scope="module")
def fitted() -> FittedDayMarkov:
    return DayMarkov(clusters=2, magnitudes=3).fit(chained())


def shapes(load_kw: np.ndarray, clock: pd.DatetimeIndex) -> np.ndarray:
    """0 for a morning day and 1 for an evening one, by the wall clock."""
    table = pd.Series(load_kw, index=clock)
    morning = table[(clock.hour >= 6) & (clock.hour < 11)].groupby(lambda stamp: stamp.date()).sum()
    evening = table[clock.hour >= 17].groupby(lambda stamp: stamp.date()).sum()
    return (evening > morning).to_numpy().astype(int)


def matrix(states: np.ndarray) -> np.ndarray:
    counts = count_transitions(states[None], np.zeros(len(states), dtype=np.int64), 2)[0, 0]
    return counts / counts.sum(1, keepdims=True)


def test_the_transitions_that_made_the_days_are_found(fitted: FittedDayMarkov) -> None:
    chain = fitted.chains["load"]
    morning = 0 if chain.ratio[0][chain.cluster[0] == 0].mean(0)[16] > 1 else 1
    order = [morning, 1 - morning]
    found = chain.cluster_counts.sum((0, 1))[np.ix_(order, order)]
    assert np.allclose(found / found.sum(1, keepdims=True), KNOWN, atol=0.03)
    is_known = chain.cluster >= 0
    assert found.sum() == (is_known[:, 1:] & is_known[:, :-1]).sum()


def test_made_years_follow_the_chain_on_the_wall_clock(fitted: FittedDayMarkov) -> None:
    made = fitted.sample(1, years=6, seed=1)
    clock = made.time.tz_convert(ZONE)
    assert np.allclose(matrix(shapes(made.load_kw[0], clock)), KNOWN, atol=0.06)


def test_a_named_home_is_made_of_its_own_size_and_sun(fitted: FittedDayMarkov) -> None:
    made = fitted.sample(["h2", "h0"], start="2012-07-01")
    assert made.names == ["h2", "h0"]
    assert np.allclose(made.load_kw.mean(1), [3, 1], rtol=0.03)
    hour = (made.time + pd.Timedelta(hours=10)).hour
    for row, centre in zip(made.pv_kw, (12, 10), strict=True):
        assert not row[np.abs(hour - centre) > 1].any()
        assert row.max() <= 0.9
        assert row.max() > 0.85


def test_a_home_is_the_same_whatever_is_asked_with_it(fitted: FittedDayMarkov) -> None:
    few, many = fitted.sample(2, seed=4), fitted.sample(6, years=2, seed=4)
    assert np.array_equal(few.load_kw, many.load_kw[:2, : len(few.time)])
    assert np.array_equal(few.pv_kw, many.pv_kw[:2, : len(few.time)])
    assert len(few.time) == 365 * 48
    assert len(set(many.homes["source_home"][:4])) == 4
    assert not np.array_equal(many.load_kw[0], many.load_kw[4])  # new days, though of one size
    assert not np.array_equal(few.load_kw, fitted.sample(2, seed=5).load_kw)


def test_gaps_are_neither_days_nor_transitions() -> None:
    traces = chained(2)
    traces.load_kw[1, -400 * 48 :] = np.nan
    made = DayMarkov(clusters=2, magnitudes=3).fit(traces).sample(2, years=1)
    assert np.isfinite(made.load_kw).all()
    states = np.array([[0, 1, -1, 0, 0]])
    counts = count_transitions(states, np.array([3, 4, 4, 5, 6]), 2)
    assert counts.sum() == 2
    assert counts[0, 4, 0, 1] == 1
    assert counts[0, 6, 0, 0] == 1


def test_every_day_of_a_named_home_is_one_of_its_own_of_the_month(fitted: FittedDayMarkov) -> None:
    made = fitted.sample(["h1"], start="2012-07-01")
    own = fitted.traces.select(["h1"])
    months = [traces.time.tz_convert("Etc/GMT-10").month for traces in (made, own)]
    for month in range(1, 13):
        there = own.pv_kw[0][months[1] == month].astype(np.float32)
        assert np.isin(made.pv_kw[0][months[0] == month].round(4), there.round(4)).mean() > 0.95


def test_turning_to_the_wall_clock_and_back_changes_nothing() -> None:
    grid = day_grid(pd.Timestamp("2012-09-30"), 20, ZONE)  # the clock changes on 7 October
    days = np.random.default_rng(0).random((2, 20, 48))
    turned = on_the_clock(days, grid)
    assert np.array_equal(off_the_clock(turned, grid), days)
    assert np.array_equal(turned[:, 0], days[:, 0])
    assert np.array_equal(turned[0, 15, 2:], days[0, 15, :46])  # standard midnight is one o'clock in summer


def test_errors_say_the_way_out(fitted: FittedDayMarkov) -> None:
    with pytest.raises(ValueError, match="fit at least a whole year"):
        DayMarkov().fit(chained(1).between("2009-07-01", "2010-03-01"))
    with pytest.raises(ValueError, match="clusters=1"):
        DayMarkov(clusters=1)
    with pytest.raises(ValueError, match="population_days=nan"):
        DayMarkov(population_days=float("nan"))
    with pytest.raises(ValueError, match="unknown household 'x'"):
        fitted.sample(["x"])
    with pytest.raises(ValueError, match="years=0"):
        fitted.sample(1, years=0)
