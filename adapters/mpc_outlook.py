"""What predictive control takes the coming steps to bring: one forecast, or scenarios of load and PV."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hidiff.envs.forecasts import DAYS_BACK, Forecast, forecasts
from hidiff.envs.sources import Window

if TYPE_CHECKING:
    from hidiff.diffusion.hierarchy import HiDiff

Floats = NDArray[np.float64]
Outlook = Callable[[int], tuple[Floats, Floats]]
"""Load and PV of the steps after a step of the episode, each ``(scenario, step)`` [kW]."""


def forecast_outlook(
    forecast: Forecast, window: Window, ahead: int, pv_scale: float, model: HiDiff | None
) -> Outlook:
    """One scenario: the forecast itself."""
    told = forecasts(replace(forecast, horizon_steps=ahead, quantiles=()), window, model=model)
    load_kw, pv_kw = np.maximum(told["load_kw"], 0.0), np.maximum(told["pv_kw"], 0.0) * pv_scale
    return lambda step: (load_kw[step : step + 1], pv_kw[step : step + 1])


def scenario_outlook(
    forecast: Forecast, window: Window, ahead: int, pv_scale: float, model: HiDiff | None
) -> tuple[Outlook, int]:
    """Scenarios, and how many: the last seven days as they were (``persistence``), or paths of a fan (``ensemble``).

    Raises:
        ValueError: a kind of forecast that has no scenarios.
    """
    if forecast.kind == "persistence":
        return _past_days(window, ahead, pv_scale), DAYS_BACK
    if forecast.kind == "ensemble":
        return _fan_paths(forecast, window, ahead, pv_scale, model), forecast.members
    raise ValueError(
        f"forecast.kind is {forecast.kind!r}, which is one path; scenarios need kind='persistence' (the last seven "
        "days) or kind='ensemble' (the generator's fan)"
    )


def _past_days(window: Window, ahead: int, pv_scale: float) -> Outlook:
    """Each of the last seven days as a scenario; where one is not recorded, persistence stands in."""
    day = round(24 / window.dt_h)
    told = forecasts(Forecast(kind="persistence", horizon_steps=ahead), window)
    lead = np.arange(1, ahead + 1)
    # steps back from the present one: a lead into the k-th day looks k days back at the nearest
    back = lead - day * ((lead - 1) // day + 1 + np.arange(DAYS_BACK)[:, None])
    records = (
        (window.record_load_kw, told["load_kw"], 1.0),
        (window.record_pv_kw, told["pv_kw"], pv_scale),
    )

    def outlook(step: int) -> tuple[Floats, Floats]:
        at = window.first + step + back
        load_kw, pv_kw = (_or(record, at, mean[step]) * scale for record, mean, scale in records)
        return load_kw, pv_kw

    return outlook


def _or(record: NDArray[np.floating], at: NDArray[np.int64], otherwise: Floats) -> Floats:
    values = np.where(at >= 0, record[np.maximum(at, 0)], np.nan).astype(np.float64)
    return np.where(np.isnan(values), otherwise, values)


def _fan_paths(
    forecast: Forecast, window: Window, ahead: int, pv_scale: float, model: HiDiff | None
) -> Outlook:
    """Paths of the fan from the last local midnight."""
    from hidiff.envs.forecast_fans import fan_paths

    fans = fan_paths(replace(forecast, horizon_steps=ahead, quantiles=()), window, model)
    origins = np.array([origin for origin, _, _ in fans])
    lead = np.arange(1, ahead + 1)

    def outlook(step: int) -> tuple[Floats, Floats]:
        now = window.first + step
        origin, load_kw, pv_kw = fans[int(np.searchsorted(origins, now, side="right")) - 1]
        at = now - origin + lead
        at = np.where(at < load_kw.shape[1], at, at - 48)
        return load_kw[:, at], pv_kw[:, at] * pv_scale

    return outlook
