"""Clock stamps to UTC across the clock changes of Sydney."""

import numpy as np
import pandas as pd
import pytest

from hidiff.data.meter_clock import parse_stamps, starts_in_utc, step_minutes
from hidiff.errors import DataFormatError

ZONE = "Australia/Sydney"
SPRING = ("2010-10-03", "2011-10-02", "2012-10-07")
AUTUMN = ("2011-04-03", "2012-04-01", "2013-04-07")


def true_starts(day: str, step: int) -> pd.DatetimeIndex:
    begin = pd.Timestamp(day).tz_localize(ZONE)
    end = (pd.Timestamp(day) + pd.Timedelta(days=1)).tz_localize(ZONE)
    return pd.date_range(begin, end, freq=f"{step}min", inclusive="left")


def as_written(starts: pd.DatetimeIndex, step: int, style: str) -> np.ndarray:
    """Naive labels: interval starts, the clock at the end, or the clock at the start plus one step."""
    width = pd.Timedelta(minutes=step)
    if style == "clock at end":
        return (starts + width).tz_localize(None).as_unit("us").to_numpy()
    labels = starts.tz_localize(None).as_unit("us")
    return (labels + width if style == "start plus step" else labels).to_numpy()


@pytest.mark.parametrize("step", [5, 15, 30, 60])
@pytest.mark.parametrize("style", ["start", "clock at end", "start plus step"])
@pytest.mark.parametrize("day", SPRING + AUTUMN)
def test_every_way_of_writing_a_clock_change_day_gives_the_true_instants(day, style, step) -> None:
    truth = true_starts(day, step)
    labels = as_written(truth, step, style)
    interval = "start" if style == "start" else "end"
    expected = truth.tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy()
    np.testing.assert_array_equal(starts_in_utc(labels, step, ZONE, interval), expected)
    np.testing.assert_array_equal(starts_in_utc(labels[::-1], step, ZONE, interval), expected[::-1])


@pytest.mark.parametrize("interval", ["start", "end"])
@pytest.mark.parametrize("day", SPRING)
def test_a_day_written_with_48_labels_has_two_that_never_were(day, interval) -> None:
    shift = 0 if interval == "start" else 30
    labels = (
        (pd.Timestamp(day) + pd.to_timedelta(np.arange(48) * 30 + shift, unit="min")).as_unit("us").to_numpy()
    )
    starts = starts_in_utc(labels, 30, ZONE, interval)
    assert np.flatnonzero(np.isnat(starts)).tolist() == [4, 5]
    expected = true_starts(day, 30).tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy()
    np.testing.assert_array_equal(starts[~np.isnat(starts)], expected)


@pytest.mark.parametrize("interval", ["start", "end"])
def test_a_repeated_hour_shown_once_is_its_first_pass(interval) -> None:
    shift = 0 if interval == "start" else 30
    minutes = pd.to_timedelta(np.arange(48) * 30 + shift, unit="min")
    labels = (pd.Timestamp("2011-04-03") + minutes).as_unit("us").to_numpy()
    starts = starts_in_utc(labels, 30, ZONE, interval)
    truth = true_starts("2011-04-03", 30).tz_convert("UTC").tz_localize(None).as_unit("us").to_numpy()
    assert len(np.unique(starts)) == 48
    assert len(np.setdiff1d(truth, starts)) == 2


def test_zones_without_clock_changes_are_a_fixed_shift() -> None:
    labels = pd.date_range("2011-04-03", periods=48, freq="30min").as_unit("us").to_numpy()
    starts = starts_in_utc(labels, 30, "Australia/Brisbane", "start")
    np.testing.assert_array_equal(starts, labels - np.timedelta64(10, "h"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2012-07-01 13:30", "2012-07-01 13:30"),
        ("2012-07-01T13:30:00", "2012-07-01 13:30"),
        ("1/07/2012 13:30", "2012-07-01 13:30"),
        ("01/07/2012 1:30:00 PM", "2012-07-01 13:30"),
        ("1-Jul-12 13:30", "2012-07-01 13:30"),
        ("01.07.2012 13:30", "2012-07-01 13:30"),
        ("1/07/2012 24:00", "2012-07-02 00:00"),
    ],
)
def test_usual_ways_to_write_a_time_are_understood(text, expected) -> None:
    stamps, is_utc = parse_stamps(pd.Series([text]), day_first=True, time_format="")
    assert stamps[0] == pd.Timestamp(expected)
    assert not is_utc


def test_offsets_are_turned_to_utc_and_must_not_be_mixed() -> None:
    texts = pd.Series(["2012-07-01T10:00:00+10:00", "2012-07-01T00:30:00Z"])
    stamps, is_utc = parse_stamps(texts, day_first=True, time_format="")
    assert is_utc
    assert stamps.tolist() == [pd.Timestamp("2012-07-01 00:00"), pd.Timestamp("2012-07-01 00:30")]
    with pytest.raises(DataFormatError, match="some times carry an offset"):
        parse_stamps(pd.Series([texts[0], "2012-07-01 10:30"]), day_first=True, time_format="")


def test_month_first_dates_are_not_taken_for_day_first() -> None:
    texts = pd.Series([f"07/{day}/2012 00:00" for day in range(1, 32)])
    with pytest.raises(DataFormatError, match="set day_first=False"):
        parse_stamps(texts, day_first=True, time_format="")
    stamps, _ = parse_stamps(texts, day_first=False, time_format="")
    assert stamps.iloc[30] == pd.Timestamp("2012-07-31")


def test_the_step_is_the_most_common_distance_in_any_order() -> None:
    stamps = pd.date_range("2012-07-01", periods=50, freq="15min").delete([3, 4, 20]).to_numpy()
    assert step_minutes(stamps[::-1]) == 15
    assert step_minutes(stamps[:1]) == 0
