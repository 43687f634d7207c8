"""A row of the table: what is measured on a population of homes, and how two measurements are compared.

A measurement keeps the homes apart where it can (first axis), so that an interval over homes is cheap:
``compare`` takes shares of the homes, ``(resample, home)``, and answers for each row; None is equal shares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .comparisons import mean_difference

Array = NDArray[np.float64]
Compare = Callable[[Any, Any, Array | None], Array]
Channel = Literal["load", "pv", "net"]
CHANNELS: tuple[Channel, ...] = ("load", "pv", "net")
MEASURED: tuple[Channel, ...] = ("load", "pv")
"""Net is left out where it would only repeat the load, or has no meaning."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One year of many homes, with everything that the metrics ask of it."""

    load_kw: Array
    """``(home, step)`` [kW]."""
    pv_kw: Array
    """``(home, step)`` [kW]."""
    time: pd.DatetimeIndex
    """Start of each step, UTC."""
    clock: pd.DatetimeIndex
    """The same instants on the homes' clock."""
    dt_h: float
    """Step length [h]."""
    night: NDArray[np.bool_]
    """Whether the sun is down, ``(step,)``."""
    capacity_kwp: Array
    """PV capacity, ``(home,)`` [kWp]."""
    homes: list[str]
    """Name of the home, or of the real home behind it."""
    joints: NDArray[np.int64]
    """First steps of the windows that the year may have been put together from."""
    others: NDArray[np.int64]
    """First steps of the other standard-time days."""

    def power_kw(self, channel: Channel) -> Array:
        """``(home, step)`` [kW]; net is load - PV."""
        return {"load": self.load_kw, "pv": self.pv_kw}.get(channel, self.load_kw - self.pv_kw)

    def take(self, rows: NDArray[np.int64]) -> Panel:
        """The homes at ``rows``."""
        return replace(
            self,
            load_kw=self.load_kw[rows],
            pv_kw=self.pv_kw[rows],
            capacity_kwp=self.capacity_kwp[rows],
            homes=[self.homes[row] for row in rows],
        )


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table."""

    group: str
    name: str
    channel: str
    unit: str
    measure: Callable[[Panel], Any]
    compare: Compare
    kind: Literal["distance", "limit"] = "distance"
    """A distance to the real homes, or a quantity with a physical limit, reported as it is."""
    has_interval: bool = True
    """Whether ``compare`` heeds the shares of the homes."""
    level: Callable[[Any], float] | None = None
    """What a side measures by itself, in one number, such as the mean over homes."""


def row(
    group: str,
    name: str,
    channel: Channel,
    unit: str,
    measure: Callable[[Panel, Array], Any],
    compare: Compare = mean_difference,
    **more: Any,
) -> Metric:
    """A metric whose ``measure`` gets the panel and the power of the channel."""
    return Metric(
        group=group,
        name=name,
        channel=channel,
        unit=unit,
        measure=lambda panel: measure(panel, panel.power_kw(channel)),
        compare=compare,
        **more,
    )
