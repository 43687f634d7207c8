"""What is known of a window's observations before its first step: all but the states of the devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .clock import Clock
from .forecasts import Forecast, forecasts
from .observation import POWER_BOUND_KW, Feature, departures
from .sources import Window

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]


def known_rows(
    features: Sequence[Feature], window: Window, clock: Clock, first: int, series: Mapping[str, Floats],
    found: Mapping[str, Floats], *, pv_scale: float, forecast: Forecast | None,
) -> Rows:  # fmt: skip
    """Observations of a window and of the moment after it, ``(step + 1, feature)``; states are left 0.

    Where the record ends with the window, or has a gap there, the last values stand in.

    Args:
        first: where the window begins on the clock.
        series: what the episode brings, by the names of `hidiff.envs.core.Exogenous`, ``(step,)``.
        found: series of the devices, which may reach beyond the window.
        pv_scale: brings recorded PV to the home's size.
    """
    place = {feature.name: number for number, feature in enumerate(features)}
    rows: Rows = np.zeros((window.steps + 1, len(features)), np.float32)
    span = slice(first, first + window.steps + 1)
    rows[:, :5] = clock.calendar[span]
    _prices(rows, place, window, clock, span, series)
    last = window.first + window.steps
    is_known = last < len(window.record_time) and bool(
        np.isfinite(window.record_load_kw[last]) and np.isfinite(window.record_pv_kw[last])
    )
    after_kw = series["load_kw"][-1], series["pv_kw"][-1]
    if is_known:
        after_kw = float(window.record_load_kw[last]), float(window.record_pv_kw[last]) * pv_scale
    rows[:, place["load"]] = np.append(series["load_kw"], after_kw[0])
    rows[:, place["PV available"]] = np.append(series["pv_kw"], after_kw[1])
    if forecast is not None:
        # a fan more would cost seconds for an observation that ends the episode
        seen = replace(window, steps=window.steps + 1) if is_known and forecast.kind != "ensemble" else window
        told = forecasts(forecast, seen)
        for name, power_kw in (("load", told["load_kw"]), ("PV", told["pv_kw"] * pv_scale)):
            begin = place[f"forecast {name}, 1 ahead"]
            shown = np.concatenate([power_kw, power_kw[-1:]])[: len(rows)]
            rows[:, begin : begin + forecast.horizon_steps] = np.clip(shown, 0, POWER_BOUND_KW)
    later = {name: np.append(values, values[-1:], axis=0)[: len(rows)] for name, values in found.items()}
    if "car: at home" in place:
        leaves_h, trip_kwh = departures(found["car_is_home"], found["car_trip_kwh"], window.dt_h)
        rows[:, place["car: at home"]] = later["car_is_home"]
        rows[:, place["car: next departure in"]] = leaves_h[: len(rows)]
        rows[:, place["car: energy of the next trip"]] = trip_kwh[: len(rows)]
    if "house: outdoors" in place:
        shown_as = {"outdoors": "outdoor_c", "too cold below": "low_c", "too warm above": "high_c"}
        for name, column in shown_as.items():
            rows[:, place[f"house: {name}"]] = later[column]
    return rows


def _prices(
    rows: Rows, place: Mapping[str, int], window: Window, clock: Clock, span: slice, series: Mapping[str, Floats]
) -> None:  # fmt: skip
    """Export price and import prices ahead; of prices that the window brings, the last stands for what comes after."""
    ahead = clock.import_prices_ahead.shape[1]
    now = place["import price"]
    rows[:, now : now + ahead] = clock.import_prices_ahead[span]
    rows[:, place["export price"]] = clock.export_price[span]
    if "import_price" in window.given:
        longer = np.concatenate([series["import_price"], np.full(ahead, series["import_price"][-1])])
        rows[:, now : now + ahead] = np.lib.stride_tricks.sliding_window_view(longer, ahead)
    if "export_price" in window.given:
        rows[:, place["export price"]] = np.append(series["export_price"], series["export_price"][-1])
