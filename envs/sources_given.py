"""Exact arrays as a source: one episode, of a user's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .sources import Floats, Stamp, Window, check_series_name, find_start, named_parts
from .tariffs import step_length_h


class ArraySource:
    """The one window that the arrays are; nothing is drawn.

    Args:
        exogenous: ``load_kw``, and any further exogenous names, each ``(step,)`` (``appliance_request`` is
            ``(step, appliance)``); ``pv_kw`` is 0 where it is not given. What is given is used as it is, in place of
            what `device_exogenous` would make.
        time: start of each step, zone-aware.
        home: name of the home.
        pv_capacity_kwp: of the PV that was recorded [kWp]; its highest power by default.

    Raises:
        ValueError: no load, a length that differs, values that are not finite, an uneven or naive clock.
    """

    def __init__(
        self, exogenous: Mapping[str, ArrayLike], *, time: pd.DatetimeIndex, time_zone: str = "Australia/Sydney",
        home: str = "given", pv_capacity_kwp: float | None = None,
    ) -> None:  # fmt: skip
        if "load_kw" not in exogenous:
            raise ValueError(f"exogenous has {', '.join(exogenous) or 'nothing'}, but no load_kw; give it")
        if time.tz is None:
            raise ValueError("time has no zone; give interval starts in UTC, e.g. index.tz_localize('UTC')")
        self._dt_h = step_length_h(time)
        self.steps = len(time)
        arrays: dict[str, Floats] = {}
        for name, values in exogenous.items():
            check_series_name(name)
            array = np.array(values, dtype=np.float64)
            if array.ndim != (2 if name == "appliance_request" else 1) or len(array) != self.steps:
                raise ValueError(
                    f"{name} has shape {array.shape}; its first and only axis is the {self.steps} steps of time "
                    "(appliance_request has a second one, the appliances)"
                )
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has values that are not finite; fill them first")
            if name in ("load_kw", "pv_kw") and (array < 0).any():
                raise ValueError(f"{name} falls to {array.min():.3g} kW; it is a magnitude, at least 0")
            arrays[name] = array
        load_kw, pv_kw = arrays.pop("load_kw"), arrays.pop("pv_kw", np.zeros(self.steps))
        peak_kw = float(pv_kw.max())
        self._window = Window(
            row=0, home=home, first=0, steps=self.steps, life=home, record_load_kw=load_kw, record_pv_kw=pv_kw,
            record_time=time.tz_convert("UTC"), time_zone=time_zone, given=arrays,
            pv_capacity_kwp=peak_kw if pv_capacity_kwp is None else pv_capacity_kwp,
        )  # fmt: skip

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        return self._dt_h

    def draw(
        self, random: np.random.Generator, *, home: str | None = None, start: Stamp | None = None,
        episode: str | None = None,
    ) -> Window:  # fmt: skip
        """The window; a home, a start or an episode that is named must be its own."""
        window = self._window
        if episode is not None:
            home, start = named_parts(episode, home, start)
        if home is not None and home != window.home:
            raise ValueError(f"unknown household {home!r}; the arrays are of {window.home!r}")
        if start is not None:
            find_start(window.record_time, window.time_zone, self.steps, start)
        return window


def own_arrays(
    given: dict[str, Any], start: Any, dt_h: float, time_zone: str = "Australia/Sydney"
) -> ArraySource:
    """One episode of a user's arrays, from ``start`` on."""
    stamp = pd.Timestamp(start)
    stamp = stamp.tz_localize(time_zone) if stamp.tz is None else stamp
    count = len(given["load_kw"])
    time = pd.date_range(stamp.tz_convert("UTC"), periods=count, freq=pd.Timedelta(hours=dt_h))
    return ArraySource(given, time=time, time_zone=time_zone)
