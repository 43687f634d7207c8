"""Local days, their kinds, and the types that their shapes fall into."""

import numpy as np
import pandas as pd
import pytest

from hidiff.scenarios.describe_days import (
    by_day,
    clock_of,
    day_types,
    kinds_of,
    seasons_of,
    type_names,
    whole_days,
)

HOURS = np.arange(24) + 0.5


def stamps(start: str, days: float, zone: str = "Australia/Sydney") -> pd.DatetimeIndex:
    first = pd.Timestamp(start, tz=zone).tz_convert("UTC")
    return pd.date_range(first, periods=round(48 * days), freq="30min", name="time")


def sunny() -> np.ndarray:
    return 1 + np.where(np.abs(HOURS - 19) < 2, 1, 0) - np.where(np.abs(HOURS - 12) < 3, 3.0, 0)


def cloudy() -> np.ndarray:
    return 1 + np.where(np.abs(HOURS - 19) < 2, 1.0, 0)


def test_cut_days_at_both_ends_are_not_whole() -> None:
    clock = clock_of(stamps("2030-01-07 18:00", 3), "Australia/Sydney")
    assert list(whole_days(clock).strftime("%d")) == ["08", "09"]


def test_days_of_23_and_25_hours_have_24_local_hours() -> None:
    for start, middle in (("2030-10-05", "2030-10-06"), ("2030-04-06", "2030-04-07")):
        time = stamps(start, 3 + 1 / 24)
        clock = clock_of(time, "Australia/Sydney")
        local = time.tz_convert("Australia/Sydney")
        hour = np.asarray(local.hour + local.minute / 60, dtype=np.float32)[None]
        days = whole_days(clock)
        grid = by_day(clock, hour)
        assert pd.Timestamp(middle) in days
        assert np.array_equal(grid[0], np.tile(np.arange(48) / 2, (len(days), 1)))


def test_steps_that_do_not_divide_a_day_have_no_whole_days() -> None:
    time = pd.date_range("2030-01-01", periods=900, freq="7min", tz="UTC")
    assert not len(whole_days(clock_of(time, "UTC")))


def test_kinds_and_seasons_are_those_of_the_calendar() -> None:
    days = pd.DatetimeIndex(["2030-12-24", "2030-12-25", "2030-12-28", "2031-01-04", "2031-01-27"])
    assert kinds_of(days, "Australia/Sydney").tolist() == [0, 2, 2, 1, 2]
    assert kinds_of(days, "Europe/Berlin").tolist() == [0, 0, 1, 1, 0]
    assert seasons_of(pd.DatetimeIndex(["2030-02-28", "2030-03-01", "2030-07-01", "2030-11-30"])).tolist() == [
        0, 1, 2, 3,
    ]  # fmt: skip


def test_shares_of_day_types_sum_to_one_and_follow_probability() -> None:
    rng = np.random.default_rng(2)
    days = pd.date_range("2030-01-01", periods=40)
    noise = 0.05 * rng.normal(size=(3, 40, 24))
    net_kw = (np.stack([sunny(), sunny(), cloudy()])[:, None] + noise).astype(np.float32)
    found = day_types(net_kw, days, np.array([0.5, 0.2, 0.3]), "Australia/Sydney", most=2)
    share = found.shares.groupby("type")["share"].sum()
    assert found.shares["share"].sum() == pytest.approx(1, abs=1e-12)
    assert share.to_numpy() == pytest.approx([0.7, 0.3])
    assert found.label.tolist() == [[0] * 40, [0] * 40, [1] * 40]
    assert found.names == ["midday export, evening peak", "evening peak"]
    assert np.allclose(found.mean_kw, [sunny(), cloudy()], atol=0.05)
    per_season = found.shares.groupby("season")["share"].sum()
    assert per_season.to_numpy() == pytest.approx([1.0])


def test_days_of_scenarios_that_cannot_happen_have_no_share() -> None:
    days = pd.date_range("2030-01-01", periods=10)
    net_kw = np.stack([np.tile(sunny(), (10, 1)), np.tile(cloudy(), (10, 1))]).astype(np.float32)
    found = day_types(net_kw, days, np.array([1.0, 0.0]), "UTC")
    assert len(found.names) == 1
    assert found.shares.loc[found.shares["share"] > 0, "type"].tolist() == [0, 0]
    assert found.shares["share"].sum() == pytest.approx(1)


def test_types_come_in_order_of_their_energy_whatever_the_scenarios_order() -> None:
    days = pd.date_range("2030-01-01", periods=10)
    both = [np.tile(cloudy(), (10, 1)), np.tile(sunny(), (10, 1))]
    for order in (both, both[::-1]):
        found = day_types(np.stack(order).astype(np.float32), days, np.array([0.5, 0.5]), "UTC")
        assert (np.diff(found.mean_kw.mean(axis=1)) > 0).all()


def test_types_are_named_by_their_shape_and_twins_by_their_level() -> None:
    morning = 1 + np.where(np.abs(HOURS - 8) < 2, 1.0, 0)
    dip = cloudy() - np.where(np.abs(HOURS - 12) < 3, 0.8, 0)
    profiles = np.stack([np.ones(24), morning, dip, cloudy(), 2 * cloudy()])
    assert type_names(profiles) == [
        "flat", "morning peak", "midday dip, evening peak", "evening peak (lower)", "evening peak (higher)",
    ]  # fmt: skip
