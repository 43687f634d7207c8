import numpy as np
import pandas as pd
import pytest

from hidiff.scenarios.weather import weather_channels

ZONE = "Australia/Sydney"


def test_channels_lie_on_standard_time_days() -> None:
    time = pd.date_range("2030-01-01", periods=96, freq="30min", tz=ZONE).tz_convert("UTC")
    dates = pd.date_range("2029-12-31", periods=3)  # midnight of summer time is 23:00 standard time
    frame = pd.DataFrame(
        {
            "temperature_max_c": [30.0, 35, 20],
            "temperature_min_c": [15.0, 18, 12],
            "clearness": [0.3, 0.6, 0.9],
        },
        dates,
    )
    channels = weather_channels([frame, frame + 1], time, ZONE)
    clearness = channels["clearness"].read(0, np.array([0]))
    assert clearness[:3].tolist() == pytest.approx([0.3, 0.3, 0.6])
    temperature = channels["temperature_c"].read(1, np.array([0]))
    assert temperature.max() == 36 and temperature.min() > 12
    assert time[temperature.argmax()].tz_convert("Etc/GMT-10").hour in (13, 14)


def test_weather_that_ends_too_early_is_refused() -> None:
    time = pd.date_range("2030-01-01", periods=96, freq="30min", tz=ZONE).tz_convert("UTC")
    frame = pd.DataFrame({"clearness": [0.3, 0.6]}, pd.date_range("2029-12-31", periods=2))
    with pytest.raises(ValueError, match="weather of scenario 0 lacks 2030-01-02"):
        weather_channels([frame], time, ZONE)


def test_what_is_not_known_is_no_channel() -> None:
    time = pd.date_range("2030-01-01", periods=48, freq="30min", tz="UTC")
    frame = pd.DataFrame({"clearness": [0.3]}, pd.date_range("2030-01-01", periods=1))
    assert list(weather_channels([frame], time, "UTC")) == ["clearness"]
