"""Frames show the last two local days, the same picture for the same episode, and leave matplotlib alone."""

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest

from hidiff.envs.episode import Episode
from hidiff.envs.render import frame
from hidiff.home import Home

STEPS = 48 * 5


def episode(**changes: Any) -> Episode:
    hour = np.arange(STEPS) / 2 % 24
    pv_kw = 3 * np.maximum(np.sin((hour - 6) / 12 * np.pi), 0)
    arrays = {
        "import_kw": np.maximum(1 - pv_kw, 0),
        "export_kw": np.maximum(pv_kw - 1, 0),
        "load_kw": np.ones(STEPS),
        "pv_kw": pv_kw,
        "battery_kw": np.sin(hour),
        "battery_kwh": 5 + np.cos(hour),
        "cost": np.ones(STEPS),
    }
    time = pd.date_range("2030-06-01", periods=STEPS, freq="30min", tz="Europe/Berlin").tz_convert("UTC")
    return Episode(time=time, time_zone="Europe/Berlin", dt_h=0.5, arrays=arrays | changes)


def test_a_frame_is_a_picture_with_something_on_it() -> None:
    picture = frame(episode(), Home())
    assert picture.shape == (600, 800, 3) and picture.dtype == np.uint8
    assert 0.01 < (picture < 200).any(axis=2).mean() < 0.5


def test_a_frame_depends_on_the_last_two_days_only() -> None:
    whole = episode().between(0, STEPS - 10)
    earlier = whole["load_kw"].copy()
    earlier[: 48 * 3] = 9  # before midnight of the day before the last
    np.testing.assert_array_equal(
        frame(episode(load_kw=np.append(earlier, np.ones(10))).between(0, STEPS - 10)), frame(whole)
    )
    np.testing.assert_array_equal(frame(whole.last(47)), frame(whole))
    assert (frame(whole.between(0, STEPS - 11)) != frame(whole)).any()


def test_a_frame_does_not_remember_the_frames_before_it() -> None:
    first = frame(episode(), Home())
    frame(episode(load_kw=np.full(STEPS, 30.0)), Home())
    frame(episode(air_c=np.full(STEPS, 30.0)))
    np.testing.assert_array_equal(frame(episode(), Home()), first)


def test_the_first_step_can_be_drawn() -> None:
    assert frame(episode().between(0, 1), Home()).shape == (600, 800, 3)


def test_the_callers_style_neither_matters_nor_changes() -> None:
    plain = frame(episode())
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black"}):
        before = dict(matplotlib.rcParams)
        np.testing.assert_array_equal(frame(episode()), plain)
        frame(episode(low_c=np.ones(STEPS), air_c=np.ones(STEPS)))
        assert dict(matplotlib.rcParams) == before


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="has no export_kw"):
        made = episode()
        frame(Episode(time=made.time, time_zone="UTC", dt_h=0.5, arrays={"import_kw": made["import_kw"]}))
    wide = {"import_kw": np.ones((STEPS, 2)), "export_kw": np.ones((STEPS, 2))}
    with pytest.raises(ValueError, match="show one"):
        frame(Episode(time=episode().time, time_zone="UTC", dt_h=0.5, arrays=wide, homes=("a", "b")))
