"""Standard-time days, the clock on the wall, holidays."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.data import calendars

SYDNEY = "Australia/Sydney"


def dates(*days: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(days)


@pytest.mark.parametrize("zone", [SYDNEY, "Europe/Dublin", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"])
def test_a_year_of_every_zone_has_48_steps_a_day_and_no_gap(zone: str) -> None:
    grid = calendars.day_grid(pd.Timestamp("2012-01-01"), 366, zone)
    assert len(grid) == 366
    assert len(grid.time) == 366 * 48
    assert (np.diff(grid.time.as_unit("us").asi8) == 1_800_000_000).all()
    assert grid.clock_hour.shape == (366, 48)
    assert grid.clock_hour.min() >= 0 and grid.clock_hour.max() < 24


def test_standard_time_is_the_winter_time_on_both_halves_of_the_globe() -> None:
    assert calendars.standard_offset(SYDNEY) == pd.Timedelta(hours=10)
    assert calendars.standard_offset("Europe/Berlin") == pd.Timedelta(hours=1)
    assert calendars.standard_offset("Australia/Lord_Howe") == pd.Timedelta(hours=10.5)


def test_the_clock_is_an_hour_ahead_of_standard_time_in_sydneys_summer_alone() -> None:
    grid = calendars.day_grid(pd.Timestamp("2012-01-01"), 366, SYDNEY)
    ahead_h = (grid.clock_hour - np.arange(48) / 2) % 24
    summer, winter = ahead_h[:31], ahead_h[152:183]
    assert (summer == 1).all()
    assert (winter == 0).all()


@pytest.mark.parametrize(
    ("date", "before", "after"),
    [("2011-10-02", 0.0, 1.0), ("2012-04-01", 1.0, 0.0)],
    ids=["spring", "autumn"],
)
def test_the_clock_changes_at_two_in_the_standard_night(date: str, before: float, after: float) -> None:
    ahead_h = (calendars.day_grid(pd.Timestamp(date), 1, SYDNEY).clock_hour[0] - np.arange(48) / 2) % 24
    assert (ahead_h[:4] == before).all()
    assert (ahead_h[4:] == after).all()


def test_holidays_are_those_of_new_south_wales_and_the_days_between_the_years() -> None:
    found = calendars.is_holiday(
        dates(
            "2012-12-25", "2012-01-26", "2012-12-28", "2012-12-24", "2012-04-06", "2012-07-04", "2012-06-11"
        )
    )
    assert found.tolist() == [True, True, True, False, True, False, True]


def test_the_day_of_an_instant_is_counted_in_standard_time() -> None:
    def first(stamp: str) -> pd.Timestamp:
        return calendars.first_standard_date(pd.Timestamp(stamp, tz=SYDNEY), SYDNEY)

    assert first("2030-07-01 00:00") == pd.Timestamp("2030-07-01")
    assert first("2030-01-01 00:00") == pd.Timestamp("2029-12-31")  # 23:00 in standard time
    assert first("2030-01-01 01:00") == pd.Timestamp("2030-01-01")


@settings(max_examples=20, deadline=None)
@given(days=st.integers(0, 20_000), step=st.integers(0, 47))
def test_every_step_of_a_grid_belongs_to_its_own_day(days: int, step: int) -> None:
    date = pd.Timestamp("1990-01-01") + pd.Timedelta(days=days)
    grid = calendars.day_grid(date, 1, SYDNEY)
    assert calendars.first_standard_date(grid.time[step], SYDNEY) == date


def test_weekdays_and_day_features_agree_with_the_calendar() -> None:
    grid = calendars.day_grid(pd.Timestamp("2012-12-24"), 8, SYDNEY)  # a Monday
    features = calendars.day_features(grid)
    assert grid.weekday.tolist() == [0, 1, 2, 3, 4, 5, 6, 0]
    assert features.shape == (8, 14)
    assert (features[:, 6:13].argmax(1) == grid.weekday).all()
    assert features[:, 13].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]


def test_harmonics_close_the_circle() -> None:
    assert calendars.harmonics(np.array([0.0]), 3) == pytest.approx(
        calendars.harmonics(np.array([1.0]), 3), abs=1e-6
    )
    assert calendars.harmonics(np.array([0.25]), 2)[0] == pytest.approx([1, 0, 0, -1], abs=1e-6)
