"""What a single home keeps of each step, and the `Episode` that it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hidiff.home import Home

from . import core
from .episode import Episode
from .sources import Window

STATES = ("battery_kwh", "car_kwh", "air_c", "mass_c", "tank_kwh")
"""States before the first step that an episode tells."""


class Kept(NamedTuple):
    """A step, as it is kept while the episode runs."""

    happened: core.Outcome
    requested_kw: float
    cost: float
    penalty: float
    end_value: float


def record(
    kept: Sequence[Kept], series: Mapping[str, NDArray[np.float64]], window: Window, home: Home, dt_h: float, *,
    start: core.State, first: int = 0,
) -> Episode:  # fmt: skip
    """The episode of steps that were kept, ``first`` the number of the first of them."""
    rows = np.array([[*step.happened, *step[1:]] for step in kept], float)
    names = [*core.Outcome._fields, *Kept._fields[1:]]
    span = slice(first, first + len(kept))
    return Episode(
        time=window.time[span], time_zone=window.time_zone, dt_h=dt_h,
        arrays=dict(zip(names, rows.T, strict=True)) | _columns(series, span), homes=(window.home,),
        start={} if first else {name: np.asarray(getattr(start, name), float) for name in STATES},
    ).with_devices_of(home)  # fmt: skip


def before_start(
    series: Mapping[str, NDArray[np.float64]], window: Window, home: Home, dt_h: float, start: core.State
) -> Episode:
    """An episode of the one step before the first, in which nothing flows: what a picture after a reset shows."""
    arrays = dict.fromkeys((*core.Outcome._fields, "cost"), np.zeros(1))
    arrays |= {name: np.array([getattr(start, name)], float) for name in STATES if name in arrays}
    arrays |= _columns(series, slice(0, 1)) | {"load_kw": np.zeros(1), "pv_kw": np.zeros(1)}
    return Episode(
        time=window.time[:1] - pd.Timedelta(hours=dt_h), time_zone=window.time_zone, dt_h=dt_h, arrays=arrays,
        homes=(window.home,),
    ).with_devices_of(home)  # fmt: skip


def _columns(series: Mapping[str, NDArray[np.float64]], span: slice) -> dict[str, NDArray[np.float64]]:
    """What came from outside; each appliance's requests under a name of their own."""
    columns = {name: values[span] for name, values in series.items() if values.ndim == 1}
    for name, values in series.items():
        if values.ndim == 2:
            columns |= {f"{name}_{place}": values[span, place] for place in range(values.shape[1])}
    return columns
