"""Forecasts from the generator: a fan of the coming days from each local midnight of a window."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.data.traces import Traces
from hidiff.rng import generator

from .forecasts import CHANNELS, LEAST_READINGS_DAYS, Forecast
from .sources import Window
from .tariffs import local_clock

if TYPE_CHECKING:
    from hidiff.diffusion.conditional import Fan
    from hidiff.diffusion.hierarchy import HiDiff

Values = NDArray[np.float64]
FANS_KEPT = 512
"""Fans that stay in memory: an episode that comes again costs nothing."""
_kept: OrderedDict[tuple[Any, ...], Fan] = OrderedDict()


def fan_forecasts(config: Forecast, window: Window, model: HiDiff | None) -> dict[str, Values]:
    """What `forecasts` gives of a window whose ``kind`` is ensemble.

    A step's forecast is that of the fan from the last local midnight; readings of the day itself do not enter.

    Raises:
        ValueError: as of `fan_paths`.
    """
    levels = [None, *config.quantiles]
    result = {name: np.empty((window.steps, config.horizon_steps, len(levels))) for name in CHANNELS}
    fans = fan_paths(config, window, model)
    steps = window.first + np.arange(window.steps)
    of_fan = np.searchsorted([origin for origin, _, _ in fans], steps, side="right") - 1
    ahead = 1 + np.arange(config.horizon_steps)
    for number, (origin, *channels) in enumerate(fans):
        rows = np.flatnonzero(of_fan == number)
        places = (steps[rows] - origin)[:, None] + ahead
        # a day of a changed clock may leave the last hour uncovered: the same time of the day before stands in
        places = np.where(places < channels[0].shape[1], places, places - 48)
        for name, paths in zip(CHANNELS, channels, strict=True):
            for column, level in enumerate(levels):
                path = paths.mean(axis=0) if level is None else np.quantile(paths, level, axis=0)
                result[name][rows, :, column] = path[places]
    means = {name: values[..., 0] for name, values in result.items()}
    if not config.quantiles:
        return means
    return means | {f"{name}_quantiles": values[..., 1:] for name, values in result.items()}


def fan_paths(config: Forecast, window: Window, model: HiDiff | None) -> list[tuple[int, Values, Values]]:
    """The fans of a window: the midnight that each starts from, as a step of the record, and its paths of load and
    PV (as recorded), ``(member, step)`` [kW]; they reach ``horizon_steps`` beyond the following midnight.

    Raises:
        ValueError: steps other than half-hours, too little record before the window, a horizon above 13 days.
    """
    if window.dt_h != 0.5:
        raise ValueError(f"steps of {window.dt_h * 60:g} minutes; the generator's forecasts are half-hourly")
    days = 1 + -(-config.horizon_steps // 48)
    if days > 14:
        raise ValueError(f"horizon_steps is {config.horizon_steps}; the generator looks 13 days (624) ahead")
    if model is None:
        from hidiff.diffusion.hierarchy import load

        model = load()
    local = local_clock(window.record_time[: window.first + window.steps], window.time_zone)
    midnights = np.flatnonzero((local.hour == 0) & (local.minute == 0))
    used = midnights[max(int(np.searchsorted(midnights, window.first, side="right")) - 1, 0) :]
    if not len(used) or used[0] > window.first or used[0] < LEAST_READINGS_DAYS * 48:
        known = window.first / 48
        raise ValueError(
            f"{known:.1f} days are recorded before {window.time[0]}; the generator needs {LEAST_READINGS_DAYS} before "
            "the midnight it starts from: name a later start, or give the source history_days=15"
        )
    result = []
    for origin in used.tolist():
        fan = _fan(config, window, origin, days, model)
        load_kw, pv_kw = (np.asarray(getattr(fan, name)[:, 0], dtype=np.float64) for name in CHANNELS)
        result.append((origin, load_kw, pv_kw))
    return result


def _fan(config: Forecast, window: Window, origin: int, days: int, model: HiDiff) -> Fan:
    """The fan from a midnight; keyed by life and date, and drawn once for the same readings."""
    known = slice(max(origin - config.readings_days * 48, 0), origin)
    load_kw, pv_kw = window.record_load_kw[known], window.record_pv_kw[known]
    time = window.record_time
    digest = hashlib.blake2b(load_kw.tobytes() + pv_kw.tobytes(), digest_size=16).hexdigest()
    key = (id(model), digest, time[origin], window.life, days, config.members)
    if key not in _kept:
        homes = pd.DataFrame(
            {"pv_capacity_kwp": [window.pv_capacity_kwp]},
            index=pd.Index([window.home], name="home", dtype=object),
        )
        readings = Traces(load_kw[None], pv_kw[None], time[known], homes, window.time_zone)
        seed = int(generator(window.life, "fan", time[origin].isoformat()).integers(2**31))
        _kept[key] = model.conditional(readings, days, config.members, seed)
        while len(_kept) > FANS_KEPT:
            _kept.popitem(last=False)
    return _kept[key]
