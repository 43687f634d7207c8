"""Weather of scenarios as channels: temperature of every step, and clearness of every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone

import numpy as np
import pandas as pd

from hidiff.data.calendars import standard_offset

from .diurnal import temperature_on_clock
from .scenario_set import Channel, Rows, Values


def weather_channels(
    daily: Sequence[pd.DataFrame], time: pd.DatetimeIndex, time_zone: str
) -> dict[str, Channel]:
    """``temperature_c`` and ``clearness`` of every scenario, as far as its daily weather has them.

    Args:
        daily: of each scenario, rows by standard-time date with any of ``temperature_max_c``,
            ``temperature_min_c`` and ``clearness``, as `HiDiff.daily_weather` and
            `read_weather` give it.

    Raises:
        ValueError: a scenario whose weather does not cover the steps.
    """
    standard = timezone(standard_offset(time_zone).to_pytimedelta())
    dates = time.tz_convert(standard).tz_localize(None).normalize()
    for number, frame in enumerate(daily):
        missing = dates.unique().difference(frame.index)
        if len(missing):
            raise ValueError(
                f"the weather of scenario {number} lacks {missing[0].date()}; give every day of the span"
            )
    channels = {}
    if all({"temperature_max_c", "temperature_min_c"} <= set(frame.columns) for frame in daily):

        def temperature(scenario: int, rows: Rows) -> Values:
            return temperature_on_clock(daily[scenario], time, standard_time=standard)

        channels["temperature_c"] = Channel(read=temperature, unit="degC", kind="state", has_homes=False)
    if all("clearness" in frame.columns for frame in daily):

        def clearness(scenario: int, rows: Rows) -> Values:
            return np.asarray(daily[scenario]["clearness"].reindex(dates), dtype=np.float32)

        channels["clearness"] = Channel(read=clearness, unit="1", kind="state", has_homes=False)
    return channels
