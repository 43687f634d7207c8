"""``Traces``: load and PV of many homes on one clock, the container that everything reads and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Traces:
    """Mean power per step of many homes.

    Args:
        load_kw: consumption, ``(home, step)`` [kW], NaN where nothing was measured.
        pv_kw: generation, ``(home, step)`` [kW], a magnitude (>= 0).
        time: start of each step, zone-aware UTC, one fixed step length.
        homes: one row a home, string index named ``home``; ``pv_capacity_kwp`` is the one column that must be there.
        time_zone: IANA name of the homes' clock.

    Raises:
        ValueError: shapes that do not fit, a naive, unsorted or uneven time index, double or missing homes.
    """

    load_kw: Floats
    pv_kw: Floats
    time: pd.DatetimeIndex
    homes: pd.DataFrame
    time_zone: str = "Australia/Sydney"

    def __post_init__(self) -> None:
        shape = (len(self.homes), len(self.time))
        for name in ("load_kw", "pv_kw"):
            array = getattr(self, name)
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}; {shape[0]} homes x {shape[1]} steps ask for {shape}")
        if self.time.tz is None:
            raise ValueError("time has no zone; give interval starts in UTC, e.g. index.tz_localize('UTC')")
        if str(self.time.tz) != "UTC":
            object.__setattr__(self, "time", self.time.tz_convert("UTC"))
        if len(self.time) > 1:
            steps = np.diff(self.time.asi8)
            if not (steps == steps[0]).all() or steps[0] <= 0:
                raise ValueError("time is not evenly spaced and rising; resample, or fill the gaps with NaN first")
        if self.homes.index.name != "home" or not self.homes.index.is_unique:
            raise ValueError("homes needs a unique string index named 'home'")
        if "pv_capacity_kwp" not in self.homes.columns:
            raise ValueError("homes has no column pv_capacity_kwp [kWp]; use 0 for homes without PV")

    @property
    def dt_h(self) -> float:
        """Step length [h]."""
        if len(self.time) < 2:
            return 0.5
        return float((self.time[1] - self.time[0]) / pd.Timedelta(hours=1))

    @property
    def names(self) -> list[str]:
        """Names of the homes, in order."""
        return [str(name) for name in self.homes.index]

    def __len__(self) -> int:
        return len(self.homes)

    def select(self, names: Sequence[str]) -> Traces:
        """The named homes, in the order given."""
        unknown = [name for name in names if name not in self.homes.index]
        if unknown:
            raise ValueError(f"unknown household {unknown[0]!r}; there are {len(self)}: {', '.join(self.names[:8])} …")
        rows = self.homes.index.get_indexer(list(names))
        return Traces(self.load_kw[rows], self.pv_kw[rows], self.time, self.homes.iloc[rows], self.time_zone)

    def between(self, start: str | pd.Timestamp, end: str | pd.Timestamp) -> Traces:
        """Steps from ``start`` up to, not including, ``end``; naive stamps are read on the homes' clock."""
        bounds = [pd.Timestamp(stamp) for stamp in (start, end)]
        bounds = [s.tz_localize(self.time_zone) if s.tz is None else s for s in bounds]
        keep = (self.time >= bounds[0]) & (self.time < bounds[1])
        return Traces(self.load_kw[:, keep], self.pv_kw[:, keep], self.time[keep], self.homes, self.time_zone)
