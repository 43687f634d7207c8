import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hidiff.scenarios.diurnal import day_length_h, diurnal_temperature, temperature_on_clock


@settings(max_examples=50, deadline=None)
@given(
    low=st.lists(st.floats(-20, 30), min_size=1, max_size=20),
    swing=st.floats(0, 25),
    steps=st.sampled_from([24, 48, 96, 288]),
    latitude=st.floats(-65, 65),
)
def test_each_day_reaches_its_extremes_and_never_passes_them(low, swing, steps, latitude):
    minimum = np.array(low)
    days = (np.arange(len(low)) * 37) % 365 + 1
    curve = diurnal_temperature(minimum + swing, minimum, days, steps_per_day=steps, latitude_deg=latitude)
    by_day = curve.reshape(len(low), steps)
    np.testing.assert_allclose(by_day.max(1), minimum + swing, atol=1e-9)
    np.testing.assert_allclose(by_day.min(1), minimum, atol=1e-9)


def test_days_alike_join_without_a_jump_and_are_warmest_in_the_afternoon():
    curve = diurnal_temperature([25.0] * 4, [15.0] * 4, [15] * 4)
    assert np.abs(np.diff(curve)).max() < 1.3
    assert 13 <= curve[48:96].argmax() / 2 <= 15
    assert 4 <= curve[48:96].argmin() / 2 <= 6  # a Sydney summer's sunrise, standard time


def test_summer_days_are_longer_on_either_side_of_the_equator():
    assert day_length_h(355, -33.87) == pytest.approx(14.3, abs=0.2)
    assert day_length_h(355, 52.0) == pytest.approx(7.6, abs=0.3)


def test_the_clock_decides_which_day_a_step_belongs_to():
    weather = pd.DataFrame(
        {"temperature_max_c": [20.0, 30.0], "temperature_min_c": [10.0, 18.0]},
        index=pd.date_range("2030-01-07", periods=2, freq="D"),
    )
    time = pd.date_range("2030-01-07", periods=96, freq="30min", tz="Etc/GMT-10").tz_convert("UTC")
    values = temperature_on_clock(weather, time)
    assert values[:48].max() == 20.0
    assert values[48:].max() == 30.0
    with pytest.raises(ValueError, match="no 2030-01-09"):
        temperature_on_clock(weather, time + pd.Timedelta(days=1))


def test_a_maximum_below_its_minimum_is_refused():
    with pytest.raises(ValueError, match="below minimum"):
        diurnal_temperature([5.0], [6.0], [1])
